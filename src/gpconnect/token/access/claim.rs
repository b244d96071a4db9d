//! What can be wrong with the claims of an access token.

use std::fmt;

use serde_json::Value;

use crate::token::fault::{Found, Seconds};

/// How far a moment may lie ahead of our clock, in seconds: the issuer's clock and ours are both
/// set by time servers, and a token is used as soon as it is made.
pub const MAX_AHEAD: i64 = 60;

/// The most characters of a claim that goes into a GP Connect token.
pub(super) const MOST_CHARACTERS: usize = 256;

/// Why a claim is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessClaimFault {
    /// Something else is there.
    Holds {
        /// What is there.
        found: Found,
        /// What belongs there.
        expected: &'static str,
    },
    /// An issuer that the sending system is not registered for.
    IssuerOfOthers,
    /// An audience that is not this gateway.
    Elsewhere,
    /// A moment that lies so far in the future.
    Ahead(Seconds),
    /// An expiry so long after `iat`.
    Lifetime {
        /// How long after.
        found: Seconds,
        /// How long at most.
        most: i64,
    },
}

/// What follows "Access token's claim (name)".
impl fmt::Display for AccessClaimFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds { found, expected } => write!(out, " is {found}; expected {expected}"),
            Self::IssuerOfOthers => {
                out.write_str(" names an issuer that the sending system is not registered for")
            }
            Self::Elsewhere => out.write_str(
                " names another audience; expected one that this gateway accepts of the issuer",
            ),
            Self::Ahead(by) => {
                write!(out, " lies {by} in the future; expected at most {MAX_AHEAD} seconds")
            }
            Self::Lifetime { found, most } => {
                write!(out, " is {found} after iat; expected from 1 to {most} seconds")
            }
        }
    }
}

/// Why a token is not bound to the caller's certificate as it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingFault {
    /// `cnf.x5t#S256` is not the hash of a certificate.
    Holds(Found),
    /// The caller has no certificate.
    NoCertificate,
    /// It is that of another certificate.
    OtherCertificate,
}

/// What follows "Access token is not bound to the client certificate: ".
impl fmt::Display for BindingFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds(found) => write!(
                out,
                "cnf.x5t#S256 is {found}; expected the SHA-256 of the certificate in base64url"
            ),
            Self::NoCertificate => out.write_str("the request came without one"),
            Self::OtherCertificate => out.write_str("cnf.x5t#S256 is the hash of another one"),
        }
    }
}

/// What stands at a place, by kind and size.
pub(super) fn found(value: Option<&Value>) -> Found {
    match value {
        None => Found::Missing,
        Some(Value::Null) => Found::Null,
        Some(Value::Bool(_)) => Found::Flag,
        Some(Value::Number(_)) => Found::Number,
        Some(Value::String(text)) => Found::text(text),
        Some(Value::Array(entries)) if entries.is_empty() => Found::Empty,
        Some(Value::Array(_)) => Found::List,
        Some(Value::Object(_)) => Found::Object,
    }
}
