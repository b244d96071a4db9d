//! How a gateway at work on a journal is found: a file in the journal's folder says where its socket
//! is. The socket itself lies elsewhere, because nobody could unmount the journal's disk to mend it
//! while a socket is on it.
//!
//! The file also says its own inode: a copy of the folder leads nowhere.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{MetadataExt as _, OpenOptionsExt as _},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use tracing::warn;

use super::segment::of_names;

/// What the names of signposts end in, behind the number of the gateway's first epoch.
const SUFFIX: &str = ".gateway";

/// A signpost; it goes with its gateway.
#[derive(Debug)]
pub struct Signpost(PathBuf);

impl Signpost {
    /// Puts one up in the folder of a journal, for a gateway that began with that epoch, and takes
    /// down those that lead to nobody.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn put_up(folder: &Path, epoch: u64, socket: &Path) -> io::Result<Self> {
        for (path, socket) in signposts(folder)? {
            if socket.is_none_or(|socket| is_dead(&socket)) {
                fs::remove_file(path)?;
            }
        }
        let path = folder.join(format!("{epoch:08}{SUFFIX}"));
        let mut options = File::options();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&path)?;
        let inode = file.metadata()?.ino();
        let signpost = Self(path);
        let socket = fs::canonicalize(socket)?;
        file.write_all(
            &[inode.to_string().as_bytes(), b"\n", socket.as_os_str().as_bytes()].concat(),
        )?;
        Ok(signpost)
    }
}

impl Drop for Signpost {
    fn drop(&mut self) {
        if let Err(fault) = fs::remove_file(&self.0) {
            warn!(file = %self.0.display(), %fault, "it can't be removed");
        }
    }
}

/// Where the gateways at work on the journal in a folder are called, the newest first; some may be
/// dead.
///
/// # Errors
/// When the folder can't be read.
pub fn sockets(folder: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(signposts(folder)?.into_iter().filter_map(|(_, socket)| socket).collect())
}

/// Removes the sockets in a folder that begin so and at which nobody listens any more.
pub fn sweep(folder: &Path, start: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let is_ours =
            name.to_str().is_some_and(|it| it.starts_with(start) && it.ends_with(".sock"));
        if is_ours
            && is_dead(&path)
            && let Err(fault) = fs::remove_file(&path)
        {
            warn!(socket = %path.display(), %fault, "an old socket can't be removed");
        }
    }
}

fn is_dead(socket: &Path) -> bool {
    let is_nobody = |fault: io::Error| {
        matches!(fault.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
    };
    UnixStream::connect(socket).is_err_and(is_nobody)
}

/// Each signpost in a folder, and where it leads, if it is no copy.
fn signposts(folder: &Path) -> io::Result<Vec<(PathBuf, Option<PathBuf>)>> {
    let found = of_names(folder, |name| {
        let epoch = name.strip_suffix(SUFFIX)?.parse::<u64>().ok()?;
        Some((epoch, folder.join(name)))
    })?;
    let led = |(_, path): (u64, PathBuf)| {
        let socket = leads_to(&path);
        (path, socket)
    };
    // The newest first.
    Ok(found.into_iter().rev().map(led).collect())
}

fn leads_to(path: &Path) -> Option<PathBuf> {
    let inode = fs::symlink_metadata(path).ok()?.ino().to_string();
    let mut text = fs::read(path).ok()?;
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let socket = text.split_off(end + 1);
    text.pop();
    (text == inode.as_bytes()).then(|| PathBuf::from(std::ffi::OsString::from_vec(socket)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_signpost_leads_to_its_gateway_and_a_copy_nowhere() {
        let (journal, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let bind = |name: &str| {
            let path = state.path().join(name);
            (UnixListener::bind(&path).unwrap(), fs::canonicalize(path).unwrap())
        };
        let ((_first, one), (_second, two)) = (bind("1.sock"), bind("2.sock"));
        let older = Signpost::put_up(journal.path(), 3, &one).unwrap();
        let newer = Signpost::put_up(journal.path(), 12, &two).unwrap();
        assert_eq!(sockets(journal.path()).unwrap(), [two, one.clone()]);
        let copy = tempfile::tempdir().unwrap();
        fs::copy(journal.path().join("00000003.gateway"), copy.path().join("00000003.gateway"))
            .unwrap();
        assert!(sockets(copy.path()).unwrap().is_empty());
        drop(newer);
        assert_eq!(sockets(journal.path()).unwrap(), [one]);
        drop(older);
        assert!(fs::read_dir(journal.path()).unwrap().next().is_none());
    }

    #[test]
    fn what_leads_to_nobody_is_taken_down() {
        let (journal, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = state.path().join("admin-1.sock");
        let listener = UnixListener::bind(&path).unwrap();
        std::mem::forget(Signpost::put_up(journal.path(), 1, &path).unwrap());
        fs::write(journal.path().join("00000002.gateway"), "damaged").unwrap();
        sweep(state.path(), "admin-");
        assert!(path.exists(), "somebody listens");
        drop(listener);
        sweep(state.path(), "admin-");
        assert!(!path.exists());
        let _listener = UnixListener::bind(&path).unwrap();
        let (_second, other) =
            (UnixListener::bind(state.path().join("b")).unwrap(), state.path().join("b"));
        fs::remove_file(&path).unwrap();
        let signpost = Signpost::put_up(journal.path(), 4, &other).unwrap();
        assert_eq!(sockets(journal.path()).unwrap(), [fs::canonicalize(other).unwrap()]);
        assert_eq!(fs::read_dir(journal.path()).unwrap().count(), 1);
        drop(signpost);
    }
}
