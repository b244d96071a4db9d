//! Which patients a practice has, and where in England a patient is registered.
//!
//! A drawn patient's NHS number is a reversible scramble of practice and position, so nothing is
//! stored and two practices never share a patient. All numbers are of the test range.

use gpconnect::names::NhsNumber;

use super::people::{COMMON, Person, documented, documented_at, drawn};
use crate::simulator::draw::Draw;

/// Positions a practice has; one in eleven has no valid check digit and stays empty.
const POSITIONS: u64 = 440;
const FIRST_DRAWN: u64 = COMMON + 1;
/// The first id of patients registered while the simulator runs.
pub(crate) const FIRST_REGISTERED: u64 = 10_001;

/// NHS numbers without check digit that drawn patients may have: 910000000 up to 999999999.
const LOWEST_STEM: u64 = 910_000_000;
const STEMS: u64 = 90_000_000;
/// Multiplying modulo `STEMS` by the one undoes multiplying by the other.
const SCRAMBLE: u64 = 38_501_297;
const UNSCRAMBLE: u64 = 26_807_633;

/// The patients of one estate, by practice and position.
#[derive(Clone, Copy)]
pub(crate) struct Population {
    seed: u64,
}

impl Population {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The patient of that logical id at the practice of that place in the estate.
    pub(crate) fn by_id(self, place: usize, id: u64) -> Option<Person> {
        match id.checked_sub(FIRST_DRAWN) {
            None => documented(usize::try_from(id.checked_sub(1)?).ok()?),
            Some(position) => self.drawn(place, position),
        }
    }

    /// The patient of that NHS number at the practice, documented or drawn.
    pub(crate) fn by_nhs_number(self, place: usize, nhs_number: NhsNumber) -> Option<Person> {
        if let Some(index) = documented_at(nhs_number) {
            return documented(index);
        }
        let (home, position) = self.position(nhs_number)?;
        if home == place as u64 { self.drawn(place, position) } else { None }
    }

    /// The patient of that NHS number wherever in England they are registered.
    pub(crate) fn anywhere(self, nhs_number: NhsNumber) -> Option<Person> {
        if let Some(index) = documented_at(nhs_number) {
            return documented(index);
        }
        let (place, position) = self.position(nhs_number)?;
        self.drawn(usize::try_from(place).ok()?, position)
    }

    fn offset(self) -> u64 {
        Draw::of(self.seed, "population", 0).below(STEMS)
    }

    /// Practice and position behind an NHS number of the drawn range.
    fn position(self, nhs_number: NhsNumber) -> Option<(u64, u64)> {
        let stem = nhs_number.digits().parse::<u64>().ok()? / 10;
        let scrambled = stem.checked_sub(LOWEST_STEM).filter(|below| *below < STEMS)?;
        let place = (scrambled + STEMS - self.offset()) % STEMS * UNSCRAMBLE % STEMS;
        Some((place / POSITIONS, place % POSITIONS))
    }

    fn drawn(self, place: usize, position: u64) -> Option<Person> {
        let place = (place as u64).checked_mul(POSITIONS)?.checked_add(position)?;
        if position >= POSITIONS || place >= STEMS {
            return None;
        }
        let stem = LOWEST_STEM + (place * SCRAMBLE % STEMS + self.offset()) % STEMS;
        let nhs_number = format!("{stem}{}", check_digit(stem)?).parse().ok()?;
        Some(drawn(&mut Draw::of(self.seed, "patient", place), FIRST_DRAWN + position, nhs_number))
    }
}

/// The check digit of nine digits (modulus 11), unless the number must not be issued.
fn check_digit(stem: u64) -> Option<u64> {
    let weighted: u64 =
        (2..=10).zip((0..9).map(|power| stem / 10_u64.pow(power) % 10)).map(|(w, d)| w * d).sum();
    match 11 - weighted % 11 {
        10 => None,
        digit => Some(digit % 11),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn number(text: &str) -> NhsNumber {
        text.parse().unwrap()
    }

    #[test]
    fn a_stem_whose_check_value_is_ten_has_no_digit() {
        assert_eq!((check_digit(900_000_000), check_digit(900_000_005)), (Some(9), None));
    }

    #[test]
    fn every_practice_has_hundreds_of_patients_of_its_own() {
        let population = Population::new(42);
        let mut numbers = HashSet::new();
        for place in [0, 1, 9_999] {
            let people: Vec<Person> =
                (FIRST_DRAWN..1_000).filter_map(|id| population.by_id(place, id)).collect();
            assert!((380..430).contains(&people.len()), "{}", people.len());
            for person in people {
                let found = population.by_nhs_number(place, person.nhs_number).unwrap();
                assert_eq!((found.id, &found.family), (person.id, &person.family));
                assert!(population.by_nhs_number(place + 1, person.nhs_number).is_none());
                assert_eq!(population.anywhere(person.nhs_number).unwrap().born, person.born);
                assert!(numbers.insert(person.nhs_number));
            }
        }
    }

    #[test]
    fn the_documented_patients_are_at_every_practice() {
        let population = Population::new(1);
        for place in [0, 4_321] {
            let robin = population.by_nhs_number(place, number("9000000009")).unwrap();
            assert_eq!((robin.id, robin.family.as_str()), (1, "EXAMPLE"));
            assert_eq!(population.by_id(place, 1).unwrap().nhs_number, number("9000000009"));
        }
        for id in [0, 450, FIRST_REGISTERED, u64::MAX] {
            assert!(population.by_id(0, id).is_none(), "{id}");
        }
    }
}
