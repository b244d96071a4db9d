//! What the gateway asks of its own accord (`[gateway.identity]`): for answers in memory before
//! anybody meets them stale, and for the capability statements of all practices. It asks as a
//! registered consumer, behind the same checks, and gives way to consumers: few requests at once, one
//! at a time behind a door, so many a minute, none while the gateway is busy, stops, or can't write
//! its journal.

mod ask;
mod budget;
mod errand;
mod judge;
mod ledger;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use foldhash::fast::RandomState;
use pingora::server::ShutdownWatch;
use tokio::{
    runtime::Handle,
    task::{Id, JoinError, JoinSet},
};
use tracing::info;

use self::{
    ask::Ended,
    budget::Budget,
    errand::Errand,
    judge::Judge,
    ledger::{Ledger, Outcome},
};
use super::service::Shared;
use crate::{
    cache::{Standing, Standings},
    snapshot::{Identity, Snapshot},
    telemetry::Own,
};

/// Requests at once.
const AT_ONCE: usize = 4;
/// How often it is looked for what is about to be stale, and whether anything may be asked.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is looked which statements are old.
const SURVEY: Duration = Duration::from_secs(2);
/// Errands that are looked at in one go: another task may have to run.
const AT_A_TIME: usize = 64;
/// How often it is forgotten what means nothing any more.
const FORGET: Duration = Duration::from_secs(3_600);
/// How long an answer is left alone at least that was to be had anew.
const REST: Duration = Duration::from_secs(1);

/// Asks for as long as it is polled, and until it is told to stop: what is under way then is cut. It
/// looks at all that is registered and in memory, so it is not for the threads that carry requests; its
/// own requests are `carrying`'s, where the connections to providers are.
pub async fn ask_of_own_accord(shared: Shared, carrying: Handle, mut stopping: ShutdownWatch) {
    let mut own = OwnAccord::new(shared, carrying);
    loop {
        let rest = own.turn();
        tokio::select! {
            _ = stopping.changed() => return,
            Some(ended) = own.under_way.join_next_with_id() => own.land(ended),
            () = tokio::time::sleep(rest) => {}
        }
    }
}

struct OwnAccord {
    shared: Shared,
    carrying: Handle,
    budget: Budget,
    ledger: Ledger,
    chance: RandomState,
    /// Answers that are about to be stale.
    refreshes: VecDeque<Errand>,
    crawls: VecDeque<Errand>,
    /// The statements of all practices of the configuration that was surveyed last.
    statements: Vec<Errand>,
    looked: Option<Instant>,
    /// When, and of which generation.
    surveyed: Option<(Instant, u64)>,
    forgot: Option<Instant>,
    under_way: JoinSet<Ended>,
    errands: HashMap<Id, Errand>,
    /// Requests so far.
    asked: u64,
    /// Whether it was said that it asks.
    is_told: bool,
}

impl OwnAccord {
    fn new(shared: Shared, carrying: Handle) -> Self {
        Self {
            shared,
            carrying,
            budget: Budget::default(),
            ledger: Ledger::default(),
            chance: RandomState::default(),
            refreshes: VecDeque::new(),
            crawls: VecDeque::new(),
            statements: Vec::new(),
            looked: None,
            surveyed: None,
            forgot: None,
            under_way: JoinSet::new(),
            errands: HashMap::new(),
            asked: 0,
            is_told: false,
        }
    }

    /// Looks for what there is to ask, and asks as much of it as may be asked now. Returns for how long
    /// nothing more is to be done, unless a request ends.
    fn turn(&mut self) -> Duration {
        let snapshot = self.shared.current.load();
        let Some(identity) = snapshot.identity.clone() else {
            self.rest();
            return LOOK;
        };
        if !self.is_told {
            let consumer = identity.asid();
            info!(%consumer, "the gateway asks of its own accord");
            self.is_told = true;
        }
        let now = Instant::now();
        self.look(&snapshot, &identity, now);
        if self.gives_way(&snapshot) {
            return LOOK;
        }
        for _ in 0..AT_A_TIME {
            let closed = self.budget.closed(now);
            if !closed.is_zero() {
                return closed.min(LOOK);
            }
            let errand = (self.under_way.len() < AT_ONCE).then(|| self.next(now, &snapshot));
            let Some(errand) = errand.flatten() else { return LOOK };
            self.send(errand, &snapshot, &identity, now);
        }
        Duration::ZERO
    }

    /// There is no identity: nothing is known of what is asked.
    fn rest(&mut self) {
        if std::mem::take(&mut self.is_told) {
            info!("the gateway asks nothing of its own accord any more");
            self.refreshes.clear();
            self.crawls.clear();
            self.statements.clear();
            self.ledger.clear();
            (self.looked, self.surveyed) = (None, None);
            self.stand(Standings::default());
        }
    }

    /// Whether nothing may be asked now.
    fn gives_way(&self, snapshot: &Snapshot) -> bool {
        let Shared { health, telemetry, .. } = &self.shared;
        let in_flight = usize::try_from(telemetry.metrics.in_flight.get()).unwrap_or_default();
        is_busy(in_flight, snapshot.limits.in_flight)
            || health.is_draining()
            || !health.is_audited()
    }

