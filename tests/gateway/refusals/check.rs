//! What holds for every refusal, checked at both ends and in log and metrics.

use std::collections::BTreeSet;

use gpconnect::observe::Rule;
use serde_json::Value;
use uuid::Uuid;

use super::contract::{self, Coding, Row};
use super::region::{NEIGHBOUR, PATIENT};
use super::{Case, Outcome};
use crate::exposition::{Exposition, Sample};
use crate::harness::{Call, Mode, ORGANISATION, World};
use crate::wire::{Reply, Wire};

/// How a caller asks for its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    Nothing,
    Accept,
    Parameter,
}

/// Sends each case in every format, and looks at everything that comes of it.
pub(super) async fn all_are_refused(world: &World, cases: Vec<Case>) {
    assert!(!cases.is_empty());
    let names: BTreeSet<_> = cases.iter().map(|case| case.name.clone()).collect();
    assert_eq!(names.len(), cases.len(), "each case has a name of its own");
    for case in &cases {
        for asks in [Asks::Nothing, Asks::Accept, Asks::Parameter] {
            if let Some((bytes, format)) = asking(case, asks) {
                let name = format!("{} ({asks:?})", case.name);
                is_refused(world, case, &name, &bytes, format).await;
            }
        }
    }
}

/// The bytes of a case that asks for a format; none where that is the case itself, or where it
/// can't be asked for that way.
fn asking(case: &Case, asks: Asks) -> Option<(Vec<u8>, &'static str)> {
    let bytes = case.bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match asks {
        Asks::Nothing => Some((bytes, "json")),
        _ if case.says.contains("Unsupported") || case.call.header("Accept").is_some() => None,
        Asks::Accept => {
            // As the second line: a head that is refused early was read that far.
            let line = text.find("\r\n").filter(|end| *end < bytes.len() - 2)? + 2;
            let accept = b"Accept: application/fhir+xml\r\n".as_slice();
            let (before, behind) = bytes.split_at(line);
            Some(([before, accept, behind].concat(), "xml"))
        }
        Asks::Parameter => {
            let Call { verb, target, .. } = &case.call;
            let place = verb.len() + 1 + target.len();
            if !text.starts_with(&format!("{verb} {target} HTTP/1.1\r\n"))
                || case.word == "target_too_long"
            {
                return None;
            }
            let parameter = if target.contains('?') { "&_format=xml" } else { "?_format=xml" };
            let (before, behind) = bytes.split_at(place);
            Some(([before, parameter.as_bytes(), behind].concat(), "xml"))
        }
    }
}

async fn is_refused(world: &World, case: &Case, name: &str, bytes: &[u8], format: &str) {
    let row = contract::of(case.word);
    let before = Traces::of(world).await;
    let seen = world.gateway.log.lines().len();
    let mut wire = Wire::open(world.address(case.call.mode)).await;
    wire.write(bytes).await;
    let reply = wire.read(&case.call.verb).await;
    if case.closes {
        assert_eq!(reply.header("connection").to_ascii_lowercase(), "close", "{name}: {reply:?}");
        assert_eq!(wire.rest().await, b"", "{name}: nothing follows");
    } else {
        assert_ne!(reply.header("connection").to_ascii_lowercase(), "close", "{name}: {reply:?}");
    }
    answers(&reply, &row, case, name, format);
    let trace_id = reply.header("ssp-traceid").to_owned();
    let same = |line: &Value| line["trace_id"] == trace_id.as_str();
    let line = world.gateway.log.wait_behind(seen, name, same).await;
    is_logged(&line, &row, name);
    before.grew_by_one(&Traces::of(world).await, &row, name);
    if !case.closes {
        serves_the_next(world, case.call.mode, &mut wire, name).await;
    }
}

