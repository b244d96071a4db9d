//! Provider's answer x what is in memory x the consumer's headers -> the answer, its headers, how
//! often the provider was asked, and what is on record.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{JSON, cached, cached_within, good, line, organisation, read, reply, trace_id};
use crate::audit::journal::command;
use crate::harness::{Answer, Mode, World};
use crate::scripted::{Scripted, Step};

/// What is in memory: nothing, or version 1 in some state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    Empty,
    Fresh,
    Stale,
    Failing,
    Dead,
}

impl Memory {
    /// Settings under which what comes in is in that state at once.
    const fn settings(self) -> &'static str {
        match self {
            Self::Empty | Self::Fresh => "",
            Self::Stale => "organisation_fresh = \"0s\"\norganisation_stale = \"1h\"",
            Self::Failing => "organisation_fresh = \"0s\"\norganisation_stale = \"0s\"",
            Self::Dead => {
                "organisation_fresh = \"0s\"\norganisation_stale = \"0s\"\n\
                 organisation_if_error = \"0s\""
            }
        }
    }
}

/// What the consumer gets.
#[derive(Clone, Copy, Debug)]
enum Gets {
    /// The organisation in this version.
    Version(usize),
    /// This status, as the provider said it.
    Theirs(u16),
    /// 304.
    NotModified,
    /// A refusal of ours.
    Fault(u16, &'static str),
}

impl Row {
    /// Whether the provider says nothing at all.
    fn is_silent(&self) -> bool {
        self.provider.iter().flatten().any(|step| matches!(step, Step::Hang))
    }
}

#[derive(Clone)]
struct Row {
    name: &'static str,
    memory: Memory,
    provider: Vec<Vec<Step>>,
    headers: &'static [(&'static str, &'static str)],
    gets: Gets,
    how: &'static str,
    calls: usize,
}

fn row(
    name: &'static str,
    memory: Memory,
    provider: impl IntoIterator<Item = Step>,
    headers: &'static [(&'static str, &'static str)],
    gets: Gets,
    how: &'static str,
    calls: usize,
) -> Row {
    // One script for each call.
    let provider = provider.into_iter().map(|step| vec![step]).collect();
    Row { name, memory, provider, headers, gets, how, calls }
}

/// Whole answers that are none to keep.
fn unfit() -> [(&'static str, Step); 11] {
    let body = organisation(2);
    let json = |lines: &str| format!("{JSON}{lines}");
    [
        ("not found", reply("404 Not Found", JSON, "{}")),
        ("another's error", reply("403 Forbidden", JSON, "{}")),
        ("elsewhere", reply("302 Found", "Location: https://x.example/\r\n", "")),
        ("a part", reply("206 Partial Content", &json("Content-Range: bytes 0-1/2\r\n"), "{}")),
        ("a page", reply("200 OK", "Content-Type: text/html\r\n", "<html/>")),
        ("no type", reply("200 OK", "", &body)),
        ("in XML", reply("200 OK", "Content-Type: application/fhir+xml\r\n", "<Organization/>")),
        ("compressed", reply("200 OK", &json("Content-Encoding: gzip\r\n"), &body)),
        ("with a cookie", reply("200 OK", &json("Set-Cookie: a=b\r\n"), &body)),
        ("by the asker", reply("200 OK", &json("Vary: Authorization\r\n"), &body)),
        ("a patient", reply("200 OK", JSON, "{\"resourceType\":\"Patient\",\"id\":\"17\"}")),
    ]
}

fn chunked(version: usize) -> Step {
    let body = organisation(version);
    let head =
        format!("HTTP/1.1 200 OK\r\n{JSON}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    Step::send(format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()))
}

fn large() -> Step {
    reply("200 OK", JSON, &format!("{{\"resourceType\":\"{}\"}}", "x".repeat(2 << 20)))
}

fn confirms() -> Step {
    reply("304 Not Modified", "ETag: W/\"1\"\r\n", "")
}

fn confirms_another() -> Step {
    reply("304 Not Modified", "ETag: W/\"9\"\r\n", "")
}

fn fails() -> Step {
    reply("503 Service Unavailable", JSON, "{\"resourceType\":\"OperationOutcome\"}")
}

/// Two lengths.
fn lies() -> Step {
    let lengths = "Content-Length: 1\r\nContent-Length: 2\r\n";
    Step::send(format!("HTTP/1.1 200 OK\r\n{JSON}{lengths}\r\n{{}}"))
}

fn rows() -> Vec<Row> {
    [of_nothing(), of_what_is_fresh(), of_what_is_not(), of_unfit_answers(), of_scripts()].concat()
}

#[rustfmt::skip]
fn of_nothing() -> Vec<Row> {
    use Gets::{Fault, NotModified, Theirs, Version};
    use Memory::Empty;
    vec![
        row("nothing there", Empty, [good(2)], &[], Version(2), "miss", 1),
        row("nothing there, in chunks", Empty, [chunked(2)], &[], Version(2), "miss", 1),
        row("nothing there, and the consumer has it", Empty, [good(2)], &[("If-None-Match", "W/\"2\"")], NotModified, "miss", 1),
        row("nothing there, and the consumer has another", Empty, [good(2)], &[("If-None-Match", "W/\"1\"")], Version(2), "miss", 1),
        row("an answer of old age", Empty, [reply("200 OK", &format!("{JSON}Age: 7200\r\n"), &organisation(2))], &[], Version(2), "miss", 1),
        row("the provider fails", Empty, [fails()], &[], Theirs(503), "miss", 1),
        row("the provider lies", Empty, [lies()], &[], Fault(502, "upstream_invalid"), "miss", 1),
        row("it confirms what nobody has", Empty, [confirms(), good(2)], &[], Version(2), "bypass", 2),
        row("too large", Empty, [large(), large()], &[], Theirs(200), "bypass", 2),
    ]
}

#[rustfmt::skip]
fn of_what_is_fresh() -> Vec<Row> {
    use Gets::{NotModified, Theirs, Version};
    use Memory::Fresh;
    vec![
        row("fresh", Fresh, [], &[], Version(1), "hit", 0),
        row("fresh, and the consumer has it", Fresh, [], &[("If-None-Match", "W/\"1\"")], NotModified, "hit", 0),
        row("fresh, by a strong tag", Fresh, [], &[("If-None-Match", "\"1\"")], NotModified, "hit", 0),
        row("fresh, in a list", Fresh, [], &[("If-None-Match", "W/\"0\", W/\"1\"")], NotModified, "hit", 0),
        row("fresh, any", Fresh, [], &[("If-None-Match", "*")], NotModified, "hit", 0),
        row("fresh, and the consumer has another", Fresh, [], &[("If-None-Match", "W/\"2\"")], Version(1), "hit", 0),
        row("fresh, and its tag is none", Fresh, [], &[("If-None-Match", "1")], Version(1), "hit", 0),
        row("fresh enough", Fresh, [], &[("Cache-Control", "max-age=3600")], Version(1), "hit", 0),
        row("fresh, compressed or not", Fresh, [], &[("Accept-Encoding", "gzip")], Version(1), "hit", 0),
        row("fresh, in another spelling", Fresh, [], &[("Accept", "application/json+fhir;q=0.5, text/html")], Version(1), "hit", 0),
        row("fresh, with headers that nobody asked for", Fresh, [], &[("Cookie", "a=b"), ("X-Forwarded-Host", "x"), ("Accept-Language", "cy")], Version(1), "hit", 0),
        row("fresh, and wanted anew", Fresh, [confirms()], &[("Cache-Control", "no-cache")], Version(1), "revalidated", 1),
        row("fresh, and wanted anew, and known", Fresh, [confirms()], &[("Cache-Control", "no-cache"), ("If-None-Match", "W/\"1\"")], NotModified, "revalidated", 1),
        row("fresh, wanted anew, and changed", Fresh, [good(2)], &[("Cache-Control", "max-age=0")], Version(2), "miss", 1),
        row("fresh, wanted anew in the old way", Fresh, [good(2)], &[("Pragma", "no-cache")], Version(2), "miss", 1),
        row("fresh, wanted anew, and the provider fails", Fresh, [fails()], &[("Cache-Control", "no-cache")], Theirs(503), "miss", 1),
        row("fresh, wanted anew, and it confirms another", Fresh, [confirms_another(), good(2)], &[("Cache-Control", "no-cache")], Version(2), "bypass", 2),
        row("fresh, and not to be stored", Fresh, [good(2)], &[("Cache-Control", "no-store")], Version(2), "bypass", 1),
        row("fresh, and a part is wanted", Fresh, [reply("206 Partial Content", JSON, "{}")], &[("Range", "bytes=0-1")], Theirs(206), "bypass", 1),
        row("fresh, and a condition for the provider", Fresh, [reply("304 Not Modified", "", "")], &[("If-Modified-Since", "Mon, 23 Nov 2026 08:00:00 GMT")], Theirs(304), "bypass", 1),
        row("fresh in the other format only", Fresh, [reply("200 OK", "Content-Type: application/fhir+xml\r\n", "<Organization/>")], &[("Accept", "application/fhir+xml")], Theirs(200), "miss", 1),
    ]
}

#[rustfmt::skip]
fn of_what_is_not() -> Vec<Row> {
    use Gets::{Theirs, Version};
    use Memory::{Dead, Failing, Stale};
    vec![
        row("stale", Stale, [confirms()], &[], Version(1), "refresh", 1),
        row("stale, and changed", Stale, [good(2)], &[], Version(1), "refresh", 1),
        row("stale, and the provider fails", Stale, [fails()], &[], Version(1), "refresh", 1),
        row("stale, and the consumer has it", Stale, [confirms()], &[("If-None-Match", "W/\"1\"")], Version(1), "refresh", 1),
        row("stale, and wanted fresh", Stale, [good(2)], &[("Cache-Control", "max-age=60")], Version(2), "miss", 1),
        row("past use, and confirmed", Failing, [confirms()], &[], Version(1), "revalidated", 1),
        row("past use, and changed", Failing, [good(2)], &[], Version(2), "miss", 1),
        row("past use, and the provider fails", Failing, [fails()], &[], Version(1), "stale", 1),
        row("past use, and gone", Failing, [reply("404 Not Found", JSON, "{}")], &[], Theirs(404), "miss", 1),
        row("past use, and the provider lies", Failing, [lies()], &[], Version(1), "stale", 1),
        row("past use, wanted anew, and the provider fails", Failing, [fails()], &[("Cache-Control", "no-cache")], Theirs(503), "miss", 1),
        row("dead, and the provider fails", Dead, [fails()], &[], Theirs(503), "miss", 1),
        row("dead, and changed", Dead, [good(2)], &[], Version(2), "miss", 1),
    ]
}

fn of_unfit_answers() -> Vec<Row> {
    let unfit = unfit().map(|(name, step)| {
        let Step::Send(bytes) = &step else { panic!("{name}") };
        let status = String::from_utf8_lossy(&bytes[9..12]).parse().unwrap();
        row(name, Memory::Empty, [step], &[], Gets::Theirs(status), "miss", 1)
    });
    unfit.into()
}

#[rustfmt::skip]
fn of_scripts() -> Vec<Row> {
    use Gets::{Fault, Version};
    use Memory::{Empty, Failing};
    let hints = || Step::send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
    let cut = || Step::send(format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: 99\r\n\r\n{{"));
    let endless = || Step::send(format!("HTTP/1.1 200 OK\r\n{JSON}\r\n{}", organisation(2)));
    let script = |name, memory, steps: Vec<Step>, gets, how| Row { name, memory, provider: vec![steps], headers: &[], gets, how, calls: 1 };
    vec![
        script("hints before it", Empty, vec![hints(), good(2)], Version(2), "miss"),
        script("an end without a length", Empty, vec![endless(), Step::Close], Version(2), "miss"),
        script("cut", Empty, vec![cut(), Step::Close], Fault(502, "upstream_unreachable"), "miss"),
        script("closed", Empty, vec![Step::Close], Fault(502, "upstream_unreachable"), "miss"),
        script("silent", Empty, vec![Step::Hang], Fault(504, "upstream_timeout"), "miss"),
        script("cut, past use", Failing, vec![cut(), Step::Reset], Version(1), "stale"),
        script("silent, past use", Failing, vec![Step::Hang], Version(1), "stale"),
    ]
}

/// gp-connect 12 and 13: a hit is an access and on record; the answer says no-store, its age, and
/// keeps its tag; only a whole 200 is kept, and briefly.
#[tokio::test]
async fn each_answer_is_given_as_it_may_be() {
    use Memory::{Dead, Empty, Failing, Fresh, Stale};
    assert!(rows().len() >= 40);
    for (state, is_silent) in [
        (Empty, false),
        (Stale, false),
        (Failing, false),
        (Dead, false),
        (Empty, true),
        (Failing, true),
    ] {
        // One that says nothing is not waited for longer than a slow machine may need to say something.
        let limit = if is_silent { "10s" } else { "1m" };
        let (mut world, provider) = cached_within(limit, state.settings()).await;
        let mut expected = BTreeMap::new();
        let mut seen = 0;
        for (number, row) in rows().into_iter().enumerate() {
            let is_other = row.memory != state && !(state == Empty && row.memory == Fresh);
            if is_other || row.is_silent() != is_silent {
                continue;
            }
            if row.memory != Empty {
                prime(&world, &provider, number).await;
                seen += 1;
            }
            for script in &row.provider {
                provider.will(script.clone());
            }
            let mut call = read(&world, Mode::Transparent, &number.to_string());
            for (name, _) in row.headers {
                call = call.without(name);
            }
            for (name, value) in row.headers {
                call = call.and(name, value);
            }
            let answer = world.send(call.with("Ssp-TraceID", &trace_id(number))).await;
            seen += row.calls;
            provider.has_seen(seen).await;
            check(&world, number, &row, &answer).await;
            assert_eq!(provider.arrived().len(), row.calls, "{}", row.name);
            expected.insert(trace_id(number), row.how);
        }
        assert_eq!(world.gateway.stop().await, Some(0));
        is_on_record(&world, &expected);
    }
}

/// Has version 1 in memory.
async fn prime(world: &World, provider: &Scripted, number: usize) {
    provider.will([good(1)]);
    let call = read(world, Mode::Assist, &number.to_string());
    let answer = world.send(call.with("Ssp-TraceID", &trace_id(number + 1_000))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    provider.arrived();
}

async fn check(world: &World, number: usize, row: &Row, answer: &Answer) {
    let (name, id) = (row.name, trace_id(number));
    let said = line(world, &id).await;
    assert_eq!(said["cache"], row.how, "{name}: {said}");
    assert_eq!(answer.header("Ssp-TraceID"), id, "{name}");
    assert_eq!(answer.header("Cache-Control").matches("no-store").count(), 1, "{name}");
    let status = answer.header("Cache-Status");
    let is_of_memory = matches!(row.how, "hit" | "stale" | "refresh" | "revalidated");
    match row.gets {
        Gets::Version(version) => {
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
            assert_eq!(answer.text(), organisation(version), "{name}");
            assert_eq!(answer.header("Content-Type"), "application/fhir+json;charset=utf-8");
        }
        Gets::NotModified => {
            assert_eq!((answer.status, answer.body.len()), (304, 0), "{name}: {answer:?}");
            assert!(answer.header("ETag").starts_with("W/\""), "{name}");
            assert_eq!(answer.header("Content-Type"), "", "{name}");
        }
        Gets::Theirs(theirs) => assert_eq!(answer.status, theirs, "{name}: {answer:?}"),
        Gets::Fault(ours, word) => {
            assert_eq!((answer.status, &said["fault"]), (ours, &word.into()), "{name}: {answer:?}");
            assert_eq!((status.as_str(), &said["origin"]), ("", &"gateway".into()), "{name}");
            return;
        }
    }
    let begins = match row.how {
        "hit" | "stale" | "refresh" => "gpconnect-gateway; hit; ttl=",
        "revalidated" => "gpconnect-gateway; fwd=stale; fwd-status=304; stored; ttl=",
        "miss" => "gpconnect-gateway; fwd=miss",
        _ => "gpconnect-gateway; fwd=bypass",
    };
    assert!(status.starts_with(begins), "{name}: {status}");
    assert_eq!(said["origin"], if is_of_memory { "cache" } else { "provider" }, "{name}: {said}");
    assert_eq!(
        !answer.header("Age").is_empty(),
        is_of_memory || status.contains("stored"),
        "{name}"
    );
    if is_of_memory {
        assert!(answer.header("Age").parse::<u64>().unwrap() < 60, "{name}");
        assert_eq!(answer.header("ETag"), "W/\"1\"", "{name}");
    }
}

/// Each has its intent, and an outcome that says how it fared. gp-connect 12.
fn is_on_record(world: &World, expected: &BTreeMap<String, &str>) {
    let text = command(world.gateway.folder(), "tail", &["-n", "100000", "-o", "json"]);
    let records: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (id, how) in expected {
        let of = |kind: &str| {
            let mine = |record: &&serde_json::Value| {
                record["kind"] == kind && record["trace_id"] == id.as_str()
            };
            records.iter().filter(mine).cloned().collect::<Vec<_>>()
        };
        let (intents, outcomes) = (of("intent"), of("outcome"));
        assert_eq!((intents.len(), outcomes.len()), (1, 1), "{id}");
        assert_eq!(outcomes[0]["cache"], *how, "{id}: {}", outcomes[0]);
    }
}

/// What was too large once goes past the cache; what was of old age is asked for again.
#[tokio::test]
async fn what_is_not_kept_is_asked_for_again() {
    let (world, provider) = cached("").await;
    let call = |id| read(&world, Mode::Transparent, id);
    for _ in 0..2 {
        provider.will([large()]);
    }
    super::send(&world, 1, call("1"), "bypass").await;
    assert_eq!(provider.arrived().len(), 2, "tried, and sent on");
    provider.will([large()]);
    super::send(&world, 2, call("1"), "bypass").await;
    assert_eq!(provider.arrived().len(), 1, "sent on at once");
    for number in [3, 4] {
        provider.will([reply("200 OK", &format!("{JSON}Age: 999999\r\n"), &organisation(2))]);
        let answer = super::send(&world, number, call("2"), "miss").await;
        assert!(answer.header("Age").parse::<u64>().unwrap() >= 999_999);
    }
    assert_eq!(provider.arrived().len(), 2);
}

/// gp-connect 13: an empty bundle is kept shortly.
#[tokio::test]
async fn that_nothing_was_found_is_kept_shortly() {
    let (world, provider) = cached("search_empty = \"5s\"").await;
    let path = "Organization?identifier=https://fhir.nhs.uk/Id/ods-organization-code%7CRXX01";
    let call =
        || world.call(Mode::Transparent, &crate::harness::interactions::SEARCH_ORGANIZATION, path);
    let empty = || reply("200 OK", JSON, "{\"resourceType\":\"Bundle\",\"entry\":[]}");
    // A slow machine may take longer for two requests than the answer is kept.
    for turn in 1..=10 {
        provider.will([empty()]);
        let begun = Instant::now();
        super::send(&world, 10 * turn, call(), "miss").await;
        assert_eq!(provider.arrived().len(), 1);
        provider.will([empty()]);
        let id = trace_id(10 * turn + 1);
        assert_eq!(world.send(call().with("Ssp-TraceID", &id)).await.status, 200);
        let is_hit = super::fared(&world, &id).await == "hit";
        assert!(is_hit || begun.elapsed() >= Duration::from_secs(5), "{:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(5_100)).await;
        provider.forget();
        if is_hit {
            provider.will([empty()]);
            super::send(&world, 10 * turn + 2, call(), "miss").await;
            assert_eq!(provider.arrived().len(), 1);
            return;
        }
        provider.arrived();
    }
    panic!("kept for none of ten times");
}

/// Before memory is asked a request has passed every check: who may not ask is refused, whatever is
/// in memory; and a body is never read as the next request.
/// gp-connect 13 and 9.
#[tokio::test]
async fn a_refused_request_gets_nothing_from_memory() {
    let (world, provider) = cached("").await;
    provider.will([good(1)]);
    let call = || read(&world, Mode::Transparent, "17");
    super::send(&world, 1, call(), "miss").await;
    let practice = world.practice(0);
    let root = crate::harness::call::root(practice, &crate::harness::interactions::READ_PATIENT);
    let expired = {
        let mut claims = crate::harness::token::claims("organization/*.read", root);
        claims["iat"] = 1.into();
        claims["exp"] = 301.into();
        claims
    };
    let head = {
        let mut call = call();
        call.verb = "HEAD".into();
        call
    };
    let smuggled = "GET /A20047/STU3/1/gpconnect/metadata HTTP/1.1\r\nHost: x\r\n\r\n";
    for (number, (name, call, status)) in [
        ("another sender", call().with("Ssp-From", "200000000359"), 403),
        ("another receiver", call().with("Ssp-To", "999999999999"), 400),
        ("an expired token", call().claiming(&expired), 400),
        (
            "another scope",
            call().claiming(&crate::harness::token::claims("patient/*.read", root)),
            400,
        ),
        ("HEAD", head, 405),
        ("a body", call().bytes(smuggled), 400),
        ("another host", call().with("Host", "x.example"), 421),
    ]
    .into_iter()
    .enumerate()
    {
        let id = trace_id(number + 10);
        let answer = world.send(call.with("Ssp-TraceID", &id)).await;
        assert_eq!(answer.status / 100, status / 100, "{name}: {answer:?}");
        let said = line(&world, &id).await;
        assert!(said["cache"].is_null() && said["result"] == "refused", "{name}: {said}");
    }
    assert_eq!(provider.arrived().len(), 1, "the first request only");
    super::send(&world, 2, call(), "hit").await;
}
