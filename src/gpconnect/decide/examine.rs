//! Looks at a request through stages 2 to 8 and notes all that is wrong with it. Everything that
//! can be read is read; a check whose facts are missing does not run. The live gateway and
//! `explain` stand on the same examination.

use serde_json::Value;

use super::{Decision, Filled, Permit, Seen, tokens};
use crate::{
    accreditation::{self, Parties},
    agreement, enablement,
    facts::{RequestFacts, UnixSeconds},
    headers::{self, Headers},
    interaction::{Identified, Verb, derive, identify},
    media::{self, Wanted},
    names::{FromCaller, TraceId},
    patients::{self, Patients},
    policy::{Consumer, ConsumerIndex, Mode, Policy, PracticeIndex},
    rejection::{Reason, Rejection},
    sent::Sent,
    target::{self, Target},
    token::{
        self, Claims, Observed, Payload, Said,
        access::User,
        mint::{Purpose, compact},
    },
};

/// What each stage read, and what is wrong.
#[derive(Debug)]
pub struct Examination<'r, 'p> {
    /// Stage 2: where it is meant to go.
    pub target: Option<Target<'r>>,
    /// Stage 3: the `Ssp-*` headers.
    pub headers: Headers,
    /// Who sends, when it is one of the caller's systems.
    pub sender: Option<(ConsumerIndex, &'p Consumer)>,
    /// The format that was asked for.
    pub wanted: Wanted,
    /// Stage 4: which interaction it is.
    pub identified: Option<Identified<'r>>,
    /// The practice that the target names, when the directory has it.
    pub practice: Option<PracticeIndex>,
    /// Stage 5: both ends, when both are accredited.
    pub parties: Option<Parties<'p>>,
    /// The patients that the query names.
    pub patients: Patients,
    /// What is wrong, in the order of the contract.
    pub faults: Vec<Fault>,
    /// Stage 7: what operators want to know of the token.
    pub token: Observed,
    payload: Option<Payload>,
    said: Option<Said>,
    /// The user of an access token.
    user: Option<User>,
    /// Whether nothing is wrong with that.
    user_is_proved: bool,
    now: UnixSeconds,
    own_trace_id: TraceId,
    /// Whether a refusal tells what else is wrong.
    tells_all: bool,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub reason: Reason,
    /// Whether it is enforced; else it is only reported.
    pub enforced: bool,
}

/// Runs stages 2 to 8.
pub fn examine<'r, 'p>(request: &RequestFacts<'r>, policy: &'p Policy) -> Examination<'r, 'p> {
    let mut faults = Faults::default();
    let target = faults.note(target::read(request.method, request.target));
    let headers = headers::read(request.fields, &mut faults.0);
    let sender = accreditation::sender(&headers, request.candidates, policy);
    headers::check(&headers, sender.map(|(_, consumer)| consumer.mode), &mut faults.0);
    // Also when the target is refused: the refusal is to be in the format that was asked for.
    let query = request.target.split_once('?').map(|(_, query)| query);
    let wanted = media::wanted(request.fields, query);
    let identified = target.as_ref().and_then(|target| {
        let identified = interaction_of(target, &headers, sender, policy)?;
        faults.note(identified)
    });
    if let Some(target) = &target {
        faults.note(media::check(wanted, request.fields, target.verb != Verb::Get));
    }
    if identified.is_some_and(|identified| identified.id.row().verb == Verb::Put) {
        faults.note(headers::check_if_match(request.fields));
    }
    let parties = target.as_ref().zip(identified.as_ref()).and_then(|(target, identified)| {
        faults.note(accreditation::check(target, &headers, identified, sender, policy))
    });
    if let Some((parties, identified)) = parties.as_ref().zip(identified) {
        faults.note(agreement::check(parties, policy));
        faults.note(enablement::check(parties, identified.id, policy));
    }
    let interaction = identified.map(|identified| identified.id);
    let consumer = sender.map(|(_, consumer)| consumer);
    let told = tokens::check(request, interaction, consumer, parties.as_ref(), policy, &mut faults);
    let patients = patients::in_query(query);
    if policy.checks_nhs_numbers() {
        faults.note(patients::check_digits(&patients));
    }
    let practice = target.and_then(|target| policy.find_practice(target.practice));
    Examination {
        practice: practice.map(|(index, _)| index),
        target,
        headers,
        sender,
        wanted,
        identified,
        parties,
        patients,
        faults: faults.judged(consumer, request.now),
        token: told.observed,
        payload: told.payload,
        said: told.said,
        user: told.user,
        user_is_proved: told.is_right,
        now: request.now,
        own_trace_id: TraceId::from_random(request.random),
        tells_all: tells_all(request.candidates, consumer, policy),
    }
}

/// Only a caller that is some registered system is told all, and only if it does not want the
/// national proxy's single issue. Whoever names no sender of its own is told by what all of its
/// systems want.
fn tells_all(candidates: &[ConsumerIndex], sender: Option<&Consumer>, policy: &Policy) -> bool {
    let mut systems = candidates.iter().filter_map(|index| policy.consumer(*index));
    match sender {
        Some(sender) => !sender.single_issue,
        None => systems.any(|system| !system.single_issue),
    }
}

/// The faults found so far, in whatever order they were found. Without one nothing is allocated.
#[derive(Default)]
pub(super) struct Faults(pub(super) Vec<Reason>);

impl Faults {
    pub(super) fn note<T>(&mut self, result: Result<T, Reason>) -> Option<T> {
        result.map_err(|reason| self.0.push(reason)).ok()
    }