/// What the caller sees.
fn answers(reply: &Reply, row: &Row, case: &Case, name: &str, format: &str) {
    assert_eq!(reply.status, row.status, "{name}: {reply:?}");
    assert_eq!(reply.header("cache-control"), "no-store", "{name}");
    assert_eq!(reply.all("server"), [""; 0], "{name}: no engine page");
    let expected = if row.status == 405 { "GET, POST, PUT" } else { "" };
    assert_eq!(reply.header("allow"), expected, "{name}");
    let trace_id: Uuid = reply.header("ssp-traceid").parse().unwrap();
    let bytes = case.bytes();
    let sent = String::from_utf8_lossy(&bytes).into_owned();
    let sent: Vec<&str> = sent.lines().filter_map(sent_trace_id).collect();
    if let [Ok(sent)] = sent.iter().map(|sent| sent.parse::<Uuid>()).collect::<Vec<_>>().as_slice()
    {
        assert_eq!(*sent, trace_id, "{name}: the trace id that was sent");
    }
    if case.call.verb == "HEAD" {
        assert_eq!(reply.body, b"", "{name}");
        return;
    }
    let outcome = Outcome::of(reply, format);
    tells(&outcome, row, case.says, name);
    assert!(!reply.text().contains(PATIENT) || row.word == "endpoint_varies", "{name}: {reply:?}");
    assert!(!reply.text().contains("identifier="), "{name}: {reply:?}");
}

fn sent_trace_id(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    let is_trace_id = name.eq_ignore_ascii_case("Ssp-TraceID") && value.trim().len() == 36;
    is_trace_id.then(|| value.trim())
}

/// What the outcome says, in either format.
pub(crate) fn tells(outcome: &Outcome, row: &Row, says: &str, name: &str) {
    let profile = "https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-OperationOutcome-1";
    assert_eq!(outcome.profile, profile, "{name}");
    assert!(outcome.issues.iter().all(|issue| issue.severity == "error"), "{name}: {outcome:?}");
    let issue = outcome.issues.first().unwrap();
    assert_eq!(issue.code, row.issue, "{name}: {outcome:?}");
    assert_eq!(issue.system, row.coding.system(), "{name}");
    match row.coding {
        Coding::Spine(code, display) => {
            assert_eq!((issue.coding.as_str(), issue.display.as_str()), (code, display), "{name}");
            assert_eq!(outcome.id, "", "{name}");
        }
        Coding::Proxy | Coding::ProxyMethod => {
            assert_eq!(issue.coding, row.status.to_string(), "{name}");
            assert_eq!(issue.display, issue.diagnostics, "{name}");
            assert!(outcome.id.parse::<Uuid>().is_ok(), "{name}: {outcome:?}");
        }
    }
    assert!(!issue.diagnostics.is_empty(), "{name}");
    assert!(issue.diagnostics.contains(says), "{name}: {says:?} in {:?}", issue.diagnostics);
}

/// What operators see: the word, and nothing of the patient or the token.
fn is_logged(line: &Value, row: &Row, name: &str) {
    assert_eq!(line["fault"], row.word, "{name}: {line}");
    assert_eq!(line["status"], row.status, "{name}: {line}");
    assert_eq!(line["result"], "refused", "{name}: {line}");
    assert_eq!(line["origin"], "gateway", "{name}: {line}");
    let text = line.to_string();
    for hidden in [PATIENT, "eyJ", "identifier=", "%7C"] {
        assert!(!text.contains(hidden), "{name}: {hidden} in {text}");
    }
}

/// What the provider and the metrics saw so far.
struct Traces {
    requests: u64,
    metrics: Exposition,
}

impl Traces {
    async fn of(world: &World) -> Self {
        Self { requests: world.simulator.requests(), metrics: Exposition::of(world).await }
    }

    fn grew_by_one(&self, after: &Self, row: &Row, name: &str) {
        assert_eq!(self.requests, after.requests, "{name}: nothing reaches a provider");
        let status = row.status.to_string();
        let labels = [("fault", row.word), ("status", &status), ("origin", "gateway")];
        let grown = after.metrics.sum("requests_total", &labels)
            - self.metrics.sum("requests_total", &labels);
        assert!((grown - 1.0).abs() < f64::EPSILON, "{name}: counted {grown} times");
        let all = |traces: &Self| traces.metrics.sum("requests_total", &[]);
        assert!((all(after) - all(self) - 1.0).abs() < f64::EPSILON, "{name}: counted once");
    }
}

/// The connection is good for another request, and nothing of the refused one is left on it.
async fn serves_the_next(world: &World, mode: Mode, wire: &mut Wire, name: &str) {
    world.arrivals();
    let next = next(world).with("Ssp-From", mode.asid());
    let reply = wire.exchange(&next).await;
    assert_eq!(reply.status, 200, "{name}: the next request: {reply:?}");
    let trace_id = next.header("Ssp-TraceID").unwrap();
    assert_eq!(reply.header("ssp-traceid"), trace_id, "{name}");
    world.gateway.log.wait_for(name, |line| line["trace_id"] == trace_id).await;
    let arrivals = world.arrivals();
    assert_eq!(arrivals.len(), 1, "{name}: only the next request arrived");
    assert!(arrivals[0].target.ends_with("/metadata"), "{name}");
}

