//! Stage 8: the switches of the practice. Everything is off unless switched on (gp-connect 10).

use crate::{
    accreditation::Parties,
    interaction::{InteractionId, Switch},
    policy::Policy,
    rejection::Reason,
};

/// Checks that the practice has switched on what the interaction needs.
///
/// Foundations follow GP Connect as a whole: they are on wherever any capability is (D18), and also
/// where none is but GP Connect itself.
///
/// # Errors
/// 403 `ACCESS_DENIED`.
pub fn check(parties: &Parties<'_>, id: InteractionId, policy: &Policy) -> Result<(), Reason> {
    let practice = policy.practice(parties.practice);
    let enablement = practice.map(|practice| practice.enablement).unwrap_or_default();
    let own = || enablement.capabilities.contains(parties.capability);
    match id.row().switch {
        Switch::Never => Ok(()),
        Switch::Whole | Switch::Own if !enablement.gp_connect => Err(Reason::GpConnectDisabled),
        Switch::Own if !own() => Err(Reason::CapabilityDisabled(parties.capability)),
        Switch::Whole | Switch::Own => Ok(()),
    }
}
