//! What came of the last hour's requests, by practice, consumer and interaction: for the state of a
//! practice, and for what a switch would refuse. A request's thread only puts a few words into a
//! queue; whoever asks, and a task each second, counts them.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use crossbeam_queue::ArrayQueue;
use foldhash::fast::RandomState;
use gpconnect::{
    interaction::InteractionId,
    names::{Asid, OdsCode},
};
use serde::Serialize;

use super::{
    hour::{Hour, PART, PARTS},
    moment,
    record::{Finished, Record, Result as Verdict},
    waiting,
};

/// Requests that may wait to be counted: what is more shows in `uncounted`.
const ROOM: usize = 16_384;
/// Combinations that are counted apart; what is more shows in `uncounted`.
const COMBINATIONS: usize = 50_000;

/// What is kept of one request.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at: SystemTime,
    practice: OdsCode,
    consumer: Option<Asid>,
    interaction: Option<InteractionId>,
    verdict: Verdict,
    /// Whether it was let pass.
    passed: bool,
    fault: Option<&'static str>,
    status: Option<u16>,
    upstream: Option<Duration>,
}

/// Who asks what of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// The practice.
    pub practice: OdsCode,
    /// The consumer system.
    pub consumer: Asid,
    /// The interaction.
    pub interaction: InteractionId,
}

/// The counters of the last hour.
#[derive(Debug)]
pub struct Traffic {
    queue: ArrayQueue<Seen>,
    uncounted: AtomicU64,
    ledger: Mutex<Ledger>,
}

#[derive(Debug)]
struct Ledger {
    hour: Hour,
    asked: HashMap<Asked, [u32; PARTS], RandomState>,
    practices: HashMap<OdsCode, Practice, RandomState>,
    uncounted: [u64; PARTS],
}

#[derive(Clone, Debug, Default)]
struct Practice {
    last_success: Option<SystemTime>,
    last_failure: Option<Failure>,
    verdicts: [[u32; Verdict::ALL.len()]; PARTS],
    answers: [Answers; PARTS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    count: u32,
    sum: Duration,
    longest: Duration,
}

/// How a practice fares.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PracticeState {
    /// When it last answered, in time or not; none since the gateway started.
    pub last_success: Option<String>,
    /// When a request last failed.
    pub last_failure: Option<Failed>,
    /// Requests of the last hour by result.
    pub last_hour: HashMap<&'static str, u64>,
    /// Its answers of the last hour.
    pub answers: AnswerTimes,
}

/// How long a practice took to answer.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AnswerTimes {
    /// How many answers.
    pub count: u64,
    /// Their mean time to the answer's head.
    pub mean_ms: Option<f64>,
    /// The longest.
    pub longest_ms: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Failure {
    at: SystemTime,
    verdict: Verdict,
    fault: Option<&'static str>,
    status: Option<u16>,
}

/// A request that failed.
#[derive(Clone, Debug, Serialize)]
pub struct Failed {
    /// When it came.
    pub at: String,
    /// `provider_error` or `failed`.
    pub result: &'static str,
    /// The word for what went wrong.
    pub fault: Option<&'static str>,
    /// The status that the consumer was told.
    pub status: Option<u16>,
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Requests of the last hour that were let pass, by who asked what of whom.
    pub asked: Vec<(Asked, u64)>,
    /// Requests of that time that were not counted: there may be more of each.
    pub uncounted: u64,
    /// How long was counted: an hour, or less after a start.
    pub over: Duration,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            queue: ArrayQueue::new(ROOM),
            uncounted: AtomicU64::new(0),
            ledger: Mutex::new(Ledger {
                hour: Hour::default(),
                asked: HashMap::default(),
                practices: HashMap::default(),
                uncounted: [0; PARTS],
            }),
        }
    }
}

