//! Stages 2 to 8: a request is examined, and what was found becomes a [`Permit`] or a
//! [`Rejection`]. The first enforced fault in the order of [`Check`](crate::contract::Check)
//! decides the status, and a permit exists only if there is none. Of a request with a permit the body
//! is judged too, once it is held (stage 9).

mod examine;
mod held;
mod tokens;

pub use examine::{Examination, Fault, examine};
pub use held::{BodyDecision, HeldBody, decide_body, examine_body};

use crate::{
    facts::RequestFacts,
    interaction::InteractionId,
    media::Format,
    names::{Asid, FromCaller, TraceId},
    patients::Patients,
    policy::{ConsumerIndex, Policy, PracticeIndex},
    rejection::{Reason, Rejection},
    token::{Observed, Said},
};

/// The end of stages 2 to 8, and what was learned on the way whatever the end.
#[derive(Debug)]
pub struct Decision {
    /// Whether it may pass.
    pub outcome: Result<Permit, Box<Rejection>>,
    /// What log and metrics may say of it.
    pub seen: Seen,
    /// The patients that the query names. For the journal only.
    pub patients: Patients,
    /// What the token says, when its claims could be read; of an access token what the GP Connect token
    /// says that is made of it, as far as its user is known. For the journal only.
    pub said: Option<Said>,
    /// What is wrong but only reported, because the consumer is let off these checks for a while;
    /// in the order of the contract, whether it passed or not.
    pub reported: Vec<Reason>,
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
    /// What was noticed about the token.
    pub token: Observed,
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
    minted: Option<FromCaller<String>>,
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

    /// The GP Connect token to send in place of the access token that arrived, in its compact form.
    pub fn minted(&self) -> Option<&str> {
        self.minted.as_ref().map(FromCaller::expose)
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

impl Filled {
    /// The names of those headers.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [
            (self.trace_id, "Ssp-TraceID"),
            (self.from, "Ssp-From"),
            (self.to, "Ssp-To"),
            (self.interaction_id, "Ssp-InteractionID"),
        ]
        .into_iter()
        .filter_map(|(filled, name)| filled.then_some(name))
    }
}

/// Decides whether a request may pass.
pub fn decide(request: &RequestFacts<'_>, policy: &Policy) -> Decision {
    examine(request, policy).into_decision()
}

#[cfg(test)]
pub(crate) mod tests;
