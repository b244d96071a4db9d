//! A running gateway: sockets, services and background work put together. [`super::stop`] takes them
//! apart again.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::fd::IntoRawFd,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use pingora::{
    apps::http_app::HttpServer,
    server::{Fds, ListenFds, ShutdownWatch, configuration::ServerConf},
    services::{Service as _, listening::Service},
};
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::watch,
};
use tracing::warn;

use super::{
    manager,
    offices::{self, Offices},
    reload::Reloader,
};
use crate::{
    admin::Observe,
    audit::{self, Journal, keys::Keys, signpost::Signpost},
    cache::Cache,
    config::{Audit, Collector, ListenAt, Server, UnixSocket},
    proxy::{self, Addresses, BoxFuture, Caller, LocalSocket, NoSocket, Shared, SocketFile},
    snapshot::{Bound, Current, Snapshot},
    telemetry::{Health, Levels, Telemetry},
    traces::{self, Traces},
};

/// How many callers may wait to be accepted.
const BACKLOG: i32 = 1_024;
/// Kept-open connections to upstreams, over all of them.
const POOL: usize = 1_024;
/// How often names of upstreams are looked up.
const LOOKUPS: Duration = Duration::from_secs(30);
/// How often finished requests are counted, of which a queue holds some thousands.
const COUNTS: Duration = Duration::from_millis(250);

