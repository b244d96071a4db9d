//! Stage 5: whose certificate this is, whether that system may send, whether the practice may
//! receive, and whether `Ssp-To` and service root are the directory's (gp-connect 9 and 10).

use crate::{
    headers::Headers,
    interaction::{Capability, Identified},
    names::Asid,
    policy::{Consumer, ConsumerIndex, Endpoint, Mode, Policy, PracticeIndex},
    rejection::Reason,
    target::{AddressForm, Target},
};

/// The two ends of a request, both accredited for its interaction.
#[derive(Clone, Copy, Debug)]
pub struct Parties<'p> {
    /// Who sends.
    pub sender: ConsumerIndex,
    /// Who sends, in detail.
    pub consumer: &'p Consumer,
    /// Whose practice receives.
    pub practice: PracticeIndex,
    /// For which capability.
    pub capability: Capability,
    /// Where it receives.
    pub endpoint: &'p Endpoint,
}

/// The system that a request says it is from, or the only one that it can be from.
///
/// Only the caller's own systems count: a foreign `Ssp-From` finds nobody, so that it gets no
/// conveniences, and stage 5 refuses it.
pub fn sender<'p>(
    headers: &Headers,
    candidates: &[ConsumerIndex],
    policy: &'p Policy,
) -> Option<(ConsumerIndex, &'p Consumer)> {
    if let Some(asid) = headers.from.value() {
        return policy.find_consumer(asid).filter(|(index, _)| candidates.contains(index));
    }
    match candidates {
        [only] if headers.from.is_absent() => {
            let consumer = policy.consumer(*only)?;
            (consumer.mode == Mode::Assist).then_some((*only, consumer))
        }
        _ => None,
    }
}

/// Checks both ends.
///
/// # Errors
/// The proxy's 403 for a sender or a receiver that is not accredited, 404 for a practice that the
/// directory does not have, 400 when `Ssp-To` or the service root is not the registered one.
pub fn check<'p>(
    target: &Target<'_>,
    headers: &Headers,
    identified: &Identified<'_>,
    sender: Option<(ConsumerIndex, &'p Consumer)>,
    policy: &'p Policy,
) -> Result<Parties<'p>, Reason> {
    let claimed = headers.from.value();
    let (sender, consumer) = sender.ok_or(Reason::SenderNotCaller(claimed))?;
    if !consumer.interactions.contains(identified.id) {
        return Err(Reason::SenderNotAccredited(consumer.asid));
    }
    let (practice, endpoint) = receiver(target, headers, identified, policy)?;
    if headers.to.value().is_some_and(|to| to != endpoint.asid) {
        return Err(Reason::ReceiverMismatch);
    }
    if !target.names_root(identified.path.root, &endpoint.service_root) {
        return Err(varies(target, endpoint));
    }
    let capability = identified.id.row().capability;
    Ok(Parties { sender, consumer, practice, capability, endpoint })
}

fn receiver<'p>(
    target: &Target<'_>,
    headers: &Headers,
    identified: &Identified<'_>,
    policy: &'p Policy,
) -> Result<(PracticeIndex, &'p Endpoint), Reason> {
    let to: Option<Asid> = headers.to.value();
    let Some((index, practice)) = policy.find_practice(target.practice) else {
        return Err(match target.form {
            AddressForm::Ods { .. } => Reason::PracticeUnknown,
            AddressForm::Proxy { .. } => Reason::ReceiverNotAccredited(to),
        });
    };
    let endpoint = practice.endpoints.of(identified.id.row().capability);
    match endpoint.filter(|endpoint| endpoint.interactions.contains(identified.id)) {
        Some(endpoint) => Ok((index, endpoint)),
        None => Err(Reason::ReceiverNotAccredited(to.or(endpoint.map(|endpoint| endpoint.asid)))),
    }
}

fn varies(target: &Target<'_>, endpoint: &Endpoint) -> Reason {
    Reason::EndpointVaries {
        registered: endpoint.service_root.clone(),
        cpa_id: endpoint.cpa_id,
        target: format!("https://{}", target.path()).into(),
    }
}
