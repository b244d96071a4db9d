//! The provider side: what a connection to an upstream is made with, and whether who answered is
//! who was meant. The engine shakes hands; the verdict on the other end is ours, on every
//! connection, before a byte of a request is sent.

use std::{any::Any, fmt, sync::OnceLock};

use gpconnect::names::HostName;
use openssl::{
    pkey::{PKey, Private},
    sha::Sha256,
    ssl::{SslRef, SslVersion},
    x509::{X509, X509PurposeId},
};

use super::{
    certificate::{Expiry, bears},
    fault::{Fault, both},
    identity::Identity,
    renew::{Material, Renewable},
    server::now,
    trust::{Trust, Verifier, verify},
};
use crate::config::{TlsFile, UpstreamTls, Version};

/// The TLS towards one upstream.
pub type ClientTls = Renewable<Credentials>;

/// What proves us to an upstream, and whom we believe there.
pub struct Credentials {
    /// Differs whenever anything of it differs: connections made with others are not shared.
    pub fingerprint: u64,
    identity: Identity,
    verifier: Verifier,
    oldest: Version,
    expiries: Vec<Expiry>,
    prepared: OnceLock<Box<dyn Any + Send + Sync>>,
}

/// The other end of a connection, accepted by credentials of that fingerprint for a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Of the credentials that accepted it.
    pub fingerprint: u64,
    /// Whom it was accepted as.
    pub host: HostName,
    /// The last second of the certificate of its chain that ends first.
    good_until: i64,
}

impl Accepted {
    /// Whether no certificate of its chain has ended since.
    ///
    /// # Errors
    /// What to say of it.
    pub fn still(&self) -> Result<(), &'static str> {
        const ENDED: &str = "its certificate, or an authority of it, has expired";
        if now() > self.good_until { Err(ENDED) } else { Ok(()) }
    }
}

impl Credentials {
    /// Our certificate, followed by those that lead to its authority.
    pub fn chain(&self) -> &[X509] {
        &self.identity.chain
    }

    /// Its key.
    pub fn key(&self) -> &PKey<Private> {
        &self.identity.key
    }

    /// What the engine makes of it, made once.
    pub fn prepared<T: Send + Sync + 'static>(&self, make: impl FnOnce(&Self) -> T) -> Option<&T> {
        self.prepared.get_or_init(|| Box::new(make(self))).downcast_ref()
    }

    /// Judges the other end at the end of a handshake: its version and cipher suite, its chain,
    /// the lists of its authorities, and its name.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn judge(&self, ssl: &SslRef, host: &HostName) -> Result<Accepted, String> {
        let version = match ssl.version2() {
            Some(SslVersion::TLS1_2) => Some(Version::Tls12),
            Some(SslVersion::TLS1_3) => Some(Version::Tls13),
            _ => None,
        };
        if version.is_none_or(|version| version < self.oldest) {
            return Err(format!("{} is too old", ssl.version_str()));
        }
        let suite = ssl.current_cipher().map(|suite| suite.name()).unwrap_or_default();
        if !["TLS_", "ECDHE-", "DHE-"].iter().any(|group| suite.starts_with(group)) {
            return Err(format!("the cipher suite {suite} keeps no forward secrecy"));
        }
        let good_until = self.accept(ssl, host);
        let good_until =
            good_until.map_err(|why| format!("its certificate is not accepted: {why}"))?;
        Ok(Accepted { fingerprint: self.fingerprint, host: host.clone(), good_until })
    }

    fn accept(&self, ssl: &SslRef, host: &HostName) -> Result<i64, &'static str> {
        let certificate = ssl.peer_certificate().ok_or("there is none")?;
        let good_until = verify(&self.verifier, &certificate, ssl.peer_cert_chain(), now())?;
        if bears(&certificate, host) { Ok(good_until) } else { Err("it names another host") }
    }
}

impl Material for Credentials {
    type Settings = UpstreamTls;

    fn files(settings: &UpstreamTls) -> Vec<&TlsFile> {
        [&settings.certificate, &settings.key]
            .into_iter()
            .chain(&settings.authorities)
            .chain(&settings.revocation_lists)
            .collect()
    }

    fn load(settings: &UpstreamTls) -> Result<Self, Vec<Fault>> {
        let identity = Identity::read(&settings.certificate, &settings.key);
        let trust = Trust::read(&settings.authorities, &settings.revocation_lists, now());
        let (identity, trust) = both(identity, trust)?;
        let verifier = trust.verifier(X509PurposeId::SSL_SERVER).map_err(|fault| {
            vec![Fault::new(&settings.certificate, format!("can't be used: {fault}"))]
        })?;
        Ok(Self {
            fingerprint: fingerprint(settings, &identity, &trust),
            verifier,
            oldest: settings.minimum_version,
            expiries: [&*identity.expiries, &*trust.expiries].concat(),
            identity,
            prepared: OnceLock::new(),
        })
    }

    fn expiries(&self) -> &[Expiry] {
        &self.expiries
    }
}

/// Over everything that decides who we are and whom we believe. A certificate holds its public key,
/// and so stands for the key too.
fn fingerprint(settings: &UpstreamTls, identity: &Identity, trust: &Trust) -> u64 {
    let mut hash = Sha256::new();
    for certificate in identity.chain.iter().chain(&trust.authorities) {
        hash.update(&certificate.to_der().unwrap_or_default());
    }
    for list in &trust.lists {
        hash.update(list);
    }
    hash.update(&[u8::from(settings.minimum_version == Version::Tls13)]);
    let digest = hash.finish();
    digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

/// Without a byte of the key.
impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Credentials({:016x})", self.fingerprint)
    }
}
