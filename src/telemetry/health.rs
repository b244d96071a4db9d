//! Whether the gateway takes requests: what `/readyz` says, and what ends kept-alive connections.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// The state of the process, set by its start and stop, read by whoever asks.
#[derive(Debug, Default)]
pub struct Health {
    generation: AtomicU64,
    practices: AtomicUsize,
    serving: AtomicBool,
    draining: AtomicBool,
    unaudited: AtomicBool,
}

/// One of the things that must be right for requests to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What it is about, in a word.
    pub name: &'static str,
    /// What is wrong with it.
    pub fault: Option<&'static str>,
}

impl Health {
    /// A snapshot came into use, with so many practices.
    pub fn load(&self, generation: u64, practices: usize) {
        self.generation.store(generation, Ordering::Release);
        self.practices.store(practices, Ordering::Release);
    }

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

    /// Whether it can be written, as far as is known.
    pub fn is_audited(&self) -> bool {
        !self.unaudited.load(Ordering::Acquire)
    }

    /// All that must be right, in the order in which it is told. That a practice does not answer is
    /// none of it: the others are served.
    pub fn conditions(&self) -> [Condition; 5] {
        let condition =
            |name, holds: bool, fault| Condition { name, fault: (!holds).then_some(fault) };
        let is = |flag: &AtomicBool| flag.load(Ordering::Acquire);
        let loaded = self.generation.load(Ordering::Acquire) > 0;
        let practices = self.practices.load(Ordering::Acquire);
        [
            condition("stay", !self.is_draining(), "stopping"),
            condition("listeners", is(&self.serving), "starting"),
            condition("snapshot", loaded, "no configuration is loaded"),
            condition("directory", practices > 0, "no practice is registered"),
            condition("journal", !is(&self.unaudited), "audit journal unavailable"),
        ]
    }

    /// Why no request should be sent here, if so.
    pub fn unready(&self) -> Option<&'static str> {
        self.conditions().into_iter().find_map(|condition| condition.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_wrong_is_enough_and_the_first_is_told() {
        let health = Health::default();
        assert_eq!(health.unready(), Some("starting"));
        health.serve();
        assert_eq!(health.unready(), Some("no configuration is loaded"));
        health.load(1, 0);
        assert_eq!(health.unready(), Some("no practice is registered"));
        health.load(2, 10);
        assert_eq!(health.unready(), None);
        health.audit(false);
        assert_eq!(health.unready(), Some("audit journal unavailable"));
        health.drain();
        assert_eq!(health.unready(), Some("stopping"));
        health.audit(true);
        let wrong: Vec<_> =
            health.conditions().into_iter().filter(|condition| condition.fault.is_some()).collect();
        assert_eq!(wrong, [Condition { name: "stay", fault: Some("stopping") }]);
    }
}
