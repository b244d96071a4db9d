//! TLS towards an upstream: the engine shakes hands and verifies nothing; the verdict on the other
//! end is ours, and without one no byte of a request is sent.
//!
//! The engine's own verification knows no revocation lists, is off when a name is empty, and does
//! not say what it found wrong.

use std::{any::Any, sync::Arc};

use gpconnect::names::HostName;
use openssl::ssl::SslRef;
use pingora::{
    Error, ErrorType, Result, protocols::Digest, upstreams::peer::HttpPeer, utils::tls::CertKey,
};

use crate::tls::{Accepted, Credentials};

/// With whom TLS is to be spoken: a host has a name, so that there is always one to verify.
#[derive(Clone, Debug)]
pub(super) struct Trusted {
    pub(super) credentials: Arc<Credentials>,
    pub(super) host: HostName,
}

/// What a handshake leaves with its connection.
type Verdict = std::result::Result<Accepted, String>;

impl Trusted {
    /// Has the engine speak TLS with it.
    pub(super) fn secure(&self, peer: &mut HttpPeer) {
        let make = |credentials: &Credentials| {
            let chain = credentials.chain().to_vec();
            Arc::new(CertKey::new(chain, credentials.key().clone()))
        };
        peer.client_cert_key = self.credentials.prepared(make).cloned();
        peer.group_key = self.credentials.fingerprint;
        peer.options.verify_cert = false;
        peer.options.verify_hostname = false;
        let Self { credentials, host } = self.clone();
        peer.options.upstream_tls_handshake_complete_hook = Some(Arc::new(move |ssl: &SslRef| {
            let verdict: Verdict = credentials.judge(ssl, &host);
            Some(Arc::new(verdict) as Arc<dyn Any + Send + Sync>)
        }));
    }

    /// Checks that a connection, new or kept, is with whom it is to be.
    ///
    /// # Errors
    /// What is wrong with the other end.
    pub(super) fn check(&self, connection: Option<&Digest>) -> Result<()> {
        let refuse =
            |why: &str| Err(Error::explain(ErrorType::InvalidCert, why.to_owned()).into_up());
        let session = connection.and_then(|digest| digest.ssl_digest.as_ref());
        let verdict = session.and_then(|session| session.extension.get::<Verdict>());
        match verdict {
            Some(Ok(accepted)) if !self.made(accepted) => {
                refuse("it was made for another upstream")
            }
            Some(Ok(accepted)) => accepted.still().or_else(refuse),
            Some(Err(why)) => refuse(why),
            None => refuse("it was not looked at"),
        }
    }

    fn made(&self, accepted: &Accepted) -> bool {
        accepted.fingerprint == self.credentials.fingerprint && accepted.host == self.host
    }
}

/// Whether the other end broke the connection off with a message of TLS: under TLS 1.3 a
/// certificate of ours is refused only after the handshake.
pub(super) fn is_alert(fault: &Error) -> bool {
    library_reason(fault).is_some_and(|reason| reason.contains("alert"))
}

/// What is wrong with the other end, or what the library said of a handshake that failed.
pub(super) fn reason(fault: &Error) -> String {
    let ours = *fault.etype() == ErrorType::InvalidCert;
    let context = fault.context.as_ref().map(|context| context.as_str()).filter(|_| ours);
    context.map(str::to_owned).or_else(|| library_reason(fault).map(explained)).unwrap_or_else(
        || {
            // It may have been busy, or have been none of TLS.
            String::from("the connection ended within the handshake")
        },
    )
}

/// The alert of a provider that can't agree with us does not say on what. The engine's suites can't
/// be configured.
fn explained(reason: String) -> String {
    if reason.ends_with("alert handshake failure") {
        return format!(
            "{reason}: it may have no suite in common with the gateway, which wants ECDHE \
             (Diffie-Hellman without curves is not offered), or want another certificate"
        );
    }
    reason
}

/// The reason within `error:{code}:{library}:{function}:{reason}:{place}`.
fn library_reason(fault: &Error) -> Option<String> {
    let context = fault.context.as_ref().map(|context| context.as_str()).unwrap_or_default();
    let text = format!("{context} {}", fault.root_cause());
    let (_, behind) = text.split_once("error:")?;
    behind.split(':').nth(3).filter(|reason| !reason.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_s_reason_is_found() {
        let failed = "TLS connect() failed: error:0A000410:SSL routines:ssl3_read_bytes:sslv3 \
                      alert handshake failure:../ssl/record/rec_layer_s3.c:1584:SSL alert number \
                      40, SNI: gp.example";
        for (name, etype, context, expected) in [
            (
                "a handshake",
                ErrorType::TLSHandshakeFailure,
                failed,
                "sslv3 alert handshake failure: it may have no suite in common with the gateway, \
                 which wants ECDHE (Diffie-Hellman without curves is not offered), or want another \
                 certificate",
            ),
            ("our verdict", ErrorType::InvalidCert, "it is error: a:b:c:d", "it is error: a:b:c:d"),
            (
                "no reason",
                ErrorType::TLSHandshakeFailure,
                "TLS connect() failed: unexpected EOF, SNI: gp.example",
                "the connection ended within the handshake",
            ),
        ] {
            let fault = Error::explain(etype, context);
            assert_eq!(reason(&fault), expected, "{name}");
            assert_eq!(is_alert(&fault), name == "a handshake", "{name}");
        }
    }
}
