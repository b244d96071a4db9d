//! Goes through a journal for what a query asks. An intent waits for its outcome, so that both can be
//! judged, and shown, together. Of an indexed segment only those lines are read that the index names;
//! of another one all, and those are parsed in which what is asked for stands.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    rc::Rc,
};

use memchr::memmem::Finder;

use super::{
    Index,
    build::MARK,
    fields::{Fields, Member},
    postings::take,
    query::Query,
    run::{self, Run},
    store::Fault,
};
use crate::audit::{
    lines::Piece,
    place::Place,
    read::{self, Lost},
    recovery,
    segment::{self, Line, Segment},
};

/// A record that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it stands.
    pub place: Place,
    /// The record.
    pub line: Vec<u8>,
    /// The first record of its segment, which has the key of its sealed part; when it was seen.
    pub head: Option<Rc<[u8]>>,
}

/// How a walk went.
#[derive(Debug, Default)]
pub struct Walked {
    /// Records that can't be read.
    pub lost: Vec<Lost>,
    /// Lines that were met and are no records, or the index knew of.
    pub unreadable: u64,
    /// What is wrong with the index. Nothing is missing for that.
    pub damaged: Option<Fault>,
}

/// Calls `found` with each record that is asked for, an intent with its outcome, until it says no.
/// Of an intent whose outcome there is not, after all others.
///
/// # Errors
/// When a segment can't be read, or the first error of `found`.
pub fn walk(
    folder: &Path,
    index: Option<&Index>,
    query: &Query,
    found: &mut dyn FnMut(Found, Option<Found>) -> io::Result<bool>,
) -> io::Result<Walked> {
    let epochs = segment::list(folder)?;
    let ends = recovery::ends(&epochs)?;
    let segments: Vec<Segment> = epochs.into_values().flatten().collect();
    let (terms, literals) = (query.terms(), query.literals());
    let mut walk = Walk {
        segments: &segments,
        ends,
        index,
        query,
        terms,
        literals,
        head: None,
        waiting: BTreeMap::new(),
        by_index: BTreeSet::new(),
        found,
        walked: Walked::default(),
    };
    for segment in &segments {
        if !walk.segment(segment)? {
            return Ok(walk.walked);
        }
    }
    walk.rest()?;
    Ok(walk.walked)
}

/// The hashes of the resources that answers told to be a patient's, by the hash of its number.
///
/// # Errors
/// When a segment can't be read.
pub fn resources_of(
    folder: &Path,
    index: Option<&Index>,
    number: &str,
) -> io::Result<(BTreeSet<String>, Walked)> {
    let mut resources = BTreeSet::new();
    let walked = walk(folder, index, &Query::told(number), &mut |one, outcome| {
        for found in [Some(one), outcome].iter().flatten() {
            let fields = Fields::read(&found.line);
            let told = fields.iter().flat_map(|fields| fields.resources_of(number));
            resources.extend(told.map(str::to_owned));
        }
        Ok(true)
    })?;
    Ok((resources, walked))
}

struct Walk<'w> {
    segments: &'w [Segment],
    /// How many records epochs have: what was not durable when one ended is void.
    ends: BTreeMap<u64, u64>,
    index: Option<&'w Index>,
    query: &'w Query,
    /// The query's terms; of each list a line must have one.
    terms: Vec<Vec<u64>>,
    literals: Option<Vec<Finder<'static>>>,
    /// The first record of the segment.
    head: Option<Rc<[u8]>>,
    /// Intents that may be asked for, whose outcome was not met.
    waiting: BTreeMap<Place, Found>,
    /// The segments of which not every line was read.
    by_index: BTreeSet<Place>,
    found: &'w mut dyn FnMut(Found, Option<Found>) -> io::Result<bool>,
    walked: Walked,
}

/// Why a segment was not walked by the index, and up to which place it was.
enum Left {
    Damaged(Fault, Option<u64>),
    Io(io::Error),
}

impl From<io::Error> for Left {
    fn from(fault: io::Error) -> Self {
        Self::Io(fault)
    }
}

