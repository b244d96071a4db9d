//! TLS before the front: one handshake under one deadline, on our own terms. The engine would wait
//! a minute for it, count nothing, and tell nobody why it failed.

use std::time::Duration;

use openssl::{
    error::ErrorStack,
    ssl::{self, Ssl, SslRef},
};
use pingora::{
    protocols::{Peek as _, Stream, l4, tls::SslStream},
    time::timeout,
};

use crate::tls::{Acceptor, Caller, ClientCertificate, NotAccepted, Refused, Terminator, Verdict};

/// The first byte of every TLS connection: the type of a handshake's record.
const HANDSHAKE: u8 = 22;

/// Why there is no TLS connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The caller closed it without a word, as those do who only look whether we are there.
    Closed,
    /// It was not complete in time.
    Late,
    /// The caller speaks HTTP without TLS.
    PlainHttp,
    /// The caller's certificate is missing or bad, and the handshake is to fail by it.
    Certificate(NotAccepted),
    /// The two could not agree, or the caller refused us.
    Protocol(String),
}

impl Failure {
    /// The word for the metric.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Late => "late",
            Self::PlainHttp => "plain_http",
            Self::Certificate(_) => "certificate",
            Self::Protocol(_) => "protocol",
        }
    }
}

/// Who speaks TLS with what connects, and judges it.
pub(super) trait Host: Sync {
    /// What it knows of one that is accepted.
    type Guest: Send;

    /// Begins a handshake.
    fn begin(&self) -> Result<(Ssl, Verdict), ErrorStack>;

    /// Judges the other end of a complete one.
    fn judge(&self, ssl: &SslRef, verdict: &Verdict) -> Result<Self::Guest, Box<Refused>>;
}

impl Host for Acceptor {
    type Guest = Caller;

    fn begin(&self) -> Result<(Ssl, Verdict), ErrorStack> {
        Self::begin(self)
    }

    fn judge(&self, ssl: &SslRef, verdict: &Verdict) -> Result<Caller, Box<Refused>> {
        Self::judge(self, ssl, verdict)
    }
}

impl Host for Terminator {
    type Guest = ClientCertificate;

    fn begin(&self) -> Result<(Ssl, Verdict), ErrorStack> {
        Self::begin(self)
    }

    fn judge(&self, ssl: &SslRef, _: &Verdict) -> Result<ClientCertificate, Box<Refused>> {
        self.recognise(ssl.peer_certificate().as_deref().map(ClientCertificate::read))
    }
}

/// The outcome for an end with which TLS is spoken.
pub(super) type Judged<G> = Result<G, Box<Refused>>;

/// Shakes hands within `limit`.
pub(super) async fn shake<H: Host>(
    stream: Stream,
    host: &H,
    limit: Duration,
) -> Result<(Stream, Judged<H::Guest>), Failure> {
    timeout(limit, begin(stream, host)).await.unwrap_or(Err(Failure::Late))
}

async fn begin<H: Host>(stream: Stream, host: &H) -> Result<(Stream, Judged<H::Guest>), Failure> {
    let unable = |fault: &str| Failure::Protocol(fault.to_owned());
    let stream = stream.into_any().downcast::<l4::stream::Stream>();
    let mut stream = stream.or(Err(unable("the connection is of no known kind")))?;
    let mut first = [0];
    if !matches!(stream.try_peek(&mut first).await, Ok(true)) {
        return Err(Failure::Closed);
    }
    match first {
        [HANDSHAKE] => {}
        [letter] if letter.is_ascii_alphabetic() => return Err(Failure::PlainHttp),
        _ => return Err(unable("what came is neither TLS nor HTTP")),
    }
    let (ssl, verdict) = host.begin().map_err(|fault| unable(&fault.to_string()))?;
    let stream = SslStream::new(ssl, *stream);
    let mut stream = stream.map_err(|fault| unable(&fault.to_string()))?;
    match stream.accept().await {
        Ok(()) => {
            let judged = host.judge(stream.ssl(), &verdict);
            Ok((Box::new(stream), judged))
        }
        Err(fault) => Err(why(&fault, &verdict)),
    }
}

/// What made a handshake fail.
fn why(fault: &ssl::Error, verdict: &Verdict) -> Failure {
    const NO_CERTIFICATE: &str = "peer did not return a certificate";
    if let Some(fault) = verdict.fault() {
        return Failure::Certificate(NotAccepted::Bad(fault));
    }
    let first = fault.ssl_error().and_then(|stack| stack.errors().first());
    match first.and_then(|error| error.reason()) {
        Some(NO_CERTIFICATE) => Failure::Certificate(NotAccepted::Missing),
        Some(reason) => Failure::Protocol(reason.to_owned()),
        None => Failure::Closed,
    }
}
