//! What is made of files, replaced when they change.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;

use super::{
    certificate::Expiry,
    fault::Fault,
    files::{Stamp, stamp},
};
use crate::config::TlsFile;

/// Something that is made of files.
pub trait Material: Sized {
    /// What names the files.
    type Settings;

    /// The files.
    fn files(settings: &Self::Settings) -> Vec<&TlsFile>;

    /// Makes it.
    ///
    /// # Errors
    /// Everything that is wrong with any of the files.
    fn load(settings: &Self::Settings) -> Result<Self, Vec<Fault>>;

    /// When what it was made of ends.
    fn expiries(&self) -> &[Expiry];
}

/// The material in use, and its replacement.
pub struct Renewable<M: Material> {
    settings: M::Settings,
    current: ArcSwap<M>,
    seen: Mutex<Seen>,
}

/// What the files looked like when they were last read, and what was wrong then.
struct Seen {
    stamps: Vec<Stamp>,
    faults: Vec<Fault>,
    told: bool,
}

/// What came of looking at the files.
#[derive(Debug, PartialEq, Eq)]
pub enum Renewal {
    /// What is in use is still what the files say, or what is wrong with them was told before.
    Unchanged,
    /// What they say now is in use.
    Renewed,
    /// They can't be used; what was in use stays so.
    Refused(Vec<Fault>),
}

impl<M: Material> Renewable<M> {
    /// Makes the first one.
    ///
    /// # Errors
    /// Everything that is wrong with any of the files.
    pub fn open(settings: M::Settings) -> Result<Self, Vec<Fault>> {
        // Looked at before they are read: what changes between shows at the next look.
        let stamps = stamps::<M>(&settings);
        let current = ArcSwap::from_pointee(M::load(&settings)?);
        let seen = Mutex::new(Seen { stamps, faults: Vec::new(), told: false });
        Ok(Self { settings, current, seen })
    }

    /// The one in use.
    pub fn current(&self) -> Arc<M> {
        self.current.load_full()
    }

    /// Looks at the files, and replaces what is in use when they have changed. A fault is told
    /// when it is met twice: certificate and key are rarely replaced in the same instant.
    pub fn renew(&self) -> Renewal {
        let stamps = stamps::<M>(&self.settings);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if stamps == seen.stamps && seen.faults.is_empty() {
            return Renewal::Unchanged;
        }
        seen.stamps = stamps;
        match M::load(&self.settings) {
            Ok(material) => {
                self.current.store(Arc::new(material));
                (seen.faults, seen.told) = (Vec::new(), false);
                Renewal::Renewed
            }
            Err(faults) if faults == seen.faults => {
                let told = std::mem::replace(&mut seen.told, true);
                if told { Renewal::Unchanged } else { Renewal::Refused(faults) }
            }
            Err(faults) => {
                (seen.faults, seen.told) = (faults, false);
                Renewal::Unchanged
            }
        }
    }

    /// When what is in use ends.
    pub fn expiries(&self) -> Vec<Expiry> {
        self.current.load().expiries().to_vec()
    }

    /// Whether what is in use is not what the files say.
    pub fn is_stale(&self) -> bool {
        !self.seen.lock().unwrap_or_else(PoisonError::into_inner).faults.is_empty()
    }
}

impl<M: Material> fmt::Debug for Renewable<M> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<_> = M::files(&self.settings);
        write!(out, "Renewable({files:?})")
    }
}

fn stamps<M: Material>(settings: &M::Settings) -> Vec<Stamp> {
    M::files(settings).into_iter().map(|file| stamp(&file.path)).collect()
}
