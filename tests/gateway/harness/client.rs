//! The client's end: one connection that sends calls over hyper, and a bare socket for what hyper
//! would not send.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Call, DEADLINE};

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// All values of a header, joined by a comma and a blank; empty when there is none.
    pub(crate) fn header(&self, name: &str) -> String {
        let values = self.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn json(&self) -> Value {
        let read = serde_json::from_slice(&self.body);
        read.unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// One connection to a listener, kept open between calls.
pub(crate) struct Connection(SendRequest<Pieces>);

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream).await
    }

    /// A connection over any kind of stream.
    pub(crate) async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends a call and hands over the answer's body as it comes.
    pub(crate) async fn begin(&mut self, call: Call) -> Response<Incoming> {
        let begun = async {
            self.0.ready().await?;
            self.0.send_request(request(call)).await
        };
        timeout(DEADLINE, begun).await.expect("an answer in time").expect("an answer")
    }

    /// Sends a call and reads all of the answer.
    pub(crate) async fn send(&mut self, call: Call) -> Answer {
        self.try_send(call).await.expect("an answer")
    }

    /// The same, for answers that may break off.
    pub(crate) async fn try_send(&mut self, call: Call) -> hyper::Result<Answer> {
        let exchange = async {
            self.0.ready().await?;
            let (head, body) = self.0.send_request(request(call)).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
        };
        timeout(DEADLINE, exchange).await.expect("an answer in time")
    }
}

fn request(call: Call) -> Request<Pieces> {
    let mut request = Request::builder().method(call.verb.as_str()).uri(&call.target);
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    let with_length = call.body.len() < 2;
    request.body(Pieces::new(call.body, with_length)).unwrap()
}

/// A body in pieces, each of which becomes a chunk unless the length is sent.
pub(crate) struct Pieces {
    pieces: VecDeque<Bytes>,
    with_length: bool,
}

impl Pieces {
    pub(crate) fn new(pieces: Vec<Bytes>, with_length: bool) -> Self {
        Self { pieces: pieces.into(), with_length }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.with_length {
            SizeHint::with_exact(self.pieces.iter().map(|piece| piece.len() as u64).sum())
        } else {
            SizeHint::default()
        }
    }
}

/// A bare connection: bytes out, bytes in.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads until what was read ends in these bytes.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        let reading = async {
            while !read.ends_with(end.as_bytes()) {
                read.push(self.0.read_u8().await?);
            }
            std::io::Result::Ok(())
        };
        let came = timeout(DEADLINE, reading).await;
        let read = String::from_utf8_lossy(&read).into_owned();
        assert!(matches!(came, Ok(Ok(()))), "{end:?} did not come: {came:?} after {read:?}");
        read
    }

    /// Reads until the gateway closes.
    pub(crate) async fn read_to_end(&mut self) -> String {
        let mut read = Vec::new();
        let closed = timeout(DEADLINE, self.0.read_to_end(&mut read)).await;
        let read = String::from_utf8_lossy(&read).into_owned();
        // A reset behind an answer is a close as well.
        assert!(closed.is_ok(), "the connection stayed open after {read:?}");
        read
    }
}

/// The SHA-256 of some bytes in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
