//! The call that fetches an answer to be kept. It goes out as the request that leads, with its
//! token, through the same checks of the other end; but what is asked stands in the question alone:
//! nothing else that a consumer sent reaches the provider, so that nothing else can shape an answer
//! which others will get.

mod came;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use gpconnect::{
    forward,
    interaction::Kind,
    names::{FromCaller, OdsCode},
    rejection::Reason,
};
use http::{HeaderName, HeaderValue, header};
use pingora::{
    Error, ErrorType, Result,
    connectors::{ConnectorOptions, http::Connector},
    http::RequestHeader,
    protocols::http::client::HttpSession,
    server::configuration::ServerConf,
    time::timeout,
    upstreams::peer::HttpPeer,
};

use self::came::Came;
use super::{
    exchange::Exchange,
    fault,
    request::{self, Outgoing},
    response,
    service::Shared,
    trace,
    trust::Trusted,
};
use crate::{
    cache::{Entry, Kept, Key, Landed, Lead, Outcome},
    config::Upstream,
    snapshot::Snapshot,
    telemetry::Noted,
    traces::{Leg, Phases},
};

/// What calls for the cache go out with. Their connections are apart from those of other requests.
pub struct Caller(Connector);

impl Caller {
    /// One that keeps as many connections open as the others do.
    pub fn new(configuration: &ServerConf) -> Self {
        Self(Connector::new(Some(ConnectorOptions::from_server_conf(configuration))))
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Caller")
    }
}

/// What of the leading request goes along besides who asks: it joins the traces of both ends.
const TRACES: [HeaderName; 2] =
    [HeaderName::from_static("traceparent"), HeaderName::from_static("tracestate")];
const AGENT: HeaderValue = HeaderValue::from_static("gpconnect-gateway");

/// One call.
pub(super) struct Call {
    head: RequestHeader,
    trusted: Option<Trusted>,
    upstream: Upstream,
    shared: Shared,
    snapshot: Arc<Snapshot>,
    /// What is in memory, and is to be confirmed if it has a tag.
    old: Option<Arc<Entry>>,
    url: FromCaller<Box<str>>,
    random: u32,
    /// Whose answer it is, and to whose request, for what is seen of it.
    noted: Noted,
    practice: OdsCode,
    /// The spans of its steps, beneath those of the request that leads.
    phases: Option<Phases>,
}

/// What was noticed of a call on its way.
#[derive(Default)]
struct Course {
    tries: u8,
    reused: Option<bool>,
    upstream: Option<Duration>,
    phases: Option<Phases>,
}

impl Course {
    fn failed(&mut self, fault: &Error) {
        if let Some(phases) = &mut self.phases {
            trace::fail(phases, fault);
        }
    }
}

impl Call {
    /// The call for `key`, as the request of this exchange; none when the snapshot lacks what the
    /// request was let pass by.
    pub(super) fn new(
        shared: &Shared,
        exchange: &Exchange,
        arrived: &RequestHeader,
        key: &Key,
        old: Option<Arc<Entry>>,
    ) -> Option<Self> {
        let (permit, outgoing) = (exchange.permit.as_ref()?, exchange.outgoing.as_ref()?);
        let snapshot = Arc::clone(&exchange.snapshot);
        let upstream = snapshot.upstream(outgoing.upstream)?.clone();
        let endpoint = forward::endpoint(permit, &snapshot.policy)?;
        let question = key.question();
        let target = forward::target_of(&question.request(), endpoint, upstream.connection);
        let asked = Asked { target, accept: question.format().media_type(), old: old.as_deref() };
        let mut head = asked.head(outgoing, permit, arrived).ok()?;
        trace::forward(&exchange.trace, &mut head).ok()?;
        let [a, b, c, d, ..] = exchange.random;
        Some(Self {
            head,
            trusted: outgoing.trusted.clone(),
            upstream,
            shared: shared.clone(),
            old,
            url: exchange.url()?.into(),
            random: u32::from_le_bytes([a, b, c, d]),
            noted: Noted {
                at: exchange.at(),
                trace_id: exchange.trace_id(),
                interaction: Some(permit.interaction()),
                asked: None,
                answered: None,
            },
            practice: snapshot.policy.practice(permit.practice())?.ods_code,
            phases: exchange.trace.beneath(),
            snapshot,
        })
    }

    /// Goes out by itself; who leads ends with it.
    pub(super) fn take_off(mut self, lead: Lead) {
        drop(tokio::spawn(async move {
            let phases = self.phases.take();
            let landed = self.fly(&lead, phases).await;
            let (key, outcome) = (lead.key().clone(), landed.outcome.clone());
            lead.land(landed);
            // Behind the answer: nobody waits for it.
            if let Outcome::Kept { entry, .. } = outcome {
                self.shared.cache.learn(&key, &entry);
            }
        }));
    }

    async fn fly(&self, lead: &Lead, phases: Option<Phases>) -> Landed {
        let mut course = Course { phases, ..Course::default() };
        let timeouts = &self.snapshot.timeouts;
        let limit = timeouts.connect + timeouts.query;
        let outcome = match timeout(limit, self.try_all(&mut course)).await {
            Ok(Ok(came)) => {
                self.watch(lead, &came, course.upstream.unwrap_or_default());
                self.outcome(lead, came)
            }
            Ok(Err(mut fault)) => {
                fault.as_up();
                Outcome::Failed(fault::of_upstream(&fault, self.url.clone()))
            }
            Err(_) => {
                let reason = Reason::UpstreamTimeout { url: self.url.clone() };
                course.phases.iter_mut().for_each(|phases| phases.fail(reason.word()));
                Outcome::Failed(reason)
            }
        };
        let result = match &outcome {
            Outcome::Kept { confirmed: true, .. } => "confirmed",
            Outcome::Kept { confirmed: false, .. } => "kept",
            Outcome::Whole(_) | Outcome::Alone => "not_kept",
            Outcome::Failed(_) => "failed",
        };
        self.shared.telemetry.metrics.cache.calls.with_label_values(&[result]).inc();
        let Course { tries, reused, upstream, .. } = course;
        Landed { outcome, tries, upstream, reused }
    }

