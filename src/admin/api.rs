//! Does what a call asks, when its caller may, and puts each call down in the journal.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime},
};

use gpconnect::names::OdsCode;
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use hyper::body::{Body as _, Incoming};
use serde::Serialize;
use serde_json::json;
use tokio::task::spawn_blocking;
use tracing::info;
use uuid::Uuid;

use super::{
    answer::{Answer, Problem},
    caller::{Peer, Principal},
    openapi::description,
    order::{LevelOrder, ReloadOrder, SearchOrder, Why, discard, read},
    query::Query,
    route::{self, Endpoint, Look, Order, Route},
    state::Practices,
};
use crate::{
    audit::{Call, Journal, Stranger},
    cache::Cache,
    config::{Mistakes, Warnings},
    snapshot::{Changes, Current, lookup},
    telemetry::{Health, Levels, NotSet, Telemetry},
};

/// Calls that may follow each other at once, and how many each second brings: every call is a record,
/// and nobody who may call is to fill the journal with them.
const BURST: f64 = 200.0;
const EACH_SECOND: f64 = 20.0;

/// Reads the configuration again. It blocks.
pub type Reload = Box<dyn Fn() -> Result<(Changes, Warnings), Mistakes> + Send + Sync>;

/// Where consumers connect to.
#[derive(Clone, Debug, Serialize)]
pub struct Listening {
    /// The listener's name.
    pub name: String,
    /// Its address, or the path of its socket.
    pub address: String,
    /// Whether callers come over TLS.
    pub tls: bool,
}

/// What the API shows and changes.
pub struct Governed {
    /// The configuration in use, and its replacement.
    pub current: Arc<Current>,
    /// What is counted.
    pub telemetry: Arc<Telemetry>,
    /// Whether requests are taken.
    pub health: Arc<Health>,
    /// The journal.
    pub journal: Arc<Journal>,
    /// How much is logged.
    pub levels: Arc<Levels>,
    /// Answers in memory.
    pub cache: Arc<Cache>,
    /// Where consumers connect to.
    pub listeners: Vec<Listening>,
}

impl fmt::Debug for Governed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Governed")
    }
}

/// The admin API of one gateway.
pub struct Api {
    pub(super) current: Arc<Current>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) health: Arc<Health>,
    pub(super) levels: Arc<Levels>,
    pub(super) cache: Arc<Cache>,
    pub(super) listeners: Vec<Listening>,
    pub(super) started: SystemTime,
    pub(super) journal: Arc<Journal>,
    /// Held while something is switched off or on.
    pub(super) switching: tokio::sync::Mutex<()>,
    reload: Arc<Reload>,
    pace: Mutex<Pace>,
}

impl fmt::Debug for Api {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Api")
    }
}

#[derive(Debug)]
struct Pace {
    left: f64,
    at: Instant,
}

impl Api {
    /// The API of a gateway that is made of these.
    pub fn new(governed: Governed, reload: Reload) -> Self {
        let Governed { current, telemetry, health, journal, levels, cache, listeners } = governed;
        Self {
            current,
            telemetry,
            health,
            levels,
            cache,
            listeners,
            started: SystemTime::now(),
            journal,
            switching: tokio::sync::Mutex::default(),
            reload: Arc::new(reload),
            pace: Mutex::new(Pace { left: BURST, at: Instant::now() }),
        }
    }

    /// Answers a call, whoever makes it.
    pub(super) async fn answer(&self, peer: &Peer, head: Parts, body: Incoming) -> Answer {
        let admitted = peer.admit(&head, &self.current.peek().tokens);
        match admitted.and_then(|principal| self.keep_pace().map(|()| principal)) {
            Ok(principal) => self.on_record(peer, &principal, &head, body).await,
            Err(problem) => {
                let principal = peer.user();
                let stranger = Stranger { principal: principal.as_deref(), client: peer.client() };
                self.journal.turned_away(&stranger, problem.status().as_u16(), problem.fault);
                discard(body).await;
                problem.into()
            }
        }
    }

