//! What arrived, for tests that look at both ends.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method};
use sha2::{Digest, Sha256};

/// A request as it arrived.
#[derive(Clone)]
pub struct Arrival {
    /// The method.
    pub method: Method,
    /// The request target, byte for byte.
    pub target: String,
    /// The headers in their order.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
}

impl Arrival {
    /// The SHA-256 of the body in lower-case hexadecimal.
    #[must_use]
    pub fn body_sha256(&self) -> String {
        sha256(&self.body)
    }
}

impl fmt::Debug for Arrival {
    // Target and body name patients, even if invented ones.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Arrival").field("method", &self.method).finish_non_exhaustive()
    }
}

/// The last requests that arrived.
pub struct Recorder {
    capacity: usize,
    on: AtomicBool,
    arrivals: Mutex<VecDeque<Arrival>>,
}

impl Recorder {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, on: AtomicBool::new(capacity > 0), arrivals: Mutex::default() }
    }

    /// Starts or stops recording; what is recorded stays.
    pub fn switch(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    /// Takes everything that is recorded, the oldest first.
    pub fn take(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    pub(crate) fn record(&self, arrival: Arrival) {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() >= self.capacity {
            arrivals.pop_front();
        }
        if self.capacity > 0 {
            arrivals.push_back(arrival);
        }
    }
}

/// The SHA-256 of some bytes in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(target: &str) -> Arrival {
        Arrival {
            method: Method::GET,
            target: target.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    #[test]
    fn the_last_requests_are_kept() {
        let recorder = Recorder::new(2);
        for target in ["/1", "/2", "/3"] {
            recorder.record(arrival(target));
        }
        let targets: Vec<String> = recorder.take().into_iter().map(|a| a.target).collect();
        assert_eq!(targets, ["/2", "/3"]);
        assert!(recorder.take().is_empty());
        let off = Recorder::new(0);
        off.record(arrival("/1"));
        assert!(!off.is_on() && off.take().is_empty());
    }

    #[test]
    fn an_arrival_does_not_print_the_patient() {
        let printed = format!("{:?}", arrival("/A20047/Patient?identifier=x|9000000009"));
        assert_eq!(printed, "Arrival { method: GET, .. }");
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(arrival("/").body_sha256(), empty);
    }
}
