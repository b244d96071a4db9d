//! One request through the gateway's own steps, without a connection and without a provider: what
//! `explain` shows is what the live gateway does, because it is the same code. The engine parses the
//! head and reads the body here too.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use gpconnect::{
    Permit, Rejection, facts::Fields, media::Format, names::TraceId, outcome::Style,
    rejection::Reason,
};
use http::header;
use pingora::{http::RequestHeader, proxy::Session};
use tokio::io::{AsyncWriteExt, DuplexStream};

use super::{
    answer::Answer,
    body,
    bounded::Bounded,
    convert,
    framing::Body,
    front,
    head::{self, Rules, Scan},
    onward,
    request::{self, Outgoing},
    told,
};
use crate::{
    config::{Limits, ServerName},
    snapshot::Snapshot,
};

/// Stage 1 for the head of `message` alone, whose bytes arrive `piece` at a time: the head that the
/// engine is given. None when it has no end.
///
/// # Errors
/// What the front refuses it with.
pub fn admit(
    message: &[u8],
    piece: usize,
    limits: &Limits,
    server_names: &[ServerName],
) -> Option<Result<BytesMut, Reason>> {
    let rules = Rules { limits: *limits, server_names, told: false };
    let mut scan = Scan::default();
    let arrived = (1..).map(|pieces: usize| pieces.saturating_mul(piece).min(message.len()));
    let whole = message.len();
    let arrived = arrived.take_while(|arrived| *arrived < whole).chain([whole]);
    let found = arrived
        .filter_map(|arrived| scan.end(message.get(..arrived)?, &rules).transpose())
        .next()?;
    let head = found.map(|end| message.get(..end).unwrap_or_default());
    Some(head.and_then(|head| {
        let accepted = head::check(head, &rules)?;
        let mut bytes = BytesMut::from(head);
        accepted.into_origin_form(&mut bytes);
        Ok(bytes)
    }))
}

/// A request that stage 1 let in.
pub struct Arrived {
    session: Session,
    /// Whether the listener speaks TLS.
    secure: bool,
    /// The caller's end, kept so that the connection does not look broken.
    _caller: DuplexStream,
}

/// Stage 1 for `message`, as it would arrive at the listener of place `listener`. None when the
/// head has no end, or the configuration has no such listener.
///
/// # Errors
/// What the front refuses it with.
pub async fn arrive(
    message: &[u8],
    snapshot: &Snapshot,
    listener: usize,
) -> Option<Result<Arrived, Reason>> {
    let secure = snapshot.entrance(listener)?.access.is_secure();
    match enter(message, snapshot, listener)? {
        Ok((head, body, behind)) => Some(parse(head, body, behind, secure).await),
        Err(reason) => Some(Err(reason)),
    }
}

/// What the front does with the head of `message`: the message in origin form, or why it is
/// refused. None as in [`arrive`].
///
/// # Errors
/// What the front refuses it with.
pub fn check_head(
    message: &[u8],
    snapshot: &Snapshot,
    listener: usize,
) -> Option<Result<BytesMut, Reason>> {
    let entered = enter(message, snapshot, listener)?;
    Some(entered.map(|(mut head, _, behind)| {
        head.extend_from_slice(behind);
        head
    }))
}

/// A head in origin form, what follows it, and the bytes behind it.
type Entered<'m> = (BytesMut, Body, &'m [u8]);

fn enter<'m>(
    message: &'m [u8],
    snapshot: &Snapshot,
    listener: usize,
) -> Option<Result<Entered<'m>, Reason>> {
    let rules = Rules::of(snapshot.limits, snapshot.entrance(listener)?);
    let end = match Scan::default().end(message, &rules) {
        Ok(end) => end?,
        Err(reason) => return Some(Err(reason)),
    };
    let (head, behind) = message.split_at_checked(end)?;
    Some(head::check(head, &rules).and_then(|accepted| {
        let body = accepted.body;
        let mut head = BytesMut::from(head);
        accepted.into_origin_form(&mut head);
        if rules.told {
            // Who is calling was asked for beside the request.
            drop(told::take(&mut head)?);
        }
        Ok((head, body, behind))
    }))
}

