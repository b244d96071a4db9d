//! The epoch that is being written: its files, its tree, and the key of its segment.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::PathBuf,
    time::Instant,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use nix::sys::statvfs::{FsFlags, fstatvfs};
use openssl::{cipher::Cipher, cipher_ctx::CipherCtx, rand::rand_bytes};
use zeroize::Zeroizing;

use super::{
    age::{self, Recipient},
    place::Place,
    record::{Body, begun},
    reserve::Reserve,
    segment::{self, Head, Line, Previous},
    tree::{self, Edge},
};

/// The key that the sealed parts of a segment's records are encrypted with.
pub(super) type DataKey = Zeroizing<[u8; 32]>;

/// How long the tag of what is sealed is.
const TAG: usize = 16;

/// The nonce for a record. No two records of a segment share one, and each segment has a key of its
/// own, which is never used again after a fault.
pub(super) fn nonce(seq: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce.iter_mut().skip(4).zip(seq.to_be_bytes()).for_each(|(place, byte)| *place = byte);
    nonce
}

/// What an epoch starts from.
pub(super) struct Start<'s> {
    pub(super) folder: PathBuf,
    pub(super) number: u64,
    pub(super) recipients: &'s [Recipient],
    pub(super) previous: Vec<Previous>,
    pub(super) open: Vec<Place>,
    /// All before this was removed.
    pub(super) removed: Option<Place>,
    /// What it is to be written to when there is no room for more files.
    pub(super) reserve: Option<&'s mut Reserve>,
}

/// An epoch that records are added to.
pub(super) struct Epoch {
    folder: PathBuf,
    number: u64,
    /// The segment that is written, locked: it tells others that this epoch is being written.
    file: File,
    /// Its name, and what the system knows it by.
    name: String,
    identity: (u64, u64),
    tree: Edge,
    /// The trace of the last record.
    last: String,
    sealer: Sealer,
    segment_bytes: usize,
    segment_since: Instant,
}

/// AES-256-GCM with the key of a segment, which is set up once: that costs more than a record does.
struct Sealer {
    context: CipherCtx,
    /// What was sealed last: its room is used again.
    sealed: Vec<u8>,
}

impl Sealer {
    fn new(key: &DataKey) -> io::Result<Self> {
        let mut context = CipherCtx::new()?;
        context.encrypt_init(Some(Cipher::aes_256_gcm()), Some(&**key), None)?;
        Ok(Self { context, sealed: Vec::new() })
    }

    /// Encrypts a part of the record at `place`. The place is authenticated with it, so that no two
    /// can be exchanged.
    fn seal(&mut self, place: Place, part: &[u8]) -> io::Result<&[u8]> {
        let Self { context, sealed } = self;
        context.encrypt_init(None, None, Some(&nonce(place.seq)))?;
        context.cipher_update(place.to_string().as_bytes(), None)?;
        // The tag follows what is encrypted, which is as long as it was; nothing is left for the end.
        sealed.clear();
        sealed.resize(part.len() + TAG, 0);
        let (text, tag) = sealed.split_at_mut(part.len());
        context.cipher_update(part, Some(text))?;
        context.cipher_final(&mut [])?;
        context.tag(tag)?;
        Ok(sealed)
    }
}

impl Epoch {
    /// Begins an epoch in a file of its own, durable with its first record.
    pub(super) fn begin(start: Start<'_>) -> io::Result<Self> {
        let place = Place { epoch: start.number, seq: 0 };
        let path = start.folder.join(segment::name(place));
        let begun = Self::begin_at(start, place);
        if let Err(fault) = &begun
            && fault.kind() != io::ErrorKind::AlreadyExists
        {
            // Nothing was promised of it; one that can't be removed is told of in the next head.
            fs::remove_file(path).unwrap_or_default();
        }
        begun
    }

    fn begin_at(start: Start<'_>, place: Place) -> io::Result<Self> {
        let file = match start.reserve {
            Some(reserve) => reserve.become_segment(place.epoch)?,
            None => create(&start.folder, place)?,
        };
        let mut epoch = Self {
            folder: start.folder,
            number: start.number,
            name: segment::name(place),
            identity: identity(&file.metadata()?),
            file,
            tree: Edge::default(),
            last: segment::no_trace(),
            sealer: Sealer::new(&DataKey::default())?,
            segment_bytes: 0,
            segment_since: Instant::now(),
        };
        let program = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
        let head = Head {
            previous: start.previous,
            removed: start.removed.map(|place| place.to_string()),
            program: program.into(),
            ..Head::default()
        };
        epoch.write_head("epoch", head, start.recipients, &start.open)?;
        Ok(epoch)
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) const fn tree(&self) -> &Edge {
        &self.tree
    }

