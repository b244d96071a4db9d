//! Keeps the journal's folder tidy. Compresses segments once they are closed: those that were followed by another, and those whose
//! epoch has ended, also without a word. A thread of its own does it, in small pieces with rests
//! between them, so that no commit waits for it.
//!
//! The compressed file is written aside, made durable, read back, and only then takes its name; the
//! plain one goes last. Whatever that is interrupted at leaves a segment that can be read, and is
//! done again at the next start.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, BufRead as _, BufReader, Write as _},
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

use jiff::Timestamp;
use tracing::{info, warn};
use zstd::{bulk::Compressor, zstd_safe::CParameter};

use super::{
    lines,
    place::Place,
    recovery,
    retention::{self, Boundary, Rule},
    segment::{self, End, Segment},
};
use crate::telemetry::Telemetry;

/// Of zstd's levels the lowest. Half of a record is encrypted and has nothing to find: the levels above
/// cost two to eight times as much and save nothing.
const LEVEL: i32 = 1;
/// How much of a segment is compressed together, in whole lines. Damage costs so much.
const FRAME: usize = 1 << 20;
/// How much of it is compared at once.
const COMPARED: usize = 64 * 1024;
/// How often it is looked for closed segments when nobody tells of any: another gateway may have
/// stopped, or a disk have room again.
const AGAIN: Duration = Duration::from_secs(60);

/// The thread that compresses and removes.
pub(super) struct Sealer {
    jobs: Option<SyncSender<Job>>,
    plans: Receiver<Vec<Boundary>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What is to be done.
enum Job {
    /// A segment was closed.
    Closed,
    /// It is on record that all before this is removed.
    Remove(Place),
}

impl Sealer {
    /// Starts it; all before `removed` is known to be removed, or was to be.
    pub(super) fn start(
        folder: PathBuf,
        rule: Rule,
        removed: Option<Place>,
        telemetry: Arc<Telemetry>,
    ) -> io::Result<Self> {
        let (jobs, to_do) = mpsc::sync_channel(2);
        let (planned, plans) = mpsc::sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            folder,
            rule,
            removed,
            is_removing: removed.is_some(),
            planned,
            last_plan: None,
            telemetry,
            stop: Arc::clone(&stop),
            told: [false; 2],
        };
        let thread = thread::Builder::new().name("audit sealing".into());
        let thread = thread.spawn(move || worker.run(&to_do))?;
        Ok(Self { jobs: Some(jobs), plans, stop, thread: Some(thread) })
    }

    fn send(&self, job: Job) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok())
    }

    /// Tells that a segment was closed. When that finds no room, the thread will look anyway.
    pub(super) fn wake(&self) {
        self.send(Job::Closed);
    }

    /// What may be removed and holds no intent from `oldest` on.
    pub(super) fn plan(&self, oldest: Option<Place>) -> Option<Boundary> {
        let points = self.plans.try_recv().ok()?;
        points.into_iter().rfind(|point| oldest.is_none_or(|oldest| point.before <= oldest))
    }

    /// Removes all before a point, of which there is a record. False when that has to wait.
    pub(super) fn remove(&self, before: Place) -> bool {
        self.send(Job::Remove(before))
    }

    /// Ends the thread; what it was at is done at the next start.
    pub(super) fn finish(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        // A panic of the thread was reported by the panic hook already.
        self.thread.take().map(JoinHandle::join).transpose().unwrap_or_default();
    }
}

struct Worker {
    folder: PathBuf,
    rule: Rule,
    removed: Option<Place>,
    /// Whether files may be left of what was removed.
    is_removing: bool,
    planned: SyncSender<Vec<Boundary>>,
    last_plan: Option<Instant>,
    telemetry: Arc<Telemetry>,
    stop: Arc<AtomicBool>,
    /// Whether it was told that compressing, or removing, can't be done.
    told: [bool; 2],
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let left = &self.telemetry.metrics.audit.uncompressed;
            let sealed = seal(&self.folder, &self.stop, |closed| {
                left.set(closed.try_into().unwrap_or(i64::MAX));
            });
            self.tell(0, "audit segments can't be compressed", sealed);
            let removed = self.remove().and_then(|()| self.plan());
            self.tell(1, "audit segments that are not to be kept can't be removed", removed);
            match jobs.recv_timeout(AGAIN) {
                Ok(Job::Closed) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Job::Remove(before)) => {
                    self.removed = Some(before);
                    self.is_removing = true;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn tell(&mut self, place: usize, what: &str, done: io::Result<()>) {
        let before = self.told.get_mut(place).map(|told| std::mem::replace(told, done.is_err()));
        if let Err(fault) = done
            && before == Some(false)
        {
            let folder = self.folder.display();
            warn!(%folder, %fault, "{what}");
        }
    }

    fn remove(&mut self) -> io::Result<()> {
        let Some(before) = self.removed.filter(|_| self.is_removing) else { return Ok(()) };
        let Some(_lock) = tidy(&self.folder)? else { return Ok(()) };
        let segments = retention::remove(&self.folder, before)?;
        self.is_removing = false;
        self.telemetry.metrics.audit.removed.inc_by(segments);
        if segments > 0 {
            info!(folder = %self.folder.display(), %before, segments, "audit segments removed");
        }
        Ok(())
    }

    fn plan(&mut self) -> io::Result<()> {
        let is_due = self.last_plan.is_none_or(|last| last.elapsed() >= AGAIN);
        if !is_due || !self.rule.removes() || self.is_removing {
            return Ok(());
        }
        self.last_plan = Some(Instant::now());
        let from = self.removed.unwrap_or(Place { epoch: 1, seq: 0 });
        let plan = retention::plan(&self.folder, self.rule, from, Timestamp::now())?;
        if !plan.points.is_empty() {
            // When one waits still, this comes again.
            self.planned.try_send(plan.points).unwrap_or_default();
        }
        plan.stuck.map_or(Ok(()), |segment| {
            let path = segment.path.display();
            let what = format!("{path}: it, or what was before it, is not whole: audit verify");
            Err(io::Error::new(io::ErrorKind::InvalidData, what))
        })
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

/// What a file that is not whole yet ends with.
const PART: &str = ".part";

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
    let mut frame = Vec::with_capacity(FRAME + 4_096);
    loop {
        let begun = Instant::now();
        frame.clear();
        while frame.len() < FRAME && plain.read_until(b'\n', &mut frame)? > 0 {}
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
    if !reads_as(part, &segment.path)? {
        let what = format!("{} reads differently when it is compressed", segment.path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(true)
}

/// Whether a compressed file holds the bytes of a plain one.
fn reads_as(zipped: &Path, plain: &Path) -> io::Result<bool> {
    let mut one = BufReader::with_capacity(COMPARED, lines::unzip(zipped)?);
    let mut other = BufReader::with_capacity(COMPARED, File::open(plain)?);
    loop {
        let (here, there) = (one.fill_buf()?, other.fill_buf()?);
        let both = here.len().min(there.len());
        if both == 0 || here.get(..both) != there.get(..both) {
            return Ok(here.is_empty() && there.is_empty());
        }
        one.consume(both);
        other.consume(both);
    }
}
