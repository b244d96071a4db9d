//! Stage 1: our own front before the engine's parser, which would answer some requests itself,
//! repair others, and wait for a dripped head for ever. It reads one head under one deadline, checks
//! its bytes, and hands them to the engine's session, over a connection that ends for the engine
//! where the request does ([`super::bounded`]).

use std::{
    future::poll_fn,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::BytesMut;
use gpconnect::{
    contract::Check,
    facts::Fields,
    headers,
    media::{self, Format},
    names::TraceId,
    outcome::Style,
    rejection::Reason,
};
use pingora::{
    apps::{HttpPersistentSettings, HttpServerApp, ServerApp},
    protocols::{Stream, http::ServerSession},
    proxy::HttpProxy,
    server::ShutdownWatch,
    time::timeout,
};
use prometheus::IntGauge;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use uuid::Uuid;

use super::{
    alarm::Alarm,
    answer::Answer,
    audit,
    bounded::Bounded,
    exchange::{FromFront, InFlight, refused_at_front},
    gateway::Gateway,
    head::{self, Rules, Scan},
    watch::AnswerWatch,
};
use crate::{config::Timeouts, tls::ClientCertificate};

/// The room for a head at first: enough for all but unusual tokens. More would cost each request
/// memory that is in no cache.
const HEAD_ROOM: usize = 4 * 1024;
/// How much of a refused request is read away, and how long, so that the refusal is not lost to a
/// connection reset.
const LINGER_BYTES: usize = 256 * 1024;
const LINGER: Duration = Duration::from_secs(1);

/// The front of one listener.
pub(super) struct Front {
    pub(super) proxy: Arc<HttpProxy<Gateway>>,
    pub(super) gateway: Gateway,
    pub(super) connections: IntGauge,
    /// Connections over all listeners.
    pub(super) all_connections: IntGauge,
}

/// What became of waiting for a head.
enum Admission {
    /// One is accepted.
    Accepted(BytesMut),
    /// One is refused.
    Refused(Reason),
    /// The connection ended, or is to end, between two requests.
    Closed,
}

#[async_trait]
impl ServerApp for Front {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let _here = InFlight::enter(&self.connections);
        let _everywhere = InFlight::enter(&self.all_connections);
        let snapshot = self.gateway.shared.current.load();
        let most = i64::try_from(snapshot.limits.connections).unwrap_or(i64::MAX);
        let timeouts = snapshot.timeouts;
        drop(snapshot);
        if self.all_connections.get() > most {
            if self.gateway.secure {
                // To say so would cost a handshake.
                self.record_unanswered(&Reason::Overloaded, None, client(&stream));
            } else {
                self.refuse(stream, &Reason::Overloaded, &[], None).await;
            }
            return None;
        }
        let (stream, mut guest) = self.meet(stream, timeouts.handshake).await?;
        let mut connection = Box::new(Bounded::new(stream));
        let mut kept: Option<HttpPersistentSettings> = None;
        let mut alarm = Alarm::default();
        let mut stop = pin!(stopped(shutdown.clone()));
        loop {
            if *shutdown.borrow() {
                return None;
            }
            let idle = timeouts.idle;
            let first = first_byte(connection.stream(), idle, &mut alarm, stop.as_mut()).await?;
            connection.begin(first, HEAD_ROOM);
            match self.admit(&mut connection, &timeouts).await {
                Admission::Accepted(mut head) => {
                    let told = Some(&mut head);
                    if let Some(reason) = self.objection(&mut guest, &mut connection, told) {
                        let (stream, _) = connection.into_parts();
                        self.refuse(stream, &reason, &head, None).await;
                        return None;
                    }
                    let mut session = ServerSession::new_http1(connection);
                    match kept {
                        Some(settings) => settings.apply_to_session(&mut session),
                        None => session.set_keepalive(Some(timeouts.idle.as_secs())),
                    }
                    session.set_pipelined_prefix(head);
                    let watch = Arc::new(AnswerWatch::new());
                    let certificate = guest.certificate();
                    let from_front = FromFront { watch: Arc::clone(&watch), certificate };
                    session.set_connection_user_context(Some(Box::new(from_front)));
                    let exchange = self.proxy.process_new_http(session, shutdown);
                    let step = timeouts.query.min(timeouts.command);
                    let reusable =
                        watch.over(&mut alarm, timeouts.exchange, step, exchange).await?;
                    let (stream, settings) = reusable.consume();
                    (connection, kept) = (again(stream).await?, settings);
                }
                Admission::Refused(reason) => {
                    let why = self.objection(&mut guest, &mut connection, None).unwrap_or(reason);
                    let (stream, read) = connection.into_parts();
                    self.refuse(stream, &why, &read, guest.certificate().as_deref()).await;
                    return None;
                }
                Admission::Closed => return None,
            }
        }
    }

    async fn cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}

impl Front {
    /// Waits for the rest of a head.
    async fn admit(&self, connection: &mut Bounded, timeouts: &Timeouts) -> Admission {
        let read = timeout(timeouts.head, self.read_head(connection)).await;
        let late = Reason::HeadTimeout { seconds: timeouts.head.as_secs() };
        match read.unwrap_or(Some(Err(late))) {
            Some(Ok(head)) => Admission::Accepted(head),
            Some(Err(reason)) => Admission::Refused(reason),
            None => Admission::Closed,
        }
    }

