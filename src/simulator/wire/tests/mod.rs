//! The simulator over a real socket, with a client that nobody here wrote.

mod faults;
mod headers;
mod walk;

use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use gpconnect::interaction::InteractionId;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use super::{Running, Settings, start};
use crate::simulator::practice::tests::now;
use crate::simulator::{Clock, Estate};

/// A simulator on a free port on a Monday morning.
pub(super) async fn running() -> Running {
    let mut settings = Settings::new(Arc::new(Estate::generate(1, 3)));
    settings.clock = Clock::fixed(now().timestamp());
    settings.recorded = 10;
    start(settings, TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap()
}

/// An answer as it arrived.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A call of the first practice, with the headers that every request needs.
pub(super) fn call(interaction: InteractionId, path: &str, body: &str) -> Request<Full<Bytes>> {
    let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode("{}");
    Request::builder()
        .method(interaction.row().verb.as_str())
        .uri(format!("/A20047/STU3/1/gpconnect{path}"))
        .header("host", "gp1.sim.example")
        .header("Ssp-TraceID", "09a01679-2564-0fb4-5129-aecc81ea2706")
        .header("Ssp-From", "200000000359")
        .header("Ssp-To", "910000000000")
        .header("Ssp-InteractionID", interaction.urn())
        .header("Authorization", format!("Bearer {token}.{token}."))
        .header("Content-Type", "application/fhir+json;charset=utf-8")
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap()
}

/// The same call with one more header.
pub(super) fn with(
    mut request: Request<Full<Bytes>>,
    name: &'static str,
    value: &str,
) -> Request<Full<Bytes>> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

/// One kept-alive connection.
pub(super) async fn connect(running: &Running) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(running.local_addr()).await.unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Sends a request and reads the whole answer.
pub(super) async fn try_send(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> hyper::Result<Answer> {
    sender.ready().await?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer { status: head.status, headers: head.headers, body })
}

/// Sends a request on a connection of its own.
pub(super) async fn send(running: &Running, request: Request<Full<Bytes>>) -> Answer {
    try_send(&mut connect(running).await, request).await.unwrap()
}
