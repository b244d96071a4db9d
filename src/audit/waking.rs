//! Lets requests go on whose intents are durable.
//!
//! The writer is a thread of its own. What it wakes itself comes from outside to the threads that carry
//! requests; a busy one takes a single task from there between many of its own, so that the more
//! requests it has the longer those wait that are half done, and more and more are. So a task among
//! theirs is given all of a commit, and wakes them as its own.

use std::sync::OnceLock;

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

/// Those who wait for a commit.
pub(super) type Waiters = Vec<oneshot::Sender<bool>>;

/// The way to them. Its queue needs no bound of its own: in it are only intents that were in the
/// journal's.
#[derive(Debug, Default)]
pub(super) struct Waking(OnceLock<mpsc::UnboundedSender<Waiters>>);

impl Waking {
    /// Wakes on this runtime from now on; the task there ends with the journal.
    pub(super) fn on(&self, runtime: &Handle) {
        self.0.get_or_init(|| {
            let (sender, mut commits) = mpsc::unbounded_channel();
            runtime.spawn(async move {
                while let Some(waiters) = commits.recv().await {
                    wake(waiters);
                }
            });
            sender
        });
    }

    /// Lets them go on; from the thread that calls where the runtime has gone, or was never named.
    pub(super) fn wake(&self, waiters: Waiters) {
        let left = match self.0.get() {
            Some(sender) => sender.send(waiters).err().map(|unsent| unsent.0),
            None => Some(waiters),
        };
        left.into_iter().for_each(wake);
    }
}

fn wake(waiters: Waiters) {
    for waiter in waiters {
        // Who no longer waits has its outcome on the way.
        waiter.send(true).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter() -> (Waiters, oneshot::Receiver<bool>) {
        let (sender, told) = oneshot::channel();
        (vec![sender], told)
    }

    #[test]
    fn all_are_woken_whatever_became_of_the_runtime() {
        let waking = Waking::default();
        let (waiters, told) = waiter();
        waking.wake(waiters);
        assert_eq!(told.blocking_recv(), Ok(true), "before there is a runtime");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        waking.on(runtime.handle());
        let (waiters, told) = waiter();
        waking.wake(waiters);
        assert_eq!(told.blocking_recv(), Ok(true), "on the runtime");
        drop(runtime);
        let (waiters, told) = waiter();
        waking.wake(waiters);
        assert_eq!(told.blocking_recv(), Ok(true), "behind its end");
    }
}
