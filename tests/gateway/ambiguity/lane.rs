//! A gateway with one connection to its provider, and how a case is put to it.

use std::collections::BTreeMap;

use gpconnect_gateway::tls::issue::Issued;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::case::{Case, Passed, Verdict};
use super::upstream::{Arrived, Request, Upstream};
use crate::exposition::Exposition;
use crate::harness::call::host_and_path;
use crate::harness::interactions::{BOOK_APPOINTMENT, READ_METADATA, READ_PATIENT};
use crate::harness::{Call, HOST, Interaction, Mode, World};
use crate::refusals::{check, contract};
use crate::tls::{Client, Pki};
use crate::wire::{Reply, Wire};

/// The body of a booking.
const BODY: &str = r#"{"resourceType":"Appointment"}"#;

/// What the gateway is told of deadlines: some cases wait for one.
const SETTINGS: &str = "[timeouts]\nhead = \"1s\"\nbody = \"1s\"\n";

/// What the cases come in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Plain,
    /// TLS with a client certificate, a handshake for every case.
    MutualTls,
}

/// A connection by either door.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// What went wrong with a case.
pub(super) enum Wrong {
    /// A request was read differently.
    Read(String),
    /// All is right but that it went over another connection to the provider than the one there was: who
    /// comes while the engine still watches a kept connection gets a new one. That proves nothing of
    /// what may be left on the first.
    Connected(String),
}

pub(super) struct Lane {
    world: World,
    upstream: Upstream,
    /// Where the certificates come from, and the one that is shown, behind the door that needs it.
    identity: Option<(Pki, Issued)>,
    /// Whether the one connection to the provider is made.
    connected: bool,
    decoy: u16,
}

impl Lane {
    pub(super) async fn start(door: Door, decoy: u16) -> Self {
        let upstream = Upstream::start().await;
        let address = upstream.address;
        let identity = (door == Door::MutualTls).then(|| {
            let pki = Pki::new();
            let issued = pki.consumer(Mode::Transparent);
            (pki, issued)
        });
        let listener = identity.as_ref().map(|(pki, _)| pki.listener("")).unwrap_or_default();
        let world = World::start(|plan| {
            plan.upstream = Some(address);
            plan.settings = SETTINGS.to_owned() + &listener;
        })
        .await;
        let mut lane = Self { world, upstream, identity, connected: false, decoy };
        if let Err(Wrong::Read(what) | Wrong::Connected(what)) = lane.probe().await {
            panic!("a new lane works: {what}");
        }
        lane
    }

    async fn open(&self) -> Wire<Box<dyn Stream>> {
        let stream: Box<dyn Stream> = match &self.identity {
            None => {
                let stream = TcpStream::connect(self.world.address(Mode::Transparent)).await;
                let stream = stream.unwrap();
                stream.set_nodelay(true).unwrap();
                Box::new(stream)
            }
            Some((pki, issued)) => {
                let address = self.world.gateway.listeners["secure"];
                Box::new(Client::new(address, pki, Some(issued)).try_connect().await.unwrap())
            }
        };
        Wire::over(stream)
    }

    /// Puts a case to the gateway, looks at both ends, and has the connection to the provider
    /// serve another request.
    ///
    /// # Errors
    /// What is not as it is to be.
    pub(super) async fn run(&mut self, case: &Case) -> Result<(), Wrong> {
        let words = Words::new(self);
        let bytes = case.bytes(&|name| words.replace(name));
        let wire = self.open().await;
        // In a task of its own, so that a failure inside is told with the case's name.
        let (talk, whose, own) = (case.verdicts.clone(), words.clone(), bytes.clone());
        let talk = tokio::spawn(async move { converse(wire, &own, &talk, &whose).await });
        let answered = talk.await.unwrap_or_else(|error| Err(error.to_string()));
        let arrived = self.upstream.arrived();
        let sent = bytes.escape_ascii();
        let wrong = |what: String| format!("{what}; sent {sent}; arrived: {arrived:?}");
        let told = answered.map_err(|what| Wrong::Read(wrong(what)))?;
        for (trace_id, word) in told {
            let same = |line: &Value| line["trace_id"] == trace_id.as_str();
            let line = self.world.gateway.log.wait_for(&trace_id, same).await;
            if line["fault"] != word.as_str() {
                return Err(Wrong::Read(format!("expected {word}, logged {}", line["fault"])));
            }
        }
        let passed = case.verdicts.iter().filter_map(|verdict| match verdict {
            Verdict::Passed(passed) => Some(Arrived::Request(words.canonical(passed))),
            Verdict::Refused(_) | Verdict::Unfinished => None,
        });
        same(&arrived, &passed.collect::<Vec<_>>())?;
        self.probe().await
    }

