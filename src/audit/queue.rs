//! What waits to be written: a bounded queue without locks, and the waking of its one writer.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use crossbeam_queue::ArrayQueue;
use tokio::sync::oneshot;

use super::{record::Body, refusals::Caller, waking::Waking};

/// How much may wait. Outcomes may take all of it, intents half, refusals a quarter: what was
/// admitted can always be recorded.
const ROOM: usize = 16_384;
/// So many waiters start a commit at once.
pub(super) const TOGETHER: usize = 256;

/// Something to be written.
#[derive(Debug)]
pub(super) enum Entry {
    /// A request is about to be sent, as soon as this is durable.
    Intent { ticket: u64, body: Body, durable: oneshot::Sender<bool> },
    /// It has ended.
    Outcome { ticket: u64, body: Body },
    /// A request was not let pass; without a body it is only counted.
    Refusal { caller: Caller, fault: &'static str, body: Option<Body> },
    /// Something happened to the gateway itself, or is to happen as soon as this is durable.
    Event { kind: &'static str, body: Body, durable: Option<oneshot::Sender<bool>> },
}

impl Entry {
    /// Whether somebody waits until it is durable.
    pub(super) const fn waits(&self) -> bool {
        matches!(self, Self::Intent { .. } | Self::Event { durable: Some(_), .. })
    }
}

/// The queue.
#[derive(Debug)]
pub(super) struct Queue {
    entries: ArrayQueue<Entry>,
    /// Entries in the queue that somebody waits for.
    waiting: AtomicUsize,
    /// So many of them wake the writer; it sets this before it sleeps.
    wake_at: AtomicUsize,
    closing: AtomicBool,
    writer: OnceLock<Thread>,
    /// The way back, to those who wait for what was written.
    pub(super) waking: Waking,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            entries: ArrayQueue::new(ROOM),
            waiting: AtomicUsize::new(0),
            wake_at: AtomicUsize::new(usize::MAX),
            closing: AtomicBool::new(false),
            writer: OnceLock::new(),
            waking: Waking::default(),
        }
    }

    /// Adds an entry, unless what its kind may take is taken.
    pub(super) fn push(&self, entry: Entry) -> bool {
        self.push_then(entry, || ())
    }

    /// The same; `there` comes right behind the moment from which on the writer can take it.
    fn push_then(&self, entry: Entry, there: impl FnOnce()) -> bool {
        let waits = entry.waits();
        let room = match entry {
            Entry::Intent { .. } => ROOM / 2,
            Entry::Refusal { .. } => ROOM / 4,
            Entry::Outcome { .. } | Entry::Event { .. } => ROOM,
        };
        if self.entries.len() >= room {
            return false;
        }
        // Counted before it is there: the writer may take it at once.
        self.waiting.fetch_add(usize::from(waits), Ordering::SeqCst);
        if self.entries.push(entry).is_err() {
            self.waiting.fetch_sub(usize::from(waits), Ordering::SeqCst);
            return false;
        }
        there();
        if waits && self.waiting.load(Ordering::SeqCst) >= self.wake_at() {
            self.wake();
        }
        true
    }

    fn wake_at(&self) -> usize {
        self.wake_at.load(Ordering::SeqCst)
    }

    fn wake(&self) {
        self.writer.get().into_iter().for_each(Thread::unpark);
    }

    /// The next entry.
    pub(super) fn pop(&self) -> Option<Entry> {
        let entry = self.entries.pop();
        if entry.as_ref().is_some_and(Entry::waits) {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        entry
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Lets the writer sleep, until so many waiters are in the queue, it closes, or time is up.
    pub(super) fn sleep(&self, waiters: usize, most: Duration) {
        self.wake_at.store(waiters.max(1), Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) < waiters.max(1) && !self.is_closing() {
            thread::park_timeout(most);
        }
        self.wake_at.store(usize::MAX, Ordering::SeqCst);
    }

    /// Makes the thread that calls this the one that is woken.
    pub(super) fn serve(&self) {
        self.writer.get_or_init(thread::current);
    }

    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.wake();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal() -> Entry {
        Entry::Refusal { caller: Caller::Network(None), fault: "overloaded", body: None }
    }

    fn intent() -> Entry {
        let (durable, _) = oneshot::channel();
        Entry::Intent { ticket: 0, body: Body::default(), durable }
    }

    #[test]
    fn a_flood_of_refusals_leaves_room_for_what_was_admitted() {
        let queue = Queue::new();
        let taken = |entry: fn() -> Entry| (0..).take_while(|_| queue.push(entry())).count();
        assert_eq!(taken(refusal), ROOM / 4);
        assert_eq!(taken(intent), ROOM / 4);
        assert_eq!(taken(|| Entry::Outcome { ticket: 0, body: Body::default() }), ROOM / 2);
        let popped = std::iter::from_fn(|| queue.pop()).count();
        assert_eq!((popped, queue.len()), (ROOM, 0));
        assert_eq!(queue.waiting.load(Ordering::SeqCst), 0);
    }

    /// Whoever takes a waiter takes it off the count, which must have it by then: else the count
    /// falls below nothing, and the writer is woken for nobody or not at all.
    #[test]
    fn a_waiter_is_counted_before_it_can_be_taken() {
        let queue = Queue::new();
        let mut taken = false;
        assert!(queue.push_then(intent(), || {
            assert_eq!(queue.waiting.load(Ordering::SeqCst), 1);
            taken = queue.pop().is_some_and(|entry| entry.waits());
            assert_eq!(queue.waiting.load(Ordering::SeqCst), 0);
        }));
        assert!(taken, "it could be taken");
        assert_eq!((queue.waiting.load(Ordering::SeqCst), queue.len()), (0, 0));
    }

    #[test]
    fn waiters_wake_the_writer() {
        let queue = std::sync::Arc::new(Queue::new());
        let sleeper = std::sync::Arc::clone(&queue);
        let writer = thread::spawn(move || {
            sleeper.serve();
            sleeper.sleep(2, Duration::from_secs(60));
            sleeper.len()
        });
        while queue.wake_at() != 2 {
            thread::yield_now();
        }
        assert!(queue.push(refusal()) && queue.push(intent()) && queue.push(intent()));
        assert_eq!(writer.join().unwrap(), 3);
    }
}
