//! The consumer side: how a listener takes TLS connections and judges their certificates.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI32, AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use gpconnect::names::HostName;
use openssl::{
    error::ErrorStack,
    ssl::{
        AlpnError, Ssl, SslAcceptor, SslAcceptorBuilder, SslContext, SslMethod, SslOptions, SslRef,
        SslSessionCacheMode, SslVerifyMode, SslVersion, select_next_proto,
    },
    x509::{X509, X509PurposeId, X509VerifyResult},
};

use super::{
    certificate::{ClientCertificate, Expiry, bears},
    fault::{Fault, both},
    files,
    identity::Identity,
    refused::{NotAccepted, Refused, openssl_codes::CRL_HAS_EXPIRED, word_of},
    renew::{Material, Renewable},
    revoked::Revoked,
    trust::{Moments, SECURITY_LEVEL, Trust, Verifier, unrevoked, verify},
};
use crate::config::{ListenerTls, Profile, Refusal, TlsFile};

/// The TLS of one listener.
pub type ServerTls = Renewable<Acceptor>;

/// Forward secrecy and authenticated encryption only.
const MODERN: &str = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
                      ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:\
                      ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
/// gp-connect 8, with its order. The groups would select DSS and truncated tags too.
const GP_CONNECT: &str = "AESGCM+EECDH:AESGCM+EDH:AES256+EECDH:AES256+EDH:!aDSS:!AESCCM8:!aNULL";
/// HTTP/1.1 and nothing else, as ALPN writes it.
const HTTP_1_1: &[u8] = b"\x08http/1.1";

/// Each acceptor has a number of its own, so that a connection knows whether the one that accepted
/// it is still in use.
static MADE: AtomicU64 = AtomicU64::new(0);

/// Takes TLS connections.
pub struct Acceptor {
    number: u64,
    context: SslContext,
    /// For connections that an earlier acceptor took.
    verifier: Verifier,
    revoked: Option<Arc<Revoked>>,
    refusal: Refusal,
    shown: Option<X509>,
    expiries: Vec<Expiry>,
}

/// The library's first complaint about a caller's chain; 0 for none.
#[derive(Clone, Debug, Default)]
pub struct Verdict(Arc<AtomicI32>);

/// A caller whose certificate was accepted.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Its certificate.
    pub certificate: Arc<ClientCertificate>,
    /// The last second of the certificate of its chain that ends first.
    good_until: i64,
    accepted_by: u64,
}

impl Verdict {
    /// Takes note of a complaint; whether it may be passed over.
    fn pass(&self, complaint: X509VerifyResult) -> bool {
        let code = complaint.as_raw();
        if code == CRL_HAS_EXPIRED {
            // Still good for what it lists; the metric of its expiry raises the alarm.
            return true;
        }
        self.note(code)
    }

    /// Takes note of what can't be passed over: false.
    fn note(&self, code: i32) -> bool {
        // Only the first counts: the others follow from it, or hide it.
        self.0.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed).unwrap_or_default();
        false
    }

    /// What is wrong with the chain.
    pub fn fault(&self) -> Option<&'static str> {
        let code = self.0.load(Ordering::Relaxed);
        // Codes come from the library's own complaints above.
        (code != 0).then(|| word_of(code))
    }
}

impl Acceptor {
    /// Whether the certificate that it shows names a host.
    pub fn names(&self, host: &HostName) -> bool {
        self.shown.as_ref().is_some_and(|shown| bears(shown, host))
    }

    /// Whether a caller without an acceptable certificate fails the handshake, and gets no answer.
    pub fn fails_handshakes(&self) -> bool {
        self.refusal == Refusal::Handshake
    }

    /// What [`Self::judge_again`] checks against.
    pub(super) const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Begins a handshake; what the library says of the caller's chain comes into the verdict.
    ///
    /// # Errors
    /// When the library has no memory.
    pub fn begin(&self) -> Result<(Ssl, Verdict), ErrorStack> {
        let mut ssl = Ssl::new(&self.context)?;
        let verdict = Verdict::default();
        let seen = verdict.clone();
        let completes = self.refusal == Refusal::Http;
        let mode = if completes {
            SslVerifyMode::PEER
        } else {
            SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT
        };
        let revoked = self.revoked.clone();
        ssl.set_verify_callback(mode, move |good, context| {
            // At the caller's own certificate the chain is complete.
            let is_last = good && context.error_depth() == 0;
            match unrevoked(revoked.as_deref().filter(|_| is_last), context.chain()) {
                Err(code) => seen.note(code) || completes,
                Ok(()) => good || seen.pass(context.error()) || completes,
            }
        });
        Ok((ssl, verdict))
    }

