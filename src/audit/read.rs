//! Reads the records of a journal, and opens what is sealed in them.

use std::{io, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use openssl::symm::{Cipher, decrypt_aead};
use serde_json::Value;

use super::{
    age::Identity,
    checkpoint::Checkpoint,
    epoch::{DataKey, nonce},
    lines::{Lines, Piece},
    note::{self, Verifier},
    place::Place,
    recovery, sealed,
    segment::{self, Line, Segment},
    tree::{self, Hash, Tail},
};

/// Records that can't be read although a segment with their numbers is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The first of them.
    pub from: Place,
    /// The file and what is wrong with it.
    pub why: String,
}

/// Calls `each` with the bytes of every record, in order, until it says no. What could not be read
/// is given back.
///
/// # Errors
/// When a file can't be read, or the first error of `each`.
pub fn each(
    folder: &Path,
    each: impl FnMut(&Line<'_>, &[u8]) -> io::Result<bool>,
) -> io::Result<Vec<Lost>> {
    each_from(folder, Place { epoch: 0, seq: 0 }, each)
}

/// As [`each`], but without the segments that end before `from`. The one that holds it is read from
/// its beginning, where its key is.
///
/// # Errors
/// As [`each`].
pub fn each_from(
    folder: &Path,
    from: Place,
    mut each: impl FnMut(&Line<'_>, &[u8]) -> io::Result<bool>,
) -> io::Result<Vec<Lost>> {
    let mut lost = Vec::new();
    let epochs = segment::list(folder)?;
    let ends = recovery::ends(&epochs)?;
    let mut each = |line: &Line<'_>, bytes: &[u8]| {
        // What was not durable when its epoch ended is void, and is in a later one if it counts.
        let is_void = ends.get(&line.place.epoch).is_some_and(|end| line.place.seq >= *end);
        if is_void { Ok(true) } else { each(line, bytes) }
    };
    for segments in epochs.into_values() {
        let is_past = |segment: &&Segment| segment.first <= from;
        let past = segments.iter().skip(1).filter(is_past).count();
        let is_over = segments.first().is_some_and(|segment| segment.first.epoch < from.epoch);
        for segment in segments.iter().skip(if is_over { usize::MAX } else { past }) {
            if !each_of(segment, &mut lost, &mut each)? {
                return Ok(lost);
            }
        }
    }
    Ok(lost)
}

/// Opens a segment that was listed a moment ago; one that was removed since is added to `lost`.
pub(super) fn lines_of(segment: &Segment, lost: &mut Vec<Lost>) -> io::Result<Option<Lines>> {
    match Lines::open(segment) {
        Ok(lines) => Ok(Some(lines)),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
            let why = format!("{}: was removed", segment.path.display());
            lost.push(Lost { from: segment.first, why });
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// Calls `each` with the bytes of every record of one segment, in order, until it says no: then this
/// is false. What could not be read is added to `lost`.
///
/// # Errors
/// As [`each`].
pub fn each_of(
    segment: &Segment,
    lost: &mut Vec<Lost>,
    mut each: impl FnMut(&Line<'_>, &[u8]) -> io::Result<bool>,
) -> io::Result<bool> {
    let mut next = segment.first;
    let Some(mut lines) = lines_of(segment, lost)? else { return Ok(true) };
    while let Some(piece) = lines.piece()? {
        match piece {
            Piece::Line(line) => {
                // What is no record is for `verify` to name.
                let Some(read) = Line::read(line) else { continue };
                next = Place { seq: read.place.seq + 1, ..read.place };
                if !each(&read, line)? {
                    return Ok(false);
                }
            }
            Piece::Torn(_) => {}
            Piece::Lost(why) => lost.push(Lost { from: next, why }),
        }
    }
    Ok(true)
}

/// A record from which on there are at least `count` more, or the first one: where to begin for the
/// last `count`.
///
/// # Errors
/// When the folder can't be read.
pub fn before_last(folder: &Path, count: u64) -> io::Result<Place> {
    let mut there = 0;
    for segments in segment::list(folder)?.into_values().rev() {
        let mut end = None;
        for segment in segments.iter().rev() {
            // How many the last one of an epoch holds is not known without reading it.
            there += end.map_or(0, |end: u64| end.saturating_sub(segment.first.seq));
            end = Some(segment.first.seq);
            if there >= count {
                return Ok(segment.first);
            }
        }
    }
    Ok(Place { epoch: 0, seq: 0 })
}

/// Opens sealed parts, segment by segment as they are read.
#[derive(Debug)]
pub struct Opener {
    identity: Identity,
    key: Option<DataKey>,
}

impl Opener {
    /// With the private key of somebody to whom the journal is sealed.
    pub const fn new(identity: Identity) -> Self {
        Self { identity, key: None }
    }

    /// Takes the key of the segment that begins with this record.
    pub fn take_key(&mut self, line: &[u8]) {
        let sealed = recovery::head(line).and_then(|head| STANDARD.decode(head.key).ok());
        let key = sealed.and_then(|sealed| self.identity.open(&sealed).ok());
        self.key = key.and_then(|key| key.as_slice().try_into().ok()).map(DataKey::new);
    }

    /// What a record has sealed; none when it has nothing, or not for this key.
    pub fn open(&self, place: Place, record: &Value) -> Option<Value> {
        let sealed = STANDARD.decode(record.get("sealed")?.as_str()?).ok()?;
        let (sealed, tag) = sealed.split_at_checked(sealed.len().checked_sub(16)?)?;
        let (nonce, about) = (nonce(place.seq), place.to_string());
        let key = self.key.as_ref()?;
        let cipher = Cipher::aes_256_gcm();
        let open = decrypt_aead(cipher, &**key, Some(&nonce), about.as_bytes(), sealed, tag);
        serde_json::from_slice(&open.ok()?).ok().map(sealed::opened)
    }
}

/// Why there is no proof of a record.
#[derive(Debug, thiserror::Error)]
pub enum NotProven {
    /// A file can't be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// There is no such record.
    #[error("there is no such record")]
    NoSuchRecord,
    /// No checkpoint covers it.
    #[error("no checkpoint that this key signed covers it")]
    NotCovered,
    /// The journal is not what its checkpoint says.
    #[error("the journal is not what its checkpoint says; audit verify names what was changed")]
    Differs,
}

/// A proof (c2sp.org/tlog-proof) that a record is in the journal, with the record in it.
///
/// # Errors
/// [`NotProven`].
pub fn prove(folder: &Path, place: Place, keys: &[Verifier]) -> Result<String, NotProven> {
    let segments = segment::list(folder)?.remove(&place.epoch).unwrap_or_default();
    // What was before is in the head of the segment that holds the record.
    let past = segments.iter().skip(1).filter(|segment| segment.first <= place).count();
    let segments = segments.get(past..).unwrap_or_default();
    let first = segments.first().filter(|segment| segment.first <= place);
    let first = first.ok_or(NotProven::NoSuchRecord)?;
    let edge = recovery::head_of(first)?.and_then(|head| head.tree(first.first.seq));
    let (mut tail, mut record) = (Tail::behind(edge.ok_or(NotProven::Differs)?), None);
    'segments: for segment in segments {
        let mut lines = Lines::open(segment)?;
        while let Some(piece) = lines.piece()? {
            let Piece::Line(line) = piece else { break 'segments };
            if tail.size() == place.seq {
                record = Some(line.to_vec());
            }
            tail.push(tree::leaf(line));
        }
    }
    let record = record.ok_or(NotProven::NoSuchRecord)?;
    let path = folder.join(segment::checkpoints_name(place.epoch));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let covers = |signed: &&str| {
        let checkpoint = Checkpoint::open(signed, keys).ok()?;
        let path = tail.path(place.seq, checkpoint.size)?;
        Some((checkpoint, path))
    };
    let (notes, _) = note::split(&text);
    let found = notes.iter().rev().find_map(|signed| Some((signed, covers(signed)?)));
    let (signed, (checkpoint, path)) = found.ok_or(NotProven::NotCovered)?;
    let root = tree::root_by_path(tree::leaf(&record), place.seq, checkpoint.size, &path);
    if root != Some(checkpoint.root) {
        return Err(NotProven::Differs);
    }
    let path: String = path.iter().map(|hash| format!("{}\n", STANDARD.encode(hash))).collect();
    let (extra, index) = (STANDARD.encode(record), place.seq);
    Ok(format!("{PROOF}\nextra {extra}\nindex {index}\n{path}\n{signed}"))
}

const PROOF: &str = "c2sp.org/tlog-proof@v1";

/// Why a proof proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotAProof {
    /// It has another form.
    #[error("is no proof of this kind: {0}")]
    Form(&'static str),
    /// Its checkpoint is not believed.
    #[error("its checkpoint {0}")]
    Checkpoint(#[from] super::checkpoint::NotACheckpoint),
    /// The record is not what the checkpoint covers.
    #[error("the record is not in the journal of which the checkpoint was signed")]
    Differs,
}

/// The record that a proof proves, and the checkpoint by which it does.
///
/// # Errors
/// [`NotAProof`].
pub fn check_proof(proof: &str, keys: &[Verifier]) -> Result<(String, Checkpoint), NotAProof> {
    let rest = proof.strip_prefix(PROOF).and_then(|rest| rest.strip_prefix('\n'));
    let rest = rest.ok_or(NotAProof::Form("its first line is another"))?;
    let (head, signed) = rest.split_once("\n\n").ok_or(NotAProof::Form("it has no checkpoint"))?;
    let mut lines = head.lines();
    let record = lines.next().and_then(|line| line.strip_prefix("extra "));
    let record = record.and_then(|record| STANDARD.decode(record).ok());
    let record = record.ok_or(NotAProof::Form("it does not hold the record"))?;
    let index = lines.next().and_then(|line| line.strip_prefix("index ")?.parse().ok());
    let index: u64 = index.ok_or(NotAProof::Form("it does not say which record"))?;
    let hash = |line: &str| STANDARD.decode(line).ok()?.try_into().ok();
    let path: Option<Vec<Hash>> = lines.map(hash).collect();
    let path = path.ok_or(NotAProof::Form("a line of it is no hash"))?;
    let checkpoint = Checkpoint::open(signed, keys)?;
    let root = tree::root_by_path(tree::leaf(&record), index, checkpoint.size, &path);
    let place = Line::read(&record).map(|line| line.place);
    let is_there = place == Some(Place { epoch: checkpoint.epoch, seq: index });
    if root != Some(checkpoint.root) || !is_there {
        return Err(NotAProof::Differs);
    }
    let record = String::from_utf8(record).or(Err(NotAProof::Form("its record is no text")))?;
    Ok((record, checkpoint))
}