    fn look(&mut self, snapshot: &Snapshot, identity: &Identity, now: Instant) {
        let is_over = |at: Instant, every| now.saturating_duration_since(at) >= every;
        if identity.settings.refresh && self.looked.is_none_or(|at| is_over(at, LOOK)) {
            self.looked = Some(now);
            self.refreshes = errand::refreshes(self.shared.cache.due(), snapshot);
        }
        if !identity.settings.refresh {
            self.refreshes.clear();
        }
        let generation = snapshot.generation;
        let is_new = self.surveyed.is_none_or(|(_, of)| of != generation);
        if is_new {
            let crawls = identity.settings.crawl_every.is_some();
            self.statements = if crawls { errand::statements(snapshot) } else { Vec::new() };
        }
        if is_new || self.surveyed.is_none_or(|(at, _)| is_over(at, SURVEY)) {
            self.surveyed = Some((now, generation));
            self.survey(snapshot, identity, now);
        }
        if self.forgot.is_none_or(|at| is_over(at, FORGET)) {
            self.forgot = Some(now);
            self.ledger.forget(self.statements.iter().chain(&self.refreshes), now);
        }
    }

    fn survey(&mut self, snapshot: &Snapshot, identity: &Identity, now: Instant) {
        let told = self.shared.cache.statements().told();
        let judge = Judge {
            told: &told,
            ledger: &self.ledger,
            generation: snapshot.generation,
            every: identity.settings.crawl_every.unwrap_or_default(),
            chance: &self.chance,
            now: (now, SystemTime::now()),
        };
        let (due, standings) = judge.crawl(&self.statements);
        self.crawls = due;
        self.stand(standings);
    }

    fn stand(&self, standings: Standings) {
        let gauge = &self.shared.telemetry.metrics.own.statements;
        for word in Standing::WORDS {
            let count = standings.values().filter(|standing| standing.as_str() == word).count();
            gauge.with_label_values(&[word]).set(count.try_into().unwrap_or(i64::MAX));
        }
        self.shared.cache.statements().stand(standings);
    }

    /// The next errand that may be done: for what consumers would wait for before what the map lacks, but
    /// for one in four, so that the map is not forgotten.
    fn next(&mut self, now: Instant, snapshot: &Snapshot) -> Option<Errand> {
        let (ledger, generation) = (&self.ledger, snapshot.generation);
        let mut queues = [&mut self.refreshes, &mut self.crawls];
        if self.asked % 4 == 3 {
            queues.reverse();
        }
        queues.into_iter().find_map(|queue| {
            let may = |errand: &Errand| ledger.may_ask(errand, now, generation);
            let place = queue.iter().position(may)?;
            queue.remove(place)
        })
    }

    fn send(
        &mut self,
        errand: Errand,
        snapshot: &Arc<Snapshot>,
        identity: &Identity,
        now: Instant,
    ) {
        match ask::prepare(&errand, snapshot, identity, &self.shared) {
            Ok(ready) => {
                let per_minute = identity.settings.requests_per_minute;
                self.budget.spend(now, per_minute, random());
                self.ledger.begin(&errand);
                self.asked += 1;
                let shared = self.shared.clone();
                let asking = async move { ask::ask(ready, &shared).await };
                let task = self.under_way.spawn_on(asking, &self.carrying);
                self.errands.insert(task.id(), errand);
            }
            Err(fault) => {
                self.end(&errand, (Outcome::Refused(fault, snapshot.generation), "refused"));
            }
        }
    }

    /// A request has ended; one that panicked too, or its door would be shut for ever.
    fn land(&mut self, ended: Result<(Id, Ended), JoinError>) {
        let (id, ended) = match ended {
            Ok(ended) => ended,
            Err(fault) => (fault.id(), (Outcome::Unable("gateway_fault"), "failed")),
        };
        if let Some(errand) = self.errands.remove(&id) {
            self.end(&errand, ended);
        }
    }

    fn end(&mut self, errand: &Errand, (outcome, word): Ended) {
        self.shared.telemetry.metrics.own.count(errand.own, word);
        let rest = match errand.own {
            Own::Refresh => REST,
            // What was said could be read or not: it is not asked for again at once.
            Own::Crawl => self.every() / 2,
        };
        self.ledger.end(errand, outcome, rest, Instant::now(), random());
    }

    fn every(&self) -> Duration {
        let snapshot = self.shared.current.peek();
        let identity = snapshot.identity.as_ref();
        identity.and_then(|identity| identity.settings.crawl_every).unwrap_or_default()
    }
}

/// Whether half of the requests that there may be at once are there.
const fn is_busy(in_flight: usize, most: usize) -> bool {
    in_flight.saturating_mul(2) >= most
}

fn random() -> u32 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    u32::try_from(high >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::is_busy;

    #[test]
    fn a_gateway_is_busy_with_half_of_what_it_can_do() {
        for (in_flight, most, expected) in [
            (0, 1, false),
            (1, 1, true),
            (0, 2, false),
            (1, 2, true),
            (1, 3, false),
            (2, 3, true),
            (999, 2_000, false),
            (1_000, 2_000, true),
            (usize::MAX, 1_000_000, true),
        ] {
            assert_eq!(is_busy(in_flight, most), expected, "{in_flight} of {most}");
        }
    }
}
