//! Brings checkpoints to their places: beside the journal, and to places that leave this machine.
//! Each place has a thread of its own, because a disk or a machine elsewhere may hang, and neither
//! the journal nor another place may wait for it. One that falls behind gets the latest checkpoint
//! only, which says all that those before it said: nothing queues up.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use tracing::{info, warn};

use super::publish::{Outlet, Sheet};
use crate::{config::Audit, https::LIMIT, telemetry::Telemetry};

/// How long a stop waits for places that do not answer.
const FAREWELL: Duration = LIMIT.saturating_add(Duration::from_secs(1));

/// All places, and what they hold.
pub(super) struct Witness {
    local: Arc<Desk>,
    foreign: Vec<Arc<Desk>>,
    /// Told when the last thread has ended.
    ended: Receiver<()>,
    begun: Instant,
    /// The stamp of the last checkpoint that was signed.
    signed: u64,
    /// Since when there is something that no place holds which leaves this machine.
    unwitnessed: Option<u64>,
}

impl Witness {
    pub(super) fn start(settings: &Audit, telemetry: &Arc<Telemetry>) -> io::Result<Self> {
        let (ends, ended) = mpsc::channel();
        let start = |name: String, outlet: Outlet| {
            let desk = Arc::<Desk>::default();
            let (clerk, telemetry) = (Arc::clone(&desk), Arc::clone(telemetry));
            let clerk =
                Clerk { name, desk: clerk, outlet, telemetry, _ended: Sender::clone(&ends) };
            thread::Builder::new().name("audit checkpoints".into()).spawn(move || clerk.run())?;
            Ok::<_, io::Error>(desk)
        };
        let local = start(String::from("local"), Outlet::Journal(settings.directory.clone()))?;
        let foreign = Outlet::foreign(settings)?.into_iter();
        let foreign =
            foreign.map(|(name, outlet)| start(name, outlet)).collect::<Result<_, _>>()?;
        Ok(Self { local, foreign, ended, begun: Instant::now(), signed: 0, unwitnessed: None })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Sends a signed checkpoint on its way.
    pub(super) fn publish(&mut self, epoch: u64, note: String) {
        let stamp = self.now().max(self.signed + 1);
        self.signed = stamp;
        self.unwitnessed.get_or_insert(stamp);
        let sheet = Sheet { epoch, stamp, note };
        self.foreign.iter().for_each(|desk| desk.put(sheet.clone()));
        self.local.put(sheet);
    }

    /// How long there has been something of which no checkpoint has left this machine.
    pub(super) fn unwitnessed(&mut self) -> Duration {
        let held = self.foreign.iter().map(|desk| desk.holds.load(Ordering::Acquire)).max();
        let held = held.unwrap_or_default();
        if held >= self.signed {
            self.unwitnessed = None;
        }
        // What a place does not hold yet was written after it was given what it holds.
        let since = self.unwitnessed.map(|since| since.max(held));
        self.unwitnessed = since;
        since
            .map_or(Duration::ZERO, |since| Duration::from_micros(self.now().saturating_sub(since)))
    }

    /// Waits until what was signed is where it belongs, or a place has had its time.
    pub(super) fn finish(&self) {
        self.foreign.iter().chain([&self.local]).for_each(|desk| desk.close());
        // The threads send nothing: the last of them ends the wait.
        if self.ended.recv_timeout(FAREWELL) == Err(mpsc::RecvTimeoutError::Timeout) {
            warn!("the last audit checkpoint has not reached every place");
        }
    }
}

/// Where the writer leaves checkpoints for one place.
#[derive(Debug, Default)]
struct Desk {
    tray: Mutex<Tray>,
    news: Condvar,
    /// The stamp of the last checkpoint that the place holds.
    holds: AtomicU64,
}

#[derive(Debug, Default)]
struct Tray {
    sheet: Option<Sheet>,
    closed: bool,
}

impl Desk {
    fn tray(&self) -> MutexGuard<'_, Tray> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, sheet: Sheet) {
        self.tray().sheet = Some(sheet);
        self.news.notify_one();
    }

    /// Puts one back that could not be brought, unless there is a later one.
    fn put_back(&self, sheet: Sheet) {
        self.tray().sheet.get_or_insert(sheet);
    }

