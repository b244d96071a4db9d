//! The one thread that writes the journal. It gathers records, writes them together, waits until
//! they are durable, and only then lets their requests go on.
//!
//! What can't be written ends the epoch at its last durable record: after a failed `fsync` a second
//! one that succeeds proves nothing. Until a new epoch can begin, requests are refused. On a full disk
//! it begins in the reserve, for the ends of those that are under way.

mod commit;
mod faults;
mod gathering;
mod renew;
mod space;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use tracing::{error, warn};

use super::{
    checkpoint::Checkpoint,
    epoch::Epoch,
    home::Home,
    keys::Keys,
    place::Place,
    queue::{Entry, Queue},
    record::{Body, begun},
    refusals::{Caller, Flooding, Refusals},
    reserve::Reserve,
    seal::Sealer,
    segment::Previous,
    witness::Witness,
};
use crate::{
    config::Audit,
    telemetry::{Health, Telemetry},
};
use faults::Standing;
use gathering::Gathering;
use space::Space;

/// How long records wait that nobody waits for.
const LEISURE: Duration = Duration::from_millis(200);
/// How often the writer looks around when it has nothing to do.
const REST: Duration = Duration::from_millis(50);
/// How often checkpoints are signed while records arrive.
const CHECKPOINTS: Duration = Duration::from_millis(900);
/// Records of one commit: what is more waits for the next.
const MOST: usize = 4_096;

/// The writer and all that it knows.
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) settings: Audit,
    pub(super) keys: Arc<Keys>,
    /// The keys to go over to.
    wanted: Arc<ArcSwap<Keys>>,
    pub(super) health: Arc<Health>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) beside: Beside,
    pub(super) state: State,
    batch: Vec<Entry>,
    lines: Vec<u8>,
    /// The intents without outcome, by ticket.
    open: HashMap<u64, Place, RandomState>,
    refusals: Refusals,
    /// All before this was removed, or is to be.
    pub(super) removed: Option<Place>,
    removal: Option<Removal>,
    space: Space,
    standing: Standing,
    /// Those of `batch` that somebody waits for, and since when the oldest of the others is there.
    gathering: Gathering,
    resting_since: Option<Instant>,
    /// Since when the oldest of all is there, also while nothing can be written.
    behind_since: Option<Instant>,
    checked: Instant,
    /// What the last checkpoint covers.
    covered: (u64, u64),
}

/// The threads that work beside the writer, and the room that is kept for it.
pub(super) struct Beside {
    pub(super) witness: Witness,
    pub(super) sealer: Sealer,
    pub(super) reserve: Reserve,
}

/// A removal on its way: files go when a checkpoint covers the record that says so.
#[derive(Clone, Copy)]
enum Removal {
    /// The record of the removal of all before this waits to be written.
    Waiting(Place),
    /// It is durable, among the first so many of an epoch.
    Durable(Place, (u64, u64)),
}

/// Whether there is an epoch to write.
pub(super) enum State {
    /// There is.
    Open(Box<Epoch>),
    /// There is none since the last one failed.
    Broken {
        /// The number for the next one.
        next: u64,
        /// How those ended of which that was not told yet.
        previous: Vec<Previous>,
        /// When to try again.
        again: Instant,
    },
}

impl Writer {
    pub(super) fn new(
        queue: Arc<Queue>,
        settings: Audit,
        wanted: Arc<ArcSwap<Keys>>,
        health: Arc<Health>,
        telemetry: Arc<Telemetry>,
        beside: Beside,
        epoch: Epoch,
    ) -> Self {
        telemetry.metrics.audit.writable.set(1);
        let home = Home::new(settings.directory.clone());
        Self {
            queue,
            settings,
            keys: wanted.load_full(),
            wanted,
            health,
            telemetry,
            beside,
            state: State::Open(Box::new(epoch)),
            batch: Vec::new(),
            lines: Vec::new(),
            open: HashMap::default(),
            refusals: Refusals::new(),
            removed: None,
            removal: None,
            space: Space::default(),
            standing: Standing::new(home),
            gathering: Gathering::behind(0),
            resting_since: None,
            behind_since: None,
            checked: Instant::now(),
            covered: (0, 0),
        }
    }

