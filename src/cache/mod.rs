//! Answers in memory (design, section 5): which stand for which question, how long, and who waits
//! for one that is on its way.
//!
//! A [`Key`] is made of facts: service root and its epoch, the practice's system, and a
//! [`Question`], which exists only for interactions that hold no patient. A purge raises epochs, and
//! a call keeps its answer under the epoch that it began with: what was purged is never found again,
//! however late an answer to an old call comes. The provider is asked by whoever owns the engine;
//! here stands only whose turn it is.
//!
//! [`Question`]: gpconnect::caching::Question

mod entry;
mod epoch;
mod flight;
mod statements;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use gpconnect::{
    caching::{Question, Statement, Subject},
    names::{Asid, ServiceRoot},
};
use moka::{Expiry, notification::RemovalCause, sync};

use self::{epoch::Epochs, flight::Flights};
use crate::telemetry::Telemetry;

pub use entry::{Entry, Kept};
pub use epoch::{Epoch, Reach};
pub use flight::{Landed, Lead, Outcome, Turn, Waiter, Whole};
pub use statements::{Change, Standing, Standings, Statements, Told};

/// Which answer is meant. Two keys of one practice, question and format are equal only within one
/// epoch.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    root: ServiceRoot,
    provider: Asid,
    question: Question,
    epoch: Epoch,
}

impl Key {
    /// What is asked.
    pub const fn question(&self) -> &Question {
        &self.question
    }

    /// Where it is asked.
    pub const fn root(&self) -> &ServiceRoot {
        &self.root
    }
}

/// All answers in memory.
#[derive(Debug)]
pub struct Cache {
    entries: sync::Cache<Key, Arc<Entry>>,
    flights: Flights,
    epochs: Epochs,
    statements: Statements,
    /// The snapshot whose requests may use it.
    generation: AtomicU64,
    telemetry: Arc<Telemetry>,
}

impl Cache {
    /// An empty one that takes so many bytes at most.
    pub fn new(bytes: usize, generation: u64, telemetry: Arc<Telemetry>) -> Self {
        let counted = Arc::clone(&telemetry);
        let limit = i64::try_from(bytes).unwrap_or(i64::MAX);
        counted.metrics.cache.bytes_limit.set(limit);
        let entries = sync::Cache::builder()
            .max_capacity(bytes.try_into().unwrap_or(u64::MAX))
            .weigher(|key: &Key, entry: &Arc<Entry>| weight(key, entry))
            .expire_after(Lifetimes)
            .eviction_listener(move |key, entry, cause| {
                let metrics = &counted.metrics.cache;
                metrics.entries.dec();
                metrics.bytes.sub(weight(&key, &entry).into());
                if cause == RemovalCause::Size {
                    metrics.evicted.inc();
                }
            })
            .build();
        Self {
            entries,
            flights: Flights::default(),
            epochs: Epochs::default(),
            statements: Statements::default(),
            generation: AtomicU64::new(generation),
            telemetry,
        }
    }

    /// The key of `question` at a practice's system, for a request that the snapshot of `generation`
    /// decided. None for one that an older snapshot decided: what it would be told is of places that
    /// may have moved.
    pub fn key(
        &self,
        root: &ServiceRoot,
        provider: Asid,
        question: Question,
        generation: u64,
    ) -> Option<Key> {
        // In this order: an epoch that a renewal has raised is read only after the generation that
        // it set before.
        let epoch = self.epochs.of(root, question.interaction());
        let is_current = self.generation.load(Ordering::SeqCst) == generation;
        is_current.then(|| Key { root: root.clone(), provider, question, epoch })
    }

    /// What is in memory under a key, fresh or not.
    pub fn find(&self, key: &Key) -> Option<Arc<Entry>> {
        self.entries.get(key)
    }

