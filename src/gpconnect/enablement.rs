//! Stage 8: the switches of the practice. Everything is off unless switched on (gp-connect 10).

use crate::{
    accreditation::Parties,
    interaction::{Capability, InteractionId},
    policy::Policy,
    rejection::Reason,
};

/// Checks that the practice has switched on GP Connect and the capability.
///
/// The Foundations capability statement is always answered, and 1.6 migrations ignore switches.
/// Foundations have no switch of their own: they follow GP Connect as a whole (D18).
///
/// # Errors
/// 403 `ACCESS_DENIED`.
pub fn check(parties: &Parties<'_>, id: InteractionId, policy: &Policy) -> Result<(), Reason> {
    if id == InteractionId::ReadMetadata || id.ignores_switches() {
        return Ok(());
    }
    let enablement =
        policy.practice(parties.practice).map(|practice| practice.enablement).unwrap_or_default();
    if !enablement.gp_connect {
        return Err(Reason::GpConnectDisabled);
    }
    let on = parties.capability == Capability::Foundations
        || enablement.capabilities.contains(parties.capability);
    on.then_some(()).ok_or(Reason::CapabilityDisabled(parties.capability))
}
