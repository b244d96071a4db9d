//! What is wrong with a token, by the core's own checks, and which claim each fault is about.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gpconnect::{
    facts::{Field, UnixSeconds},
    interaction::{InteractionId, Scope},
    rejection::Reason,
    token,
};

/// Larger than any gateway allows, so that size does not hide what else is wrong.
const LIMIT: usize = 1 << 20;

/// The claims' JSON text, as far as it can be found, and what is wrong with the container.
pub(super) fn open(text: &str) -> (Option<Vec<u8>>, Vec<Reason>) {
    match token::open(Field::One(format!("Bearer {text}").as_bytes()), LIMIT) {
        Ok(payload) => (Some(payload.bytes().to_vec()), Vec::new()),
        // The claims of a broken container are shown too, so that all is mended in one round.
        Err(fault) => {
            let part = text.split('.').nth(1).filter(|part| !part.is_empty());
            let decode = |part: &str| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok();
            (part.and_then(decode), vec![fault])
        }
    }
}

/// What is wrong with the claims at `now`, for `interaction` if it is known.
pub(super) fn check(payload: &[u8], now: i64, interaction: Option<InteractionId>) -> Vec<Reason> {
    let mut faults = Vec::new();
    let claims = match token::read(payload, &mut faults) {
        Ok(claims) => claims,
        Err(fault) => return vec![fault],
    };
    let now = UnixSeconds(now);
    let mut with_scope = |scope| token::check(&claims, now, scope, None, &mut faults);
    match interaction {
        Some(id) => with_scope(Some(id.row().scope)),
        None => {
            with_scope(None);
            faults.extend(scope_of_none(&claims, now));
        }
    }
    faults
}

/// A fault when no interaction at all wants this scope.
fn scope_of_none(claims: &token::Claims<'_>, now: UnixSeconds) -> Option<Reason> {
    let fault = |scope| {
        let mut faults = Vec::new();
        token::check(claims, now, Some(scope), None, &mut faults);
        faults.into_iter().find(|fault| matches!(fault, Reason::ScopeMismatch(_)))
    };
    let all = [Scope::PatientWrite, Scope::OrganizationRead, Scope::PatientRead].map(fault);
    if all.iter().all(Option::is_some) { all.into_iter().flatten().next() } else { None }
}

/// The claim that a fault is about; none when it is about the token as a whole.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are not about a claim")]
pub(super) const fn claim_of(fault: &Reason) -> Option<&'static str> {
    match fault {
        Reason::ClaimMissing(claim)
        | Reason::ClaimUnreadable { claim, .. }
        | Reason::ClaimInvalid { claim, .. }
        | Reason::ClaimNotResource { claim, .. }
        | Reason::ClaimElement { claim, .. } => Some(claim.as_str()),
        Reason::ScopeMismatch(_) => Some("requested_scope"),
        Reason::TokenExpired => Some("exp"),
        Reason::OrganisationMismatch => Some("requesting_organization"),
        _ => None,
    }
}
