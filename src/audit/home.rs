//! Whether the journal's folder is where it was. Without its disk an empty folder is in its place, and
//! a journal that went on there would not be seen by whoever looks for it.

use std::{fs, io, os::unix::fs::MetadataExt as _, path::PathBuf, time::SystemTime};

use super::segment;

/// What the folder is known by.
pub(super) struct Home {
    folder: PathBuf,
    identity: Option<Identity>,
}

/// Device, inode, and when it was made: inodes are used again.
type Identity = (u64, u64, Option<SystemTime>);

impl Home {
    pub(super) fn new(folder: PathBuf) -> Self {
        let identity = identity(&folder).ok();
        Self { folder, identity }
    }

    /// Whether the folder is the same, or holds segments of the journal, up to that epoch: a disk that
    /// was mounted again may be known by another number.
    ///
    /// # Errors
    /// When it can't be read; `NotFound` when it is not there.
    pub(super) fn is_there(&self, last: u64) -> io::Result<bool> {
        let is_same = Some(identity(&self.folder)?) == self.identity;
        Ok(is_same || segment::list(&self.folder)?.range(..=last).next().is_some())
    }

    /// Takes the folder that is there for the journal's.
    pub(super) fn settle(&mut self) {
        self.identity = identity(&self.folder).ok();
    }
}

fn identity(folder: &PathBuf) -> io::Result<Identity> {
    let about = fs::metadata(folder)?;
    Ok((about.dev(), about.ino(), about.created().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::place::Place;

    #[test]
    fn an_empty_folder_in_its_place_is_another() {
        let above = tempfile::tempdir().unwrap();
        let (folder, away) = (above.path().join("audit"), above.path().join("away"));
        fs::create_dir(&folder).unwrap();
        let mut home = Home::new(folder.clone());
        assert!(home.is_there(1).unwrap(), "nothing was written yet");
        fs::rename(&folder, &away).unwrap();
        assert_eq!(home.is_there(1).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::create_dir(&folder).unwrap();
        assert!(!home.is_there(1).unwrap());
        // Such as a copy that was put back.
        fs::write(folder.join(segment::name(Place { epoch: 3, seq: 0 })), "").unwrap();
        assert!(!home.is_there(2).unwrap(), "of another journal, or of later than now");
        assert!(home.is_there(3).unwrap());
        home.settle();
        fs::remove_dir_all(&folder).unwrap();
        fs::rename(&away, &folder).unwrap();
        assert!(!home.is_there(1).unwrap(), "the other was taken for it");
    }
}
