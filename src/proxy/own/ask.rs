//! One request of the gateway itself. It is made as a consumer makes it, and goes through the same
//! stages: decided by the same rules, on record before it is sent, sent by the same call.

use std::{sync::Arc, time::Duration};

use gpconnect::{
    Decision, Permit, Rejection, RequestFacts,
    caching::Use,
    decide,
    decide::HeldBody,
    facts::{Field, UnixSeconds},
    forward::{self, Connection},
    headers,
    names::{FromCaller, TraceId},
    rejection::Reason,
};
use http::header;
use pingora::{http::RequestHeader, time::timeout};
use uuid::Uuid;

use super::{
    errand::{Errand, endpoint},
    ledger::Outcome,
};
use crate::{
    cache::{Key, Turn},
    proxy::{
        body,
        call::Call,
        convert,
        exchange::{Exchange, Fault},
        memory::{self, Told},
        observe,
        request::{self, Outgoing},
        service::Shared,
    },
    snapshot::{Identity, Snapshot},
    telemetry::Own,
    traces::{By, Phase, Phases},
};

/// The headers of a request, and some room.
const HEADERS: usize = 8;

/// The word for an answer that may not be kept.
const NOT_KEPT: &str = "answer_not_kept";

/// A request that stages 2 to 8 let pass.
pub(super) struct Ready {
    own: Own,
    snapshot: Arc<Snapshot>,
    head: RequestHeader,
    decision: Decision,
    key: Key,
}

/// Makes the request for an errand, and decides it as one of a consumer's.
///
/// # Errors
/// Why it may not be sent. That is no record: nobody has asked for anything.
pub(super) fn prepare(
    errand: &Errand,
    snapshot: &Arc<Snapshot>,
    identity: &Identity,
    shared: &Shared,
) -> Result<Ready, &'static str> {
    let id = errand.question.interaction();
    let endpoint = endpoint(snapshot, &errand.root, id).ok_or("practice_unknown")?;
    let now = convert::seconds(std::time::SystemTime::now());
    let head = head(errand, endpoint, identity, now).map_err(|_engine| "head_malformed")?;
    let fields = convert::fields(&head);
    let decision = decide(
        &RequestFacts {
            method: head.method.as_str(),
            target: convert::target(&head),
            fields: &fields,
            candidates: &[identity.consumer],
            certificate: None,
            access: None,
            now,
            random: Uuid::new_v4().into_bytes(),
            token_limit: snapshot.limits.token_bytes,
        },
        &snapshot.policy,
    );
    let permit = decision.outcome.as_ref().map_err(|rejection| rejection.reason.word())?;
    if !memory::may_be_kept(permit, snapshot) {
        return Err("never_kept");
    }
    let (root, question) = (&endpoint.service_root, errand.question.clone());
    // A purge from here on makes its answer one of an older epoch, which nobody finds.
    let key = shared.cache.key(root, permit.to(), question, snapshot.generation);
    let key = key.ok_or("configuration_changed")?;
    Ok(Ready { own: errand.own, snapshot: Arc::clone(snapshot), head, decision, key })
}

/// The head as a consumer writes it that leaves nothing out.
fn head(
    errand: &Errand,
    endpoint: &gpconnect::policy::Endpoint,
    identity: &Identity,
    now: UnixSeconds,
) -> pingora::Result<RequestHeader> {
    let (id, root) = (errand.question.interaction(), &endpoint.service_root);
    let target = forward::target_of(&errand.question.request(), endpoint, Connection::Proxy);
    let mut head = RequestHeader::build("GET", target.as_bytes(), Some(HEADERS))?;
    let trace_id = TraceId::from_random(Uuid::new_v4().into_bytes());
    head.insert_header(headers::TRACE_ID, trace_id.as_str())?;
    head.insert_header(headers::FROM, identity.asid().as_str())?;
    head.insert_header(headers::TO, endpoint.asid.as_str())?;
    head.insert_header(headers::INTERACTION_ID, id.urn())?;
    head.insert_header(header::ACCEPT, errand.question.format().media_type())?;
    if let Some(token) = request::bearer(&identity.token(id, root, now)) {
        head.insert_header(header::AUTHORIZATION, token)?;
    }
    Ok(head)
}

