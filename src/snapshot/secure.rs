//! The TLS of listeners and upstreams, opened when a configuration is loaded: what its files have
//! wrong is a mistake like any other.

use std::sync::Arc;

use crate::{
    config::{Access, Listener, ListenerTls, Notebook, Settings, Upstream, UpstreamTls},
    tls::{ClientTls, Material, Renewable, ServerTls},
};

/// Beside each listener and each upstream its TLS, where it has any.
pub(super) struct Secure {
    pub(super) listeners: Vec<Option<Arc<ServerTls>>>,
    pub(super) upstreams: Vec<Option<Arc<ClientTls>>>,
}

/// Opens all of it; none when the files of one can't be used.
pub(super) fn open(settings: &Settings, notebook: &Notebook) -> Option<Secure> {
    let server = |listener: &Listener| match &listener.access {
        Access::InsecureEveryoneIs(_) => Some(None),
        Access::Tls(tls) => one(ListenerTls::clone(tls), notebook).map(Some),
    };
    let client = |upstream: &Upstream| match &upstream.tls {
        None => Some(None),
        Some(tls) => one(UpstreamTls::clone(tls), notebook).map(Some),
    };
    // All are opened before one can fail the whole: an operator mends ten mistakes in one go.
    let listeners: Vec<_> = settings.listeners.iter().map(server).collect();
    let upstreams: Vec<_> = settings.upstreams.iter().map(client).collect();
    Some(Secure {
        listeners: listeners.into_iter().collect::<Option<_>>()?,
        upstreams: upstreams.into_iter().collect::<Option<_>>()?,
    })
}

fn one<M: Material>(settings: M::Settings, notebook: &Notebook) -> Option<Arc<Renewable<M>>> {
    match Renewable::open(settings) {
        Ok(tls) => Some(Arc::new(tls)),
        Err(faults) => {
            for fault in faults {
                let message = fault.to_string();
                notebook.mistake(fault.file.place, fault.file.key, message);
            }
            None
        }
    }
}
