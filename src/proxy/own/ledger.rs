//! What came of asking: who is let be for a while, and who is being asked.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use foldhash::fast::RandomState;
use gpconnect::{caching::Question, names::ServiceRoot};

use super::{budget::share, errand::Errand};

/// How long it is waited behind a first failure; twice as long behind each further one, up to
/// [`LONGEST`].
const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(3_600);

/// What came of the last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// An answer that is kept now.
    Answered,
    /// Another answer; for this it is not kept.
    NotKept(&'static str),
    /// None, for this: whatever else is behind the same door may not answer either.
    Silent(&'static str),
    /// The gateway itself was not able to ask, for this.
    Unable(&'static str),
    /// The configuration of this generation does not let it be asked, for this.
    Refused(&'static str, u64),
}

impl Outcome {
    /// Why there is no answer.
    const fn fault(self) -> Option<&'static str> {
        match self {
            Self::Answered => None,
            Self::NotKept(fault)
            | Self::Silent(fault)
            | Self::Unable(fault)
            | Self::Refused(fault, _) => Some(fault),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    outcome: Outcome,
    failures: u32,
    /// When it may be asked again.
    until: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Door {
    failures: u32,
    until: Instant,
}

/// All attempts that still mean something. It holds at most one for each question that may be asked,
/// and those of the last hour.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    attempts: HashMap<(ServiceRoot, Question), Attempt, RandomState>,
    /// Doors behind which nobody answered.
    doors: HashMap<Arc<str>, Door, RandomState>,
    /// Doors behind which somebody is being asked.
    busy: HashSet<Arc<str>, RandomState>,
}

impl Ledger {
    /// Whether this may be asked now, by a configuration of this generation.
    pub(super) fn may_ask(&self, errand: &Errand, now: Instant, generation: u64) -> bool {
        let is_shut = self.doors.get(&errand.door).is_some_and(|door| now < door.until);
        !is_shut && !self.busy.contains(&errand.door) && self.is_due(errand, now, generation)
    }

    /// Whether it would make sense to ask, as far as the last attempt says.
    pub(super) fn is_due(&self, errand: &Errand, now: Instant, generation: u64) -> bool {
        match self.attempts.get(&errand.key()) {
            Some(Attempt { outcome: Outcome::Refused(_, of), .. }) => *of != generation,
            Some(attempt) => now >= attempt.until,
            None => true,
        }
    }

    /// Why the last attempt brought no answer, and whether that was a refusal by this generation.
    pub(super) fn fault(&self, errand: &Errand, generation: u64) -> Option<(&'static str, bool)> {
        let outcome = self.attempts.get(&errand.key())?.outcome;
        if let Outcome::Refused(fault, of) = outcome {
            return (of == generation).then_some((fault, true));
        }
        Some((outcome.fault()?, false))
    }

    /// It is being asked.
    pub(super) fn begin(&mut self, errand: &Errand) {
        self.busy.insert(Arc::clone(&errand.door));
    }

    /// It has been asked, or could not be. `rest` is how long an answer is good at least.
    pub(super) fn end(
        &mut self,
        errand: &Errand,
        outcome: Outcome,
        rest: Duration,
        now: Instant,
        random: u32,
    ) {
        self.busy.remove(&errand.door);
        let failures = self.attempts.get(&errand.key()).map_or(0, |attempt| attempt.failures);
        let (failures, until) = match outcome {
            Outcome::Answered => (0, now + rest),
            Outcome::Refused(..) => (0, now + LONGEST),
            Outcome::NotKept(_) | Outcome::Silent(_) | Outcome::Unable(_) => {
                (failures.saturating_add(1), now + backoff(failures, random))
            }
        };
        self.attempts.insert(errand.key(), Attempt { outcome, failures, until });
        match outcome {
            Outcome::Silent(_) => {
                let door = self.doors.get(&errand.door);
                let failures = door.map_or(0, |door| door.failures);
                let until = now + backoff(failures, random);
                let door = Door { failures: failures.saturating_add(1), until };
                self.doors.insert(Arc::clone(&errand.door), door);
            }
            Outcome::Answered | Outcome::NotKept(_) => {
                self.doors.remove(&errand.door);
            }
            Outcome::Unable(_) | Outcome::Refused(..) => {}
        }
    }

    /// Forgets what means nothing any more: attempts that are over, of questions that nobody has.
    pub(super) fn forget<'e>(&mut self, asked: impl Iterator<Item = &'e Errand>, now: Instant) {
        let asked: HashSet<_, RandomState> = asked.map(Errand::key).collect();
        self.attempts.retain(|key, attempt| asked.contains(key) || now < attempt.until);
        self.doors.retain(|_, door| now < door.until + LONGEST);
    }

    /// Forgets everything but who is being asked.
    pub(super) fn clear(&mut self) {
        self.attempts.clear();
        self.doors.clear();
    }
}

/// How long to wait behind so many failures and one more; up to a fifth longer by a random number.
fn backoff(failures: u32, random: u32) -> Duration {
    let wait = FIRST.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(LONGEST);
    wait + share(wait / 5, random)
}

#[cfg(test)]
mod tests {
    use gpconnect::{facts::Fields, interaction::InteractionId};

    use super::*;
    use crate::telemetry::Own;

    fn errand(practice: &str, door: &str) -> Errand {
        let root = format!("https://gp.example/{practice}/STU3/1/gpconnect");
        let id = InteractionId::ReadMetadata;
        Errand {
            own: Own::Crawl,
            root: root.parse().unwrap(),
            question: Question::of(id, "metadata", &Fields::default()).unwrap(),
            door: door.into(),
        }
    }

    const REST: Duration = Duration::from_secs(60);

    #[test]
    fn one_is_asked_at_a_time_behind_a_door() {
        let (now, mut ledger) = (Instant::now(), Ledger::default());
        let (one, neighbour, other) =
            (errand("A20047", "a"), errand("B83617", "a"), errand("C81007", "b"));
        ledger.begin(&one);
        let may = |ledger: &Ledger, errand| ledger.may_ask(errand, now, 1);
        assert!(!may(&ledger, &one) && !may(&ledger, &neighbour) && may(&ledger, &other));
        ledger.end(&one, Outcome::Answered, REST, now, 0);
        assert!(may(&ledger, &neighbour));
        assert!(!may(&ledger, &one), "it has just answered");
        assert!(ledger.may_ask(&one, now + REST, 1));
    }

    #[test]
    fn what_fails_is_asked_ever_less_often() {
        let (mut now, mut ledger) = (Instant::now(), Ledger::default());
        let one = errand("A20047", "a");
        for seconds in [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600] {
            ledger.end(&one, Outcome::NotKept("answer_not_kept"), REST, now, 0);
            let wait = Duration::from_secs(seconds);
            let last = now + wait - Duration::from_millis(1);
            assert!(!ledger.may_ask(&one, last, 1), "{seconds}");
            assert!(ledger.may_ask(&one, now + wait, 1), "{seconds}");
            assert_eq!(ledger.fault(&one, 1), Some(("answer_not_kept", false)));
            now += wait;
        }
        ledger.end(&one, Outcome::Answered, REST, now, 0);
        assert_eq!(ledger.fault(&one, 1), None);
        ledger.end(&one, Outcome::NotKept("x"), REST, now, u32::MAX);
        assert!(!ledger.may_ask(&one, now + Duration::from_millis(35_999), 1), "by chance later");
        assert!(ledger.may_ask(&one, now + Duration::from_secs(36), 1), "from the beginning");
    }

    #[test]
    fn who_is_silent_keeps_others_behind_the_door_from_being_asked() {
        let (now, mut ledger) = (Instant::now(), Ledger::default());
        let (one, neighbour) = (errand("A20047", "a"), errand("B83617", "a"));
        let after = |seconds| now + Duration::from_secs(seconds);
        ledger.end(&one, Outcome::Silent("upstream_timeout"), REST, now, 0);
        assert!(!ledger.may_ask(&neighbour, after(29), 1));
        assert!(ledger.is_due(&neighbour, after(29), 1), "for itself");
        assert!(ledger.may_ask(&neighbour, after(30), 1));
        ledger.end(&neighbour, Outcome::Silent("upstream_timeout"), REST, after(30), 0);
        assert!(!ledger.may_ask(&errand("C81007", "a"), after(89), 1), "the second in a row");
        ledger.end(&neighbour, Outcome::NotKept("x"), REST, after(90), 0);
        assert!(ledger.may_ask(&errand("C81007", "a"), after(90), 1), "it speaks again");
        ledger.end(&one, Outcome::Unable("audit_unavailable"), REST, after(90), 0);
        assert!(ledger.may_ask(&errand("C81007", "a"), after(90), 1), "not its fault");
    }

    #[test]
    fn what_is_refused_is_refused_until_the_configuration_changes() {
        let (now, mut ledger) = (Instant::now(), Ledger::default());
        let one = errand("A20047", "a");
        ledger.end(&one, Outcome::Refused("no_agreement", 7), REST, now, 0);
        let later = now + LONGEST * 100;
        assert!(!ledger.may_ask(&one, now, 7) && !ledger.may_ask(&one, later, 7));
        assert!(ledger.may_ask(&one, now, 8));
        assert_eq!(ledger.fault(&one, 7), Some(("no_agreement", true)));
        assert_eq!(ledger.fault(&one, 8), None);
    }

    #[test]
    fn only_what_still_means_something_is_held() {
        let (now, mut ledger) = (Instant::now(), Ledger::default());
        let (one, other) = (errand("A20047", "a"), errand("B83617", "b"));
        for errand in [&one, &other] {
            ledger.end(errand, Outcome::Silent("x"), REST, now, 0);
        }
        ledger.forget([&one].into_iter(), now + Duration::from_secs(29));
        assert_eq!((ledger.attempts.len(), ledger.doors.len()), (2, 2));
        ledger.forget([&one].into_iter(), now + LONGEST);
        assert_eq!((ledger.attempts.len(), ledger.doors.len()), (1, 2));
        ledger.forget([&one].into_iter(), now + LONGEST * 3);
        assert_eq!((ledger.attempts.len(), ledger.doors.len()), (1, 0));
        ledger.begin(&one);
        ledger.clear();
        assert!(ledger.attempts.is_empty() && !ledger.may_ask(&one, now, 1), "it is being asked");
    }
}
