//! What is shown of what a caller wrote. A screen is looked at by more people than the one who
//! typed, and texts are pasted into tickets: ids, query values and the people in a token stay
//! hidden unless they are asked for; NHS numbers always.

use gpconnect::interaction::wire_shape;

use crate::cli::output::{counted, printable};

/// Hides, or shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hide {
    pub(super) show_ids: bool,
}

/// What stands for a hidden value.
const HIDDEN: &str = "...";
/// The longest text that is shown.
const LONGEST: usize = 120;

/// Parameter names of the specification; any other may be anything.
const PARAMETERS: [&str; 14] = [
    "_format",
    "_include",
    "_include:recurse",
    "_revinclude:recurse",
    "_summary",
    "identifier",
    "start",
    "end",
    "status",
    "searchFilter",
    "created",
    "author",
    "description",
    "service.identifier",
];

impl Hide {
    /// A value that may name a person: its length, or itself in quotes.
    pub(super) fn value(self, text: &str) -> String {
        if self.show_ids {
            format!("\"{}\"", shown(text))
        } else {
            counted(text.chars().count(), "character")
        }
    }

    /// A value that should name nobody.
    pub(super) fn plain(self, text: &str) -> String {
        shown(text)
    }

    /// A request target: words of the specification stay.
    pub(super) fn target(self, target: &str) -> String {
        if self.show_ids {
            return shown(target);
        }
        let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
        let authority = match path.strip_prefix("/https:/") {
            Some(behind) if behind.starts_with('/') => Some(3),
            Some(_) => Some(2),
            None => None,
        };
        let mut segments = path.split('/').peekable();
        let mut shown_path = String::new();
        let (mut place, mut before) = (0, "");
        while let Some(segment) = segments.next() {
            let is_authority = authority == Some(place);
            let is_version = matches!(before, "STU3" | "DSTU2");
            if is_authority || is_version || place <= 1 {
                shown_path.push_str(segment);
            } else {
                shown_path.push_str(&path_segment(segment));
            }
            before = segment;
            if segments.peek().is_some() {
                shown_path.push('/');
            }
            place += 1;
        }
        let query = query.map(|query| format!("?{}", parameters(query))).unwrap_or_default();
        shown(&format!("{shown_path}{query}"))
    }
}

/// A segment behind the first ones, which name no person.
fn path_segment(segment: &str) -> String {
    let known = matches!(
        segment,
        "" | "."
            | ".."
            | "https:"
            | "gpconnect"
            | "structured"
            | "documents"
            | "fhir"
            | "STU3"
            | "DSTU2"
    );
    let is_practice = segment.parse::<gpconnect::names::OdsCode>().is_ok()
        && !segment.bytes().all(|byte| byte.is_ascii_digit());
    let shape = wire_shape(segment);
    if known || is_practice || shape != "{id}" { segment.to_owned() } else { shape }
}

fn parameters(query: &str) -> String {
    let shown = |pair: &str| {
        let (name, value) = pair.split_once('=').map_or((pair, None), |(n, v)| (n, Some(v)));
        let decoded = name.replace("%3A", ":").replace("%3a", ":");
        let name = if PARAMETERS.contains(&decoded.as_str()) { name } else { HIDDEN };
        match value {
            Some(value) if decoded == "_format" => format!("{name}={value}"),
            Some(_) => format!("{name}={HIDDEN}"),
            None => name.to_owned(),
        }
    };
    query.split('&').map(shown).collect::<Vec<_>>().join("&")
}

/// `text` without control characters and NHS numbers, not too long.
fn shown(text: &str) -> String {
    let text = without_numbers(&printable(text)).replace(['\n', '\t'], "\u{fffd}");
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => {
            format!("{}{HIDDEN}", text.split_at_checked(cut).map_or("", |(start, _)| start))
        }
        None => text,
    }
}

