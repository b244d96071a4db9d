//! Space on the journal's disk that is kept for when it is full: then the ends of requests that are under way
//! are written there, and that it is full.
//!
//! It is two files with room and nothing in them, one for the segment of another epoch and one for its
//! checkpoints. They are not removed to make room, which whoever fills the disk would take too: they
//! take the names of the files that are needed, which then have their room, and their inodes, already.

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, FallocateFlags, RenameFlags, fallocate, renameat2},
    sys::statvfs::statvfs,
};
use prometheus::IntGauge;

use super::{place::Place, segment};

/// What the names of its files begin with, before a number that no other gateway has in this folder.
const NAME: &str = "reserve-";
/// What the name of the one for checkpoints ends in.
const FOR_CHECKPOINTS: &str = "-checkpoints";
/// Room for checkpoints: two hundred, of which there is one a second at most.
const CHECKPOINTS: u64 = 64 * 1024;
/// What the system counts a file's room in.
const BLOCK: u64 = 512;

/// The reserve of one gateway.
pub(super) struct Reserve {
    folder: PathBuf,
    size: u64,
    segment: Option<Kept>,
    checkpoints: Option<Kept>,
    /// 1 while it is held.
    shown: IntGauge,
}

/// A file with room and nothing in it.
struct Kept {
    path: PathBuf,
    file: File,
}

