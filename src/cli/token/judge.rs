//! What is wrong with a token, by the core's own checks, and which claim each fault is about.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gpconnect::{
    facts::{Field, UnixSeconds},
    interaction::InteractionId,
    rejection::Reason,
    token::{self, Payload, Terms},
};

/// Larger than any gateway allows, so that size does not hide what else is wrong.
const LIMIT: usize = 1 << 20;

/// The claims, as far as they can be found, and what is wrong with what holds them.
pub(super) fn open(text: &str) -> (Option<Payload>, Vec<Reason>) {
    let mut faults = Vec::new();
    let field = format!("Bearer {text}");
    let payload = token::open(Field::One(field.as_bytes()), LIMIT, &mut faults);
    // Padded claims are shown too, so that all is mended in one round.
    let padded = || {
        let part = text.split('.').nth(1).filter(|part| part.ends_with('='))?;
        URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok().map(Payload::from_json)
    };
    (payload.or_else(padded), faults)
}

/// What is wrong with the claims at `now`, for `interaction` if it is known.
pub(super) fn check(
    payload: &Payload,
    now: i64,
    interaction: Option<InteractionId>,
) -> Vec<Reason> {
    let claims = match token::read(payload) {
        Ok(claims) => claims,
        Err(fault) => return vec![fault],
    };
    let now = UnixSeconds(now);
    let mut faults = Vec::new();
    let terms = Terms { now, interaction, sender: None, service_root: None };
    token::check(&claims, &terms, &mut faults);
    faults
}

/// The claim that a fault is about; none when it is about the token as a whole.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are not about a claim")]
pub(super) const fn claim_of(fault: &Reason) -> Option<&'static str> {
    match fault {
        Reason::ClaimMissing { claim, .. }
        | Reason::ClaimUnreadable { claim, .. }
        | Reason::ClaimInvalid { claim, .. }
        | Reason::ClaimMisplaced { claim, .. }
        | Reason::ClaimNotResource { claim, .. }
        | Reason::ClaimElement { claim, .. } => Some(claim.as_str()),
        Reason::ScopeMismatch(_) => Some("requested_scope"),
        Reason::TokenExpired { .. } => Some("exp"),
        Reason::OrganisationMismatch { .. } => Some("requesting_organization"),
        _ => None,
    }
}