    /// Who is refused so often that it is only counted.
    pub(super) fn flooding(&self) -> Flooding {
        self.refusals.flooding()
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        self.queue.serve();
        loop {
            let closing = self.queue.is_closing();
            let now = Instant::now();
            self.take(now);
            self.look_around(now, false);
            if self.is_due(now) || closing {
                self.commit();
            } else {
                let (waiters, most) = self.gathering.pause(now).unwrap_or((1, REST));
                self.queue.sleep(waiters, most);
            }
            if closing && self.queue.len() == 0 {
                self.end();
                return;
            }
        }
    }

    fn take(&mut self, now: Instant) {
        // Without an epoch nobody waits behind what can't be written.
        while (self.batch.len() < MOST || matches!(self.state, State::Broken { .. }))
            && let Some(entry) = self.queue.pop()
        {
            match entry {
                Entry::Refusal { caller, fault, body } => {
                    let singly = self.lets_pass() && !self.space.is_scarce;
                    match body {
                        Some(body) if singly && self.refusals.singly(caller, now) => {
                            self.add(Entry::Refusal { caller, fault, body: Some(body) }, now);
                        }
                        _ => self.count(caller, fault),
                    }
                }
                entry @ (Entry::Intent { .. } | Entry::Outcome { .. } | Entry::Event { .. }) => {
                    self.add(entry, now);
                }
            }
        }
    }

    fn add(&mut self, entry: Entry, now: Instant) {
        if entry.waits() {
            self.gathering.add(now);
        } else {
            self.resting_since.get_or_insert(now);
        }
        self.behind_since.get_or_insert(now);
        self.batch.push(entry);
    }

    fn count(&mut self, caller: Caller, fault: &'static str) {
        self.refusals.count(caller, fault);
        self.telemetry.metrics.audit.summarised.inc();
    }

    fn is_due(&mut self, now: Instant) -> bool {
        // Whom nothing can be written for is to know at once.
        let is_due = if self.lets_pass() {
            self.gathering.is_due(now)
        } else {
            self.gathering.pause(now).is_some()
        };
        let is_open = matches!(self.state, State::Open(_));
        let is_rested =
            self.resting_since.is_some_and(|since| now.duration_since(since) >= LEISURE);
        is_due || (is_rested && is_open) || self.batch.len() >= MOST
    }

    /// Says that what is not to be kept will go, and lets it go when that can't be denied any more.
    fn retain(&mut self, now: Instant) {
        match self.removal {
            Some(Removal::Waiting(_)) => {}
            Some(Removal::Durable(before, size)) => {
                if self.covered >= size && self.beside.sealer.remove(before) {
                    self.removal = None;
                }
            }
            None => {
                // The outcome of what is still under way is to find its intent.
                let oldest = self.open.values().min().copied();
                let Some(point) = self.beside.sealer.plan(oldest) else { return };
                if Some(point.before) > self.removed {
                    self.removal = Some(Removal::Waiting(point.before));
                    let body = point.record();
                    self.add(Entry::Event { kind: "removed", body, durable: None }, now);
                }
            }
        }
    }

    fn rotate(&mut self) {
        // A full disk has no room for another segment.
        if !self.lets_pass() {
            return;
        }
        let State::Open(epoch) = &mut self.state else { return };
        let is_full = epoch.segment_bytes() >= self.settings.segment_bytes;
        if !is_full && epoch.segment_since().elapsed() < self.settings.segment_age {
            return;
        }
        self.begin_segment();
    }