    /// Reads until the head is whole and checks it; none when the caller went away.
    async fn read_head(&self, connection: &mut Bounded) -> Option<Result<BytesMut, Reason>> {
        let snapshot = self.gateway.shared.current.peek();
        let entrance = snapshot.entrance(self.gateway.listener)?;
        let rules = Rules::of(snapshot.limits, entrance);
        let mut scan = Scan::default();
        let end = loop {
            if !connection.more().await {
                return None;
            }
            match scan.end(connection.unread(), &rules) {
                Ok(Some(end)) => break end,
                Ok(None) => {}
                Err(reason) => return Some(Err(reason)),
            }
        };
        let accepted = head::check(connection.unread().get(..end).unwrap_or_default(), &rules);
        Some(accepted.map(|accepted| {
            connection.expect(accepted.body);
            let mut head = connection.take(end);
            accepted.into_origin_form(&mut head);
            head
        }))
    }

    /// Answers, tells log and metrics, and closes.
    async fn refuse(
        &self,
        mut stream: Stream,
        reason: &Reason,
        read: &[u8],
        certificate: Option<&ClientCertificate>,
    ) {
        let (sent, format) = made_out(read);
        let trace_id = sent.unwrap_or_else(|| TraceId::from_random(Uuid::new_v4().into_bytes()));
        let shared = &self.gateway.shared;
        let style = Style { format, wording: shared.current.peek().wording };
        let answer = Answer::of(reason.clone(), trace_id, style).over(self.gateway.secure);
        let record = refused_at_front(
            &self.gateway.name,
            reason,
            trace_id,
            client(&stream),
            Some(&answer),
            shared.current.peek().generation,
        );
        shared.telemetry.finished(&record);
        // Whose certificate is no longer accepted is nobody.
        let is_known = reason.check() != Check::ClientCertificate;
        let certificate = certificate.filter(|_| is_known).map(audit::certificate);
        shared.journal.refused_at_front(certificate, &record);
        let written = async {
            stream.write_all(&answer.wire(read.starts_with(b"HEAD "))).await?;
            stream.flush().await
        };
        // The caller may be gone, or never read: both end the connection all the same.
        if matches!(timeout(LINGER, written).await, Ok(Ok(()))) {
            part(&mut stream).await;
        }
    }
}

/// The first byte of a request; none when the connection ended, was idle for too long, or is to end.
async fn first_byte(
    stream: &mut Stream,
    idle: Duration,
    alarm: &mut Alarm,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> Option<u8> {
    let deadline = Instant::now() + idle;
    let mut byte = [0];
    poll_fn(|context| {
        let mut room = ReadBuf::new(&mut byte);
        if let Poll::Ready(read) = Pin::new(&mut *stream).poll_read(context, &mut room) {
            return Poll::Ready(read.ok().and_then(|()| room.filled().first().copied()));
        }
        let over = alarm.poll(deadline, context).is_ready();
        if over || stop.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}

/// Ends when connections are to end, or nobody is left to say so.
async fn stopped(mut shutdown: ShutdownWatch) {
    drop(shutdown.wait_for(|stopping| *stopping).await);
}

/// The connection for its next request. None, and closed, when something came behind the last one
/// before its answer: it may be the rest of a request that somebody before us read in another way.
async fn again(stream: Stream) -> Option<Box<Bounded>> {
    let connection = Bounded::back(stream)?;
    if connection.unread().is_empty() {
        return Some(connection);
    }
    let (mut stream, _) = connection.into_parts();
    part(&mut stream).await;
    None
}

/// Closes a connection without losing to a reset what was written to it.
async fn part(stream: &mut Stream) {
    let last = async {
        AsyncWriteExt::shutdown(stream).await?;
        linger(stream).await
    };
    drop(timeout(LINGER, last).await);
}

/// Reads away what is still coming.
async fn linger(stream: &mut Stream) -> std::io::Result<()> {
    let mut waste = [0; 4_096];
    let mut left = LINGER_BYTES;
    while left > 0 {
        match stream.read(&mut waste).await? {
            0 => return Ok(()),
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}

pub(super) fn client(stream: &Stream) -> Option<IpAddr> {
    let digest = stream.get_socket_digest()?;
    digest.peer_addr()?.as_inet().map(SocketAddr::ip)
}

/// What the answer to a refused head takes from it: the trace id, if that is a UUID, and the format.
pub(super) fn made_out(read: &[u8]) -> (Option<TraceId>, Format) {
    let fields = fields(read);
    let sent = fields.trace_id.text().and_then(|text| text.parse().ok());
    (sent, media::wanted(&fields, query(read)).or_json())
}

/// The query of a refused head, as far as one can be made out, for the answer's format.
fn query(read: &[u8]) -> Option<&str> {
    let line = read.split(|byte| *byte == b'\n').next()?;
    let target = line.split(|byte| *byte == b' ').nth(1)?;
    Some(str::from_utf8(target).ok()?.split_once('?')?.1)
}

/// What can be made out of a refused head, for the answer's trace id and format.
fn fields(read: &[u8]) -> Fields<'_> {
    let mut fields = Fields::default();
    for line in read.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let known = [headers::TRACE_ID, "Accept", "Content-Type"];
        let name = str::from_utf8(name).unwrap_or_default();
        if known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            fields.note(name, value);
        }
    }
    fields
}