impl Traffic {
    /// Takes note of a finished request of a registered practice.
    pub(super) fn note(&self, record: &Record<'_>) {
        let Some((_, practice)) = record.practice else { return };
        let seen = Seen {
            at: record.at,
            practice,
            consumer: record.consumer,
            interaction: record.interaction,
            verdict: record.result(),
            passed: record.finished != Finished::Refused,
            fault: record.fault,
            status: record.status,
            upstream: record.upstream,
        };
        if self.queue.push(seen).is_err() {
            self.uncounted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts what waits. For a task that runs each second.
    pub fn count(&self) {
        drop(self.counted());
    }

    fn counted(&self) -> MutexGuard<'_, Ledger> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.go_on(Instant::now());
        waiting(&self.queue).for_each(|seen| ledger.add(&seen));
        let uncounted = self.uncounted.swap(0, Ordering::Relaxed);
        ledger.leave_out(uncounted);
        ledger
    }

    /// What was let pass in the last hour, as far as `meant` says so.
    pub fn asked(&self, meant: impl Fn(&Asked) -> bool) -> Counted {
        let ledger = self.counted();
        let total = |parts: &[u32; PARTS]| parts.iter().map(|part| u64::from(*part)).sum();
        let asked = ledger.asked.iter().filter(|(asked, _)| meant(asked));
        let part = u32::try_from(PARTS).unwrap_or(u32::MAX);
        Counted {
            asked: asked.map(|(asked, parts)| (*asked, total(parts))).collect(),
            uncounted: ledger.uncounted.iter().sum(),
            over: ledger.hour.began.elapsed().min(PART * part),
        }
    }

    /// How many practices each consumer system was let ask in the last hour.
    pub(super) fn fan_out(&self) -> HashMap<Asid, usize> {
        let ledger = self.counted();
        let pairs: HashSet<(Asid, OdsCode), RandomState> =
            ledger.asked.keys().map(|asked| (asked.consumer, asked.practice)).collect();
        drop(ledger);
        let mut counts = HashMap::new();
        for (consumer, _) in pairs {
            *counts.entry(consumer).or_default() += 1;
        }
        counts
    }

    /// How a practice fares.
    pub fn practice(&self, code: OdsCode) -> PracticeState {
        self.counted().practices.get(&code).map(Practice::state).unwrap_or_default()
    }
}

impl Ledger {
    /// Forgets what is an hour old.
    fn go_on(&mut self, now: Instant) {
        let old = self.hour.go_on(now);
        if old.len() == 0 {
            return;
        }
        for place in old {
            self.asked.values_mut().for_each(|parts| clear(parts, place));
            clear(&mut self.uncounted, place);
            for practice in self.practices.values_mut() {
                clear(&mut practice.verdicts, place);
                clear(&mut practice.answers, place);
            }
        }
        self.asked.retain(|_, parts| parts.iter().any(|count| *count > 0));
    }

    fn add(&mut self, seen: &Seen) {
        let place = self.hour.place();
        let practice = self.practices.entry(seen.practice).or_default();
        practice.add(seen, place);
        let (Some(consumer), Some(interaction), true) =
            (seen.consumer, seen.interaction, seen.passed)
        else {
            return;
        };
        let asked = Asked { practice: seen.practice, consumer, interaction };
        if self.asked.len() >= COMBINATIONS && !self.asked.contains_key(&asked) {
            return self.leave_out(1);
        }
        let parts = self.asked.entry(asked).or_default();
        parts.get_mut(place).into_iter().for_each(|count| *count = count.saturating_add(1));
    }

    fn leave_out(&mut self, count: u64) {
        let place = self.hour.place();
        self.uncounted.get_mut(place).into_iter().for_each(|all| *all += count);
    }
}

fn clear<T: Default>(parts: &mut [T; PARTS], place: usize) {
    parts.get_mut(place).into_iter().for_each(|part| *part = T::default());
}

impl Practice {
    fn add(&mut self, seen: &Seen, place: usize) {
        match seen.verdict {
            Verdict::Good | Verdict::Slow => self.last_success = Some(seen.at),
            Verdict::ProviderError | Verdict::Failed => {
                let Seen { at, verdict, fault, status, .. } = *seen;
                self.last_failure = Some(Failure { at, verdict, fault, status });
            }
            Verdict::Refused => {}
        }
        let verdicts = self.verdicts.get_mut(place);
        if let Some(count) = verdicts.and_then(|all| all.get_mut(seen.verdict as usize)) {
            *count = count.saturating_add(1);
        }
        if let (Some(answers), Some(time)) = (self.answers.get_mut(place), seen.upstream) {
            answers.count = answers.count.saturating_add(1);
            answers.sum = answers.sum.saturating_add(time);
            answers.longest = answers.longest.max(time);
        }
    }

