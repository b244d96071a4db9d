//! Stage 11: a request that has passed every check, and whose intent is on record, is answered from
//! memory where that may be.

mod tell;

use std::sync::Arc;

use gpconnect::{
    Permit,
    caching::{Demand, Freshness, Question, Use, Wishes},
    forward,
    names::FromCaller,
    rejection::Reason,
};
use pingora::{Result, proxy::Session, time::timeout};

pub(super) use self::tell::of_whole;
use super::{
    call::Call,
    convert,
    exchange::{Exchange, InFlight},
    gateway::Gateway,
};
use crate::{
    cache::{Entry, Key, Landed, Outcome, Turn, Waiter, Whole},
    snapshot::Snapshot,
    traces::{Phase, Phases},
};

/// What is to be told.
pub(super) enum Told {
    /// This answer.
    Entry(Arc<Entry>, Use),
    /// The provider's own answer to this very request.
    Whole(Arc<Whole>),
    /// That there is none.
    Fault(Reason, Use),
    /// Nothing: the request is sent on as if there were no cache.
    Nothing,
}

/// What a request asks of memory.
struct Asked {
    key: Key,
    demand: Demand,
    /// The lines of `If-None-Match`.
    tags: Vec<Box<str>>,
}

/// Whether the request was answered; else it goes on to the provider.
pub(super) async fn answer(
    gateway: &Gateway,
    session: &mut Session,
    exchange: &mut Exchange,
) -> Result<bool> {
    if !exchange.permit.as_ref().is_some_and(|permit| may_be_kept(permit, &exchange.snapshot)) {
        return Ok(false);
    }
    exchange.trace.enter(Phase::Cache);
    // On the heap, so that other requests don't carry its room along.
    let answered = Box::pin(ask(gateway, session, exchange)).await;
    exchange.trace.phases().into_iter().for_each(Phases::end);
    answered
}

/// Whether answers of this kind may be kept, of this practice, at all.
pub(super) fn may_be_kept(permit: &Permit, snapshot: &Snapshot) -> bool {
    let practice = || snapshot.policy.practice(permit.practice());
    permit.interaction().row().kept.is_some()
        && snapshot.cache.enabled
        && practice().is_some_and(|practice| !practice.enablement.never_kept)
}

async fn ask(gateway: &Gateway, session: &mut Session, exchange: &mut Exchange) -> Result<bool> {
    let Some(asked) = asked(gateway, session, exchange) else {
        exchange.cache = Some(Use::Bypass);
        return Ok(false);
    };
    let found = gateway.shared.cache.find(&asked.key);
    let told = match found.as_deref().map(|entry| (entry.kept(), asked.may_give(entry))) {
        Some((None, Some(_))) => Told::Nothing,
        Some((Some(_), Some(Freshness::Fresh))) => found.map_or(Told::Nothing, hit),
        Some((Some(_), Some(Freshness::Stale))) => {
            let waiting = take_turn(gateway, session, exchange, &asked, found.clone());
            match (waiting, found) {
                (Turned::Found(newer), _) => hit(newer),
                (Turned::Lead(_), Some(old)) => Told::Entry(old, Use::Refresh),
                (Turned::Wait(_) | Turned::Never, Some(old)) => Told::Entry(old, Use::Stale),
                (_, None) => Told::Nothing,
            }
        }
        _ => wait(gateway, session, exchange, &asked, found).await?,
    };
    tell::tell(gateway, session, exchange, told, &asked).await
}

const fn hit(entry: Arc<Entry>) -> Told {
    Told::Entry(entry, Use::Hit)
}

/// None when memory is not to be asked.
fn asked(gateway: &Gateway, session: &Session, exchange: &Exchange) -> Option<Asked> {
    let permit = exchange.permit.as_ref()?;
    let head = session.req_header();
    let lines = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let wishes = Wishes::read(lines)?;
    let fields = convert::fields(head);
    let question = Question::of(permit.interaction(), permit.fhir_request(), &fields)?;
    let endpoint = forward::endpoint(permit, &exchange.snapshot.policy)?;
    let (root, generation) = (&endpoint.service_root, exchange.snapshot.generation);
    let key = gateway.shared.cache.key(root, permit.to(), question, generation)?;
    let tags = wishes.if_none_match.into_iter().map(Into::into).collect();
    Some(Asked { key, demand: wishes.demand, tags })
}

impl Asked {
    /// As what an answer may be given without asking; none when it may not.
    fn may_give(&self, entry: &Entry) -> Option<Freshness> {
        let freshness = entry.freshness();
        match (freshness, self.demand) {
            (Freshness::Fresh | Freshness::Stale, Demand::Any) => Some(freshness),
            (Freshness::Fresh, Demand::Younger(most)) if entry.age() <= most => Some(freshness),
            _ => None,
        }
    }