/// Ten digits in a row, also in groups of three, three and four, become a placeholder. Twelve, as
/// an ASID has, are none.
fn without_numbers(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let run = run_of_digits(rest);
        let (start, behind) = rest.split_at_checked(run).unwrap_or((rest, ""));
        let digits = start.bytes().filter(u8::is_ascii_digit).count();
        if digits == 10 {
            shown.push_str("(NHS number)");
            shown.extend(start.chars().rev().take_while(|letter| !letter.is_ascii_digit()));
        } else {
            shown.push_str(start);
        }
        let mut letters = behind.chars();
        if run == 0 {
            shown.extend(letters.next());
        }
        rest = letters.as_str();
    }
    shown
}

/// The length of the digits at the start, single blanks and hyphens between them included.
fn run_of_digits(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digit = |place: usize| bytes.get(place).is_some_and(u8::is_ascii_digit);
    let mut length = 0;
    while digit(length)
        || (length > 0
            && matches!(bytes.get(length), Some(b' ' | b'-'))
            && digit(length - 1)
            && digit(length + 1))
    {
        length += 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIDES: Hide = Hide { show_ids: false };
    const SHOWS: Hide = Hide { show_ids: true };

    #[test]
    fn a_target_shows_what_the_specification_has() {
        for (name, target, expected) in [
            (
                "a search",
                "/A20047/STU3/1/gpconnect/Patient?identifier=a%7C9000000009&_format=json&x=1",
                "/A20047/STU3/1/gpconnect/Patient?identifier=...&_format=json&...=...",
            ),
            (
                "an id",
                "/A20047/STU3/1/gpconnect/fhir/Patient/17-a/Appointment?start=ge2026",
                "/A20047/STU3/1/gpconnect/fhir/Patient/{id}/Appointment?start=...",
            ),
            (
                "proxy form",
                "/https://gp.example:443/A20047/STU3/1/gpconnect/structured/Patient/$gpc.getstructuredrecord",
                "/https://gp.example:443/A20047/STU3/1/gpconnect/structured/Patient/$gpc.getstructuredrecord",
            ),
            (
                "a short id",
                "/A20047/STU3/1/gpconnect/Patient/17",
                "/A20047/STU3/1/gpconnect/Patient/{id}",
            ),
            (
                "proxy form, folded",
                "/https:/gp.example/A20047/STU3/1/gpconnect/Patient/17",
                "/https:/gp.example/A20047/STU3/1/gpconnect/Patient/{id}",
            ),
            (
                "proxy form, encoded",
                "/https%3A%2F%2Fgp.example/Patient/17",
                "/https%3A%2F%2Fgp.example/Patient/{id}",
            ),
            ("a number as path", "/A20047/9000000009", "/A20047/{id}"),
            ("a number in front", "/9000000009/STU3", "/(NHS number)/STU3"),
            ("empty", "", ""),
            ("the server", "*", "*"),
        ] {
            assert_eq!(HIDES.target(target), expected, "{name}");
        }
    }

    #[test]
    fn an_nhs_number_is_never_shown() {
        for (text, expected) in [
            ("9000000009", "(NHS number)"),
            ("900 000 0009 x", "(NHS number) x"),
            ("a|900-000-0009", "a|(NHS number)"),
            ("200000000359", "200000000359"),
            ("2026-11-23", "2026-11-23"),
            ("1-2 3", "1-2 3"),
            ("\u{1b}é", "\u{fffd}é"),
        ] {
            assert_eq!(SHOWS.plain(text), expected);
            assert_eq!(SHOWS.value(text), format!("\"{expected}\""));
        }
        assert_eq!(HIDES.value("Kaur"), "4 characters");
        assert!(SHOWS.target("/A/Patient/9000000009?i=9000000009").ends_with("?i=(NHS number)"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_no_number_is_seen(text: String, digits in "[0-9]{10}") {
            for hide in [HIDES, SHOWS] {
                let all = format!("{text}/x{digits}y?{text}={digits}");
                let shown = [hide.target(&all), hide.plain(&all), hide.value(&all)].concat();
                proptest::prop_assert!(!shown.contains(&digits), "{}", shown);
            }
        }
    }
}
