//! Calls that are under way: one for each key, however many wait for it.
//!
//! Who leads has the provider asked in a task of its own, which a consumer that hangs up does not
//! end. Who waits does so for as long as it likes. When the call has ended, its answer is in memory
//! before the call is taken off the list, so that nobody finds neither.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use foldhash::fast::RandomState;
use gpconnect::rejection::Reason;
use hashbrown::HashMap;
use http::HeaderMap;
use tokio::sync::watch;

use super::{Cache, Entry, Key};

/// How a call ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// With an answer that is kept, and is everybody's.
    Kept {
        /// It.
        entry: Arc<Entry>,
        /// Whether the provider only confirmed what was in memory.
        confirmed: bool,
    },
    /// With a whole answer that is not kept: it is that of the request that was sent.
    Whole(Arc<Whole>),
    /// With none that can be given on from here: each request is to be sent for itself.
    Alone,
    /// Without an answer.
    Failed(Reason),
}

/// A whole answer.
pub struct Whole {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Without headers and body, which are for one caller.
impl fmt::Debug for Whole {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Whole({}, {} bytes)", self.status, self.body.len())
    }
}

/// The end of a call, and what is to be said of it.
#[derive(Clone, Debug)]
pub struct Landed {
    /// How it ended.
    pub outcome: Outcome,
    /// How often it was sent.
    pub tries: u8,
    /// From sending it to the head of the answer.
    pub upstream: Option<Duration>,
    /// Whether its connection had served before.
    pub reused: Option<bool>,
}

/// Whose turn it is.
#[derive(Debug)]
pub enum Turn {
    /// It has come in meanwhile.
    Found(Arc<Entry>),
    /// The one who asked has the provider asked, and waits for it.
    Lead(Lead, Waiter),
    /// Another one has.
    Wait(Waiter),
}

type Sender = watch::Sender<Option<Landed>>;

/// The calls under way. The lock is held for a look into a table, and only by requests that find
/// nothing fresh in memory.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<Key, Sender, RandomState>>);

impl Flights {
    pub(super) fn join(
        &self,
        cache: &Arc<Cache>,
        key: &Key,
        suffices: impl Fn(&Entry) -> bool,
    ) -> Turn {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = flights.get(key) {
            return Turn::Wait(Waiter(sender.subscribe()));
        }
        // The call that was on the list a moment ago has left its answer behind.
        if let Some(entry) = cache.find(key).filter(|entry| suffices(entry)) {
            return Turn::Found(entry);
        }
        let (sender, receiver) = watch::channel(None);
        flights.insert(key.clone(), sender);
        let lead = Lead { cache: Arc::clone(cache), key: key.clone(), has_landed: false };
        Turn::Lead(lead, Waiter(receiver))
    }

    fn end(&self, key: &Key) -> Option<Sender> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key)
    }
}

/// The duty to end a call. Dropping it ends the call without an outcome: nobody waits for ever.
#[derive(Debug)]
pub struct Lead {
    cache: Arc<Cache>,
    key: Key,
    /// Then the place on the list may be another call's.
    has_landed: bool,
}

impl Lead {
    /// What is asked.
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Keeps `entry` under the epoch that the call began with.
    pub fn keep(&self, entry: Entry) -> Arc<Entry> {
        let entry = Arc::new(entry);
        self.cache.keep(&self.key, Arc::clone(&entry));
        entry
    }

    /// Ends the call and tells all who wait for it.
    pub fn land(mut self, landed: Landed) {
        self.has_landed = true;
        if let Some(sender) = self.cache.flights.end(&self.key) {
            sender.send_replace(Some(landed));
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if !self.has_landed {
            drop(self.cache.flights.end(&self.key));
        }
    }
}

/// Who waits for a call.
#[derive(Debug)]
pub struct Waiter(watch::Receiver<Option<Landed>>);

impl Waiter {
    /// Waits for its end; none when it ended without an outcome.
    pub async fn landed(mut self) -> Option<Landed> {
        let landed = self.0.wait_for(Option::is_some).await.ok()?;
        landed.clone()
    }
}
