//! Faults to order: what can go wrong, where it is ordered, and which fault a request meets.

mod control;
mod grammar;
mod latency;
mod sabotage;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gpconnect::interaction::InteractionId;
use gpconnect::names::OdsCode;
use http::HeaderValue;

use super::draw::Draw;
use super::fhir::outcome::Code;
use super::proxy::Word;

pub(crate) use self::control::{PREFIX, control};
pub use self::grammar::NotAFault;
use self::latency::Latency;
pub(crate) use self::sabotage::{Stopped, answer_instead, spoil};

/// One fault, read from and shown as text such as `latency=200ms..400ms;status=503;count=3`.
///
/// Items are separated by `;`. A fault has a latency, an effect, or both:
///
/// - `latency=200ms` waits before the answer; `latency=200ms..400ms` waits uniformly between two
///   times, `latency=lognormal:120ms:0.5` log-normally with that median and sigma. Times are
///   whole or decimal numbers of `us`, `ms` or `s`. The practice has done its work by then.
/// - `status=503` answers that status with an HTML page, `status=503;body=empty` without a body.
///   The practice does not do its work.
/// - `outcome=ACCESS_DENIED` answers an `OperationOutcome` of that code. No work is done.
/// - `proxy=agreement` answers as a secure proxy does in its own vocabulary, without asking the
///   practice: `sender`, `receiver`, `agreement`, `endpoint`, `method`, `media-type`, `unreachable`
///   or `timeout`.
/// - `reset=before-headers`, `reset=after-headers`, `reset=mid-body` do the work, send that much
///   and reset the connection.
/// - `truncate` announces the whole length, sends half of the body and closes; `truncate=100`
///   sends a hundred bytes.
/// - `content-type=text/html` sends the answer under another media type.
/// - `endless` sends the answer and then goes on for ever.
/// - `drip=10/50ms` sends ten bytes every fifty milliseconds.
///
/// and limits: `probability=0.1` (of the requests), `count=3` (requests, then the fault ends) and
/// `interaction=fhir:rest:read:patient-1` (only these requests).
///
/// In JSON a fault is an object of the same items, such as `{"status": 503, "count": 3}`, or the
/// same text as a string. Of several faults a request meets the first latency and the first effect
/// that apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    latency: Option<Latency>,
    effect: Option<Effect>,
    probability: Option<f64>,
    count: Option<u64>,
    interaction: Option<InteractionId>,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    Status { status: u16, html: bool },
    Outcome(Code),
    Proxy(Word),
    Reset(Moment),
    Truncate(Option<usize>),
    ContentType(HeaderValue),
    Endless,
    Drip { bytes: usize, every: Duration },
}

/// When a connection is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    BeforeHeaders,
    AfterHeaders,
    MidBody,
}

/// What one request meets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mishap {
    pub(crate) latency: Duration,
    pub(crate) effect: Option<Effect>,
}

/// The faults that are ordered, by practice.
pub struct Faults {
    orders: Mutex<Orders>,
}

