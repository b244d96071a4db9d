//! What can be wrong with the value of a claim.

use std::fmt;

use super::{Found, Seconds};
use crate::{
    interaction::Scope,
    names::OdsCode,
    token::{AudiencePolicy, LIFETIME_SECONDS},
};

/// Why the value of a claim is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimFault {
    /// The claim, or an element of its resource, holds something else.
    Holds {
        /// What stands behind the name of the claim: nothing, or a dot and the element.
        element: &'static str,
        /// What is there.
        found: Found,
        /// What belongs there.
        expected: &'static str,
    },
    /// `sub` is a string of another user.
    NotThePractitioner,
    /// `aud` points elsewhere.
    PointsElsewhere {
        /// What is there.
        found: Found,
        /// How closely it has to point to the practice.
        policy: AudiencePolicy,
        /// The practice.
        practice: OdsCode,
    },
    /// `iat` lies so far ahead.
    Ahead(Seconds),
    /// `exp` lies so far behind `iat`.
    Lifetime(Seconds),
}

/// What follows the name of the claim.
impl fmt::Display for ClaimFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds { element, found, expected } => {
                write!(out, "{element} is {found}; expected {expected}")
            }
            Self::NotThePractitioner => {
                out.write_str(" is not the id of requesting_practitioner; expected the same user")
            }
            Self::PointsElsewhere { found, policy, practice } => {
                write!(out, " does not point to this practice: it is {found}; expected ")?;
                match policy {
                    AudiencePolicy::Off | AudiencePolicy::Ods => {
                        write!(out, "a URL with /{practice}/ in it")
                    }
                    AudiencePolicy::Prefix => {
                        write!(out, "a URL that begins as its service root does")
                    }
                    AudiencePolicy::Exact => out.write_str("exactly its service root"),
                }
            }
            Self::Ahead(by) => {
                write!(out, " lies {by} in the future; expected at most 300 seconds")
            }
            Self::Lifetime(found) => {
                write!(out, " is not {LIFETIME_SECONDS} seconds after iat; found {found}")
            }
        }
    }
}

/// Why `requested_scope` is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeFault {
    /// What is there.
    pub found: ScopeFound,
    /// What the interaction wants; none when the interaction is not known, and no interaction
    /// wants what is there.
    pub wanted: Option<Scope>,
    /// What may stand behind it.
    pub confidentiality: &'static [&'static str],
}

/// What `requested_scope` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeFound {
    /// A scope that the specification knows.
    Known(&'static str),
    /// The scope that is wanted, with or without something behind it.
    Behind {
        /// Whether there is something.
        anything: bool,
    },
    /// Something else.
    Unknown(Found),
}

/// What follows "`requested_scope` does not fit the interaction: ".
impl fmt::Display for ScopeFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found {
            ScopeFound::Known(scope) => write!(out, "found {scope}")?,
            ScopeFound::Behind { anything: true } => {
                out.write_str("found something else behind it")?
            }
            ScopeFound::Behind { anything: false } => out.write_str("found nothing behind it")?,
            ScopeFound::Unknown(found) => write!(out, "found {found}")?,
        }
        let Some(wanted) = self.wanted else {
            let [read, write, organisation] = Scope::ALL.map(Scope::as_str);
            return write!(out, ", expected {read}, {write} or {organisation}");
        };
        for (place, behind) in self.confidentiality.iter().enumerate() {
            let before = if place == 0 { ", expected " } else { " or " };
            let blank = if behind.is_empty() { "" } else { " " };
            write!(out, "{before}{}{blank}{behind}", wanted.as_str())?;
        }
        Ok(())
    }
}