    /// Judges the caller at the end of a handshake.
    ///
    /// # Errors
    /// When there is no certificate, or not an acceptable one.
    pub fn judge(&self, ssl: &SslRef, verdict: &Verdict) -> Result<Caller, Box<Refused>> {
        let Some(certificate) = ssl.peer_certificate() else {
            return Err(Box::new(Refused { why: NotAccepted::Missing, certificate: None }));
        };
        let certificate = ClientCertificate::read(&certificate);
        if let Some(fault) = verdict.fault() {
            let why = NotAccepted::Bad(fault);
            return Err(Box::new(Refused { why, certificate: Some(certificate) }));
        }
        // Looked at in the handshake already; that it was does not depend on the library's callbacks.
        if let Err(code) = unrevoked(self.revoked.as_deref(), ssl.verified_chain()) {
            let why = NotAccepted::Bad(word_of(code));
            return Err(Box::new(Refused { why, certificate: Some(certificate) }));
        }
        let chain = ssl.verified_chain().into_iter().flatten();
        let ends = chain.map(|one| super::certificate::seconds(one.not_after())).min();
        Ok(Caller {
            good_until: ends.unwrap_or(certificate.not_after),
            certificate: Arc::new(certificate),
            accepted_by: self.number,
        })
    }

    /// Judges a caller once more, before each of its requests: its certificate may have been
    /// revoked, its authority removed, or its time have come since. As long as the same acceptor
    /// is in use, its lists are the same, and only the time is looked at.
    ///
    /// # Errors
    /// When its certificate is not acceptable any more.
    pub fn judge_again(&self, caller: &mut Caller, ssl: &SslRef) -> Result<(), Box<Refused>> {
        let now = now();
        let checked = if caller.accepted_by == self.number {
            if now > caller.good_until {
                Err("it, or an authority of it, has expired")
            } else {
                return Ok(());
            }
        } else {
            let certificate = ssl.peer_certificate().ok_or("it can't be checked");
            certificate.and_then(|certificate| {
                verify(&self.verifier, &certificate, ssl.peer_cert_chain(), now)
            })
        };
        match checked {
            Ok(good_until) => {
                (caller.good_until, caller.accepted_by) = (good_until, self.number);
                Ok(())
            }
            Err(fault) => Err(Box::new(Refused {
                why: NotAccepted::Bad(fault),
                certificate: Some(ClientCertificate::clone(&caller.certificate)),
            })),
        }
    }
}

impl Material for Acceptor {
    type Settings = ListenerTls;

    fn files(settings: &ListenerTls) -> Vec<&TlsFile> {
        [&settings.certificate, &settings.key]
            .into_iter()
            .chain(&settings.client_authorities)
            .chain(&settings.revocation_lists)
            .chain(&settings.dh_parameters)
            .collect()
    }

    fn load(settings: &ListenerTls) -> Result<Self, Vec<Fault>> {
        let identity = Identity::read(&settings.certificate, &settings.key);
        let trust = Trust::read(&settings.client_authorities, &settings.revocation_lists, now());
        let ((identity, trust), dh) = both(both(identity, trust), dh_parameters(settings))?;
        let unusable = |fault: ErrorStack| {
            let problem = format!("can't be used: {fault}");
            vec![Fault::new(&settings.certificate, problem)]
        };
        let mut builder = builder(settings.profile).map_err(unusable)?;
        if let Some(dh) = dh {
            builder.set_tmp_dh(&dh).map_err(unusable)?;
        }
        identity.show(&mut builder).map_err(unusable)?;
        let mut believe = || {
            for authority in &trust.authorities {
                builder.add_client_ca(authority)?;
            }
            builder.set_cert_store(trust.store(X509PurposeId::SSL_CLIENT, Moments::All)?);
            trust.verifier(X509PurposeId::SSL_CLIENT)
        };
        let verifier = believe().map_err(unusable)?;
        Ok(Self {
            number: MADE.fetch_add(1, Ordering::Relaxed),
            context: builder.build().into_context(),
            verifier,
            revoked: trust.revoked,
            refusal: settings.refusal,
            shown: identity.chain.first().cloned(),
            expiries: [identity.expiries, trust.expiries].concat(),
        })
    }

    fn expiries(&self) -> &[Expiry] {
        &self.expiries
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Acceptor({})", self.number)
    }
}

fn dh_parameters(
    settings: &ListenerTls,
) -> Result<Option<openssl::dh::Dh<openssl::pkey::Params>>, Vec<Fault>> {
    let parameters = settings.dh_parameters.as_ref().map(files::dh_parameters);
    parameters.transpose().map_err(|fault| vec![fault])
}

/// What both kinds of listeners with TLS begin with.
pub(super) fn builder(profile: Profile) -> Result<SslAcceptorBuilder, ErrorStack> {
    // Brings ffdhe2048 and the usual curves.
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    builder.set_security_level(SECURITY_LEVEL);
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    match profile {
        Profile::Modern => builder.set_cipher_list(MODERN)?,
        Profile::GpConnect => {
            builder.set_max_proto_version(Some(SslVersion::TLS1_2))?;
            builder.set_cipher_list(GP_CONNECT)?;
        }
    }
    // A resumed session would skip the check of its certificate.
    builder.set_options(
        SslOptions::CIPHER_SERVER_PREFERENCE
            | SslOptions::NO_TICKET
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::NO_SESSION_RESUMPTION_ON_RENEGOTIATION,
    );
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.set_num_tickets(0)?;
    builder.set_alpn_select_callback(|_, offered| {
        select_next_proto(HTTP_1_1, offered).ok_or(AlpnError::ALERT_FATAL)
    });
    Ok(builder)
}

/// Seconds since 1970 UTC.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().try_into().unwrap_or(i64::MAX)
}
