//! Reads whole segments for the index, two at a time.

use std::{
    io,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use super::{
    fields::{Fields, Member},
    postings::{Packed, Postings, put},
    run::{Frame, Run, Stamp},
};
use crate::audit::{
    lines::{Lines, Piece},
    segment::{Line, Segment},
};

/// The place of one line of so many is kept, to find records by their numbers.
pub(super) const MARK: u64 = 64;

/// What is to be stored of a segment.
pub(super) struct Built {
    pub(super) run: Run,
    pub(super) blocks: Vec<Vec<u8>>,
    /// Numbers of records, and where their lines begin.
    pub(super) marks: Vec<u8>,
    /// How many records it has.
    pub(super) records: u64,
}

/// Reads these segments and gives what was made of each, in any order.
pub(super) fn build<E>(
    segments: &[Segment],
    mut each: impl FnMut(&Segment, Built) -> Result<(), E>,
) -> Result<Result<(), E>, io::Error> {
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(2);
    // No more than these wait to be stored.
    let (sender, built) = mpsc::sync_channel(threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(segment) = segments.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if sender.send((segment, of(segment))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (segment, run) in built {
            if let Some(run) = run?
                && let Err(fault) = each(segment, run)
            {
                return Ok(Err(fault));
            }
        }
        Ok(Ok(()))
    })
}

/// What is to be stored of one. None when it changed meanwhile, or can't be read whole: it is for
/// searches to say so.
fn of(segment: &Segment) -> io::Result<Option<Built>> {
    match try_of(segment) {
        // Removed, or compressed, meanwhile.
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read,
    }
}

fn try_of(segment: &Segment) -> io::Result<Option<Built>> {
    let stamp = Stamp::of(segment)?;
    let mut lines = Lines::open(segment)?;
    let mut reading = Reading::default();
    loop {
        match lines.piece()? {
            Some(Piece::Line(line)) => {
                reading.take(line);
                let start = reading.length;
                reading.length += line.len() as u64 + 1;
                reading.enter(lines.frame(), start);
            }
            // One without an end is being written: the file will not stay as it is.
            Some(Piece::Torn(_)) => {}
            Some(Piece::Lost(_)) => return Ok(None),
            None => break,
        }
    }
    let Reading { postings, marks, records, times, unreadable, length, frames, .. } = reading;
    let Packed { fences, blocks } = postings.pack();
    let run = Run { stamp, times, unreadable, length, frames, fences };
    Ok((Stamp::of(segment)? == stamp).then_some(Built { run, blocks, marks, records }))
}

#[derive(Default)]
struct Reading {
    postings: Postings,
    marks: Vec<u8>,
    /// The last mark.
    marked: (u64, u64),
    records: u64,
    times: (String, String),
    unreadable: u64,
    length: u64,
    frames: Vec<Frame>,
}

impl Reading {
    fn take(&mut self, bytes: &[u8]) {
        let Some(line) = Line::read(bytes) else { return };
        let start = self.length;
        if self.records.is_multiple_of(MARK)
            && let (Some(seq), Some(place)) =
                (line.place.seq.checked_sub(self.marked.0), start.checked_sub(self.marked.1))
        {
            put(seq, &mut self.marks);
            put(place, &mut self.marks);
            self.marked = (line.place.seq, start);
        }
        self.records += 1;
        let Some(fields) = Fields::read(bytes) else {
            self.unreadable += 1;
            return;
        };
        self.meet(fields.second());
        for member in Member::ALL {
            fields.values(&line, member, &mut |value| {
                if member.is_indexed(value) {
                    self.postings.add(member.term(value), start);
                }
            });
        }
    }

    fn meet(&mut self, second: &str) {
        let (first, last) = &mut self.times;
        if self.records == self.unreadable + 1 {
            (*first, *last) = (second.to_owned(), second.to_owned());
        } else if second > last.as_str() {
            second.clone_into(last);
        } else if second < first.as_str() {
            second.clone_into(first);
        }
    }

    /// Notes where a frame begins, when the line is its first.
    fn enter(&mut self, frame: Option<u64>, start: u64) {
        if let Some(file) = frame
            && self.frames.last().is_none_or(|last| last.file != file)
        {
            self.frames.push(Frame { plain: start, file });
        }
    }
}
