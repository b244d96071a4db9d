//! The one door through which records are read: a segment line by line, whether its file is
//! compressed or not, and never more of it in memory than a line and a window of zstd.
//!
//! A compressed segment is a row of zstd frames that end with a line. What is damaged costs its own
//! frame: the next one is found by the number that each begins with.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use memchr::memmem;
use zstd::stream::raw::{Decoder, Operation as _};

use super::segment::Segment;

/// What each zstd frame begins with.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BUFFER: usize = 256 * 1024;
/// The longest line is a head's, which names at most every request that was under way.
const LONGEST: u64 = 64 << 20;

/// The lines of one segment.
pub struct Lines {
    path: PathBuf,
    source: Source,
    line: Vec<u8>,
}

enum Source {
    Plain(BufReader<File>),
    Compressed(BufReader<Frames>),
}

/// What comes next in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'l> {
    /// A line, without its line end.
    Line(&'l [u8]),
    /// What stands behind the last line end.
    Torn(&'l [u8]),
    /// Here the file is damaged: lines are missing up to the next piece, or the end.
    Lost(String),
}

impl Lines {
    /// Opens the file of a segment. Where both forms are there, compressing it was not finished: then
    /// the plain one is read.
    ///
    /// # Errors
    /// When neither can be opened; `NotFound` when it is not there.
    pub fn open(segment: &Segment) -> io::Result<Self> {
        let (path, source) = match File::open(&segment.path) {
            Ok(file) => {
                let file = BufReader::with_capacity(BUFFER, file);
                (segment.path.clone(), Source::Plain(file))
            }
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                let path = segment.compressed();
                let frames = unzip(&path)?;
                (path, Source::Compressed(BufReader::with_capacity(BUFFER, frames)))
            }
            Err(fault) => return Err(fault),
        };
        Ok(Self { path, source, line: Vec::new() })
    }

    /// Where in the file the zstd frame of the last line begins; none where nothing is compressed.
    pub fn frame(&self) -> Option<u64> {
        match &self.source {
            Source::Plain(_) => None,
            Source::Compressed(file) => Some(file.get_ref().frame),
        }
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        self.line.clear();
        let read = match &mut self.source {
            Source::Plain(file) => file.take(LONGEST).read_until(b'\n', &mut self.line),
            Source::Compressed(file) => file.take(LONGEST).read_until(b'\n', &mut self.line),
        };
        match read {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(match self.line.strip_suffix(b"\n") {
                Some(line) => Piece::Line(line),
                None => Piece::Torn(&self.line),
            })),
            Err(fault) if fault.kind() == io::ErrorKind::InvalidData => {
                Ok(Some(Piece::Lost(format!("{}: {fault}", self.path.display()))))
            }
            Err(fault) => Err(fault),
        }
    }
}

/// Opens a compressed file: reads as what is in it.
pub(super) fn unzip(path: &Path) -> io::Result<Frames> {
    let file = BufReader::with_capacity(BUFFER, File::open(path)?);
    Ok(Frames { file, decoder: Decoder::new()?, at: 0, frame: 0, is_within: false })
}

/// What a row of zstd frames holds. Where it is damaged, one `InvalidData` is read, and then the next
/// frame.
pub(super) struct Frames {
    file: BufReader<File>,
    decoder: Decoder<'static>,
    /// Where the next byte of the file is, and where its frame begins.
    at: u64,
    frame: u64,
    is_within: bool,
}

impl Frames {
    /// Goes to the next frame behind the beginning of this one, or to the end.
    fn skip(&mut self) -> io::Result<()> {
        self.decoder.reinit()?;
        self.is_within = false;
        self.at = self.frame + 1;
        loop {
            self.file.seek(SeekFrom::Start(self.at))?;
            let window = self.file.fill_buf()?;
            let skipped = match memmem::find(window, &MAGIC) {
                Some(0) => return Ok(()),
                Some(before) => before,
                None if window.len() < MAGIC.len() => {
                    // Nothing that is left can be a frame.
                    let rest = window.len();
                    self.file.consume(rest);
                    self.at += rest as u64;
                    return Ok(());
                }
                None => window.len() + 1 - MAGIC.len(),
            };
            self.at += skipped as u64;
        }
    }

