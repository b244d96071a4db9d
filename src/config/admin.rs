//! `[admin]`: where operations ask and give orders.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{
    authority::ServerName,
    label::FileName,
    section::Section,
    terminator::{UnixSocket, socket},
    tls::{TlsFile, file},
    unique::{Unique, bound_address, bound_socket},
};

/// Where the admin API is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admin {
    /// The folder of what belongs to the running gateway; a socket of the API is in it.
    pub state: PathBuf,
    /// A further Unix socket.
    pub socket: Option<UnixSocket>,
    /// An address of this machine.
    pub tcp: Option<AdminAddress>,
}

/// An address at which callers show tokens. Plain HTTP at a loopback address: the reader allows no
/// other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminAddress {
    /// Where to listen.
    pub address: SocketAddr,
    /// What `Host` may say: a page of elsewhere that has its own name point here says another.
    pub server_names: Vec<ServerName>,
}

/// What `[admin]` says.
#[derive(Default)]
pub(super) struct AdminRead {
    pub(super) admin: Option<Admin>,
    /// The file of tokens, which a reload reads again.
    pub(super) tokens: Option<TlsFile>,
    pub(super) address: Option<Unique<SocketAddr>>,
    pub(super) socket: Option<Unique<String>>,
}

/// Reads `[admin]`, whose file lies relative to `folder`.
pub(super) fn admin(section: &Section<'_>, folder: &Path) -> AdminRead {
    let state = section.text::<FileName>("state").map(|file| folder.join(file.value.0));
    let local = if section.has("socket") {
        socket(section).map(Some)
    } else {
        check_absent(section, &["socket_uids"], "socket");
        Some(None)
    };
    let bound = local.as_ref().and_then(Option::as_ref).map(|at| bound_socket(section, at));
    let address = section.has("address").then(|| bound_address(section)).flatten();
    if !section.has("address") {
        check_absent(section, &["server_names", "tokens"], "address");
        let admin = || Some(Admin { state: state?, socket: local?, tcp: None });
        let admin = admin();
        return AdminRead { admin, socket: bound, ..AdminRead::default() };
    }
    for (key, example) in [
        ("server_names", "[\"localhost:9091\"] (what a call's Host may say)"),
        ("tokens", "\"admin-tokens.txt\" (who may call, and in which role)"),
    ] {
        if !section.has(key) {
            section.mistake(key, format!("is missing beside address; write {key} = {example}"));
        }
    }
    let server_names = section.list::<ServerName>("server_names");
    let tokens = file(section, "tokens", folder);
    if let Some(address) = address.as_ref().filter(|it| !it.value.value.ip().is_loopback()) {
        let port = address.value.value.port();
        section.mistake(
            "address",
            format!(
                "is reached from other machines, and tokens would cross the network in plain HTTP; \
                 write a loopback address, as in \"127.0.0.1:{port}\", and let them come by ssh or \
                 by a program that speaks TLS"
            ),
        );
    }
    let admin = || {
        let server_names = server_names?.into_iter().map(|name| name.value).collect();
        let tcp = AdminAddress { address: address.as_ref()?.value.value, server_names };
        Some(Admin { state: state?, socket: local?, tcp: Some(tcp) })
    };
    let admin = admin();
    AdminRead { admin, tokens, address, socket: bound }
}

/// Notes keys that mean nothing without another.
fn check_absent(section: &Section<'_>, keys: &[&str], without: &str) {
    for key in keys.iter().filter(|key| section.has(key)) {
        section.mistake(key, format!("stands without {without}; leave it out, or add {without}"));
    }
    // Asked for, so that they are no unknown keys.
    for key in keys {
        section.ask(key);
    }
}
