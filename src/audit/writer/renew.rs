//! Other keys while the journal is being written. They hold for what is written from then on; the
//! record that names them is the last that the keys before them vouch for.

use std::{io, sync::Arc, time::Instant};

use tracing::info;

use super::{State, Writer};
use crate::audit::{
    checkpoint::Checkpoint,
    keys::SIGNING_KEY,
    queue::Entry,
    record,
    segment::{End, Previous},
};

impl Writer {
    /// Goes over to the keys that are wanted, when these are others. Whoever may read what is
    /// sealed, or search, may from a new segment on; a signing key signs from a new epoch on, so
    /// that each tree is signed by one key.
    pub(super) fn renew(&mut self, now: Instant) {
        let wanted = self.wanted.load_full();
        // A full disk has no room for another segment: then they wait.
        let is_spent = matches!(self.state, State::Open(_)) && !self.lets_pass();
        if is_spent || Arc::ptr_eq(&wanted, &self.keys) {
            return;
        }
        let changed = self.keys.differences(&wanted);
        if !changed.is_empty() {
            info!(changed = changed.join(", "), "audit keys changed");
            self.add(
                Entry::Event { kind: "keys", body: record::keys(&changed, &wanted), durable: None },
                now,
            );
        }
        let is_signed_anew = changed.contains(&SIGNING_KEY);
        let is_written = matches!(self.state, State::Open(_));
        if is_signed_anew && is_written {
            let body = record::event("what follows is signed by another key");
            self.add(Entry::Event { kind: "end", body, durable: None }, now);
        }
        if !changed.is_empty() {
            self.commit();
        }
        if let State::Open(epoch) = &self.state {
            let checkpoint = Checkpoint::of(epoch.number(), epoch.tree());
            self.sign(&checkpoint);
        }
        self.keys = wanted;
        if is_signed_anew {
            self.begin_another(now);
        } else if !changed.is_empty() {
            self.begin_segment();
        }
    }

    /// Ends the epoch, which was closed, and begins another.
    fn begin_another(&mut self, now: Instant) {
        let State::Open(epoch) = &self.state else { return };
        let (number, tree) = (epoch.number(), epoch.tree());
        let previous = vec![Previous::of(number, End::Stopped, tree, None)];
        self.state = State::Broken { next: number + 1, previous, again: now };
        self.resume(now);
        if matches!(self.state, State::Broken { .. }) {
            self.refuse(&io::Error::other("no new epoch can be begun"));
        }
    }
}
