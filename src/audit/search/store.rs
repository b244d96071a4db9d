//! The index in its database. It is made of the segments and of nothing else, so whatever is wrong
//! with it, it is removed and made anew; and all that is read of it carries a hash, because a record
//! that a damaged index hides would be worse than no index.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use redb::{
    Builder, Database, ReadOnlyDatabase, ReadOnlyTable, ReadableDatabase as _, TableDefinition,
    backends::FileBackend,
};

use super::{
    build::{self, Built},
    postings::{blocks_of, unpack},
    run::{Run, guard, unguard},
};
use crate::audit::{place::Place, segment::Segment};

/// The number in the names is that of the form: another one is another index.
const RUNS: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("runs-1");
const BLOCKS: TableDefinition<'_, (u64, u64, u32), &[u8]> = TableDefinition::new("blocks-1");
/// What stands for the run itself and for its marks where others have the number of a block.
const RUN: u32 = u32::MAX;
const MARKS: u32 = u32::MAX - 1;
/// The memory that the database may keep.
const CACHE: usize = 64 << 20;
/// So many segments become durable together.
const TOGETHER: usize = 8;
/// So long another process may have the index before a search does without it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the index can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// There is none.
    #[error("there is no index")]
    Missing,
    /// It is not what was written, or of another form.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// Whoever wrote it was killed.
    #[error("it was not closed")]
    Unclean,
    /// Another process is writing it.
    #[error("another process is using it")]
    Busy,
    /// The system can't read or write it.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<redb::Error> for Fault {
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else it says, it can't be read")]
    fn from(fault: redb::Error) -> Self {
        match fault {
            redb::Error::DatabaseAlreadyOpen => Self::Busy,
            redb::Error::RepairAborted => Self::Unclean,
            redb::Error::Io(fault) if fault.kind() == io::ErrorKind::NotFound => Self::Missing,
            // So the database names a file that is none of its own.
            redb::Error::Io(fault) if fault.kind() != io::ErrorKind::InvalidData => Self::Io(fault),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// Runs what may meet a damaged file, for which the database has panics.
fn guarded<T>(what: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Fault> {
    match catch_unwind(AssertUnwindSafe(what)) {
        Ok(result) => result.map_err(Fault::from),
        Err(_) => Err(Fault::Damaged(String::from("the database panicked"))),
    }
}

/// Tries again while another process has the database.
fn patient<T>(mut open: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
    let until = Instant::now() + PATIENCE;
    loop {
        match open() {
            Err(Fault::Busy) if Instant::now() < until => thread::sleep(Duration::from_millis(20)),
            other => return other,
        }
    }
}

fn file_in(folder: &Path) -> PathBuf {
    folder.join("index.redb")
}

/// Removes an index that is of no use.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_file(file_in(folder)) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(fault),
        _ => Ok(()),
    }
}

/// An index that is read.
pub(super) struct Reader {
    pub(super) runs: BTreeMap<Place, Run>,
    blocks: ReadOnlyTable<(u64, u64, u32), &'static [u8]>,
    /// Holds the lock that keeps writers away.
    _database: ReadOnlyDatabase,
}

impl Reader {
    pub(super) fn open(folder: &Path) -> Result<Self, Fault> {
        let path = file_in(folder);
        patient(|| Self::try_open(&path))
    }

    fn try_open(path: &Path) -> Result<Self, Fault> {
        let (database, runs, blocks) = guarded(|| {
            let database = Builder::new().set_cache_size(CACHE).open_read_only(path)?;
            let reading = database.begin_read()?;
            let blocks = reading.open_table(BLOCKS)?;
            let mut runs = Vec::new();
            for entry in reading.open_table(RUNS)?.range::<(u64, u64)>(..)? {
                let (key, run) = entry?;
                runs.push((key.value(), run.value().to_vec()));
            }
            Ok((database, runs, blocks))
        })?;
        let decode = |((epoch, seq), run): ((u64, u64), Vec<u8>)| {
            let place = Place { epoch, seq };
            Some((place, Run::decode(unguard(place, RUN, &run)?)?))
        };
        let runs: Option<_> = runs.into_iter().map(decode).collect();
        let runs = runs.ok_or_else(|| Fault::Damaged("what it says of a segment".into()))?;
        Ok(Self { runs, blocks, _database: database })
    }

    fn block(&self, place: Place, number: u32) -> Result<Vec<u8>, Fault> {
        let key = (place.epoch, place.seq, number);
        let stored = guarded(|| Ok(self.blocks.get(key)?.map(|block| block.value().to_vec())))?;
        let block = stored.as_deref().and_then(|stored| unguard(place, number, stored));
        block.map(<[u8]>::to_vec).ok_or_else(|| Fault::Damaged(format!("a block of {place}")))
    }

    /// Where in a segment the lines of a term begin.
    pub(super) fn places(&self, segment: Place, run: &Run, term: u64) -> Result<Vec<u64>, Fault> {
        let mut places = Vec::new();
        for number in blocks_of(&run.fences, term) {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let block = self.block(segment, number)?;
            let unpacked = unpack(&block, term, &mut places);
            unpacked.ok_or_else(|| Fault::Damaged(format!("a block of {segment}")))?;
        }
        Ok(places)
    }

    /// Numbers of records of a segment, and where their lines begin.
    pub(super) fn marks(&self, segment: Place) -> Result<Vec<u8>, Fault> {
        self.block(segment, MARKS)
    }
}

/// An index that is written.
pub(super) struct Writer {
    database: Database,
    waiting: Vec<(Place, Built)>,
}

impl Writer {
    /// Opens the index, or makes one, which only its owner may read.
    pub(super) fn open(folder: &Path) -> Result<Self, Fault> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let path = file_in(folder);
        let database = patient(|| {
            let mut options = File::options();
            let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let file = options.open(&path)?;
            let make = || {
                let mut builder = Builder::new();
                let backend = FileBackend::new(file)?;
                Ok(builder.set_cache_size(CACHE).create_with_backend(backend)?)
            };
            guarded(make)
        })?;
        guarded(|| {
            let writing = database.begin_write()?;
            writing.open_table(RUNS)?;
            writing.open_table(BLOCKS)?;
            Ok(writing.commit()?)
        })?;
        Ok(Self { database, waiting: Vec::new() })
    }

    /// Takes out what the index says of these segments.
    pub(super) fn forget(&mut self, places: &[Place]) -> Result<(), Fault> {
        guarded(|| {
            let writing = self.database.begin_write()?;
            {
                let (mut runs, mut blocks) =
                    (writing.open_table(RUNS)?, writing.open_table(BLOCKS)?);
                for Place { epoch, seq } in places {
                    runs.remove((*epoch, *seq))?;
                    blocks.retain_in((*epoch, *seq, 0)..=(*epoch, *seq, u32::MAX), |_, _| false)?;
                }
            }
            Ok(writing.commit()?)
        })
    }

    /// Adds these segments; gives how many records they have.
    pub(super) fn add(&mut self, segments: &[Segment]) -> Result<u64, Fault> {
        let mut records = 0;
        build::build(segments, |segment, built| {
            records += built.records;
            self.waiting.push((segment.first, built));
            if self.waiting.len() < TOGETHER { Ok(()) } else { self.commit() }
        })??;
        self.commit()?;
        Ok(records)
    }

    fn commit(&mut self) -> Result<(), Fault> {
        let waiting = std::mem::take(&mut self.waiting);
        guarded(|| {
            let writing = self.database.begin_write()?;
            {
                let (mut runs, mut blocks) =
                    (writing.open_table(RUNS)?, writing.open_table(BLOCKS)?);
                for (place, built) in &waiting {
                    let mut store = |number: u32, block: &[u8]| {
                        let key = (place.epoch, place.seq, number);
                        blocks.insert(key, &*guard(*place, number, block)).map(|_| ())
                    };
                    for (number, block) in (0..).zip(&built.blocks) {
                        store(number, block)?;
                    }
                    store(MARKS, &built.marks)?;
                    let run = guard(*place, RUN, &built.run.encode());
                    runs.insert((place.epoch, place.seq), &*run)?;
                }
            }
            Ok(writing.commit()?)
        })
    }
}
