//! Each rule with an answer that breaks it and one that does not, and what the consumer gets: the same
//! bytes either way.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, Instant};

use flate2::{Compression, write::GzEncoder};
use gpconnect::observe::Duty;
use serde_json::json;
use uuid::Uuid;

use super::{broken_between, counted};
use crate::harness::interactions::{self as all, Interaction};
use crate::harness::{Call, Mode, World};
use crate::scripted::{Scripted, Step};
use crate::wire::Wire;

const TYPE: &str = "application/fhir+json;charset=utf-8";
const SPINE: &str = "https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1";
const PROXY: &str = "http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0";
const PATIENT: &[u8] = b"{\"resourceType\":\"Patient\",\"id\":\"1\"}";

/// An answer, and how long it takes to begin.
#[derive(Clone)]
struct Says {
    status: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
    after: Duration,
}

/// One that keeps every rule.
fn good() -> Says {
    Says {
        status: "200 OK",
        headers: vec![("Cache-Control", "no-store"), ("ETag", "W/\"1\""), ("Content-Type", TYPE)],
        body: PATIENT.to_vec(),
        after: Duration::ZERO,
    }
}

/// An error in the words of GP Connect.
fn error(status: &'static str) -> Says {
    coded(status, SPINE, "BAD_REQUEST")
}

fn coded(status: &'static str, system: &str, code: &str) -> Says {
    let coding = json!({"system": system, "code": code});
    let issue = json!({"severity": "error", "code": "invalid", "details": {"coding": [coding]}});
    let outcome = json!({"resourceType": "OperationOutcome", "issue": [issue]});
    Says { status, body: outcome.to_string().into_bytes(), ..good() }.without("ETag")
}

impl Says {
    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(there, _)| *there != name);
        self
    }

    fn with(self, name: &'static str, value: &'static str) -> Self {
        let mut says = self.without(name);
        says.headers.push((name, value));
        says
    }

    fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    fn after(self, milliseconds: u64) -> Self {
        Self { after: Duration::from_millis(milliseconds), ..self }
    }

    fn zipped(self) -> Self {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&self.body).unwrap();
        let body = gzip.finish().unwrap();
        self.with("Content-Encoding", "gzip").body(body)
    }

    fn steps(&self) -> [Step; 2] {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let head = format!("TTP/1.1 {}\r\n{}", self.status, headers.collect::<String>());
        let head = format!("{head}Content-Length: {}\r\n\r\n", self.body.len());
        // The pause stands behind the first letter: the head is not there before its end.
        let begin = Step::Drip(b"H".to_vec(), self.after);
        [begin, Step::Send([head.into_bytes(), self.body.clone()].concat())]
    }
}

#[derive(Clone, Copy)]
enum Asks {
    Read,
    Book,
    Slots,
}

impl Asks {
    fn call(self, world: &World, mode: Mode) -> Call {
        let ask = |interaction: &Interaction, path| world.call(mode, interaction, path);
        let call = match self {
            Self::Read => ask(&all::READ_PATIENT, "Patient/9000000009"),
            Self::Book => ask(&all::BOOK_APPOINTMENT, "Appointment")
                .json(&json!({"resourceType": "Appointment"})),
            Self::Slots => ask(&all::SEARCH_SLOT, "Slot?start=ge2026-11-23&status=free"),
        };
        call.with("Ssp-TraceID", &Uuid::new_v4().to_string())
    }
}

