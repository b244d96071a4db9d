//! Who breaks which rule of the specification, and how often: consumers by their requests, practices
//! by their answers. As with [`super::Traffic`], a request's thread only puts a few words into a
//! queue; whoever asks, and a task, counts them.
//!
//! What is kept grows with the directory and not with traffic: a count for each rule that an
//! organisation breaks, with its latest examples. An organisation that leaves the directory is
//! forgotten.

mod breaches;

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use crossbeam_queue::ArrayQueue;
use foldhash::fast::RandomState;
use gpconnect::{
    Policy,
    contract::CheckSet,
    interaction::InteractionId,
    names::{Asid, OdsCode, TraceId},
    observe::{Duty, Observed, Rule, Side},
};
use hashbrown::HashMap;
use prometheus::{IntCounter, IntCounterVec};

pub use self::breaches::{Breach, Breaches, Example};
use super::{
    families::{Families, Refused},
    record::Record,
    waiting,
};

/// Requests that may wait to be counted: what is more shows in `uncounted`.
const ROOM: usize = 16_384;
/// Examples that are kept of each rule that an organisation breaks.
const EXAMPLES: usize = 3;

const TOTAL: &str = "Requests and answers that break a rule of the specification, whether or not they were refused or mended.";
const LABELS: &[&str] = &["organisation", "rule", "side"];

/// What is kept of one request and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Noted {
    /// When the request came.
    pub at: SystemTime,
    /// Its trace id, of UUID form.
    pub trace_id: TraceId,
    /// The interaction.
    pub interaction: Option<InteractionId>,
    /// The consumer's organisation and system, and what its request broke.
    pub asked: Option<(OdsCode, Asid, CheckSet)>,
    /// The practice, and what was seen of its answer.
    pub answered: Option<(OdsCode, Observed)>,
}

/// The counts of both sides.
#[derive(Debug)]
pub struct Conformance {
    queue: ArrayQueue<Noted>,
    uncounted: AtomicU64,
    ledger: Mutex<Ledger>,
    total: IntCounterVec,
}

#[derive(Debug)]
struct Ledger {
    since: SystemTime,
    uncounted: u64,
    /// Every organisation of the directory that asks, and every one that answers.
    consumers: HashMap<OdsCode, Consumer, RandomState>,
    practices: HashMap<OdsCode, Practice, RandomState>,
}

#[derive(Debug, Default)]
struct Consumer {
    requests: u64,
    broken: Vec<Broken>,
}

#[derive(Debug, Default)]
struct Practice {
    /// Its answers that were held against each duty.
    judged: [u64; Duty::ALL.len()],
    broken: Vec<Broken>,
}

#[derive(Debug)]
struct Broken {
    rule: Rule,
    /// Its series, found once: to find one by its labels hashes them all.
    count: IntCounter,
    first: SystemTime,
    /// The latest last.
    examples: VecDeque<Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    at: SystemTime,
    trace_id: TraceId,
    interaction: Option<InteractionId>,
    system: Option<Asid>,
}

impl Conformance {
    pub(super) fn new(make: &Families<'_>) -> Result<Self, Refused> {
        Ok(Self {
            queue: ArrayQueue::new(ROOM),
            uncounted: AtomicU64::new(0),
            ledger: Mutex::new(Ledger {
                since: SystemTime::now(),
                uncounted: 0,
                consumers: HashMap::default(),
                practices: HashMap::default(),
            }),
            total: make.counters("conformance_total", TOTAL, LABELS)?,
        })
    }