    /// A good request over the one connection to the provider.
    async fn probe(&mut self) -> Result<(), Wrong> {
        let words = Words::new(self);
        let mut wire = self.open().await;
        let probe = words.next.clone().and("Connection", "close");
        let reply = wire.exchange(&probe).await;
        is_answer_to(&reply, &probe)
            .map_err(|what| Wrong::Read(format!("the next request: {what}")))?;
        wire.rest().await;
        let mut expected = vec![Arrived::Request(words.of("next"))];
        if !std::mem::replace(&mut self.connected, true) {
            expected.insert(0, Arrived::Connection);
        }
        same(&self.upstream.arrived(), &expected)
    }

    /// What the metrics do not say as it was: each refusal counts once, under its word.
    pub(super) async fn miscounted(&self, refused: &BTreeMap<&str, usize>) -> Vec<String> {
        let page = Exposition::of(&self.world).await;
        let practices = self.world.simulator.estate().practices().iter();
        let practices = practices.map(|practice| practice.ods_code.to_string()).collect();
        check::has_known_labels_only(&page, &practices);
        let mut wrong = Vec::new();
        for (word, times) in refused {
            let counted = page.sum("requests_total", &[("fault", word), ("origin", "gateway")]);
            // Those that are only waited for may be counted under the same word.
            #[expect(clippy::cast_precision_loss, reason = "some hundred at most")]
            if counted < *times as f64 {
                wrong.push(format!("{word}: {times} times, counted {counted}"));
            }
        }
        wrong
    }
}

/// Sends these bytes, whatever the stream, and reads one answer for each request among them. Gives
/// back trace id and word of each refusal.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut wire: Wire<S>,
    bytes: &[u8],
    verdicts: &[Verdict],
    words: &Words,
) -> Result<Vec<(String, String)>, String> {
    let mut told = Vec::new();
    wire.write(bytes).await;
    for (place, verdict) in verdicts.iter().enumerate() {
        let place = place + 1;
        if matches!(verdict, Verdict::Unfinished) {
            wire.finish().await;
        }
        let verb = if bytes.starts_with(b"HEAD ") { "HEAD" } else { "GET" };
        let (reply, cut) = wire.read_any(verb).await;
        let fine = match verdict {
            Verdict::Unfinished if matches!(reply.status, 0 | 400..) => Ok(()),
            Verdict::Unfinished => Err(format!("it is answered: {reply:?}")),
            _ if cut.is_some() => Err(format!("its answer is cut: {reply:?}")),
            Verdict::Refused(word) => is_refusal(&reply, word),
            Verdict::Passed(passed) => is_answer_to(&reply, words.call(&passed.request)),
        };
        fine.map_err(|what| format!("request {place}: {what}"))?;
        if let Verdict::Refused(word) = verdict {
            told.push((reply.header("ssp-traceid").to_owned(), word.clone()));
        }
    }
    wire.finish().await;
    match wire.rest().await.as_slice() {
        [] => Ok(told),
        more => Err(format!("a further answer: {}", more.escape_ascii())),
    }
}

fn is_refusal(reply: &Reply, word: &str) -> Result<(), String> {
    let status = contract::of(word).status;
    let outcome = reply.json_or_null()["resourceType"] == "OperationOutcome";
    let is_ours = !reply.header("ssp-traceid").is_empty();
    if reply.status == status && is_ours && (outcome || reply.body.is_empty()) {
        return Ok(());
    }
    Err(format!("expected {status}, {word}; found {reply:?}"))
}

