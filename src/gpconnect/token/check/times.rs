//! `iat` and `exp`, against each other and against our clock.

use super::Faults;
use crate::{
    contract::Claim,
    facts::UnixSeconds,
    rejection::Reason,
    token::{
        LIFETIME_SECONDS,
        fault::{ClaimFault, DAY, Seconds},
        given::Given,
    },
};

/// How far `iat` may lie ahead of our clock, in seconds (gp-connect 7.3).
const MAX_AHEAD: i64 = 300;

/// Checks both claims and tells how far `iat` is ahead of `now`.
pub(super) fn check(
    iat: &Given<i64>,
    exp: &Given<i64>,
    now: UnixSeconds,
    faults: &mut Faults<'_>,
) -> Option<i64> {
    let iat = faults.value(Claim::Iat, iat).copied();
    let exp = faults.value(Claim::Exp, exp).copied();
    let skew = iat.map(|iat| iat.saturating_sub(now.0));
    if let Some(skew) = skew.filter(|skew| *skew > MAX_AHEAD) {
        faults.invalid(Claim::Iat, ClaimFault::Ahead(Seconds(skew)));
    }
    if let Some(exp) = exp {
        // Both were written by the sender's clock, so their difference is free of skew.
        let lifetime = iat.map(|iat| exp.saturating_sub(iat));
        if let Some(lifetime) = lifetime.filter(|lifetime| *lifetime != LIFETIME_SECONDS) {
            faults.invalid(Claim::Exp, ClaimFault::Lifetime(Seconds(lifetime)));
        }
        // "On and after": a token ends at its expiry, without grace.
        if now.0 >= exp {
            faults.0.push(Reason::TokenExpired { since: Seconds(now.0.saturating_sub(exp)) });
        }
    }
    skew.map(|skew| skew.clamp(-DAY, DAY))
}
