//! A batch of records becomes durable, and its requests go on; or it does not, and those who wait for
//! it are refused.

use std::{
    collections::{BTreeMap, HashMap},
    io, mem,
    time::Instant,
};

use foldhash::fast::RandomState;

use super::{Removal, State, Writer};
use crate::audit::{epoch::Epoch, place::Place, queue::Entry};

impl Writer {
    /// Writes the batch and waits until it is durable, or refuses those who wait for it.
    pub(super) fn commit(&mut self) {
        (self.gathering, self.resting_since) = (self.gathering.next(), None);
        if !self.lets_pass() {
            self.refuse_waiters();
        }
        let State::Open(epoch) = &mut self.state else { return };
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
                // The next epoch is not to wait for the ends of what is void.
                for entry in &self.batch {
                    if let Entry::Intent { ticket, .. } = entry {
                        self.open.remove(ticket);
                    }
                }
                self.fail(&durable, &fault);
                self.refuse_waiters();
            }
        }
    }

    /// The batch is durable: its requests may go on.
    fn settle(&mut self) {
        let (mut kinds, mut waiters) = (BTreeMap::<&str, u64>::new(), Vec::new());
        self.behind_since = None;
        for entry in self.batch.drain(..) {
            *kinds.entry(kind(&entry)).or_default() += 1;
            match entry {
                Entry::Intent { durable, .. } => waiters.push(durable),
                Entry::Event { durable: Some(durable), .. } => {
                    durable.send(true).unwrap_or_default();
                }
                Entry::Outcome { ticket, .. } => {
                    self.open.remove(&ticket);
                }
                Entry::Refusal { .. } | Entry::Event { durable: None, .. } => {}
            }
        }
        if !waiters.is_empty() {
            self.queue.waking.wake(waiters);
        }
        let records = &self.telemetry.metrics.audit.records;
        kinds.iter().for_each(|(kind, count)| records.with_label_values(&[kind]).inc_by(*count));
        if let (State::Open(epoch), Some(Removal::Waiting(before))) = (&self.state, self.removal) {
            let size = (epoch.number(), epoch.tree().size());
            self.removal = Some(Removal::Durable(before, size));
            self.removed = Some(before);
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
