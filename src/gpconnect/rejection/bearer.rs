//! How faults of the token are told where GP Connect and RFC 6750 disagree (D1): GP Connect's table
//! wants 400 for all of them, the RFC 401 and 403. The challenge in `WWW-Authenticate` is the same.

use super::{ACCESS_DENIED, Answer, IssueType, Reason, Wording};
use crate::{contract::Stage, token::fault::ScopeFault};

/// Which statuses faults of the token have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BearerErrors {
    /// 400, as GP Connect's table and tests want.
    #[default]
    GpConnect,
    /// 401 for a token that is missing, expired or wrong, 403 for its scope.
    Rfc6750,
}

/// The error codes of RFC 6750, 3.1.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Error {
    /// There is no token: no code at all.
    None,
    InvalidRequest,
    InvalidToken,
    InsufficientScope,
}

impl Error {
    const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::InvalidRequest => Some("invalid_request"),
            Self::InvalidToken => Some("invalid_token"),
            Self::InsufficientScope => Some("insufficient_scope"),
        }
    }
}

impl Reason {
    /// What it means on the wire, in `wording`.
    pub fn answer_as(&self, wording: Wording) -> Answer {
        let Answer(status, issue, code, word) = self.answer();
        match (wording.bearer_errors, self.bearer_error()) {
            (BearerErrors::GpConnect, _) | (_, None | Some(Error::InvalidRequest)) => {
                Answer(status, issue, code, word)
            }
            (BearerErrors::Rfc6750, Some(Error::InsufficientScope)) => {
                Answer(403, IssueType::Forbidden, ACCESS_DENIED, word)
            }
            // A claim that is no FHIR resource stays 422, another organisation 403.
            (BearerErrors::Rfc6750, Some(Error::None | Error::InvalidToken)) if status == 400 => {
                Answer(401, IssueType::Security, code, word)
            }
            (BearerErrors::Rfc6750, Some(Error::None | Error::InvalidToken)) => {
                Answer(status, issue, code, word)
            }
        }
    }

    /// The value of `WWW-Authenticate` for a fault of the token.
    pub fn challenge(&self) -> Option<String> {
        let error = self.bearer_error()?;
        let mut challenge = String::from("Bearer realm=\"gpconnect\"");
        if let Some(error) = error.as_str() {
            let description = attribute(&self.diagnostics());
            challenge.push_str(", error=\"");
            challenge.push_str(error);
            challenge.push_str("\", error_description=\"");
            challenge.push_str(&description);
            challenge.push('"');
        }
        if let Self::ScopeMismatch(ScopeFault { wanted: Some(scope), .. }) = self {
            challenge.push_str(", scope=\"");
            challenge.push_str(scope.as_str());
            challenge.push('"');
        }
        Some(challenge)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the stage says that they are token faults")]
    fn bearer_error(&self) -> Option<Error> {
        // Keys that can't be had are no fault of the caller's.
        if self.stage() != Stage::Token || *self == Self::IssuerUnavailable {
            return None;
        }
        Some(match self {
            Self::HeaderMissing(_) => Error::None,
            Self::HeaderInvalid { .. } | Self::TokenMalformed(_) => Error::InvalidRequest,
            Self::ScopeMismatch(_) => Error::InsufficientScope,
            _ => Error::InvalidToken,
        })
    }
}

/// What an attribute of a challenge may hold: printable ASCII without quotes and backslashes.
fn attribute(text: &str) -> String {
    let plain = |letter: char| match letter {
        '"' => '\'',
        ' '..='~' if letter != '\\' => letter,
        _ => '?',
    };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contract::Header,
        token::fault::{Found, TokenFault},
    };

    const RFC: Wording = Wording {
        bearer_errors: BearerErrors::Rfc6750,
        coding_system: super::super::CodingSystem::ValueSet,
    };

    /// gp-connect 7.5: bearer errors in line with RFC 6750, 3.1, with the statuses of either table.
    #[test]
    fn faults_of_the_token_have_a_challenge_and_a_status_by_setting() {
        for (word, by_gp_connect, by_rfc, challenge) in [
            (
                "token_malformed",
                400,
                400,
                ", error=\"invalid_request\", error_description=\"Authorization header is not valid: the token's claims are not base64url without padding\"",
            ),
            (
                "claim_missing",
                400,
                401,
                ", error=\"invalid_token\", error_description=\"JWT claim iss is missing; expected a string with the consumer's URL\"",
            ),
            (
                "token_expired",
                400,
                401,
                ", error=\"invalid_token\", error_description=\"JWT has expired, 600 seconds ago\"",
            ),
            (
                "claim_element",
                422,
                422,
                ", error=\"invalid_token\", error_description=\"JWT claim requesting_device is not a valid Device: invalidField; Device has no such element\"",
            ),
            (
                "scope_mismatch",
                400,
                403,
                ", error=\"insufficient_scope\", error_description=\"JWT claim requested_scope does not fit the interaction: found patient/*.write, expected patient/*.read\", scope=\"patient/*.read\"",
            ),
            (
                "organisation_mismatch",
                403,
                403,
                ", error=\"invalid_token\", error_description=\"requesting_organization does not match the sending system; expected the ODS code RXX01\"",
            ),
        ] {
            let examples = super::super::examples();
            let reason = examples.iter().find(|reason| reason.word() == word).unwrap();
            let expected = format!("Bearer realm=\"gpconnect\"{challenge}");
            assert_eq!(reason.challenge().as_deref(), Some(expected.as_str()), "{word}");
            assert_eq!(reason.answer_as(Wording::default()).0, by_gp_connect, "{word}");
            assert_eq!(reason.answer_as(RFC).0, by_rfc, "{word}");
        }
        let absent = Reason::HeaderMissing(Header::Authorization);
        assert_eq!(absent.challenge().as_deref(), Some("Bearer realm=\"gpconnect\""));
        assert_eq!((absent.status(), absent.answer_as(RFC).0), (400, 401));
        let algorithm = Reason::TokenMalformed(TokenFault::Algorithm(Found::Missing));
        assert!(
            algorithm
                .challenge()
                .unwrap()
                .ends_with("the token's 'alg' is missing; expected none\"")
        );
    }

    #[test]
    fn other_faults_have_no_challenge_and_one_status() {
        for reason in super::super::examples() {
            if reason.stage() != Stage::Token {
                assert_eq!(reason.challenge(), None, "{}", reason.word());
                assert_eq!(reason.answer_as(RFC).0, reason.status(), "{}", reason.word());
            }
        }
    }
}
