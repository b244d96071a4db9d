//! What practices' systems say that they can be asked, as they last said it to anybody, and when that
//! changed. Nothing of it outlives the process.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use gpconnect::{caching::Statement, names::ServiceRoot};
use hashbrown::HashMap;

use crate::telemetry::STANDINGS;

/// Service roots whose statement is known, and what all statements together may take: beyond it the
/// one goes that was not seen for the longest.
const MOST_ROOTS: usize = 50_000;
const MOST_BYTES: usize = 32 << 20;
/// Changes that are remembered.
const MOST_CHANGES: usize = 1_000;

/// The statement of a service root.
#[derive(Clone, Debug)]
pub struct Told {
    /// What it said.
    pub statement: Arc<Statement>,
    /// When it said so last.
    pub at: SystemTime,
    /// When it said so first, without another statement in between.
    pub since: SystemTime,
}

/// A statement that was not as the one before.
#[derive(Clone, Debug)]
pub struct Change {
    /// When it was seen.
    pub at: SystemTime,
    /// Whose it is.
    pub root: ServiceRoot,
    /// What was said before.
    pub before: Arc<Statement>,
    /// What is said now.
    pub after: Arc<Statement>,
}

/// How it stands with keeping what is known of a statement fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is as young as it is meant to be.
    Fresh,
    /// It is older, or not known at all, and is going to be asked for.
    Behind,
    /// The same, and the last attempt failed for this.
    Failing(&'static str),
    /// The gateway may not ask for it, for this.
    Refused(&'static str),
}

impl Standing {
    /// The words of all of them.
    pub const WORDS: [&'static str; 4] = STANDINGS;

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        let [fresh, behind, failing, refused] = Self::WORDS;
        match self {
            Self::Fresh => fresh,
            Self::Behind => behind,
            Self::Failing(_) => failing,
            Self::Refused(_) => refused,
        }
    }

    /// Why.
    pub const fn fault(self) -> Option<&'static str> {
        match self {
            Self::Failing(fault) | Self::Refused(fault) => Some(fault),
            Self::Fresh | Self::Behind => None,
        }
    }
}

/// By service root.
pub type Standings = HashMap<ServiceRoot, Standing, RandomState>;

/// All statements that are known.
#[derive(Debug, Default)]
pub struct Statements {
    held: Mutex<Held>,
    standings: ArcSwap<Standings>,
}

#[derive(Debug, Default)]
struct Held {
    told: HashMap<ServiceRoot, Told, RandomState>,
    /// The oldest first.
    changes: VecDeque<Change>,
    /// Each statement once: the systems of one supplier say the same.
    distinct: HashSet<Arc<Statement>>,
    /// What those take.
    bytes: usize,
}

impl Statements {
    /// What each service root said last.
    pub fn told(&self) -> HashMap<ServiceRoot, Told, RandomState> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).told.clone()
    }

    /// What has changed, the latest first.
    pub fn changes(&self) -> Vec<Change> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.changes.iter().rev().cloned().collect()
    }

    /// How it stands with each service root whose statement the gateway keeps fresh of its own accord.
    pub fn standings(&self) -> Arc<Standings> {
        self.standings.load_full()
    }

    /// Takes note of how it stands with all of them.
    pub fn stand(&self, standings: Standings) {
        self.standings.store(Arc::new(standings));
    }

    /// Takes note of a statement; returns of how many service roots one is known.
    pub(super) fn learn(&self, root: &ServiceRoot, statement: Statement, at: SystemTime) -> usize {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.learn(root, statement, at);
        held.told.len()
    }
}

impl Held {
    fn learn(&mut self, root: &ServiceRoot, statement: Statement, at: SystemTime) {
        if let Some(told) = self.told.get_mut(root).filter(|told| *told.statement == statement) {
            told.at = at;
            return;
        }
        let statement = self.one_of(statement);
        let told = Told { statement: Arc::clone(&statement), at, since: at };
        if let Some(Told { statement: before, .. }) = self.told.insert(root.clone(), told) {
            self.changes.push_back(Change { at, root: root.clone(), before, after: statement });
        }
        if self.changes.len() > MOST_CHANGES {
            self.changes.pop_front();
        }
        self.make_room(MOST_ROOTS, MOST_BYTES);
    }