impl Walk<'_> {
    /// False when enough was found.
    fn segment(&mut self, segment: &Segment) -> io::Result<bool> {
        self.head = None;
        let index = self.index.filter(|_| self.walked.damaged.is_none());
        let Some((index, run)) = index.and_then(|index| Some((index, index.run(segment)?))) else {
            return self.whole(segment, None);
        };
        self.walked.unreadable += run.unreadable;
        let (first, last) = &run.times;
        let is_in_time = self.query.overlaps(first, last);
        if self.terms.is_empty() && is_in_time {
            return self.whole(segment, None);
        }
        match self.indexed(segment, index, run, is_in_time) {
            Ok(go_on) => Ok(go_on),
            Err(Left::Io(fault)) => Err(fault),
            Err(Left::Damaged(fault, done)) => {
                self.walked.damaged = Some(fault);
                self.whole(segment, done)
            }
        }
    }

    /// Reads those lines that the index names.
    fn indexed(
        &mut self,
        segment: &Segment,
        index: &Index,
        run: &Run,
        is_in_time: bool,
    ) -> Result<bool, Left> {
        self.by_index.insert(segment.first);
        let mut done = None;
        let places = |term: u64, done: Option<u64>| {
            let places = index.reader.places(segment.first, run, term);
            places.map_err(|fault| Left::Damaged(fault, done))
        };
        let outcome = |intent: Place| Member::Intent.term(&intent.to_string());
        let mut todo = BTreeSet::new();
        if is_in_time {
            todo.extend(candidates(&self.terms, &mut |term| places(term, None))?);
        }
        for intent in self.waiting.keys() {
            todo.extend(places(outcome(*intent), None)?);
        }
        if todo.is_empty() {
            return Ok(true);
        }
        let mut lines = run::Lines::open(segment, run)?;
        self.head = lines.at(0)?.map(Rc::from);
        while let Some(place) = todo.pop_first() {
            let bytes = lines.at(place)?.map(<[u8]>::to_vec).unwrap_or_default();
            let Some(line) = Line::read(&bytes) else {
                let what = format!("no record begins at {place} of {}", segment.first);
                return Err(Left::Damaged(Fault::Damaged(what), done));
            };
            if !self.take(&line, &bytes)? {
                return Ok(false);
            }
            done = Some(place);
            if self.waiting.contains_key(&line.place) {
                let behind = places(outcome(line.place), done)?;
                todo.extend(behind.into_iter().filter(|behind| *behind > place));
            }
        }
        Ok(true)
    }

    /// Reads every line behind `done`.
    fn whole(&mut self, segment: &Segment, done: Option<u64>) -> io::Result<bool> {
        let mut next = segment.first;
        let Some(mut lines) = read::lines_of(segment, &mut self.walked.lost)? else {
            return Ok(true);
        };
        let mut at = 0_u64;
        while let Some(piece) = lines.piece()? {
            match piece {
                Piece::Line(bytes) => {
                    let start = at;
                    at += bytes.len() as u64 + 1;
                    let Some(line) = Line::read(bytes) else { continue };
                    next = Place { seq: line.place.seq.saturating_add(1), ..line.place };
                    if matches!(line.kind, "epoch" | "segment") {
                        self.head = Some(Rc::from(bytes));
                    }
                    let is_new = done.is_none_or(|done| start > done);
                    if is_new && self.may_say(&line, bytes) && !self.take(&line, bytes)? {
                        return Ok(false);
                    }
                }
                Piece::Torn(_) => {}
                Piece::Lost(why) => self.walked.lost.push(Lost { from: next, why }),
            }
        }
        Ok(true)
    }

    /// Whether a line is worth parsing.
    fn may_say(&self, line: &Line<'_>, bytes: &[u8]) -> bool {
        let Some(literals) = &self.literals else { return true };
        literals.iter().any(|literal| literal.find(bytes).is_some())
            || line.intent.is_some_and(|intent| self.waiting.contains_key(&intent))
    }

    /// Judges a record. False when enough was found.
    fn take(&mut self, line: &Line<'_>, bytes: &[u8]) -> io::Result<bool> {
        if self.is_void(line.place) {
            return Ok(true);
        }
        let Some(fields) = Fields::read(bytes) else {
            self.walked.unreadable += 1;
            return Ok(true);
        };
        let read = (line, &fields);
        let this = || Found { place: line.place, line: bytes.to_vec(), head: self.head.clone() };
        match (line.kind, line.intent) {
            ("intent", _) => {
                if self.query.may_be(read) {
                    let this = this();
                    self.waiting.insert(line.place, this);
                }
                Ok(true)
            }
            ("outcome", Some(intent)) => {
                let this = this();
                let intent = match self.waiting.remove(&intent) {
                    Some(intent) => Some(intent),
                    None => self.look_up(intent)?,
                };
                let parsed = intent.as_ref().and_then(|intent| {
                    Some((Line::read(&intent.line)?, Fields::read(&intent.line)?))
                });
                let is =
                    self.query.is(parsed.as_ref().map(|(line, fields)| (line, fields)), Some(read));
                match intent {
                    Some(intent) if is => (self.found)(intent, Some(this)),
                    None if is => (self.found)(this, None),
                    Some(_) | None => Ok(true),
                }
            }
            _ if self.query.is(Some(read), Some(read)) => (self.found)(this(), None),
            _ => Ok(true),
        }
    }

    /// The intents that have no outcome.
    fn rest(&mut self) -> io::Result<()> {
        for (_, intent) in std::mem::take(&mut self.waiting) {
            let read = Line::read(&intent.line).zip(Fields::read(&intent.line));
            let is = read.is_some_and(|(line, fields)| self.query.is(Some((&line, &fields)), None));
            if is && !(self.found)(intent, None)? {
                break;
            }
        }
        Ok(())
    }

    fn is_void(&self, place: Place) -> bool {
        self.ends.get(&place.epoch).is_some_and(|end| place.seq >= *end)
    }

    /// An intent that the walk passed by, because the index knows lines by their outcomes only.
    fn look_up(&mut self, intent: Place) -> io::Result<Option<Found>> {
        if !self.query.is_by_end() || self.is_void(intent) {
            return Ok(None);
        }
        let before = self.segments.partition_point(|segment| segment.first <= intent);
        let segment = before.checked_sub(1).and_then(|at| self.segments.get(at));
        let Some(segment) = segment.filter(|segment| self.by_index.contains(&segment.first)) else {
            return Ok(None);
        };
        let index = self.index.and_then(|index| Some((index, index.run(segment)?)));
        let found = match index {
            Some((index, run)) => match index.reader.marks(segment.first) {
                Ok(marks) => by_mark(segment, run, &marks, intent)?,
                Err(fault) => {
                    self.walked.damaged = Some(fault);
                    by_reading(segment, intent)?
                }
            },
            None => by_reading(segment, intent)?,
        };
        Ok(found.filter(|found| {
            let read = Line::read(&found.line).zip(Fields::read(&found.line));
            read.is_some_and(|(line, fields)| self.query.may_be((&line, &fields)))
        }))
    }
}

