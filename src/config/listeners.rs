//! The `[[listener]]` sections.

use std::{net::SocketAddr, path::Path};

use gpconnect::names::Asid;

use super::{
    authority::ServerName,
    finding::{Listed, Located, Notebook},
    label::Label,
    section::Section,
    settings::{Access, ListenAt, Listener},
    terminator::{UnixSocket, listener_terminator},
    tls::{ListenerTls, listener_tls},
    unique::{Unique, bound_address, bound_socket, distinct, unique},
};

/// The listeners, and what else must be known of them, also of those with mistakes.
pub(super) struct Listeners {
    pub(super) listeners: Vec<Listener>,
    pub(super) addresses: Vec<Unique<SocketAddr>>,
    pub(super) sockets: Vec<Unique<String>>,
    pub(super) everyone: Vec<(String, Located<Asid>)>,
}

/// What one listener says.
struct ListenerRead {
    name: Option<Unique<Label>>,
    address: Option<Unique<SocketAddr>>,
    socket: Option<Unique<String>>,
    everyone: Vec<(String, Located<Asid>)>,
    listener: Option<Listener>,
}

/// Reads all `[[listener]]`.
pub(super) fn listeners(root: &Section<'_>, folder: &Path, notebook: &Notebook) -> Listeners {
    if !root.has("listener") {
        root.mistake(
            "listener",
            "is missing; write at least one [[listener]], with name, address and server_names",
        );
    }
    let mut read = root.tables("listener", |section, _| listener(section, folder));
    let names: Vec<_> = read.iter_mut().filter_map(|read| read.name.take()).collect();
    distinct(&names, notebook, |a, b| a == b, "give each listener a name of its own");
    Listeners {
        addresses: read.iter_mut().filter_map(|read| read.address.take()).collect(),
        sockets: read.iter_mut().filter_map(|read| read.socket.take()).collect(),
        everyone: read.iter_mut().flat_map(|read| std::mem::take(&mut read.everyone)).collect(),
        listeners: read.into_iter().filter_map(|read| read.listener).collect(),
    }
}

fn listener(section: &Section<'_>, folder: &Path) -> ListenerRead {
    let name = unique::<Label>(section, "name");
    let address = section.has("address").then(|| bound_address(section)).flatten();
    let server_names = section.list::<ServerName>("server_names");
    let mut everyone = Vec::new();
    let (mut socket, mut bound) = (None, None);
    let access = if section.has("behind_terminator") {
        check_alone(section, "behind_terminator", &["tls"]);
        if section.has("tls") {
            drop(section.table("tls", |section| listener_tls(section, folder)));
        }
        let read = section.table("behind_terminator", |it| {
            let read = listener_terminator(it, folder);
            let at = read.as_ref().and_then(|(_, at)| at.as_ref());
            bound = at.map(|at| bound_socket(it, at));
            read
        });
        read.flatten().map(|(terminator, at)| {
            socket = at;
            Access::BehindTerminator(Box::new(terminator))
        })
    } else if section.has("tls") {
        secure(section, folder).map(|tls| Access::Tls(Box::new(tls)))
    } else {
        check_loopback(section, address.as_ref());
        plain(section, &mut everyone).map(Access::InsecureEveryoneIs)
    };
    let at = listen_at(section, address.as_ref(), socket, access.is_some());
    let listener = || {
        Some(Listener {
            name: name.as_ref()?.value.value.to_string(),
            address: at?,
            server_names: server_names?.into_iter().map(|name| name.value).collect(),
            access: access?,
        })
    };
    let listener = listener();
    ListenerRead { name, address, socket: bound, everyone, listener }
}

/// Where it listens: at an address, or at the socket that stands in its place. `is_known` says
/// whether it is known which of the two it is to have.
fn listen_at(
    section: &Section<'_>,
    address: Option<&Unique<SocketAddr>>,
    socket: Option<UnixSocket>,
    is_known: bool,
) -> Option<ListenAt> {
    match (address, socket) {
        (Some(_), Some(_)) => {
            section
                .mistake("address", "stands beside behind_terminator.socket; keep one of the two");
            None
        }
        (None, Some(socket)) => Some(ListenAt::Socket(socket)),
        (Some(address), None) => Some(ListenAt::Address(address.value.value)),
        (None, None) => {
            if !section.has("address") && (is_known || !section.has("behind_terminator")) {
                section.mistake(
                    "address",
                    "is missing; write address = \"127.0.0.1:8080\" (the address and port to \
                     listen at)",
                );
            }
            None
        }
    }
}

/// Notes what else `section` says of how callers prove who they are, beside `table`.
fn check_alone(section: &Section<'_>, table: &str, others: &[&str]) {
    let weakened = [
        ("insecure_plain_http", section.flag("insecure_plain_http").is_some()),
        ("insecure_everyone_is", section.list::<Asid>("insecure_everyone_is").is_some()),
    ];
    let weakened = weakened.iter().filter(|(_, written)| *written).map(|(key, _)| *key);
    for key in weakened.chain(others.iter().copied().filter(|other| section.has(other))) {
        section.mistake(
            key,
            format!("stands beside {table}, which proves who is calling; keep one of the two"),
        );
    }
}

/// What a listener with a `tls` table says of it.
fn secure(section: &Section<'_>, folder: &Path) -> Option<ListenerTls> {
    check_alone(section, "tls", &[]);
    section.table("tls", |section| listener_tls(section, folder)).flatten()
}

/// What a listener without a `tls` table says; `everyone` gets its systems with their keys.
fn plain(section: &Section<'_>, everyone: &mut Vec<(String, Located<Asid>)>) -> Option<Vec<Asid>> {
    let consent = section.consent("insecure_plain_http");
    if !section.has("insecure_everyone_is") {
        section.mistake(
            "insecure_everyone_is",
            "is missing; write insecure_everyone_is = [\"200000000359\"] (the ASIDs of the consumer \
             systems that every caller may be), or add [listener.tls]",
        );
    }
    let path = section.path("insecure_everyone_is");
    let written = section.list::<Asid>("insecure_everyone_is")?;
    let asids = written.iter().map(|asid| asid.value).collect();
    everyone.extend(written.into_iter().map(|asid: Listed<Asid>| {
        let key = format!("{path}[{}]", asid.position);
        (key, Located { value: asid.value, place: asid.place })
    }));
    consent?;
    warn_of_plain_listener(section);
    Some(asids)
}

fn check_loopback(section: &Section<'_>, address: Option<&Unique<SocketAddr>>) {
    let Some(address) = address.filter(|address| !address.value.value.ip().is_loopback()) else {
        return;
    };
    let port = address.value.value.port();
    section.mistake(
        "address",
        format!(
            "is reached from other machines, and plain HTTP proves nobody's identity; add \
             [listener.tls], or write a loopback address, as in \"127.0.0.1:{port}\""
        ),
    );
}

fn warn_of_plain_listener(section: &Section<'_>) {
    section.warn(
        "insecure_plain_http",
        "INSECURE: plain HTTP; everyone on this machine can call, and nothing is encrypted",
    );
    section.warn(
        "insecure_everyone_is",
        "INSECURE: callers are believed to be these systems without any proof",
    );
}
