//! What systemd is told of a gateway that it started (`Type=notify`): that it is ready, reloads or
//! stops, how it fares in one line, and again and again that it works. Without systemd all of it is
//! nothing.

use std::{env, time::Duration};

use sd_notify::NotifyState::{self, Ready, Reloading, Status, Stopping, Watchdog};
use tokio::runtime::Handle;
use tracing::warn;

use crate::proxy::Shared;

/// How often it is told, where no watchdog wants to hear it more often.
const PERIOD: Duration = Duration::from_secs(10);

/// Requests are taken.
pub(super) fn ready(shared: &Shared) {
    tell(&[Ready, Status(&status(shared))]);
}

/// The configuration is being read again; [`ready`] follows whatever comes of it.
pub(super) fn reloading() {
    // `Type=notify-reload` tells by it that this is meant for its own order, not for an earlier one.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[Reloading, now, Status("reading the configuration again")]),
        Err(fault) => warn!(%fault, "systemd is not told of a reload"),
    }
}

/// The gateway is stopping.
pub(super) fn stopping(shared: &Shared) {
    tell(&[Stopping, Status(&status(shared))]);
}

/// Tells again and again how the gateway fares and that it works, as a task of the one runtime that
/// has the other, `carrying`, do something each time: where either is stuck nothing is told, and systemd
/// starts the gateway again.
pub(super) async fn report(shared: Shared, carrying: Handle) {
    if env::var_os("NOTIFY_SOCKET").is_some() {
        let limit = sd_notify::watchdog_enabled();
        let period = limit.map_or(PERIOD, |limit| PERIOD.min(limit / 3));
        beat(period, &carrying, || tell(&[Watchdog, Status(&status(&shared))])).await;
    }
}

/// Calls `beat` in each period in which `carrying` works; ends with it.
async fn beat(period: Duration, carrying: &Handle, beat: impl Fn()) {
    while carrying.spawn(async {}).await.is_ok() {
        beat();
        tokio::time::sleep(period).await;
    }
}

fn status(shared: &Shared) -> String {
    let state = shared.health.unready().map_or("ready".into(), |why| format!("not ready: {why}"));
    let policy = &shared.current.load().policy;
    format!(
        "{state}; {} practices, {} consumers, {} requests under way",
        policy.practices().len(),
        policy.consumers().len(),
        shared.telemetry.metrics.in_flight.get()
    )
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(fault) = sd_notify::notify(states) {
        warn!(%fault, "systemd can't be told");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
        mpsc,
    };

    use tokio::{
        runtime::{Builder, Runtime},
        time::{sleep, timeout},
    };

    use super::*;

    const SHORT: Duration = Duration::from_millis(5);
    const DEADLINE: Duration = Duration::from_secs(30);

    fn one_thread() -> Runtime {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    /// What a watchdog is for: the thread that tells it works, and the ones that carry requests don't.
    #[test]
    fn a_stuck_runtime_is_not_said_to_work() {
        let (observing, carrying) = (one_thread(), one_thread());
        let beats = Arc::new(AtomicU32::new(0));
        let (counted, handle) = (Arc::clone(&beats), carrying.handle().clone());
        let beating = observing.spawn(async move {
            let count = || {
                counted.fetch_add(1, Relaxed);
            };
            beat(SHORT, &handle, count).await;
        });
        let reaches = async |least: u32| {
            while beats.load(Relaxed) < least {
                sleep(SHORT).await;
            }
        };
        let soon = |least| observing.block_on(async { timeout(DEADLINE, reaches(least)).await });
        soon(3).expect("it beats");

        let (release, held) = mpsc::channel::<()>();
        let (stuck, is_stuck) = mpsc::channel();
        carrying.spawn(async move {
            stuck.send(()).unwrap();
            held.recv().unwrap_err();
        });
        is_stuck.recv().unwrap();
        let before = beats.load(Relaxed);
        observing.block_on(async { sleep(SHORT * 40).await });
        // One beat may have been under way.
        let before = beats.load(Relaxed).min(before + 1);
        assert_eq!(beats.load(Relaxed), before, "it is stuck");

        drop(release);
        soon(before + 3).expect("it beats again");
        carrying.shutdown_timeout(DEADLINE);
        let ended = observing.block_on(async { timeout(DEADLINE, beating).await });
        ended.expect("it ends with what it watches").unwrap();
    }
}
