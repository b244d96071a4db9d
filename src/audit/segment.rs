//! The files of a journal: how they are named, and how their lines begin.
//!
//! `00000003-000000001204.segment` holds records of epoch 3 from number 1204 on, one JSON object a
//! line; once it is closed it is compressed, to `00000003-000000001204.segment.zst`. A leaf of the tree is a line without its line end. What a line begins with is written by
//! the journal itself in a fixed order, so that a record's place can be read without parsing all of
//! it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{
    place::Place,
    record::VERSION,
    tree::{Edge, Hash},
};

/// A file with records of one epoch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment {
    /// Its first record.
    pub first: Place,
    /// Where it is as long as it is not compressed.
    pub path: PathBuf,
}

impl Segment {
    /// Where it is when it is compressed.
    pub fn compressed(&self) -> PathBuf {
        self.path.with_added_extension(COMPRESSED)
    }
}

/// What is behind the name of a segment that is compressed.
const COMPRESSED: &str = "zst";

/// The name of a segment whose first record is that one.
pub fn name(first: Place) -> String {
    format!("{:08}-{:012}.segment", first.epoch, first.seq)
}

/// The name of the file with the checkpoints of an epoch.
pub fn checkpoints_name(epoch: u64) -> String {
    format!("{epoch:08}.checkpoints")
}

fn first_of(file_name: &str) -> Option<Place> {
    let (epoch, seq) = file_name.strip_suffix(".segment")?.split_once('-')?;
    let first = Place { epoch: epoch.parse().ok()?, seq: seq.parse().ok()? };
    (name(first) == file_name).then_some(first)
}

/// The segments in a folder, in either form, by epoch, each epoch's in their order.
///
/// # Errors
/// When the folder can't be read.
pub fn list(folder: &Path) -> io::Result<BTreeMap<u64, Vec<Segment>>> {
    let named = |name: &str| {
        let plain = Path::new(name).extension().filter(|extension| *extension == COMPRESSED);
        let plain = plain.and_then(|_| Path::new(name).file_stem()?.to_str()).unwrap_or(name);
        first_of(plain)
    };
    // Twice: of one that is compressed meanwhile a single look may see neither form.
    let mut found = of_names(folder, named)?;
    found.extend(of_names(folder, named)?);
    let mut epochs = BTreeMap::<u64, Vec<Segment>>::new();
    for first in found {
        let path = folder.join(name(first));
        epochs.entry(first.epoch).or_default().push(Segment { first, path });
    }
    Ok(epochs)
}

/// The epochs of which there is a file with checkpoints, in their order.
///
/// # Errors
/// When the folder can't be read.
pub fn checkpoint_files(folder: &Path) -> io::Result<BTreeSet<u64>> {
    of_names(folder, |name| name.strip_suffix(".checkpoints")?.parse().ok())
}

/// What `read` makes of the names of the files in a folder.
pub(super) fn of_names<T: Ord>(
    folder: &Path,
    read: impl Fn(&str) -> Option<T>,
) -> io::Result<BTreeSet<T>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        found.extend(entry?.file_name().to_str().and_then(&read));
    }
    Ok(found)
}

/// What stands before the records of a segment, as a record of its own.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Head {
    /// The data key of the segment, sealed to the recipients in the age format, in base64.
    pub key: String,
    /// The right edge of the tree before this record, the largest subtree first, in base64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edge: Vec<String>,
    /// The intents that had no outcome yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
    /// How earlier epochs ended, each once, in the head of the first epoch that knew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<Previous>,
    /// All before this record was removed by retention, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<String>,
    /// The program that writes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub program: String,
}

/// How an earlier epoch ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Which.
    pub epoch: u64,
    /// How.
    pub ended: End,
    /// How many records it has; what stands behind them is void. None while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The root of their tree, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// What made it end, when something went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// How an epoch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The gateway was stopped.
    Stopped,
    /// The gateway ended without a word: it was killed, or its machine lost power.
    Cut,
    /// It could not be written any further.
    Failed,
    /// Not at all: another gateway was still writing it.
    Running,
}

impl Previous {
    /// An epoch that has this tree and no more.
    pub fn of(epoch: u64, ended: End, tree: &Edge, fault: Option<String>) -> Self {
        let root = Some(STANDARD.encode(tree.root()));
        Self { epoch, ended, size: Some(tree.size()), root, fault }
    }
}

impl Head {
    /// The tree before this record, which is number `size`; none when it can't be one.
    pub fn tree(&self, size: u64) -> Option<Edge> {
        let root = |text: &String| STANDARD.decode(text).ok()?.try_into().ok();
        Edge::of(size, self.edge.iter().map(root).collect::<Option<_>>()?)
    }
}