    /// The answers in memory that are to be asked for anew before anybody meets them stale. It looks
    /// at each: not for a thread that somebody waits for.
    pub fn due(&self) -> Vec<Key> {
        let is_current =
            |key: &Key| self.epochs.of(&key.root, key.question.interaction()) == key.epoch;
        let due = self.entries.iter().filter(|(key, entry)| entry.is_due() && is_current(key));
        due.map(|(key, _)| Key::clone(&key)).collect()
    }

    /// Whose turn it is to have the answer of a key: of those who ask at one time one leads and the
    /// others wait. `suffices` says whether an answer will do that came in while this was asked.
    pub fn join(self: &Arc<Self>, key: &Key, suffices: impl Fn(&Entry) -> bool) -> Turn {
        self.flights.join(self, key, suffices)
    }

    /// Keeps an answer under the key that its call began with.
    fn keep(&self, key: &Key, entry: Arc<Entry>) {
        let metrics = &self.telemetry.metrics.cache;
        metrics.entries.inc();
        metrics.bytes.add(weight(key, &entry).into());
        self.entries.insert(key.clone(), entry);
    }

    /// What practices' systems say that they can be asked.
    pub const fn statements(&self) -> &Statements {
        &self.statements
    }

    /// Takes note of what an answer says of its system, when it is a statement that nothing has
    /// happened to since it was asked for. It reads the whole of it: not for a task that somebody
    /// waits for.
    pub fn learn(&self, key: &Key, entry: &Entry) {
        let question = &key.question;
        let is_current = self.epochs.of(&key.root, question.interaction()) == key.epoch;
        if question.subject() != Subject::Statement || !is_current {
            return;
        }
        let body = entry.kept().map(Kept::body);
        let statement = body.and_then(|body| Statement::read(question.format(), body));
        if let Some(statement) = statement {
            let known = self.statements.learn(&key.root, statement, SystemTime::now());
            let known = known.try_into().unwrap_or(i64::MAX);
            self.telemetry.metrics.cache.statements.set(known);
        }
    }

    /// Has nothing found any more of what `reaches` say; returns how many answers that were. It looks
    /// at each answer in memory: not for a thread that carries requests.
    pub fn purge(&self, reaches: &[Reach<'_>]) -> usize {
        if reaches.is_empty() {
            return 0;
        }
        self.epochs.raise(reaches);
        for reach in reaches {
            self.telemetry.metrics.cache.purges.with_label_values(&[reach.as_str()]).inc();
        }
        self.sweep()
    }

    /// Drops what is of an older epoch: it is found by nobody, and only takes room.
    fn sweep(&self) -> usize {
        let is_over =
            |key: &Key| self.epochs.of(&key.root, key.question.interaction()) != key.epoch;
        let all = self.entries.iter().map(|(key, _)| key);
        let over: Vec<_> = all.filter(|key| is_over(key)).collect();
        over.iter().for_each(|key| self.entries.invalidate(key.as_ref()));
        over.len()
    }

    /// A new snapshot is about to come into use, in which what `changed` names is not as it was. From
    /// here on requests of the one before find nothing and begin nothing.
    pub fn renew(&self, generation: u64, changed: &[Reach<'_>]) {
        self.generation.store(generation, Ordering::SeqCst);
        self.purge(changed);
    }
}

/// Room for what is beside the text: the places in tables, and the allocator's own.
const AROUND: usize = 512;

fn weight(key: &Key, entry: &Entry) -> u32 {
    let key = key.root.as_str().len() + key.question.length();
    (AROUND + key + entry.length()).try_into().unwrap_or(u32::MAX)
}

/// Answers leave when no use of them is left.
struct Lifetimes;

impl Expiry<Key, Arc<Entry>> for Lifetimes {
    fn expire_after_create(&self, _: &Key, entry: &Arc<Entry>, _: Instant) -> Option<Duration> {
        Some(entry.room())
    }

    fn expire_after_update(
        &self,
        _: &Key,
        entry: &Arc<Entry>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.room())
    }
}