    fn keep_pace(&self) -> Result<(), Problem> {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let gained = now.duration_since(pace.at).as_secs_f64() * EACH_SECOND;
        *pace = Pace { left: (pace.left + gained).min(BURST), at: now };
        if pace.left < 1.0 {
            let detail = format!("expected at most {EACH_SECOND} calls a second: each is a record");
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_calls", detail);
            return Err(problem.with_header(header::RETRY_AFTER, HeaderValue::from_static("1")));
        }
        pace.left -= 1.0;
        Ok(())
    }

    /// Answers a call of somebody who may call, and puts down that it did.
    async fn on_record(
        &self,
        peer: &Peer,
        principal: &Principal,
        head: &Parts,
        body: Incoming,
    ) -> Answer {
        let found = route::find(&head.method, head.uri.path());
        let (path, role) =
            found.as_ref().map_or(("unknown", "none"), |(it, _)| (it.path, it.role.as_str()));
        let id = Uuid::new_v4().to_string();
        let method = known_method(&head.method);
        let (user, client) = (principal.user.as_deref(), peer.client());
        let call = Call { id: &id, principal: &principal.text, user, role, method, path, client };
        let answer = match found {
            Ok((route, argument)) => match principal.may(route.role) {
                Ok(()) => self.act(&call, route, argument, head, body).await,
                Err(problem) => refuse(body, problem).await,
            },
            Err(problem) => refuse(body, problem).await,
        };
        let answer = answer.unwrap_or_else(Answer::from);
        let status = answer.status.as_u16();
        self.journal.answered(&call, status, answer.fault);
        if method != "GET" {
            let (principal, fault) = (&*principal.text, answer.fault);
            info!(principal, method, path, status, fault, "admin call");
        }
        answer
    }

    async fn act(
        &self,
        call: &Call<'_>,
        route: &Route,
        argument: &str,
        head: &Parts,
        body: Incoming,
    ) -> Result<Answer, Problem> {
        let query = match Query::read(head.uri.query(), route.query) {
            Ok(query) => query,
            Err(problem) => return refuse(body, problem).await,
        };
        let headers = &head.headers;
        match route.endpoint {
            Endpoint::Look(_) if !body.is_end_stream() => {
                refuse(body, Problem::bad("body_unexpected", "expected no body")).await
            }
            Endpoint::Look(look) => self.look(look, argument, &query),
            Endpoint::Order(Order::Reload) => self.reload(call, read(headers, body).await?).await,
            Endpoint::Order(Order::LogLevel) => {
                self.set_level(call, read(headers, body).await?).await
            }
            Endpoint::Order(Order::SwitchOff) => {
                self.switch_off(call, read(headers, body).await?).await
            }
            Endpoint::Order(Order::SwitchOn) => {
                self.switch_on(call, argument, read(headers, body).await?).await
            }
            Endpoint::Order(Order::Purge) => self.purge(call, read(headers, body).await?).await,
            Endpoint::Order(Order::Search) => self.announce(call, read(headers, body).await?).await,
        }
    }

    /// What only looks.
    fn look(&self, look: Look, argument: &str, query: &Query) -> Result<Answer, Problem> {
        let snapshot = self.current.load();
        let code = || {
            let fault = |fault| Problem::bad("ods_code_invalid", format!("{fault}"));
            argument.parse::<OdsCode>().map_err(fault)
        };
        match look {
            Look::Description => Ok(Answer::json(StatusCode::OK, &description())),
            Look::Status => Ok(Answer::json(StatusCode::OK, &self.status())),
            Look::Switches => Ok(self.switches()),
            Look::Capabilities => self.capabilities(query),
            Look::CapabilityChanges => self.capability_changes(query),
            Look::Preview => self.preview(query),
            Look::Conformance => self.conformance(query),
            Look::Practices => {
                let practices = snapshot.policy.practices();
                let practices = practices.iter().map(|practice| self.practice(practice)).collect();
                Ok(Answer::json(StatusCode::OK, &Practices { practices }))
            }
            Look::Practice => {
                let found = snapshot.policy.find_practice(code()?);
                let (_, practice) = found.ok_or_else(|| {
                    Problem::not_found("practice_unknown", "the directory has no such practice")
                })?;
                Ok(Answer::json(StatusCode::OK, &self.practice(practice)))
            }
            Look::Directory => {
                let found = lookup(&snapshot, code()?).ok_or_else(|| {
                    let detail = "the directory has no such organisation";
                    Problem::not_found("organisation_unknown", detail)
                })?;
                Ok(Answer::json(StatusCode::OK, &found))
            }
        }
    }

