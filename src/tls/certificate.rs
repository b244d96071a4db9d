//! What stands in certificates, as far as anybody asks.

use std::fmt;

use gpconnect::names::HostName;
use openssl::{
    asn1::{Asn1Time, Asn1TimeRef},
    hash::MessageDigest,
    nid::Nid,
    x509::{X509NameRef, X509Ref},
};

use crate::config::TlsFile;

/// More names than this are not looked at: nobody registers as many for one system.
const MOST_NAMES: usize = 100;

/// The certificate of a connection's other end, read once.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Whose it is, as in `CN=epr.rxx01.example, O=Example`.
    pub subject: String,
    /// Its common name and DNS names, as far as they are host names, in lower case, each once.
    pub host_names: Vec<HostName>,
    /// Who issued it.
    pub issuer: String,
    /// Its serial number in hexadecimal.
    pub serial: String,
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// Its last second, since 1970 UTC.
    pub not_after: i64,
}

impl ClientCertificate {
    /// Reads a certificate.
    pub fn read(certificate: &X509Ref) -> Self {
        let digest = certificate.digest(MessageDigest::sha256());
        let digest = digest.ok().and_then(|digest| <[u8; 32]>::try_from(&*digest).ok());
        Self {
            subject: name(certificate.subject_name()),
            host_names: host_names(certificate),
            issuer: name(certificate.issuer_name()),
            serial: serial(certificate).unwrap_or_default(),
            sha256: digest.unwrap_or_default(),
            not_after: seconds(certificate.not_after()),
        }
    }

    /// Its SHA-256 in hexadecimal: what may be logged of a certificate that proves nothing.
    pub fn fingerprint(&self) -> String {
        self.sha256.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Only the fingerprint: names in it may be anything.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ClientCertificate({})", self.fingerprint())
    }
}

/// When something ends that must be replaced before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// `certificate`, `authority` or `revocation_list`.
    pub kind: &'static str,
    /// The file that it stands in.
    pub file: TlsFile,
    /// Whose it is, or who issued it when it is a list.
    pub subject: String,
    /// Its last second, since 1970 UTC.
    pub at: i64,
}

/// A distinguished name for people, without control characters.
pub(super) fn name(name: &X509NameRef) -> String {
    let entries = name.entries().map(|entry| {
        let key = entry.object().nid().short_name().unwrap_or("OID");
        let value = entry.data().to_string().unwrap_or_default();
        format!("{key}={value}")
    });
    let text = entries.collect::<Vec<_>>().join(", ");
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

fn serial(certificate: &X509Ref) -> Option<String> {
    let number = certificate.serial_number().to_bn().ok()?;
    Some(number.to_hex_str().ok()?.to_string())
}

fn host_names(certificate: &X509Ref) -> Vec<HostName> {
    let mut names = Vec::new();
    let mut note = |text: &str| {
        if let Ok(name) = text.to_ascii_lowercase().parse::<HostName>()
            && names.len() < MOST_NAMES
            && !names.contains(&name)
        {
            names.push(name);
        }
    };
    for entry in certificate.subject_name().entries_by_nid(Nid::COMMONNAME) {
        if let Ok(text) = entry.data().to_string() {
            note(&text);
        }
    }
    for name in certificate.subject_alt_names().into_iter().flatten() {
        name.dnsname().into_iter().for_each(&mut note);
    }
    names
}

/// Whether a certificate is that of a host: by one of its DNS names, or, when it has none, by its
/// common name (gp-connect 8). `*` stands for the whole first part of a name and nothing else.
pub(super) fn bears(certificate: &X509Ref, host: &HostName) -> bool {
    let alternative = certificate.subject_alt_names();
    let mut dns_names = alternative.iter().flatten().filter_map(|name| name.dnsname()).peekable();
    if dns_names.peek().is_some() {
        return dns_names.any(|name| matches(name, host.as_str()));
    }
    certificate
        .subject_name()
        .entries_by_nid(Nid::COMMONNAME)
        .any(|entry| entry.data().to_string().is_ok_and(|name| matches(&name, host.as_str())))
}

fn matches(name: &str, host: &str) -> bool {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("*.") {
        // Of "*.example" too much would be one's own.
        Some(parent) => {
            let above = host.split_once('.').map(|(_, above)| above);
            parent.contains('.') && above == Some(parent)
        }
        None => name == host,
    }
}

/// A moment as seconds since 1970 UTC; the beginning when the library can't tell.
pub(super) fn seconds(moment: &Asn1TimeRef) -> i64 {
    let since = Asn1Time::from_unix(0).and_then(|epoch| epoch.diff(moment));
    since.map_or(0, |since| i64::from(since.days) * 86_400 + i64::from(since.secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_matches_as_a_whole() {
        for (name, host, expected) in [
            ("gp.example", "gp.example", true),
            ("GP.Example", "gp.example", true),
            ("gp.example", "x.gp.example", false),
            ("example", "gp.example", false),
            ("*.north.example", "gp.north.example", true),
            ("*.north.example", "a.gp.north.example", false),
            ("*.north.example", "north.example", false),
            ("*.example", "gp.example", false),
            ("*", "gp", false),
            ("*.", "gp.", false),
            ("g*.north.example", "gp.north.example", false),
            ("", "gp.example", false),
            ("gp.example\0.other", "gp.example", false),
        ] {
            assert_eq!(matches(name, host), expected, "{name:?} for {host}");
        }
    }
}