/// How a request ended: for the ledger, and in a word for metrics.
pub(super) type Ended = (Outcome, &'static str);

/// Stages 9 to 14.
pub(super) async fn ask(ready: Ready, shared: &Shared) -> Ended {
    let Ready { own, snapshot, head, decision, key } = ready;
    let mut exchange = Exchange::of_our_own(snapshot, shared, own);
    exchange.begin_trace(&head, By::Ourselves);
    let ended = match admit(&mut exchange, &head, decision, shared).await {
        Ok(permit) => {
            let snapshot = &exchange.snapshot;
            exchange.outgoing = Outgoing::new(&permit, snapshot, &head, 0, None);
            exchange.permit = Some(permit);
            exchange.trace.enter(Phase::Cache);
            let ended = fetch(&mut exchange, &head, &key, shared).await;
            exchange.trace.phases().into_iter().for_each(Phases::end);
            ended
        }
        Err(rejection) => {
            let reason = &rejection.reason;
            exchange.fault = Some(Fault::from(reason));
            (Outcome::Unable(reason.word()), "failed")
        }
    };
    exchange.ended = true;
    ended
}

/// Stages 9 and 10, with what the ones before decided.
async fn admit(
    exchange: &mut Exchange,
    head: &RequestHeader,
    decision: Decision,
    shared: &Shared,
) -> Result<Permit, Box<Rejection>> {
    const NONE: HeldBody<'_> = HeldBody { bytes: &[], content_type: Field::Absent };
    let permit = exchange.decided(decision)?;
    body::judge(NONE, exchange, &permit)?;
    exchange.intend(head, &permit, &shared.health).await?;
    Ok(permit)
}

/// Stages 11 and 12: leads a call, or waits for the one that a consumer leads.
async fn fetch(exchange: &mut Exchange, head: &RequestHeader, key: &Key, shared: &Shared) -> Ended {
    let old = shared.cache.find(key);
    let is_crawl = exchange.own == Some(Own::Crawl);
    let (waiter, leads) = match shared.cache.join(key, |entry| !is_crawl && !entry.is_ageing()) {
        Turn::Found(_) => {
            (exchange.cache, exchange.status) = (Some(Use::Hit), Some(200));
            return (Outcome::Answered, "shared");
        }
        Turn::Wait(waiter) => (waiter, false),
        Turn::Lead(lead, waiter) => {
            if let Some(call) = Call::new(shared, exchange, head, key, old) {
                call.take_off(lead);
            }
            (waiter, true)
        }
    };
    let timeouts = &exchange.snapshot.timeouts;
    let patience = exchange.remaining().min(timeouts.connect + timeouts.query);
    let url = FromCaller::from(exchange.url().unwrap_or_default());
    let told = match timeout(patience, waiter.landed()).await {
        Ok(Some(landed)) => memory::heard(exchange, landed, leads, None, url),
        Ok(None) => {
            let reference = Uuid::new_v4().to_string().into();
            memory::failed(Reason::GatewayFault { reference }, leads, None)
        }
        Err(_) => memory::failed(Reason::UpstreamTimeout { url }, leads, None),
    };
    tell(exchange, told)
}

fn tell(exchange: &mut Exchange, told: Told) -> Ended {
    match told {
        Told::Entry(_, how) => {
            (exchange.cache, exchange.status) = (Some(how), Some(200));
            let word = match how {
                Use::Revalidated => "confirmed",
                Use::Miss => "kept",
                Use::Hit | Use::Stale | Use::Refresh | Use::Shared | Use::Bypass => "shared",
            };
            (Outcome::Answered, word)
        }
        Told::Whole(whole) => {
            if let Ok(head) = memory::of_whole(&whole) {
                exchange.look_at_head(&head);
                exchange.copy_error(&head, &observe::head_of(&head, Duration::ZERO));
                exchange.copy_error_part(&whole.body, true);
            }
            (exchange.cache, exchange.status) = (Some(Use::Miss), Some(whole.status));
            (Outcome::NotKept(NOT_KEPT), "not_kept")
        }
        Told::Fault(reason, how) => {
            exchange.upstream = None;
            exchange.cache = Some(how);
            exchange.fault = Some(Fault::from(&reason));
            // It may have spoken, to a consumer whose call this one waited for.
            let spoke = matches!(reason, Reason::UpstreamFailed { .. });
            let outcome = if spoke { Outcome::NotKept } else { Outcome::Silent };
            (outcome(reason.word()), "failed")
        }
        Told::Nothing => {
            exchange.cache = Some(Use::Bypass);
            let note = Some("its answer is not one that is kept".into());
            exchange.fault = Some(Fault { word: NOT_KEPT, note });
            (Outcome::NotKept(NOT_KEPT), "not_kept")
        }
    }
}
