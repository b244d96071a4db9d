//! The id of an access token.

use std::str::FromStr;

use super::{
    TraceId,
    inline::{Inline, plain_name},
};

/// The id that an issuer gave to a token (`jti`), when it can name nobody: at most 64 letters,
/// digits, `-`, `.`, `_` and `~`, without ten digits in a row unless it is a UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(Inline<64>);

plain_name!(
    TokenId,
    NotATokenId,
    "expected at most 64 letters, digits, \"-\", \".\", \"_\", \"~\""
);

impl FromStr for TokenId {
    type Err = NotATokenId;

    fn from_str(text: &str) -> Result<Self, NotATokenId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let digits = text.split(|letter: char| !letter.is_ascii_digit()).map(str::len).max();
        // Ten digits may be a patient's.
        let plain = digits.is_none_or(|digits| digits < 10) || text.parse::<TraceId>().is_ok();
        let held = Inline::new(text, allowed).filter(|_| plain && !text.is_empty());
        held.map(Self).ok_or(NotATokenId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_can_name_nobody() {
        for (name, text, good) in [
            ("a UUID", "629ea9ba-a077-4d99-b289-7a9b19fd4e03", true),
            ("a UUID of digits", "62900000-a077-4d99-b289-900000000900", true),
            ("base64url", "AYjcyMzY3ZDhiNmJkNTY_-.~", true),
            ("nine digits", "900000000-900000000", true),
            ("ten digits", "9000000009", false),
            ("ten digits within", "x9000000009x", false),
            ("the longest", &"x".repeat(64), true),
            ("too long", &"x".repeat(65), false),
            ("empty", "", false),
            ("a blank", "a b", false),
            ("a quote", "a\"b", false),
            ("a line end", "a\n", false),
            ("not ASCII", "\u{e9}", false),
        ] {
            assert_eq!(text.parse::<TokenId>().is_ok(), good, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn an_id_prints_as_it_was_read(text in "\\PC{0,70}") {
            if let Ok(id) = text.parse::<TokenId>() {
                proptest::prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
