//! SIGHUP: a good configuration takes effect without a failed request, a broken one changes nothing
//! and says why.

mod under_load;

use std::fs;

use serde_json::Value;
use uuid::Uuid;

use crate::exposition::Exposition;
use crate::harness::interactions as all;
use crate::harness::log::says;
use crate::harness::{Call, Form, Mode, World};

fn read(world: &World, place: usize) -> Call {
    let practice = world.practice(place);
    let call = Call::new(Mode::Transparent, Form::Ods, practice, &all::READ_PATIENT, "Patient/1");
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
    let sections = text
        .split_inclusive("\n\n")
        .filter(|section| !section.contains(word) || section.starts_with("[[group]]"));
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
        (
            "a limit",
            "gateway.toml",
            "[directory]",
            "[limits]\nhead_bytes = 1024\n\n[directory]",
            431,
        ),
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
/// gp-connect 9.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table: one row a case")]
async fn a_broken_configuration_changes_nothing() {
    let world = World::start(|_| {}).await;
    let line_of = |text: &str| text.lines().count() + 1;
    let folder = world.gateway.folder().to_owned();
    let length = |file: &str| line_of(&fs::read_to_string(folder.join(file)).unwrap());
    let (consumers, practices) = (length("consumers.toml"), length("practices.toml"));
    let gateway = length("gateway.toml");
    for (name, file, added, expected) in [
        ("no TOML", "consumers.toml", "[[consumer]\n", vec![format!("consumers.toml:{consumers}")]),
        (
            "an unknown key",
            "gateway.toml",
            "[log]\nfromat = \"json\"\n",
            vec![format!("gateway.toml:{}: log.fromat", gateway + 1)],
        ),
        (
            "an unknown section",
            "practices.toml",
            "[[practice]]\n",
            vec![format!("practices.toml:{practices}: practice")],
        ),
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
        wait_for_refusals(&world, refused + 1.0).await;
        for part in &expected {
            let is_told =
                |line: &Value| line["message"].as_str().is_some_and(|text| text.contains(part));
            let what = format!("{name}: {part}");
            world.gateway.log.wait_behind(seen, &what, is_told).await;
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

async fn wait_for_refusals(world: &World, count: f64) {
    let labels = [("result", "refused")];
    let counted = async {
        while Exposition::of(world).await.sum("reloads_total", &labels) < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::harness::DEADLINE, counted).await.expect("counted");
}
