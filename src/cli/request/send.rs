//! Sends one request over HTTP/1.1, with TLS or without, and reads its answer, everything under one deadline.

use std::{
    fmt, io,
    pin::Pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use openssl::x509::X509VerifyResult;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::{self, timeout_at},
};

use tokio_openssl::SslStream;

use super::{
    fault::{Broken, Unsendable},
    gateway::Gateway,
    plan::Plan,
};
use crate::https::{ClientFiles, connector};

/// An answer as it arrived. `Debug` leaves out what may name a patient.
pub(super) struct Answer {
    pub(super) version: Version,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Why the body is not whole.
    pub(super) broken: Option<Broken>,
    /// From the first byte sent to the last one read.
    pub(super) took: Duration,
}

impl fmt::Debug for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Answer({}, {} bytes, {:?})", self.status, self.body.len(), self.broken)
    }
}

impl Answer {
    /// Whether it is what was asked for, or the same as before.
    pub(super) fn is_good(&self) -> bool {
        self.status.is_success() || self.status == StatusCode::NOT_MODIFIED
    }
}

/// More is not read: an answer without end must not fill the memory.
const MOST_BYTES: usize = 256 << 20;

/// When waiting ends, and how long that was from the start.
#[derive(Clone, Copy)]
struct Deadline {
    at: time::Instant,
    limit: Duration,
}

/// Sends the planned request.
///
/// # Errors
/// When there is no connection, or no head of an answer before the deadline.
pub(super) async fn send(plan: &Plan, limit: Duration) -> Result<Answer, Unsendable> {
    let deadline = Deadline { at: time::Instant::now() + limit, limit };
    let address = || plan.gateway.authority.clone();
    let silent = || Unsendable::Silent { address: address(), limit };
    let not_answered = |source| Unsendable::NotAnswered { address: address(), source };
    let stream = timeout_at(deadline.at, connect(plan)).await.or(Err(silent()))??;
    let handshake = http1::handshake(TokioIo::new(stream));
    let (sender, connection) =
        timeout_at(deadline.at, handshake).await.or(Err(silent()))?.map_err(not_answered)?;
    // Dropped with this function, which ends the connection.
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let started = Instant::now();
    let response = timeout_at(deadline.at, ask(sender, plan)).await.or(Err(silent()))?;
    let (head, mut body) = response.map_err(not_answered)?.into_parts();
    let mut bytes = Vec::new();
    let broken = read(&mut body, &mut bytes, deadline).await.err();
    Ok(Answer {
        version: head.version,
        status: head.status,
        headers: head.headers,
        body: bytes,
        broken,
        took: started.elapsed(),
    })
}

/// A connection to the gateway, of either kind.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

async fn connect(plan: &Plan) -> Result<Box<dyn Io>, Unsendable> {
    let gateway = &plan.gateway;
    if !gateway.secure && plan.files != ClientFiles::default() {
        return Err(Unsendable::PlainGateway(gateway.url()));
    }
    let stream = tcp(gateway).await?;
    if !gateway.secure {
        return Ok(Box::new(stream));
    }
    let connector = connector(&plan.files)?;
    let failed =
        |reason: String| Unsendable::NoHandshake { address: gateway.authority.clone(), reason };
    let ssl = connector.configure().and_then(|it| it.into_ssl(&gateway.host));
    let stream = ssl.and_then(|ssl| SslStream::new(ssl, stream));
    let mut stream = stream.map_err(|fault| failed(fault.to_string()))?;
    match Pin::new(&mut stream).connect().await {
        Ok(()) => Ok(Box::new(stream)),
        Err(fault) => Err(failed(match stream.ssl().verify_result() {
            X509VerifyResult::OK => fault.to_string(),
            found => format!(
                "the gateway's certificate is not accepted: {} (--ca FILE)",
                found.error_string()
            ),
        })),
    }
}

async fn tcp(gateway: &Gateway) -> Result<TcpStream, Unsendable> {
    let address = || gateway.authority.clone();
    let stream = TcpStream::connect((gateway.host.as_str(), gateway.port)).await;
    stream.map_err(|source| {
        if source.kind() == io::ErrorKind::ConnectionRefused {
            Unsendable::Refused { address: address() }
        } else {
            Unsendable::NotConnected { address: address(), source }
        }
    })
}

async fn ask(
    mut sender: SendRequest<Full<Bytes>>,
    plan: &Plan,
) -> hyper::Result<http::Response<Incoming>> {
    let body = plan.body.clone().unwrap_or_default();
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = method(plan.method);
    *request.uri_mut() = Uri::from(plan.target.clone());
    *request.headers_mut() = plan.sendable.clone();
    sender.send_request(request).await
}

fn method(name: &str) -> http::Method {
    name.parse().unwrap_or_default()
}

/// Reads the body into `bytes`, which keeps what came when it breaks off.
async fn read(body: &mut Incoming, bytes: &mut Vec<u8>, deadline: Deadline) -> Result<(), Broken> {
    loop {
        let read = bytes.len();
        let limit = deadline.limit;
        let frame = timeout_at(deadline.at, body.frame()).await;
        let frame = match frame.or(Err(Broken::Slow { read, limit }))? {
            None => return Ok(()),
            Some(frame) => frame.map_err(|source| Broken::Cut { read, source })?,
        };
        let data = frame.into_data().unwrap_or_default();
        if data.len() > MOST_BYTES - read {
            return Err(Broken::Endless { read });
        }
        bytes.extend_from_slice(&data);
    }
}
