//! One request and its answer, on a connection of its own. Redirects are not followed.

use std::{fmt, future::Future, io, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
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
        let whole = Limited::new(answer.into_body(), most).collect().await;
        let whole = whole.map_err(|error| match error.is::<LengthLimitError>() {
            true => NoAnswer::TooLong(most),
            false => NoAnswer::Cut(error),
        });
        Ok(whole?.to_bytes())
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
    let stream = TokioIo::new(stream(url, connector).await?);
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
trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

async fn stream(
    url: &Url,
    connector: Option<&SslConnector>,
) -> Result<Pin<Box<dyn Stream>>, NoAnswer> {
    let host = url.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, url.port())).await.map_err(NoAnswer::NotConnected)?;
    if !url.is_secure() {
        return Ok(Box::pin(stream));
    }
    let insecure = |fault: &dyn fmt::Display| NoAnswer::NotSecure(fault.to_string());
    let connector = connector.ok_or_else(|| insecure(&"there are no authorities"))?;
    let ssl = connector.configure().and_then(|it| it.into_ssl(host));
    let stream = ssl.and_then(|ssl| SslStream::new(ssl, stream));
    let mut stream = Box::pin(stream.map_err(|fault| insecure(&fault))?);
    stream.as_mut().connect().await.map_err(|fault| insecure(&fault))?;
    Ok(stream)
}
