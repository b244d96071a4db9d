//! A disk that power can be cut from. A loop device stands on a file that this process serves over
//! FUSE, so that it sees what the kernel tells a disk: each write, and each flush. What was written
//! before the last flush is there after a cut; of what was written since, a disk may have kept any
//! part, sector by sector.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyWrite, Request, WriteFlags,
};
use tempfile::TempDir;

use super::{Mount, run};
use crate::harness::DEADLINE;

const SECTOR: usize = 512;
const SIZE: usize = 48 << 20;
const NAME: &str = "disk";

/// What a disk had kept of what was written to it after the last flush.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kept {
    /// All of it was in a cache only.
    Nothing,
    /// It was about to say that all is durable.
    Everything,
    /// Some writes, in no order.
    SomeWrites,
    /// Some sectors of some writes.
    SomeSectors,
}

impl Kept {
    pub(crate) const ALL: [Self; 4] =
        [Self::Nothing, Self::SomeSectors, Self::SomeWrites, Self::Everything];
}

/// What was written to the disk.
struct Sectors {
    /// What is read from it.
    now: Vec<u8>,
    /// As it was at the last flush.
    durable: Vec<u8>,
    /// What was written since, and where.
    since: Vec<(usize, Vec<u8>)>,
    flushes: u64,
}

impl Sectors {
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Option<()> {
        let start = usize::try_from(offset).ok()?;
        self.now.get_mut(start..start.checked_add(bytes.len())?)?.copy_from_slice(bytes);
        self.since.push((start, bytes.to_vec()));
        Some(())
    }

    fn flush(&mut self) {
        self.flushes += 1;
        for (start, bytes) in self.since.drain(..) {
            self.durable[start..start + bytes.len()].copy_from_slice(&bytes);
        }
    }

    /// What is there when power comes back.
    fn after_cut(&self, kept: Kept, mut draw: impl FnMut() -> bool) -> Vec<u8> {
        let mut left = self.durable.clone();
        for (start, bytes) in &self.since {
            let whole = match kept {
                Kept::Nothing => continue,
                Kept::Everything => true,
                Kept::SomeWrites if draw() => true,
                Kept::SomeWrites => continue,
                Kept::SomeSectors => false,
            };
            for (place, sector) in bytes.chunks(SECTOR).enumerate() {
                if whole || draw() {
                    let start = start + place * SECTOR;
                    left[start..start + sector.len()].copy_from_slice(sector);
                }
            }
        }
        left
    }
}

/// A disk with an ext4 file system on it; both end with this handle.
pub(crate) struct Device {
    pub(crate) mount: Mount,
    sectors: Arc<Mutex<Sectors>>,
    _served: BackgroundSession,
    folder: TempDir,
}

impl Device {
    /// A new disk with nothing on it.
    pub(crate) fn new() -> Self {
        let folder = TempDir::with_prefix("gpconnect-device-").unwrap();
        let image = empty();
        let sectors = Sectors { durable: image.clone(), now: image, since: Vec::new(), flushes: 0 };
        let sectors = Arc::new(Mutex::new(sectors));
        let file = File { sectors: Arc::clone(&sectors) };
        let served = fuser::spawn_mount(file, folder.path(), &Config::default()).unwrap();
        let mount = Mount::image(&folder.path().join(NAME), "").unwrap();
        Self { mount, sectors, _served: served, folder }
    }

    /// Cuts its power: what is there then. `draw` decides of what may be there or not.
    pub(crate) fn cut(&self, kept: Kept, draw: impl FnMut() -> bool) -> Vec<u8> {
        self.lock().after_cut(kept, draw)
    }

    /// Unmounts it, and mounts it again with that on it.
    pub(crate) fn restart_with(&self, image: Vec<u8>) {
        self.mount.end();
        {
            let mut sectors = self.lock();
            (sectors.durable, sectors.now) = (image.clone(), image);
            sectors.since.clear();
        }
        self.mount.again().unwrap();
    }

    /// How often it was told to make all durable.
    pub(crate) fn flushes(&self) -> u64 {
        self.lock().flushes
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Sectors> {
        self.sectors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let (mounted, served) = (self.mount.path(), self.folder.path());
        // A test that fails may leave files open.
        run("umount", &["--lazy", mounted.to_str().unwrap()]).ok();
        // The loop device lets go of the file a moment later.
        let begun = Instant::now();
        let mut gone = false;
        while !gone && begun.elapsed() < DEADLINE {
            std::thread::sleep(Duration::from_millis(20));
            gone = run("umount", &[served.to_str().unwrap()]).is_ok();
        }
        assert!(gone || std::thread::panicking(), "{} stays mounted", served.display());
    }
}

/// An image with an empty file system.
fn empty() -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(SIZE as u64).unwrap();
    let now = "lazy_itable_init=0,lazy_journal_init=0";
    run("mkfs.ext4", &["-q", "-F", "-E", now, file.path().to_str().unwrap()]).unwrap();
    std::fs::read(file.path()).unwrap()
}

/// The one file of the served folder.
struct File {
    sectors: Arc<Mutex<Sectors>>,
}

impl File {
    fn lock(&self) -> std::sync::MutexGuard<'_, Sectors> {
        self.sectors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ITS_NUMBER: INodeNo = INodeNo(2);
const FOR_EVER: Duration = Duration::from_secs(3_600);

fn about(number: INodeNo) -> FileAttr {
    let is_file = number == ITS_NUMBER;
    FileAttr {
        ino: number,
        size: if is_file { SIZE as u64 } else { 0 },
        blocks: if is_file { (SIZE / SECTOR) as u64 } else { 0 },
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: if is_file { FileType::RegularFile } else { FileType::Directory },
        perm: if is_file { 0o600 } else { 0o700 },
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4_096,
        flags: 0,
    }
}

impl Filesystem for File {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == NAME {
            reply.entry(&FOR_EVER, &about(ITS_NUMBER), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOR_EVER, &about(number));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // The kernel keeps no copy: each write of the device arrives here, and when it is written.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let sectors = self.lock();
        let start = usize::try_from(offset).unwrap_or(SIZE).min(SIZE);
        let end = (start + size as usize).min(SIZE);
        reply.data(&sectors.now[start..end]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.lock().write(offset, bytes) {
            Some(()) => reply.written(u32::try_from(bytes.len()).unwrap()),
            None => reply.error(Errno::ENOSPC),
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.lock().flush();
        reply.ok();
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // That somebody closed the file makes nothing durable.
        reply.ok();
    }
}

/// The device forgets what was not synced and nothing else.
#[test]
fn a_cut_takes_what_was_not_synced() {
    if !super::can_mount("a_cut_takes_what_was_not_synced") {
        return;
    }
    let device = Device::new();
    let path = |name: &str| device.mount.path().join(name);
    let write = |name: &str, text: &str| {
        let mut file = std::fs::File::options().append(true).create(true).open(path(name)).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        file
    };
    for round in 0..4 {
        let before = device.flushes();
        write("synced", "kept\n").sync_data().unwrap();
        assert!(device.flushes() > before);
        write("synced", "lost\n");
        write("unsynced", "lost\n");
        let image = device.cut(Kept::Nothing, || unreachable!());
        device.restart_with(image);
        assert_eq!(std::fs::read_to_string(path("synced")).unwrap(), "kept\n".repeat(round + 1));
        assert!(!path("unsynced").exists());
    }
}
