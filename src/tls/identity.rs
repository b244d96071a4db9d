//! A certificate of our own, the certificates that lead to its authority, and its key.

use openssl::{
    error::ErrorStack,
    pkey::{PKey, Private},
    ssl::SslContextBuilder,
    x509::{X509, X509VerifyResult},
};

use super::{
    certificate::{Expiry, name, seconds},
    fault::{Fault, both},
    files,
};
use crate::config::TlsFile;

/// What proves who we are.
pub(super) struct Identity {
    /// The certificate first.
    pub(super) chain: Vec<X509>,
    pub(super) key: PKey<Private>,
    pub(super) expiries: Vec<Expiry>,
}

impl Identity {
    /// Reads certificate and key, which must fit each other.
    pub(super) fn read(certificate: &TlsFile, key: &TlsFile) -> Result<Self, Vec<Fault>> {
        let chain = files::certificates(certificate).map_err(|fault| vec![fault]);
        let private = files::private_key(key).map_err(|fault| vec![fault]);
        let (chain, private) = both(chain, private)?;
        let leaf = chain.first().and_then(|leaf| leaf.public_key().ok());
        if !leaf.is_some_and(|leaf| leaf.public_eq(&private)) {
            let path = certificate.path.display();
            let problem = format!("is not the key of the certificate in {path}");
            return Err(vec![Fault::new(key, problem)]);
        }
        for pair in chain.windows(2) {
            let [one, next] = pair else { continue };
            if next.issued(one) != X509VerifyResult::OK {
                let (one, next) = (name(one.subject_name()), name(next.subject_name()));
                let problem = format!(
                    "is out of order: {one} is not issued by {next}, which follows it; write the \
                     certificate first, then each one's issuer"
                );
                return Err(vec![Fault::new(certificate, problem)]);
            }
        }
        let expiry = |one: &X509| Expiry {
            kind: "certificate",
            file: certificate.clone(),
            subject: name(one.subject_name()),
            at: seconds(one.not_after()),
        };
        let expiries = chain.iter().map(expiry).collect();
        Ok(Self { chain, key: private, expiries })
    }

    /// Has a context show it.
    pub(super) fn show(&self, context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
        let Some((leaf, others)) = self.chain.split_first() else { return Ok(()) };
        context.set_certificate(leaf)?;
        context.set_private_key(&self.key)?;
        others.iter().try_for_each(|one| context.add_extra_chain_cert(one.clone()))
    }
}
