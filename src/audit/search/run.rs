//! What the index holds of one segment, and how lines are read by it.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    time::{Duration, SystemTime},
};

use memchr::memchr;
use sha2::{Digest as _, Sha256};

use super::postings::{put, take};
use crate::audit::{place::Place, segment::Segment};

/// What a file is known by: what a change leaves as it was, a copy does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp([u64; 6]);

impl Stamp {
    /// Of the file that a segment is in.
    pub(super) fn of(segment: &Segment) -> io::Result<Self> {
        let (file, compressed) = metadata(segment)?;
        let times = [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()];
        let [a, b, c, d] = times.map(i64::cast_unsigned);
        Ok(Self([u64::from(compressed), file.len(), a, b, c, d]))
    }

    const fn is_compressed(self) -> bool {
        let Self([compressed, ..]) = self;
        compressed == 1
    }
}

/// The plain file goes before the compressed one, as where records are read.
fn metadata(segment: &Segment) -> io::Result<(Metadata, bool)> {
    match fs::metadata(&segment.path) {
        Ok(plain) => Ok((plain, false)),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
            Ok((fs::metadata(segment.compressed())?, true))
        }
        Err(fault) => Err(fault),
    }
}

/// Whether nothing was written to a segment for so long.
pub(super) fn is_quiet(segment: &Segment, long: Duration) -> io::Result<bool> {
    let changed = metadata(segment)?.0.modified()?;
    let since = SystemTime::now().duration_since(changed);
    // A file of the future may be written still.
    Ok(since.is_ok_and(|since| since >= long))
}

/// Where a zstd frame is in its file, and where what it holds is in the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) plain: u64,
    pub(super) file: u64,
}

/// What is known of a segment's places and where they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) stamp: Stamp,
    /// The seconds of its earliest and of its latest record.
    pub(super) times: (String, String),
    /// How many lines are no records.
    pub(super) unreadable: u64,
    /// How long it is, not compressed.
    pub(super) length: u64,
    pub(super) frames: Vec<Frame>,
    /// The first term of each block.
    pub(super) fences: Vec<u64>,
}

impl Run {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.stamp.0.iter().for_each(|number| put(*number, &mut out));
        for text in [&self.times.0, &self.times.1] {
            put(text.len() as u64, &mut out);
            out.extend_from_slice(text.as_bytes());
        }
        put(self.unreadable, &mut out);
        put(self.length, &mut out);
        put(self.frames.len() as u64, &mut out);
        for frame in &self.frames {
            put(frame.plain, &mut out);
            put(frame.file, &mut out);
        }
        self.fences.iter().for_each(|fence| out.extend_from_slice(&fence.to_le_bytes()));
        out
    }

    pub(super) fn decode(mut from: &[u8]) -> Option<Self> {
        let from = &mut from;
        let mut stamp = [0; 6];
        for number in &mut stamp {
            *number = take(from)?;
        }
        let times = (text(from)?, text(from)?);
        let (unreadable, length) = (take(from)?, take(from)?);
        let mut frames = Vec::new();
        for _ in 0..take(from)? {
            frames.push(Frame { plain: take(from)?, file: take(from)? });
        }
        let (fences, rest) = from.as_chunks::<8>();
        let fences = fences.iter().map(|fence| u64::from_le_bytes(*fence)).collect();
        let stamp = Stamp(stamp);
        rest.is_empty().then_some(Self { stamp, times, unreadable, length, frames, fences })
    }
}

fn text(from: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(take(from)?).ok()?;
    let (text, rest) = from.split_at_checked(length)?;
    *from = rest;
    String::from_utf8(text.to_vec()).ok()
}

/// Puts before what is stored a hash of it and of where it belongs.
pub(super) fn guard(place: Place, number: u32, stored: &[u8]) -> Vec<u8> {
    [&hash(place, number, stored), stored].concat()
}

/// What was stored there. None when that is something else, or was damaged.
pub(super) fn unguard(place: Place, number: u32, guarded: &[u8]) -> Option<&[u8]> {
    let (head, stored) = guarded.split_first_chunk::<8>()?;
    (*head == hash(place, number, stored)).then_some(stored)
}

fn hash(place: Place, number: u32, stored: &[u8]) -> [u8; 8] {
    let of = Sha256::new().chain_update(place.epoch.to_le_bytes());
    let of = of.chain_update(place.seq.to_le_bytes()).chain_update(number.to_le_bytes());
    let hash: [u8; 32] = of.chain_update(stored).finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    [a, b, c, d, e, f, g, h]
}

