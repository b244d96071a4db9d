//! What the starting journal finds: which epochs nobody has told the end of, how far they are whole,
//! and which intents in them have no outcome.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::Path,
};

use super::{
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
}

/// Looks at the epochs in a folder.
pub(super) fn look(folder: &Path) -> io::Result<Found> {
    let epochs = segment::list(folder)?;
    let mut found = Found { next: 1, ..Found::default() };
    let mut settled = BTreeSet::new();
    for segments in epochs.values() {
        let head = segments.first().map(head_of).transpose()?.flatten();
        let told = head.into_iter().flat_map(|head| head.previous);
        settled.extend(told.filter(|told| told.ended != End::Running).map(|told| told.epoch));
    }
    for (number, segments) in epochs {
        found.next = number + 1;
        if settled.contains(&number) {
            continue;
        }
        if is_running(&segments)? {
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
    }
    Ok(found)
}

/// Whether another process has the epoch's lock.
fn is_running(segments: &[Segment]) -> io::Result<bool> {
    let Some(first) = segments.first() else { return Ok(false) };
    match File::open(&first.path)?.try_lock() {
        Ok(()) => Ok(false),
        Err(std::fs::TryLockError::WouldBlock) => Ok(true),
        Err(std::fs::TryLockError::Error(fault)) => Err(fault),
    }
}

/// The head of a segment, when it is whole.
pub(super) fn head_of(segment: &Segment) -> io::Result<Option<Head>> {
    let mut line = Vec::new();
    // A head names at most every request that was under way.
    BufReader::new(File::open(&segment.path)?.take(64 << 20)).read_until(b'\n', &mut line)?;
    Ok(line.strip_suffix(b"\n").and_then(head))
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

/// How an epoch ends.
#[derive(Default)]
struct Last {
    tree: Edge,
    open: BTreeSet<Place>,
    stopped: bool,
}

/// Reads the last segment of an epoch that begins whole: what lies before it is in its head.
fn last_segment(number: u64, segments: &[Segment]) -> io::Result<Last> {
    for segment in segments.iter().rev() {
        let Some(head) = head_of(segment)? else { continue };
        let Some(tree) = head.tree(segment.first.seq) else { continue };
        let open = head.open.iter().filter_map(|open| open.parse().ok()).collect();
        return read_on(number, segment, Last { tree, open, stopped: false });
    }
    Ok(Last::default())
}

/// Reads a segment up to the first line that is not whole, or not where it should be.
fn read_on(number: u64, segment: &Segment, mut last: Last) -> io::Result<Last> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(&segment.path)?);
    let (mut line, mut before) = (Vec::new(), None::<String>);
    while segment::next(&mut file, &mut line)? == Some(true) {
        let expected = Place { epoch: number, seq: last.tree.size() };
        let Some(read) = Line::read(&line).filter(|read| read.place == expected) else { break };
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
            _ => {}
        }
        last.stopped = read.kind == "end";
        let leaf = tree::leaf(&line);
        last.tree.push(leaf);
        before = Some(segment::trace(&leaf));
    }
    Ok(last)
}
