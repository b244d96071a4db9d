//! A file with room and nothing in it: how it gets the room, and how it becomes another file.

use std::{
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

/// What the system counts a file's room in.
pub(super) const BLOCK: u64 = 512;

/// Such a file, open.
pub(super) struct Kept {
    path: PathBuf,
    pub(super) file: File,
}

impl Kept {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let file = File::options().append(true).create(true).mode(0o600).open(&path)?;
        Ok(Self { path, file })
    }

    /// Opens it, unless another gateway has it.
    pub(super) fn lock(path: PathBuf) -> io::Result<Option<Self>> {
        let kept = Self::open(path)?;
        match kept.file.try_lock() {
            // Who had it may have made something else of it meanwhile.
            Ok(()) => Ok(kept.is_there().then_some(kept)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(fault)) => Err(fault),
        }
    }

    /// Gives it that much room, or removes it.
    pub(super) fn fill(self, size: u64) -> io::Result<Self> {
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

    pub(super) fn is_there(&self) -> bool {
        let identity = |about: fs::Metadata| (about.dev(), about.ino());
        let is = self.file.metadata().map(identity).ok();
        is.is_some() && is == fs::symlink_metadata(&self.path).map(identity).ok()
    }

    /// Gives it a name that no file has, and leaves nothing in it but room.
    pub(super) fn rename(&self, to: &Path) -> io::Result<()> {
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

    pub(super) fn remove(&self) {
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
}
