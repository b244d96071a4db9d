//! The files of a journal in memory, to be changed by somebody who has not the signing key.

use std::{collections::BTreeMap, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::audit::{
    place::Place,
    segment,
    tree::{self, Edge, Hash},
};

/// Lines with their ends.
pub(super) type Lines = Vec<Vec<u8>>;

/// A journal's files by name.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Files(pub(super) BTreeMap<String, Vec<u8>>);

impl Files {
    pub(super) fn read(folder: &Path) -> Self {
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
        let files = files
            .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()));
        Self(files.collect())
    }

    /// Makes a folder hold these and no others.
    pub(super) fn write(&self, folder: &Path) {
        for (name, _) in Self::read(folder).0 {
            if !self.0.contains_key(&name) {
                fs::remove_file(folder.join(name)).unwrap();
            }
        }
        for (name, bytes) in &self.0 {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    /// With compressed segments, some lines a frame.
    pub(super) fn compressed(&self) -> Self {
        let pack = |(name, bytes): (&String, &Vec<u8>)| match name.ends_with(".segment") {
            true => (format!("{name}.zst"), zipped(&split(bytes))),
            false => (name.clone(), bytes.clone()),
        };
        Self(self.0.iter().map(pack).collect())
    }

    /// The names of segments.
    pub(super) fn segments(&self) -> Vec<String> {
        self.0.keys().filter(|name| name.contains(".segment")).cloned().collect()
    }

    /// The names of files with checkpoints.
    pub(super) fn checkpoints(&self) -> Vec<String> {
        self.0.keys().filter(|name| name.ends_with(".checkpoints")).cloned().collect()
    }

    /// The lines of a segment; none when it can't be unpacked.
    pub(super) fn lines(&self, name: &str) -> Option<Lines> {
        let bytes = self.0.get(name)?;
        let text = match name.ends_with(".zst") {
            true => zstd::stream::decode_all(&bytes[..]).ok()?,
            false => bytes.clone(),
        };
        Some(split(&text))
    }

    pub(super) fn put(&mut self, name: &str, lines: &Lines) {
        let bytes = if name.ends_with(".zst") { zipped(lines) } else { lines.concat() };
        self.0.insert(name.into(), bytes);
    }

    /// All lines of each epoch; none when one of its segments can't be unpacked.
    pub(super) fn epochs(&self) -> BTreeMap<u64, Option<Lines>> {
        let mut epochs = BTreeMap::new();
        for name in self.segments() {
            let all: &mut Option<Lines> =
                epochs.entry(epoch_of(&name)).or_insert_with(|| Some(Vec::new()));
            *all = all.take().zip(self.lines(&name)).map(|(before, more)| [before, more].concat());
        }
        epochs
    }

    /// The first record that is another one than in `whole`.
    pub(super) fn first_change(&self, whole: &Self) -> Option<Place> {
        let now = self.epochs();
        for (epoch, before) in whole.epochs() {
            let before = before.unwrap();
            let now = now.get(&epoch).cloned().unwrap_or_default()?;
            let same = before.iter().zip(&now).take_while(|(one, other)| one == other).count();
            if same < before.len() || same < now.len() {
                return Some(Place { epoch, seq: same.try_into().unwrap() });
            }
        }
        None
    }

    /// Writes all traces, edges and links anew, as one would who wants to hide a change.
    pub(super) fn cover_up(&mut self) {
        let mut ends = BTreeMap::<u64, (u64, Hash)>::new();
        let (mut epoch, mut tree, mut before) = (0, Edge::default(), segment::no_trace());
        for name in self.segments() {
            if epoch_of(&name) != epoch {
                (epoch, tree, before) = (epoch_of(&name), Edge::default(), segment::no_trace());
            }
            let mut lines = self.lines(&name).unwrap();
            for line in &mut lines {
                let Ok(mut record) = serde_json::from_slice::<Value>(line) else { continue };
                record["before"] = before.into();
                if let Some(head) = record.get_mut("head") {
                    link(head, &tree, &ends);
                }
                *line = serde_json::to_vec(&record).unwrap();
                let leaf = tree::leaf(line);
                line.push(b'\n');
                tree.push(leaf);
                before = segment::trace(&leaf);
            }
            ends.insert(epoch, (tree.size(), tree.root()));
            self.put(&name, &lines);
        }
    }
}

/// Makes a head fit what stands before it.
fn link(head: &mut Value, tree: &Edge, ends: &BTreeMap<u64, (u64, Hash)>) {
    if head.get("edge").is_some() {
        head["edge"] = tree.roots().iter().map(|root| STANDARD.encode(root)).collect();
    }
    let previous = head.get_mut("previous").and_then(Value::as_array_mut);
    for told in previous.into_iter().flatten() {
        if let Some((size, root)) = told["epoch"].as_u64().and_then(|epoch| ends.get(&epoch)) {
            told["size"] = (*size).into();
            told["root"] = STANDARD.encode(root).into();
        }
    }
}

pub(super) fn epoch_of(name: &str) -> u64 {
    name.get(..8).unwrap().parse().unwrap()
}

fn split(text: &[u8]) -> Lines {
    text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn zipped(lines: &Lines) -> Vec<u8> {
    let mut zstd = zstd::bulk::Compressor::new(3).unwrap();
    zstd.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true)).unwrap();
    lines.chunks(4).flat_map(|some| zstd.compress(&some.concat()).unwrap()).collect()
}
