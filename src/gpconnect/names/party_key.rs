//! Keys of message handling servers, and the contract ids that stand beside them.

use std::str::FromStr;

use super::inline::{Inline, plain_name};

/// The key of a message handling server, such as `A20047-821452`. Several systems may share one:
/// only together with an ODS code does it name a system.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartyKey(Inline<24>);

plain_name!(
    PartyKey,
    NotAPartyKey,
    "expected an ODS code, a hyphen and 6 or 7 digits, as in A20047-821452"
);

impl FromStr for PartyKey {
    type Err = NotAPartyKey;

    fn from_str(text: &str) -> Result<Self, NotAPartyKey> {
        let (organisation, number) = text.split_once('-').ok_or(NotAPartyKey)?;
        let good = (3..=12).contains(&organisation.len())
            && (6..=7).contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_digit());
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let held = Inline::new(text, allowed).ok_or(NotAPartyKey)?;
        good.then_some(Self(held)).ok_or(NotAPartyKey)
    }
}

/// The contract id of a provider's directory record; it stands in one error text of the proxy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CpaId(Inline<32>);

plain_name!(CpaId, NotACpaId, "expected 1 to 32 letters and digits, as in S20001A000182");

impl FromStr for CpaId {
    type Err = NotACpaId;

    fn from_str(text: &str) -> Result<Self, NotACpaId> {
        if text.is_empty() {
            return Err(NotACpaId);
        }
        let held = Inline::new(text, |byte| byte.is_ascii_alphanumeric());
        held.map(Self).ok_or(NotACpaId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_key_is_a_code_and_a_number() {
        for (name, text, good) in [
            ("six digits", "A20047-821452", true),
            ("seven digits", "RXX01-9200001", true),
            ("five digits", "RXX01-92000", false),
            ("eight digits", "RXX01-92000011", false),
            ("no hyphen", "RXX019200001", false),
            ("no code", "-9200001", false),
            ("letters for digits", "RXX01-92000A1", false),
            ("empty", "", false),
        ] {
            assert_eq!(text.parse::<PartyKey>().is_ok(), good, "{name}");
        }
    }

    #[test]
    fn a_cpa_id_is_letters_and_digits() {
        for (name, text, good) in [
            ("hex", "c92a6379915a44a37492", true),
            ("an S number", "S20001A000182", true),
            ("empty", "", false),
            ("a blank", "S20 01", false),
            ("too long", "123456789012345678901234567890123", false),
        ] {
            assert_eq!(text.parse::<CpaId>().is_ok(), good, "{name}");
        }
    }
}
