//! Which statements are old enough to be asked for, by what is known of them and what came of the last
//! time.

use std::{
    collections::VecDeque,
    hash::BuildHasher,
    time::{Duration, Instant, SystemTime},
};

use foldhash::fast::RandomState;
use gpconnect::names::ServiceRoot;

use super::{budget::share, errand::Errand, ledger::Ledger};
use crate::cache::{Standing, Standings, Told};

/// By what it is judged which statements are to be asked for.
pub(super) struct Judge<'j> {
    /// What is known of statements.
    pub(super) told: &'j hashbrown::HashMap<ServiceRoot, Told, RandomState>,
    /// What came of asking.
    pub(super) ledger: &'j Ledger,
    /// The generation of the configuration.
    pub(super) generation: u64,
    /// How old what is known may get.
    pub(super) every: Duration,
    /// What tells service roots apart by chance, for as long as the process runs.
    pub(super) chance: &'j RandomState,
    /// Now, on both clocks.
    pub(super) now: (Instant, SystemTime),
}

impl Judge<'_> {
    /// Which of these are to be asked for, the oldest first, and how it stands with all of them.
    pub(super) fn crawl(&self, all: &[Errand]) -> (VecDeque<Errand>, Standings) {
        let standings = all.iter().map(|errand| (errand.root.clone(), self.standing(errand)));
        let standings = standings.collect();
        let due = all.iter().filter(|errand| self.is_due(errand));
        let mut due: Vec<_> = due.map(|errand| (self.order(errand), errand)).collect();
        due.sort_unstable_by_key(|(order, _)| *order);
        (due.into_iter().map(|(_, errand)| errand.clone()).collect(), standings)
    }

    fn age(&self, errand: &Errand) -> Option<Duration> {
        let told = self.told.get(&errand.root)?;
        // A clock that was set back makes it as good as new.
        Some(self.now.1.duration_since(told.at).unwrap_or_default())
    }

    /// Up to a tenth before its time, so that what was asked at one time is not asked again at one
    /// time.
    fn is_due(&self, errand: &Errand) -> bool {
        let early = share(self.every / 10, self.lot(errand));
        let is_old = self.age(errand).is_none_or(|age| age >= self.every.saturating_sub(early));
        is_old && self.ledger.is_due(errand, self.now.0, self.generation)
    }

    /// What was never seen comes first, then the oldest; among equals chance decides, so that the
    /// practices of one supplier don't stand in a row.
    fn order(&self, errand: &Errand) -> (SystemTime, u32) {
        let seen = self.told.get(&errand.root).map_or(SystemTime::UNIX_EPOCH, |told| told.at);
        (seen, self.lot(errand))
    }

    fn lot(&self, errand: &Errand) -> u32 {
        let [a, b, c, d, ..] = self.chance.hash_one(&errand.root).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    fn standing(&self, errand: &Errand) -> Standing {
        let is_fresh = self.age(errand).is_some_and(|age| age < self.every);
        match self.ledger.fault(errand, self.generation) {
            Some((fault, true)) => Standing::Refused(fault),
            Some(_) | None if is_fresh => Standing::Fresh,
            Some((fault, false)) => Standing::Failing(fault),
            None => Standing::Behind,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gpconnect::{
        caching::{Question, Statement},
        facts::Fields,
        interaction::InteractionId,
    };

    use super::*;
    use crate::{proxy::own::ledger::Outcome, telemetry::Own};

    const EVERY: Duration = Duration::from_secs(1_000);

    /// Errands of one practice after the other, the last statements of the first ones so old.
    struct Region {
        all: Vec<Errand>,
        told: hashbrown::HashMap<ServiceRoot, Told, RandomState>,
        ledger: Ledger,
        chance: RandomState,
        now: (Instant, SystemTime),
    }

    impl Region {
        fn new(count: usize, ages: &[u64]) -> Self {
            let id = InteractionId::ReadMetadata;
            let question = Question::of(id, "metadata", &Fields::default()).unwrap();
            let errand = |number| Errand {
                own: Own::Crawl,
                root: format!("https://gp.example/A{number:05}/STU3/1/gpconnect").parse().unwrap(),
                question: question.clone(),
                door: format!("door {number}").into(),
            };
            let all: Vec<_> = (0..count).map(errand).collect();
            let now = (Instant::now(), SystemTime::now());
            let told = |(errand, age): (&Errand, &u64)| {
                let at = now.1 - Duration::from_secs(*age);
                let statement = Arc::new(Statement::default());
                (errand.root.clone(), Told { statement, at, since: at })
            };
            let told = all.iter().zip(ages).map(told).collect();
            let (ledger, chance) = (Ledger::default(), RandomState::default());
            Self { all, told, ledger, chance, now }
        }

        /// What is due a while later, by its place, and how it stands with all.
        fn crawl(&self, later: Duration) -> (Vec<usize>, Vec<&'static str>) {
            let judge = Judge {
                told: &self.told,
                ledger: &self.ledger,
                generation: 1,
                every: EVERY,
                chance: &self.chance,
                now: (self.now.0 + later, self.now.1 + later),
            };
            let (due, standings) = judge.crawl(&self.all);
            let place =
                |errand: Errand| self.all.iter().position(|one| one.root == errand.root).unwrap();
            let words = self.all.iter().map(|one| standings[&one.root].as_str()).collect();
            (due.into_iter().map(place).collect(), words)
        }
    }

    #[test]
    fn what_is_old_is_due_and_the_oldest_first() {
        let region = Region::new(5, &[10, 1_000, 5_000, 899]);
        let (due, standings) = region.crawl(Duration::ZERO);
        assert_eq!(due, [4, 2, 1], "never seen, then by age");
        assert_eq!(standings, ["fresh", "behind", "behind", "fresh", "behind"]);
        let (due, standings) = region.crawl(EVERY);
        assert_eq!(due, [4, 2, 1, 3, 0]);
        assert_eq!(standings, ["behind"; 5]);
    }

    #[test]
    fn what_fails_or_is_refused_is_told_and_let_be() {
        let mut region = Region::new(4, &[10, 10]);
        let rest = Duration::from_secs(1);
        for (place, outcome) in [
            (0, Outcome::NotKept("x")),
            (1, Outcome::Refused("no_agreement", 1)),
            (2, Outcome::Refused("switched_off", 1)),
            (3, Outcome::Silent("upstream_timeout")),
        ] {
            region.ledger.end(&region.all[place], outcome, rest, region.now.0, 0);
        }
        let (due, standings) = region.crawl(Duration::ZERO);
        assert_eq!(due, [0; 0]);
        assert_eq!(standings, ["fresh", "refused", "refused", "failing"]);
        assert_eq!(region.crawl(Duration::from_secs(30)).0, [3], "its time has come");
        assert_eq!(region.crawl(EVERY).0, [3, 0], "what is refused stays so");
    }

    /// What came in at one time is not asked for again at one time, and never late.
    #[test]
    fn a_region_is_spread_over_a_tenth_of_the_time() {
        const COUNT: usize = 1_000;
        let region = Region::new(COUNT, &[0; COUNT]);
        let due = |share: u32| region.crawl(EVERY * share / 100).0.len();
        assert_eq!(due(89), 0);
        let half = due(95);
        assert!((400..600).contains(&half), "{half}");
        assert_eq!(due(100), COUNT);
        let in_order = region.crawl(EVERY).0.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(!in_order, "chance decides among equals");
    }
}
