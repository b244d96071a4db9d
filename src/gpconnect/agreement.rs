//! Stage 6: the data sharing agreement of the two organisations. Where no entry stands, the answer
//! is no (gp-connect 10).

use crate::{accreditation::Parties, policy::Policy, rejection::Reason};

/// Checks that the organisations agreed on the capability.
///
/// # Errors
/// The proxy's 403 (`FOT_CHECK_FAILED`).
pub fn check(parties: &Parties<'_>, policy: &Policy) -> Result<(), Reason> {
    if policy.agreement(parties.sender, parties.practice).contains(parties.capability) {
        return Ok(());
    }
    Err(Reason::NoAgreement { from: parties.consumer.asid, to: parties.endpoint.asid })
}
