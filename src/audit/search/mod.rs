//! Finds records. A search reads lines and judges each by all that is asked; an index only tells
//! which lines need no reading. It is made of the segments alone and holds places and hashes: nothing
//! that stands in no segment, nobody's name or number. It is never read or written for a request.
//!
//! A segment is indexed once it does not change any more. What is written meanwhile, what changed
//! since, and what the index does not know for whatever reason, is read line by line: an index that
//! is old or damaged costs time and hides no record.

mod build;
mod fields;
mod postings;
mod query;
mod run;
mod store;
#[cfg(test)]
mod tests;
mod walk;

use std::{
    collections::{BTreeMap, BTreeSet},
    io, mem,
    path::{Path, PathBuf},
    time::Duration,
};

pub use fields::{ALLOWED, Fields, Member, REFUSED};
pub use query::Query;
pub use store::Fault;
pub use walk::{Found, Walked, resources_of, walk};

use super::{
    place::Place,
    segment::{self, Segment},
};
use run::{Run, Stamp, is_quiet};
use store::{Reader, Writer};

/// The last segment of an epoch is taken for finished when so long nothing was written to it.
pub const QUIET: Duration = Duration::from_secs(600);
/// How often a damaged index is made anew before it is given up.
const TRIES: usize = 3;

/// An index of a journal, as far as it agrees with the segments.
pub struct Index {
    folder: PathBuf,
    reader: Reader,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Index({}, {} segments)", self.folder.display(), self.reader.runs.len())
    }
}

/// What bringing an index up to date did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caught {
    /// Segments that were read.
    pub segments: usize,
    /// Their records.
    pub records: u64,
    /// Segments that it knew and that changed or are gone.
    pub forgotten: usize,
    /// Segments that are left for later, because they are still written.
    pub left: usize,
}

/// What became of bringing an index up to date.
#[derive(Debug, Default)]
pub struct Brought {
    /// The index, as far as it can be used. None where nothing is to be indexed.
    pub index: Option<Index>,
    /// What was done.
    pub caught: Caught,
    /// Why it is not up to date.
    pub fault: Option<Fault>,
}

impl Index {
    /// Brings the index in `folder` up to date with a journal, and opens it. The last segment of each
    /// epoch is left out unless nothing was written to it for `quiet`.
    pub fn bring(folder: &Path, journal: &Path, quiet: Duration) -> Brought {
        let (mut caught, mut usable) = (Caught::default(), None);
        let mut fault = None;
        for _ in 0..TRIES {
            match try_bring(folder, journal, quiet, &mut caught, &mut usable) {
                Ok(true) => {
                    fault = None;
                    break;
                }
                Ok(false) => {
                    fault = Some(Fault::Damaged(String::from("also after it was made anew")));
                }
                Err(why) => {
                    fault = Some(why);
                    break;
                }
            }
        }
        let index = usable.map(|reader| Self { folder: folder.to_owned(), reader });
        Brought { index, caught, fault }
    }

    /// What is known of a segment, when that is still as it was.
    fn run(&self, segment: &Segment) -> Option<&Run> {
        let run = self.reader.runs.get(&segment.first)?;
        (Stamp::of(segment).ok()? == run.stamp).then_some(run)
    }

    /// Removes it: it is damaged, and the next one is made anew.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn remove(self) -> io::Result<()> {
        store::remove(&self.folder)
    }
}

/// False when it is to be tried again.
fn try_bring(
    folder: &Path,
    journal: &Path,
    quiet: Duration,
    caught: &mut Caught,
    usable: &mut Option<Reader>,
) -> Result<bool, Fault> {
    let (wanted, left) = wanted(journal, quiet)?;
    caught.left = left;
    let mut known = BTreeMap::new();
    match Reader::open(folder) {
        Ok(reader) => {
            known = reader.runs.iter().map(|(place, run)| (*place, run.stamp)).collect();
            *usable = Some(reader);
        }
        Err(Fault::Missing) if wanted.is_empty() => return Ok(true),
        Err(Fault::Missing) => {}
        // Opening it to write mends it.
        Err(Fault::Unclean) => {
            return remade(folder, Writer::open(folder).map(drop)).map(|()| false);
        }
        Err(fault @ Fault::Damaged(_)) => return remade(folder, Err(fault)).map(|()| false),
        Err(fault) => return Err(fault),
    }
    let is_missing = |(segment, stamp): &(Segment, Stamp)| known.get(&segment.first) != Some(stamp);
    let (missing, current): (Vec<_>, Vec<_>) = wanted.into_iter().partition(is_missing);
    let current: BTreeSet<Place> = current.iter().map(|(segment, _)| segment.first).collect();
    let stale: Vec<Place> = known.into_keys().filter(|place| !current.contains(place)).collect();
    if missing.is_empty() && stale.is_empty() {
        return Ok(true);
    }
    // Its lock would keep the writer away. What it knows is still good should that fail.
    let old = mem::take(usable);
    drop(old);
    let missing: Vec<Segment> = missing.into_iter().map(|(segment, _)| segment).collect();
    caught.segments += missing.len();
    caught.forgotten += stale.len();
    let written = Writer::open(folder).and_then(|mut writer| {
        writer.forget(&stale)?;
        caught.records += writer.add(&missing)?;
        Ok(())
    });
    if let Err(fault) = remade(folder, written) {
        *usable = Reader::open(folder).ok();
        return Err(fault);
    }
    *usable = match Reader::open(folder) {
        Ok(reader) => Some(reader),
        Err(fault) => return remade(folder, Err(fault)).map(|()| false),
    };
    Ok(true)
}

/// Removes an index that proved to be damaged.
fn remade(folder: &Path, written: Result<(), Fault>) -> Result<(), Fault> {
    match written {
        Err(Fault::Damaged(_)) => Ok(store::remove(folder)?),
        other => other,
    }
}

/// The segments that are to be indexed, and how many are left for later.
fn wanted(journal: &Path, quiet: Duration) -> io::Result<(Vec<(Segment, Stamp)>, usize)> {
    let (mut wanted, mut left) = (Vec::new(), 0);
    for segments in segment::list(journal)?.into_values() {
        let last = segments.len().saturating_sub(1);
        for (at, segment) in segments.into_iter().enumerate() {
            let look = || -> io::Result<Option<Stamp>> {
                let stamp = Stamp::of(&segment)?;
                Ok((at != last || is_quiet(&segment, quiet)?).then_some(stamp))
            };
            match look() {
                Ok(Some(stamp)) => wanted.push((segment, stamp)),
                Ok(None) => left += 1,
                // Removed meanwhile.
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
                Err(fault) => return Err(fault),
            }
        }
    }
    Ok((wanted, left))
}