/// Whether a fault says that there is no room: no bytes, no inodes, or no more for this user.
pub(super) fn is_full(fault: &io::Error) -> bool {
    matches!(fault.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether a file of a journal's folder belongs to a reserve.
pub(super) fn is_of_reserve(file_name: &str) -> bool {
    file_name.starts_with(NAME)
}

impl Reserve {
    /// One of so many bytes, which is not held yet.
    pub(super) fn new(folder: PathBuf, size: u64, shown: IntGauge) -> Self {
        shown.set(0);
        Self { folder, size, segment: None, checkpoints: None, shown }
    }

    pub(super) const fn is_held(&self) -> bool {
        self.segment.is_some()
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Takes what another gateway has left behind, or makes it.
    ///
    /// # Errors
    /// What the system said; [`is_full`] when there is less room than it needs.
    pub(super) fn hold(&mut self) -> io::Result<()> {
        if self.is_held() {
            return Ok(());
        }
        for number in numbers(&self.folder)? {
            let name = format!("{NAME}{number}");
            let Some(segment) = Kept::lock(self.folder.join(&name))? else { continue };
            let segment = segment.fill(self.size)?;
            let path = self.folder.join(name + FOR_CHECKPOINTS);
            let checkpoints = Kept::open(path).and_then(|kept| kept.fill(CHECKPOINTS));
            self.checkpoints = Some(checkpoints.inspect_err(|_| segment.remove())?);
            self.segment = Some(segment);
            self.shown.set(1);
            break;
        }
        Ok(())
    }

    /// Looks whether its files are where they were made; it is held no longer when they are not.
    pub(super) fn look(&mut self) {
        let kept = [&self.segment, &self.checkpoints];
        if self.is_held() && !kept.into_iter().flatten().all(Kept::is_there) {
            self.let_go();
        }
    }

    /// Closes its files, which stay: nobody could unmount the disk to mend it while they are open.
    pub(super) fn let_go(&mut self) {
        (self.segment, self.checkpoints) = (None, None);
        self.shown.set(0);
    }

    /// Gives it up.
    pub(super) fn remove(&mut self) {
        [&self.segment, &self.checkpoints].into_iter().flatten().for_each(Kept::remove);
        self.let_go();
    }

    /// Makes it the first segment of an epoch, locked.
    ///
    /// # Errors
    /// What the system said; it is held still when that segment is there already.
    pub(super) fn become_segment(&mut self, epoch: u64) -> io::Result<File> {
        let Some(kept) = &self.segment else { return Err(io::ErrorKind::StorageFull.into()) };
        kept.rename(&self.folder.join(segment::name(Place { epoch, seq: 0 })))?;
        self.shown.set(0);
        let file = self.segment.take().map(|kept| kept.file);
        file.ok_or_else(|| io::ErrorKind::StorageFull.into())
    }

    /// Makes what is left of it the file for the checkpoints of an epoch that has begun.
    pub(super) fn become_checkpoints(&mut self, epoch: u64) {
        if let Some(kept) = self.checkpoints.take()
            && kept.rename(&self.folder.join(segment::checkpoints_name(epoch))).is_err()
        {
            // They wait for room then.
            kept.remove();
        }
    }
}

/// The numbers to try, in this order: those that are there, and the first that is not.
fn numbers(folder: &Path) -> io::Result<BTreeSet<u32>> {
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(NAME)?.parse::<u32>().ok());
        there.extend(number);
    }
    let free = (1..).find(|number| !there.contains(number));
    there.extend(free);
    Ok(there)
}

impl Kept {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = File::options().append(true).create(true).mode(0o600).open(&path)?;
        Ok(Self { path, file })
    }

    /// Opens it, unless another gateway has it.
    fn lock(path: PathBuf) -> io::Result<Option<Self>> {
        let kept = Self::open(path)?;
        match kept.file.try_lock() {
            // Who had it may have made something else of it meanwhile.
            Ok(()) => Ok(kept.is_there().then_some(kept)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(fault)) => Err(fault),
        }
    }

    /// Gives it that much room, or removes it.
    fn fill(self, size: u64) -> io::Result<Self> {
        match self.allocate(size) {
            Ok(()) => Ok(self),
            Err(fault) => {
                self.remove();
                Err(fault)
            }
        }
    }

    fn allocate(&self, size: u64) -> io::Result<()> {
        let about = self.file.metadata()?;
        let has = about.blocks().saturating_mul(BLOCK);
        let too_much = size.saturating_mul(2);
        if about.len() > too_much || has > too_much {
            // It was made when more was to be held.
            self.file.set_len(0)?;
        } else if has >= size {
            return Ok(());
        }
        // A try on a full disk would take what is left of it for a moment.
        let free = free(&self.path)?.saturating_add(has);
        if free < size {
            let what = format!("{size} bytes are needed for the reserve, {free} are free");
            return Err(io::Error::new(io::ErrorKind::StorageFull, what));
        }
        let length = i64::try_from(size).map_err(io::Error::other)?;
        match fallocate(&self.file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, length) {
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => self.write_zeros(size),
            done => Ok(done?),
        }
    }

    /// For file systems that give a file no room beforehand: what stands there is cut off when it is
    /// needed.
    fn write_zeros(&self, size: u64) -> io::Result<()> {
        let zeros = [0; 64 * 1024];
        let mut left = size.saturating_sub(self.file.metadata()?.len());
        while left > 0 {
            let part = zeros.get(..usize::try_from(left).unwrap_or(zeros.len())).unwrap_or(&zeros);
            (&self.file).write_all(part)?;
            left -= part.len() as u64;
        }
        Ok(())
    }

    fn is_there(&self) -> bool {
        let identity = |about: fs::Metadata| (about.dev(), about.ino());
        let is = self.file.metadata().map(identity).ok();
        is.is_some() && is == fs::symlink_metadata(&self.path).map(identity).ok()
    }

    /// Gives it a name that no file has, and leaves nothing in it but room.
    fn rename(&self, to: &Path) -> io::Result<()> {
        let flags = RenameFlags::RENAME_NOREPLACE;
        if let Err(fault) = renameat2(AT_FDCWD, &self.path, AT_FDCWD, to, flags) {
            // A file system that can't promise it.
            if !matches!(fault, Errno::EINVAL | Errno::ENOSYS) {
                return Err(fault.into());
            }
            fs::hard_link(&self.path, to)?;
            self.remove();
        }
        if self.file.metadata()?.len() > 0 { self.file.set_len(0) } else { Ok(()) }
    }

    fn remove(&self) {
        // One that stays is found, and taken, at the next start.
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

/// How many bytes are free on the disk of a file.
fn free(path: &Path) -> io::Result<u64> {
    let disk = statvfs(path)?;
    Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 1 << 20;

    fn reserve(folder: &Path) -> Reserve {
        Reserve::new(folder.to_owned(), SIZE, IntGauge::new("held", "held").unwrap())
    }

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn names_are(folder: &Path, expected: &[&str]) {
        let expected = expected.iter().map(|name| (*name).to_owned());
        assert_eq!(names(folder), expected.collect());
    }

    fn room(path: &Path) -> u64 {
        fs::metadata(path).unwrap().blocks() * BLOCK
    }

    #[test]
    fn each_gateway_has_one_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, mut two) = (reserve(folder.path()), reserve(folder.path()));
        for reserve in [&mut one, &mut two] {
            reserve.hold().unwrap();
            reserve.hold().unwrap();
            assert!(reserve.is_held() && reserve.shown.get() == 1);
        }
        let all = ["reserve-1", "reserve-1-checkpoints", "reserve-2", "reserve-2-checkpoints"];
        names_are(folder.path(), &all);
        for name in all {
            assert_eq!(fs::metadata(folder.path().join(name)).unwrap().len(), 0, "{name}");
        }
        assert!(room(&folder.path().join("reserve-2")) >= SIZE);
        assert!(segment::list(folder.path()).unwrap().is_empty(), "they are no segments");
        assert!(segment::checkpoint_files(folder.path()).unwrap().is_empty());
        one.remove();
        names_are(folder.path(), &all[2..]);
        assert!(!one.is_held() && one.shown.get() == 0);
        two.look();
        assert!(two.is_held());
    }

    #[test]
    fn what_a_gateway_left_behind_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let mut dead = reserve(folder.path());
        dead.hold().unwrap();
        let inode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().ino();
        let before = inode("reserve-1");
        dead.let_go();
        let mut next = reserve(folder.path());
        next.hold().unwrap();
        assert_eq!(inode("reserve-1"), before);
        assert_eq!(names(folder.path()).len(), 2);
        next.let_go();
        let path = folder.path().join("reserve-1");
        // Now one of less is wanted, and one of more.
        for size in [SIZE / 8, SIZE * 2] {
            let mut other = Reserve { size, ..reserve(folder.path()) };
            other.hold().unwrap();
            let has = room(&path);
            assert!((size..size + SIZE / 8).contains(&has), "{size}: {has}");
        }
    }

    #[test]
    fn it_becomes_the_files_of_an_epoch() {
        let folder = tempfile::tempdir().unwrap();
        let mut reserve = reserve(folder.path());
        assert!(is_full(&reserve.become_segment(1).unwrap_err()), "it is not held");
        reserve.hold().unwrap();
        let segment = ["00000007-000000000000.segment", "00000008-000000000000.segment"];
        fs::write(folder.path().join(segment[0]), "of another gateway").unwrap();
        let taken = reserve.become_segment(7).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert!(reserve.is_held());
        let mut file = reserve.become_segment(8).unwrap();
        reserve.become_checkpoints(8);
        names_are(folder.path(), &["00000008.checkpoints", segment[0], segment[1]]);
        file.write_all(b"a line\n").unwrap();
        let path = folder.path().join(segment[1]);
        assert_eq!(fs::read(&path).unwrap(), b"a line\n");
        assert!(room(&path) >= SIZE && room(&folder.path().join("00000008.checkpoints")) > 0);
        assert!(!reserve.is_held() && reserve.shown.get() == 0);
        assert!(File::open(&path).unwrap().try_lock_shared().is_err(), "it is locked");
        reserve.hold().unwrap();
        assert!(reserve.is_held());
    }

    /// Where a file can't be given room beforehand, zeros keep it; they are gone when it is needed.
    #[test]
    fn zeros_keep_room_where_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reserve-1");
        let kept = Kept::open(path.clone()).unwrap();
        kept.write_zeros(100_000).unwrap();
        kept.write_zeros(100_000).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 100_000);
        let to = folder.path().join("00000001.checkpoints");
        kept.rename(&to).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().len(), 0);
    }

    #[test]
    fn more_than_there_is_can_t_be_had() {
        let folder = tempfile::tempdir().unwrap();
        let mut reserve = Reserve { size: 1 << 60, ..reserve(folder.path()) };
        let fault = reserve.hold().unwrap_err();
        assert!(is_full(&fault) && fault.to_string().contains("bytes are needed"), "{fault}");
        assert!(!reserve.is_held() && names(folder.path()).is_empty(), "nothing is left of it");
    }

    #[test]
    fn one_that_is_gone_is_not_held() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["reserve-1", "reserve-1-checkpoints"] {
            let mut reserve = reserve(folder.path());
            reserve.hold().unwrap();
            fs::remove_file(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name), "").unwrap();
            reserve.look();
            assert!(!reserve.is_held(), "{name}");
            reserve.hold().unwrap();
            assert!(reserve.is_held(), "{name}");
        }
    }
}
