//! One request and its answer, on a connection of its own. Redirects are not followed.

use std::{fmt, future::Future, io, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header, uri::PathAndQuery};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use openssl::ssl::SslConnector;
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};
use tokio_openssl::SslStream;

use crate::config::Url;

/// How long an exchange may take, from its connection to its last byte.
pub const LIMIT: Duration = Duration::from_secs(5);

/// Why there is no good answer.
#[derive(Debug, Error)]
pub enum NoAnswer {
    /// Nobody is there.
    #[error("no connection: {0}")]
    NotConnected(io::Error),
    /// Who is there is not believed, or does not believe us.
    #[error("no TLS: {0}")]
    NotSecure(String),
    /// What was said is no HTTP.
    #[error("no answer: {0}")]
    NotAnswered(#[from] hyper::Error),
    /// It takes too long.
    #[error("not complete within {} s", LIMIT.as_secs())]
    Late,
    /// The other end says no.
    #[error("answered {0}; expected {1} (redirects are not followed)")]
    Status(StatusCode, &'static str),
    /// Its form is not the one that was asked for.
    #[error("the answer is compressed, which was not asked for")]
    Compressed,
    /// It is larger than so many bytes.
    #[error("the answer is larger than {} KiB", .0 >> 10)]
    TooLong(usize),
    /// It has no end.
    #[error("the answer broke off: {0}")]
    Cut(Box<dyn std::error::Error + Send + Sync>),
    /// There is no such request.
    #[error("can't be asked: {0}")]
    NotAsked(#[from] http::Error),
}

/// What is behind `url`: the body of an answer 200, of at most `most` bytes. The other end must have
/// a certificate that `connector` accepts.
///
/// # Errors
/// [`NoAnswer`].
pub async fn get(
    url: &Url,
    connector: &SslConnector,
    accept: &str,
    most: usize,
) -> Result<Bytes, NoAnswer> {
    let request = Request::get(url.path()).header(header::ACCEPT, accept);
    in_time(async {
        let (_connection, answer) = ask(url, Some(connector), request, Bytes::new()).await?;
        if answer.status() != StatusCode::OK {
            return Err(NoAnswer::Status(answer.status(), "200"));
        }
        if answer.headers().contains_key(header::CONTENT_ENCODING) {
            return Err(NoAnswer::Compressed);
        }
        whole(answer.into_body(), most).await
    })
    .await
}

/// Gives `body` to what is behind `url`, which has to answer 2xx. What it says beside that is not
/// read. Without a `connector` nothing is sent to an https address.
///
/// # Errors
/// [`NoAnswer`].
pub async fn post(
    url: &Url,
    connector: Option<&SslConnector>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(), NoAnswer> {
    let mut request = Request::post(url.path());
    if let Some(all) = request.headers_mut() {
        *all = headers;
    }
    in_time(async {
        let (_connection, answer) = ask(url, connector, request, body).await?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(NoAnswer::Status(status, "2xx")),
        }
    })
    .await
}

/// Sends a whole request to the host of `url`, and reads the whole answer, whatever its status, of at
/// most `most` bytes.
///
/// # Errors
/// [`NoAnswer`].
pub async fn send(
    url: &Url,
    connector: Option<&SslConnector>,
    request: Request<Bytes>,
    most: usize,
) -> Result<Response<Bytes>, NoAnswer> {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let mut request = Request::builder().method(head.method).uri(path);
    if let Some(all) = request.headers_mut() {
        *all = head.headers;
    }
    in_time(async {
        let (_connection, answer) = ask(url, connector, request, body).await?;
        let (head, body) = answer.into_parts();
        Ok(Response::from_parts(head, whole(body, most).await?))
    })
    .await
}

async fn whole(body: Incoming, most: usize) -> Result<Bytes, NoAnswer> {
    let whole = Limited::new(body, most).collect().await;
    let whole = whole.map_err(|error| match error.is::<LengthLimitError>() {
        true => NoAnswer::TooLong(most),
        false => NoAnswer::Cut(error),
    })?;
    Ok(whole.to_bytes())
}

async fn in_time<T>(exchange: impl Future<Output = Result<T, NoAnswer>>) -> Result<T, NoAnswer> {
    timeout(LIMIT, exchange).await.or(Err(NoAnswer::Late))?
}

/// A connection ends when this is dropped.
type Connection = JoinSet<Result<(), hyper::Error>>;

async fn ask(
    url: &Url,
    connector: Option<&SslConnector>,
    request: http::request::Builder,
    body: Bytes,
) -> Result<(Connection, Response<Incoming>), NoAnswer> {
    let stream = open(url, connector, Protocol::Http1).await?;
    let (mut sender, connection) = http1::handshake(stream).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let request = request
        .header(header::HOST, url.authority())
        .header(header::USER_AGENT, env!("CARGO_PKG_NAME"))
        .body(Full::new(body))?;
    Ok((tasks, sender.send_request(request).await?))
}

/// What a request and its answer go through.
pub trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

/// A connection, as hyper takes it.
pub type Wire = TokioIo<Pin<Box<dyn Stream>>>;

/// What is spoken over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; over TLS the other end has to agree.
    Http2,
}

/// Connects to the host of `url`.
///
/// # Errors
/// [`NoAnswer`].
pub async fn open(
    url: &Url,
    connector: Option<&SslConnector>,
    protocol: Protocol,
) -> Result<Wire, NoAnswer> {
    let host = url.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, url.port())).await.map_err(NoAnswer::NotConnected)?;
    if !url.is_secure() {
        return Ok(TokioIo::new(Box::pin(stream)));
    }
    let insecure = |fault: &dyn fmt::Display| NoAnswer::NotSecure(fault.to_string());
    let connector = connector.ok_or_else(|| insecure(&"there are no authorities"))?;
    let ssl = connector.configure().and_then(|it| it.into_ssl(host));
    let stream = ssl.and_then(|mut ssl| {
        if protocol == Protocol::Http2 {
            ssl.set_alpn_protos(b"\x02h2")?;
        }
        SslStream::new(ssl, stream)
    });
    let mut stream = Box::pin(stream.map_err(|fault| insecure(&fault))?);
    stream.as_mut().connect().await.map_err(|fault| insecure(&fault))?;
    if protocol == Protocol::Http2 && stream.ssl().selected_alpn_protocol() != Some(b"h2") {
        return Err(insecure(&"the other end does not speak HTTP/2"));
    }
    Ok(TokioIo::new(stream))
}
