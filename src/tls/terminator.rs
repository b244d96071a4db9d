//! Behind a terminator of TLS: how a listener knows the terminator, and judges the certificates that
//! it tells of. The verdict on a caller is ours, with our own authorities and lists; the terminator
//! is believed in one thing only, that the caller holds the key of the certificate.

use std::{fmt, sync::Arc};

use openssl::{
    error::ErrorStack,
    sha::Sha256,
    ssl::{Ssl, SslContext, SslVerifyMode},
    stack::Stack,
    x509::{X509, X509PurposeId},
};

use super::{
    accepted::{Accepted, Known},
    certificate::{ClientCertificate, Expiry},
    fault::{Fault, both},
    identity::Identity,
    refused::{NotAccepted, Refused},
    renew::{Material, Renewable},
    server::{Verdict, builder, now},
    trust::{Trust, Verifier, verify},
};
use crate::config::{Fingerprint, ListenerTerminator, Pinned, Profile, TlsFile};

/// The TLS of one listener behind a terminator.
pub type TerminatorTls = Renewable<Terminator>;

/// What a terminator tells of a caller: bytes that nobody has looked at yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The caller's certificate, in DER.
    pub certificate: Vec<u8>,
    /// Those that lead to its authority.
    pub chain: Vec<Vec<u8>>,
}

/// Knows terminators, and judges callers.
pub struct Terminator {
    /// How TLS is spoken with the terminator; none at a Unix socket.
    context: Option<SslContext>,
    pinned: Vec<Fingerprint>,
    verifier: Verifier,
    /// Lives and dies with the verifier: other authorities or lists begin with none.
    known: Known,
    expiries: Vec<Expiry>,
}

impl Terminator {
    /// Whether terminators come over TLS; else the system has told who they are.
    pub fn speaks_tls(&self) -> bool {
        self.context.is_some()
    }

    /// What callers are judged by.
    pub(super) const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Begins a handshake with a terminator. Whatever it shows passes here: what counts is its
    /// fingerprint, and a refusal is to be answered.
    ///
    /// # Errors
    /// When the library has no memory.
    pub fn begin(&self) -> Result<(Ssl, Verdict), ErrorStack> {
        let Some(context) = &self.context else { return Err(ErrorStack::get()) };
        let mut ssl = Ssl::new(context)?;
        ssl.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        Ok((ssl, Verdict::default()))
    }

    /// Whether the certificate of the other end is a terminator's, at the end of a handshake.
    ///
    /// # Errors
    /// When there is none, it is not a terminator's, or its time is over.
    pub fn recognise(
        &self,
        shown: Option<ClientCertificate>,
    ) -> Result<ClientCertificate, Box<Refused>> {
        let missing = Refused { why: NotAccepted::Missing, certificate: None };
        let shown = shown.ok_or_else(|| Box::new(missing))?;
        self.still_recognises(&shown).map(|()| shown)
    }

    /// The same before each request: it may have been replaced since.
    ///
    /// # Errors
    /// When it is not a terminator's any more, or its time is over.
    pub fn still_recognises(&self, shown: &ClientCertificate) -> Result<(), Box<Refused>> {
        let fault = if !self.pinned.contains(&Fingerprint(shown.sha256)) {
            "it is none of the terminators of this listener"
        } else if shown.not_after < now() {
            "its certificate has expired"
        } else {
            return Ok(());
        };
        let why = NotAccepted::Terminator(fault);
        Err(Box::new(Refused { why, certificate: Some(shown.clone()) }))
    }

    /// Judges the caller of one request. A chain that was accepted before is accepted again as long
    /// as its time is not over: then only bytes are compared.
    ///
    /// # Errors
    /// When its certificate is not acceptable, or is none.
    pub fn judge(&self, told: &Told) -> Result<Arc<ClientCertificate>, Box<Refused>> {
        let sha256 = openssl::sha::sha256(&told.certificate);
        let chain = digest(&told.chain);
        let now = now();
        if let Some(accepted) = self.known.find(&sha256, &chain)
            && now <= accepted.good_until
        {
            return Ok(accepted.certificate);
        }
        let bad =
            |fault, certificate| Box::new(Refused { why: NotAccepted::Bad(fault), certificate });
        const UNREADABLE: &str = "it is no X.509 certificate in DER";
        let leaf = read(&told.certificate).ok_or_else(|| bad(UNREADABLE, None))?;
        let certificate = ClientCertificate::read(&leaf);
        let checked = others(&told.chain)
            .ok_or("the certificates beside it can't be read")
            .and_then(|others| verify(&self.verifier, &leaf, Some(&others), now));
        match checked {
            Ok(good_until) => {
                let certificate = Arc::new(certificate);
                let accepted =
                    Accepted { certificate: Arc::clone(&certificate), chain, good_until };
                self.known.note(sha256, &accepted);
                Ok(certificate)
            }
            Err(fault) => Err(bad(fault, Some(certificate))),
        }
    }
}

/// A certificate of exactly these bytes.
fn read(der: &[u8]) -> Option<X509> {
    // The library stops behind the first one, and passes over what is no DER in it.
    X509::from_der(der).ok().filter(|read| read.to_der().is_ok_and(|again| again == der))
}

fn others(chain: &[Vec<u8>]) -> Option<Stack<X509>> {
    let mut others = Stack::new().ok()?;
    for der in chain {
        others.push(read(der)?).ok()?;
    }
    Some(others)
}

/// One digest of all, each with its length, so that no two lists have the same bytes.
fn digest(chain: &[Vec<u8>]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for der in chain {
        hash.update(&der.len().to_be_bytes());
        hash.update(der);
    }
    hash.finish()
}

impl Material for Terminator {
    type Settings = ListenerTerminator;

    fn files(settings: &ListenerTerminator) -> Vec<&TlsFile> {
        let own = settings.pinned.iter().flat_map(|pinned| [&pinned.certificate, &pinned.key]);
        own.chain(&settings.client_authorities).chain(&settings.revocation_lists).collect()
    }

    fn load(settings: &ListenerTerminator) -> Result<Self, Vec<Fault>> {
        let own = settings.pinned.as_ref().map(|pinned| {
            let identity = Identity::read(&pinned.certificate, &pinned.key)?;
            let context = context(&identity);
            let context = context.map_err(|fault| unusable(&pinned.certificate, &fault))?;
            Ok((context, identity.expiries))
        });
        let trust = Trust::read(&settings.client_authorities, &settings.revocation_lists, now());
        let (own, trust) = both(own.transpose(), trust)?;
        let verifier = trust.verifier(X509PurposeId::SSL_CLIENT).map_err(|fault| {
            settings.client_authorities.first().map_or_else(Vec::new, |it| unusable(it, &fault))
        })?;
        let (context, own) = own.unzip();
        let pinned = |pinned: &Pinned| pinned.terminators.clone();
        Ok(Self {
            context,
            pinned: settings.pinned.as_ref().map(pinned).unwrap_or_default(),
            verifier,
            known: Known::default(),
            expiries: [own.unwrap_or_default(), trust.expiries].concat(),
        })
    }

    fn expiries(&self) -> &[Expiry] {
        &self.expiries
    }
}

fn unusable(file: &TlsFile, fault: &ErrorStack) -> Vec<Fault> {
    vec![Fault::new(file, format!("can't be used: {fault}"))]
}

fn context(identity: &Identity) -> Result<SslContext, ErrorStack> {
    let mut builder = builder(Profile::Modern)?;
    identity.show(&mut builder)?;
    Ok(builder.build().into_context())
}

impl fmt::Debug for Terminator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Terminator({:?})", self.pinned)
    }
}
