//! Stage 9, as far as it is decided by what the held body says: which patients it names, and whether
//! that is clear enough to let it pass.

use super::{Fault, Permit, examine::Faults};
use crate::{
    body,
    facts::{Field, UnixSeconds},
    interaction::{InteractionId, Verb},
    patients::{self, Patients},
    policy::{Consumer, Policy},
    rejection::{Reason, Rejection},
};

/// A request body, whole. It has no `Debug`: it names patients.
#[derive(Clone, Copy)]
pub struct HeldBody<'b> {
    /// All of its bytes.
    pub bytes: &'b [u8],
    /// Its `Content-Type`.
    pub content_type: Field<'b>,
}

/// What the body adds to the decision.
#[derive(Debug)]
pub struct BodyDecision {
    /// Whether it may pass.
    pub outcome: Result<(), Box<Rejection>>,
    /// The patients that query and body name. For the journal only.
    pub patients: Patients,
    /// What is wrong but only reported.
    pub reported: Vec<Reason>,
}

/// Decides whether a request that has its permit may pass with this body. `in_query` are the
/// patients that its query names.
pub fn decide_body(
    body: HeldBody<'_>,
    in_query: Patients,
    permit: &Permit,
    policy: &Policy,
    now: UnixSeconds,
) -> BodyDecision {
    let sender = policy.consumer(permit.sender());
    let interaction = permit.interaction();
    let (patients, faults) = examine_body(body, in_query, interaction, sender, policy, now);
    let (mut outcome, mut reported) = (Ok(()), Vec::new());
    for Fault { reason, enforced } in faults {
        match (enforced, &outcome) {
            (false, _) => reported.push(reason),
            (true, Ok(())) => outcome = Err(Box::new(reason.into())),
            (true, Err(_)) => {}
        }
    }
    BodyDecision { outcome, patients, reported }
}

/// The patients that query and body name, and what is wrong with them, in the order of the
/// contract: for [`decide_body`], and for `explain`, which looks also where there is no permit. The
/// body of a GET is not looked at: it has none.
pub fn examine_body(
    body: HeldBody<'_>,
    in_query: Patients,
    interaction: InteractionId,
    sender: Option<&Consumer>,
    policy: &Policy,
    now: UnixSeconds,
) -> (Patients, Vec<Fault>) {
    if interaction.row().verb == Verb::Get {
        return (in_query, Vec::new());
    }
    let mut faults = Faults::default();
    let in_body = body::read(body.bytes, body.content_type);
    if policy.checks_nhs_numbers() {
        // Those of the query were looked at with the query.
        faults.note(patients::check_digits(&in_body));
    }
    let patients = in_query.and(in_body);
    if interaction.is_operation() {
        faults.note(patients::check_clear(&patients));
    }
    (patients, faults.judged(sender, now))
}
