//! The engine's hooks, in the order in which they run. Each converts, calls and writes.

use std::{
    any::Any,
    os::fd::RawFd,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use gpconnect::{
    Permit, Rejection, RequestFacts,
    caching::{self, Use},
    decide,
    interaction::Kind,
    rejection::Reason,
};
use pingora::{
    Error, ErrorType,
    http::{RequestHeader, ResponseHeader},
    protocols::Digest,
    proxy::{FailToProxy, ProxyHttp, Session},
    upstreams::peer::HttpPeer,
};

use super::{
    access,
    answer::Answer,
    assist::Assisted,
    body, convert,
    exchange::{Exchange, Fault, FromFront},
    fault, memory, observe, onward,
    request::{self, Outgoing},
    response,
    service::Shared,
    trace,
};
use crate::{
    config::Timeouts,
    snapshot::Snapshot,
    traces::{By, Leg},
};

/// A provider's body is not in the coding that its head names.
pub(super) const DAMAGED: ErrorType = ErrorType::Custom("Damaged");

/// The engine's application behind one listener.
#[derive(Clone, Debug)]
pub(super) struct Gateway {
    /// Its place among the listeners, and in each snapshot among the entrances.
    pub(super) listener: usize,
    pub(super) name: Arc<str>,
    /// Whether callers come over TLS.
    pub(super) secure: bool,
    /// Whether it listens at a Unix socket.
    pub(super) socket: bool,
    pub(super) shared: Shared,
}

impl Gateway {
    /// Sets the deadlines of the consumer's connection, and whether it is kept.
    fn prepare(&self, session: &mut Session, timeouts: &Timeouts) {
        let consumer = session.as_downstream_mut();
        consumer.set_read_timeout(Some(timeouts.body));
        consumer.set_write_timeout(Some(timeouts.consumer_stall));
        consumer.set_total_drain_timeout(Some(timeouts.body));
        if self.shared.health.is_draining() {
            consumer.set_keepalive(None);
        }
    }

    /// The end of stage 1, and stages 2 to 8.
    async fn judge(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
    ) -> Result<Permit, Box<Rejection>> {
        let snapshot = &exchange.snapshot;
        let most = i64::try_from(snapshot.limits.in_flight).unwrap_or(i64::MAX);
        if self.shared.telemetry.metrics.in_flight.get() > most {
            return Err(Box::new(Reason::Overloaded.into()));
        }
        let head = session.req_header();
        let certificate = exchange.certificate.as_deref();
        let candidates = convert::candidates(snapshot, self.listener, certificate);
        let fields = convert::fields(head);
        let access = access::verify(&fields, &candidates, snapshot).await;
        let decision = decide(
            &RequestFacts {
                method: head.method.as_str(),
                target: convert::target(head),
                fields: &fields,
                candidates: &candidates,
                certificate: certificate.map(|certificate| &certificate.sha256),
                access: access.as_ref(),
                now: convert::seconds(exchange.at()),
                random: exchange.random,
                token_limit: snapshot.limits.token_bytes,
            },
            &snapshot.policy,
        );
        if let Some(access) = &access {
            let issuers = &self.shared.telemetry.metrics.issuers;
            access::count(access, decision.seen.consumer, &snapshot.policy, issuers);
        }
        let permit = exchange.decided(decision)?;
        onward::check_hops(session.req_header()).map_err(Rejection::from)?;
        Ok(permit)
    }
}

impl Gateway {
    /// Stages 9 and 10: the body is held whole and judged, and the access is on record.
    async fn admit(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        permit: &Permit,
    ) -> Result<(), Box<Rejection>> {
        body::admit(session, exchange, permit).await?;
        exchange.intend(session.req_header(), permit, &self.shared.health).await
    }
}

impl Exchange {
    pub(super) fn note(&mut self, reason: &Reason, answer: &Answer) {
        self.fault = Some(Fault::from(reason));
        self.status = Some(answer.status());
        self.sent = answer.length();
    }

    fn disarm(&self) {
        if let Some(watch) = &self.watch {
            watch.disarm();
        }
    }

    /// Whether the head of the answer did not come in time.
    pub(super) fn is_late(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.has_fired())
    }

    fn kind(&self) -> Kind {
        self.permit.as_ref().map_or(Kind::Command, |permit| permit.interaction().row().kind)
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    /// Boxed: the engine's futures hold it several times over, and are made anew for each request.
    type CTX = Box<Exchange>;

    fn new_ctx(&self) -> Self::CTX {
        let telemetry = Arc::clone(&self.shared.telemetry);
        let journal = Arc::clone(&self.shared.journal);
        let (current, name) = (self.shared.current.load(), Arc::clone(&self.name));
        let traces = self.shared.traces.clone();
        Box::new(Exchange::new(current, telemetry, journal, traces, name))
    }

    fn init_downstream_modules(&self, _: &mut pingora::modules::http::HttpModules) {
        // The engine's own list holds a compression module that we never switch on.
    }

    fn on_connection_reuse(
        &self,
        _: &mut Session,
        exchange: &mut Self::CTX,
        from_front: Box<dyn Any + Send + Sync>,
    ) {
        if let Ok(from_front) = from_front.downcast::<FromFront>() {
            exchange.watch = Some(from_front.watch);
            exchange.certificate = from_front.certificate;
        }
    }

    async fn request_filter(
        &self,
        session: &mut Session,
        exchange: &mut Self::CTX,
    ) -> pingora::Result<bool> {
        let Snapshot { limits, timeouts, .. } = *exchange.snapshot;
        self.prepare(session, &timeouts);
        let by = if self.secure { By::Tls } else { By::Plain };
        exchange.begin_trace(session.req_header(), by);
        let address = session.client_addr().and_then(|address| address.as_inet()).copied();
        exchange.client = address.map(|address| address.ip());
        let rejection = match self.judge(session, exchange).await {
            Ok(permit) => match self.admit(session, exchange, &permit).await {
                Ok(()) => {
                    let (snapshot, head) = (&exchange.snapshot, session.req_header());
                    let forwarded = request::forwarded(address, head, self.secure);
                    let received = exchange.received;
                    exchange.outgoing = Outgoing::new(&permit, snapshot, head, received, forwarded);
                    exchange.permit = Some(permit);
                    return memory::answer(self, session, exchange).await;
                }
                Err(rejection) => rejection,
            },
            Err(rejection) => {
                body::discard(session, limits.body_bytes).await;
                rejection
            }
        };
        let answer = Answer::new(&rejection, exchange.trace_id(), exchange.style());
        let answer = answer.over(self.secure);
        exchange.note(&rejection.reason, &answer);
        exchange.broke(&rejection);
        exchange.keep_request(session.req_header());
        if exchange.is_flooding() {
            session.as_downstream_mut().set_keepalive(None);
        }
        answer.write(session).await.map(|()| true)
    }

    async fn upstream_peer(
        &self,
        _: &mut Session,
        exchange: &mut Self::CTX,
    ) -> pingora::Result<Box<HttpPeer>> {
        exchange.ask_upstream(Leg::Connect);
        let outgoing = exchange.outgoing.as_ref();
        let upstream = outgoing
            .and_then(|outgoing| exchange.snapshot.upstream(outgoing.upstream))
            .ok_or_else(|| Error::explain(ErrorType::InternalError, "no upstream for a permit"))?;
        let address = self.shared.addresses.of(upstream.address.as_str(), exchange.tries);
        let address = address.ok_or_else(|| {
            Error::explain(ErrorType::ConnectError, "upstream name not resolved").into_up()
        })?;
        exchange.tries += 1;
        let trusted = outgoing.and_then(|outgoing| outgoing.trusted.as_ref());
        let timeouts = &exchange.snapshot.timeouts;
        Ok(Box::new(request::peer(address, trusted, exchange.kind(), timeouts)))
    }

    async fn connected_to_upstream(
        &self,
        _: &mut Session,
        reused: bool,
        _: &HttpPeer,
        connection: RawFd,
        digest: Option<&Digest>,
        exchange: &mut Self::CTX,
    ) -> pingora::Result<()> {
        if let Some(trusted) = exchange.outgoing.as_ref().and_then(|out| out.trusted.as_ref()) {
            trusted.check(digest)?;
        }
        exchange.upstream_reused = Some(reused);
        exchange.sent_upstream = Some(Instant::now());
        exchange.ask_upstream(Leg::Wait);
        if let Some(watch) = &exchange.watch {
            let timeouts = &exchange.snapshot.timeouts;
            watch.arm(connection, request::answer_timeout(exchange.kind(), timeouts));
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        head: &mut RequestHeader,
        exchange: &mut Self::CTX,
    ) -> pingora::Result<()> {
        match exchange.outgoing.as_ref().zip(exchange.permit.as_ref()) {
            Some((outgoing, permit)) => {
                outgoing.write(permit, session.req_header(), head)?;
                trace::forward(&exchange.trace, head)
            }
            None => Error::e_explain(ErrorType::InternalError, "forwarding without a permit"),
        }
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        exchange: &mut Self::CTX,
    ) -> pingora::Result<()> {
        let refuse = |why| Error::explain(ErrorType::InvalidHTTPHeader, why).into_up();
        if head.status == http::StatusCode::SWITCHING_PROTOCOLS {
            return Err(refuse("an upgrade that nobody asked for"));
        }
        if head.status.is_informational() {
            return Ok(());
        }
        exchange.disarm();
        if !response::is_framed_once(head) {
            return Err(refuse("answer framed twice"));
        }
        exchange.upstream = exchange.sent_upstream.map(|sent| sent.elapsed());
        if let Some(phases) = exchange.trace.phases() {
            phases.answered(head.status.as_u16());
        }
        exchange.status = Some(head.status.as_u16());
        exchange.copy_answer(head);
        exchange.look_at_head(head);
        let told = observe::head_of(head, exchange.upstream.unwrap_or_default());
        exchange.copy_error(head, &told);
        exchange.watch_answer(session.req_header(), &told);
        exchange.unreadable = exchange.unreadable(&told);
        if exchange.unreadable.is_some() {
            return Err(refuse("an error that is no FHIR"));
        }
        if exchange.is_assisted() {
            let links = exchange.links(session.req_header(), self.secure);
            exchange.assisted = Assisted::new(session.req_header(), links, head)?;
        }
        if exchange.cache.is_some() {
            head.append_header("Cache-Status", caching::status(Use::Bypass, None))?;
        }
        response::complete(head, exchange.trace_id(), self.secure)
    }

    fn response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<bytes::Bytes>,
        end: bool,
        exchange: &mut Self::CTX,
    ) -> pingora::Result<Option<Duration>> {
        for part in body.iter() {
            exchange.copy_part(part);
        }
        exchange.copy_error_part(body.as_deref().unwrap_or_default(), end);
        if !end && exchange.remaining().is_zero() {
            return Err(Error::explain(ErrorType::ReadTimedout, "answer took too long").into_up());
        }
        if let Some(assisted) = &mut exchange.assisted {
            let sent = assisted.pass(body.as_deref().unwrap_or_default(), end);
            let damaged = |_| Error::explain(DAMAGED, "not the gzip that it says it is").into_up();
            *body = Some(sent.map_err(damaged)?).filter(|sent| !sent.is_empty());
        }
        Ok(None)
    }

    /// A query on a kept connection that the provider had closed meanwhile is sent once more: it
    /// has no side effect. A command never is, once a byte of it may have arrived.
    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        mut fault: Box<Error>,
        exchange: &mut Self::CTX,
        reused: bool,
    ) -> Box<Error> {
        exchange.fail_phase(&fault);
        exchange.disarm();
        let again = exchange.kind() == Kind::Query
            && exchange.tries < 2
            && exchange.status.is_none()
            && !exchange.is_late()
            && !session.as_downstream().retry_buffer_truncated();
        if again {
            fault.retry.decide_reuse(reused);
        } else {
            fault.set_retry(false);
        }
        fault
    }

    /// Nothing was sent, so another address may be tried, whatever the interaction.
    fn fail_to_connect(
        &self,
        _: &mut Session,
        _: &HttpPeer,
        exchange: &mut Self::CTX,
        mut fault: Box<Error>,
    ) -> Box<Error> {
        exchange.fail_phase(&fault);
        let upstream = exchange
            .outgoing
            .as_ref()
            .and_then(|outgoing| exchange.snapshot.upstream(outgoing.upstream));
        let addresses =
            upstream.map_or(0, |upstream| self.shared.addresses.count(upstream.address.as_str()));
        fault.set_retry(usize::from(exchange.tries) < addresses.min(3));
        fault
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        fault: &Error,
        exchange: &mut Self::CTX,
    ) -> FailToProxy {
        let begun = session.response_written().is_some_and(|head| !head.status.is_informational());
        let failed = FailToProxy { error_code: 0, can_reuse_downstream: false };
        let Some(reason) = fault::reason(fault, exchange) else {
            let note = Some("the caller closed the connection".into());
            exchange.fault = Some(Fault { word: "caller_gone", note });
            return failed;
        };
        if begun {
            // Cut without a clean end, so that the caller can't take it for whole.
            exchange.fault = Some(Fault { word: "answer_cut", note: Some(reason.note()) });
            return failed;
        }
        let answer = Answer::of(reason.clone(), exchange.trace_id(), exchange.style());
        let answer = answer.over(self.secure);
        if exchange.unreadable.is_none() {
            exchange.upstream = None;
        }
        exchange.note(&reason, &answer);
        // A caller that is gone by now is told nothing.
        answer.write_last(session).await.unwrap_or_default();
        FailToProxy { error_code: exchange.status.unwrap_or_default(), ..failed }
    }

    async fn logging(&self, session: &mut Session, _: Option<&Error>, exchange: &mut Self::CTX) {
        if exchange.upstream.is_some() && exchange.cache.is_none_or(|how| how == Use::Bypass) {
            exchange.sent = session.body_bytes_sent();
        }
        // The line is written when the exchange is dropped, right behind this.
        exchange.ended = true;
    }

    fn suppress_error_log(&self, _: &Session, _: &Self::CTX, _: &Error) -> bool {
        // Our own line says it, without the request's query.
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _: &Session,
        _: &Self::CTX,
        _: &Error,
        _: pingora::proxy::ProxyWarnLogContext,
    ) -> bool {
        true
    }

    fn request_summary(&self, _: &Session, exchange: &Self::CTX) -> String {
        exchange.trace_id().to_string()
    }
}
