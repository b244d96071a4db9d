//! SIGHUP: a good configuration takes effect without a failed request, a broken one changes nothing
//! and says why.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;
use uuid::Uuid;

use crate::exposition::Exposition;
use crate::harness::interactions as all;
use crate::harness::log::says;
use crate::harness::{Call, Form, Mode, World};
use crate::scripted::{Scripted, Step};
use crate::wire::{self, Wire};

fn read(world: &World, place: usize) -> Call {
    let practice = world.practice(place);
    let call =
        Call::new(Mode::Transparent, Form::Ods, practice, &all::READ_PATIENT, "Patient/1");
    call.with("Ssp-TraceID", &Uuid::new_v4().to_string())
}

async fn status(world: &World, call: Call) -> u16 {
    world.send(call).await.status
}

/// Reloads a changed file, which has to be taken.
async fn loads(world: &World, file: &str, change: impl FnOnce(String) -> String) -> String {
    let line = world.gateway.reload(file, change).await;
    assert!(says(&line, "configuration reloaded"), "{line}");
    line["message"].as_str().unwrap().to_owned()
}

/// The text without its sections that hold a word, and without lines that do.
fn without(text: &str, word: &str) -> String {
    let sections = text.split_inclusive("\n\n").filter(|section| {
        !section.contains(word) || section.starts_with("[[group]]")
    });
    let kept: String = sections.collect();
    kept.lines().filter(|line| !line.contains(word)).map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn practices_come_and_go() {
    let world = World::start(|_| {}).await;
    let code = world.practice(1).ods_code.to_string();
    let practices = fs::read_to_string(world.gateway.folder().join("practices.toml")).unwrap();
    assert_eq!(status(&world, read(&world, 1)).await, 200);
    let told = loads(&world, "practices.toml", |text| without(&text, &code)).await;
    assert!(told.contains("practices +0 -1"), "{told}");
    assert_eq!(status(&world, read(&world, 1)).await, 404);
    assert_eq!(status(&world, read(&world, 0)).await, 200, "the others stay");
    let page = Exposition::of(&world).await;
    assert_eq!(page.sum("registered", &[("kind", "practice")]), 2.0);
    let series = page.0.iter().filter(|sample| sample.labels.get("practice") == Some(&code));
    assert_eq!(series.count(), 0, "it has no series any more");
    let told = loads(&world, "practices.toml", |_| practices).await;
    assert!(told.contains("practices +1 -0"), "{told}");
    assert_eq!(status(&world, read(&world, 1)).await, 200);
    let page = Exposition::of(&world).await;
    assert_eq!(page.sum("registered", &[("kind", "practice")]), 3.0);
    assert_eq!(page.sum("snapshot_generation", &[]), 3.0);
    assert_eq!(page.sum("reloads_total", &[("result", "loaded")]), 2.0);
}

#[tokio::test]
async fn consumers_come_and_go() {
    const NEW: &str = "200000000361";
    let world = World::start(|_| {}).await;
    let from_new = || read(&world, 0).with("Ssp-From", NEW);
    assert_eq!(status(&world, from_new()).await, 403);
    let consumer = format!(
        "\n[[consumer]]\nasid = \"{NEW}\"\norganisation = \"RXX01\"\n\
         host_name = \"new.rxx01.example\"\nparty_key = \"RXX01-9200001\"\n\
         mode = \"transparent\"\ninteractions = [\"1.2.7\"]\n"
    );
    let told = loads(&world, "consumers.toml", |text| text + &consumer).await;
    assert!(told.contains("consumers +1 -0"), "{told}");
    assert_eq!(status(&world, from_new()).await, 403, "no listener stands for it yet");
    let old = format!("[\"{}\"]", Mode::Transparent.asid());
    let both = format!("[\"{}\", \"{NEW}\"]", Mode::Transparent.asid());
    loads(&world, "gateway.toml", |text| text.replace(&old, &both)).await;
    assert_eq!(status(&world, from_new()).await, 200);
    assert_eq!(status(&world, read(&world, 0)).await, 200, "the old one stays");
    loads(&world, "gateway.toml", |text| text.replace(&both, &old)).await;
    assert_eq!(status(&world, from_new()).await, 403);
}

/// Each change and what a request meets before and after it.
#[tokio::test]
async fn what_a_reload_changes() {
    let world = World::start(|_| {}).await;
    let capabilities = "capabilities = [\"foundations\", \"appointments\", \"structured\"]";
    for (name, file, old, new, refused) in [
        ("a switch", "consumers.toml", "gp_connect = true", "gp_connect = false", 403),
        ("an agreement", "consumers.toml", capabilities, "capabilities = [\"structured\"]", 403),
        ("an interaction", "consumers.toml", "[\"1.2.7\"]", "[\"fhir:rest:read:metadata-1\"]", 403),
        ("a root", "practices.toml", "gp1.sim.example", "gp9.sim.example", 200),
        ("a name", "gateway.toml", "gateway.example", "other.example", 421),
        ("a limit", "gateway.toml", "[directory]", "[limits]\nhead_bytes = 1024\n\n[directory]", 431),
    ] {
        assert_eq!(status(&world, read(&world, 0)).await, 200, "{name}, before");
        loads(&world, file, |text| text.replace(old, new)).await;
        assert_eq!(status(&world, read(&world, 0)).await, refused, "{name}, changed");
        loads(&world, file, |text| text.replace(new, old)).await;
        assert_eq!(status(&world, read(&world, 0)).await, 200, "{name}, changed back");
    }
    let page = Exposition::of(&world).await;
    assert_eq!(page.sum("reloads_total", &[("result", "loaded")]), 12.0);
    assert_eq!(page.sum("snapshot_generation", &[]), 13.0);
}

/// What can't change while it runs is told, and the rest changes.
#[tokio::test]
async fn what_needs_a_restart_is_told() {
    let world = World::start(|_| {}).await;
    let change = |text: String| format!("[server]\ndrain = \"9s\"\n\n{text}");
    let told = loads(&world, "gateway.toml", change).await;
    assert!(told.contains("server") && told.contains("restart"), "{told}");
    assert_eq!(status(&world, read(&world, 0)).await, 200);
}

/// A broken file: every mistake with its place, the old configuration in use, the refusal counted.
#[tokio::test]
async fn a_broken_configuration_changes_nothing() {
    let world = World::start(|_| {}).await;
    let line_of = |text: &str| text.lines().count() + 1;
    let folder = world.gateway.folder().to_owned();
    let length = |file: &str| line_of(&fs::read_to_string(folder.join(file)).unwrap());
    let (consumers, practices) = (length("consumers.toml"), length("practices.toml"));
    let gateway = length("gateway.toml");
    for (name, file, added, expected) in [
        ("no TOML", "consumers.toml", "[[consumer]\n", vec![format!("consumers.toml:{consumers}")]),
        ("an unknown key", "gateway.toml", "[log]\nfromat = \"json\"\n", vec![format!("gateway.toml:{}: log.fromat", gateway + 1)]),
        ("an unknown section", "practices.toml", "[[practice]]\n", vec![format!("practices.toml:{practices}: practice")]),
        (
            "three mistakes",
            "consumers.toml",
            "[[consumer]]\nasid = \"12\"\norganisation = \"NOBODY1\"\nhost_name = \"h.example\"\n\
             party_key = \"RXX01-9200001\"\nmode = \"loose\"\ninteractions = [\"1.2.7\"]\n",
            vec![
                format!("consumers.toml:{}: consumer[2].asid", consumers + 1),
                format!("consumers.toml:{}: consumer[2].organisation", consumers + 2),
                format!("consumers.toml:{}: consumer[2].mode", consumers + 5),
            ],
        ),
        (
            "a second practice of that code",
            "consumers.toml",
            "[[organisation]]\nods_code = \"A20047\"\nname = \"Again\"\n",
            vec![format!("consumers.toml:{}", consumers + 1)],
        ),
    ] {
        let before = fs::read_to_string(folder.join(file)).unwrap();
        let seen = world.gateway.log.lines().len();
        let refused = Exposition::of(&world).await.sum("reloads_total", &[("result", "refused")]);
        let line = world.gateway.reload(file, |text| text + added).await;
        assert!(says(&line, "reload refused, the old configuration stays"), "{name}: {line}");
        wait_for_refusals(&world, refused as usize + 1).await;
        let told: Vec<Value> = world.gateway.log.lines().split_off(seen);
        for part in &expected {
            let is_told = |line: &Value| line["message"].as_str().is_some_and(|text| text.contains(part));
            assert!(told.iter().any(is_told), "{name}: {part} in {told:#?}");
        }
        assert_eq!(status(&world, read(&world, 0)).await, 200, "{name}");
        let page = Exposition::of(&world).await;
        assert_eq!(page.sum("snapshot_generation", &[]), 1.0, "{name}");
        fs::write(folder.join(file), before).unwrap();
    }
    fs::rename(folder.join("practices.toml"), folder.join("gone.toml")).unwrap();
    let line = world.gateway.reload("consumers.toml", |text| text + "# changed\n").await;
    assert!(says(&line, "reload refused"), "{line}");
    assert!(line["message"].as_str().unwrap().contains("practices.toml"), "{line}");
    assert_eq!(status(&world, read(&world, 0)).await, 200);
    fs::rename(folder.join("gone.toml"), folder.join("practices.toml")).unwrap();
    loads(&world, "consumers.toml", |text| text + "# again\n").await;
}

async fn wait_for_refusals(world: &World, count: usize) {
    let labels = [("result", "refused")];
    let counted = async {
        while Exposition::of(world).await.sum("reloads_total", &labels) as usize != count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::harness::DEADLINE, counted).await.expect("counted");
}

/// A world whose practices stand at scripted providers that a reload can choose between.
async fn between(first: &Scripted) -> World {
    let upstream = first.address();
    World::start(|plan| plan.upstream = Some(upstream)).await
}

#[tokio::test]
async fn requests_under_way_keep_what_they_began_with() {
    let (first, second) = (Scripted::start().await, Scripted::start().await);
    let world = between(&first).await;
    first.will([Step::Wait, Step::Good]);
    let under_way = read(&world, 0);
    let mut wire = Wire::open(world.address(Mode::Transparent)).await;
    wire.write(wire::bytes(&under_way)).await;
    first.has_seen(1).await;
    let (old, new) = (first.address().to_string(), second.address().to_string());
    loads(&world, "gateway.toml", |text| text.replace(&old, &new)).await;
    loads(&world, "consumers.toml", |text| text.replace("gp_connect = true", "gp_connect = false"))
        .await;
    assert_eq!(status(&world, read(&world, 0)).await, 403, "the next one meets the new state");
    first.go_on();
    let reply = wire.read("GET").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let trace_id = under_way.header("Ssp-TraceID").unwrap();
    let line = world.gateway.log.wait_for("its line", |line| line["trace_id"] == trace_id).await;
    assert_eq!(line["generation"], 1, "{line}");
    // The same connection, the new state.
    assert_eq!(wire.exchange(&read(&world, 0)).await.status, 403);
    assert_eq!(second.arrived().len(), 0);
}

/// As soon as the log says so, requests go to the new address, by number or by name, however long
/// other names take to look up.
#[tokio::test]
async fn a_new_address_is_used_at_once() {
    let (first, second) = (Scripted::start().await, Scripted::start().await);
    let world = between(&first).await;
    let nowhere: String = (0..100)
        .map(|number| {
            format!(
                "[[upstream]]\nname = \"nowhere-{number}\"\naddress = \"x{number}.invalid:80\"\n\
                 insecure_plain_http = true\n\n"
            )
        })
        .collect();
    assert_eq!(status(&world, read(&world, 0)).await, 200);
    let mut old = first.address().to_string();
    for (name, new) in [
        ("by number", second.address().to_string()),
        ("by name", format!("localhost:{}", second.address().port())),
    ] {
        let change = |text: String| text.replace(&old, &new).replacen("[[upstream]]", &format!("{nowhere}[[upstream]]"), 1);
        loads(&world, "gateway.toml", |text| change(without_section(&text, "nowhere"))).await;
        let answer = world.send(read(&world, 0)).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        assert_eq!(second.arrived().len(), 1, "{name}");
        old = new.clone();
    }
}

fn without_section(text: &str, word: &str) -> String {
    text.split_inclusive("\n\n").filter(|section| !section.contains(word)).collect()
}

#[tokio::test]
async fn twenty_reloads_under_load_fail_no_request() {
    let world = World::start(|_| {}).await;
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let mut callers = Vec::new();
    for number in 0..4 {
        let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
        let address = world.address(Mode::Transparent);
        let call = read(&world, number % 2);
        let book = world
            .call(Mode::Transparent, &all::REGISTER_PATIENT, "Patient/$gpc.registerpatient")
            .json(&serde_json::json!({"resourceType": "Parameters"}));
        callers.push(tokio::spawn(async move {
            let mut wire = Wire::open(address).await;
            while !stop.load(Ordering::Relaxed) {
                let trace_id = Uuid::new_v4().to_string();
                let reply = wire.exchange(&call.clone().with("Ssp-TraceID", &trace_id)).await;
                assert_eq!(reply.status, 200, "{reply:?}");
                assert_eq!(reply.header("ssp-traceid"), trace_id);
                // Refused by the practice, for want of a patient; a fresh connection each time.
                let reply = Wire::open(address).await.exchange(&book).await;
                assert!((400..500).contains(&reply.status), "{reply:?}");
                answered.fetch_add(2, Ordering::Relaxed);
            }
        }));
    }
    let third = world.practice(2).ods_code.to_string();
    let practices = fs::read_to_string(world.gateway.folder().join("practices.toml")).unwrap();
    for turn in 0..10 {
        // The practices that are called change their places.
        loads(&world, "practices.toml", |text| without(&text, &third)).await;
        let before = answered.load(Ordering::Relaxed);
        loads(&world, "practices.toml", |_| practices.clone()).await;
        let more = async {
            while answered.load(Ordering::Relaxed) < before + 8 {
                tokio::task::yield_now().await;
            }
        };
        let more = tokio::time::timeout(crate::harness::DEADLINE, more).await;
        assert!(more.is_ok(), "requests are answered in turn {turn}");
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    let page = Exposition::of(&world).await;
    assert_eq!(page.sum("reloads_total", &[("result", "loaded")]), 20.0);
    assert_eq!(page.sum("practice_requests_total", &[("result", "failed")]), 0.0);
    assert_eq!(page.sum("practice_requests_total", &[("result", "refused")]), 0.0);
}
