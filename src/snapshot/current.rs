//! The snapshot in use, and its replacement.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::{ArcSwap, Guard};
use gpconnect::policy::Policy;

use super::{Access, Changes, Entrance, Snapshot, Switch, Switchable, Switches};
use crate::config::{Environment, Finding, Mistakes, Origin, Warnings};

/// The snapshot that new requests take.
#[derive(Debug)]
pub struct Current {
    snapshot: ArcSwap<Snapshot>,
    path: PathBuf,
    environment: Environment,
    /// What is switched off.
    switches: ArcSwap<Switches>,
    /// Held while reloading or switching: of two the second builds on the first.
    changing: Mutex<()>,
}

impl Current {
    /// Loads gateway.toml at `path`, laid over with `environment`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in any of the files or in the environment.
    pub fn open(path: &Path, environment: Environment) -> Result<(Self, Warnings), Mistakes> {
        let (mut snapshot, warnings) = Snapshot::load(path, &environment)?;
        let switches = kept_switches(path, &snapshot).map_err(|finding| {
            let mut mistakes = Mistakes::default();
            mistakes.extend([finding]);
            mistakes
        })?;
        snapshot.policy = switched(&snapshot.policy, &switches);
        let current = Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            path: path.to_path_buf(),
            environment,
            switches: ArcSwap::from_pointee(switches),
            changing: Mutex::new(()),
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
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut new, warnings) = Snapshot::load(&self.path, &self.environment)?;
        let old = self.load();
        let changes = Changes::between(&old, &new);
        new.generation = changes.generation;
        new.listeners = entrances(&old, &new);
        new.startup = old.startup.clone();
        new.policy = switched(&new.policy, &self.switches.load());
        new.issuers.adopt(&old.issuers);
        let new = Arc::new(new);
        prepare(&new);
        self.snapshot.store(new);
        Ok((changes, warnings))
    }

    /// All that is switched off.
    pub fn switches(&self) -> Vec<Switch> {
        self.switches.load().all.clone()
    }

    /// How much is switched off, by kind.
    pub fn switch_counts(&self) -> [(&'static str, usize); 4] {
        self.switches.load().counts()
    }

    /// Keeps `all` as what is switched off, durably, and puts it into use as a snapshot of its own.
    /// `prepare` sees that before any request does, and what was switched off or on by it. It writes
    /// a file: not for a thread that carries requests.
    ///
    /// # Errors
    ///
    /// When they can't be kept; what was switched off is then as it was.
    pub fn switch(
        &self,
        all: Vec<Switch>,
        prepare: impl FnOnce(&Snapshot, &[Switchable]),
    ) -> io::Result<()> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.switches.load();
        let changed = Switches { all, ..Switches::clone(&before) };
        changed.save()?;
        let old = self.load();
        let policy = switched(&old.policy, &changed);
        let generation = old.generation + 1;
        let new = Arc::new(Snapshot { generation, policy, ..Snapshot::clone(&old) });
        prepare(&new, &changed.unlike(&before));
        self.snapshot.store(new);
        self.switches.store(Arc::new(changed));
        Ok(())
    }
}

fn switched(policy: &Policy, switches: &Switches) -> Policy {
    policy.clone().with_switched_off(switches.resolve(policy))
}

/// What was switched off while a gateway ran, kept where the configuration at `path` says.
///
/// # Errors
/// What is wrong with the file: it keeps the gateway from starting.
pub fn kept_switches(path: &Path, snapshot: &Snapshot) -> Result<Switches, Finding> {
    Switches::open(&snapshot.startup.admin.state).map_err(|message| Finding {
        origin: Origin::File(path.display().to_string()),
        line: None,
        key: Some(String::from("admin.state")),
        message,
    })
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
