//! Compressing with tables that bodies share.
//!
//! The compressor's tables take 350 kB, far more than anything else that a body holds, and are of use
//! only while it runs. So each thread has one compressor. It is reset before each burst of a body and
//! flushed after it, to the last bit and with nothing kept that a later burst could refer to: what
//! stays with the body is the sum over its text. The bursts behind each other are one stream, for
//! that is what a full flush is made for (RFC 1951, 3.2.4). A burst is long enough that beginning anew
//! costs a few hundredths of the length.

use std::{cell::RefCell, io};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use super::length;

/// The least text that is compressed before the body's end: two windows.
const LEAST: usize = 65_536;

/// As much text as is worked on at once.
pub(super) const AT_ONCE: usize = 65_536;

/// The lowest level at which what leaves is not much longer than what a provider compressed at the usual
/// one: FHIR by a third, documents by nothing, where the first level has two thirds and a third. The
/// engine holds a number of parts of an answer, however long they are.
const LEVEL: Compression = Compression::new(2);

/// The least room that the compressor is given: a flush takes more than one turn when there is none.
const ROOM: usize = 1024;

/// What says gzip, of no name, of no time, compressed in haste, on no system (RFC 1952, 2.3).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

thread_local! {
    static TOOLS: RefCell<Tools> = RefCell::new(Tools::new());
}

/// What bodies on one thread share, one after the other.
pub(super) struct Tools {
    pub(super) packer: Packer,
    /// Room for what is opened.
    pub(super) plain: Box<[u8]>,
}

impl Tools {
    fn new() -> Self {
        let packer = Packer { deflate: Compress::new(LEVEL, false), text: Vec::new() };
        Self { packer, plain: vec![0; AT_ONCE].into() }
    }
}

/// Works with the tools of this thread. Not to be called by `work`.
pub(super) fn with_tools<T>(work: impl FnOnce(&mut Tools) -> T) -> T {
    TOOLS.with_borrow_mut(work)
}

pub(super) struct Packer {
    deflate: Compress,
    /// The text of the part at hand.
    text: Vec<u8>,
}

/// A body that is compressed, between two parts.
#[derive(Default)]
pub(super) struct Packing {
    has_header: bool,
    sum: Crc,
    /// Text that is too short for a burst. What follows comes behind it: it is not moved meanwhile, for
    /// a part may be a single byte.
    held: Vec<u8>,
}

/// What a part becomes.
pub(super) struct Burst<'b> {
    packing: &'b mut Packing,
    packer: &'b mut Packer,
    out: Vec<u8>,
    /// How long that may become.
    hint: usize,
    has_begun: bool,
}

impl Packing {
    /// Begins with a part that will take about `hint` bytes compressed.
    pub(super) fn begin<'b>(&'b mut self, packer: &'b mut Packer, hint: usize) -> Burst<'b> {
        packer.text.clear();
        Burst { packing: self, packer, out: Vec::new(), hint, has_begun: false }
    }
}

impl Burst<'_> {
    /// Takes what `write` writes.
    pub(super) fn take(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        write(&mut self.packer.text);
        let length = self.packing.held.len() + self.packer.text.len();
        if length < LEAST { Ok(()) } else { self.pack(FlushCompress::None) }
    }

    /// The bytes to send.
    pub(super) fn finish(mut self, end: bool) -> io::Result<Vec<u8>> {
        if end {
            self.pack(FlushCompress::Finish)?;
            let sum = &self.packing.sum;
            self.out.extend(sum.sum().to_le_bytes());
            self.out.extend(sum.amount().to_le_bytes());
        } else if self.has_begun {
            self.pack(FlushCompress::Full)?;
        } else {
            self.packing.held.extend_from_slice(&self.packer.text);
        }
        Ok(self.out)
    }

    fn pack(&mut self, flush: FlushCompress) -> io::Result<()> {
        let Packer { deflate, text } = &mut *self.packer;
        let Packing { has_header, sum, held } = &mut *self.packing;
        if !self.has_begun {
            self.has_begun = true;
            self.out.reserve(self.hint + self.hint / 8 + ROOM);
            deflate.reset();
        }
        if !*has_header {
            *has_header = true;
            self.out.extend(HEADER);
        }
        let held = std::mem::take(held);
        if !held.is_empty() {
            sum.update(&held);
            compress(deflate, &held, FlushCompress::None, &mut self.out)?;
        }
        sum.update(text);
        compress(deflate, text, flush, &mut self.out)?;
        text.clear();
        Ok(())
    }
}

/// Writes what `text` becomes to `out`.
fn compress(
    deflate: &mut Compress,
    text: &[u8],
    flush: FlushCompress,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let mut rest = text;
    loop {
        if out.capacity() - out.len() < ROOM {
            // No more than that: whatever is reserved here is held while the consumer does not read.
            out.reserve_exact(16 * ROOM);
        }
        let before = deflate.total_in();
        let status = deflate.compress_vec(rest, out, flush)?;
        rest = rest.get(length(deflate.total_in() - before)..).unwrap_or_default();
        let has_room = out.len() < out.capacity();
        if status == Status::StreamEnd || rest.is_empty() && has_room {
            return Ok(());
        }
    }
}
