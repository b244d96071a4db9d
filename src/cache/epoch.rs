//! Epochs: what was purged is of an older one.

use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use gpconnect::{
    interaction::{InteractionId, TABLE},
    names::ServiceRoot,
};
use hashbrown::HashMap;

/// The time within which answers of one service root and interaction are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch {
    all: u64,
    root: u64,
    interaction: u64,
}

/// What a purge reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach<'r> {
    /// Everything.
    All,
    /// What came from a service root. A practice may have several.
    Root(&'r ServiceRoot),
    /// The answers of an interaction, wherever they came from.
    Interaction(InteractionId),
}

impl Reach<'_> {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Root(_) => "service_root",
            Self::Interaction(_) => "interaction",
        }
    }
}

/// The epochs of now.
#[derive(Debug)]
pub(super) struct Epochs {
    all: AtomicU64,
    /// Of roots that were purged; the others are in their first.
    roots: ArcSwap<HashMap<ServiceRoot, u64, RandomState>>,
    interactions: [AtomicU64; TABLE.len()],
}

impl Default for Epochs {
    fn default() -> Self {
        let interactions = std::array::from_fn(|_| AtomicU64::new(0));
        Self { all: AtomicU64::new(0), roots: ArcSwap::default(), interactions }
    }
}

impl Epochs {
    pub(super) fn of(&self, root: &ServiceRoot, id: InteractionId) -> Epoch {
        let interaction = self.interactions.get(id as usize);
        Epoch {
            all: self.all.load(Ordering::SeqCst),
            root: self.roots.load().get(root).copied().unwrap_or_default(),
            interaction: interaction.map_or(0, |epoch| epoch.load(Ordering::SeqCst)),
        }
    }

    pub(super) fn raise(&self, reaches: &[Reach<'_>]) {
        let mut raised = Vec::new();
        for reach in reaches {
            match reach {
                Reach::All => {
                    self.all.fetch_add(1, Ordering::SeqCst);
                }
                Reach::Interaction(id) => {
                    if let Some(epoch) = self.interactions.get(*id as usize) {
                        epoch.fetch_add(1, Ordering::SeqCst);
                    }
                }
                Reach::Root(root) => raised.push(*root),
            }
        }
        if raised.is_empty() {
            return;
        }
        self.roots.rcu(|roots| {
            let mut roots = HashMap::clone(roots);
            for root in &raised {
                *roots.entry(ServiceRoot::clone(root)).or_default() += 1;
            }
            roots
        });
    }
}