/// The trace of a record in the next one: the first half of its hash, in base64.
pub fn trace(leaf: &Hash) -> String {
    let (half, _) = leaf.split_at(16);
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(half)
}

/// What the first record of an epoch says in place of the trace of the one before it.
pub fn no_trace() -> String {
    trace(&[0; 32])
}

/// What a line begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'l> {
    /// Where the record says that it stands.
    pub place: Place,
    /// The trace of the record before it.
    pub before: &'l str,
    /// What kind of record it is.
    pub kind: &'l str,
    /// The intent that it is the outcome of.
    pub intent: Option<Place>,
}

/// Writes the beginning of a line, up to the first comma behind it.
pub fn begin(line: &Line<'_>, out: &mut Vec<u8>) {
    let mut number = itoa::Buffer::new();
    let mut put = |parts: &[&str]| {
        parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    };
    put(&["{\"v\":", number.format(VERSION)]);
    put(&[",\"epoch\":", number.format(line.place.epoch)]);
    put(&[",\"seq\":", number.format(line.place.seq)]);
    put(&[",\"before\":\"", line.before, "\",\"kind\":\"", line.kind, "\""]);
    if let Some(intent) = line.intent {
        put(&[",\"intent\":\"", number.format(intent.epoch), "/"]);
        put(&[number.format(intent.seq), "\""]);
    }
}

impl<'l> Line<'l> {
    /// Reads the beginning of a line; none when it is no record of a version that we know.
    pub fn read(line: &'l [u8]) -> Option<Self> {
        if line.last() != Some(&b'}') {
            return None;
        }
        let end = line.iter().take(256).position(|byte| *byte == b'\n').unwrap_or(256);
        let start = line.get(..end.min(line.len()))?;
        // What follows may be of any alphabet, cut anywhere.
        let start = start.utf8_chunks().next()?.valid();
        let (version, rest) = number(start.strip_prefix("{\"v\":")?)?;
        let (epoch, rest) = number(rest.strip_prefix(",\"epoch\":")?)?;
        let (seq, rest) = number(rest.strip_prefix(",\"seq\":")?)?;
        let (before, rest) = rest.strip_prefix(",\"before\":\"")?.split_once('"')?;
        let (kind, rest) = rest.strip_prefix(",\"kind\":\"")?.split_once('"')?;
        let intent = match rest.strip_prefix(",\"intent\":\"") {
            Some(rest) => Some(rest.split_once('"')?.0.parse().ok()?),
            None => None,
        };
        let place = Place { epoch, seq };
        (version == VERSION).then_some(Self { place, before, kind, intent })
    }
}

fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_as_it_is_read() {
        let place = Place { epoch: 3, seq: 1_204 };
        for intent in [None, Some(Place { epoch: 2, seq: 7 })] {
            let line = Line { place, before: &no_trace(), kind: "outcome", intent };
            let mut out = Vec::new();
            begin(&line, &mut out);
            assert_eq!(Line::read(&out), None, "it has no end yet");
            out.extend_from_slice(b",\"later\":\"\xc3\xa9\"}");
            assert_eq!(Line::read(&out), Some(line));
            serde_json::from_slice::<serde_json::Value>(&out).unwrap();
            for cut in 0..out.len() {
                assert_eq!(Line::read(&out[..cut]), None, "{cut}");
            }
        }
        assert_eq!(
            Line::read(b"{\"v\":2,\"epoch\":1,\"seq\":0,\"before\":\"\",\"kind\":\"x\"}"),
            None
        );
    }

    #[test]
    fn files_are_found_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let places = [(2, 0), (1, 500), (1, 0), (10, 0)];
        for (epoch, seq) in places {
            fs::write(folder.path().join(name(Place { epoch, seq })), "").unwrap();
        }
        // One in both forms is one segment.
        for (epoch, seq) in [(1, 500), (1, 900)] {
            let name = format!("{}.zst", name(Place { epoch, seq }));
            fs::write(folder.path().join(name), "").unwrap();
        }
        for other in [
            "1-0.segment",
            "00000001.checkpoints",
            "x",
            "00000001-0000000000ab.segment",
            "00000001-000000000100.segment.zst.zst",
            "00000001-000000000100.segment.part",
        ] {
            fs::write(folder.path().join(other), "").unwrap();
        }
        let found = list(folder.path()).unwrap();
        let found: Vec<_> = found.into_values().flatten().map(|segment| segment.first).collect();
        let expected = [(1, 0), (1, 500), (1, 900), (2, 0), (10, 0)];
        assert_eq!(found, expected.map(|(epoch, seq)| Place { epoch, seq }));
    }
}
