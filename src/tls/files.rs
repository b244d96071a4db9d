//! Opens the files that `tls` tables name, and knows them again when they have changed.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use openssl::{
    dh::Dh,
    pkey::{PKey, Params, Private},
    x509::{X509, X509Crl},
};
use zeroize::Zeroizing;

use super::fault::Fault;
use crate::config::{TlsFile, read_bytes};

/// What a file looked like. It changes when the file is written, replaced, or reached over a link
/// that points elsewhere now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(Option<[i64; 5]>);

/// The stamp of a file; of one that can't be looked at, a stamp that says so.
pub(super) fn stamp(path: &Path) -> Stamp {
    Stamp(fs::metadata(path).ok().map(|data| {
        let unsigned = |number: u64| i64::from_ne_bytes(number.to_ne_bytes());
        [
            unsigned(data.ino()),
            unsigned(data.size()),
            data.mtime(),
            data.mtime_nsec(),
            data.ctime_nsec(),
        ]
    }))
}

fn read(file: &TlsFile) -> Result<Zeroizing<Vec<u8>>, Fault> {
    read_bytes(&file.path).map(Zeroizing::new).map_err(|problem| Fault::new(file, problem))
}

/// The certificates of a PEM file, at least one.
pub(super) fn certificates(file: &TlsFile) -> Result<Vec<X509>, Fault> {
    let pem = read(file)?;
    let found = X509::stack_from_pem(&pem).unwrap_or_default();
    // A block that can't be read ends the list without a word: none may be missing.
    let begun = count(&pem, b"-----BEGIN CERTIFICATE-----");
    if found.is_empty() || found.len() < begun {
        let problem = "holds no readable certificates; expected PEM (-----BEGIN CERTIFICATE-----)";
        return Err(Fault::new(file, problem));
    }
    Ok(found)
}

/// The private key of a PEM file, which others may not read.
pub(super) fn private_key(file: &TlsFile) -> Result<PKey<Private>, Fault> {
    let mode = fs::metadata(&file.path).map(|data| data.mode() & 0o777).unwrap_or_default();
    if mode & 0o027 != 0 {
        let path = file.path.display();
        let problem = format!(
            "is a private key that others can reach (mode {mode:04o}); chmod 0600 {path}, or 0640"
        );
        return Err(Fault::new(file, problem));
    }
    let pem = read(file)?;
    // Without the callback the library would ask at the terminal for a passphrase.
    PKey::private_key_from_pem_callback(&pem, |_| Ok(0)).ok().ok_or_else(|| {
        let problem = "holds no private key in PEM, or one under a passphrase; write one without";
        Fault::new(file, problem)
    })
}

/// The revocation lists of a file, at least one, and whether it is PEM.
pub(super) fn revocation_lists(file: &TlsFile) -> Result<(Vec<X509Crl>, bool), Fault> {
    const BEGIN: &[u8] = b"-----BEGIN X509 CRL-----";
    let bytes = read(file)?;
    let is_pem = count(&bytes, BEGIN) > 0;
    let lists = if is_pem {
        let starts: Vec<_> = memchr::memmem::find_iter(&bytes, BEGIN).collect();
        starts
            .into_iter()
            .map(|start| X509Crl::from_pem(bytes.get(start..).unwrap_or_default()))
            .collect()
    } else {
        X509Crl::from_der(&bytes).map(|list| vec![list])
    };
    let lists: Result<Vec<_>, _> = lists;
    lists.map(|lists| (lists, is_pem)).ok().ok_or_else(|| {
        Fault::new(file, "holds no readable revocation list; expected one in PEM or DER")
    })
}

/// Diffie-Hellman parameters of a PEM file, long enough.
pub(super) fn dh_parameters(file: &TlsFile) -> Result<Dh<Params>, Fault> {
    const LEAST: i32 = 2048;
    let parameters = Dh::params_from_pem(&read(file)?)
        .ok()
        .ok_or_else(|| Fault::new(file, "holds no Diffie-Hellman parameters in PEM"))?;
    let bits = parameters.prime_p().num_bits();
    if bits < LEAST {
        let problem = format!("holds parameters of {bits} bits; expected at least {LEAST}");
        return Err(Fault::new(file, problem));
    }
    Ok(parameters)
}

fn count(text: &[u8], part: &[u8]) -> usize {
    memchr::memmem::find_iter(text, part).count()
}
