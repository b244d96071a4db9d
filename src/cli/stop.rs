//! How a gateway stops: it says that it is not ready, takes no new work, finishes what is under way,
//! and closes its journal. Each step has a bound.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use tracing::{error, info};

use super::start::Running;
use crate::audit::Journal;

/// How often a stop looks whether requests are still under way.
const POLL: Duration = Duration::from_millis(20);
/// How long requests that are cut may take to put down that they were: a busy machine gets to it late.
const CUT: Duration = Duration::from_secs(2);
/// How long the collector has at least for the last spans, if requests took all of the drain time.
const LAST_SPANS: Duration = Duration::from_secs(1);
/// How long the journal may take to write what waits: a disk may never answer.
const CLOSE: Duration = Duration::from_secs(5);

impl Running {
    /// Says that it is not ready, and ends each connection behind its next answer; requests are taken
    /// as before. Returns for how long that should be, before [`Running::stop`].
    pub fn leave(&self) -> Duration {
        self.shared.health.drain();
        self.server.notice
    }

    /// Takes no new connections, lets requests under way finish for at most the drain time, then
    /// ends. Returns how many were cut.
    pub fn stop(self) -> i64 {
        let in_flight = &self.shared.telemetry.metrics.in_flight;
        self.shared.health.drain();
        // Nobody listens any more when every service has ended by itself; that is fine.
        self.stop.send_replace(true);
        drop((self.sockets, self.signpost));
        info!(in_flight = in_flight.get(), "no new work is taken");
        let wait = async {
            while in_flight.get() > 0 {
                tokio::time::sleep(POLL).await;
            }
        };
        let (drain, since) = (self.server.drain, Instant::now());
        let drained = self.observing.block_on(async { tokio::time::timeout(drain, wait).await });
        let cut = if drained.is_ok() { 0 } else { in_flight.get() };
        self.carrying.shutdown_timeout(CUT);
        if let Some(traces) = &self.shared.traces {
            let left = drain.saturating_sub(since.elapsed()).max(LAST_SPANS);
            self.observing.block_on(traces.close(left));
        }
        self.observed.send_replace(true);
        self.observing.shutdown_timeout(POLL);
        self.shared.journal.event("stop", &format!("stopped, {cut} requests were cut"));
        close(&self.shared.journal);
        cut
    }
}

fn close(journal: &Arc<Journal>) {
    let closing = Arc::clone(journal);
    let (closed, waiting) = mpsc::channel();
    let close = move || {
        closing.close();
        // Nobody waits any more when it took too long.
        closed.send(()).unwrap_or_default();
    };
    if thread::Builder::new().name("close".into()).spawn(close).is_err() {
        // Without a thread to spare the disk has to be trusted.
        return journal.close();
    }
    if waiting.recv_timeout(CLOSE).is_err() {
        error!(
            "audit journal not closed: its disk does not answer; the next start will say what became \
             of requests without an outcome"
        );
    }
}