    /// Whether an answer may be given now that the provider has failed.
    fn may_give_in_need(&self, entry: &Entry) -> bool {
        let is_alive = entry.freshness() != Freshness::Dead && entry.kept().is_some();
        is_alive && self.demand == Demand::Any
    }
}

/// What came of asking whose turn it is.
enum Turned {
    Found(Arc<Entry>),
    Lead(Waiter),
    Wait(Waiter),
    /// The provider can't be asked.
    Never,
}

/// Takes its turn, and has the provider asked when it leads.
fn take_turn(
    gateway: &Gateway,
    session: &Session,
    exchange: &Exchange,
    asked: &Asked,
    old: Option<Arc<Entry>>,
) -> Turned {
    let suffices = |entry: &Entry| asked.may_give(entry) == Some(Freshness::Fresh);
    match gateway.shared.cache.join(&asked.key, suffices) {
        Turn::Found(entry) => Turned::Found(entry),
        Turn::Wait(waiter) => Turned::Wait(waiter),
        Turn::Lead(lead, waiter) => {
            let head = session.req_header();
            let Some(call) = Call::new(&gateway.shared, exchange, head, &asked.key, old) else {
                return Turned::Never;
            };
            call.take_off(lead);
            Turned::Lead(waiter)
        }
    }
}

/// Waits for a call, its own or another's, for as long as an answer may take. A caller that hangs
/// up meanwhile ends the wait and not the call.
async fn wait(
    gateway: &Gateway,
    session: &mut Session,
    exchange: &mut Exchange,
    asked: &Asked,
    old: Option<Arc<Entry>>,
) -> Result<Told> {
    let (waiter, leads) = match take_turn(gateway, session, exchange, asked, old.clone()) {
        Turned::Found(entry) if entry.kept().is_none() => return Ok(Told::Nothing),
        Turned::Found(entry) => return Ok(hit(entry)),
        Turned::Lead(waiter) => (waiter, true),
        Turned::Wait(waiter) => (waiter, false),
        Turned::Never => return Ok(Told::Nothing),
    };
    let _waiting = InFlight::enter(&gateway.shared.telemetry.metrics.cache.waiting);
    let timeouts = &exchange.snapshot.timeouts;
    let patience = exchange.remaining().min(timeouts.connect + timeouts.query);
    let landed = tokio::select! {
        landed = timeout(patience, waiter.landed()) => landed,
        gone = session.as_downstream_mut().read_body_or_idle(true) => {
            gone.map_err(|fault| fault.into_down())?;
            return Ok(Told::Nothing);
        }
    };
    let old = old.filter(|entry| asked.may_give_in_need(entry));
    let url = FromCaller::from(exchange.url().unwrap_or_default());
    Ok(match landed {
        Ok(Some(landed)) => heard(exchange, landed, leads, old, url),
        Ok(None) => {
            let reference = uuid::Uuid::new_v4().to_string().into();
            failed(Reason::GatewayFault { reference }, leads, old)
        }
        Err(_) => failed(Reason::UpstreamTimeout { url }, leads, old),
    })
}

/// What is told of the end of a call; who led it has its times.
pub(super) fn heard(
    exchange: &mut Exchange,
    landed: Landed,
    leads: bool,
    old: Option<Arc<Entry>>,
    url: FromCaller<Box<str>>,
) -> Told {
    if leads {
        exchange.tries = landed.tries;
        exchange.upstream = landed.upstream;
        exchange.upstream_reused = landed.reused;
    }
    match (landed.outcome, leads) {
        (Outcome::Kept { entry, .. }, false) => Told::Entry(entry, Use::Shared),
        (Outcome::Kept { entry, confirmed: true }, true) => Told::Entry(entry, Use::Revalidated),
        (Outcome::Kept { entry, confirmed: false }, true) => Told::Entry(entry, Use::Miss),
        (Outcome::Whole(whole), leads) if whole.status >= 500 => match (old, leads) {
            (Some(old), _) => Told::Entry(old, Use::Stale),
            (None, true) => Told::Whole(whole),
            // Its text may repeat what the other request said.
            (None, false) => {
                let reason = Reason::UpstreamFailed { url, status: whole.status };
                Told::Fault(reason, Use::Shared)
            }
        },
        (Outcome::Whole(whole), true) => Told::Whole(whole),
        (Outcome::Whole(_), false) | (Outcome::Alone, _) => Told::Nothing,
        (Outcome::Failed(reason), leads) => failed(reason, leads, old),
    }
}

pub(super) fn failed(reason: Reason, leads: bool, old: Option<Arc<Entry>>) -> Told {
    let how = if leads { Use::Miss } else { Use::Shared };
    old.map_or(Told::Fault(reason, how), |old| Told::Entry(old, Use::Stale))
}
