//! What may be wrong with the patients that a request names.

use super::{Patient, Patients};
use crate::rejection::Reason;

/// Whether it is clear which patient the request is about: at most one, by a body that has one
/// reading. Only operations are held to it; what else names several patients is for the provider
/// to judge, and recorded.
///
/// # Errors
/// 400.
pub const fn check_clear(patients: &Patients) -> Result<(), Reason> {
    match patients {
        Patients::None | Patients::One(_) => Ok(()),
        Patients::Several(_) => Err(Reason::SeveralPatients),
        Patients::Unreadable(why) => Err(Reason::BodyUnreadable(why)),
    }
}

/// Whether each NHS number has ten digits of which the last one is the check digit of the others
/// (gp-connect 15).
///
/// # Errors
/// 400.
pub fn check_digits(patients: &Patients) -> Result<(), Reason> {
    let wrong = patients.iter().any(|patient| matches!(patient, Patient::Other(_)));
    if wrong { Err(Reason::NhsNumberInvalid) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::found, *};

    #[test]
    fn an_operation_is_about_one_patient() {
        for (name, patients, expected) in [
            ("none", Patients::None, None),
            ("one", found(&["9000000009"]), None),
            ("several", found(&["9000000009", "9000000017"]), Some(Reason::SeveralPatients)),
            (
                "unreadable",
                Patients::Unreadable("it is empty"),
                Some(Reason::BodyUnreadable("it is empty")),
            ),
        ] {
            assert_eq!(check_clear(&patients).err(), expected, "{name}");
        }
    }

    /// gp-connect 15: modulus 11 over ten digits.
    #[test]
    fn each_number_has_ten_digits_and_a_check_digit() {
        for (name, values, expected) in [
            ("none", &[][..], Ok(())),
            ("good", &["9000000009"], Ok(())),
            ("good in groups", &["900 000 0009"], Ok(())),
            ("wrong check digit", &["9000000008"], Err(Reason::NhsNumberInvalid)),
            ("nine digits", &["900000000"], Err(Reason::NhsNumberInvalid)),
            ("eleven digits", &["90000000090"], Err(Reason::NhsNumberInvalid)),
            ("letters", &["UNK"], Err(Reason::NhsNumberInvalid)),
            ("one of two", &["9000000009", "9000000008"], Err(Reason::NhsNumberInvalid)),
        ] {
            assert_eq!(check_digits(&found(values)), expected, "{name}");
        }
    }
}