    fn state(&self) -> PracticeState {
        let count = |verdict: Verdict| {
            let parts = self.verdicts.iter();
            let sum = parts.filter_map(|all| all.get(verdict as usize)).map(|it| u64::from(*it));
            (verdict.as_str(), sum.sum())
        };
        let answers: u64 = self.answers.iter().map(|part| u64::from(part.count)).sum();
        let sum: Duration = self.answers.iter().map(|part| part.sum).sum();
        let longest = self.answers.iter().map(|part| part.longest).max();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
        let divisor = u32::try_from(answers).ok().filter(|count| *count > 0);
        PracticeState {
            last_success: self.last_success.map(moment),
            last_failure: self.last_failure.map(|failure| Failed {
                at: moment(failure.at),
                result: failure.verdict.as_str(),
                fault: failure.fault,
                status: failure.status,
            }),
            last_hour: Verdict::ALL.into_iter().map(count).collect(),
            answers: AnswerTimes {
                count: answers,
                mean_ms: divisor.map(|count| milliseconds(sum / count)),
                longest_ms: longest.filter(|_| answers > 0).map(milliseconds),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::record::example;

    fn all(traffic: &Traffic) -> Vec<u64> {
        traffic.asked(|_| true).asked.into_iter().map(|(_, count)| count).collect()
    }

    #[test]
    fn what_was_let_pass_is_counted_by_who_asked_what_of_whom() {
        let traffic = Traffic::default();
        traffic.note(&example());
        traffic.note(&example());
        traffic.note(&Record { finished: Finished::Refused, ..example() });
        traffic.note(&Record { practice: None, ..example() });
        let failed = Record { finished: Finished::Failed, fault: Some("x"), ..example() };
        traffic.note(&failed);
        assert_eq!(all(&traffic), [3], "a failed one was let pass too");
        assert!(traffic.asked(|_| false).asked.is_empty());
        let state = traffic.practice("A20047".parse().unwrap());
        assert_eq!((state.last_hour["good"], state.last_hour["refused"]), (2, 1));
        assert_eq!(state.last_success.as_deref(), Some("2026-11-23T08:01:40.123Z"));
        let failure = state.last_failure.unwrap();
        assert_eq!((failure.result, failure.fault), ("failed", Some("x")));
        assert_eq!(state.answers.count, 4);
        assert_eq!(state.answers.longest_ms, Some(11.0));
        let nothing = traffic.practice("B82617".parse().unwrap());
        assert!(nothing.last_success.is_none() && nothing.answers.mean_ms.is_none());
    }

    #[test]
    fn a_consumer_reaches_each_practice_once() {
        let traffic = Traffic::default();
        let ask = |code: &str, interaction| {
            let practice = Some((gpconnect::policy::PracticeIndex(0), code.parse().unwrap()));
            traffic.note(&Record { practice, interaction: Some(interaction), ..example() });
        };
        ask("A20047", InteractionId::ReadPatient);
        ask("A20047", InteractionId::BookAppointment);
        ask("B82617", InteractionId::ReadPatient);
        traffic.note(&Record { finished: Finished::Refused, ..example() });
        let expected = HashMap::from([("200000000359".parse().unwrap(), 2)]);
        assert_eq!(traffic.fan_out(), expected);
    }

    #[test]
    fn an_hour_later_it_is_forgotten_but_for_the_last_success() {
        let traffic = Traffic::default();
        traffic.note(&example());
        assert_eq!(all(&traffic), [1]);
        let began = traffic.ledger.lock().unwrap().hour.began;
        let after = |parts: u32| {
            traffic.ledger.lock().unwrap().go_on(began + PART * parts);
        };
        after(11);
        assert_eq!(traffic.ledger.lock().unwrap().asked.len(), 1, "55 minutes later");
        after(12);
        let ledger = traffic.ledger.lock().unwrap();
        assert!(ledger.asked.is_empty());
        let state = ledger.practices.values().next().unwrap().state();
        assert_eq!(state.last_hour["good"], 0);
        assert!(state.last_success.is_some());
    }

    #[test]
    fn what_finds_no_room_is_said() {
        let traffic = Traffic::default();
        for _ in 0..ROOM + 5 {
            traffic.note(&example());
        }
        let counted = traffic.asked(|_| true);
        assert_eq!(counted.uncounted, 5);
        assert_eq!(counted.asked.len(), 1);
    }
}
