//! What follows the service root: how a path fits the pattern of an interaction.

use std::fmt;

use super::{InteractionId, TABLE};

/// The FHIR part of a path, cut where an interaction's pattern begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FhirPath<'r> {
    /// What stands before the slash that precedes the FHIR part.
    pub root: &'r str,
    /// The FHIR part, as it arrived.
    pub path: &'r str,
    /// The logical id, where the pattern has one.
    pub logical_id: Option<&'r str>,
}

/// Without the id, which may name a patient.
impl fmt::Debug for FhirPath<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "FhirPath({})", wire_shape(self.path))
    }
}

/// How `text` fails to end in the pattern of an interaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It ends where an id belongs.
    IdMissing,
    /// Anything else.
    Shape,
}

/// Cuts `text`, a path without query, before the last segments that fit the pattern of `id`.
///
/// # Errors
/// [`Misfit`] when they do not fit.
pub(crate) fn split<'r>(text: &'r str, id: InteractionId) -> Result<FhirPath<'r>, Misfit> {
    let mut rest = Some(text);
    let mut logical_id = None;
    for expected in id.row().path.rsplit('/') {
        let (before, segment) = cut_last(rest.ok_or(Misfit::Shape)?);
        match fit(segment, expected) {
            Fit::Id => logical_id = Some(segment),
            Fit::Word => {}
            Fit::IdMissing if rest == Some(text) => return Err(Misfit::IdMissing),
            Fit::IdMissing => return Err(Misfit::Shape),
            Fit::No => return Err(Misfit::Shape),
        }
        rest = before;
    }
    let root = rest.unwrap_or_default();
    let cut = if rest.is_some() { root.len() + 1 } else { 0 };
    Ok(FhirPath { root, path: text.get(cut..).unwrap_or_default(), logical_id })
}

fn cut_last(text: &str) -> (Option<&str>, &str) {
    text.rsplit_once('/').map_or((None, text), |(before, last)| (Some(before), last))
}

enum Fit {
    Id,
    Word,
    IdMissing,
    No,
}

fn fit(segment: &str, expected: &str) -> Fit {
    match expected {
        "{id}" if segment.is_empty() => Fit::IdMissing,
        "{id}" if is_logical_id(segment) => Fit::Id,
        "{id}" => Fit::No,
        word if same_word(segment, word) => Fit::Word,
        _ => Fit::No,
    }
}

/// Logical ids are 1 to 64 of `A-Z a-z 0-9 - .` (gp-connect 2.1).
fn is_logical_id(segment: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&segment.len()) && segment.bytes().all(allowed)
}

/// `%24` equals `$` (gp-connect 2.4); nothing else is decoded.
fn same_word(segment: &str, word: &str) -> bool {
    segment == word
        || word
            .strip_prefix('$')
            .zip(segment.strip_prefix("%24"))
            .is_some_and(|(word, segment)| word == segment)
}

/// A path as texts for operators may show it: words of the interaction table stay, everything
/// else, which may name a patient, becomes `{id}`.
pub fn wire_shape(path: &str) -> String {
    let known = |segment: &str| {
        TABLE.iter().flat_map(|row| row.path.split('/')).find(|word| same_word(segment, word))
    };
    let shape = |segment| known(segment).unwrap_or("{id}");
    path.split('/').map(shape).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gp-connect 2.1, 2.3 and 2.4: case matters, `%24` equals `$`, an id may be called `Patient`.
    #[test]
    fn a_path_is_cut_where_the_pattern_begins() {
        use InteractionId as Id;
        for (name, text, id, expected) in [
            ("search", "Patient", Id::SearchPatient, Ok(("", "Patient", None))),
            ("read", "a/Patient/17", Id::ReadPatient, Ok(("a", "Patient/17", Some("17")))),
            (
                "an id called Patient",
                "r/Patient/Patient",
                Id::ReadPatient,
                Ok(("r", "Patient/Patient", Some("Patient"))),
            ),
            (
                "nested",
                "r/Patient/17/Appointment",
                Id::SearchPatientAppointments,
                Ok(("r", "Patient/17/Appointment", Some("17"))),
            ),
            (
                "operation",
                "r/Patient/$gpc.registerpatient",
                Id::RegisterPatient,
                Ok(("r", "Patient/$gpc.registerpatient", None)),
            ),
            (
                "operation, encoded",
                "r/Patient/%24gpc.registerpatient",
                Id::RegisterPatient,
                Ok(("r", "Patient/%24gpc.registerpatient", None)),
            ),
            ("no id", "r/Appointment/", Id::ReadAppointment, Err(Misfit::IdMissing)),
            (
                "no id in the middle",
                "r/Patient//Appointment",
                Id::SearchPatientAppointments,
                Err(Misfit::Shape),
            ),
            ("another case", "r/Metadata", Id::ReadMetadata, Err(Misfit::Shape)),
            ("a slash in the id", "r/Patient/1%2F2", Id::ReadPatient, Err(Misfit::Shape)),
            ("too short", "17", Id::ReadPatient, Err(Misfit::Shape)),
            ("empty", "", Id::ReadMetadata, Err(Misfit::Shape)),
        ] {
            let cut = split(text, id).map(|path| (path.root, path.path, path.logical_id));
            assert_eq!(cut, expected, "{name}");
        }
    }

    /// gp-connect 2.1: logical ids have 1 to 64 characters.
    #[test]
    fn an_id_has_at_most_64_characters() {
        let longest = format!("Patient/{}", "a".repeat(64));
        assert!(split(&longest, InteractionId::ReadPatient).is_ok());
        assert!(split(&format!("{longest}a"), InteractionId::ReadPatient).is_err());
    }

    /// gp-connect 12.
    #[test]
    fn a_shape_shows_no_id() {
        assert_eq!(wire_shape("Patient/9000000009/Appointment"), "Patient/{id}/Appointment");
        assert_eq!(wire_shape("Smith/9000000009"), "{id}/{id}");
    }

    proptest::proptest! {
        #[test]
        fn the_parts_are_the_text(text in "[A-Za-z0-9$%/.]{0,40}") {
            for id in InteractionId::all() {
                if let Ok(cut) = split(&text, id) {
                    let whole = if cut.path.len() == text.len() { cut.path.to_owned() }
                        else { format!("{}/{}", cut.root, cut.path) };
                    proptest::prop_assert_eq!(&whole, &text);
                }
            }
        }
    }
}
