//! The simulated practices: who they are and where they stand, drawn from a seed.

use std::collections::HashMap;
use std::fmt::Write as _;

use gpconnect::names::{Asid, CpaId, OdsCode, PartyKey, ServiceRoot};

use super::draw::Draw;

/// The ODS code of the first practice of every estate, for examples that must always work.
pub const FIRST_PRACTICE: &str = "A20047";

const STREETS: &[&str] = &[
    "Avenue",
    "Mill Lane",
    "Church Road",
    "Riverside",
    "Oak Tree",
    "Station Road",
    "Parkfield",
    "Beacon Hill",
    "Market Square",
    "Elm Grove",
    "Bridge Street",
    "Harbour",
    "Old Bakery",
    "Willow Brook",
    "Abbey",
    "Highfield",
    "Moorland",
    "Queensway",
    "St Anne's",
    "Weavers",
];
const KINDS: &[&str] = &["Surgery", "Medical Centre", "Health Centre", "Medical Practice"];
const HOSTS: u64 = 8;

/// One simulated practice as a directory would list it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Practice {
    /// The organisation code.
    pub ods_code: OdsCode,
    /// The name over the door.
    pub name: String,
    /// The accreditation id of its system.
    pub asid: Asid,
    /// The party key of its message handling server.
    pub party_key: PartyKey,
    /// The contract properties id of its endpoint.
    pub cpa_id: CpaId,
    /// Where Foundations and Appointment Management are served.
    pub service_root: ServiceRoot,
    /// Where Access Record Structured is served.
    pub structured_root: ServiceRoot,
    upstream: Option<String>,
}

impl Practice {
    fn generate(seed: u64, index: u64) -> Option<Self> {
        let mut draw = Draw::of(seed, "practice", index);
        let ods_code = ods_code(seed, index);
        let name = format!("{} {}", draw.pick(STREETS), draw.pick(KINDS));
        let asid = 910_000_000_000 + (index * 7_919) % 89_999_999_999;
        let party_key = format!("{ods_code}-{}", 820_000 + draw.below(100_000));
        let host = format!("gp{}.sim.example", index % HOSTS + 1);
        let root = format!("https://{host}/{ods_code}/STU3/1/gpconnect");
        Some(Self {
            ods_code: ods_code.parse().ok()?,
            name: if index == 0 { "The Avenue Surgery".into() } else { name },
            asid: asid.to_string().parse().ok()?,
            party_key: party_key.parse().ok()?,
            cpa_id: format!("S20001A{:06}", index % 1_000_000).parse().ok()?,
            service_root: format!("{root}/fhir").parse().ok()?,
            structured_root: format!("{root}/structured/fhir").parse().ok()?,
            upstream: None,
        })
    }
}

/// A code of one letter and five digits; distinct for more practices than there are in England.
fn ods_code(seed: u64, index: u64) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPVWY";
    const LOWEST: u64 = 20_048; // above the number of the first practice
    const NUMBERS: u64 = 99_999 - LOWEST; // no multiple of 37, so steps of 37 meet each once
    let Some(index) = index.checked_sub(1) else { return FIRST_PRACTICE.into() };
    let letters = LETTERS.len() as u64;
    let letter = usize::try_from(index % letters).ok().and_then(|at| LETTERS.get(at));
    let start = Draw::of(seed, "estate", 0).below(NUMBERS);
    let number = LOWEST + (start + index / letters * 37) % NUMBERS;
    format!("{}{number}", char::from(letter.copied().unwrap_or(b'A')))
}

/// Any number of simulated practices; the same seed gives the same ones, in the same order.
#[derive(Clone, Debug)]
pub struct Estate {
    seed: u64,
    practices: Vec<Practice>,
    places: HashMap<OdsCode, usize>,
}

impl Estate {
    /// Draws that many practices.
    #[must_use]
    pub fn generate(seed: u64, practices: usize) -> Self {
        let practices: Vec<Practice> =
            (0..practices as u64).filter_map(|index| Practice::generate(seed, index)).collect();
        let places = practices
            .iter()
            .enumerate()
            .map(|(place, practice)| (practice.ods_code, place))
            .collect();
        Self { seed, practices, places }
    }

    /// The practices in their order.
    #[must_use]
    pub fn practices(&self) -> &[Practice] {
        &self.practices
    }

    /// The practice of that code.
    #[must_use]
    pub fn practice(&self, ods_code: OdsCode) -> Option<&Practice> {
        self.place(ods_code).and_then(|place| self.practices.get(place))
    }