/// Why a gateway did not start.
#[derive(Debug, Error)]
pub enum NotStarted {
    /// An address can't be listened on.
    #[error("{key}: can't listen on {address}: {source}; is another program using it?")]
    Address {
        /// The setting.
        key: String,
        /// Its value.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A Unix socket can't be listened at.
    #[error("{key}: can't listen at {}: {source}", path.display())]
    Socket {
        /// The setting.
        key: String,
        /// Its value.
        path: PathBuf,
        /// What is in the way.
        source: NoSocket,
    },
    /// The system has no threads to give.
    #[error("can't start threads: {0}")]
    Threads(#[from] io::Error),
    /// There is no journal to put accesses down in.
    #[error(transparent)]
    Audit(#[from] audit::NotOpened),
    /// There is no way to the collector of spans.
    #[error(transparent)]
    Traces(#[from] traces::Fault),
}

/// A gateway that takes requests. Dropping it without [`Running::stop`] cuts what is under way.
pub struct Running {
    /// Where consumers connect to, in the order of the configuration.
    pub addresses: Vec<String>,
    /// Where metrics and health are.
    pub observe: SocketAddr,
    /// Where the admin API is: at Unix sockets, and at an address if the configuration names one.
    pub admin: Vec<String>,
    /// What all parts share.
    pub shared: Shared,
    pub(super) server: Server,
    pub(super) stop: watch::Sender<bool>,
    pub(super) carrying: Runtime,
    pub(super) observing: Runtime,
    /// Metrics and health are there until this says so.
    pub(super) observed: watch::Sender<bool>,
    reloader: Reloader,
    /// Removed when it ends.
    pub(super) sockets: Vec<SocketFile>,
    pub(super) signpost: Option<Signpost>,
}

impl Running {
    /// Binds every address, then starts to accept.
    ///
    /// # Errors
    /// [`NotStarted`], with nothing left running.
    pub fn start(
        current: Current,
        telemetry: Arc<Telemetry>,
        levels: Arc<Levels>,
    ) -> Result<Self, NotStarted> {
        let snapshot = current.load();
        let startup = &snapshot.startup;
        let configuration = Arc::new(engine(startup.server.threads));
        let carrying = runtime("proxy", startup.server.threads)?;
        let observing = runtime("observe", 1)?;
        let traces = send_traces(startup.collector.as_ref(), &telemetry, observing.handle())?;
        let shared = share(current, &snapshot, telemetry, traces, &configuration)?;
        shared.journal.wake_on(carrying.handle());
        let mut fds = Fds::new();
        let doors = Doors::open(&startup.listeners, &configuration, &shared, &mut fds)?;
        let observe = bind(startup.observe.address, "observe.address", &mut fds)?;
        let app = Observe {
            telemetry: Arc::clone(&shared.telemetry),
            health: Arc::clone(&shared.health),
        };
        let mut offices = Offices::open(startup, &shared.journal)?;
        let mut observer = Service::new("observe".to_owned(), HttpServer::new_app(app));
        observer.add_tcp(&observe.to_string());

        let (stop, stopping) = watch::channel(false);
        let fds: ListenFds = Arc::new(Mutex::new(fds));
        observing.block_on(shared.addresses.refresh(&snapshot));
        observing.spawn(look_up(shared.clone()));
        observing.spawn(proxy::renew_tls(shared.clone()));
        observing.spawn(proxy::renew_keys(shared.clone()));
        for serve in doors.serve {
            carrying.spawn(serve(Arc::clone(&fds), stopping.clone()));
        }
        let (own, carries) = (shared.clone(), carrying.handle().clone());
        observing.spawn(proxy::ask_of_own_accord(own, carries, stopping.clone()));
        let (observed, ending) = watch::channel(false);
        observing.spawn(async move { observer.start_service(Some(fds), ending, 1).await });
        let reloader = Reloader { shared: shared.clone(), observing: observing.handle().clone() };
        let api = offices::api(&reloader, levels, startup, &doors.addresses);
        offices.serve(api, observing.handle(), &stopping);
        observing.spawn(count_traffic(Arc::clone(&shared.telemetry)));
        let (generation, kept) = (snapshot.generation, kept(&startup.audit));
        let note = format!("requests are taken, generation {generation}; records are kept {kept}");
        shared.journal.event("start", &note);
        shared.health.load(generation, snapshot.policy.practices().len());
        shared.health.serve();
        let server = startup.server;
        let Doors { addresses, mut sockets, .. } = doors;
        sockets.extend(offices.sockets);
        Ok(Self {
            addresses,
            observe,
            admin: offices.addresses,
            shared,
            server,
            stop,
            carrying,
            observing,
            observed,
            reloader,
            sockets,
            signpost: offices.signpost,
        })
    }

    /// Reads the configuration again. When anything is wrong with it, what runs stays.
    pub fn reload(&self) {
        // What is wrong was told to the log.
        drop(self.reloader.reload());
    }

    /// Tells systemd again and again how it fares, and that it works.
    pub(super) fn report(&self) {
        let carrying = self.carrying.handle().clone();
        self.observing.spawn(manager::report(self.shared.clone(), carrying));
    }
}

/// For how long records are kept: each start says so, and thereby also that it is shorter than before
/// (gp-connect 12).
fn kept(audit: &Audit) -> String {
    let days = audit.keep.map(|keep| format!("for {} days", keep.as_secs() / 86_400));
    let bytes = audit.keep_bytes.map(|bytes| format!("up to {bytes} bytes"));
    let limits: Vec<_> = days.into_iter().chain(bytes).collect();
    if limits.is_empty() { "for ever".to_owned() } else { limits.join(" and ") }
}

/// How the engine is to work with so many threads.
fn engine(threads: usize) -> ServerConf {
    ServerConf {
        threads,
        upstream_keepalive_pool_size: POOL.div_ceil(threads.max(1)),
        max_retries: 3,
        ..ServerConf::default()
    }
}

/// Opens the journal, and puts together what all parts share.
fn share(
    current: Current,
    snapshot: &Snapshot,
    telemetry: Arc<Telemetry>,
    traces: Option<Arc<Traces>>,
    configuration: &ServerConf,
) -> Result<Shared, NotStarted> {
    let settings = &snapshot.startup.audit;
    let health = Arc::<Health>::default();
    let keys = Keys::open(settings).map_err(audit::NotOpened::Keys)?;
    let (for_health, for_telemetry) = (Arc::clone(&health), Arc::clone(&telemetry));
    let journal = Journal::open(settings, keys, for_health, for_telemetry)?;
    raise_open_files(snapshot.limits.connections);
    telemetry.metrics.snapshot(&snapshot.in_use());
    let (bytes, for_cache) = (snapshot.startup.cache_bytes, Arc::clone(&telemetry));
    Ok(Shared {
        cache: Arc::new(Cache::new(bytes, snapshot.generation, for_cache)),
        caller: Arc::new(Caller::new(configuration)),
        current: Arc::new(current),
        telemetry,
        health,
        addresses: Arc::new(Addresses::default()),
        journal: Arc::new(journal),
        traces,
    })
}

/// Starts to send spans, where there is a collector for them.
fn send_traces(
    collector: Option<&Collector>,
    telemetry: &Arc<Telemetry>,
    runtime: &Handle,
) -> Result<Option<Arc<Traces>>, NotStarted> {
    let start = |collector| Traces::start(collector, Arc::clone(telemetry), runtime);
    Ok(collector.map(start).transpose()?.map(Arc::new))
}

/// Takes connections, given what was bound and when to stop.
type Serve = Box<dyn FnOnce(ListenFds, ShutdownWatch) -> BoxFuture>;

/// Where consumers connect to, bound and not served yet.
struct Doors {
    addresses: Vec<String>,
    serve: Vec<Serve>,
    sockets: Vec<SocketFile>,
}

impl Doors {
    fn open(
        listeners: &[Bound],
        configuration: &Arc<ServerConf>,
        shared: &Shared,
        fds: &mut Fds,
    ) -> Result<Self, NotStarted> {
        let mut doors = Self { addresses: Vec::new(), serve: Vec::new(), sockets: Vec::new() };
        for (index, listener) in listeners.iter().enumerate() {
            let serve: Serve = match &listener.address {
                ListenAt::Address(address) => {
                    let address = bind(*address, &format!("listener[{index}].address"), fds)?;
                    let address = address.to_string();
                    let mut service =
                        proxy::listener(configuration, index, listener, &address, shared);
                    doors.addresses.push(address);
                    Box::new(|fds, stopping| {
                        Box::pin(async move { service.start_service(Some(fds), stopping, 1).await })
                    })
                }
                ListenAt::Socket(settings) => {
                    let (socket, file) = bind_socket(settings, index)?;
                    doors.addresses.push(listener.address.to_string());
                    doors.sockets.push(file);
                    let front = proxy::socket(configuration, index, listener, socket, shared);
                    Box::new(|_, stopping| Box::pin(front(stopping)))
                }
            };
            doors.serve.push(serve);
        }
        Ok(doors)
    }
}

fn bind_socket(
    settings: &UnixSocket,
    index: usize,
) -> Result<(LocalSocket, SocketFile), NotStarted> {
    LocalSocket::bind(settings).map_err(|source| NotStarted::Socket {
        key: format!("listener[{index}].behind_terminator.socket"),
        path: settings.path.clone(),
        source,
    })
}

/// Allows as many open files as the system grants: each consumer's connection may need another one
/// to a provider.
fn raise_open_files(connections: usize) {
    let wanted =
        u64::try_from(connections.saturating_mul(2)).unwrap_or(u64::MAX).saturating_add(512);
    match rlimit::increase_nofile_limit(wanted) {
        Ok(granted) if granted < wanted => warn!(
            granted,
            wanted,
            "limits.connections may not be reached: raise the limit on open files (ulimit -n)"
        ),
        Ok(_) => {}
        Err(fault) => warn!(%fault, "the limit on open files can't be raised"),
    }
}

/// Threads for one kind of work: scraping metrics must not hold up requests.
fn runtime(name: &str, threads: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .thread_name(name)
        .worker_threads(threads.max(1))
        .build()
}

/// Binds an address and hands it to the engine under the name that it will ask for.
fn bind(address: SocketAddr, key: &str, fds: &mut Fds) -> Result<SocketAddr, NotStarted> {
    let fault = |source| NotStarted::Address { key: key.to_owned(), address, source };
    let listener = listen(address).map_err(fault)?;
    let bound = listener.local_addr().map_err(fault)?;
    fds.add(bound.to_string(), listener.into_raw_fd());
    Ok(bound)
}

pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    // A blocking accept would hold up a thread that carries requests.
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Counts the requests that have finished since.
async fn count_traffic(telemetry: Arc<Telemetry>) {
    loop {
        tokio::time::sleep(COUNTS).await;
        telemetry.count();
        telemetry.metrics.conformance.count();
    }
}

async fn refresh(shared: Shared) {
    let snapshot = shared.current.load();
    shared.addresses.refresh(&snapshot).await;
}

async fn look_up(shared: Shared) {
    loop {
        tokio::time::sleep(LOOKUPS).await;
        refresh(shared.clone()).await;
    }
}