    /// The same statement as others have it.
    fn one_of(&mut self, statement: Statement) -> Arc<Statement> {
        if let Some(known) = self.distinct.get(&statement) {
            return Arc::clone(known);
        }
        let statement = Arc::new(statement);
        self.bytes += size(&statement);
        self.distinct.insert(Arc::clone(&statement));
        statement
    }

    fn make_room(&mut self, roots: usize, bytes: usize) {
        self.forget();
        while self.told.len() > roots || self.bytes > bytes {
            let oldest = self.told.iter().min_by_key(|(_, told)| told.at);
            let Some(root) = oldest.map(|(root, _)| root.clone()) else { break };
            self.told.remove(&root);
            self.changes.pop_front();
            self.forget();
        }
    }

    /// Forgets statements that are nobody's.
    fn forget(&mut self) {
        let bytes = &mut self.bytes;
        self.distinct.retain(|statement| {
            let is_used = Arc::strong_count(statement) > 1;
            *bytes -= if is_used { 0 } else { size(statement) };
            is_used
        });
    }
}

/// What a statement takes, and the place of each text.
fn size(statement: &Statement) -> usize {
    const AROUND: usize = 48;
    let Statement { version, fhir_version, software, operations } = statement;
    let texts = [version, fhir_version, software].into_iter().flatten().chain(operations);
    texts.map(|text| text.len() + AROUND).sum::<usize>() + 2 * AROUND
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn root(number: usize) -> ServiceRoot {
        format!("https://gp{number}.example/A20047/STU3/1/gpconnect").parse().unwrap()
    }

    fn statement(version: &str) -> Statement {
        let operations = ["Patient.read".into()].into();
        Statement { version: Some(version.into()), operations, ..Statement::default() }
    }

    fn second(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    #[test]
    fn a_change_is_told_once_with_its_time() {
        let statements = Statements::default();
        for (at, version) in [(1, "1.2.7"), (2, "1.2.7"), (3, "1.2.8"), (4, "1.2.8")] {
            assert_eq!(statements.learn(&root(0), statement(version), second(at)), 1);
        }
        assert_eq!(statements.learn(&root(1), statement("1.2.8"), second(5)), 2);
        let told = statements.told();
        assert_eq!((told[&root(0)].at, told[&root(0)].since), (second(4), second(3)));
        assert!(Arc::ptr_eq(&told[&root(0)].statement, &told[&root(1)].statement), "kept once");
        let changes = statements.changes();
        assert_eq!(changes.len(), 1, "what is first seen is no change");
        assert_eq!((changes[0].at, &changes[0].root), (second(3), &root(0)));
        assert_eq!(*changes[0].before, statement("1.2.7"));
        assert_eq!(*changes[0].after, statement("1.2.8"));
        statements.learn(&root(1), statement("1.2.9"), second(6));
        assert_eq!(statements.changes()[0].root, root(1), "the latest first");
    }

    #[test]
    fn there_is_room_for_so_many() {
        let mut held = Held::default();
        for number in 0..10 {
            let at = second(number.try_into().unwrap());
            held.learn(&root(number), statement(&number.to_string()), at);
        }
        held.make_room(4, MOST_BYTES);
        assert_eq!(held.told.len(), 4);
        assert!(held.told.contains_key(&root(9)) && !held.told.contains_key(&root(5)));
        assert_eq!((held.distinct.len(), held.bytes), (4, 4 * size(&statement("1"))));
        held.make_room(4, size(&statement("1")));
        assert_eq!((held.told.len(), held.distinct.len()), (1, 1));
        held.make_room(0, 0);
        assert_eq!((held.told.len(), held.bytes), (0, 0));
    }

    #[test]
    fn changes_without_end_are_so_many() {
        let mut held = Held::default();
        for number in 0..3 * MOST_CHANGES {
            held.learn(&root(0), statement(&number.to_string()), second(1));
        }
        assert_eq!(held.changes.len(), MOST_CHANGES);
        assert_eq!(held.distinct.len(), MOST_CHANGES + 1);
    }
}