/// Lets the engine read it, from a connection that ends behind it.
async fn parse(head: BytesMut, body: Body, behind: &[u8], secure: bool) -> Result<Arrived, Reason> {
    let broken = || Reason::HeadMalformed("the engine can't read it");
    let (mut caller, gateway) = tokio::io::duplex(behind.len() + 1_024);
    caller.write_all(behind).await.or(Err(broken()))?;
    caller.shutdown().await.or(Err(broken()))?;
    let mut connection = Bounded::new(Box::new(gateway));
    connection.expect(body);
    let mut session = Session::new_h1(Box::new(connection));
    session.as_downstream_mut().set_pipelined_prefix(head);
    match session.as_downstream_mut().read_request().await {
        Ok(true) => Ok(Arrived { session, secure, _caller: caller }),
        Ok(false) | Err(_) => Err(broken()),
    }
}

impl Arrived {
    /// Its method.
    pub fn method(&self) -> &str {
        self.session.req_header().method.as_str()
    }

    /// Its target in origin form.
    pub fn target(&self) -> &str {
        convert::target(self.session.req_header())
    }

    /// The header fields that the decision looks at.
    pub fn fields(&self) -> Fields<'_> {
        convert::fields(self.session.req_header())
    }

    /// The values of a header, as they were sent.
    pub fn values(&self, name: &str) -> Vec<&[u8]> {
        let values = self.session.req_header().headers.get_all(name).iter();
        values.map(http::HeaderValue::as_bytes).collect()
    }

    /// Stage 9: its hops, then the whole body.
    ///
    /// # Errors
    /// As the gateway refuses it.
    pub async fn body(&mut self, snapshot: &Snapshot) -> Result<Bytes, Reason> {
        onward::check_hops(self.session.req_header())?;
        let (limit, deadline) = (snapshot.limits.body_bytes, snapshot.timeouts.body);
        body::hold(&mut self.session, limit, deadline).await?;
        Ok(self.session.as_downstream().get_retry_buffer().unwrap_or_default())
    }

    /// The head that goes to the provider, as bytes.
    pub fn outgoing(
        &self,
        permit: &Permit,
        snapshot: &Snapshot,
        client: Option<SocketAddr>,
    ) -> Option<Vec<u8>> {
        let arrived = self.session.req_header();
        let body = self.session.as_downstream().get_retry_buffer().unwrap_or_default();
        let forwarded = request::forwarded(client, arrived, self.secure);
        let outgoing = Outgoing::new(permit, snapshot, arrived, body.len(), forwarded)?;
        let mut head = arrived.clone();
        strip_hop_by_hop(&mut head);
        outgoing.write(permit, arrived, &mut head).ok()?;
        let mut wire =
            [head.method.as_str().as_bytes(), b" ", head.raw_path(), b" HTTP/1.1\r\n"].concat();
        let mut fields = BytesMut::new();
        head.header_to_h1_wire(&mut fields);
        wire.extend_from_slice(&fields);
        Some(wire)
    }
}

/// What the engine removes before it asks for the outgoing head; its own function is private.
fn strip_hop_by_hop(head: &mut RequestHeader) {
    const ALWAYS: [&str; 10] = [
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "connection",
        "upgrade",
        "http2-settings",
    ];
    let connection = head.headers.get_all(header::CONNECTION).iter();
    let named: Vec<String> = connection
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in named.iter().map(String::as_str).chain(ALWAYS) {
        head.remove_header(name);
    }
}

/// What the answer to a head that stage 1 refused takes from it: the trace id, if that is a UUID, and
/// the format.
pub fn made_out(message: &[u8]) -> (Option<TraceId>, Format) {
    front::made_out(message)
}

/// The answer that a refusal gets, as it goes over the wire.
#[derive(Debug)]
pub struct Refusal {
    /// Its status.
    pub status: u16,
    /// What stands behind it.
    pub phrase: &'static str,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// An `OperationOutcome`.
    pub body: Bytes,
}

impl Refusal {
    /// The answer for `rejection`, at a listener that speaks TLS or does not.
    pub fn of(rejection: &Rejection, trace_id: TraceId, style: Style, secure: bool) -> Self {
        Answer::new(rejection, trace_id, style).over(secure).into()
    }
}
