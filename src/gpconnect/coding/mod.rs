//! Stage 13, for consumers in assist mode: what happens to the bytes of a body on its way. It is opened
//! if the provider compressed it, its links are rewritten, and it is compressed (gzip: RFC 1952).
//!
//! A body passes part by part. Consumers read slowly, so what a body holds meanwhile is little: the
//! window of what is opened, and the beginning of what is too short yet to be worth compressing. The
//! tables of the compressor, ten times as much, are its thread's: see `pack`.

mod pack;

#[cfg(test)]
mod tests;

use std::io;

use flate2::{Decompress, FlushDecompress, Status};

use crate::links::Rewriter;
use pack::{AT_ONCE, Packing};

/// The window of gzip, as a power of two.
const WINDOW_BITS: u8 = 15;

/// How a body arrives and leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As it is, both times.
    Plain,
    /// It arrives as it is and leaves compressed.
    Pack,
    /// It is compressed, both times.
    Within,
}

/// A body on its way.
pub struct Passage {
    open: Option<Opening>,
    links: Option<Rewriter>,
    pack: Option<Packing>,
}

/// Without the body.
impl std::fmt::Debug for Passage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps = [
            self.open.is_some().then_some("open"),
            self.links.is_some().then_some("links"),
            self.pack.is_some().then_some("pack"),
        ];
        write!(out, "Passage({})", steps.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

impl Passage {
    /// For a body of that coding; `links` rewrites its links, if any are to be.
    pub fn new(coding: Coding, links: Option<Rewriter>) -> Self {
        let open = matches!(coding, Coding::Within).then(Opening::new);
        let pack = matches!(coding, Coding::Pack | Coding::Within).then(Packing::default);
        Self { open, links, pack }
    }

    /// The bytes to send for a part of the body; at its `end` also those that were held back.
    ///
    /// # Errors
    /// What the provider compressed can't be read, ends too early, or too late.
    pub fn pass(&mut self, part: &[u8], end: bool) -> io::Result<Vec<u8>> {
        let Self { open, links, pack } = self;
        let mut links = links.as_mut();
        let Some(packing) = pack else {
            let mut sent = Vec::new();
            rewrite(&mut links, part, &mut sent);
            finish(&mut links, end, &mut sent);
            return Ok(sent);
        };
        pack::with_tools(|tools| {
            let mut burst = packing.begin(&mut tools.packer, part.len());
            match open {
                None => {
                    for plain in part.chunks(AT_ONCE) {
                        burst.take(|text| rewrite(&mut links, plain, text))?;
                    }
                }
                Some(open) => {
                    let mut rest = part;
                    while let Some(plain) = open.next(&mut rest, &mut tools.plain)? {
                        burst.take(|text| rewrite(&mut links, plain, text))?;
                    }
                    if end && !open.is_whole {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
            burst.take(|text| finish(&mut links, end, text))?;
            burst.finish(end)
        })
    }
}

/// Writes what `part` becomes to `out`.
fn rewrite(links: &mut Option<&mut Rewriter>, part: &[u8], out: &mut Vec<u8>) {
    match links {
        Some(links) => links.push(part, out),
        None => out.extend_from_slice(part),
    }
}

/// Writes what was held back, at the `end`.
fn finish(links: &mut Option<&mut Rewriter>, end: bool, out: &mut Vec<u8>) {
    if let Some(links) = links.as_mut().filter(|_| end) {
        links.end(out);
    }
}

/// What the provider compressed, as it is opened.
struct Opening {
    inflate: Decompress,
    /// Its end has come, and its sums are right.
    is_whole: bool,
}

impl Opening {
    fn new() -> Self {
        Self { inflate: Decompress::new_gzip(WINDOW_BITS), is_whole: false }
    }

    /// Opens as much of `rest` as `plain` has room for, and takes it away from there; none when
    /// there is no more.
    fn next<'p>(&mut self, rest: &mut &[u8], plain: &'p mut [u8]) -> io::Result<Option<&'p [u8]>> {
        if self.is_whole {
            // Nothing stands behind it.
            return if rest.is_empty() { Ok(None) } else { Err(io::ErrorKind::InvalidData.into()) };
        }
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(rest, plain, FlushDecompress::None)?;
        let read = length(self.inflate.total_in() - read);
        let written = length(self.inflate.total_out() - written);
        *rest = rest.get(read..).unwrap_or_default();
        self.is_whole = status == Status::StreamEnd;
        let is_done = read == 0 && written == 0 && !self.is_whole;
        Ok(plain.get(..written).filter(|_| !is_done))
    }
}

/// Of a part, which is in memory.
fn length(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
