//! A client's end of TLS.

use std::path::{Path, PathBuf};

use openssl::{
    error::ErrorStack,
    pkey::PKey,
    ssl::{SslConnector, SslMethod, SslVersion},
    x509::{X509, store::X509StoreBuilder},
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::config::{is_private, read_bytes};

/// The files of a client, in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFiles {
    /// Its certificate and those that lead to its authority.
    pub certificate: Option<PathBuf>,
    /// The key of the certificate.
    pub key: Option<PathBuf>,
    /// The authorities of the other end's certificate; those of the system without.
    pub authorities: Option<PathBuf>,
}

impl ClientFiles {
    /// What a client connects with that is set up by the settings `certificate`, `key` and
    /// `authorities`. Others must not be able to read its key.
    ///
    /// # Errors
    /// The setting, its file, and what is wrong with that.
    pub fn open(&self) -> Result<SslConnector, (&'static str, PathBuf, String)> {
        if let Some(path) = &self.key {
            is_private(path).map_err(|why| ("key", path.clone(), why))?;
        }
        connector(self).map_err(|fault| match fault {
            NoTls::File { path, problem } => {
                let is = |file: &Option<PathBuf>| file.as_ref() == Some(&path);
                let name = if is(&self.authorities) {
                    "authorities"
                } else if is(&self.key) {
                    "key"
                } else {
                    "certificate"
                };
                (name, path, problem)
            }
            NoTls::Unusable(fault) => {
                let why = format!("and its key can't be used together: {fault}");
                ("certificate", self.certificate.clone().unwrap_or_default(), why)
            }
        })
    }
}

/// Why a client has no TLS.
#[derive(Debug, Error)]
pub enum NoTls {
    /// A file can't be read.
    #[error("{} {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// What is in the files does not fit.
    #[error("certificate and key can't be used: {0}")]
    Unusable(#[from] ErrorStack),
}

impl NoTls {
    /// A file without certificates.
    pub fn empty(path: &Path) -> Self {
        fault(path, "holds no certificates in PEM")
    }
}

/// What a client connects with. It verifies the other end's certificate and name.
///
/// # Errors
/// When a file can't be used.
pub fn connector(files: &ClientFiles) -> Result<SslConnector, NoTls> {
    let mut connector = SslConnector::builder(SslMethod::tls_client())?;
    connector.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    if let Some(path) = &files.authorities {
        let mut store = X509StoreBuilder::new()?;
        for authority in certificates(path)? {
            store.add_cert(authority)?;
        }
        connector.set_cert_store(store.build());
    }
    if let Some(path) = &files.certificate {
        let chain = certificates(path)?;
        for (place, certificate) in chain.into_iter().enumerate() {
            if place == 0 {
                connector.set_certificate(&certificate)?;
            } else {
                connector.add_extra_chain_cert(certificate)?;
            }
        }
    }
    if let Some(path) = &files.key {
        let pem = Zeroizing::new(read(path)?);
        let unread = || fault(path, "holds no private key in PEM without a passphrase");
        let key = PKey::private_key_from_pem_callback(&pem, |_| Ok(0)).ok().ok_or_else(unread)?;
        connector.set_private_key(&key)?;
        connector.check_private_key()?;
    }
    Ok(connector.build())
}

/// The certificates of a PEM file, at least one.
///
/// # Errors
/// When it can't be read, or holds none.
pub fn certificates(path: &Path) -> Result<Vec<X509>, NoTls> {
    let found = X509::stack_from_pem(&read(path)?).unwrap_or_default();
    if found.is_empty() { Err(NoTls::empty(path)) } else { Ok(found) }
}

fn read(path: &Path) -> Result<Vec<u8>, NoTls> {
    read_bytes(path).map_err(|problem| fault(path, &problem))
}

fn fault(path: &Path, problem: &str) -> NoTls {
    NoTls::File { path: path.to_path_buf(), problem: problem.to_owned() }
}
