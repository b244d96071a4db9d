//! Puts front, engine and listeners together.

use std::{pin::Pin, sync::Arc};

use pingora::{
    apps::ServerApp,
    listeners::{L4BufferSettings, ListenerConfig},
    proxy::http_proxy,
    server::{ShutdownWatch, configuration::ServerConf},
    services::listening::Service,
};

use super::{
    address::Addresses, call::Caller, front::Front, gateway::Gateway, socket::LocalSocket,
};
use crate::{
    audit::Journal,
    cache::Cache,
    config::ListenAt,
    snapshot::{Bound, Current},
    telemetry::{Health, Telemetry},
    traces::Traces,
};

/// A request head and a small answer fit: they leave in one write, and a waiting connection costs
/// little.
const BUFFER_BYTES: usize = 8 * 1024;

/// Background work.
pub type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What all listeners share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The snapshot in use.
    pub current: Arc<Current>,
    /// Log and metrics.
    pub telemetry: Arc<Telemetry>,
    /// Whether it is stopping.
    pub health: Arc<Health>,
    /// Where upstreams are.
    pub addresses: Arc<Addresses>,
    /// Where every access is put down.
    pub journal: Arc<Journal>,
    /// Answers in memory.
    pub cache: Arc<Cache>,
    /// What providers are asked with for it.
    pub caller: Arc<Caller>,
    /// What makes spans, where there is a collector for them.
    pub traces: Option<Arc<Traces>>,
}

/// The engine's service for the listener of place `index`, whose socket is handed to the engine
/// under `address`.
pub fn listener(
    configuration: &Arc<ServerConf>,
    index: usize,
    bound: &Bound,
    address: &str,
    shared: &Shared,
) -> Service<impl ServerApp + Send + Sync + 'static> {
    let front = front(configuration, index, bound, shared);
    let mut service = Service::new(format!("proxy {}", bound.name), front);
    let buffer = L4BufferSettings::new(BUFFER_BYTES, BUFFER_BYTES);
    service.add_listener(ListenerConfig::tcp(address).l4_buffer(buffer));
    service
}

/// The same at a Unix socket: what serves it until told to stop.
pub fn socket(
    configuration: &Arc<ServerConf>,
    index: usize,
    bound: &Bound,
    socket: LocalSocket,
    shared: &Shared,
) -> impl FnOnce(ShutdownWatch) -> BoxFuture + use<> {
    let front = front(configuration, index, bound, shared);
    |shutdown| Box::pin(socket.serve(front, shutdown))
}

fn front(configuration: &Arc<ServerConf>, index: usize, bound: &Bound, shared: &Shared) -> Front {
    let name = bound.name.as_str();
    let gateway = Gateway {
        listener: index,
        name: name.into(),
        secure: bound.secure,
        socket: matches!(bound.address, ListenAt::Socket(_)),
        shared: shared.clone(),
    };
    let metrics = &shared.telemetry.metrics;
    Front {
        proxy: Arc::new(http_proxy(configuration, gateway.clone())),
        gateway,
        connections: metrics.connections.with_label_values(&[name]),
        all_connections: metrics.all_connections.clone(),
    }
}
