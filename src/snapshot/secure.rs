//! The TLS of listeners and upstreams, opened when a configuration is loaded: what its files have
//! wrong is a mistake like any other.

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;

use super::tokens::Tokens;
use crate::{
    config::{
        Access, Listener, ListenerTerminator, ListenerTls, Notebook, ServerName, Settings, TlsFile,
        Upstream, UpstreamTls,
    },
    issuers::Issuers,
    tls::{ClientTls, Fault, Material, Renewable, ServerTls, TerminatorTls, warning},
    traces,
};

/// Beside each listener and each upstream its TLS, where it has any.
pub(super) struct Secure {
    pub(super) listeners: Vec<Option<Opened>>,
    pub(super) upstreams: Vec<Option<Arc<ClientTls>>>,
}

/// What a listener knows its callers by.
pub(super) enum Opened {
    Tls(Arc<ServerTls>),
    Terminator(Arc<TerminatorTls>),
}

/// Opens all of it; none when the files of one can't be used.
pub(super) fn open(settings: &Settings, notebook: &Notebook) -> Option<Secure> {
    let server = |listener: &Listener| match &listener.access {
        Access::InsecureEveryoneIs(_) => Some(None),
        Access::Tls(tls) => {
            let opened = one(ListenerTls::clone(tls), notebook)?;
            note_names(&opened, tls, &listener.server_names, notebook);
            Some(Some(Opened::Tls(opened)))
        }
        // What name the terminator calls the listener by is its own business.
        Access::BehindTerminator(terminator) => {
            let opened = one(ListenerTerminator::clone(terminator), notebook)?;
            Some(Some(Opened::Terminator(opened)))
        }
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

/// Opens the keys of issuers that lie in files; none when a file can't be used.
pub(super) fn issuers(settings: &Settings, notebook: &Notebook) -> Option<Issuers> {
    match Issuers::open(&settings.issuers) {
        Ok(issuers) => {
            for (file, problem) in issuers.keys().flat_map(|keys| keys.passed_over()) {
                let message = format!("{}: key passed over: {problem}", file.path.display());
                notebook.warn(file.place, file.key, message);
            }
            Some(issuers)
        }
        Err(faults) => {
            note(faults, notebook);
            None
        }
    }
}

/// Opens the file of admin tokens, where there is one; none when it can't be used.
pub(super) fn tokens(settings: &Settings, notebook: &Notebook) -> Option<Tokens> {
    let Some(TlsFile { path, key, place }) = &settings.admin_tokens else {
        return Some(Tokens::default());
    };
    let problem = |why| notebook.mistake(*place, key.clone(), format!("{} {why}", path.display()));
    Tokens::open(path).map_err(problem).ok()
}

/// Whether the files of the collector of spans can be used; none when one can't.
pub(super) fn collector(settings: &Settings, notebook: &Notebook) -> Option<()> {
    let fault = settings.traces.collector.as_ref().and_then(traces::fault);
    let Some(traces::Fault { key, problem }) = fault else { return Some(()) };
    let key = format!("traces.{key}");
    let file = settings.traces.files.iter().find(|file| file.key == key);
    let place = file.map_or(settings.traces.place, |file| file.place);
    notebook.mistake(place, key, problem);
    None
}

/// Warns of the names under which a listener is called that its certificate does not name.
fn note_names(tls: &ServerTls, settings: &ListenerTls, names: &[ServerName], notebook: &Notebook) {
    let acceptor = tls.current();
    for name in names {
        let host = name.host();
        let is_number = host.starts_with('[') || host.parse::<IpAddr>().is_ok();
        let named = host.parse().is_ok_and(|host| acceptor.names(&host));
        if !is_number && !named {
            let TlsFile { path, key, place } = &settings.certificate;
            let message = format!(
                "{} does not name {host}, which server_names holds; callers under that name will \
                 refuse it",
                path.display()
            );
            notebook.warn(*place, key.clone(), message);
        }
    }
}

fn one<M: Material>(settings: M::Settings, notebook: &Notebook) -> Option<Arc<Renewable<M>>> {
    match Renewable::open(settings) {
        Ok(tls) => {
            let now = Timestamp::now().as_second();
            for expiry in tls.expiries() {
                if let Some(message) = warning(&expiry, now) {
                    notebook.warn(expiry.file.place, expiry.file.key, message);
                }
            }
            Some(Arc::new(tls))
        }
        Err(faults) => {
            note(faults, notebook);
            None
        }
    }
}

fn note(faults: Vec<Fault>, notebook: &Notebook) {
    for fault in faults {
        let message = fault.to_string();
        notebook.mistake(fault.file.place, fault.file.key, message);
    }
}
