//! The `tls` tables of listeners and upstreams: the files that prove who we are and say whom we
//! believe. They are only named here; the room `tls` opens them.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use gpconnect::{forward::Connection, names::HostName};

use super::{authority::UpstreamAddress, finding::Place, label::FileName, section::Section};

/// A file that a `tls` table names, and where it does.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsFile {
    /// The file, as it is to be opened.
    pub path: PathBuf,
    /// The path of the key that names it.
    pub key: String,
    /// Where that stands.
    pub place: Place,
}

/// Its path: the rest is for mistakes only.
impl fmt::Debug for TlsFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.path.display())
    }
}

/// How a listener speaks TLS and which client certificates it accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// Its own certificate, and behind it those that lead to its authority.
    pub certificate: TlsFile,
    /// The key of that certificate.
    pub key: TlsFile,
    /// The authorities of client certificates, up to their roots.
    pub client_authorities: Vec<TlsFile>,
    /// What those authorities have revoked.
    pub revocation_lists: Vec<TlsFile>,
    /// Versions and cipher suites.
    pub profile: Profile,
    /// How a caller without an acceptable certificate is told.
    pub refusal: Refusal,
    /// Diffie-Hellman parameters in place of the built-in ones.
    pub dh_parameters: Option<TlsFile>,
}

/// How TLS is spoken to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// Our own certificate, and behind it those that lead to its authority.
    pub certificate: TlsFile,
    /// The key of that certificate.
    pub key: TlsFile,
    /// The authorities of the other end's certificate, up to their roots.
    pub authorities: Vec<TlsFile>,
    /// What those authorities have revoked.
    pub revocation_lists: Vec<TlsFile>,
    /// The host that the other end's certificate must name; none where it is the host of the
    /// practice's service root.
    pub server_name: Option<HostName>,
    /// The oldest version.
    pub minimum_version: Version,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// Which versions and cipher suites of TLS are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// TLS 1.2 and 1.3, forward secrecy and authenticated encryption only.
    Modern,
    /// What GP Connect prescribes: TLS 1.2 with four groups of suites (gp-connect 8).
    GpConnect,
}

/// How a caller without an acceptable certificate is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The handshake is completed, the first request is answered 495 or 496.
    Http,
    /// The handshake fails.
    Handshake,
}

/// Reads `[listener.tls]`, whose files lie relative to `folder`.
pub(super) fn listener_tls(section: &Section<'_>, folder: &Path) -> Option<ListenerTls> {
    let certificate = file(section, "certificate", folder);
    let key = file(section, "key", folder);
    let client_authorities = files(section, "client_authorities", folder);
    let revocation_lists = files(section, "revocation_lists", folder);
    let profile = section.word("profile", |word| match word {
        "modern" => Some(Profile::Modern),
        "gp-connect" => Some(Profile::GpConnect),
        _ => None,
    });
    let refusal = section.word("refusal", |word| match word {
        "http" => Some(Refusal::Http),
        "handshake" => Some(Refusal::Handshake),
        _ => None,
    });
    let dh_parameters = file(section, "dh_parameters", folder);
    Some(ListenerTls {
        certificate: certificate?,
        key: key?,
        client_authorities: client_authorities?,
        revocation_lists: revocation_lists?,
        profile: profile?,
        refusal: refusal?,
        dh_parameters,
    })
}

/// Reads `[upstream.tls]`, whose files lie relative to `folder`.
pub(super) fn upstream_tls(
    section: &Section<'_>,
    folder: &Path,
    address: Option<&UpstreamAddress>,
    connection: Option<Connection>,
) -> Option<UpstreamTls> {
    let certificate = file(section, "certificate", folder);
    let key = file(section, "key", folder);
    let authorities = files(section, "authorities", folder);
    let revocation_lists = files(section, "revocation_lists", folder);
    let written = section.text::<HostName>("server_name").map(|name| name.value);
    let minimum_version = section.word("minimum_version", |word| match word {
        "1.2" => Some(Version::Tls12),
        "1.3" => Some(Version::Tls13),
        _ => None,
    });
    let server_name = match connection {
        Some(Connection::Proxy) if written.is_none() => {
            Some(host_of(section, address.map(UpstreamAddress::host)?)?)
        }
        Some(Connection::Proxy | Connection::Direct) | None => written,
    };
    Some(UpstreamTls {
        certificate: certificate?,
        key: key?,
        authorities: authorities?,
        revocation_lists: revocation_lists?,
        server_name,
        minimum_version: minimum_version?,
    })
}

/// The host of a proxy's address, which its certificate must name. An IP address is no name.
fn host_of(section: &Section<'_>, host: &str) -> Option<HostName> {
    let is_number = host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    let name = if is_number { None } else { host.parse().ok() };
    if name.is_none() {
        section.mistake(
            "server_name",
            format!(
                "is missing, and the upstream's address \"{host}\" is no name; write the host that \
                 the proxy's certificate names"
            ),
        );
    }
    name
}

/// The file that a key names.
pub(super) fn file(section: &Section<'_>, name: &str, folder: &Path) -> Option<TlsFile> {
    let written = section.text::<FileName>(name)?;
    let path = folder.join(written.value.0);
    Some(TlsFile { path, key: section.path(name), place: written.place })
}

/// The files that a key lists.
pub(super) fn files(section: &Section<'_>, name: &str, folder: &Path) -> Option<Vec<TlsFile>> {
    let key = section.path(name);
    let written = section.list::<FileName>(name)?;
    let file = written.into_iter().map(|file| TlsFile {
        path: folder.join(file.value.0),
        key: format!("{key}[{}]", file.position),
        place: file.place,
    });
    Some(file.collect())
}
