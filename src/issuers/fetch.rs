//! Fetches a key set over https: from the configured address and nowhere else.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use openssl::ssl::SslConnector;
use thiserror::Error;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};
use tokio_openssl::SslStream;

use super::key_set::{KeySet, NotAKeySet};
use crate::config::KeysUrl;

/// How long a fetch may take, from its connection to its last byte.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// The most bytes of a key set.
const MOST_BYTES: usize = 1 << 20;

/// Why keys could not be fetched.
#[derive(Debug, Error)]
pub(super) enum NotFetched {
    #[error("no connection: {0}")]
    NotConnected(std::io::Error),
    #[error("no TLS: {0}")]
    NotSecure(String),
    #[error("no answer: {0}")]
    NotAnswered(#[from] hyper::Error),
    #[error("not complete within {} s", LIMIT.as_secs())]
    Late,
    #[error("answered {0}; expected 200 (redirects are not followed)")]
    Status(StatusCode),
    #[error("the answer is compressed, which was not asked for")]
    Compressed,
    #[error("the answer is larger than 1 MiB")]
    TooLong,
    #[error("the answer broke off: {0}")]
    Cut(Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer {0}")]
    NotAKeySet(#[from] NotAKeySet),
}

/// Fetches the key set behind `url`, whose certificate must be one that `connector` accepts.
pub(super) async fn fetch(url: &KeysUrl, connector: &SslConnector) -> Result<KeySet, NotFetched> {
    let bytes = timeout(LIMIT, get(url, connector)).await.or(Err(NotFetched::Late))??;
    Ok(KeySet::read(&bytes)?)
}

async fn get(url: &KeysUrl, connector: &SslConnector) -> Result<Bytes, NotFetched> {
    let stream = secure(url, connector).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Dropped with this function, which ends the connection.
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let request = Request::get(url.path())
        .header(header::HOST, url.authority())
        .header(header::ACCEPT, "application/jwk-set+json, application/json")
        .header(header::USER_AGENT, "gpconnect-gateway")
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|error| NotFetched::Cut(error.into()))?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    if head.status != StatusCode::OK {
        return Err(NotFetched::Status(head.status));
    }
    if head.headers.contains_key(header::CONTENT_ENCODING) {
        return Err(NotFetched::Compressed);
    }
    let whole = Limited::new(body, MOST_BYTES).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { NotFetched::TooLong } else { NotFetched::Cut(error) }
    })?;
    Ok(whole.to_bytes())
}

async fn secure(
    url: &KeysUrl,
    connector: &SslConnector,
) -> Result<SslStream<TcpStream>, NotFetched> {
    let host = url.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, url.port())).await.map_err(NotFetched::NotConnected)?;
    let ssl = connector.configure().and_then(|it| it.into_ssl(host));
    let stream = ssl.and_then(|ssl| SslStream::new(ssl, stream));
    let mut stream = stream.map_err(|error| NotFetched::NotSecure(error.to_string()))?;
    let shaken = std::pin::Pin::new(&mut stream).connect().await;
    shaken.map_err(|error| NotFetched::NotSecure(error.to_string()))?;
    Ok(stream)
}