    async fn reload(&self, call: &Call<'_>, order: ReloadOrder) -> Result<Answer, Problem> {
        self.put_down(call, order.reason.as_ref(), &[]).await?;
        let reload = Arc::clone(&self.reload);
        let reloaded = spawn_blocking(move || reload()).await.map_err(|_panic| {
            let detail = "the reload broke off: a fault of the gateway, please report it";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "gateway_fault", detail)
        })?;
        match reloaded {
            Ok((changes, warnings)) => {
                let told = json!({ "changes": changes, "warnings": warnings });
                Ok(Answer::json(StatusCode::OK, &told))
            }
            Err(mistakes) => {
                let detail = format!("{} mistakes, nothing changed", mistakes.len());
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                let problem = Problem::new(status, "configuration_invalid", detail);
                Err(problem.with("mistakes", json!(mistakes)))
            }
        }
    }

    async fn set_level(&self, call: &Call<'_>, order: LevelOrder) -> Result<Answer, Problem> {
        let level = tracing::Level::from(order.level);
        let level_word = level.as_str().to_ascii_lowercase();
        // A target that is not ours is refused below, and does not stand in the journal.
        let known = order.target.starts_with("gpconnect_gateway").then_some(&*order.target);
        let told = [("target", known.unwrap_or("unknown")), ("level", &*level_word)];
        self.put_down(call, order.reason.as_ref(), &told).await?;
        let set = self.levels.set(&order.target, level);
        set.map_err(|fault| {
            let status = match fault {
                NotSet::NotOurs => StatusCode::BAD_REQUEST,
                NotSet::TooMany => StatusCode::CONFLICT,
                NotSet::NotOwned => StatusCode::UNPROCESSABLE_ENTITY,
            };
            Problem::new(status, "target_invalid", format!("target: {fault}"))
        })?;
        Ok(Answer::json(StatusCode::OK, &json!({ "log_levels": self.levels.all() })))
    }

    async fn announce(&self, call: &Call<'_>, order: SearchOrder) -> Result<Answer, Problem> {
        order.check()?;
        let written = self.journal.ordered("search", call, |clear, sealed, key| {
            order.write(clear, sealed, key);
        });
        written.await.then_some(()).ok_or_else(Problem::unrecorded)?;
        Ok(Answer::json(StatusCode::CREATED, &json!({ "call": call.id })))
    }

    /// Puts an order down; an error means that it must not be followed.
    pub(super) async fn put_down(
        &self,
        call: &Call<'_>,
        why: Option<&Why>,
        more: &[(&'static str, &str)],
    ) -> Result<(), Problem> {
        let reason = why.map(Why::text).transpose()?;
        let written = self.journal.ordered("admin", call, |clear, _, _| {
            more.iter().for_each(|(name, value)| clear.text(name, value));
            reason.iter().for_each(|reason| clear.text("reason", reason));
        });
        written.await.then_some(()).ok_or_else(Problem::unrecorded)
    }
}

/// A method as the journal names it: what a caller made up is not written.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "PATCH" => "PATCH",
        "OPTIONS" => "OPTIONS",
        _ => "unknown",
    }
}

async fn refuse(body: Incoming, problem: Problem) -> Result<Answer, Problem> {
    discard(body).await;
    Err(problem)
}