    pub(super) const fn segment_bytes(&self) -> usize {
        self.segment_bytes
    }

    pub(super) const fn segment_since(&self) -> Instant {
        self.segment_since
    }

    /// Follows the segment with a new one.
    pub(super) fn rotate(
        &mut self,
        recipients: &[Recipient],
        open: &[Place],
        removed: Option<Place>,
    ) -> io::Result<()> {
        let place = Place { epoch: self.number, seq: self.tree.size() };
        self.file = create(&self.folder, place)?;
        (self.name, self.identity) = (segment::name(place), identity(&self.file.metadata()?));
        (self.segment_bytes, self.segment_since) = (0, Instant::now());
        let removed = removed.map(|place| place.to_string());
        self.write_head("segment", Head { removed, ..Head::default() }, recipients, open)
    }

    /// The first record of a segment, with a new key.
    fn write_head(
        &mut self,
        kind: &'static str,
        head: Head,
        recipients: &[Recipient],
        open: &[Place],
    ) -> io::Result<()> {
        let mut key = DataKey::default();
        rand_bytes(&mut *key)?;
        self.sealer = Sealer::new(&key)?;
        let head = Head {
            key: STANDARD.encode(age::seal(&*key, recipients)?),
            edge: self.tree.roots().iter().map(|root| STANDARD.encode(root)).collect(),
            open: open.iter().map(Place::to_string).collect(),
            ..head
        };
        let mut clear = begun(std::time::SystemTime::now());
        clear.json("head", &head);
        let body = Body { clear: clear.into_members(), sealed: Vec::new() };
        let mut line = Vec::new();
        self.encode(kind, None, &body, &mut line)?;
        self.write(&line)?;
        // The file's name is to be as durable as what stands in it.
        File::open(&self.folder)?.sync_all()
    }

    /// Adds a record to the tree and its line to `out`.
    pub(super) fn encode(
        &mut self,
        kind: &'static str,
        intent: Option<Place>,
        body: &Body,
        out: &mut Vec<u8>,
    ) -> io::Result<Place> {
        let place = Place { epoch: self.number, seq: self.tree.size() };
        let start = out.len();
        segment::begin(&Line { place, before: &self.last, kind, intent }, out);
        out.push(b',');
        out.extend_from_slice(&body.clear);
        if !body.sealed.is_empty() {
            let sealed = self.sealer.seal(place, &body.sealed)?;
            out.extend_from_slice(b",\"sealed\":\"");
            base64_simd::STANDARD.encode_append(sealed, out);
            out.push(b'"');
        }
        out.push(b'}');
        let leaf = tree::leaf(out.get(start..).unwrap_or_default());
        out.push(b'\n');
        self.tree.push(leaf);
        self.last = segment::trace(&leaf);
        Ok(place)
    }

    /// Looks whether the segment that is written is where it was made.
    ///
    /// # Errors
    /// What is there in its place, or what the system said.
    pub(super) fn look(&self) -> io::Result<()> {
        let what = match fs::symlink_metadata(self.folder.join(&self.name)) {
            Ok(about) if identity(&about) == self.identity => return Ok(()),
            Ok(_) => "another file is in its place".to_owned(),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                "it was removed, or moved with its folder".to_owned()
            }
            Err(fault) => fault.to_string(),
        };
        Err(io::Error::other(format!("{}: {what}", self.name)))
    }

    /// Gives back the room that its file has and does not need.
    pub(super) fn trim(&self) -> io::Result<()> {
        self.file.set_len(self.file.metadata()?.len())
    }

    /// Writes lines and waits until they are durable. A file system that gives up and becomes read-only
    /// meanwhile may report success for what it dropped: that is not believed.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.write_all(lines)?;
        self.file.sync_data()?;
        if fstatvfs(&self.file)?.flags().contains(FsFlags::ST_RDONLY) {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        self.segment_bytes += lines.len();
        Ok(())
    }
}

fn identity(about: &fs::Metadata) -> (u64, u64) {
    (about.dev(), about.ino())
}

fn create(folder: &std::path::Path, first: Place) -> io::Result<File> {
    let path = folder.join(segment::name(first));
    let file = File::options().append(true).create_new(true).mode(0o600).open(path)?;
    // Who looks whether it is locked has it for a moment.
    file.lock()?;
    Ok(file)
}
