//! The TLS of listeners, opened when a configuration is loaded: what its files have wrong is a
//! mistake like any other.

use std::sync::Arc;

use crate::{
    config::{Access, Listener, ListenerTls, Notebook},
    tls::{Fault, ServerTls},
};

/// The TLS of each listener that has any; none when the files of one can't be used.
pub(super) fn open(
    listeners: &[Listener],
    notebook: &Notebook,
) -> Option<Vec<Option<Arc<ServerTls>>>> {
    let opened: Vec<_> = listeners.iter().map(|listener| server(listener, notebook)).collect();
    opened.into_iter().collect()
}

fn server(listener: &Listener, notebook: &Notebook) -> Option<Option<Arc<ServerTls>>> {
    match &listener.access {
        Access::InsecureEveryoneIs(_) => Some(None),
        Access::Tls(tls) => {
            let opened = ServerTls::open(ListenerTls::clone(tls));
            opened.map_err(|faults| note(faults, notebook)).ok().map(|tls| Some(Arc::new(tls)))
        }
    }
}

fn note(faults: Vec<Fault>, notebook: &Notebook) {
    for fault in faults {
        let message = fault.to_string();
        notebook.mistake(fault.file.place, fault.file.key, message);
    }
}
