//! Accredited system ids.

use std::str::FromStr;

use super::inline::{Inline, plain_name};

/// A system's accreditation id (ASID): exactly twelve digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Asid(Inline<12>);

plain_name!(Asid, NotAnAsid, "expected exactly 12 digits, as in 200000000359");

impl FromStr for Asid {
    type Err = NotAnAsid;

    fn from_str(text: &str) -> Result<Self, NotAnAsid> {
        if text.len() != 12 {
            return Err(NotAnAsid);
        }
        Inline::new(text, |byte| byte.is_ascii_digit()).map(Self).ok_or(NotAnAsid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asid_is_twelve_digits() {
        for (name, text, good) in [
            ("twelve", "200000000359", true),
            ("eleven", "20000000035", false),
            ("thirteen", "2000000003590", false),
            ("a letter", "20000000035A", false),
            ("a blank", "200000000359 ", false),
            ("two in a list", "200000000359,200000000360", false),
            ("other digits", "٢٠٠٠٠٠", false),
            ("empty", "", false),
        ] {
            assert_eq!(text.parse::<Asid>().is_ok(), good, "{name}");
        }
    }
}