    /// What everything about these practices is drawn from.
    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn place(&self, ods_code: OdsCode) -> Option<usize> {
        self.places.get(&ods_code).copied()
    }

    /// Lists a practice behind another upstream than the rest, for instance one whose address is
    /// [`Running::refused_addr`](super::Running::refused_addr). Says whether there is such a
    /// practice.
    pub fn move_behind(&mut self, ods_code: OdsCode, upstream: &str) -> bool {
        let place = self.place(ods_code);
        let practice = place.and_then(|place| self.practices.get_mut(place));
        practice.map(|practice| practice.upstream = Some(upstream.into())).is_some()
    }

    /// The sections of a directory file that describe these practices behind one upstream, and
    /// a group of them all.
    #[must_use]
    pub fn directory_toml(&self, upstream: &str, group: &str) -> String {
        let mut text = String::with_capacity(self.practices.len() * 600);
        for practice in &self.practices {
            write_practice(&mut text, practice, upstream);
        }
        text.push_str("[[group]]\nname = ");
        text.push_str(&quoted(group));
        text.push_str("\nmembers = [\n");
        for practice in &self.practices {
            text.push_str("  \"");
            text.push_str(practice.ods_code.as_str());
            text.push_str("\",\n");
        }
        text.push_str("]\n");
        text
    }
}

fn write_practice(text: &mut String, practice: &Practice, upstream: &str) {
    let (root, structured) = (practice.service_root.as_str(), practice.structured_root.as_str());
    let upstream = practice.upstream.as_deref().unwrap_or(upstream);
    let written = write!(
        text,
        "[[organisation]]\n\
         ods_code = \"{ods}\"\n\
         name = {name}\n\n\
         [[provider]]\n\
         organisation = \"{ods}\"\n\
         asid = \"{asid}\"\n\
         party_key = \"{party}\"\n\
         cpa_id = \"{cpa}\"\n\
         upstream = {upstream}\n\
         service_roots = {{ foundations = \"{root}\", appointments = \"{root}\", \
         structured = \"{structured}\" }}\n\n",
        ods = practice.ods_code,
        name = quoted(&practice.name),
        asid = practice.asid,
        party = practice.party_key,
        cpa = practice.cpa_id,
        upstream = quoted(upstream),
    );
    debug_assert!(written.is_ok(), "writing to a string does not fail");
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|letter| match letter {
            '"' | '\\' => vec!['\\', letter],
            letter if letter.is_control() => vec![' '],
            letter => vec![letter],
        })
        .collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn an_estate_repeats_and_grows_at_its_end() {
        let estate = Estate::generate(7, 50);
        assert_eq!(estate.practices(), Estate::generate(7, 50).practices());
        assert_eq!(estate.practices(), &Estate::generate(7, 80).practices()[..50]);
        assert_ne!(estate.practices()[1], Estate::generate(8, 50).practices()[1]);
        assert_eq!(estate.practices()[0].ods_code.as_str(), FIRST_PRACTICE);
    }

    #[test]
    fn every_practice_is_its_own() {
        let estate = Estate::generate(1, 20_000);
        let distinct = |field: fn(&Practice) -> &str| {
            estate.practices().iter().map(field).collect::<HashSet<_>>().len()
        };
        for (name, count, field) in [
            ("codes", 20_000, (|practice| practice.ods_code.as_str()) as fn(&Practice) -> &str),
            ("accreditation ids", 20_000, |practice| practice.asid.as_str()),
            ("party keys", 20_000, |practice| practice.party_key.as_str()),
            ("service roots", 20_000, |practice| practice.service_root.as_str()),
            ("hosts", 8, |practice| practice.service_root.authority()),
        ] {
            assert_eq!(distinct(field), count, "{name}");
        }
    }

    #[test]
    fn the_directory_names_each_practice_and_the_group() {
        let mut estate = Estate::generate(1, 3);
        let second = estate.practices()[1].ods_code;
        assert!(estate.move_behind(second, "dead"));
        assert!(!estate.move_behind("ZZZZZ".parse().unwrap(), "dead"));
        let text = estate.directory_toml("north", "all \"of\" them");
        assert_eq!(text.matches("upstream = \"north\"").count(), 2);
        assert_eq!(text.matches("upstream = \"dead\"").count(), 1);
        assert!(text.contains("name = \"all \\\"of\\\" them\""));
        assert!(text.contains("https://gp1.sim.example/A20047/STU3/1/gpconnect/structured/fhir"));
        assert!(text.ends_with(&format!("  \"{}\",\n]\n", estate.practices()[2].ods_code)));
    }
}
