//! What the starting journal finds: which epochs nobody has told the end of, how far they are whole,
//! and which intents in them have no outcome.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, TryLockError},
    io,
    path::Path,
    thread,
    time::Duration,
};

use jiff::Timestamp;

use super::{
    lines::{Lines, Piece},
    place::Place,
    segment::{self, End, Head, Line, Previous, Segment},
    tree::{self, Edge},
};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The number for the next epoch.
    pub(super) next: u64,
    /// How epochs ended of which that was not told before.
    pub(super) previous: Vec<Previous>,
    /// Intents without outcome, in epochs that nobody writes any more.
    pub(super) open: BTreeSet<Place>,
    /// All before this was removed by retention.
    pub(super) removed: Option<Place>,
}

/// Looks at the epochs in a folder.
pub(super) fn look(folder: &Path) -> io::Result<Found> {
    let epochs = segment::list(folder)?;
    let mut found = Found { next: next_epoch(folder, &epochs)?, ..Found::default() };
    let mut settled = BTreeSet::new();
    for segments in epochs.values() {
        let head = segments.first().map(head_of).transpose()?.flatten();
        found.removed = found.removed.max(head.as_ref().and_then(removed_by_head));
        let told = head.into_iter().flat_map(|head| head.previous);
        settled.extend(told.filter(|told| told.ended != End::Running).map(|told| told.epoch));
    }
    for (number, segments) in epochs {
        if settled.contains(&number) {
            continue;
        }
        if is_written(folder, number, &segments)? {
            let running = Previous {
                epoch: number,
                ended: End::Running,
                size: None,
                root: None,
                fault: None,
            };
            found.previous.push(running);
            continue;
        }
        let last = last_segment(number, &segments)?;
        let ended = if last.stopped { End::Stopped } else { End::Cut };
        found.previous.push(Previous::of(number, ended, &last.tree, None));
        found.open.extend(last.open);
        found.removed = found.removed.max(last.removed);
    }
    Ok(found)
}

/// A number that no epoch has had, also none of which only checkpoints are left.
pub(super) fn next_epoch(folder: &Path, epochs: &BTreeMap<u64, Vec<Segment>>) -> io::Result<u64> {
    let last = segment::checkpoint_files(folder)?.last().copied();
    Ok(last.max(epochs.keys().next_back().copied()).unwrap_or_default() + 1)
}

/// How many records epochs have of which a later one says how they ended; what stands behind is void.
pub(super) fn ends(epochs: &BTreeMap<u64, Vec<Segment>>) -> io::Result<BTreeMap<u64, u64>> {
    let mut ends = BTreeMap::new();
    for first in epochs.values().filter_map(|segments| segments.first()) {
        let head = match head_of(first) {
            // It was there a moment ago.
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => None,
            head => head?,
        };
        let told = head.into_iter().flat_map(|head| head.previous);
        ends.extend(told.filter_map(|told| Some((told.epoch, told.size?))));
    }
    Ok(ends)
}

/// Whether a process writes the epoch, which may go on in another segment meanwhile.
fn is_written(folder: &Path, epoch: u64, segments: &[Segment]) -> io::Result<bool> {
    let mut segments = segments.to_vec();
    loop {
        if is_locked(&segments)? {
            return Ok(true);
        }
        let again = segment::list(folder)?.remove(&epoch).unwrap_or_default();
        if again.last() == segments.last() {
            return Ok(false);
        }
        segments = again;
    }
}

/// Whether a process has the lock of one of them: whoever writes an epoch has that of its segment.
fn is_locked(segments: &[Segment]) -> io::Result<bool> {
    // In their order: a lock is taken on the next segment before that of the last is given up.
    for segment in segments {
        let file = match File::open(&segment.path) {
            Ok(file) => file,
            // It was closed and compressed.
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => continue,
            Err(fault) => return Err(fault),
        };
        if file.metadata()?.len() == 0 {
            // Who has made it this moment is about to lock it.
            thread::sleep(BIRTH);
        }
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(true),
            Err(TryLockError::Error(fault)) => return Err(fault),
        }
    }
    Ok(false)
}

