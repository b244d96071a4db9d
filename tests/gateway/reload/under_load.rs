//! Reloads while requests are under way.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use uuid::Uuid;

use super::{loads, read, status, without};
use crate::exposition::Exposition;
use crate::harness::interactions as all;
use crate::harness::{DEADLINE, Mode, World};
use crate::scripted::{Scripted, Step};
use crate::wire::{self, Wire};

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
        let change = |text: String| {
            text.replace(&old, &new).replacen("[[upstream]]", &format!("{nowhere}[[upstream]]"), 1)
        };
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
        let more = tokio::time::timeout(DEADLINE, more).await;
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
