//! One request: read it, let the practice work, meet the fault that is ordered, answer.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::sleep;

use super::ReplyBody;
use super::recorder::{Arrival, Recorder, sha256};
use super::reply::{Reply, Wishes};
use super::route;
use super::server::Settings;
use crate::simulator::faults::{
    Effect, Fault, Faults, NotAFault, PREFIX, Stopped, answer_instead, control, spoil,
};
use crate::simulator::fhir::format::{self, Format};
use crate::simulator::fhir::outcome::{Code, Refusal};
use crate::simulator::fhir::query::Query;
use crate::simulator::practice::{RecordCache, Site, Visit, work};
use crate::simulator::proxy::refuse;

/// The largest request body.
const LARGEST_BODY: usize = 1 << 20;
const FAULT: &str = "x-sim-fault";
const FAULT_OF_PROXY: &str = "x-sim-proxy-fault";

/// Everything a request needs.
pub(crate) struct Simulator {
    pub(crate) settings: Settings,
    pub(crate) faults: Faults,
    pub(crate) recorder: Recorder,
    pub(crate) requests: AtomicU64,
    sites: Vec<OnceLock<Box<Site>>>,
    records: RecordCache,
}

impl Simulator {
    pub(crate) fn new(settings: Settings) -> Self {
        let estate = &settings.estate;
        Self {
            faults: Faults::new(estate.seed()),
            recorder: Recorder::new(settings.recorded),
            requests: AtomicU64::new(0),
            sites: estate.practices().iter().map(|_| OnceLock::new()).collect(),
            records: RecordCache::new(settings.record_cache),
            settings,
        }
    }

    /// The practice of that code, opened on its first call.
    fn site(&self, ods_code: &str) -> Option<&Site> {
        let estate = &self.settings.estate;
        let place = estate.place(ods_code.parse().ok()?)?;
        let practice = estate.practices().get(place)?;
        let open = || {
            let now = self.settings.clock.now();
            Box::new(Site::open(estate.seed(), place, practice.clone(), &now))
        };
        Some(self.sites.get(place)?.get_or_init(open))
    }
}

/// Answers a request, or stops the connection because that was ordered.
pub(crate) async fn answer(
    simulator: &Simulator,
    request: Request<Incoming>,
    reset: &AtomicBool,
) -> Result<Response<ReplyBody>, Stopped> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY).collect().await;
    let (body, too_large) = body.map_or((Bytes::new(), true), |body| (body.to_bytes(), false));
    let path = head.uri.path();
    if path.starts_with(PREFIX) {
        let estate = &simulator.settings.estate;
        return Ok(control(&simulator.faults, estate, &head.method, path, &body).send());
    }
    simulator.requests.fetch_add(1, Ordering::Relaxed);
    record(simulator, &head, &body);
    let proxy = simulator.settings.proxy.as_ref();
    let mut own = match own_faults(&head.headers, proxy.map_or(FAULT, |_| FAULT_OF_PROXY)) {
        Ok(own) => own,
        Err(why) => return Ok(Reply::refusal(&not_a_fault(&why), wishes(&head).0).send()),
    };
    let practice = route::practice(path);
    let mishap = simulator.faults.meet(&mut own, practice, route::named(&head.headers));
    let mut reply = reply(simulator, &head, &body, too_large, mishap.effect.as_ref()).await;
    reply.chunked |= head.headers.contains_key("x-sim-chunked");
    if head.headers.contains_key("x-sim-echo") {
        reply.set(header::HeaderName::from_static("x-sim-body-sha256"), &sha256(&body));
    }
    if !mishap.latency.is_zero() {
        sleep(mishap.latency).await;
    }
    match &mishap.effect {
        Some(effect) => spoil(reply, effect, || reset.store(true, Ordering::Relaxed)),
        None => Ok(reply.send()),
    }
}

fn record(simulator: &Simulator, head: &Parts, body: &Bytes) {
    if simulator.recorder.is_on() {
        simulator.recorder.record(Arrival {
            method: head.method.clone(),
            target: head.uri.to_string(),
            headers: head.headers.clone(),
            body: body.clone(),
        });
    }
}

