//! Asking the practice, and passing on what it answers.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Word;
use super::checked::Checked;
use crate::simulator::wire::reply::Reply;

const VIA: HeaderValue = HeaderValue::from_static("1.1 secure-proxy.sim.example");

/// What belongs to one connection.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// The practice's whole answer; a part of one is none.
pub(super) async fn pass(
    head: &Parts,
    body: Bytes,
    checked: &Checked<'_, '_>,
    address: SocketAddr,
    patience: Duration,
) -> Result<Reply, Word> {
    let request = request(head, body, checked).ok_or(Word::Unreachable)?;
    match timeout(patience, ask(request, address)).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(_)) => Err(Word::Unreachable),
        Err(_) => Err(Word::Timeout),
    }
}

fn request(
    head: &Parts,
    body: Bytes,
    Checked { root, request: path, .. }: &Checked<'_, '_>,
) -> Option<Request<Full<Bytes>>> {
    let target = [root.path(), path].concat();
    let mut request = Request::builder().method(&head.method).uri(target).body(body.into()).ok()?;
    let mut headers = passed(&head.headers);
    headers.insert(header::HOST, root.authority().parse().ok()?);
    *request.headers_mut() = headers;
    Some(request)
}

/// What of a message's headers goes on.
fn passed(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers.append(header::VIA, VIA);
    headers
}

async fn ask(
    request: Request<Full<Bytes>>,
    address: SocketAddr,
) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with its sender, and the sender with this function.
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    let pieces = vec![body.collect().await?.to_bytes()];
    let chunked = head.headers.contains_key(header::TRANSFER_ENCODING);
    let mut headers = passed(&head.headers);
    headers.remove(header::CONTENT_LENGTH);
    Ok(Reply { status: head.status, headers, pieces, chunked })
}
