//! The snapshot in use, and its replacement.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::{ArcSwap, Guard};
use gpconnect::policy::Policy;

use super::{Access, Changes, Entrance, Snapshot};
use crate::config::{Environment, Mistakes, Warnings};

/// The snapshot that new requests take.
#[derive(Debug)]
pub struct Current {
    snapshot: ArcSwap<Snapshot>,
    path: PathBuf,
    environment: Environment,
    /// Held while reloading: of two reloads the second builds on the first.
    reloading: Mutex<()>,
}

impl Current {
    /// Loads gateway.toml at `path`, laid over with `environment`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in any of the files or in the environment.
    pub fn open(path: &Path, environment: Environment) -> Result<(Self, Warnings), Mistakes> {
        let (snapshot, warnings) = Snapshot::load(path, &environment)?;
        let current = Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            path: path.to_path_buf(),
            environment,
            reloading: Mutex::new(()),
        };
        Ok((current, warnings))
    }

    /// The snapshot to keep for the length of a request.
    pub fn load(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The snapshot for a short look: cheaper, and not to be kept.
    pub fn peek(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Reads everything again and puts it into use, with what changed by it. What is fixed at the
    /// start stays as it started, and listeners that the file no longer names go on as they were.
    /// `prepare` sees the new one before any request does. It reads files: not for a thread that
    /// carries requests.
    ///
    /// # Errors
    ///
    /// Everything that is wrong; the snapshot in use is then still the old one.
    pub fn reload(
        &self,
        prepare: impl FnOnce(&Arc<Snapshot>),
    ) -> Result<(Changes, Warnings), Mistakes> {
        let _alone = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut new, warnings) = Snapshot::load(&self.path, &self.environment)?;
        let old = self.load();
        let changes = Changes::between(&old, &new);
        new.generation = changes.generation;
        new.listeners = entrances(&old, &new);
        new.startup = old.startup.clone();
        new.issuers.adopt(&old.issuers);
        let new = Arc::new(new);
        prepare(&new);
        self.snapshot.store(new);
        Ok((changes, warnings))
    }
}

/// One entrance for each listener that runs, in the order in which they run. One whose kind
/// is to change goes on as it was until a restart.
fn entrances(old: &Snapshot, new: &Snapshot) -> Vec<Entrance> {
    let successor = |entrance: &Entrance| {
        let same_name = new.listeners.iter().find(|other| {
            other.name == entrance.name && other.access.kind() == entrance.access.kind()
        });
        same_name.cloned().unwrap_or_else(|| carry_over(entrance, &old.policy, &new.policy))
    };
    old.listeners.iter().map(successor).collect()
}

/// The same entrance with the places that its consumer systems have in the new policy.
fn carry_over(entrance: &Entrance, old: &Policy, new: &Policy) -> Entrance {
    let Access::InsecureEveryoneIs(everyone) = &entrance.access else { return entrance.clone() };
    let everyone = everyone
        .iter()
        .filter_map(|index| Some(new.find_consumer(old.consumer(*index)?.asid)?.0))
        .collect();
    Entrance { access: Access::InsecureEveryoneIs(everyone), ..entrance.clone() }
}