/// What a provider says to what, and which rules that breaks.
#[rustfmt::skip]
fn rows() -> Vec<(&'static str, Asks, Says, &'static [&'static str])> {
    use Asks::{Book, Read, Slots};
    let xml = "<OperationOutcome xmlns=\"http://hl7.org/fhir\"><issue/></OperationOutcome>";
    vec![
        ("good",                            Read,  good(),                                                                    &[]),
        ("no word on storing",              Read,  good().without("Cache-Control"),                                           &["no_store"]),
        ("to be stored",                    Read,  good().with("Cache-Control", "max-age=60"),                                &["no_store"]),
        ("not to be stored, among others",  Read,  good().with("Cache-Control", "private, no-store"),                         &[]),
        ("an error to be stored",           Read,  error("404 Not Found").without("Cache-Control"),                           &["no_store"]),
        ("no tag",                          Read,  good().without("ETag"),                                                    &["etag_present"]),
        ("no tag of what was booked",       Book,  Says { status: "201 Created", ..good() }.without("ETag"),                  &["etag_present"]),
        ("no tag of a bundle",              Slots, good().without("ETag"),                                                    &[]),
        ("a strong tag",                    Read,  good().with("ETag", "\"1\""),                                              &["etag_weak"]),
        ("plain JSON",                      Read,  good().with("Content-Type", "application/json;charset=utf-8"),             &["answer_media_type"]),
        ("a page",                          Read,  good().with("Content-Type", "text/html"),                                  &["answer_media_type"]),
        ("no charset",                      Read,  good().with("Content-Type", "application/fhir+json"),                      &["answer_charset"]),
        ("another charset",                 Read,  good().with("Content-Type", "application/fhir+json; charset=iso-8859-1"),  &["answer_charset"]),
        ("a charset behind a blank",        Read,  good().with("Content-Type", "application/fhir+json; charset=UTF-8"),       &[]),
        ("XML, though JSON was asked for",  Read,  good().with("Content-Type", "application/fhir+xml;charset=utf-8"),         &["answer_format"]),
        ("an error",                        Read,  error("404 Not Found"),                                                    &[]),
        ("an error, compressed",            Read,  error("404 Not Found").zipped(),                                           &[]),
        ("a page of an error",              Read,  error("503 Busy").with("Content-Type", "text/html").body("<html/>"),       &["answer_is_fhir", "answer_media_type"]),
        ("an error without a body",         Read,  error("500 Oops").body(""),                                                &["answer_is_fhir"]),
        ("another resource",                Read,  error("400 Bad Request").body(PATIENT),                                    &["answer_is_fhir"]),
        ("another resource, compressed",    Read,  error("400 Bad Request").body(PATIENT).zipped(),                           &["answer_is_fhir"]),
        ("an unknown code",                 Read,  coded("400 Bad Request", SPINE, "NHS_9000000009"),                         &["spine_code"]),
        ("an unknown code, compressed",     Read,  coded("400 Bad Request", SPINE, "OOPS").zipped(),                          &["spine_code"]),
        ("no code",                         Read,  error("400 Bad Request").body("{\"resourceType\":\"OperationOutcome\"}"),  &["spine_code"]),
        ("the words of a proxy",            Read,  coded("403 Forbidden", PROXY, "403").without("Cache-Control"),             &[]),
        ("406",                             Read,  error("406 Not Acceptable"),                                               &["status_415"]),
        ("415",                             Read,  error("415 Unsupported Media Type"),                                       &[]),
        ("412",                             Book,  error("412 Precondition Failed"),                                          &["status_409"]),
        ("409",                             Book,  error("409 Conflict"),                                                     &[]),
        ("all at once",                     Read,  good().with("ETag", "1").without("Cache-Control").with("Content-Type", "text/xml"), &["answer_charset", "answer_format", "answer_media_type", "etag_weak", "no_store"]),
        ("XML of an error",                 Read,  error("400 Bad Request").with("Content-Type", "application/fhir+xml;charset=utf-8").body(xml), &["answer_format", "spine_code"]),
    ]
}

async fn scripted() -> (World, Scripted) {
    let provider = Scripted::start().await;
    let world = World::start(|plan| plan.upstream = Some(provider.address())).await;
    (world, provider)
}

/// Sends a call, and gives back what arrives when it is counted.
async fn answered(
    world: &World,
    provider: &Scripted,
    call: &Call,
    says: &Says,
) -> crate::wire::Reply {
    provider.will(says.steps());
    let mut wire = Wire::open(world.address(call.mode)).await;
    let reply = wire.exchange(call).await;
    let trace_id = call.header("Ssp-TraceID").unwrap();
    world.gateway.log.wait_for(trace_id, |line| line["trace_id"] == trace_id).await;
    reply
}

/// gp-connect 4.3, 5, 6 and 17.
#[tokio::test]
async fn each_rule_is_counted_and_no_byte_is_changed() {
    let (world, provider) = scripted().await;
    let code = world.practice(0).ods_code.to_string();
    let mut seen = BTreeSet::new();
    for (name, asks, says, expected) in rows() {
        let before = counted(&world, false).await;
        let reply = answered(&world, &provider, &asks.call(&world, Mode::Transparent), &says).await;
        assert!(says.status.starts_with(&reply.status.to_string()), "{name}: {reply:?}");
        assert_eq!(reply.body, says.body, "{name}");
        for (header, value) in &says.headers {
            assert!(reply.all(header).contains(value), "{name}: {header} in {reply:?}");
        }
        let after = counted(&world, false).await;
        let broken = broken_between(&before, &after, ["practices", &code], name);
        assert_eq!(broken, expected, "{name}");
        seen.extend(broken);
    }
    let of_bytes =
        Duty::ALL.iter().map(|duty| duty.name()).filter(|name| !name.starts_with("time_"));
    assert_eq!(seen, of_bytes.map(str::to_owned).collect());
    assert!(!world.metrics().await.contains("9000000009"));
}

/// How often an answer may be later than it is to be.
const TRIES: u32 = 10;

/// gp-connect 14.
#[tokio::test]
async fn slow_answers_are_counted_by_both_limits() {
    let (world, provider) = scripted().await;
    let code = world.practice(0).ods_code.to_string();
    // And before which limit the answer has to be there.
    for (name, asks, says, expected, limit) in [
        (
            "a command of 300 ms",
            Asks::Book,
            good().after(300),
            &["time_goal", "time_limit"][..],
            None,
        ),
        ("a query of 300 ms", Asks::Read, good().after(300), &[], Some(1_000)),
        ("a query of 1.1 s", Asks::Read, good().after(1_100), &["time_goal"], Some(3_000)),
        ("a query of 3.1 s", Asks::Slots, good().after(3_100), &["time_goal", "time_limit"], None),
    ] {
        let mut broken = None;
        for _ in 0..TRIES {
            let before = counted(&world, true).await;
            let (call, begun) = (asks.call(&world, Mode::Transparent), Instant::now());
            let reply = answered(&world, &provider, &call, &says).await;
            let took = begun.elapsed();
            assert_eq!((reply.status, &reply.body), (200, &says.body), "{name}");
            let after = counted(&world, true).await;
            let found = broken_between(&before, &after, ["practices", &code], name);
            if found == expected {
                broken = Some(found);
                break;
            }
            // A slow machine may make it longer than it was to be.
            let is_late = limit.is_some_and(|limit| took >= Duration::from_millis(limit));
            assert!(is_late, "{name}: {found:?} after {took:?}");
        }
        assert!(broken.is_some(), "{name}: late {TRIES} times");
    }
}

/// Who is assisted gets an answer of ours in place of an error page; what was wrong is counted as it
/// came. Others may be asked in XML.
#[tokio::test]
async fn what_the_gateway_mends_is_counted_as_it_came() {
    let (world, provider) = scripted().await;
    let code = world.practice(0).ods_code.to_string();
    let page = || error("503 Busy").with("Content-Type", "text/html").body("<html/>");
    let in_xml = || good().with("Content-Type", "application/fhir+xml;charset=utf-8");
    for (name, says, accept, expected) in [
        ("a page", page(), "application/fhir+json", &["answer_is_fhir", "answer_media_type"][..]),
        (
            "a page to be stored",
            page().without("Cache-Control"),
            "*/*",
            &["answer_is_fhir", "answer_media_type", "no_store"],
        ),
        ("XML that was asked for", in_xml(), "application/fhir+xml", &[]),
        ("XML that would do", in_xml(), "application/fhir+json, application/fhir+xml;q=0.1", &[]),
        ("JSON in place of XML", good(), "application/fhir+xml", &["answer_format"]),
    ] {
        let before = counted(&world, false).await;
        let call = Asks::Read.call(&world, Mode::Assist).with("Accept", accept);
        let reply = answered(&world, &provider, &call, &says).await;
        assert!(says.status.starts_with(&reply.status.to_string()), "{name}: {reply:?}");
        let after = counted(&world, false).await;
        let broken = broken_between(&before, &after, ["practices", &code], name);
        assert_eq!(broken, expected, "{name}");
    }
}

/// Behind a next proxy an error may be the proxy's own, and says so: nobody calls the practice's supplier
/// for it.
#[tokio::test]
async fn what_a_next_proxy_answers_itself_is_not_the_practice_s() {
    let provider = Scripted::start().await;
    let world = World::start(|plan| {
        plan.upstream = Some(provider.address());
        plan.connection = "proxy";
    })
    .await;
    let code = world.practice(0).ods_code.to_string();
    let own = ("Proxy-Status", "gpconnect-gateway; error=http_request_denied");
    let bad = || coded("403 Forbidden", SPINE, "OOPS").without("Cache-Control");
    for (name, says, expected) in [
        ("the practice's", bad(), &["no_store", "spine_code"][..]),
        ("the proxy's", bad().with(own.0, own.1), &[]),
    ] {
        let before = counted(&world, false).await;
        let reply =
            answered(&world, &provider, &Asks::Read.call(&world, Mode::Transparent), &says).await;
        assert_eq!((reply.status, &reply.body), (403, &says.body), "{name}");
        let after = counted(&world, false).await;
        let broken = broken_between(&before, &after, ["practices", &code], name);
        assert_eq!(broken, expected, "{name}");
    }
}

/// What no answer came of, or none that ended, tells nothing of an answer's body.
#[tokio::test]
async fn what_is_no_answer_is_not_judged() {
    let (world, provider) = scripted().await;
    let cut = "HTTP/1.1 404 Not Found\r\nContent-Type: application/fhir+json;charset=utf-8\r\n\
               Cache-Control: no-store\r\nContent-Length: 99\r\n\r\n{";
    for (name, steps) in [
        ("nonsense", vec![Step::send("nonsense\r\n\r\n"), Step::Close]),
        ("nothing", vec![Step::Close]),
        (
            "two lengths",
            vec![Step::send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx")],
        ),
        ("hints and no more", vec![Step::send("HTTP/1.1 103 Early Hints\r\n\r\n"), Step::Close]),
        ("an error that is cut", vec![Step::send(cut), Step::Close]),
    ] {
        let before = counted(&world, false).await;
        provider.will(steps);
        let call = Asks::Read.call(&world, Mode::Transparent);
        let mut wire = Wire::open(world.address(Mode::Transparent)).await;
        wire.write(crate::wire::bytes(&call)).await;
        wire.read_any("GET").await;
        let trace_id = call.header("Ssp-TraceID").unwrap();
        world.gateway.log.wait_for(name, |line| line["trace_id"] == trace_id).await;
        assert_eq!(counted(&world, false).await, before, "{name}");
    }
}
