//! `[listener.behind_terminator]`: who may tell of callers' certificates, and which of these are
//! believed.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{
    section::Section,
    tls::{TlsFile, file, files},
};

/// How a listener behind a terminator of TLS knows the terminator and the callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTerminator {
    /// How the terminator is known; none at a Unix socket, where the system knows its user.
    pub pinned: Option<Pinned>,
    /// The authorities of client certificates, up to their roots.
    pub client_authorities: Vec<TlsFile>,
    /// What those authorities have revoked.
    pub revocation_lists: Vec<TlsFile>,
}

/// Mutual TLS with the terminator itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The listener's own certificate, and behind it those that lead to its authority.
    pub certificate: TlsFile,
    /// The key of that certificate.
    pub key: TlsFile,
    /// The certificates that terminators show.
    pub terminators: Vec<Fingerprint>,
}

/// A socket that a terminator on the same machine uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// Where it is.
    pub path: PathBuf,
    /// The users whose programs may use it; empty for the gateway's own.
    pub uids: Vec<u32>,
}

/// The SHA-256 of a certificate in DER.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// Why a text was refused as a [`Fingerprint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the SHA-256 of a certificate, 64 hexadecimal digits with or without colons, as \
     openssl x509 -noout -fingerprint -sha256 prints them"
)]
pub struct NotAFingerprint;

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let plain = text.len() == 64;
        let pairs: Vec<&str> = if plain {
            (0..32).filter_map(|pair| text.get(2 * pair..2 * pair + 2)).collect()
        } else {
            text.split(':').collect()
        };
        let byte = |pair: &&str| {
            let digits = pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
            digits.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
        };
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NotAFingerprint)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The path of a socket: what the system's own form of it has room for.
struct SocketPath(PathBuf);

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("expected an absolute path of at most 107 bytes, as in \"/run/gpconnect/gateway.sock\"")]
struct NotASocketPath;

impl FromStr for SocketPath {
    type Err = NotASocketPath;

    fn from_str(text: &str) -> Result<Self, NotASocketPath> {
        let good = text.starts_with('/')
            && !text.ends_with('/')
            && text.len() <= 107
            && !text.chars().any(char::is_control);
        good.then(|| Self(PathBuf::from(text))).ok_or(NotASocketPath)
    }
}

/// The number of a user.
struct Uid(u32);

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("expected the number of a user, as in \"1000\" (id -u prints it)")]
struct NotAUid;

impl FromStr for Uid {
    type Err = NotAUid;

    fn from_str(text: &str) -> Result<Self, NotAUid> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().map(Self).ok_or(NotAUid)
    }
}

/// Reads `[listener.behind_terminator]`, whose files lie relative to `folder`; beside it the socket,
/// where there is one.
pub(super) fn listener_terminator(
    section: &Section<'_>,
    folder: &Path,
) -> Option<(ListenerTerminator, Option<UnixSocket>)> {
    let client_authorities = files(section, "client_authorities", folder);
    let revocation_lists = files(section, "revocation_lists", folder);
    let (pinned, socket) = if section.has("socket") {
        let beside = ["certificate", "key", "terminators"];
        for key in beside.iter().filter(|key| section.has(key)) {
            section.mistake(key, "stands beside socket, which needs none; keep one of the two");
        }
        // Asked for, so that they are no unknown keys.
        drop((file(section, "certificate", folder), file(section, "key", folder)));
        drop(section.list::<Fingerprint>("terminators"));
        (None, Some(socket(section)?))
    } else {
        if section.has("socket_uids") {
            section.mistake("socket_uids", "stands without socket; leave it out, or add socket");
        }
        drop(section.list::<Uid>("socket_uids"));
        (Some(pinned(section, folder)?), None)
    };
    let terminator = ListenerTerminator {
        pinned,
        client_authorities: client_authorities?,
        revocation_lists: revocation_lists?,
    };
    Some((terminator, socket))
}

/// The socket of a section that names one in `socket`, and its users in `socket_uids`.
pub(super) fn socket(section: &Section<'_>) -> Option<UnixSocket> {
    let path = section.text::<SocketPath>("socket");
    let uids = if section.has("socket_uids") {
        section.list::<Uid>("socket_uids")?.into_iter().map(|uid| uid.value.0).collect()
    } else {
        Vec::new()
    };
    let path = path?.value.0;
    if !path.parent().is_some_and(Path::is_dir) {
        section.mistake("socket", "lies in no folder; make the folder, which is not made for it");
        return None;
    }
    Some(UnixSocket { path, uids })
}

fn pinned(section: &Section<'_>, folder: &Path) -> Option<Pinned> {
    for (key, example) in [
        (
            "certificate",
            "\"gateway.pem\" (the listener's certificate, which the terminator is shown)",
        ),
        ("key", "\"gateway.key\" (the key of that certificate)"),
        ("terminators", "[\"3fa1...\"] (the SHA-256 of the certificate that the terminator shows)"),
    ] {
        if !section.has(key) {
            section.mistake(
                key,
                format!("is missing; write {key} = {example}, or socket = \"/run/...\" alone"),
            );
        }
    }
    let certificate = file(section, "certificate", folder);
    let key = file(section, "key", folder);
    let terminators = section.list::<Fingerprint>("terminators");
    Some(Pinned {
        certificate: certificate?,
        key: key?,
        terminators: terminators?.into_iter().map(|one| one.value).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_openssl_prints_it() {
        let hex = "0f".repeat(32);
        let colons = ["0F"; 32].join(":");
        let read = Fingerprint([0x0f; 32]);
        assert_eq!((hex.parse(), colons.parse()), (Ok(read), Ok(read)));
        assert_eq!(hex.parse::<Fingerprint>().unwrap().to_string(), hex);
        for wrong in [
            String::new(),
            "0f".repeat(31),
            "0f".repeat(33),
            format!("{}0g", "0f".repeat(31)),
            format!("{}+1", "0f".repeat(31)),
            format!("{}\u{e9}", "0f".repeat(31)),
            ["0f"; 31].join(":"),
            ["0f"; 33].join(":"),
            format!("{colons}:"),
            format!("sha256 {hex}"),
        ] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(NotAFingerprint), "{wrong}");
        }
    }
}
