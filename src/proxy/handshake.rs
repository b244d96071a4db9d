//! TLS before the front: one handshake under one deadline, on our own terms. The engine would wait
//! a minute for it, count nothing, and tell nobody why it failed.

use std::time::Duration;

use openssl::ssl;
use pingora::{
    protocols::{Peek as _, Stream, l4, tls::SslStream},
    time::timeout,
};

use crate::tls::{Acceptor, Caller, NotAccepted, Refused, Verdict};

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

/// The outcome for a caller with whom TLS is spoken.
pub(super) type Judged = Result<Caller, Box<Refused>>;

/// Shakes hands within `limit`.
pub(super) async fn shake(
    stream: Stream,
    acceptor: &Acceptor,
    limit: Duration,
) -> Result<(Stream, Judged), Failure> {
    timeout(limit, begin(stream, acceptor)).await.unwrap_or(Err(Failure::Late))
}

async fn begin(stream: Stream, acceptor: &Acceptor) -> Result<(Stream, Judged), Failure> {
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
    let (ssl, verdict) = acceptor.begin().map_err(|fault| unable(&fault.to_string()))?;
    let stream = SslStream::new(ssl, *stream);
    let mut stream = stream.map_err(|fault| unable(&fault.to_string()))?;
    match stream.accept().await {
        Ok(()) => {
            let judged = acceptor.judge(stream.ssl(), &verdict);
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