struct Orders {
    of_practice: HashMap<OdsCode, Vec<Fault>>,
    of_everyone: Vec<Fault>,
    draw: Draw,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        let orders = Orders {
            of_practice: HashMap::new(),
            of_everyone: Vec::new(),
            draw: Draw::of(seed, "faults", 0),
        };
        Self { orders: Mutex::new(orders) }
    }

    /// Orders these faults for a practice, in place of those it had; `None` means every practice.
    pub fn order(&self, practice: Option<OdsCode>, faults: Vec<Fault>) {
        let mut orders = self.lock();
        match practice {
            None => orders.of_everyone = faults,
            Some(practice) if faults.is_empty() => drop(orders.of_practice.remove(&practice)),
            Some(practice) => drop(orders.of_practice.insert(practice, faults)),
        }
    }

    /// The faults a practice still has; a count is what is left of it.
    #[must_use]
    pub fn ordered(&self, practice: Option<OdsCode>) -> Vec<Fault> {
        let orders = self.lock();
        match practice {
            None => orders.of_everyone.clone(),
            Some(practice) => orders.of_practice.get(&practice).cloned().unwrap_or_default(),
        }
    }

    /// What a request meets: its own faults first, then its practice's, then everyone's.
    pub(crate) fn meet(
        &self,
        own: &mut [Fault],
        practice: Option<OdsCode>,
        interaction: Option<InteractionId>,
    ) -> Mishap {
        let mut orders = self.lock();
        let Orders { of_practice, of_everyone, draw } = &mut *orders;
        let of_practice = practice.and_then(|practice| of_practice.get_mut(&practice));
        let faults =
            own.iter_mut().chain(of_practice.into_iter().flatten()).chain(of_everyone.iter_mut());
        let mut mishap = Mishap::default();
        for fault in faults {
            fault.befall(&mut mishap, interaction, draw);
        }
        of_everyone.retain(|fault| fault.count != Some(0));
        if let Some(faults) = practice.and_then(|practice| orders.of_practice.get_mut(&practice)) {
            faults.retain(|fault| fault.count != Some(0));
        }
        mishap
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    /// Adds what this fault brings, unless it does not apply or is already outdone.
    fn befall(&mut self, mishap: &mut Mishap, on: Option<InteractionId>, draw: &mut Draw) {
        let meant = self.interaction.is_none_or(|interaction| on == Some(interaction));
        let news = (self.latency.is_some() && mishap.latency.is_zero())
            || (self.effect.is_some() && mishap.effect.is_none());
        if !meant || !news || self.count == Some(0) {
            return;
        }
        if self.probability.is_some_and(|probability| draw.fraction() >= probability) {
            return;
        }
        if let (Some(latency), true) = (self.latency, mishap.latency.is_zero()) {
            mishap.latency = latency.draw(draw);
        }
        if mishap.effect.is_none() {
            mishap.effect.clone_from(&self.effect);
        }
        self.count = self.count.map(|count| count - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        text.parse().unwrap()
    }

    fn status(mishap: &Mishap) -> Option<u16> {
        match mishap.effect {
            Some(Effect::Status { status, .. }) => Some(status),
            _ => None,
        }
    }

    #[test]
    fn the_nearest_fault_wins_until_its_count_is_spent() {
        let faults = Faults::new(1);
        let practice: OdsCode = "A20047".parse().unwrap();
        faults.order(None, vec![fault("status=500")]);
        faults.order(Some(practice), vec![fault("status=503;count=2")]);
        let met: Vec<_> =
            (0..3).map(|_| status(&faults.meet(&mut [], Some(practice), None))).collect();
        assert_eq!(met, [Some(503), Some(503), Some(500)]);
        assert!(faults.ordered(Some(practice)).is_empty());
        let own = &mut [fault("status=418")];
        assert_eq!(status(&faults.meet(own, Some(practice), None)), Some(418));
        faults.order(None, Vec::new());
        assert_eq!(faults.meet(&mut [], Some(practice), None), Mishap::default());
    }

    #[test]
    fn latency_and_effect_may_come_from_two_faults() {
        let own = &mut [fault("latency=5ms"), fault("status=503;latency=9ms")];
        let mishap = Faults::new(1).meet(own, None, None);
        assert_eq!((mishap.latency, status(&mishap)), (Duration::from_millis(5), Some(503)));
    }

    #[test]
    fn a_fault_keeps_to_its_interaction_and_probability() {
        let faults = Faults::new(1);
        let mut only = [fault("status=503;interaction=fhir:rest:read:patient-1")];
        for (interaction, met) in [
            (Some(InteractionId::ReadPatient), Some(503)),
            (Some(InteractionId::SearchPatient), None),
            (None, None),
        ] {
            assert_eq!(status(&faults.meet(&mut only, None, interaction)), met);
        }
        let mut rare = [fault("status=503;probability=0.25")];
        let met = (0..4_000).filter(|_| faults.meet(&mut rare, None, None).effect.is_some());
        assert!((850..1_150).contains(&met.count()));
    }
}
