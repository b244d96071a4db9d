//! Access tokens: their signatures are checked before the decision, which has no keys. Only for
//! callers of whose systems one sends such; nothing is spent on others.

use gpconnect::{
    facts::Fields,
    policy::{ConsumerIndex, Policy},
    token::{
        access::{AccessFault, AccessToken},
        bearer,
    },
};

use crate::{snapshot::Snapshot, telemetry::IssuerMetrics};

/// What became of the access token of a request from one of these systems; none where none of them
/// sends such, or the request has no token.
pub(super) async fn verify(
    fields: &Fields<'_>,
    candidates: &[ConsumerIndex],
    snapshot: &Snapshot,
) -> Option<Result<AccessToken, AccessFault>> {
    let policy = &snapshot.policy;
    let mut systems = candidates.iter().filter_map(|index| policy.consumer(*index));
    if !systems.any(|system| system.access.is_some()) {
        return None;
    }
    let token = bearer(fields.authorization, snapshot.limits.token_bytes).ok()?;
    Some(match str::from_utf8(token) {
        // On the heap, so that other requests don't carry its room along.
        Ok(token) => Box::pin(snapshot.issuers.verify(token)).await,
        Err(_) => Err(AccessFault::Malformed("is not ASCII text")),
    })
}

/// Counts what became of it, unless the sender is a neighbour whose tokens are its own.
pub(super) fn count(
    access: &Result<AccessToken, AccessFault>,
    sender: Option<ConsumerIndex>,
    policy: &Policy,
    metrics: &IssuerMetrics,
) {
    let sender = sender.and_then(|index| policy.consumer(index));
    if sender.is_some_and(|sender| sender.access.is_none()) {
        return;
    }
    let (issuer, result) = match access {
        Ok(token) => (Some(token.issuer), "proved"),
        Err(fault) => (fault.issuer(), fault.word()),
    };
    let issuer = issuer.and_then(|index| policy.issuer(index));
    metrics.judged(issuer.map(|issuer| issuer.name.as_str()), result);
}
