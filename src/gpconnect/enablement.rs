//! Stage 8: the switches of the practice, where everything is off unless switched on (gp-connect 10),
//! and those of this gateway, where everything is on unless switched off.

use crate::{
    accreditation::Parties,
    interaction::{InteractionId, Switch},
    policy::Policy,
    rejection::Reason,
};

/// Checks that the practice has switched on what the interaction needs, and that operations have not
/// switched it off.
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
        Switch::Whole | Switch::Own if !enablement.gp_connect => Err(Reason::GpConnectDisabled),
        Switch::Own if !own() => Err(Reason::CapabilityDisabled(parties.capability)),
        Switch::Never | Switch::Whole | Switch::Own => {
            let off = policy.switched_off().find(parties.sender, parties.practice, id);
            off.map_or(Ok(()), |kind| Err(Reason::SwitchedOff(kind)))
        }
    }
}
