//! Reading the configuration again while the gateway runs.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
};

use tokio::runtime::Handle;
use tracing::{error, info, warn};

use super::audit;
use crate::{
    audit::keys::Keys,
    cache::Reach,
    config::{Mistakes, Warnings},
    proxy::Shared,
    snapshot::{self, Changes, Snapshot},
};

/// Reads the configuration again, whoever asks for it.
#[derive(Clone)]
pub(super) struct Reloader {
    pub(super) shared: Shared,
    /// Where addresses of upstreams are looked up.
    pub(super) observing: Handle,
}

impl Reloader {
    /// Reads it. When anything is wrong with it, what runs stays. It blocks: not for a thread of the
    /// observing runtime.
    pub(super) fn reload(&self) -> Result<(Changes, Warnings), Mistakes> {
        let metrics = &self.shared.telemetry.metrics;
        let reloaded = self.journal_keys().and_then(|keys| {
            let reloaded = self.shared.current.reload(|new| {
                self.find_addresses(new);
                self.renew_cache(new);
            })?;
            self.shared.journal.renew(keys);
            Ok(reloaded)
        });
        match &reloaded {
            Ok((changes, warnings)) => {
                let snapshot = self.shared.current.load();
                metrics.snapshot(&snapshot.in_use());
                let practices = snapshot.policy.practices().len();
                self.shared.health.load(snapshot.generation, practices);
                for warning in warnings.iter() {
                    warn!("{warning}");
                }
                self.shared.journal.event("reload", &changes.to_string());
                metrics.reloaded(true);
                // Last: who reads it finds all of it done.
                info!("configuration reloaded: {changes}");
            }
            Err(mistakes) => {
                for mistake in mistakes.iter() {
                    error!("reload refused, the old configuration stays: {mistake}");
                }
                let note = format!("{} mistakes, nothing changed", mistakes.len());
                self.shared.journal.event("reload_refused", &note);
                metrics.reloaded(false);
            }
        }
        reloaded
    }

    /// The keys of the journal, as their files are now.
    fn journal_keys(&self) -> Result<Keys, Mistakes> {
        let snapshot = self.shared.current.load();
        let main = snapshot.sources.first().map(PathBuf::as_path).unwrap_or(Path::new(""));
        Keys::open(&snapshot.startup.audit).map_err(|faults| {
            let mut mistakes = Mistakes::default();
            mistakes.extend(faults.into_iter().map(|fault| audit::mistake(main, &fault)));
            mistakes
        })
    }

    /// What was learned of systems that have moved is not told any more.
    fn renew_cache(&self, new: &Snapshot) {
        let old = self.shared.current.load();
        let moved = snapshot::moved(&old, new);
        let settings = (old.cache != new.cache).then_some(Reach::All);
        let reaches: Vec<_> = moved.iter().map(Reach::Root).chain(settings).collect();
        self.shared.cache.renew(new.generation, &reaches);
    }

    /// Waits until the addresses of a snapshot's upstreams are known: the first request that is
    /// decided by it may need them.
    fn find_addresses(&self, snapshot: &Arc<Snapshot>) {
        let (shared, snapshot) = (self.shared.clone(), Arc::clone(snapshot));
        let (done, found) = mpsc::channel();
        self.observing.spawn(async move {
            shared.addresses.refresh(&snapshot).await;
            // Nobody waits any more when the gateway stops meanwhile.
            done.send(()).unwrap_or_default();
        });
        found.recv().unwrap_or_default();
    }
}
