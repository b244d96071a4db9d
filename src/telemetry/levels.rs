//! How much the program's own events say, by target, changed while it runs. The engine's stay as they
//! are: at lower levels it logs whole heads, and with them tokens.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{Registry, filter::Targets, reload};

/// Whose level can be changed: these and what lies below.
const OWN: &str = "gpconnect_gateway";
/// Its lines are the proof that leaves the machine (`log_checkpoints`): never silenced.
const WITNESS: &str = "gpconnect_gateway::audit::witness";

/// Why a level was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSet {
    /// The target is somebody else's, or no target.
    #[error(
        "expected gpconnect_gateway or one of its modules, as in gpconnect_gateway::tls: the \
         engine's own lines would show tokens"
    )]
    NotOurs,
    /// Too many are set already.
    #[error("expected at most 64 targets with a level of their own; set fewer")]
    TooMany,
    /// Another part of the process took the log.
    #[error("this gateway does not own its process's log")]
    NotOwned,
}

/// The levels of one process's log.
#[derive(Debug)]
pub struct Levels {
    handle: reload::Handle<Targets, Registry>,
    set: Mutex<BTreeMap<String, Level>>,
}

impl Levels {
    /// The filter for the log, and the means to change it.
    pub fn new() -> (reload::Layer<Targets, Registry>, Self) {
        let set = BTreeMap::from([(OWN.to_owned(), Level::INFO)]);
        let (layer, handle) = reload::Layer::new(targets(&set));
        (layer, Self { handle, set: Mutex::new(set) })
    }

    /// Sets the level of a target and of what lies below it.
    ///
    /// # Errors
    /// [`NotSet`], with all levels as they were.
    pub fn set(&self, target: &str, level: Level) -> Result<(), NotSet> {
        let below = target.strip_prefix(OWN);
        let is_ours = below.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
        let is_path = target.bytes().all(|it| it.is_ascii_alphanumeric() || b"_:".contains(&it));
        if !is_ours || !is_path || target.len() > 100 {
            return Err(NotSet::NotOurs);
        }
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        if set.len() >= 64 && !set.contains_key(target) {
            return Err(NotSet::TooMany);
        }
        let mut changed = set.clone();
        changed.insert(target.to_owned(), level);
        self.handle.reload(targets(&changed)).or(Err(NotSet::NotOwned))?;
        *set = changed;
        Ok(())
    }

    /// Each target that has a level, and which.
    pub fn all(&self) -> BTreeMap<String, String> {
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let word = |level: &Level| level.as_str().to_ascii_lowercase();
        set.iter().map(|(target, level)| (target.clone(), word(level))).collect()
    }
}

fn targets(set: &BTreeMap<String, Level>) -> Targets {
    let own = set.iter().map(|(target, level)| (target.clone(), LevelFilter::from_level(*level)));
    let levels = Targets::new().with_default(LevelFilter::ERROR).with_targets(own);
    let witness = set.get(WITNESS).copied().unwrap_or(Level::INFO).max(Level::INFO);
    levels.with_target(WITNESS, witness)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_targets_change() {
        let (_layer, levels) = Levels::new();
        for (target, expected) in [
            ("gpconnect_gateway", Ok(())),
            ("gpconnect_gateway::tls", Ok(())),
            ("gpconnect_gateway_x", Err(NotSet::NotOurs)),
            ("pingora", Err(NotSet::NotOurs)),
            ("", Err(NotSet::NotOurs)),
            ("gpconnect_gateway::a=debug,pingora", Err(NotSet::NotOurs)),
        ] {
            assert_eq!(levels.set(target, Level::DEBUG), expected, "{target}");
        }
        let all = levels.all();
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(all.values().all(|level| level == "debug"), "{all:?}");
    }

    #[test]
    fn checkpoints_are_never_silenced() {
        for target in [OWN, "gpconnect_gateway::audit", WITNESS] {
            let set = BTreeMap::from([(target.to_owned(), Level::ERROR)]);
            let targets = targets(&set);
            assert!(targets.would_enable(WITNESS, &Level::INFO), "{target}");
            assert!(!targets.would_enable("pingora_core::x", &Level::WARN), "{target}");
        }
    }
}
