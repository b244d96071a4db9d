//! Whether the gateway takes requests: what `/readyz` says, and what ends kept-alive connections.

use std::sync::atomic::{AtomicBool, Ordering};

/// The state of the process, set by its start and stop, read by whoever asks.
#[derive(Debug, Default)]
pub struct Health {
    serving: AtomicBool,
    draining: AtomicBool,
    unaudited: AtomicBool,
}

impl Health {
    /// The listeners are about to accept.
    pub fn serve(&self) {
        self.serving.store(true, Ordering::Release);
    }

    /// A stop was asked for: what is under way ends, answers close their connection.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether a stop was asked for.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether the journal can be written: without it no request is let pass.
    pub fn audit(&self, works: bool) {
        self.unaudited.store(!works, Ordering::Release);
    }

    /// Why no request should be sent here, if so.
    pub fn unready(&self) -> Option<&'static str> {
        if self.is_draining() {
            Some("stopping")
        } else if !self.serving.load(Ordering::Acquire) {
            Some("starting")
        } else if self.unaudited.load(Ordering::Acquire) {
            Some("audit journal unavailable")
        } else {
            None
        }
    }
}
