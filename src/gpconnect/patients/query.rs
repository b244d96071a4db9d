//! Patients in a query: `identifier=https://fhir.nhs.uk/Id/nhs-number|9000000009`.

use std::borrow::Cow;

use memchr::memchr;
use percent_encoding::percent_decode_str;

use super::{Found, Patients, is_nhs_number_system};

/// The patients that a query names: in every parameter whose name speaks of an identifier, however
/// often it stands, in whatever case, with a modifier or behind a chain. A parameter's `,` parts
/// alternatives. Percent-encoding is read by RFC 3986 only: a plus stays a plus (gp-connect 2.4).
pub fn in_query(query: Option<&str>) -> Patients {
    let mut found = Found::default();
    for pair in query.unwrap_or_default().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if speaks_of_identifiers(&decoded(name)) {
            tokens(&decoded(value), &mut found);
        }
    }
    found.into()
}

/// Nothing to do where nothing is encoded, as in nearly every name.
fn decoded(text: &str) -> Cow<'_, str> {
    if memchr(b'%', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    percent_decode_str(text).decode_utf8_lossy()
}

fn speaks_of_identifiers(name: &str) -> bool {
    const WORD: &[u8] = b"identifier";
    name.as_bytes().windows(WORD.len()).any(|part| part.eq_ignore_ascii_case(WORD))
}

/// `system|value`, or several with commas between them.
fn tokens(value: &str, found: &mut Found) {
    for token in value.split(',') {
        if let Some((system, value)) = token.split_once('|')
            && is_nhs_number_system(system)
        {
            found.note(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::found, *};

    const SYSTEM: &str = "https://fhir.nhs.uk/Id/nhs-number";

    /// gp-connect 2.4: the pipe raw or encoded, a literal plus, repeated names kept.
    /// gp-connect 12.
    #[test]
    fn numbers_are_found_in_every_spelling_of_a_query() {
        let (one, none) = (&["9000000009"][..], &[][..]);
        let two = &["9000000009", "9000000017"][..];
        for (name, query, expected) in [
            ("empty", String::new(), none),
            ("raw pipe", format!("identifier={SYSTEM}|9000000009"), one),
            ("encoded pipe", format!("identifier={SYSTEM}%7C9000000009"), one),
            ("lower-case hex", format!("identifier={SYSTEM}%7c9000000009"), one),
            (
                "all encoded",
                "%69dentifier=https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs%2Dnumber%7C%39000000009".into(),
                one,
            ),
            ("old system", "identifier=http://fhir.nhs.net/Id/nhs-number|9000000009".into(), one),
            ("among others", format!("_count=1&identifier={SYSTEM}|9000000009&_sort=x"), one),
            (
                "twice the same",
                format!("identifier={SYSTEM}|9000000009&identifier={SYSTEM}%7C900%20000%200009"),
                one,
            ),
            ("two", format!("identifier={SYSTEM}|9000000009&identifier={SYSTEM}|9000000017"), two),
            ("alternatives", format!("identifier={SYSTEM}|9000000009,{SYSTEM}|9000000017"), two),
            ("other case", format!("Identifier={SYSTEM}|9000000009"), one),
            ("modifier", format!("identifier:exact={SYSTEM}|9000000009"), one),
            ("chain", format!("subject:Patient.identifier={SYSTEM}|9000000009"), one),
            ("a plus stays", format!("identifier={SYSTEM}|900+000+0009"), &["900+000+0009"]),
            ("no number", format!("identifier={SYSTEM}|UNK"), &["UNK"]),
            ("no value", format!("identifier={SYSTEM}|"), none),
            ("no pipe", format!("identifier={SYSTEM}"), none),
            ("no system", "identifier=|9000000009".into(), none),
            ("other system", "identifier=https://fhir.nhs.uk/Id/sds-user-id|1".into(), none),
            ("other name", format!("_id={SYSTEM}|9000000009"), none),
            ("no name", format!("={SYSTEM}|9000000009"), none),
            ("not UTF-8", format!("identifier={SYSTEM}|%FF"), &["\u{fffd}"]),
            ("half an escape", format!("identifier={SYSTEM}|9%7"), &["9%7"]),
        ] {
            assert_eq!(in_query(Some(&query)), found(expected), "{name}");
        }
        assert_eq!(in_query(None), Patients::None);
    }
}
