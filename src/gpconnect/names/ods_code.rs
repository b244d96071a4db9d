//! Organisation codes.

use std::str::FromStr;

use super::inline::{Inline, plain_name};

/// An ODS code: names an organisation, a practice among others. Three to twelve characters of
/// `A-Z` and `0-9`; case matters, because it stands in service roots.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OdsCode(Inline<12>);

plain_name!(OdsCode, NotAnOdsCode, "expected 3 to 12 upper-case letters and digits, as in A20047");

impl FromStr for OdsCode {
    type Err = NotAnOdsCode;

    fn from_str(text: &str) -> Result<Self, NotAnOdsCode> {
        if text.len() < 3 {
            return Err(NotAnOdsCode);
        }
        let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        Inline::new(text, allowed).map(Self).ok_or(NotAnOdsCode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ods_code_is_upper_case_letters_and_digits() {
        for (name, text, good) in [
            ("a practice", "A20047", true),
            ("the shortest", "RXX", true),
            ("the longest", "ABCDEFGH1234", true),
            ("too short", "RX", false),
            ("too long", "ABCDEFGH12345", false),
            ("lower case", "a20047", false),
            ("empty", "", false),
            ("a slash", "A20/47", false),
            ("not ASCII", "A2004É", false),
        ] {
            assert_eq!(text.parse::<OdsCode>().is_ok(), good, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_was_read_prints_the_same(text in "[A-Z0-9]{3,12}") {
            proptest::prop_assert_eq!(text.parse::<OdsCode>().unwrap().to_string(), text);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let parsed = text.parse::<OdsCode>();
            proptest::prop_assert!(parsed.is_err() || parsed.unwrap().as_str() == text);
        }
    }
}
