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
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use gpconnect::{caching::Question, names::Asid, names::ServiceRoot};
use moka::{Expiry, notification::RemovalCause, sync};

use self::{epoch::Epochs, flight::Flights};
use crate::telemetry::Telemetry;

pub use entry::{Entry, Kept};
pub use epoch::{Epoch, Reach};
pub use flight::{Landed, Lead, Outcome, Turn, Waiter, Whole};

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
}

/// All answers in memory.
#[derive(Debug)]
pub struct Cache {
    entries: sync::Cache<Key, Arc<Entry>>,
    flights: Flights,
    epochs: Epochs,
    /// The snapshot whose requests may use it.
    generation: AtomicU64,
    telemetry: Arc<Telemetry>,
}

impl Cache {
    /// An empty one that takes so many bytes at most.
    pub fn new(bytes: usize, generation: u64, telemetry: Arc<Telemetry>) -> Self {
        let counted = Arc::clone(&telemetry);
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

    /// Has nothing found any more of what `reaches` say.
    pub fn purge(&self, reaches: &[Reach<'_>]) {
        self.epochs.raise(reaches);
        for reach in reaches {
            self.telemetry.metrics.cache.purges.with_label_values(&[reach.as_str()]).inc();
        }
        if reaches.contains(&Reach::All) {
            // The others make room when their time is over, or when room is needed.
            self.entries.invalidate_all();
        }
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
