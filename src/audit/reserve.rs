//! Space on the journal's disk that is kept for when it is full: then the ends of requests that are under way
//! are written there, and that it is full.
//!
//! It is two files with room and nothing in them, one for the segment of another epoch and one for its
//! checkpoints. They are not removed to make room, which whoever fills the disk would take too: they
//! take the names of the files that are needed, which then have their room, and their inodes, already.

mod kept;

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use prometheus::IntGauge;

use self::kept::Kept;
use super::{place::Place, segment};

/// What the names of its files begin with, before a number that no other gateway has in this folder.
const NAME: &str = "reserve-";
/// What the name of the one for checkpoints ends in.
const FOR_CHECKPOINTS: &str = "-checkpoints";
/// Room for checkpoints: two hundred, of which there is one a second at most.
const CHECKPOINTS: u64 = 64 * 1024;

/// The reserve of one gateway.
pub(super) struct Reserve {
    folder: PathBuf,
    size: u64,
    segment: Option<Kept>,
    checkpoints: Option<Kept>,
    /// 1 while it is held.
    shown: IntGauge,
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
    let mut there = segment::of_names(folder, |name| name.strip_prefix(NAME)?.parse::<u32>().ok())?;
    let free = (1..).find(|number| !there.contains(number));
    there.extend(free);
    Ok(there)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _, os::unix::fs::MetadataExt as _};

    use super::{kept::BLOCK, *};

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
