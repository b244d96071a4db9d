//! The one thread that writes the journal. It gathers records, writes them together, waits until
//! they are durable, and only then lets their requests go on.
//!
//! What can't be written ends the epoch at its last durable record: after a failed `fsync` a second
//! one that succeeds proves nothing. Until a new epoch can begin, requests are refused.

mod renew;

use std::{
    collections::HashMap,
    fs, io, mem,
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use tracing::{error, info};

use super::{
    checkpoint::Checkpoint,
    epoch::{Epoch, Start},
    keys::Keys,
    place::Place,
    queue::{Entry, Queue, TOGETHER},
    record::{Body, begun},
    recovery,
    refusals::{Caller, Flooding, Refusals},
    seal::Sealer,
    segment::{End, Previous},
    tree::Edge,
    witness::Witness,
};
use crate::{
    config::Audit,
    telemetry::{Health, Telemetry},
};

/// How old the oldest waiter of a commit grows.
const PATIENCE: Duration = Duration::from_millis(1);
/// How long records wait that nobody waits for.
const LEISURE: Duration = Duration::from_millis(200);
/// How often the writer looks around when it has nothing to do.
const REST: Duration = Duration::from_millis(50);
/// How often checkpoints are signed while records arrive.
const CHECKPOINTS: Duration = Duration::from_millis(900);
/// How often it is tried whether the journal can be written again.
const AGAIN: Duration = Duration::from_millis(200);
/// Records of one commit: what is more waits for the next.
const MOST: usize = 4_096;
/// How often the space that is left is looked at.
const SPACE: Duration = Duration::from_secs(5);
/// Below this share of free space, in percent, refusals are only counted.
const SCARCE: u64 = 20;

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
    scarce: bool,
    /// When the space that is left was looked at.
    measured: Option<Instant>,
    /// Since when the oldest of `batch` is there: of those somebody waits for, and of the others.
    waiting_since: Option<Instant>,
    resting_since: Option<Instant>,
    /// Since when the oldest of all is there, also while nothing can be written.
    behind_since: Option<Instant>,
    checked: Instant,
    /// What the last checkpoint covers.
    covered: (u64, u64),
}

