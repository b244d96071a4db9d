//! The provider's refusals: GP Connect's own error codes as `OperationOutcome`s.

use http::StatusCode;
use serde_json::{Value, json};

use super::profile;

const CODE_SYSTEM: &str = "https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1";

/// Why the provider refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    BadRequest,
    UnsupportedMediaType,
    TooLarge,
    InvalidIdentifierSystem,
    InvalidNhsNumber,
    InvalidPatientDemographics,
    AccessDenied,
    NoPatientConsent,
    NoRecordFound,
    PatientNotFound,
    PractitionerNotFound,
    OrganisationNotFound,
    DuplicateRejected,
    ConstraintViolation,
    InvalidResource,
    InvalidParameter,
    InternalServerError,
    NotImplemented,
}

struct Row(u16, &'static str, &'static str, &'static str);

impl Code {
    const ALL: [Self; 18] = [
        Self::BadRequest,
        Self::UnsupportedMediaType,
        Self::TooLarge,
        Self::InvalidIdentifierSystem,
        Self::InvalidNhsNumber,
        Self::InvalidPatientDemographics,
        Self::AccessDenied,
        Self::NoPatientConsent,
        Self::NoRecordFound,
        Self::PatientNotFound,
        Self::PractitionerNotFound,
        Self::OrganisationNotFound,
        Self::DuplicateRejected,
        Self::ConstraintViolation,
        Self::InvalidResource,
        Self::InvalidParameter,
        Self::InternalServerError,
        Self::NotImplemented,
    ];

    #[rustfmt::skip]
    const fn row(self) -> Row {
        match self {
            Self::BadRequest                 => Row(400, "invalid",       "BAD_REQUEST",                 "Bad request"),
            Self::UnsupportedMediaType       => Row(415, "not-supported", "BAD_REQUEST",                 "Bad request"),
            Self::TooLarge                   => Row(413, "too-long",      "BAD_REQUEST",                 "Bad request"),
            Self::InvalidIdentifierSystem    => Row(400, "value",         "INVALID_IDENTIFIER_SYSTEM",   "Invalid identifier system"),
            Self::InvalidNhsNumber           => Row(400, "value",         "INVALID_NHS_NUMBER",          "Invalid NHS number"),
            Self::InvalidPatientDemographics => Row(400, "business-rule", "INVALID_PATIENT_DEMOGRAPHICS", "Invalid patient demographics"),
            Self::AccessDenied               => Row(403, "forbidden",     "ACCESS_DENIED",               "Access denied"),
            Self::NoPatientConsent           => Row(403, "forbidden",     "NO_PATIENT_CONSENT",          "Patient has not provided consent to share data"),
            Self::NoRecordFound              => Row(404, "not-found",     "NO_RECORD_FOUND",             "No record found"),
            Self::PatientNotFound            => Row(404, "not-found",     "PATIENT_NOT_FOUND",           "Patient not found"),
            Self::PractitionerNotFound       => Row(404, "not-found",     "PRACTITIONER_NOT_FOUND",      "Practitioner not found"),
            Self::OrganisationNotFound       => Row(404, "not-found",     "ORGANISATION_NOT_FOUND",      "Organisation not found"),
            Self::DuplicateRejected          => Row(409, "duplicate",     "DUPLICATE_REJECTED",          "Create would lead to creation of a duplicate resource"),
            Self::ConstraintViolation        => Row(409, "conflict",      "FHIR_CONSTRAINT_VIOLATION",   "FHIR constraint violated"),
            Self::InvalidResource            => Row(422, "invalid",       "INVALID_RESOURCE",            "Invalid validation of resource"),
            Self::InvalidParameter           => Row(422, "invalid",       "INVALID_PARAMETER",           "Invalid parameter"),
            Self::InternalServerError        => Row(500, "processing",    "INTERNAL_SERVER_ERROR",       "Unexpected internal server error"),
            Self::NotImplemented             => Row(501, "not-supported", "NOT_IMPLEMENTED",             "Not implemented"),
        }
    }

    /// The code of that spelling, such as `ACCESS_DENIED`.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.word() == word)
    }

    /// The spelling on the wire.
    pub(crate) const fn word(self) -> &'static str {
        self.row().2
    }

    /// Refuses for this reason, with a sentence for whoever reads the outcome.
    pub(crate) fn because(self, diagnostics: impl Into<String>) -> Refusal {
        Refusal { code: self, diagnostics: diagnostics.into() }
    }
}

/// A refusal as the consumer will see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) diagnostics: String,
}

impl Refusal {
    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.row().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The `OperationOutcome`.
    pub(crate) fn outcome(&self) -> Value {
        let Row(_, issue, code, display) = self.code.row();
        json!({
            "resourceType": "OperationOutcome",
            "meta": {"profile": [profile("GPConnect-OperationOutcome-1")]},
            "issue": [{
                "severity": "error",
                "code": issue,
                "details": {
                    "coding": [{"system": CODE_SYSTEM, "code": code, "display": display}]
                },
                "diagnostics": self.diagnostics,
            }],
        })
    }
}

/// The `OperationOutcome` inside a 200 that names what the provider did not understand.
pub(crate) fn unrecognised(parameters: &[String]) -> Value {
    let issues: Vec<Value> = parameters
        .iter()
        .map(|name| {
            let Row(_, issue, code, display) = Code::NotImplemented.row();
            json!({
                "severity": "warning",
                "code": issue,
                "details": {
                    "coding": [{"system": CODE_SYSTEM, "code": code, "display": display}],
                    "text": format!("{name} is an unrecognised parameter"),
                },
                "diagnostics": name,
            })
        })
        .collect();
    json!({
        "resourceType": "OperationOutcome",
        "meta": {"profile": [profile("GPConnect-OperationOutcome-1")]},
        "issue": issues,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_by_their_words() {
        for (word, code) in [
            ("BAD_REQUEST", Some(Code::BadRequest)),
            ("NOT_IMPLEMENTED", Some(Code::NotImplemented)),
            ("bad_request", None),
            ("", None),
        ] {
            assert_eq!(Code::named(word), code, "{word}");
        }
    }

    #[test]
    fn an_outcome_carries_status_issue_and_code() {
        let refusal = Code::DuplicateRejected.because("slot is taken");
        assert_eq!(refusal.status(), StatusCode::CONFLICT);
        let outcome = refusal.outcome();
        for (pointer, value) in [
            ("/issue/0/severity", "error"),
            ("/issue/0/code", "duplicate"),
            ("/issue/0/details/coding/0/code", "DUPLICATE_REJECTED"),
            ("/issue/0/diagnostics", "slot is taken"),
        ] {
            assert_eq!(outcome.pointer(pointer).and_then(Value::as_str), Some(value), "{pointer}");
        }
    }
}