fn own_faults(headers: &HeaderMap, name: &str) -> Result<Vec<Fault>, NotAFault> {
    let text = |value: &http::HeaderValue| value.to_str().unwrap_or("?").to_owned();
    headers.get_all(name).iter().map(|value| text(value).parse()).collect()
}

fn not_a_fault(why: &NotAFault) -> Refusal {
    Code::BadRequest.because(format!("X-Sim-Fault: {why}"))
}

async fn reply(
    simulator: &Simulator,
    head: &Parts,
    body: &Bytes,
    too_large: bool,
    effect: Option<&Effect>,
) -> Reply {
    let (wishes, negotiated) = wishes(head);
    let estate = &simulator.settings.estate;
    let instead = match effect {
        Some(Effect::Proxy(word)) => Some(refuse(*word, head, estate, wishes)),
        effect => effect.and_then(|effect| answer_instead(effect, wishes)),
    };
    if let Some(reply) = instead {
        return reply;
    }
    if let Some(proxy) = &simulator.settings.proxy {
        return proxy.reply(estate, head, body.clone(), wishes).await;
    }
    let worked = negotiated.and_then(|()| {
        if too_large {
            Err(Code::TooLarge.because(format!("Request body exceeds {LARGEST_BODY} bytes")))
        } else {
            visit(simulator, head, body, wishes)
        }
    });
    worked.unwrap_or_else(|refusal| Reply::refusal(&refusal, wishes))
}

/// How the answer is wanted; when that can't be had, the refusal goes out in JSON.
fn wishes(head: &Parts) -> (Wishes, Result<(), Refusal>) {
    let query = Query::parse(head.uri.query());
    let (format, negotiated) = match format::of_answer(&head.method, &query, &head.headers) {
        Ok(format) => (format, Ok(())),
        Err(refusal) => (Format::Json, Err(refusal)),
    };
    let minimal = head.headers.get("prefer").and_then(|value| value.to_str().ok());
    let minimal = minimal.is_some_and(|value| {
        value.split([',', ';']).any(|preference| preference.trim() == "return=minimal")
    });
    let gzip = format::takes_gzip(&head.headers);
    (Wishes { format, gzip, minimal }, negotiated)
}

/// Recognises the request and lets the practice work.
fn visit(
    simulator: &Simulator,
    head: &Parts,
    body: &[u8],
    wishes: Wishes,
) -> Result<Reply, Refusal> {
    let place = route::place(head.uri.path());
    let place = place.ok_or_else(|| Code::NoRecordFound.because("Not a GP Connect resource"))?;
    let site = simulator
        .site(place.ods_code)
        .ok_or_else(|| Code::NoRecordFound.because("No such practice here"))?;
    check_headers(&head.headers)?;
    let interaction = route::named(&head.headers)
        .ok_or_else(|| Code::BadRequest.because("Ssp-InteractionID is not known"))?;
    let id = route::recognise(interaction, &head.method, &place)?;
    let visit = Visit {
        site,
        id,
        query: &Query::parse(head.uri.query()),
        headers: &head.headers,
        body,
        now: simulator.settings.clock.now(),
        format: wishes.format,
        gzip: wishes.gzip,
        records: &simulator.records,
    };
    let answer = work(interaction, &visit)?;
    Ok(Reply::answer(answer, site.practice().service_root.as_str(), wishes))
}

/// The headers without which no provider answers; what they say is the gateway's to check.
pub(crate) fn check_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    for name in ["Ssp-TraceID", "Ssp-From", "Ssp-To", "Ssp-InteractionID", "Authorization"] {
        let mut values = headers.get_all(name).iter();
        let fault = match (values.next(), values.next()) {
            (Some(value), None) if !value.is_empty() => continue,
            (None, _) => "is missing",
            (Some(_), _) => "is not valid",
        };
        return Err(Code::BadRequest.because(format!("{name} header {fault}")));
    }
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .is_some_and(|(scheme, token)| {
            scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()
        });
    if bearer { Ok(()) } else { Err(Code::BadRequest.because("Authorization header is not valid")) }
}