    fn damaged(&mut self, what: &str) -> io::Error {
        let text = format!("damaged at byte {}: {what}", self.frame);
        match self.skip() {
            Ok(()) => io::Error::new(io::ErrorKind::InvalidData, text),
            Err(fault) => fault,
        }
    }
}

impl Read for Frames {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.file.fill_buf()?;
            let is_end = input.is_empty();
            if is_end && !self.is_within {
                return Ok(0);
            }
            if !self.is_within {
                self.frame = self.at;
                self.is_within = true;
            }
            let status = match self.decoder.run_on_buffers(input, out) {
                Ok(status) => status,
                Err(fault) => return Err(self.damaged(&fault.to_string())),
            };
            self.file.consume(status.bytes_read);
            self.at += status.bytes_read as u64;
            if status.remaining == 0 {
                self.is_within = false;
                self.decoder.reinit()?;
            } else if is_end && status.bytes_written == 0 {
                return Err(self.damaged("it ends within a frame"));
            }
            if status.bytes_written > 0 {
                return Ok(status.bytes_written);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::audit::{place::Place, segment};

    /// What is read of a segment: `.` for what is lost, `~` before what is torn.
    fn read(segment: &Segment) -> Vec<String> {
        let mut lines = Lines::open(segment).unwrap();
        let mut read = Vec::new();
        while let Some(piece) = lines.piece().unwrap() {
            read.push(match piece {
                Piece::Line(line) => String::from_utf8(line.to_vec()).unwrap(),
                Piece::Torn(line) => format!("~{}", str::from_utf8(line).unwrap()),
                Piece::Lost(_) => String::from("."),
            });
        }
        read
    }

    fn segment_in(folder: &Path) -> Segment {
        let first = Place { epoch: 1, seq: 0 };
        Segment { first, path: folder.join(segment::name(first)) }
    }

    /// Three frames with lines of their own; the second one is long.
    fn frames() -> Vec<Vec<u8>> {
        let long: String = (0..40_000).map(|number| format!("second {number}\n")).collect();
        ["first\nfirst again\n", &long, "third\n"]
            .iter()
            .map(|text| zstd::bulk::compress(text.as_bytes(), 3).unwrap())
            .collect()
    }

    #[test]
    fn both_forms_read_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let segment = segment_in(folder.path());
        assert_eq!(Lines::open(&segment).err().unwrap().kind(), io::ErrorKind::NotFound);
        for text in ["", "one\n", "one\n\nthree\n", "one\ntor"] {
            fs::write(&segment.path, text).unwrap();
            let plain = read(&segment);
            let zipped = zstd::bulk::compress(text.as_bytes(), 3).unwrap();
            fs::write(segment.compressed(), "no zstd at all").unwrap();
            assert_eq!(read(&segment), plain, "the plain one is the one that was finished");
            fs::remove_file(&segment.path).unwrap();
            fs::write(segment.compressed(), zipped).unwrap();
            assert_eq!(read(&segment), plain);
            fs::remove_file(segment.compressed()).unwrap();
        }
    }

    #[test]
    fn damage_costs_the_lines_of_its_frame() {
        let folder = tempfile::tempdir().unwrap();
        let segment = segment_in(folder.path());
        let whole = frames();
        let first = ["first", "first again"];
        fs::write(segment.compressed(), whole.concat()).unwrap();
        assert_eq!(read(&segment).len(), 40_003);
        for at in (0..whole[1].len()).step_by(whole[1].len() / 50) {
            let mut bytes = whole.clone();
            bytes[1][at] ^= 0x41;
            fs::write(segment.compressed(), bytes.concat()).unwrap();
            let lines = read(&segment);
            assert_eq!(lines[..2], first, "{at}");
            assert_eq!(lines.last().unwrap(), "third", "{at}");
        }
        for cut in [1, 20, whole[1].len() - 1] {
            let bytes = [&whole[0], &whole[1][..cut]].concat();
            fs::write(segment.compressed(), bytes).unwrap();
            let lines = read(&segment);
            assert_eq!(lines[..2], first, "{cut}");
            assert_eq!(lines.last().unwrap(), ".", "{cut}");
        }
        for (name, bytes) in [("no zstd", b"no zstd".to_vec()), ("zeros", vec![0; 600_000])] {
            fs::write(segment.compressed(), bytes).unwrap();
            assert_eq!(read(&segment), ["."], "{name}");
        }
    }
}
