//! The patients as people: a documented few that every practice has, and drawn ones.

use gpconnect::names::NhsNumber;
use jiff::civil::{Date, date};

use crate::simulator::draw::Draw;

/// What a patient is to the practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Regular,
    Temporary,
    /// Has said no to sharing the record.
    Dissenting,
    Deceased,
    /// Flagged as sensitive on PDS: not to be found.
    Sensitive,
}

/// A patient as the practice knows them.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: u64,
    pub(crate) nhs_number: NhsNumber,
    pub(crate) family: String,
    pub(crate) given: String,
    pub(crate) prefix: String,
    pub(crate) gender: String,
    pub(crate) born: String,
    pub(crate) home: Home,
    pub(crate) standing: Standing,
    /// When a temporary registration began.
    pub(crate) since: Option<String>,
    /// About how many bytes the whole structured record has.
    pub(crate) record_bytes: usize,
}

/// Where a patient lives.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) line: String,
    pub(crate) city: String,
    pub(crate) postcode: String,
    pub(crate) phone: String,
}

impl Person {
    /// Whether a search or a read gives this patient away.
    pub(crate) const fn is_found(&self) -> bool {
        matches!(self.standing, Standing::Regular | Standing::Temporary | Standing::Dissenting)
    }
}

struct Documented(&'static str, &'static str, &'static str, &'static str, Date, Standing, usize);

/// The patients of every practice; logical ids count from 1 in this order.
#[rustfmt::skip]
const DOCUMENTED: &[Documented] = &[
    Documented("9000000009", "EXAMPLE",   "Robin",  "other",  date(1980, 2, 29), Standing::Regular,    20_000),
    Documented("9000000017", "LITTLE",    "Pat",    "female", date(2001, 6, 15), Standing::Regular,    0),
    Documented("9000000025", "MIDDLETON", "Sam",    "male",   date(1956, 11, 3), Standing::Regular,    200_000),
    Documented("9000000033", "LARGE",     "Morgan", "female", date(1931, 1, 1),  Standing::Regular,    3_000_000),
    Documented("9000000041", "DISSENT",   "Alex",   "male",   date(1975, 8, 20), Standing::Dissenting, 20_000),
    Documented("9000000068", "VISITOR",   "Chris",  "female", date(1999, 12, 31), Standing::Temporary, 2_000),
    Documented("9000000076", "LATE",      "Jo",     "male",   date(1922, 4, 4),  Standing::Deceased,   20_000),
    Documented("9000000084", "HIDDEN",    "Lee",    "female", date(1988, 9, 9),  Standing::Sensitive,  20_000),
];

/// A valid number that PDS has never heard of.
pub(crate) const NOT_ON_PDS: &str = "9000000106";
/// A number that PDS has superseded by another.
pub(crate) const SUPERSEDED: &str = "9000000114";

const FAMILIES: &[&str] = &[
    "ABBOTT",
    "BARNES",
    "CARTER",
    "DAWSON",
    "ELLIS",
    "FLETCHER",
    "GREGORY",
    "HOLT",
    "INGRAM",
    "JARVIS",
    "KNIGHT",
    "LAMBERT",
    "MARSH",
    "NORTON",
    "OSBORNE",
    "PARSONS",
    "QUINN",
    "REEVES",
    "SUTTON",
    "THORNE",
    "UNDERWOOD",
    "VINCENT",
    "WALSH",
    "YATES",
    "AHMED",
    "BEGUM",
    "KAUR",
    "PATEL",
    "OKAFOR",
    "NOWAK",
    "O'BRIEN",
    "MÜLLER",
    "SINGH",
    "CHEN",
    "EVANS-LLOYD",
];
const WOMEN: &[&str] = &[
    "Alice", "Beth", "Carol", "Diana", "Ellen", "Fatima", "Grace", "Hannah", "Isla", "Julia",
    "Karen", "Lena", "Maya", "Nora", "Olive", "Priya", "Ruth", "Siân", "Tessa", "Zoë",
];
const MEN: &[&str] = &[
    "Adam", "Brian", "Colin", "David", "Edward", "Faisal", "George", "Henry", "Ivan", "James",
    "Keith", "Liam", "Martin", "Nigel", "Oscar", "Peter", "Ravi", "Simon", "Tariq", "Wesley",
];
const ROADS: &[&str] = &["High Street", "Mill Lane", "Park Road", "Green Close", "Hill View"];
const CITIES: &[&str] = &["Eastbridge", "Northwick", "Southam", "Westbury", "Fernhill"];

/// A patient of every practice, by position in that list.
pub(crate) fn documented(index: usize) -> Option<Person> {
    let Documented(number, family, given, gender, born, standing, record_bytes) =
        DOCUMENTED.get(index)?;
    let temporary = *standing == Standing::Temporary;
    Some(Person {
        id: index as u64 + 1,
        nhs_number: number.parse().ok()?,
        family: (*family).into(),
        given: (*given).into(),
        prefix: "Mx".into(),
        gender: (*gender).into(),
        born: born.to_string(),
        home: Home {
            line: format!("{} Sample Street", index + 1),
            city: "Eastbridge".into(),
            postcode: "ZZ99 3AA".into(),
            phone: format!("01632 9600{:02}", index + 1),
        },
        standing: *standing,
        since: temporary.then(|| "2026-01-05T09:00:00+00:00".into()),
        record_bytes: *record_bytes,
    })
}

/// A drawn patient with that id and number.
pub(crate) fn drawn(draw: &mut Draw, id: u64, nhs_number: NhsNumber) -> Person {
    let woman = draw.below(2) == 0;
    let year = 1925 + draw.below(98);
    let (month, day) = (1 + draw.below(12), 1 + draw.below(28));
    Person {
        id,
        nhs_number,
        family: draw.pick(FAMILIES).into(),
        given: draw.pick(if woman { WOMEN } else { MEN }).into(),
        prefix: if woman { "Ms".into() } else { "Mr".into() },
        gender: if woman { "female".into() } else { "male".into() },
        born: format!("{year}-{month:02}-{day:02}"),
        home: Home {
            line: format!("{} {}", 1 + draw.below(140), draw.pick(ROADS)),
            city: draw.pick(CITIES).into(),
            postcode: format!("ZZ99 {}AB", draw.below(10)),
            phone: format!("01632 960{:03}", draw.below(1_000)),
        },
        standing: Standing::Regular,
        since: None,
        record_bytes: record_bytes(draw),
    }
}

/// Most records are small, a few are very large: 2 kB to 3 MB, evenly over the orders of
/// magnitude, squared towards the small end.
fn record_bytes(draw: &mut Draw) -> usize {
    let share = draw.fraction() * draw.fraction();
    let doublings = u32::try_from((0..10).filter(|step| share * 10.5 > f64::from(*step)).count());
    let base = 2_000_u64 << doublings.unwrap_or(0);
    usize::try_from(base + draw.below(base / 2)).unwrap_or(2_000)
}

/// How many patients every practice has.
pub(crate) const COMMON: u64 = DOCUMENTED.len() as u64;

/// Where that number stands among the patients of every practice.
pub(crate) fn documented_at(nhs_number: NhsNumber) -> Option<usize> {
    DOCUMENTED.iter().position(|row| row.0 == nhs_number.digits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_numbers_are_well_formed() {
        let others = ["9000000092", NOT_ON_PDS, SUPERSEDED];
        for number in DOCUMENTED.iter().map(|row| row.0).chain(others) {
            assert!(number.parse::<NhsNumber>().is_ok(), "{number}");
        }
    }
}
