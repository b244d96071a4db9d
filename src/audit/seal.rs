//! Compresses segments once they are closed: those that were followed by another, and those whose
//! epoch has ended, also without a word. A thread of its own does it, in small pieces with rests
//! between them, so that no commit waits for it.
//!
//! The compressed file is written aside, made durable, read back, and only then takes its name; the
//! plain one goes last. Whatever that is interrupted at leaves a segment that can be read, and is
//! done again at the next start.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};
use tracing::warn;
use zstd::{bulk::Compressor, zstd_safe::CParameter};

use super::{
    lines, recovery,
    segment::{self, End, Segment},
};
use crate::telemetry::Telemetry;

/// Of zstd's levels the one that it takes by default: higher ones cost several times as much and save
/// a tenth.
const LEVEL: i32 = 3;
/// How much of a segment is compressed together, in whole lines. Damage costs so much.
const FRAME: usize = 1 << 20;
/// How often it is looked for closed segments when nobody tells of any: another gateway may have
/// stopped, or a disk have room again.
const AGAIN: Duration = Duration::from_secs(60);

/// The thread that compresses.
pub(super) struct Sealer {
    wake: Option<SyncSender<()>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sealer {
    pub(super) fn start(folder: PathBuf, telemetry: Arc<Telemetry>) -> io::Result<Self> {
        // One that finds no room is not needed: the thread will look anyway.
        let (wake, woken) = mpsc::sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker { folder, telemetry, stop: Arc::clone(&stop), is_failing: false };
        let thread = thread::Builder::new().name("audit sealing".into());
        let thread = thread.spawn(move || worker.run(&woken))?;
        Ok(Self { wake: Some(wake), stop, thread: Some(thread) })
    }

    /// Tells that a segment was closed.
    pub(super) fn wake(&self) {
        self.wake.iter().for_each(|wake| wake.try_send(()).unwrap_or_default());
    }

    /// Ends the thread; what it was at is done at the next start.
    pub(super) fn finish(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wake = None;
        // A panic of the thread was reported by the panic hook already.
        self.thread.take().map(JoinHandle::join).transpose().unwrap_or_default();
    }
}

struct Worker {
    folder: PathBuf,
    telemetry: Arc<Telemetry>,
    stop: Arc<AtomicBool>,
    /// Whether it failed last time: told once.
    is_failing: bool,
}

impl Worker {
    fn run(mut self, woken: &Receiver<()>) {
        loop {
            let left = &self.telemetry.metrics.audit.uncompressed;
            let sealed = seal(&self.folder, &self.stop, |closed| {
                left.set(closed.try_into().unwrap_or(i64::MAX));
            });
            let was_failing = std::mem::replace(&mut self.is_failing, sealed.is_err());
            if let Err(fault) = sealed
                && !was_failing
            {
                let folder = self.folder.display();
                warn!(%folder, %fault, "audit segments can't be compressed");
            }
            if woken.recv_timeout(AGAIN) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }
}

/// Compresses all closed segments in a folder, until it is to `stop`; `left` is told how many there
/// are still. One that can't be compressed keeps no other from it.
pub(super) fn seal(folder: &Path, stop: &AtomicBool, left: impl Fn(usize)) -> io::Result<()> {
    let Some(_lock) = tidy(folder)? else { return Ok(()) };
    let closed = closed(folder)?;
    let mut sealed = Ok(());
    for (done, segment) in closed.iter().enumerate() {
        left(closed.len() - done);
        match compress(folder, segment, stop) {
            Ok(true) => {}
            Ok(false) => return sealed,
            Err(fault) => {
                let what = format!("{}: {fault}", segment.path.display());
                sealed = Err(io::Error::new(fault.kind(), what));
            }
        }
    }
    left(0);
    sealed
}

/// The plain segments to which nothing is added any more: each that has one behind it, and the last
/// of an epoch when a later epoch has told how that one ended.
fn closed(folder: &Path) -> io::Result<Vec<Segment>> {
    let epochs = segment::list(folder)?;
    let (mut closed, mut last) = (Vec::new(), BTreeMap::new());
    for (epoch, segments) in &epochs {
        let Some((tail, before)) = segments.split_last() else { continue };
        closed.extend(before.iter().filter(|segment| segment.path.exists()).cloned());
        if tail.path.exists() {
            last.insert(*epoch, tail.clone());
        }
    }
    let Some(first) = last.keys().next().copied() else { return Ok(closed) };
    for segments in epochs.range(first + 1..).map(|(_, segments)| segments) {
        let head = segments.first().map(recovery::head_of).transpose()?.flatten();
        let told = head.into_iter().flat_map(|head| head.previous);
        let ended = told.filter(|told| told.ended != End::Running);
        closed.extend(ended.filter_map(|told| last.remove(&told.epoch)));
    }
    closed.sort();
    Ok(closed)
}

/// Takes the lock that says who keeps a folder tidy, unless another gateway has it, and removes what
/// one left half done.
fn tidy(folder: &Path) -> io::Result<Option<File>> {
    let lock = File::open(folder)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(fault)) => return Err(fault),
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_str().is_some_and(|path| path.ends_with(PART)) {
            fs::remove_file(path)?;
        }
    }
    Ok(Some(lock))
}

/// What a compressed segment that is not whole yet ends with.
const PART: &str = ".segment.zst.part";

/// Puts a compressed segment in the place of the plain one; false when it was stopped.
fn compress(folder: &Path, segment: &Segment, stop: &AtomicBool) -> io::Result<bool> {
    let part = segment.compressed().with_added_extension("part");
    let written = write(segment, &part, stop);
    if !matches!(written, Ok(true)) {
        // What is left of it is removed at the next look.
        fs::remove_file(&part).unwrap_or_default();
        return written;
    }
    fs::rename(&part, segment.compressed())?;
    File::open(folder)?.sync_all()?;
    fs::remove_file(&segment.path)?;
    Ok(true)
}

/// Writes a segment compressed, durable, and proved to read as it did.
fn write(segment: &Segment, part: &Path, stop: &AtomicBool) -> io::Result<bool> {
    let mut plain = BufReader::new(File::open(&segment.path)?);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(part)?;
    let mut zstd = Compressor::new(LEVEL)?;
    zstd.set_parameter(CParameter::ChecksumFlag(true))?;
    let (mut frame, mut hash) = (Vec::with_capacity(FRAME + 4_096), Sha256::new());
    loop {
        let begun = Instant::now();
        frame.clear();
        while frame.len() < FRAME && plain.read_until(b'\n', &mut frame)? > 0 {}
        hash.update(&frame);
        file.write_all(&zstd.compress(&frame)?)?;
        if frame.len() < FRAME {
            break;
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        thread::sleep(begun.elapsed());
    }
    file.sync_all()?;
    if read_back(part)? != hash.finalize() {
        let what = format!("{} reads differently when it is compressed", segment.path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(true)
}

fn read_back(path: &Path) -> io::Result<sha2::digest::Output<Sha256>> {
    let (mut text, mut hash) = (lines::unzip(path)?, Sha256::new());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = text.read(&mut buffer)?;
        if read == 0 {
            return Ok(hash.finalize());
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
}
