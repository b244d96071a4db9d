//! A Unix socket for a terminator of TLS on the same machine. The engine's own listener would leave
//! it open to everybody for a moment, replace one that is in use, and not ask who connects.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixStream as Probe,
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use pingora::{
    apps::ServerApp,
    protocols::{Stream, l4},
    server::ShutdownWatch,
};
use socket2::{Domain, SockAddr, Type};
use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};
use tracing::{error, warn};

use super::front::Front;
use crate::config::UnixSocket;

/// How many may wait to be accepted.
const BACKLOG: i32 = 1_024;
/// How long accepting rests when the system has nothing to give.
const REST: Duration = Duration::from_millis(100);

/// Why a socket could not be made.
#[derive(Debug, Error)]
pub enum NoSocket {
    /// Something else is there.
    #[error("there is something else at the path; remove it, or name another path")]
    Occupied,
    /// Another process answers there.
    #[error("another program is listening there")]
    InUse,
    /// The system refuses.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A socket that takes connections.
#[derive(Debug)]
pub struct LocalSocket {
    listener: std::os::unix::net::UnixListener,
    /// Who may use it.
    uids: Vec<u32>,
}

/// The file of a socket; it goes with this.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl LocalSocket {
    /// Makes the socket, in place of one that a process left behind.
    ///
    /// # Errors
    /// [`NoSocket`], with what was there left alone.
    pub fn bind(settings: &UnixSocket) -> Result<(Self, SocketFile), NoSocket> {
        let path = settings.path.as_path();
        remove_stale(path)?;
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        let made = fs::symlink_metadata(path)?;
        let file = SocketFile { path: path.to_owned(), device: made.dev(), inode: made.ino() };
        let own = made.uid();
        let uids = if settings.uids.is_empty() { vec![own] } else { settings.uids.clone() };
        // Nobody can connect before it listens. The mode keeps others out as long as none of them is
        // to use it; root is not kept out by modes.
        let others = uids.iter().any(|uid| *uid != own && *uid != 0);
        fs::set_permissions(path, fs::Permissions::from_mode(if others { 0o666 } else { 0o600 }))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok((Self { listener: socket.into(), uids }, file))
    }

    /// What accepts, and who may connect: for those who serve it themselves.
    pub fn into_parts(self) -> (std::os::unix::net::UnixListener, Vec<u32>) {
        (self.listener, self.uids)
    }

    /// Hands each connection of a user who may use it to the front, until it is told to stop.
    pub(super) async fn serve(self, front: Front, mut shutdown: ShutdownWatch) {
        let listener = match UnixListener::from_std(self.listener) {
            Ok(listener) => listener,
            Err(fault) => {
                let listener = &*front.gateway.name;
                return error!(listener, %fault, "the socket can't be served");
            }
        };
        let front = Arc::new(front);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = shutdown.wait_for(|stopping| *stopping) => return,
            };
            match accepted {
                Ok((stream, _)) if is_one_of(&stream, &self.uids) => {
                    let (front, shutdown) = (Arc::clone(&front), shutdown.clone());
                    tokio::spawn(serve(front, stream, shutdown));
                }
                Ok((stream, _)) => front.turn_away(&stream),
                Err(fault) => {
                    warn!(listener = &*front.gateway.name, %fault, "can't accept");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }
}

async fn serve(front: Arc<Front>, stream: UnixStream, shutdown: ShutdownWatch) {
    let mut stream: Stream = Box::new(l4::stream::Stream::from(stream));
    while let Some(kept) = front.process_new(stream, &shutdown).await {
        stream = kept;
    }
}

fn is_one_of(stream: &UnixStream, uids: &[u32]) -> bool {
    stream.peer_cred().is_ok_and(|peer| uids.contains(&peer.uid()))
}

/// Removes a socket on which nobody listens any more.
fn remove_stale(path: &Path) -> Result<(), NoSocket> {
    match fs::symlink_metadata(path) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(fault) => return Err(fault.into()),
        Ok(there) if !there.file_type().is_socket() => return Err(NoSocket::Occupied),
        Ok(_) => {}
    }
    match Probe::connect(path) {
        Ok(_) => Err(NoSocket::InUse),
        Err(fault) if fault.kind() == io::ErrorKind::ConnectionRefused => {
            Ok(fs::remove_file(path)?)
        }
        Err(fault) => Err(fault.into()),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another process may have put its own there since.
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|there| (there.dev(), there.ino()) == (self.device, self.inode));
        if ours && let Err(fault) = fs::remove_file(&self.path) {
            warn!(socket = %self.path.display(), %fault, "the socket can't be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn settings(path: &Path, uids: &[u32]) -> UnixSocket {
        UnixSocket { path: path.to_owned(), uids: uids.to_vec() }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn only_its_user_can_reach_it_and_it_goes_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let (_socket, file) = LocalSocket::bind(&settings(&path, &[])).unwrap();
        assert_eq!(mode(&path), 0o600);
        drop(file);
        assert!(!path.exists());
        let own = fs::metadata(folder.path()).unwrap().uid();
        let (_socket, _file) = LocalSocket::bind(&settings(&path, &[own, own + 1])).unwrap();
        assert_eq!(mode(&path), 0o666, "another user is to reach it");
    }

    #[test]
    fn what_is_stale_is_replaced_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "it was left behind");
        let (_socket, file) = LocalSocket::bind(&settings(&path, &[])).unwrap();
        assert!(matches!(LocalSocket::bind(&settings(&path, &[])), Err(NoSocket::InUse)));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file").unwrap();
        assert!(matches!(LocalSocket::bind(&settings(&path, &[])), Err(NoSocket::Occupied)));
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file", "another's is left alone");
    }
}