    /// As requests are tried that are sent on: each address once when none connects, and once more
    /// when a kept connection had been closed meanwhile.
    async fn try_all(&self, course: &mut Course) -> Result<Came> {
        let came = self.try_each(course).await;
        came.inspect_err(|fault| course.failed(fault))
    }

    async fn try_each(&self, course: &mut Course) -> Result<Came> {
        let name = self.upstream.address.as_str();
        loop {
            self.enter(Leg::Connect, course, course.tries);
            let address = self.shared.addresses.of(name, course.tries).ok_or_else(|| {
                Error::explain(ErrorType::ConnectError, "upstream name not resolved")
            })?;
            let timeouts = &self.snapshot.timeouts;
            let peer = request::peer(address, self.trusted.as_ref(), Kind::Query, timeouts);
            course.tries += 1;
            let connected = self.shared.caller.0.get_http_session(&peer).await;
            let (session, reused) = match connected {
                Ok(connected) => connected,
                Err(fault)
                    if usize::from(course.tries) < self.shared.addresses.count(name).min(3) =>
                {
                    course.failed(&fault);
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            if let Some(trusted) = &self.trusted {
                trusted.check(session.digest())?;
            }
            course.reused = Some(reused);
            match self.exchange(session, &peer, course).await {
                Err(mut fault) => {
                    fault.retry.decide_reuse(reused);
                    if !fault.retry() || course.tries > 1 || course.upstream.is_some() {
                        return Err(fault);
                    }
                    course.failed(&fault);
                }
                Ok(came) => return Ok(came),
            }
        }
    }

    async fn exchange(
        &self,
        mut session: HttpSession,
        peer: &HttpPeer,
        course: &mut Course,
    ) -> Result<Came> {
        let refuse = |why| Error::explain(ErrorType::InvalidHTTPHeader, why);
        let sent = Instant::now();
        self.enter(Leg::Wait, course, course.tries - 1);
        let mut head = Box::new(self.head.clone());
        if let Some(parent) = course.phases.as_ref().and_then(Phases::traceparent) {
            head.insert_header("traceparent", parent)?;
        }
        session.write_request_header(head).await?;
        session.finish_request_body().await?;
        let head = loop {
            session.read_response_header().await?;
            let head = session.response_header().ok_or_else(|| refuse("no head"))?;
            if head.status == http::StatusCode::SWITCHING_PROTOCOLS {
                return Err(refuse("an upgrade that nobody asked for"));
            }
            if !head.status.is_informational() {
                break Box::new(head.clone());
            }
        };
        course.upstream = Some(sent.elapsed());
        if let Some(phases) = &mut course.phases {
            phases.answered(head.status.as_u16());
        }
        if !response::is_framed_once(&head) {
            return Err(refuse("answer framed twice"));
        }
        let most = self.snapshot.cache.entry_bytes;
        let length = head.headers.get(header::CONTENT_LENGTH).and_then(number);
        if length.is_some_and(|length| length > most) {
            return Ok(Came::TooLarge);
        }
        let mut body = BytesMut::with_capacity(length.unwrap_or_default());
        while let Some(part) = session.read_response_body().await? {
            if body.len() + part.len() > most {
                return Ok(Came::TooLarge);
            }
            body.extend_from_slice(&part);
        }
        let is_whole = length.is_some() || head.headers.contains_key(header::TRANSFER_ENCODING);
        let idle = self.snapshot.timeouts.upstream_idle;
        self.shared.caller.0.release_http_session(session, peer, Some(idle)).await;
        Ok(Came::Whole { head, body: body.freeze(), is_whole })
    }

    fn enter(&self, leg: Leg, course: &mut Course, resent: u8) {
        if let Some(phases) = &mut course.phases {
            phases.enter(leg.of(trace::asked(&self.upstream, "GET", resent)));
        }
    }
}

fn number(value: &HeaderValue) -> Option<usize> {
    value.to_str().ok()?.parse().ok()
}

/// What is asked, and how.
struct Asked<'a> {
    target: String,
    accept: &'static str,
    old: Option<&'a Entry>,
}

impl Asked<'_> {
    fn head(
        &self,
        outgoing: &Outgoing,
        permit: &gpconnect::Permit,
        arrived: &RequestHeader,
    ) -> Result<RequestHeader> {
        let mut head = RequestHeader::build("GET", self.target.as_bytes(), Some(16))?;
        outgoing.write(permit, arrived, &mut head)?;
        // In place of the consumer's own spelling.
        head.set_raw_path(self.target.as_bytes())?;
        head.remove_header(&header::CONTENT_LENGTH);
        head.insert_header(header::ACCEPT, self.accept)?;
        head.insert_header(header::ACCEPT_ENCODING, "identity")?;
        head.insert_header(header::USER_AGENT, AGENT)?;
        for name in TRACES {
            if let Some(value) = arrived.headers.get(&name) {
                head.insert_header(name, value.clone())?;
            }
        }
        if let Some(tag) = self.old.and_then(Entry::kept).and_then(Kept::tag) {
            head.insert_header(header::IF_NONE_MATCH, tag)?;
        }
        Ok(head)
    }
}