fn is_answer_to(reply: &Reply, call: &Call) -> Result<(), String> {
    let trace_id = call.header("Ssp-TraceID").unwrap();
    let answers = reply.json_or_null()["id"] == trace_id;
    if reply.status == 200 && answers && reply.header("ssp-traceid") == trace_id {
        return Ok(());
    }
    Err(format!("expected the answer to {trace_id}; found {} {:?}", reply.status, reply.text()))
}

fn same(arrived: &[Arrived], expected: &[Arrived]) -> Result<(), Wrong> {
    if arrived == expected {
        return Ok(());
    }
    let told = format!("arrived {arrived:#?}, expected {expected:#?}");
    let is_request = |one: &&Arrived| !matches!(one, Arrived::Connection);
    let same = arrived.iter().filter(is_request).eq(expected.iter().filter(is_request));
    Err(if same { Wrong::Connected(told) } else { Wrong::Read(told) })
}

/// The requests of one case, each with a trace id of its own.
#[derive(Clone)]
struct Words {
    read: Call,
    book: Call,
    next: Call,
    provider: String,
    /// `http` or `https`, as the provider is told.
    scheme: &'static str,
    decoy: u16,
}

impl Words {
    fn new(lane: &Lane) -> Self {
        let world = &lane.world;
        let call = |interaction: &Interaction, path: &str| {
            let trace_id = Uuid::new_v4().to_string();
            world.call(Mode::Transparent, interaction, path).with("Ssp-TraceID", &trace_id)
        };
        let practice = world.practice(0);
        let (provider, _) = host_and_path(practice, &READ_PATIENT);
        Self {
            read: call(&READ_PATIENT, "Patient/2"),
            book: call(&BOOK_APPOINTMENT, "Appointment")
                .with("Content-Type", "application/fhir+json;charset=utf-8")
                .bytes(BODY),
            next: call(&READ_METADATA, "metadata"),
            provider: provider.to_owned(),
            scheme: if lane.identity.is_some() { "https" } else { "http" },
            decoy: lane.decoy,
        }
    }

    fn call(&self, name: &str) -> &Call {
        match name {
            "read" => &self.read,
            "book" => &self.book,
            "next" => &self.next,
            _ => panic!("{name} is no request of the test"),
        }
    }

    /// What a word of a case stands for.
    fn replace(&self, name: &str) -> Vec<u8> {
        let lines = |call: &Call| {
            let line = |(name, value): &(String, String)| format!("{name}: {value}\r\n");
            call.clone().without("Host").headers.iter().map(line).collect::<String>()
        };
        let header = |call: &Call, name: &str| call.header(name).unwrap().to_owned();
        match name {
            "host" => HOST.to_owned(),
            "provider" => self.provider.clone(),
            "port" => self.decoy.to_string(),
            "scheme" => self.scheme.to_owned(),
            "read" | "book" => self.call(name).target.clone(),
            "reading" => lines(&self.read),
            "booking" => lines(&self.book),
            "next" => self.next.head(),
            "body" => BODY.to_owned(),
            "trace-id" => header(&self.read, "Ssp-TraceID"),
            "from" => header(&self.read, "Ssp-From"),
            "to" => header(&self.read, "Ssp-To"),
            "interaction-id" => header(&self.read, "Ssp-InteractionID"),
            "token" => header(&self.read, "Authorization"),
            _ => panic!("[[{name}]] is no word of the test"),
        }
        .into_bytes()
    }

    fn canonical(&self, passed: &Passed) -> Request {
        let mut request = self.of(&passed.request);
        if let Some(body) = passed.body(&|name| self.replace(name)) {
            request.headers.retain(|(name, _)| name != "content-length");
            request.headers.push(("content-length".into(), body.len().to_string()));
            request.body = body;
        }
        for line in &passed.with(&|name| self.replace(name)) {
            let (name, value) = line.split_once(": ").expect("with NAME: VALUE");
            let name = name.to_ascii_lowercase();
            request.headers.retain(|(there, _)| *there != name);
            request.headers.push((name, value.to_owned()));
        }
        request.headers.sort();
        request
    }

    fn of(&self, name: &str) -> Request {
        Request::canonical(self.call(name), &self.provider, self.scheme)
    }
}