    /// In the order of the contract, each enforced unless the sender is let off its check.
    pub(super) fn judged(mut self, sender: Option<&Consumer>, now: UnixSeconds) -> Vec<Fault> {
        self.0.sort_by_key(Reason::check);
        let relaxed = |reason: &Reason| {
            sender.is_some_and(|sender| sender.report_only.covers(reason.check(), now))
        };
        let judged = |reason| Fault { enforced: !relaxed(&reason), reason };
        self.0.into_iter().map(judged).collect()
    }
}

/// The id that was sent, or for an assisted consumer the one that verb and path leave.
fn interaction_of<'r>(
    target: &Target<'r>,
    headers: &Headers,
    sender: Option<(ConsumerIndex, &Consumer)>,
    policy: &Policy,
) -> Option<Result<Identified<'r>, Reason>> {
    match headers.interaction_id {
        Sent::Value(id) => Some(identify(target, id, policy)),
        Sent::Absent => {
            let assisted = sender.is_some_and(|(_, consumer)| consumer.mode == Mode::Assist);
            assisted.then(|| derive(target, policy))
        }
        Sent::Faulty => None,
    }
}

impl Examination<'_, '_> {
    /// Stage 7: the claims, when the token could be read. They are read anew: the decision itself has
    /// kept what it needs of them.
    pub fn claims(&self) -> Option<Claims<'_>> {
        token::read(self.payload.as_ref()?).ok()
    }

    /// Whether it may pass, and what is known of it whatever the end.
    pub fn into_decision(mut self) -> Decision {
        let seen = self.seen();
        let minted = self.claims_to_mint();
        let permit = self.permit(seen.trace_id, minted.as_ref());
        let (mut reported, mut refused) = (Vec::new(), None::<Rejection>);
        for Fault { reason, enforced } in std::mem::take(&mut self.faults) {
            match (&mut refused, enforced) {
                (_, false) => reported.push(reason),
                (None, true) => refused = Some(reason.into()),
                (Some(rejection), true) if self.tells_all && reason.stage().is_told_besides() => {
                    rejection.also.push(reason);
                }
                (Some(_), true) => {}
            }
        }
        // No fault and no facts can't both be: each missing fact leaves its fault behind.
        let undecided = || Reason::GatewayFault { reference: "undecided".into() }.into();
        let outcome = match refused {
            Some(rejection) => Err(rejection),
            None => permit.ok_or_else(undecided),
        };
        let patients = std::mem::take(&mut self.patients);
        let said = self.said.take().or_else(|| {
            let payload = Payload::from_json(minted?.to_string().into_bytes());
            token::read(&payload).map(|claims| Said::of(&claims)).ok()
        });
        Decision { outcome: outcome.map_err(Box::new), seen, patients, said, reported }
    }

    fn seen(&self) -> Seen {
        let identified = self.identified.map(|found| found.id);
        Seen {
            trace_id: self.headers.trace_id.value().unwrap_or(self.own_trace_id),
            consumer: self.sender.map(|(index, _)| index),
            practice: self.practice,
            interaction: identified.or(self.headers.interaction_id.value()),
            form: self.target.map(|target| target.form.as_str()),
            token: self.token,
            format: self.wanted.or_json(),
        }
    }

    /// The claims of the GP Connect token that is made for the user of an access token.
    fn claims_to_mint(&self) -> Option<Value> {
        let (_, sender) = self.sender?;
        let (user, terms) = self.user.as_ref().zip(sender.access.as_ref())?;
        let id = self.identified.map(|found| found.id);
        let root = self.parties.map(|parties| &parties.endpoint.service_root);
        let purpose = Purpose::of(id, root, self.now);
        Some(user.claims(sender, terms, &purpose))
    }

    fn permit(&self, trace_id: TraceId, claims: Option<&Value>) -> Option<Permit> {
        let (target, identified) = self.target.zip(self.identified)?;
        let parties = self.parties?;
        let path = identified.path.path;
        let fhir_request = match target.query {
            Some(query) => [path, query].join("?"),
            None => path.to_owned(),
        };
        // Whoever sends access tokens passes with one that is right in all, or not.
        let minted = match (&parties.consumer.access, claims) {
            (None, _) => None,
            (Some(_), Some(claims)) if self.user_is_proved => Some(compact(claims)),
            (Some(_), _) => return None,
        };
        let headers = &self.headers;
        Some(Permit {
            interaction: identified.id,
            sender: parties.sender,
            practice: parties.practice,
            trace_id,
            from: parties.consumer.asid,
            to: parties.endpoint.asid,
            fhir_request: FromCaller::new(fhir_request),
            minted: minted.map(FromCaller::new),
            filled: Filled {
                trace_id: headers.trace_id.is_absent(),
                from: headers.from.is_absent(),
                to: headers.to.is_absent(),
                interaction_id: headers.interaction_id.is_absent(),
            },
        })
    }
}
