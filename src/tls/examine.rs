//! A certificate judged without a connection, for whoever prepares one.

use std::path::Path;

use openssl::{pkey::Id, stack::Stack, x509::X509Ref};

use super::{
    certificate::{ClientCertificate, seconds},
    server::Acceptor,
    terminator::Terminator,
    trust::{Verifier, verify},
};
use crate::https::{NoTls, certificates};

/// A certificate and what came of judging it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The certificate.
    pub certificate: ClientCertificate,
    /// Its first second, since 1970 UTC.
    pub not_before: i64,
    /// Kind and length of its key, as in `RSA, 2048 bits`.
    pub key: String,
    /// The last second of the certificate of its chain that ends first, or what is wrong with it in
    /// the words that a caller is told.
    pub verdict: Result<i64, &'static str>,
}

impl Acceptor {
    /// Judges the first certificate of a PEM file, with the others as those that lead to its
    /// authority, just as a caller is judged again before a request. `now` is in seconds since 1970
    /// UTC.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn examine(&self, file: &Path, now: i64) -> Result<Examined, NoTls> {
        examine(self.verifier(), file, now)
    }
}

impl Terminator {
    /// The same for the caller that a terminator tells of.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn examine(&self, file: &Path, now: i64) -> Result<Examined, NoTls> {
        examine(self.verifier(), file, now)
    }
}

fn examine(verifier: &Verifier, file: &Path, now: i64) -> Result<Examined, NoTls> {
    let chain = certificates(file)?;
    let (leaf, others) = chain.split_first().ok_or_else(|| NoTls::empty(file))?;
    let mut sent = Stack::new()?;
    others.iter().try_for_each(|one| sent.push(one.clone()))?;
    Ok(Examined {
        certificate: ClientCertificate::read(leaf),
        not_before: seconds(leaf.not_before()),
        key: key(leaf),
        verdict: verify(verifier, leaf, Some(&sent), now),
    })
}

fn key(certificate: &X509Ref) -> String {
    let Ok(key) = certificate.public_key() else { return String::from("unreadable") };
    let kind = match key.id() {
        Id::RSA | Id::RSA_PSS => "RSA",
        Id::EC => "EC",
        Id::ED25519 => "Ed25519",
        Id::ED448 => "Ed448",
        Id::DSA => "DSA",
        _ => "of another kind",
    };
    format!("{kind}, {} bits", key.bits())
}