/// Reads single lines of a segment.
pub(super) struct Lines<'r> {
    run: &'r Run,
    file: File,
    /// What was read last: where it begins, and all of it.
    window: (u64, Vec<u8>),
}

/// So much is read at once of a file that is not compressed; most lines are shorter.
const WINDOW: usize = 8 * 1024;

impl<'r> Lines<'r> {
    pub(super) fn open(segment: &Segment, run: &'r Run) -> io::Result<Self> {
        let compressed = run.stamp.is_compressed();
        let path = if compressed { segment.compressed() } else { segment.path.clone() };
        Ok(Self { run, file: File::open(path)?, window: (0, Vec::new()) })
    }

    /// The line that begins there, without its line end. None when none does.
    pub(super) fn at(&mut self, place: u64) -> io::Result<Option<&[u8]>> {
        let mut size = WINDOW;
        loop {
            if self.end_in_window(place).is_none() {
                let is_last = self.read(place, size)?;
                if is_last && self.end_in_window(place).is_none() {
                    return Ok(None);
                }
                size = size.saturating_mul(4);
                continue;
            }
            let (start, end) = self.end_in_window(place).unwrap_or_default();
            return Ok(self.window.1.get(start..end));
        }
    }

    fn end_in_window(&self, place: u64) -> Option<(usize, usize)> {
        let start = usize::try_from(place.checked_sub(self.window.0)?).ok()?;
        let end = memchr(b'\n', self.window.1.get(start..)?)?;
        Some((start, start + end))
    }

    /// Fills the window from that place on; true when a larger one would hold no more.
    fn read(&mut self, place: u64, size: usize) -> io::Result<bool> {
        if self.run.stamp.is_compressed() {
            return self.unpack(place).map(|()| true);
        }
        let mut window = std::mem::take(&mut self.window.1);
        window.resize(size, 0);
        let mut filled = 0;
        while let Some(room) = window.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.file.read_at(room, place + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
        window.truncate(filled);
        self.window = (place, window);
        Ok(filled < size)
    }

    /// The frame that holds a place.
    fn unpack(&mut self, place: u64) -> io::Result<()> {
        let frames = &self.run.frames;
        let next = frames.partition_point(|frame| frame.plain <= place);
        let missing = || io::Error::from(io::ErrorKind::InvalidData);
        let frame = next.checked_sub(1).and_then(|at| frames.get(at)).ok_or_else(missing)?;
        let end = match frames.get(next) {
            Some(next) => *next,
            None => Frame { plain: self.run.length, file: self.file.metadata()?.len() },
        };
        let length = |from: u64, to: u64| usize::try_from(to.saturating_sub(from));
        let packed = length(frame.file, end.file).map_err(io::Error::other)?;
        let plain = length(frame.plain, end.plain).map_err(io::Error::other)?;
        let mut bytes = vec![0; packed];
        self.file.read_exact_at(&mut bytes, frame.file)?;
        self.window = (frame.plain, zstd::bulk::decompress(&bytes, plain)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run {
        Run {
            stamp: Stamp([1, 2, u64::MAX, 4, 5, 6]),
            times: ("2026-11-23T08:00:00".into(), String::new()),
            unreadable: 3,
            length: 70_000,
            frames: vec![Frame { plain: 0, file: 0 }, Frame { plain: 9_000, file: 700 }],
            fences: vec![0, 7, u64::MAX],
        }
    }

    #[test]
    fn a_run_is_read_as_it_was_written() {
        let bytes = run().encode();
        assert_eq!(Run::decode(&bytes), Some(run()));
        for cut in 0..bytes.len() {
            assert_ne!(Run::decode(&bytes[..cut]), Some(run()), "{cut}");
        }
    }

    #[test]
    fn what_was_damaged_or_moved_is_noticed() {
        let place = Place { epoch: 3, seq: 1_204 };
        let guarded = guard(place, 7, b"stored");
        assert_eq!(unguard(place, 7, &guarded), Some(&b"stored"[..]));
        assert_eq!(unguard(place, 8, &guarded), None);
        assert_eq!(unguard(Place { seq: 1, ..place }, 7, &guarded), None);
        for at in 0..guarded.len() {
            let mut damaged = guarded.clone();
            damaged[at] ^= 1;
            assert_eq!(unguard(place, 7, &damaged), None, "{at}");
        }
        assert_eq!(unguard(place, 7, b"short"), None);
    }
}