    /// Takes note of a request and its answer.
    pub fn note(&self, noted: Noted) {
        if self.queue.push(noted).is_err() {
            self.uncounted.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn finished(&self, record: &Record<'_>) {
        let consumer = record.organisation.zip(record.consumer);
        let asked = consumer.map(|(organisation, system)| {
            let mut broken = record.broken;
            let reported = record.reported.iter().map(gpconnect::rejection::Reason::check);
            broken.extend(reported.filter(|check| check.is_of_requests()));
            (organisation, system, broken)
        });
        let practice = record.practice.map(|(_, code)| code);
        let answered = practice.zip(record.observed.filter(|seen| !seen.is_empty()));
        if let (Some(trace_id), true) = (record.trace_id, asked.is_some() || answered.is_some()) {
            let (at, interaction) = (record.at, record.interaction);
            self.note(Noted { at, trace_id, interaction, asked, answered });
        }
    }

    /// Takes note of a directory that came into use.
    pub(super) fn snapshot(&self, policy: &Policy) {
        let mut ledger = self.counted();
        let is_practice = |code: &OdsCode| policy.find_practice(*code).is_some();
        let asking: std::collections::HashSet<_> =
            policy.consumers().iter().map(|consumer| consumer.organisation).collect();
        ledger.practices.retain(|code, practice| {
            is_practice(code) || self.forget(Side::Practices, *code, &practice.broken)
        });
        ledger.consumers.retain(|code, consumer| {
            asking.contains(code) || self.forget(Side::Consumers, *code, &consumer.broken)
        });
        for practice in policy.practices() {
            ledger.practices.entry(practice.ods_code).or_default();
        }
        for code in asking {
            ledger.consumers.entry(code).or_default();
        }
    }

    /// Removes the series of an organisation that is gone. Always false: it is not to be kept.
    fn forget(&self, side: Side, code: OdsCode, broken: &[Broken]) -> bool {
        for broken in broken {
            let labels = [code.as_str(), broken.rule.name(), side.as_str()];
            // It was there a moment ago, and only this function removes any.
            self.total.remove_label_values(&labels).unwrap_or_default();
        }
        false
    }

    /// Counts what waits. For a task that runs several times a second, and before metrics are shown.
    pub fn count(&self) {
        drop(self.counted());
    }

    fn counted(&self) -> MutexGuard<'_, Ledger> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        for noted in waiting(&self.queue) {
            ledger.add(&noted, |organisation, rule| {
                let labels = [organisation.as_str(), rule.name(), rule.side().as_str()];
                self.total.with_label_values(&labels)
            });
        }
        ledger.uncounted += self.uncounted.swap(0, Ordering::Relaxed);
        ledger
    }
}

impl Ledger {
    /// Counts what is kept of a request; `series` finds that of an organisation and a rule.
    fn add(&mut self, noted: &Noted, series: impl Fn(OdsCode, Rule) -> IntCounter) {
        let Noted { at, trace_id, interaction, .. } = *noted;
        // Who is in neither list has left the directory since.
        if let Some((organisation, system, checks)) = noted.asked
            && let Some(consumer) = self.consumers.get_mut(&organisation)
        {
            consumer.requests += 1;
            let seen = Seen { at, trace_id, interaction, system: Some(system) };
            for rule in checks.iter().map(Rule::Request) {
                add(&mut consumer.broken, rule, seen, || series(organisation, rule));
            }
        }
        if let Some((code, observed)) = noted.answered
            && let Some(practice) = self.practices.get_mut(&code)
        {
            for duty in observed.judged() {
                practice.judged.get_mut(duty as usize).into_iter().for_each(|count| *count += 1);
            }
            let seen = Seen { at, trace_id, interaction, system: None };
            for rule in observed.broken().map(Rule::Answer) {
                add(&mut practice.broken, rule, seen, || series(code, rule));
            }
        }
    }
}

fn add(all: &mut Vec<Broken>, rule: Rule, seen: Seen, series: impl FnOnce() -> IntCounter) {
    let place = all.iter().position(|broken| broken.rule == rule).unwrap_or_else(|| {
        all.push(Broken { rule, count: series(), first: seen.at, examples: VecDeque::new() });
        all.len() - 1
    });
    let Some(broken) = all.get_mut(place) else { return };
    broken.count.inc();
    if broken.examples.len() == EXAMPLES {
        broken.examples.pop_front();
    }
    broken.examples.push_back(seen);
}

#[cfg(test)]
mod tests;