/// A good request.
pub(super) fn next(world: &World) -> Call {
    let interaction = &crate::harness::interactions::READ_METADATA;
    let trace_id = Uuid::new_v4().to_string();
    world.call(Mode::Transparent, interaction, "metadata").with("Ssp-TraceID", &trace_id)
}

/// What the files of a TLS listener hold, what they are called, and whose it is.
const KINDS_OF_FILES: [&str; 3] = ["certificate", "authority", "revocation_list"];
const FILES: [&str; 3] = ["/gateway.pem", "/authorities.pem", "/consumers.crl"];
const SUBJECTS: [&str; 4] =
    ["CN=gateway.example", "CN=Consumers", "CN=Consumers Root", "CN=Withdrawn"];

/// The series of the metrics page hold nothing but what is registered or listed.
pub(crate) fn has_known_labels_only(page: &Exposition, practices: &BTreeSet<String>) {
    let words: BTreeSet<_> = contract::words().collect();
    let known = |name: &str, value: &str| match name {
        "practice" => practices.contains(value),
        "organisation" => practices.contains(value) || [ORGANISATION, "RXX02"].contains(&value),
        // Free text of the directory: each practice has one, as counted below.
        "name" => true,
        "upstream" => ["provider", "refusing"].contains(&value),
        "rule" => Rule::from_name(value).is_some(),
        "side" => ["consumers", "practices"].contains(&value),
        "consumer" => {
            ["unknown", Mode::Transparent.asid(), Mode::Assist.asid(), NEIGHBOUR].contains(&value)
        }
        "fault" => words.contains(value),
        "status" => value.parse::<u16>().is_ok(),
        "origin" => ["gateway", "provider", "cache", "next_proxy"].contains(&value),
        "interaction" => value == "unknown" || value.contains("fhir:"),
        "kind" => is_kind(value),
        "result" => is_result(value),
        "listener" => ["transparent", "assist", "secure"].contains(&value),
        "owner" => value == "listener secure",
        "file" => FILES.iter().any(|file| value.ends_with(file)),
        "subject" => SUBJECTS.contains(&value),
        "record" => [
            "intent",
            "outcome",
            "refusal",
            "refusals",
            "start",
            "stop",
            "reload",
            "reload_refused",
            "certificates",
            "end",
            "removed",
            "disk_full",
            "disk_room",
            "keys",
            "admin",
            "search",
            "switch_off",
            "switch_on",
            "switch_expired",
        ]
        .contains(&value),
        "place" => ["local", "foreign"].contains(&value),
        "purpose" => ["refresh", "crawl"].contains(&value),
        "state" => ["fresh", "behind", "failing", "refused"].contains(&value),
        "connection" => ["new", "reused"].contains(&value),
        "le" | "version" => true,
        _ => false,
    };
    let strange = |sample: &&Sample| sample.labels.iter().any(|(name, value)| !known(name, value));
    let strange: Vec<_> = page.0.iter().filter(strange).collect();
    assert!(strange.is_empty(), "{strange:#?}");
    assert_eq!(page.sum("practice_info", &[]), practices.len() as f64, "one a practice");
}

fn is_kind(value: &str) -> bool {
    let of_calls = ["unknown", "command", "query", "practice", "consumer"];
    let switched = ["capability", "interaction"];
    let limited = ["connections", "in_flight"];
    [&of_calls[..], &switched, &limited, &KINDS_OF_FILES].iter().any(|all| all.contains(&value))
}

fn is_result(value: &str) -> bool {
    let of_calls = ["good", "slow", "refused", "provider_error", "failed", "loaded"];
    let of_memory = ["bypass", "hit", "miss", "refresh", "revalidated", "shared", "stale"];
    let of_fetches = ["confirmed", "kept", "not_kept"];
    let of_handshakes = ["completed", "closed"];
    let of_spans = ["exported", "dropped", "limited"];
    let all = [&of_calls[..], &of_memory, &of_fetches, &of_handshakes, &of_spans];
    all.iter().any(|some| some.contains(&value))
}