/// Finds a record from the last marked line before it on.
fn by_mark(segment: &Segment, run: &Run, marks: &[u8], place: Place) -> io::Result<Option<Found>> {
    let mut lines = run::Lines::open(segment, run)?;
    let head = lines.at(0)?.map(Rc::from);
    let mut at = mark(marks, place.seq);
    for _ in 0..=MARK {
        let Some(bytes) = lines.at(at)? else { break };
        if Line::read(bytes).is_some_and(|line| line.place == place) {
            return Ok(Some(Found { place, line: bytes.to_vec(), head }));
        }
        at += bytes.len() as u64 + 1;
    }
    // Its numbers have gaps.
    by_reading(segment, place)
}

/// Finds a record by reading its segment.
fn by_reading(segment: &Segment, place: Place) -> io::Result<Option<Found>> {
    let mut head = None;
    let mut found = None;
    read::each_of(segment, &mut Vec::new(), |line, bytes| {
        if head.is_none() {
            head = Some(Rc::from(bytes));
        }
        if line.place == place {
            found = Some(Found { place, line: bytes.to_vec(), head: head.clone() });
        }
        Ok(found.is_none())
    })?;
    Ok(found)
}

/// The places of lines that have one of each list of terms, in their order.
fn candidates(
    terms: &[Vec<u64>],
    places: &mut dyn FnMut(u64) -> Result<Vec<u64>, Left>,
) -> Result<Vec<u64>, Left> {
    let mut all: Option<Vec<u64>> = None;
    for any in terms {
        let mut of_any = Vec::new();
        for term in any {
            of_any.extend(places(*term)?);
        }
        of_any.sort_unstable();
        of_any.dedup();
        all = Some(match all {
            None => of_any,
            Some(mut all) => {
                all.retain(|place| of_any.binary_search(place).is_ok());
                all
            }
        });
        if all.as_ref().is_some_and(Vec::is_empty) {
            break;
        }
    }
    Ok(all.unwrap_or_default())
}

/// Where the last marked line begins that is not behind a record.
fn mark(mut marks: &[u8], seq: u64) -> u64 {
    let (mut number, mut place) = (0_u64, 0_u64);
    while let (Some(more), Some(further)) = (take(&mut marks), take(&mut marks)) {
        if number.saturating_add(more) > seq {
            break;
        }
        (number, place) = (number + more, place.saturating_add(further));
    }
    place
}