/// More than lies between making a file and locking it.
const BIRTH: Duration = Duration::from_millis(20);

/// The head of a segment, when it is whole.
pub(super) fn head_of(segment: &Segment) -> io::Result<Option<Head>> {
    Ok(match Lines::open(segment)?.piece()? {
        Some(Piece::Line(line)) => head(line),
        Some(Piece::Torn(_) | Piece::Lost(_)) | None => None,
    })
}

/// What a head record says.
pub(super) fn head(line: &[u8]) -> Option<Head> {
    #[derive(serde::Deserialize)]
    struct Record {
        head: Head,
    }
    Line::read(line)?;
    serde_json::from_slice::<Record>(line).ok().map(|record| record.head)
}

/// The head of a segment, and when it was written.
pub(super) struct Opening {
    pub(super) head: Head,
    pub(super) time: Option<Timestamp>,
}

/// As [`head_of`], with its time.
pub(super) fn opening(segment: &Segment) -> io::Result<Option<Opening>> {
    #[derive(serde::Deserialize)]
    struct Record<'r> {
        time: &'r str,
        head: Head,
    }
    Ok(match Lines::open(segment)?.piece()? {
        Some(Piece::Line(line)) => {
            let record = serde_json::from_slice::<Record<'_>>(line).ok();
            record.map(|Record { time, head }| Opening { head, time: time.parse().ok() })
        }
        Some(Piece::Torn(_) | Piece::Lost(_)) | None => None,
    })
}

/// Before which record all was removed, as a head says.
pub(super) fn removed_by_head(head: &Head) -> Option<Place> {
    head.removed.as_deref()?.parse().ok()
}

/// Before which record all was removed, as a record of kind `removed` says.
pub(super) fn removed(line: &[u8]) -> Option<Place> {
    #[derive(serde::Deserialize)]
    struct Record<'r> {
        removed_before: &'r str,
    }
    serde_json::from_slice::<Record<'_>>(line).ok()?.removed_before.parse().ok()
}

/// How an epoch ends.
#[derive(Default)]
struct Last {
    tree: Edge,
    open: BTreeSet<Place>,
    stopped: bool,
    removed: Option<Place>,
}

/// Reads the last segment of an epoch that begins whole: what lies before it is in its head.
fn last_segment(number: u64, segments: &[Segment]) -> io::Result<Last> {
    for segment in segments.iter().rev() {
        let Some(head) = head_of(segment)? else { continue };
        let Some(tree) = head.tree(segment.first.seq) else { continue };
        let open = head.open.iter().filter_map(|open| open.parse().ok()).collect();
        let removed = removed_by_head(&head);
        return read_on(number, segment, Last { tree, open, stopped: false, removed });
    }
    Ok(Last::default())
}

/// Reads a segment up to the first line that is not whole, or not where it should be.
fn read_on(number: u64, segment: &Segment, mut last: Last) -> io::Result<Last> {
    let mut lines = Lines::open(segment)?;
    let mut before = None::<String>;
    while let Some(Piece::Line(line)) = lines.piece()? {
        let expected = Place { epoch: number, seq: last.tree.size() };
        let Some(read) = Line::read(line).filter(|read| read.place == expected) else { break };
        // The first line's own trace is of a record in another file.
        if before.as_ref().is_some_and(|before| before != read.before) {
            break;
        }
        match read.kind {
            "intent" => {
                last.open.insert(expected);
            }
            "outcome" => {
                read.intent.iter().for_each(|intent| {
                    last.open.remove(intent);
                });
            }
            "removed" => last.removed = last.removed.max(removed(line)),
            _ => {}
        }
        last.stopped = read.kind == "end";
        let leaf = tree::leaf(line);
        last.tree.push(leaf);
        before = Some(segment::trace(&leaf));
    }
    Ok(last)
}
