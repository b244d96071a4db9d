//! The signals that end a command, or tell it something.

use std::{io, ops::ControlFlow, time::Duration};

use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};

/// The signals that are heeded, from before the gateway takes requests: who sends one as soon as it
/// does must not end the process by it.
pub(super) struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From here on they no longer end the process.
    pub(super) fn heed() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let within = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let hang_up = signal(SignalKind::hangup())?;
        // A file that may not grow is an error like a full disk, not the end of the process.
        drop(signal(SignalKind::from_raw(nix::libc::SIGXFSZ))?);
        drop(within);
        Ok(Self { runtime, terminate, interrupt, hang_up })
    }

    /// Waits for SIGTERM or SIGINT, calling `hung_up` on each SIGHUP, which may end the wait too.
    pub(super) fn wait(&mut self, hung_up: impl Fn() -> ControlFlow<()>) {
        self.runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = self.terminate.recv() => return,
                    _ = self.interrupt.recv() => return,
                    _ = self.hang_up.recv() => if hung_up().is_break() { return },
                }
            }
        });
    }

    /// Waits for this long; a further SIGTERM or SIGINT ends it.
    pub(super) fn pause(&mut self, longest: Duration) {
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
                () = tokio::time::sleep(longest) => {}
            }
        });
    }
}