    fn close(&self) {
        self.tray().closed = true;
        self.news.notify_one();
    }

    /// The latest sheet after a pause, and whether it is the last; none when there is no more.
    /// Closing ends the pause.
    fn take(&self, pause: Duration) -> Option<(Sheet, bool)> {
        let is_open = |tray: &mut Tray| !tray.closed;
        let waited = self.news.wait_timeout_while(self.tray(), pause, is_open);
        let (tray, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_idle = |tray: &mut Tray| tray.sheet.is_none() && !tray.closed;
        let mut tray = self.news.wait_while(tray, is_idle).unwrap_or_else(PoisonError::into_inner);
        let closed = tray.closed;
        tray.sheet.take().map(|sheet| (sheet, closed))
    }
}

/// Whoever brings checkpoints to one place.
struct Clerk {
    name: String,
    desk: Arc<Desk>,
    outlet: Outlet,
    telemetry: Arc<Telemetry>,
    /// Dropped at the end.
    _ended: Sender<()>,
}

impl Clerk {
    fn run(mut self) {
        let unpublished = &self.telemetry.metrics.audit.unpublished;
        let unpublished = unpublished.with_label_values(&[&self.name]);
        unpublished.inc_by(0);
        let (place, mut failures) = (&self.name, 0);
        while let Some((sheet, last)) = self.desk.take(self.outlet.pause(failures)) {
            match self.outlet.put(&sheet) {
                Ok(()) => {
                    self.desk.holds.store(sheet.stamp, Ordering::Release);
                    if failures > 0 {
                        info!(place, "audit checkpoints reach this place again");
                    }
                    failures = 0;
                }
                Err(fault) => {
                    unpublished.inc();
                    if failures == 0 {
                        warn!(place, fault, "audit checkpoints don't reach this place");
                    }
                    failures = failures.saturating_add(1);
                    self.desk.put_back(sheet);
                }
            }
            if last {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_unwitnessed_counts_from_what_a_place_holds() {
        let desk = Arc::<Desk>::default();
        let mut witness = Witness {
            local: Arc::default(),
            foreign: vec![Arc::default(), Arc::clone(&desk)],
            ended: mpsc::channel().1,
            begun: Instant::now(),
            signed: 0,
            unwitnessed: None,
        };
        let mut seconds = |later: u64, signs: bool, holds: u64| {
            witness.begun -= Duration::from_secs(later);
            if signs {
                witness.publish(1, String::new());
            }
            desk.holds.store(holds * 1_000_000, Ordering::Release);
            witness.unwitnessed().as_secs()
        };
        for (name, later, signs, holds, expected) in [
            ("nothing was signed", 100, false, 0, 0),
            ("the first", 0, true, 0, 0),
            ("ten seconds later", 10, false, 0, 10),
            // The second is signed at 115 s; the place holds what was signed after 110 s.
            ("a place holds what was said since", 5, true, 110, 5),
            ("it holds all", 0, false, 1_000, 0),
            ("long afterwards", 3_600, false, 1_000, 0),
        ] {
            assert_eq!(seconds(later, signs, holds), expected, "{name}");
        }
    }

    #[test]
    fn a_place_that_falls_behind_gets_the_latest() {
        let desk = Desk::default();
        let sheet = |stamp| Sheet { epoch: 1, stamp, note: String::new() };
        desk.put(sheet(1));
        let (failed, _) = desk.take(Duration::ZERO).unwrap();
        desk.put(sheet(2));
        desk.put(sheet(3));
        desk.put_back(failed);
        let stamp = |taken: Option<(Sheet, bool)>| taken.map(|(sheet, last)| (sheet.stamp, last));
        assert_eq!(stamp(desk.take(Duration::ZERO)), Some((3, false)));
        desk.put_back(sheet(3));
        desk.close();
        let begun = Instant::now();
        assert_eq!(stamp(desk.take(Duration::from_secs(60))), Some((3, true)));
        assert!(begun.elapsed() < Duration::from_secs(30), "closing ends the pause");
        assert_eq!(stamp(desk.take(Duration::ZERO)), None);
    }
}