    fn begin_segment(&mut self) {
        let State::Open(epoch) = &mut self.state else { return };
        let durable = epoch.tree().clone();
        let open: Vec<_> = self.open.values().copied().collect();
        match epoch.rotate(&self.keys.recipients, &open, self.removed) {
            Ok(()) => self.beside.sealer.wake(),
            Err(fault) => self.fail(&durable, &fault),
        }
    }

    /// What is done from time to time.
    fn look_around(&mut self, now: Instant, ends: bool) {
        self.watch(now);
        self.resume(now);
        self.replenish(now);
        self.renew(now);
        let lets_pass = self.lets_pass();
        // What was counted waits for room: there may be no end of it.
        if lets_pass || (ends && matches!(self.state, State::Open(_))) {
            for body in self.refusals.take(now, ends) {
                self.add(Entry::Event { kind: "refusals", body, durable: None }, now);
            }
        }
        if now.duration_since(self.checked) < CHECKPOINTS && !ends {
            return;
        }
        self.checked = now;
        // A request that waited too long may have said otherwise.
        self.health.audit(lets_pass);
        let metrics = &self.telemetry.metrics.audit;
        if self.batch.is_empty() {
            self.behind_since = None;
        }
        let lag = self.behind_since.map_or(0, |since| now.duration_since(since).as_secs());
        metrics.lag.set(lag.try_into().unwrap_or(i64::MAX));
        metrics.waiting.set(i64::try_from(self.queue.len() + self.batch.len()).unwrap_or(i64::MAX));
        self.measure(now);
        self.rotate();
        if let State::Open(epoch) = &self.state {
            let checkpoint = Checkpoint::of(epoch.number(), epoch.tree());
            self.sign(&checkpoint);
            self.retain(now);
        }
        let unwitnessed = self.beside.witness.unwitnessed().as_secs();
        self.telemetry.metrics.audit.unwitnessed.set(unwitnessed.try_into().unwrap_or(i64::MAX));
    }

    /// Signs what is durable, unless that is what was signed last.
    fn sign(&mut self, checkpoint: &Checkpoint) {
        let covers = (checkpoint.epoch, checkpoint.size);
        if covers == self.covered {
            return;
        }
        match checkpoint.sign(&self.keys.signer) {
            Ok(note) => {
                self.beside.witness.publish(checkpoint.epoch, note);
                self.covered = covers;
            }
            Err(fault) => error!(%fault, "audit checkpoint can't be signed"),
        }
    }

    /// Closes the journal: requests that are still under way get no outcome from anybody else.
    fn end(&mut self) {
        let now = Instant::now();
        self.look_around(now, true);
        let tickets: Vec<_> = self.open.keys().copied().collect();
        let outcomes = self.batch.iter().filter_map(|entry| match entry {
            Entry::Outcome { ticket, .. } => Some(*ticket),
            Entry::Intent { .. } | Entry::Refusal { .. } | Entry::Event { .. } => None,
        });
        let told: Vec<_> = outcomes.collect();
        for ticket in tickets.into_iter().filter(|ticket| !told.contains(ticket)) {
            self.add(Entry::Outcome { ticket, body: unknown() }, now);
        }
        let body = super::record::event("the gateway stopped");
        self.add(Entry::Event { kind: "end", body, durable: None }, now);
        self.commit();
        if let State::Open(epoch) = &self.state {
            if let Err(fault) = epoch.trim() {
                warn!(%fault, "the last audit segment keeps room that it does not need");
            }
            let checkpoint = Checkpoint::of(epoch.number(), epoch.tree());
            self.sign(&checkpoint);
        }
        self.beside.reserve.remove();
        self.beside.witness.finish();
        self.beside.sealer.finish();
    }
}

/// The outcome of a request of which nobody can tell it any more.
pub(super) fn unknown() -> Body {
    let mut clear = begun(SystemTime::now());
    clear.word("result", "unknown");
    clear.word("note", "outcome unknown, gateway stopped");
    Body { clear: clear.into_members(), sealed: Vec::new() }
}
