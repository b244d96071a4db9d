//! Where the admin API is: in the folder of the gateway's state, and where the configuration says.

use std::{fs, os::unix::fs::DirBuilderExt as _, path::Path, sync::Arc};

use tokio::{runtime::Handle, sync::watch};
use tracing::warn;

use super::{
    reload::Reloader,
    start::{NotStarted, listen},
};
use crate::{
    admin::{self, Api, Door, Governed, Listening},
    audit::{
        Journal,
        signpost::{self, Signpost},
    },
    config::{Admin, UnixSocket},
    proxy::{LocalSocket, NoSocket, Shared, SocketFile},
    snapshot::{Bound, Startup},
    telemetry::Levels,
};

/// How the names of sockets in `admin.state` begin.
const START: &str = "admin-";

/// Where the admin API is, bound and not served yet.
#[derive(Default)]
pub(super) struct Offices {
    doors: Vec<Door>,
    pub(super) addresses: Vec<String>,
    pub(super) sockets: Vec<SocketFile>,
    /// Says where the socket is.
    pub(super) signpost: Option<Signpost>,
}

impl Offices {
    pub(super) fn open(startup: &Startup, journal: &Journal) -> Result<Self, NotStarted> {
        let mut offices = Self::default();
        let Admin { state, socket, tcp } = &startup.admin;
        // On a disk without sockets the gateway works all the same.
        if let Err(fault) = offices.add_own(state, &startup.audit.directory, journal) {
            warn!(
                folder = %state.display(), %fault,
                "no socket in admin.state: searches can't be put on record"
            );
        }
        if let Some(settings) = socket {
            offices.add(settings).map_err(|source| NotStarted::Socket {
                key: "admin.socket".into(),
                path: settings.path.clone(),
                source,
            })?;
        }
        if let Some(tcp) = tcp {
            let key = || "admin.address".to_owned();
            let fault = |source| NotStarted::Address { key: key(), address: tcp.address, source };
            let listener = listen(tcp.address).map_err(fault)?;
            offices.addresses.push(listener.local_addr().map_err(fault)?.to_string());
            offices.doors.push(Door::Tcp(listener, tcp.server_names.clone()));
        }
        Ok(offices)
    }

    /// Opens the socket by which searches of the journal are announced.
    fn add_own(&mut self, state: &Path, folder: &Path, journal: &Journal) -> Result<(), NoSocket> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(state)?;
        signpost::sweep(state, START);
        let (process, epoch) = (std::process::id(), journal.first_epoch());
        let path = state.join(format!("{START}{process}-{epoch}.sock"));
        self.add(&UnixSocket { path: path.clone(), uids: Vec::new() })?;
        self.signpost = Some(Signpost::put_up(folder, epoch, &path)?);
        Ok(())
    }

    fn add(&mut self, settings: &UnixSocket) -> Result<(), NoSocket> {
        let (socket, file) = LocalSocket::bind(settings)?;
        let (listener, mut uids) = socket.into_parts();
        if settings.uids.is_empty() {
            // Root can be anybody, and says who it is.
            uids.push(0);
        }
        self.addresses.push(settings.path.display().to_string());
        self.doors.push(Door::Local(listener, uids));
        self.sockets.push(file);
        Ok(())
    }

    /// Lets callers in, until told to stop.
    pub(super) fn serve(&mut self, api: Api, on: &Handle, stopping: &watch::Receiver<bool>) {
        let api = Arc::new(api);
        let expiring = Arc::clone(&api);
        on.spawn(async move { expiring.expire().await });
        for door in self.doors.drain(..) {
            on.spawn(admin::serve(Arc::clone(&api), door, stopping.clone()));
        }
    }
}

/// The API of a gateway whose listeners have these addresses.
pub(super) fn api(
    reloader: &Reloader,
    levels: Arc<Levels>,
    startup: &Startup,
    addresses: &[String],
) -> Api {
    let Shared { current, telemetry, health, journal, cache, .. } = reloader.shared.clone();
    let (reloader, listeners) = (reloader.clone(), listening(startup, addresses));
    let governed = Governed { current, telemetry, health, journal, levels, cache, listeners };
    Api::new(governed, Box::new(move || reloader.reload()))
}

fn listening(startup: &Startup, addresses: &[String]) -> Vec<Listening> {
    let each = |(bound, address): (&Bound, &String)| Listening {
        name: bound.name.clone(),
        address: address.clone(),
        tls: bound.secure,
    };
    startup.listeners.iter().zip(addresses).map(each).collect()
}
