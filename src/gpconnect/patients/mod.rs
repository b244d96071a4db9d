//! Which patients a request names by NHS number, in its query or its body. The audit must know
//! them before a provider does (gp-connect 12); nothing else may: none of these types prints one.
//!
//! A text counts as naming a patient when it stands with the NHS number system, whatever it is: it
//! is for the provider to say that there is no such patient. Reading is generous, so that no
//! spelling hides a patient from the journal: `http` counts as `https`, letters' case, blanks around
//! and a last slash do not matter, and `900 000 0009` is the patient `9000000009`.

mod answer;
mod check;
mod query;

pub use answer::{Known, in_answer};
pub use check::{check_clear, check_digits};
pub use query::in_query;

use crate::names::{FromCaller, NhsNumber};

/// One patient, as a request names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Patient {
    /// By an NHS number, blanks and hyphens aside.
    Number(NhsNumber),
    /// By a text that is no NHS number, blanks and hyphens aside.
    Other(FromCaller<Box<str>>),
}

/// All patients that a request, or a part of it, names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patients {
    /// None.
    #[default]
    None,
    /// One, however often.
    One(Patient),
    /// Several, each once, sorted.
    Several(Vec<Patient>),
    /// Nobody can tell, for this reason: two readers could find two answers, or none.
    Unreadable(&'static str),
}

impl Patients {
    /// The word for logs and the journal: `none`, `one`, `several` or `unreadable`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::One(_) => "one",
            Self::Several(_) => "several",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// Whether it may name anybody.
    pub fn any(&self) -> bool {
        *self != Self::None
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Patient> {
        match self {
            Self::None | Self::Unreadable(_) => [].as_slice(),
            Self::One(patient) => std::slice::from_ref(patient),
            Self::Several(patients) => patients,
        }
        .iter()
    }

    /// These and `others`: what a query and a body name together.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        match (self, others) {
            (Self::None, patients) | (patients, Self::None) => patients,
            (Self::Unreadable(why), _) | (_, Self::Unreadable(why)) => Self::Unreadable(why),
            (these, others) => these.iter().chain(others.iter()).cloned().collect::<Found>().into(),
        }
    }
}

/// Patients as they are found, in whatever order and number.
#[derive(Debug, Default)]
pub(crate) struct Found(Vec<Patient>);

impl Found {
    /// Takes note of `value`, which stands with the NHS number system. A blank one names nobody.
    pub(crate) fn note(&mut self, value: &str) {
        let is_separator = |letter: char| letter.is_whitespace() || letter == '-';
        if let Ok(number) = value.parse() {
            self.0.push(Patient::Number(number));
            return;
        }
        let text: String = value.chars().filter(|letter| !is_separator(*letter)).collect();
        if !text.is_empty() {
            let number = text.parse().map(Patient::Number);
            self.0.push(number.unwrap_or_else(|_| Patient::Other(text.into())));
        }
    }
}

impl FromIterator<Patient> for Found {
    fn from_iter<I: IntoIterator<Item = Patient>>(patients: I) -> Self {
        Self(patients.into_iter().collect())
    }
}

impl From<Found> for Patients {
    fn from(Found(mut patients): Found) -> Self {
        patients.sort_unstable();
        patients.dedup();
        match (patients.pop(), patients.is_empty()) {
            (None, _) => Self::None,
            (Some(patient), true) => Self::One(patient),
            (Some(last), false) => {
                patients.push(last);
                Self::Several(patients)
            }
        }
    }
}

/// Whether `system` says that its value is an NHS number: the system of 1.x or that of 0.7.
pub(crate) fn is_nhs_number_system(system: &str) -> bool {
    const KNOWN: [&str; 2] = ["fhir.nhs.uk/Id/nhs-number", "fhir.nhs.net/Id/nhs-number"];
    let system = system.trim();
    let bare = ["https://", "http://"].iter().find_map(|scheme| {
        let (start, rest) = system.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let bare = bare.map(|bare| bare.strip_suffix('/').unwrap_or(bare));
    bare.is_some_and(|bare| KNOWN.iter().any(|known| bare.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn found(values: &[&str]) -> Patients {
        let mut found = Found::default();
        values.iter().for_each(|value| found.note(value));
        found.into()
    }

    #[test]
    fn a_patient_is_the_same_however_its_number_is_written() {
        for (name, values, expected) in [
            ("nobody", &[][..], "none"),
            ("one", &["9000000009"], "one"),
            ("one twice", &["9000000009", "9000000009"], "one"),
            ("one in groups", &["9000000009", "900 000 0009", " 900-000-0009\t"], "one"),
            ("two", &["9000000009", "9000000017"], "several"),
            ("one and a blank", &["9000000009", "", " "], "one"),
            ("no number", &["UNK"], "one"),
            ("no number in groups", &["90 00", "9000"], "one"),
            ("digits of another script", &["9000000009", "９000000009"], "several"),
        ] {
            let patients = found(values);
            assert_eq!(patients.word(), expected, "{name}");
            assert_eq!(patients.clone().and(patients.clone()), patients, "{name}");
        }
    }

    #[test]
    fn two_parts_of_a_request_name_what_both_name() {
        let (none, one, other) = (Patients::None, found(&["9000000009"]), found(&["9000000017"]));
        let unreadable = Patients::Unreadable("it is empty");
        assert_eq!(none.clone().and(one.clone()), one);
        assert_eq!(one.clone().and(none), one);
        assert_eq!(one.clone().and(other), found(&["9000000017", "9000000009"]));
        assert_eq!(one.clone().and(unreadable.clone()), unreadable);
        assert_eq!(unreadable.clone().and(one), unreadable);
    }

    #[test]
    fn no_patient_prints_itself() {
        for patients in [found(&["9000000009"]), found(&["9000000009", "9000000008", "x9y"])] {
            let printed = format!("{patients:?} {patients:#?} {}", patients.word());
            assert!(!printed.contains('9'), "{printed}");
        }
    }

    #[test]
    fn the_system_is_known_in_each_spelling() {
        for (system, expected) in [
            ("https://fhir.nhs.uk/Id/nhs-number", true),
            ("http://fhir.nhs.net/Id/nhs-number", true),
            ("http://fhir.nhs.uk/Id/nhs-number", true),
            ("HTTPS://FHIR.nhs.uk/id/NHS-number/", true),
            (" https://fhir.nhs.uk/Id/nhs-number\n", true),
            ("https://fhir.nhs.uk/Id/nhs-number//", false),
            ("https://fhir.nhs.uk/Id/nhs-number-1", false),
            ("https://fhir.nhs.uk/Id/local-patient-identifier", false),
            ("fhir.nhs.uk/Id/nhs-number", false),
            ("https://", false),
            ("", false),
            ("é", false),
        ] {
            assert_eq!(is_nhs_number_system(system), expected, "{system}");
        }
    }
}
