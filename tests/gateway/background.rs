//! What the gateway asks of its own accord: with an identity only, within its budget, of nobody that it
//! may not ask, before a consumer has to wait, and on record before it is sent. gp-connect 12 and 13.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::admin::journal;
use crate::admin::office::{ask, call, off, on, order};
use crate::audit::journal::command;
use crate::cache::{JSON, reply};
use crate::exposition::Exposition;
use crate::harness::interactions::{READ_METADATA, READ_ORGANIZATION};
use crate::harness::{Call, DEADLINE, Form, Mode, Plan, World};
use crate::scripted::{Scripted, Step};

/// The gateway itself.
const OWN: &str = "200000000399";

/// What its log says before it asks for anything.
const BEGINS: &str = "the gateway asks of its own accord";

/// The organisation that the gateway belongs to, and its system.
const CONSUMER: &str = "
[[organisation]]
ods_code = \"X26\"
name = \"Region\"

[[consumer]]
asid = \"200000000399\"
organisation = \"X26\"
host_name = \"gateway.x26.example\"
interactions = [\"1.2.7\"]
";

/// What the region may ask of these practices.
fn agreement(practices: &str) -> String {
    format!(
        "\n[[agreement]]\nreference = \"TEST-OWN\"\nconsumers = [\"X26\"]\npractices = [{practices}]\n\
         capabilities = [\"foundations\", \"structured\"]\n"
    )
}

/// The section that has the gateway ask, with this besides.
pub(crate) fn identity(settings: &str) -> String {
    format!(
        "\n[gateway.identity]\nasid = \"{OWN}\"\niss = \"https://gateway.x26.example/\"\n\
         user_id = \"duty-1\"\nfamily_name = \"Okafor\"\ngiven_name = \"Ada\"\n{settings}\n"
    )
}

/// A gateway that may ask every practice; with an identity if `settings` has one.
pub(crate) fn region(plan: &mut Plan, settings: &str) {
    plan.consumers.push_str(CONSUMER);
    plan.consumers.push_str(&agreement("\"group:everyone\""));
    plan.settings = format!("[cache]\n{settings}");
}

/// The same in front of a provider that does as it is told, from the first request on.
async fn scripted(settings: &str, steps: impl IntoIterator<Item = Step>) -> (World, Scripted) {
    let provider = Scripted::start().await;
    steps.into_iter().for_each(|step| provider.will([step]));
    let world = World::start(|plan| {
        region(plan, settings);
        plan.practices = 1;
        plan.upstream = Some(provider.address());
    })
    .await;
    (world, provider)
}

async fn map(world: &World) -> Vec<Value> {
    let answer = ask(world, call("GET", "/v1/capabilities")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["capabilities"].as_array().unwrap().clone()
}

/// How it stands with the statement of a practice's foundations, and why.
fn standing(map: &[Value], code: &str) -> (Value, Value) {
    let is_it = |row: &&Value| row["ods_code"] == code && row["capability"] == "foundations";
    let row = map.iter().find(is_it).unwrap();
    (row["crawl"].clone(), row["crawl_fault"].clone())
}

/// The map, as soon as it is as it should be.
async fn until(world: &World, what: &str, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let start = Instant::now();
    loop {
        let map = map(world).await;
        if is_so(&map) {
            return map;
        }
        assert!(start.elapsed() < DEADLINE, "{what}: {map:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn is_own(line: &Value) -> bool {
    line["own"].is_string()
}

fn own_lines(world: &World) -> Vec<Value> {
    world.gateway.log.lines().into_iter().filter(is_own).collect()
}

fn code(world: &World, place: usize) -> String {
    world.practice(place).ods_code.to_string()
}

/// Without an identity a provider hears of consumers only; a reload is enough to begin and to end it.
#[tokio::test]
async fn nothing_is_asked_without_an_identity() {
    let mut world = World::start(|plan| region(plan, "statement_fresh = \"1s\"\n")).await;
    let read = world.call(Mode::Transparent, &READ_METADATA, "metadata");
    for how in ["miss", "refresh", "hit"] {
        // Stale within a second: whoever would look after it had reason to.
        let line = loop {
            let seen = world.gateway.log.lines().len();
            assert_eq!(world.send(read.clone()).await.status, 200);
            let is_it = |line: &Value| line["cache"].is_string();
            let line = world.gateway.log.wait_behind(seen, "a request", is_it).await;
            if line["cache"] == how {
                break line;
            }
        };
        assert_eq!(line["listener"], "transparent", "{line}");
    }
    assert_eq!(own_lines(&world), [Value::Null; 0]);
    let arrivals = world.arrivals();
    assert!(arrivals.iter().all(|arrival| arrival.headers["ssp-from"] != OWN), "{arrivals:?}");
    assert!(map(&world).await.iter().all(|row| row["crawl"].is_null()));

    let section = identity("refresh = false\nrequests_per_minute = 600");
    world.gateway.reload("gateway.toml", |text| text + &section).await;
    until(&world, "all are asked", |map| map.iter().all(|row| row["crawl"] == "fresh")).await;
    assert!(!own_lines(&world).is_empty());

    world.gateway.reload("gateway.toml", |text| text.replace(&section, "")).await;
    let stopped = "the gateway asks nothing of its own accord any more";
    world.gateway.log.wait_for(stopped, |line| line["message"] == stopped).await;
    let asked = own_lines(&world).len();
    assert!(map(&world).await.iter().all(|row| row["crawl"].is_null()));
    assert_eq!(world.gateway.stop().await, Some(0));
    assert_eq!(own_lines(&world).len(), asked);
}

/// Every practice is asked for each of its statements, no faster than the budget allows, as the
/// gateway's own system; consumers' figures know nothing of it.
#[tokio::test]
async fn every_practice_is_asked_for_its_statements_within_the_budget() {
    const PER_MINUTE: u32 = 120;
    let settings = identity(&format!("requests_per_minute = {PER_MINUTE}"));
    let mut world = World::start(|plan| {
        region(plan, &settings);
        plan.practices = 4;
    })
    .await;
    until(&world, "all are fresh", |map| map.iter().all(|row| row["crawl"] == "fresh")).await;
    let arrivals = world.arrivals();
    let targets: BTreeSet<_> = arrivals.iter().map(|arrival| arrival.target.clone()).collect();
    assert_eq!((arrivals.len(), targets.len()), (8, 8), "each root once: {targets:?}");
    for arrival in &arrivals {
        let header = |name: &str| arrival.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(header("ssp-from"), Some(OWN));
        assert_eq!(header("forwarded"), None, "nobody is forwarded for");
        assert!(header("authorization").unwrap().starts_with("Bearer "), "{arrival:?}");
        assert!(arrival.target.ends_with("/metadata"));
    }
    let all_written = |lines: &[Value]| lines.iter().filter(|line| is_own(line)).count() == 8;
    let lines = world.gateway.log.wait_until("a line for each", all_written).await;
    let at = |line: &Value| line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let begins = lines.iter().find(|line| line["message"] == BEGINS).map(at).unwrap();
    let last = lines.iter().filter(|line| is_own(line)).map(at).max().unwrap();
    // Seven distances of half a second at least, from before the first to behind the last.
    assert!(last.duration_since(begins).as_millis() >= 3_500, "{lines:#?}");

    let kept = [("purpose", "crawl"), ("result", "kept")];
    let all_counted = |page: &Exposition| page.sum("own_requests_total", &kept) >= 8.0;
    let page = Exposition::once(&world, "each is counted", all_counted).await;
    for (family, labels, expected) in [
        ("own_requests_total", &kept[..], 8.0),
        ("own_requests_total", &[("purpose", "refresh")], 0.0),
        ("own_statements", &[("state", "fresh")], 8.0),
        ("own_statements", &[("state", "behind")], 0.0),
        ("own_requests_in_flight", &[], 0.0),
        ("cache_calls_total", &[("result", "kept")], 8.0),
        ("requests_total", &[], 0.0),
        ("practice_requests_total", &[], 0.0),
        ("cache_requests_total", &[], 0.0),
        ("consumer_practices", &[("consumer", OWN)], 0.0),
        ("requests_in_flight", &[], 0.0),
    ] {
        let found = page.sum(family, labels);
        assert!((found - expected).abs() < 0.5, "{family} {labels:?}: {found}");
    }

    let journal = journal(&mut world).await;
    let sent: BTreeSet<_> =
        arrivals.iter().map(|it| it.headers["ssp-traceid"].to_str().unwrap().to_owned()).collect();
    let on_record: BTreeSet<_> =
        journal.of("intent").map(|it| it["trace_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(sent, on_record);
    for intent in journal.of("intent") {
        assert_eq!((&intent["own"], &intent["consumer"]), (&json!("crawl"), &json!(OWN)));
        assert_eq!((&intent["listener"], &intent["client"]), (&Value::Null, &Value::Null));
        assert_eq!((&intent["organisation"], &intent["patients"]), (&json!("X26"), &json!("none")));
    }
    for outcome in journal.of("outcome") {
        assert_eq!((&outcome["result"], &outcome["cache"]), (&json!("good"), &json!("miss")));
        assert_eq!((&outcome["status"], &outcome["origin"]), (&json!(200), &json!("provider")));
    }
    assert_eq!(journal.of("outcome").count(), 8);
}

/// A practice that has no agreement with the region, or is switched off, is not asked, and the map
/// says why; once it may be, it is.
#[tokio::test]
async fn who_may_not_be_asked_is_not() {
    let world = World::start(|plan| {
        region(plan, "");
        let estate = plan.estate();
        let codes =
            [0, 1].map(|place: usize| format!("\"{}\"", estate.practices()[place].ods_code));
        let all = agreement("\"group:everyone\"");
        plan.consumers = plan.consumers.replace(&all, &agreement(&codes.join(", ")));
    })
    .await;
    let codes = [0, 1, 2].map(|place| code(&world, place));
    let switch = ask(&world, off(&json!({"practice": codes[0]}), 600)).await;
    assert_eq!(switch.status, 201, "{switch:?}");
    let section = identity("requests_per_minute = 600");
    world.gateway.reload("gateway.toml", |text| text + &section).await;

    let word = |word: &str| (json!(word), Value::Null);
    let refused = |fault: &str| (json!("refused"), json!(fault));
    until(&world, "one is asked", |map| {
        standing(map, &codes[0]) == refused("switched_off")
            && map.iter().all(|row| row["ods_code"] != codes[1] || row["crawl"] == "fresh")
            && standing(map, &codes[2]) == refused("no_agreement")
            && map.iter().all(|row| row["ods_code"] == codes[1] || row["crawl"] == "refused")
    })
    .await;
    let asked = |code: &str| {
        let arrivals = world.arrivals();
        assert!(!arrivals.is_empty());
        arrivals.iter().all(|arrival| arrival.target.contains(code))
    };
    assert!(asked(&codes[1]), "only who may be asked");
    let page = Exposition::of(&world).await;
    assert!((page.sum("own_statements", &[("state", "refused")]) - 4.0).abs() < 0.5);
    assert!(page.sum("own_requests_total", &[("result", "refused")]) > 3.5);

    assert_eq!(ask(&world, on(&switch.json()["id"])).await.status, 200);
    until(&world, "it may be asked", |map| standing(map, &codes[0]) == word("fresh")).await;
    assert!(asked(&codes[0]), "and nobody else");
}

/// An answer that a consumer wants is asked for anew before it is stale: nobody waits for it again.
#[tokio::test]
async fn nobody_waits_for_what_is_asked_for_in_time() {
    let settings = "organisation_fresh = \"15s\"\norganisation_stale = \"0s\"\n";
    let settings = [settings, &identity("crawl = false\nrequests_per_minute = 600")].concat();
    let organisation = "{\"resourceType\":\"Organization\",\"id\":\"17\"}";
    let steps = (1..9).map(|version| {
        let lines = format!("{JSON}ETag: W/\"{version}\"\r\n");
        reply("200 OK", &lines, organisation)
    });
    let (mut world, provider) = scripted(&settings, steps).await;
    let read = world.call(Mode::Transparent, &READ_ORGANIZATION, "Organization/17");
    let began = Instant::now();
    assert_eq!(world.send(read.clone()).await.header("ETag"), "W/\"1\"");
    world.gateway.log.wait_for("it is asked for anew", is_own).await;
    // Beyond what the first answer was good for.
    while began.elapsed() < Duration::from_secs(17) {
        assert_eq!(world.send(read.clone()).await.status, 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let of_consumer = |line: &Value| line["cache"].is_string() && !is_own(line);
    let lines: Vec<_> = world.gateway.log.lines().into_iter().filter(of_consumer).collect();
    let fared: Vec<_> = lines.iter().map(|line| line["cache"].as_str().unwrap()).collect();
    assert_eq!(fared[0], "miss");
    assert!(fared.len() > 2 && fared[1..].iter().all(|how| *how == "hit"), "{fared:?}");

    // Behind its stop, so that both are of the same requests.
    let journal = journal(&mut world).await;
    let arrived = provider.arrived();
    assert_eq!(arrived[0].header("Ssp-From"), Mode::Transparent.asid());
    for own in &arrived[1..] {
        assert_eq!(own.header("Ssp-From"), OWN);
        assert!(!own.header("If-None-Match").is_empty(), "{}", own.head);
    }
    let own: Vec<_> = journal.of("intent").filter(|it| it["own"] == "refresh").collect();
    assert_eq!(own.len(), arrived.len() - 1);
}

/// The provider sees no request of the gateway's whose intent is not on the disk, and what it answers
/// behind a purge is kept by nobody.
#[tokio::test]
async fn a_request_is_on_record_first_and_a_purge_is_heeded() {
    let section = identity("refresh = false\nrequests_per_minute = 600");
    let (world, provider) = scripted("", []).await;
    let statement = |version: &str| {
        let body = json!({"resourceType": "CapabilityStatement", "version": version});
        reply("200 OK", JSON, &body.to_string())
    };
    provider.will([Step::Wait, statement("old")]);
    provider.will([statement("other")]);
    // Whichever statement that was: the other is asked for next, by whoever asks first.
    provider.will([statement("new")]);
    world.gateway.reload("gateway.toml", |text| text + &section).await;
    provider.has_seen(1).await;
    let seen = provider.arrived();
    let trace_id = seen[0].header("Ssp-TraceID").to_owned();
    let found = command(world.gateway.folder(), "tail", &["-n", "100", "-o", "json"]);
    let records = found.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_it: Vec<_> = records.filter(|record| record["trace_id"] == trace_id).collect();
    assert_eq!(of_it.len(), 1, "{of_it:#?}");
    assert_eq!((&of_it[0]["kind"], &of_it[0]["own"]), (&json!("intent"), &json!("crawl")));

    let code = code(&world, 0);
    let purge = order("POST", "/v1/cache/purge", &json!({"practice": code}));
    assert_eq!(ask(&world, purge).await.status, 200);
    provider.go_on();
    let is_it = |line: &Value| line["trace_id"] == trace_id.as_str();
    world.gateway.log.wait_for("its end", is_it).await;
    provider.has_seen(2).await;
    let structured = seen[0].head.contains("/structured/");
    let interaction = if structured {
        &crate::harness::interactions::STRUCTURED_METADATA
    } else {
        &READ_METADATA
    };
    let read = Call::new(Mode::Transparent, Form::Ods, world.practice(0), interaction, "metadata");
    let answer = world.send(read.with("Accept", "application/fhir+json")).await;
    assert_eq!(answer.json()["version"], "new", "{answer:?}");
    let told = ask(&world, call("GET", "/v1/capabilities")).await.json();
    let versions = told["statements"].to_string();
    assert!(!versions.contains("\"old\""), "{versions}");
}

/// A stop does not wait for the gateway's own requests; how they ended is on record.
#[tokio::test]
async fn a_stop_ends_it_at_once() {
    let settings = identity("requests_per_minute = 600");
    let timeouts = "\n[timeouts]\nquery = \"5m\"\n\n[server]\ndrain = \"4m\"\n";
    let (mut world, provider) = scripted(&[&settings, timeouts].concat(), [Step::Hang]).await;
    provider.has_seen(1).await;
    assert!((Exposition::of(&world).await.sum("own_requests_in_flight", &[]) - 1.0).abs() < 0.5);
    let journal = journal(&mut world).await;
    let intent = journal.only("intent");
    let outcome = journal.only("outcome");
    assert_eq!(outcome["trace_id"], intent["trace_id"]);
    assert_eq!((&outcome["result"], &outcome["fault"]), (&json!("failed"), &json!("cut")));
    assert!(outcome["status"].is_null(), "{outcome}");
}

/// What fails is told and left alone for a while, and with it whatever is behind the same door.
#[tokio::test]
async fn who_does_not_answer_is_left_alone() {
    let settings = identity("requests_per_minute = 600");
    let (world, provider) = scripted(&settings, [Step::Close]).await;
    let line = world.gateway.log.wait_for("it failed", is_own).await;
    assert_eq!((&line["fault"], &line["status"]), (&json!("upstream_unreachable"), &Value::Null));
    let code = code(&world, 0);
    let failing = (json!("failing"), json!("upstream_unreachable"));
    let is_failing = |map: &[Value]| {
        map.iter().any(|row| (row["crawl"].clone(), row["crawl_fault"].clone()) == failing)
    };
    let map = until(&world, "it is told", is_failing).await;
    assert_eq!(map[0]["ods_code"], json!(code));
    assert_eq!(provider.arrived().len(), 1, "its other statement is behind the same door");
}

/// Nothing is asked while the journal can't be written; once it can be again, it is.
#[tokio::test]
async fn nothing_is_asked_without_a_journal() {
    let world = World::start(|plan| region(plan, "")).await;
    let read = world.call(Mode::Transparent, &READ_ORGANIZATION, "Organization/1");
    world.gateway.limit_files(0);
    assert_eq!(world.send(read.clone()).await.status, 503);
    let section = identity("requests_per_minute = 600");
    world.gateway.reload("gateway.toml", |text| text + &section).await;
    let behind = |map: &[Value]| map.iter().all(|row| row["crawl"] == "behind");
    until(&world, "there is something to ask", behind).await;
    world.gateway.log.wait_for(BEGINS, |line| line["message"] == BEGINS).await;
    for _ in 0..3 {
        // A request at a time is due ten times a second.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(world.send(read.clone()).await.status, 503);
    }
    assert!(world.arrivals().is_empty() && own_lines(&world).is_empty());

    world.gateway.limit_files(u64::MAX);
    until(&world, "it is asked", |map| map.iter().all(|row| row["crawl"] == "fresh")).await;
}

/// A step that waits for so many words of the test, then says that there is no such thing.
fn held(words: usize) -> Vec<Step> {
    let end = reply("404 Not Found", JSON, "{\"resourceType\":\"OperationOutcome\"}");
    std::iter::repeat_n(Step::Wait, words).chain([end]).collect()
}

/// Nothing is asked while half of the requests that the gateway takes are a consumer's; with one less,
/// it is.
#[tokio::test]
async fn a_busy_gateway_asks_nothing() {
    let (world, provider) = scripted("\n[limits]\nin_flight = 4\n", []).await;
    provider.will(held(1));
    provider.will(held(2));
    let read = world.call(Mode::Transparent, &READ_ORGANIZATION, "Organization/1");
    let mut calls = tokio::task::JoinSet::new();
    for id in ["17", "18"] {
        let mut connection = world.connect(Mode::Transparent).await;
        let call = read.clone();
        let target = call.target.replace("Organization/1", &format!("Organization/{id}"));
        let call = Call { target, ..call };
        calls.spawn(async move { connection.send(call).await.status });
    }
    provider.has_seen(2).await;
    let section = identity("requests_per_minute = 600");
    world.gateway.reload("gateway.toml", |text| text + &section).await;
    let begins = "the gateway asks of its own accord";
    world.gateway.log.wait_for(begins, |line| line["message"] == begins).await;
    until(&world, "there is something to ask", |map| {
        map.iter().all(|row| row["crawl"] == "behind")
    })
    .await;
    // It looks once a second, and a request is due ten times a second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(provider.arrived().len(), 2, "consumers' requests only");
    assert!(own_lines(&world).is_empty());

    provider.go_on();
    assert_eq!(calls.join_next().await.unwrap().unwrap(), 404);
    provider.has_seen(3).await;
    assert_eq!(provider.arrived()[0].header("Ssp-From"), OWN);
    provider.go_on();
    assert_eq!(calls.join_next().await.unwrap().unwrap(), 404);
}

/// What the gateway asks itself takes nobody's place: where one request is taken at once, a consumer's
/// is.
#[tokio::test]
async fn it_takes_no_room_of_consumers() {
    let settings = identity("requests_per_minute = 600") + "\n[limits]\nin_flight = 1\n";
    let (world, provider) = scripted(&settings, [Step::Hang]).await;
    provider.has_seen(1).await;
    assert_eq!(provider.arrived()[0].header("Ssp-From"), OWN);
    let read = world.call(Mode::Transparent, &READ_ORGANIZATION, "Organization/17");
    assert_eq!(world.send(read).await.status, 200);
    let page = Exposition::of(&world).await;
    assert!((page.sum("own_requests_in_flight", &[]) - 1.0).abs() < 0.5, "it is still there");
}

/// Four at once at most, and one at a time behind one door: of a next proxy, a host.
#[tokio::test]
async fn few_are_asked_at_once_and_each_alone() {
    const HELD: usize = 12;
    let provider = Scripted::start().await;
    (0..HELD).for_each(|_| provider.will(held(1)));
    let settings = identity("requests_per_minute = 600");
    let world = World::start(|plan| {
        region(plan, &settings);
        plan.practices = 16;
        plan.connection = "proxy";
        plan.upstream = Some(provider.address());
    })
    .await;
    let in_flight = async || Exposition::of(&world).await.sum("own_requests_in_flight", &[]);
    for round in 1..=HELD / 4 {
        provider.has_seen(4 * round).await;
        // Ten more are due meanwhile.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let arrived = provider.arrived();
        let host = |target: &str| target.split('/').nth(3).unwrap().to_owned();
        let hosts: BTreeSet<_> = arrived.iter().map(|one| host(&one.head)).collect();
        assert_eq!((arrived.len(), hosts.len()), (4, 4), "round {round}: {arrived:#?}");
        assert!((in_flight().await - 4.0).abs() < 0.5, "round {round}");
        provider.go_on();
    }
}
