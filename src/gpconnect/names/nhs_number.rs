//! NHS numbers, which name a patient and therefore never print themselves.

use std::{fmt, str::FromStr};

/// An NHS number: ten digits, the last one a modulus 11 check digit. `Debug` and `Display` hide it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NhsNumber([u8; 10]);

/// Why a text was refused as an [`NhsNumber`]. Never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnNhsNumber {
    /// Not ten digits.
    #[error("expected exactly 10 digits")]
    Length,
    /// Ten digits whose last one is not the check digit of the others.
    #[error("NHS number fails its check digit")]
    CheckDigit,
}

impl NhsNumber {
    /// The ten digits. Only for the audit journal and for what goes to a provider.
    pub fn digits(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for NhsNumber {
    type Err = NotAnNhsNumber;

    fn from_str(text: &str) -> Result<Self, NotAnNhsNumber> {
        let digits = <[u8; 10]>::try_from(text.as_bytes()).or(Err(NotAnNhsNumber::Length))?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(NotAnNhsNumber::Length);
        }
        // Weights 10 down to 2 for the first nine digits and 1 for the check digit: a good number
        // sums to a multiple of 11. A check value of 10 has no digit, so it can't come out right.
        let weighted = digits.iter().zip((1..=10u32).rev());
        let sum: u32 = weighted.map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        sum.is_multiple_of(11).then_some(Self(digits)).ok_or(NotAnNhsNumber::CheckDigit)
    }
}

impl fmt::Display for NhsNumber {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad("[NHS number]")
    }
}

impl fmt::Debug for NhsNumber {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("NhsNumber([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gp-connect 15.
    #[test]
    fn an_nhs_number_has_ten_digits_and_a_check_digit() {
        use NotAnNhsNumber::{CheckDigit, Length};
        for (name, text, expected) in [
            ("synthetic", "9000000009", Ok(())),
            ("another", "9690937286", Ok(())),
            ("last digit changed", "9000000008", Err(CheckDigit)),
            ("two digits swapped", "9690973286", Err(CheckDigit)),
            ("check value 10", "9000000100", Err(CheckDigit)),
            ("nine digits", "900000000", Err(Length)),
            ("spaced", "900 000 0009", Err(Length)),
            ("letters", "90000000O9", Err(Length)),
            ("empty", "", Err(Length)),
        ] {
            assert_eq!(text.parse::<NhsNumber>().map(|_| ()), expected, "{name}");
        }
    }

    #[test]
    fn an_nhs_number_never_prints_itself() {
        let number: NhsNumber = "9000000009".parse().unwrap();
        assert!(!format!("{number} {number:?} {number:#?} {number:>20}").contains('9'));
        assert_eq!(number.digits(), "9000000009");
    }
}
