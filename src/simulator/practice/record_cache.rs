//! Clinical content that has been written, kept within a budget so that load tests measure the
//! gateway and not the simulator. The oldest goes first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::record_request::Parts;
use crate::simulator::fhir::format::Format;

/// What written content depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The practice, for a whole compressed record; the clinical content itself is shared.
    pub(crate) place: Option<usize>,
    pub(crate) patient: u64,
    pub(crate) record_bytes: usize,
    pub(crate) parts: Parts,
    pub(crate) format: Format,
}

/// Written content by its key.
pub(crate) struct RecordCache {
    budget: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    texts: HashMap<Key, Bytes>,
    order: VecDeque<Key>,
    bytes: usize,
}

impl RecordCache {
    /// An empty cache of that many bytes.
    pub(crate) fn new(budget: usize) -> Self {
        Self { budget, kept: Mutex::default() }
    }

    /// The content of that key, written if need be.
    pub(crate) fn get_or_write(&self, key: Key, write: impl FnOnce() -> Bytes) -> Bytes {
        if let Some(text) = self.lock().texts.get(&key) {
            return text.clone();
        }
        // Written without the lock: two at once may both write, and write the same.
        let text = write();
        self.keep(key, &text);
        text
    }

    fn keep(&self, key: Key, text: &Bytes) {
        if text.len() > self.budget {
            return;
        }
        let mut kept = self.lock();
        if kept.texts.insert(key, text.clone()).is_some() {
            return;
        }
        kept.order.push_back(key);
        kept.bytes += text.len();
        while kept.bytes > self.budget {
            let Some(oldest) = kept.order.pop_front() else { return };
            let freed = kept.texts.remove(&oldest).map_or(0, |text| text.len());
            kept.bytes -= freed;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(patient: u64) -> Key {
        let parts = Parts::default();
        Key { place: None, patient, record_bytes: 0, parts, format: Format::Json }
    }

    #[test]
    fn the_oldest_goes_when_the_budget_is_spent() {
        let cache = RecordCache::new(10);
        for patient in [1, 2, 3] {
            cache.get_or_write(key(patient), || Bytes::from_static(b"four"));
        }
        let mut written = Vec::new();
        for patient in [3, 2, 1] {
            cache.get_or_write(key(patient), || {
                written.push(patient);
                Bytes::from_static(b"four")
            });
        }
        assert_eq!(written, [1]);
    }

    #[test]
    fn what_exceeds_the_budget_is_not_kept() {
        let cache = RecordCache::new(3);
        let mut writes = 0;
        for _ in 0..2 {
            cache.get_or_write(key(1), || {
                writes += 1;
                Bytes::from_static(b"four")
            });
        }
        assert_eq!(writes, 2);
    }
}
