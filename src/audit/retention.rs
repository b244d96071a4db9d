//! Removes whole closed segments, the oldest first, when they are older than is to be kept or more
//! than is to be kept; nothing by default.
//!
//! What goes is one end of the journal: all records before a point. The point is a record of its own
//! before any file is removed, and the head of each later segment repeats it, so that `verify` can
//! tell what was removed by this rule from what somebody else took away. Where the journal is not
//! whole, nothing is removed: a gap stays to be seen.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;

use super::{
    lines::{Lines, Piece},
    note,
    place::Place,
    record::{Body, begun},
    recovery,
    segment::{self, End, Line, Segment},
};

/// What is to be kept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rule {
    /// For how long; none: for ever.
    pub(super) keep: Option<Duration>,
    /// How much of segments; none: however much.
    pub(super) keep_bytes: Option<u64>,
}

impl Rule {
    /// Whether anything is ever removed.
    pub(super) const fn removes(&self) -> bool {
        self.keep.is_some() || self.keep_bytes.is_some()
    }
}

/// A point before which all may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Boundary {
    /// The first record that stays, or would if it were there.
    pub(super) before: Place,
    /// What goes with it that is still there.
    pub(super) segments: u64,
    pub(super) bytes: u64,
}

impl Boundary {
    /// The record of its removal.
    pub(super) fn record(&self) -> Body {
        let mut clear = begun(SystemTime::now());
        clear.word("removed_before", &self.before.to_string());
        clear.number("segments", self.segments);
        clear.number("bytes", self.bytes);
        Body { clear: clear.into_members(), sealed: Vec::new() }
    }
}

/// What may go, and what should but may not.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The points before which all may go, in their order.
    pub(super) points: Vec<Boundary>,
    /// The first segment that is not to be kept, but is not whole, or not what follows.
    pub(super) stuck: Option<Segment>,
}

/// The points before which all may go, given what has gone before `from`, in their order.
pub(super) fn plan(folder: &Path, rule: Rule, from: Place, now: Timestamp) -> io::Result<Plan> {
    let epochs = segment::list(folder)?;
    let ends = ends(&epochs)?;
    let mut left = epochs.values().flatten().map(size).sum::<io::Result<u64>>()?;
    let (mut plan, mut at) = (Plan::default(), from);
    for segments in epochs.values() {
        for (place, segment) in segments.iter().enumerate() {
            let Some(closed) = closing(segment, segments.get(place + 1), &ends)? else {
                return Ok(plan);
            };
            let bytes = size(segment)?;
            if closed.before <= from {
                // It was to go already.
                continue;
            }
            while ends.get(&at.epoch).is_some_and(|end| at.seq == 0 && end.size == 0) {
                at = Place { epoch: at.epoch + 1, seq: 0 };
            }
            let is_old = rule.keep.is_some_and(|keep| closed.is_older(keep, now));
            let is_much = rule.keep_bytes.is_some_and(|most| left > most);
            if !(is_old || is_much) {
                return Ok(plan);
            }
            let follows = segment.first == at || closed.size == 0;
            if !follows || !is_whole(segment, closed.size)? {
                plan.stuck = Some(segment.clone());
                return Ok(plan);
            }
            let gone = plan.points.last().map_or((0, 0), |last| (last.segments, last.bytes));
            let (segments, bytes_gone) = (gone.0 + 1, gone.1 + bytes);
            plan.points.push(Boundary { before: closed.before, segments, bytes: bytes_gone });
            left = left.saturating_sub(bytes);
            at = closed.before;
        }
    }
    Ok(plan)
}

/// Where and when a segment was closed.
struct Closing {
    before: Place,
    /// How many records its epoch had then.
    size: u64,
    at: Option<Timestamp>,
}

impl Closing {
    fn is_older(&self, keep: Duration, now: Timestamp) -> bool {
        let age = self.at.and_then(|at| Duration::try_from(now.duration_since(at)).ok());
        age.is_some_and(|age| age > keep)
    }
}

fn closing(
    segment: &Segment,
    next: Option<&Segment>,
    ends: &BTreeMap<u64, Told>,
) -> io::Result<Option<Closing>> {
    let epoch = segment.first.epoch;
    if let Some(next) = next {
        let at = recovery::opening(next)?.and_then(|opening| opening.time);
        return Ok(Some(Closing { before: next.first, size: next.first.seq, at }));
    }
    let before = Place { epoch: epoch + 1, seq: 0 };
    Ok(ends.get(&epoch).map(|told| Closing { before, size: told.size, at: told.at }))
}

/// What a later epoch told of one, and when.
struct Told {
    size: u64,
    at: Option<Timestamp>,
}

fn ends(epochs: &BTreeMap<u64, Vec<Segment>>) -> io::Result<BTreeMap<u64, Told>> {
    let mut ends = BTreeMap::new();
    for first in epochs.values().filter_map(|segments| segments.first()) {
        let Some(opening) = recovery::opening(first)? else { continue };
        let told = opening.head.previous.iter().filter(|told| told.ended != End::Running);
        ends.extend(told.map(|told| {
            (told.epoch, Told { size: told.size.unwrap_or_default(), at: opening.time })
        }));
    }
    Ok(ends)
}

/// Of both forms, where both are there.
fn size(segment: &Segment) -> io::Result<u64> {
    [segment.path.clone(), segment.compressed()]
        .iter()
        .map(|path| match fs::metadata(path) {
            Ok(about) => Ok(about.len()),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(fault) => Err(fault),
        })
        .sum()
}

/// Whether a segment holds each of its records up to `size`, each in its place.
fn is_whole(segment: &Segment, size: u64) -> io::Result<bool> {
    let (mut lines, mut next) = (Lines::open(segment)?, segment.first);
    while next.seq < size {
        match lines.piece()? {
            Some(Piece::Line(line)) if Line::read(line).is_some_and(|it| it.place == next) => {
                next.seq += 1;
            }
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Removes all that lies before a point, the oldest first; gives how many segments these were.
pub(super) fn remove(folder: &Path, before: Place) -> io::Result<u64> {
    let mut removed = 0;
    for segments in segment::list(folder)?.into_values() {
        for (place, segment) in segments.iter().enumerate() {
            let next = segments.get(place + 1);
            let is_over =
                segment.first.epoch < before.epoch || next.is_some_and(|next| next.first <= before);
            if is_over {
                [segment.path.clone(), segment.compressed()].iter().try_for_each(|path| {
                    match fs::remove_file(path) {
                        Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(fault),
                        _ => Ok(()),
                    }
                })?;
                removed += 1;
            }
        }
    }
    for epoch in segment::checkpoint_files(folder)?.into_iter().filter(|it| *it < before.epoch) {
        keep_last_checkpoint(folder, epoch)?;
    }
    File::open(folder)?.sync_all()?;
    Ok(removed)
}

/// Leaves of the checkpoints of an epoch without records the last, which says how it ended.
fn keep_last_checkpoint(folder: &Path, epoch: u64) -> io::Result<()> {
    let path = folder.join(segment::checkpoints_name(epoch));
    let text = fs::read_to_string(&path)?;
    let (notes, _) = note::split(&text);
    let Some(last) = notes.last().filter(|_| notes.len() > 1) else { return Ok(()) };
    let part = path.with_added_extension("part");
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&part)?;
    file.write_all(format!("{last}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(part, path)
}
