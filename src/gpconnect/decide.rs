//! Runs stages 2 to 8 in order. Everything that can be read is read, then the checks run; the
//! first stage that finds a fault decides the status, and a [`Permit`] exists only if none did.

use crate::{
    accreditation::{self, Parties},
    agreement, enablement,
    facts::RequestFacts,
    headers::{self, Headers},
    interaction::{Identified, InteractionId, Verb, derive, identify},
    media::{self, Format},
    names::{Asid, FromCaller, TraceId},
    policy::{Consumer, ConsumerIndex, Policy, PracticeIndex},
    rejection::{Reason, Rejection},
    sent::Sent,
    target::{self, Target},
    token,
};

/// The end of stages 2 to 8, and what was learned on the way whatever the end.
#[derive(Debug)]
pub struct Decision {
    /// Whether it may pass.
    pub outcome: Result<Permit, Box<Rejection>>,
    /// What log and metrics may say of it.
    pub seen: Seen,
}

/// What is known of a request, refused or not. Only registered systems stand here, never a claim.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The trace id that was sent, or one of our own where none of UUID form was.
    pub trace_id: TraceId,
    /// The sender, when it is one of the caller's systems.
    pub consumer: Option<ConsumerIndex>,
    /// The practice, when the directory has it.
    pub practice: Option<PracticeIndex>,
    /// The interaction, when it is known.
    pub interaction: Option<InteractionId>,
    /// How the practice was addressed: `ods` or `proxy`.
    pub form: Option<&'static str>,
    /// The format of answers that we make.
    pub format: Format,
}

/// The leave to forward one request. Only [`decide`] makes it.
#[derive(Debug)]
pub struct Permit {
    interaction: InteractionId,
    sender: ConsumerIndex,
    practice: PracticeIndex,
    trace_id: TraceId,
    from: Asid,
    to: Asid,
    fhir_request: FromCaller<String>,
    filled: Filled,
}

impl Permit {
    /// What is to happen.
    pub const fn interaction(&self) -> InteractionId {
        self.interaction
    }

    /// Who asks.
    pub const fn sender(&self) -> ConsumerIndex {
        self.sender
    }

    /// Who answers.
    pub const fn practice(&self) -> PracticeIndex {
        self.practice
    }

    /// The value for `Ssp-TraceID`.
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The value for `Ssp-From`.
    pub const fn from(&self) -> Asid {
        self.from
    }

    /// The value for `Ssp-To`.
    pub const fn to(&self) -> Asid {
        self.to
    }

    /// What follows the service root: path and query, as they were sent.
    pub fn fhir_request(&self) -> &str {
        self.fhir_request.expose()
    }

    /// Which headers the gateway adds because the consumer left them out.
    pub const fn filled(&self) -> Filled {
        self.filled
    }
}

/// The headers that were filled in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// `Ssp-TraceID`.
    pub trace_id: bool,
    /// `Ssp-From`.
    pub from: bool,
    /// `Ssp-To`.
    pub to: bool,
    /// `Ssp-InteractionID`.
    pub interaction_id: bool,
}

/// The stages of the decision, in the order of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Target,
    Headers,
    Interaction,
    Accreditation,
    Agreement,
    Token,
    Enablement,
}

impl Stage {
    /// Whether its faults are told besides the deciding one: those of headers and token, which a
    /// caller can mend on its own.
    const fn told_besides(self) -> bool {
        matches!(self, Self::Headers | Self::Interaction | Self::Token)
    }
}

/// The faults found so far, in whatever order they were found.
#[derive(Default)]
struct Faults(Vec<(Stage, Reason)>);

impl Faults {
    fn one<T>(&mut self, stage: Stage, result: Result<T, Reason>) -> Option<T> {
        result.map_err(|reason| self.0.push((stage, reason))).ok()
    }

    fn all<T>(&mut self, stage: Stage, find: impl FnOnce(&mut Vec<Reason>) -> T) -> T {
        let mut found = Vec::new();
        let facts = find(&mut found);
        self.0.extend(found.into_iter().map(|reason| (stage, reason)));
        facts
    }

    /// The earliest stage's first fault decides.
    fn into_rejection(mut self) -> Option<Rejection> {
        self.0.sort_by_key(|(stage, _)| *stage);
        let mut faults = self.0.into_iter();
        let (_, reason) = faults.next()?;
        let also = faults.filter(|(stage, _)| stage.told_besides()).map(|(_, reason)| reason);
        Some(Rejection { reason, also: also.collect() })
    }
}