/// The threads that work beside the writer.
pub(super) struct Beside {
    pub(super) witness: Witness,
    pub(super) sealer: Sealer,
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
            scarce: false,
            measured: None,
            waiting_since: None,
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
            self.take();
            let now = Instant::now();
            self.look_around(now, false);
            if self.is_due(now) || closing {
                self.commit();
            } else {
                let (waiters, most) = self.pause(now);
                self.queue.sleep(waiters, most);
            }
            if closing && self.queue.len() == 0 {
                self.end();
                return;
            }
        }
    }

    fn take(&mut self) {
        // Without an epoch nobody waits behind what can't be written.
        while (self.batch.len() < MOST || matches!(self.state, State::Broken { .. }))
            && let Some(entry) = self.queue.pop()
        {
            let now = Instant::now();
            match entry {
                Entry::Refusal { caller, fault, body } => {
                    let singly = matches!(self.state, State::Open(_)) && !self.scarce;
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
        let since = if entry.waits() { &mut self.waiting_since } else { &mut self.resting_since };
        since.get_or_insert(now);
        self.behind_since.get_or_insert(now);
        self.batch.push(entry);
    }

    fn count(&mut self, caller: Caller, fault: &'static str) {
        self.refusals.count(caller, fault);
        self.telemetry.metrics.audit.summarised.inc();
    }

    fn is_due(&self, now: Instant) -> bool {
        let is_past = |since: Option<Instant>, most: Duration| {
            since.is_some_and(|since| now.duration_since(since) >= most)
        };
        let broken = matches!(self.state, State::Broken { .. });
        is_past(self.waiting_since, if broken { Duration::ZERO } else { PATIENCE })
            || (is_past(self.resting_since, LEISURE) && !broken)
            || self.batch.len() >= MOST
            || self.waiters() >= TOGETHER
    }

    fn waiters(&self) -> usize {
        self.batch.iter().filter(|entry| entry.waits()).count()
    }

    /// How many more waiters end a pause, and how long it is at most.
    fn pause(&self, now: Instant) -> (usize, Duration) {
        match self.waiting_since {
            Some(since) => {
                let left = PATIENCE.saturating_sub(now.duration_since(since));
                (TOGETHER.saturating_sub(self.waiters()), left)
            }
            None => (1, REST),
        }
    }

    /// Writes the batch and waits until it is durable, or refuses those who wait for it.
    fn commit(&mut self) {
        (self.waiting_since, self.resting_since) = (None, None);
        let State::Open(epoch) = &mut self.state else {
            self.refuse_waiters();
            return;
        };
        if self.batch.is_empty() {
            return;
        }
        let durable = epoch.tree().clone();
        let begun = Instant::now();
        self.lines.clear();
        let written = encode(epoch, &self.batch, &mut self.open, &mut self.lines)
            .and_then(|()| epoch.write(&self.lines));
        match written {
            Ok(()) => {
                self.telemetry.metrics.audit.commit.observe(begun.elapsed().as_secs_f64());
                self.settle();
                self.rotate();
            }
            Err(fault) => {
                self.fail(&durable, &fault);
                self.refuse_waiters();
            }
        }
    }

    /// The batch is durable: its requests may go on.
    fn settle(&mut self) {
        let records = &self.telemetry.metrics.audit.records;
        self.behind_since = None;
        for entry in self.batch.drain(..) {
            records.with_label_values(&[kind(&entry)]).inc();
            match entry {
                // Who no longer waits has its outcome on the way.
                Entry::Intent { durable, .. } | Entry::Event { durable: Some(durable), .. } => {
                    durable.send(true).unwrap_or_default();
                }
                Entry::Outcome { ticket, .. } => {
                    self.open.remove(&ticket);
                }
                Entry::Refusal { .. } | Entry::Event { durable: None, .. } => {}
            }
        }
        if let (State::Open(epoch), Some(Removal::Waiting(before))) = (&self.state, self.removal) {
            let size = (epoch.number(), epoch.tree().size());
            self.removal = Some(Removal::Durable(before, size));
            self.removed = Some(before);
        }
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

    /// The journal can't be written: what somebody waits for is refused, the rest waits.
    fn refuse_waiters(&mut self) {
        let batch = mem::take(&mut self.batch);
        for entry in batch {
            match entry {
                Entry::Intent { ticket, durable, .. } => {
                    self.open.remove(&ticket);
                    durable.send(false).unwrap_or_default();
                }
                Entry::Event { durable: Some(durable), .. } => {
                    durable.send(false).unwrap_or_default();
                }
                Entry::Refusal { caller, fault, .. } => self.count(caller, fault),
                entry @ (Entry::Outcome { .. } | Entry::Event { .. }) => self.batch.push(entry),
            }
        }
    }

    fn rotate(&mut self) {
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

    /// Ends the epoch at its last durable record.
    fn fail(&mut self, durable: &Edge, fault: &io::Error) {
        let State::Open(epoch) = &self.state else { return };
        let number = epoch.number();
        let previous = Previous::of(number, End::Failed, durable, Some(fault.to_string()));
        self.sign(&Checkpoint::of(number, durable));
        self.state = State::Broken {
            next: number + 1,
            previous: vec![previous],
            again: Instant::now() + AGAIN,
        };
        self.refuse(fault);
    }

    /// There is no epoch to write, and therefore no request that is let pass.
    fn refuse(&self, fault: &io::Error) {
        error!(%fault, "audit journal can't be written, requests are refused");
        self.health.audit(false);
        self.telemetry.metrics.audit.writable.set(0);
        self.telemetry.metrics.audit.faults.inc();
    }

    /// Tries to begin a new epoch.
    fn resume(&mut self, now: Instant) {
        let State::Broken { next, previous, again } = &mut self.state else { return };
        if now < *again {
            return;
        }
        let folder = &self.settings.directory;
        let mut number = *next;
        let begun = loop {
            // Another gateway may have begun one meanwhile, which says itself how it ends.
            number = super::segment::list(folder)
                .and_then(|epochs| recovery::next_epoch(folder, &epochs))
                .map_or(number, |free| free.max(number));
            let begun = Epoch::begin(Start {
                folder: folder.clone(),
                number,
                recipients: &self.keys.recipients,
                previous: previous.clone(),
                open: self.open.values().copied().collect(),
                removed: self.removed,
            });
            match begun {
                Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => number += 1,
                begun => break begun,
            }
        };
        match begun {
            Ok(epoch) => {
                info!(epoch = epoch.number(), "audit journal can be written again");
                self.state = State::Open(Box::new(epoch));
                self.beside.sealer.wake();
                self.resting_since = (!self.batch.is_empty()).then_some(now);
                self.health.audit(true);
                self.telemetry.metrics.audit.writable.set(1);
            }
            Err(_) => {
                // What was left of a file is named, so that nobody takes it for a lost epoch.
                let path = super::segment::name(Place { epoch: number, seq: 0 });
                if folder.join(path).exists() {
                    let nothing = Edge::default();
                    previous.push(Previous::of(number, End::Failed, &nothing, None));
                    *next = number + 1;
                }
                *again = now + AGAIN;
            }
        }
    }

    /// What is done from time to time.
    fn look_around(&mut self, now: Instant, ends: bool) {
        self.resume(now);
        self.renew(now);
        let writable = matches!(self.state, State::Open(_));
        if writable {
            for body in self.refusals.take(now, ends) {
                self.add(Entry::Event { kind: "refusals", body, durable: None }, now);
            }
        }
        if now.duration_since(self.checked) < CHECKPOINTS && !ends {
            return;
        }
        self.checked = now;
        // A request that waited too long may have said otherwise.
        self.health.audit(writable);
        let metrics = &self.telemetry.metrics.audit;
        if self.batch.is_empty() {
            self.behind_since = None;
        }
        let lag = self.behind_since.map_or(0, |since| now.duration_since(since).as_secs());
        metrics.lag.set(lag.try_into().unwrap_or(i64::MAX));
        metrics.waiting.set(i64::try_from(self.queue.len() + self.batch.len()).unwrap_or(i64::MAX));
        let is_due = self.measured.is_none_or(|at| now.duration_since(at) >= SPACE);
        if let Some(free) = is_due.then(|| free_percent(&self.settings.directory)).flatten() {
            self.measured = Some(now);
            self.scarce = free < SCARCE;
            metrics.free.set(free.try_into().unwrap_or(100));
        }
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
            let checkpoint = Checkpoint::of(epoch.number(), epoch.tree());
            self.sign(&checkpoint);
        }
        self.beside.witness.finish();
        self.beside.sealer.finish();
    }
}

/// How much of its space a journal has left, in percent: its space is what it has taken, and what
/// is still free.
fn free_percent(folder: &Path) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(folder).ok()?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    let size = |entry: fs::DirEntry| entry.metadata().map_or(0, |about| about.len());
    let taken: u64 = fs::read_dir(folder).ok()?.flatten().map(size).sum();
    Some(free.saturating_mul(100) / taken.saturating_add(free).max(1))
}

/// The outcome of a request of which nobody can tell it any more.
pub(super) fn unknown() -> Body {
    let mut clear = begun(SystemTime::now());
    clear.word("result", "unknown");
    clear.word("note", "outcome unknown, gateway stopped");
    Body { clear: clear.into_members(), sealed: Vec::new() }
}

fn kind(entry: &Entry) -> &'static str {
    match entry {
        Entry::Intent { .. } => "intent",
        Entry::Outcome { .. } => "outcome",
        Entry::Refusal { .. } => "refusal",
        Entry::Event { kind, .. } => kind,
    }
}

/// Adds a batch to an epoch; `open` learns where its intents stand.
fn encode(
    epoch: &mut Epoch,
    batch: &[Entry],
    open: &mut HashMap<u64, Place, RandomState>,
    lines: &mut Vec<u8>,
) -> io::Result<()> {
    for entry in batch {
        match entry {
            Entry::Intent { ticket, body, .. } => {
                let place = epoch.encode("intent", None, body, lines)?;
                open.insert(*ticket, place);
            }
            Entry::Outcome { ticket, body } => {
                // Without an intent nothing was sent: it could not be written in time.
                epoch.encode("outcome", open.get(ticket).copied(), body, lines)?;
            }
            Entry::Refusal { body, .. } => {
                if let Some(body) = body {
                    epoch.encode("refusal", None, body, lines)?;
                }
            }
            Entry::Event { kind, body, .. } => {
                epoch.encode(kind, None, body, lines)?;
            }
        }
    }
    Ok(())
}
