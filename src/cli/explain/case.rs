//! One request and everything that was found out about it, before it is put into words.

use bytes::Bytes;
use gpconnect::{
    contract::Check,
    decide::Examination,
    facts::Fields,
    policy::{Consumer, Issuer},
    rejection::Reason,
    token,
};
use serde_json::Value;

use super::{caller::Caller, hide::Hide};
use crate::snapshot::Snapshot;

/// The head of a request.
pub(super) struct Head<'m> {
    pub(super) method: &'m str,
    /// In origin form.
    pub(super) target: &'m str,
    pub(super) fields: Fields<'m>,
    /// The lines of its headers.
    pub(super) lines: usize,
    pub(super) bytes: usize,
    pub(super) host: Option<&'m str>,
    pub(super) framing: Framing<'m>,
}

/// How the head says that a body is framed.
#[derive(Clone, Copy)]
pub(super) enum Framing<'m> {
    None,
    Length(&'m str),
    Chunked,
}

/// Where and as whom a request comes in.
pub(super) struct Place<'s> {
    pub(super) snapshot: &'s Snapshot,
    /// The listener's place among the entrances.
    pub(super) listener: usize,
    /// Whom the caller is taken for.
    pub(super) caller: Caller,
    pub(super) config: String,
    /// In seconds since 1970 UTC.
    pub(super) now: i64,
    /// For a trace id of our own.
    pub(super) random: [u8; 16],
    pub(super) hide: Hide,
}

impl<'s> Place<'s> {
    /// Whether callers come over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.snapshot.entrance(self.listener).is_some_and(|entrance| entrance.access.is_secure())
    }

    /// Whether a terminator of TLS tells of callers, in the head of each request.
    pub(super) fn is_told(&self) -> bool {
        let entrance = self.snapshot.entrance(self.listener);
        entrance.is_some_and(|entrance| entrance.access.is_behind_terminator())
    }

    /// The registered systems that the caller may be.
    pub(super) fn systems(&self) -> impl Iterator<Item = &'s Consumer> {
        self.caller.candidates.iter().filter_map(|index| self.snapshot.policy.consumer(*index))
    }
}

/// A request and what was found.
pub(super) struct Case<'a, 'r, 'p> {
    pub(super) place: &'a Place<'p>,
    pub(super) head: &'a Head<'r>,
    /// What the front refused its head with.
    pub(super) front: Option<&'a Reason>,
    pub(super) examination: &'a Examination<'r, 'p>,
    /// Stage 9, when stage 1 let it in.
    pub(super) body: Option<&'a Result<Bytes, Reason>>,
    /// How many patients query and body name, in a word, where the interaction is known.
    pub(super) patients: Option<&'static str>,
    /// The claims as JSON, when the token could be read; for showing only.
    pub(super) claims: Option<Value>,
    /// The checks that found something wrong.
    pub(super) failed: Vec<Check>,
}

impl Case<'_, '_, '_> {
    /// Whether `check` found something wrong.
    pub(super) fn fails(&self, check: Check) -> bool {
        self.failed.contains(&check)
    }

    /// The first of `checks` that found something wrong.
    pub(super) fn first_failed(&self, checks: &[Check]) -> Option<Check> {
        checks.iter().copied().find(|check| self.fails(*check))
    }

    /// Whether the sender is registered for access tokens.
    pub(super) fn is_access_token_due(&self) -> bool {
        self.examination.sender.is_some_and(|(_, sender)| sender.access.is_some())
    }

    /// The issuer that the access token names.
    pub(super) fn issuer(&self) -> Option<&Issuer> {
        self.place.snapshot.policy.issuer(self.examination.token.issuer?)
    }

    /// A claim, unless it is missing or null.
    pub(super) fn claim(&self, path: &str) -> Option<&Value> {
        self.claims.as_ref()?.pointer(path).filter(|value| !value.is_null())
    }
}

/// The claims of a token, as far as they can be made out.
pub(super) fn claims(fields: &Fields<'_>, limit: usize) -> Option<Value> {
    let payload = token::open(fields.authorization, limit, &mut Vec::new())?;
    serde_json::from_slice(payload.bytes()).ok()
}