/// Decides whether a request may pass.
pub fn decide(request: &RequestFacts<'_>, policy: &Policy) -> Decision {
    let mut faults = Faults::default();
    let target = faults.one(Stage::Target, target::read(request.method, request.target));
    let headers = faults.all(Stage::Headers, |found| headers::read(request.fields, found));
    let sender = accreditation::sender(&headers, request.candidates, policy);
    let mode = sender.map(|(_, consumer)| consumer.mode);
    faults.all(Stage::Headers, |found| headers::check(&headers, mode, found));
    // Also when the target is refused: the refusal is to be in the format that was asked for.
    let query = request.target.split_once('?').map(|(_, query)| query);
    let wanted = media::wanted(request.fields, query);
    let identified = target.as_ref().and_then(|target| {
        let identified = interaction_of(target, &headers, sender, policy)?;
        faults.one(Stage::Interaction, identified)
    });
    if let Some(target) = &target {
        let has_body = target.verb != Verb::Get;
        faults.one(Stage::Interaction, media::check(wanted, request.fields, has_body));
    }
    if identified.is_some_and(|identified| identified.id.row().verb == Verb::Put) {
        faults.one(Stage::Interaction, headers::check_if_match(request.fields));
    }
    let parties = target.as_ref().zip(identified.as_ref()).and_then(|(target, identified)| {
        let parties = accreditation::check(target, &headers, identified, sender, policy);
        faults.one(Stage::Accreditation, parties)
    });
    if let Some((parties, identified)) = parties.as_ref().zip(identified) {
        faults.one(Stage::Agreement, agreement::check(parties, policy));
        faults.one(Stage::Enablement, enablement::check(parties, identified.id, policy));
    }
    check_token(request, identified.as_ref(), parties.as_ref(), &mut faults);

    let seen = Seen {
        trace_id: headers.trace_id.value().unwrap_or(TraceId::from_random(request.random)),
        consumer: sender.map(|(index, _)| index),
        practice: target
            .and_then(|target| policy.find_practice(target.practice))
            .map(|(index, _)| index),
        interaction: identified.map(|found| found.id).or(headers.interaction_id.value()),
        form: target.map(|target| target.form.as_str()),
        format: wanted.or_json(),
    };
    let permit = target.zip(identified).zip(parties);
    let outcome = match (faults.into_rejection(), permit) {
        (None, Some(((target, identified), parties))) => {
            Ok(permit_for(&target, &identified, &parties, &headers, &seen))
        }
        (Some(rejection), _) => Err(Box::new(rejection)),
        // No fault and no facts can't both be: each missing fact leaves its fault behind.
        (None, None) => {
            Err(Box::new(Reason::GatewayFault { reference: "undecided".into() }.into()))
        }
    };
    Decision { outcome, seen }
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
            let assisted =
                sender.is_some_and(|(_, consumer)| consumer.mode == crate::policy::Mode::Assist);
            assisted.then(|| derive(target, policy))
        }
        Sent::Faulty => None,
    }
}

fn check_token(
    request: &RequestFacts<'_>,
    identified: Option<&Identified<'_>>,
    parties: Option<&Parties<'_>>,
    faults: &mut Faults,
) {
    let opened = token::open(request.fields.authorization, request.token_limit);
    let Some(payload) = faults.one(Stage::Token, opened) else { return };
    faults.all(Stage::Token, |found| match token::read(payload.bytes(), found) {
        Ok(claims) => {
            let scope = identified.map(|identified| identified.id.row().scope);
            token::check(&claims, request.now, scope, parties, found);
        }
        Err(reason) => found.push(reason),
    });
}

fn permit_for(
    target: &Target<'_>,
    identified: &Identified<'_>,
    parties: &Parties<'_>,
    headers: &Headers,
    seen: &Seen,
) -> Permit {
    let path = identified.path.path;
    let fhir_request = match target.query {
        Some(query) => [path, query].join("?"),
        None => path.to_owned(),
    };
    Permit {
        interaction: identified.id,
        sender: parties.sender,
        practice: parties.practice,
        trace_id: seen.trace_id,
        from: parties.consumer.asid,
        to: parties.endpoint.asid,
        fhir_request: FromCaller::new(fhir_request),
        filled: Filled {
            trace_id: headers.trace_id.is_absent(),
            from: headers.from.is_absent(),
            to: headers.to.is_absent(),
            interaction_id: headers.interaction_id.is_absent(),
        },
    }
}

#[cfg(test)]
mod tests;
