//! Starting, being watched, and stopping.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::disk::{Fault, Faults};
use crate::harness::interactions as all;
use crate::harness::log::says;
use crate::harness::{Call, DEADLINE, HOST, Mode, Plan, World};
use crate::scripted::{Scripted, Step};
use crate::wire::{self, Wire};

fn call(world: &World) -> Call {
    let call = world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1");
    call.with("Ssp-TraceID", &Uuid::new_v4().to_string())
}

const EVERYTHING: &str = "[+] stay: good\n[+] listeners: good\n[+] snapshot: good\n\
    [+] directory: good\n[+] journal: good\nready\n";

#[tokio::test]
async fn what_the_observe_listener_shows() {
    let world = World::start(|_| {}).await;
    let plain = "text/plain; charset=utf-8";
    let metrics = "text/plain; version=0.0.4; charset=utf-8";
    for (verb, path, status, kind, part) in [
        ("GET", "/livez", 200, plain, "alive"),
        ("GET", "/readyz", 200, plain, "ready"),
        ("GET", "/readyz?verbose", 200, plain, EVERYTHING),
        ("GET", "/readyz?a=b&verbose=1", 200, plain, EVERYTHING),
        ("GET", "/metrics", 200, metrics, "gpconnect_gateway_build_info"),
        ("HEAD", "/metrics", 200, metrics, ""),
        ("GET", "/", 404, plain, "/metrics"),
        ("GET", "/metrics/", 404, plain, ""),
        ("GET", "/A20047/STU3/1/gpconnect/fhir/Patient/1", 404, plain, ""),
        ("POST", "/metrics", 405, plain, ""),
        ("DELETE", "/readyz", 405, plain, ""),
    ] {
        let mut wire = Wire::open(world.gateway.observe).await;
        wire.write(format!("{verb} {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
        let reply = wire.read(verb).await;
        assert_eq!((reply.status, reply.header("content-type")), (status, kind), "{verb} {path}");
        assert!(reply.text().contains(part), "{verb} {path}: {reply:?}");
    }
    assert_eq!(world.simulator.requests(), 0);
}

/// Asks until a new connection is refused.
async fn refuses_connections(address: SocketAddr) {
    let refused = async {
        loop {
            match TcpStream::connect(address).await {
                // Not as often as it can be done: each takes a port for a while.
                Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(fault) => return fault.kind(),
            }
        }
    };
    let kind = tokio::time::timeout(DEADLINE, refused).await.expect("connections are refused");
    assert_eq!(kind, ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_stop_lets_requests_under_way_finish() {
    for signal in ["TERM", "INT"] {
        let provider = Scripted::start().await;
        let upstream = provider.address();
        let mut world = World::start(|plan| {
            plan.upstream = Some(upstream);
            plan.settings = "[server]\ndrain = \"10m\"\n".to_owned();
        })
        .await;
        let address = world.address(Mode::Transparent);
        let mut idle = Wire::open(address).await;
        assert_eq!(idle.exchange(&call(&world)).await.status, 200);
        provider.will([Step::Wait, Step::Good]);
        let under_way = call(&world);
        let mut wire = Wire::open(address).await;
        wire.write(wire::bytes(&under_way)).await;
        provider.has_seen(2).await;

        world.gateway.signal(signal);
        world.gateway.log.wait_for("the stop", |line| says(line, "stopping")).await;
        refuses_connections(address).await;
        assert_eq!(idle.rest().await, b"", "{signal}: an idle connection is closed");
        is_not_ready(&world).await;
        assert!(world.metrics().await.contains("requests_in_flight 1"), "{signal}: to be watched");

        provider.go_on();
        let reply = wire.read("GET").await;
        assert_eq!(reply.status, 200, "{signal}: {reply:?}");
        assert_eq!(reply.json()["id"], under_way.header("Ssp-TraceID").unwrap(), "{signal}");
        assert_eq!(wire.rest().await, b"", "{signal}: and it is the last one");
        assert_eq!(world.gateway.ended().await, Some(0), "{signal}");
        let lines = world.gateway.log.lines();
        let trace_id = under_way.header("Ssp-TraceID").unwrap();
        assert!(lines.iter().any(|line| line["trace_id"] == trace_id), "{signal}: {lines:#?}");
        assert!(lines.iter().any(|line| says(line, "stopped")), "{signal}: {lines:#?}");
        assert!(lines.iter().all(|line| line["level"] != "ERROR"), "{signal}: {lines:#?}");
    }
}

/// While it stops, `/readyz` says so.
async fn is_not_ready(world: &World) {
    let answer = world.observe("/readyz").await;
    assert_eq!((answer.status, answer.text()), (503, "not ready: stopping\n"));
    let verbose = world.observe("/readyz?verbose").await;
    assert!(verbose.text().starts_with("[-] stay: stopping\n[+] listeners"), "{verbose:?}");
    assert_eq!(world.observe("/livez").await.status, 200);
}

#[tokio::test]
async fn a_practice_that_does_not_answer_leaves_the_gateway_ready() {
    let world = World::start(|plan| plan.refusing = vec![0]).await;
    assert_eq!(world.send(call(&world)).await.status, 502);
    assert_eq!(world.observe("/readyz").await.status, 200);
}

/// A balancer sees that the gateway is about to go while that still takes requests: none is lost to
/// a closed door. A second signal ends the wait.
#[tokio::test]
async fn a_stop_is_announced_before_doors_close() {
    let settings = "[server]\nnotice = \"10m\"\n".to_owned();
    let mut world = World::start(|plan| plan.settings = settings).await;
    let mut kept = Wire::open(world.address(Mode::Transparent)).await;
    assert_eq!(kept.exchange(&call(&world)).await.status, 200);

    world.gateway.signal("TERM");
    world.gateway.log.wait_for("the stop", |line| says(line, "stopping")).await;
    is_not_ready(&world).await;
    let mut new = Wire::open(world.address(Mode::Transparent)).await;
    for (name, wire) in [("a kept connection", &mut kept), ("a new one", &mut new)] {
        let reply = wire.exchange(&call(&world)).await;
        assert_eq!((reply.status, reply.header("connection")), (200, "close"), "{name}");
        assert_eq!(wire.rest().await, b"", "{name} ends behind its answer");
    }

    world.gateway.signal("TERM");
    world.gateway.log.wait_for("the end of it", |line| says(line, "no new work is taken")).await;
    assert_eq!(world.gateway.ended().await, Some(0));
}

/// The wait ends by itself too, and before it does no door is closed.
#[tokio::test]
async fn doors_close_when_the_notice_is_over() {
    let settings = "[server]\nnotice = \"700ms\"\n".to_owned();
    let mut world = World::start(|plan| plan.settings = settings).await;
    let address = world.address(Mode::Transparent);
    let begun = Instant::now();
    world.gateway.signal("TERM");
    refuses_connections(address).await;
    assert!(begun.elapsed() >= Duration::from_millis(700), "{:?}", begun.elapsed());
    assert_eq!(world.gateway.ended().await, Some(0));
}

/// A disk that never answers again does not keep the process: what it had not made durable is for
/// the next start to tell.
#[tokio::test]
async fn a_stop_does_not_wait_for_a_disk_that_hangs() {
    let faults = Faults::new();
    let folder = faults.folder.path().to_str().unwrap().to_owned();
    let mut world = World::start(|plan| {
        plan.environment = faults.environment();
        plan.environment.push(("GPCG__AUDIT__DIRECTORY".into(), folder));
    })
    .await;
    assert_eq!(world.send(call(&world)).await.status, 200);
    faults.set(Fault::Hang);
    assert_eq!(world.gateway.stop().await, Some(0));
    world.gateway.log.wait_for("why", |line| says(line, "audit journal not closed")).await;
}

/// A request that does not end is not waited for longer than the drain time.
#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let provider = Scripted::start().await;
    let upstream = provider.address();
    let mut world = World::start(|plan| {
        plan.upstream = Some(upstream);
        plan.settings = "[server]\ndrain = \"300ms\"\n".to_owned();
    })
    .await;
    provider.will([Step::Hang]);
    let mut wire = Wire::open(world.address(Mode::Transparent)).await;
    wire.write(wire::bytes(&call(&world))).await;
    provider.has_seen(1).await;
    // Half a request is nobody's work.
    let mut half = Wire::open(world.address(Mode::Transparent)).await;
    half.write("GET / HTTP/1.1\r\nHo").await;
    assert_eq!(world.gateway.stop().await, Some(0));
    let (_, cut) = wire.read_any("GET").await;
    assert!(cut.is_some());
    let line = world.gateway.log.wait_for("the cut", |line| says(line, "stopped before")).await;
    assert_eq!((line["cut"].as_i64(), line["level"].as_str()), (Some(1), Some("WARN")), "{line}");
}

/// Nothing under way: it ends at once, whatever the drain time.
#[tokio::test]
async fn an_idle_gateway_stops_at_once() {
    let mut world =
        World::start(|plan| plan.settings = "[server]\ndrain = \"10m\"\n".to_owned()).await;
    let mut idle = Wire::open(world.address(Mode::Transparent)).await;
    assert_eq!(idle.exchange(&call(&world)).await.status, 200);
    assert_eq!(world.gateway.stop().await, Some(0));
}

/// Writes a good configuration for nobody in particular.
fn configuration() -> TempDir {
    let folder = TempDir::with_prefix("gpconnect-test-").unwrap();
    let plan = Plan::default();
    let nowhere: SocketAddr = "127.0.0.1:9".parse().unwrap();
    plan.write(folder.path(), &plan.estate(), nowhere, nowhere);
    folder
}

fn change(folder: &Path, file: &str, change: impl FnOnce(String) -> String) {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, change(text)).unwrap();
}

/// Runs `serve` to its end, which has to come by itself.
fn serve(folder: &Path) -> Output {
    run(&mut serving(folder))
}

fn serving(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"));
    command.args(["serve", "--config"]).arg(folder.join("gateway.toml"));
    command
}

fn run(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > DEADLINE {
            child.kill().unwrap();
            panic!("it started: {:?}", child.wait_with_output().unwrap());
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// The same with a good configuration and these variables.
pub(crate) async fn serve_with(environment: Vec<(String, String)>) -> Output {
    let run = move || {
        let folder = configuration();
        run(serving(folder.path()).envs(environment))
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_address_in_use_is_told_by_its_key() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let free = "address = \"127.0.0.1:0\"";
    for (key, place) in
        [("observe.address", 0), ("listener[0].address", 1), ("listener[1].address", 2)]
    {
        let folder = configuration();
        change(folder.path(), "gateway.toml", |text| {
            let (at, _) = text.match_indices(free).nth(place).unwrap();
            let (before, behind) = text.split_at(at);
            before.to_owned() + &behind.replacen(free, &format!("address = \"{address}\""), 1)
        });
        let output = serve(folder.path());
        assert_eq!(output.status.code(), Some(2), "{key}: {output:?}");
        let said = said(&output);
        for part in [key, address.as_str(), "in use"] {
            assert!(said.contains(part), "{key}: {part} in {said}");
        }
    }
}

#[test]
fn a_broken_configuration_is_told_whole() {
    let folder = configuration();
    change(folder.path(), "gateway.toml", |text| text + "[server]\nthreads = 0\ndrian = \"5s\"\n");
    change(folder.path(), "consumers.toml", |text| {
        text.replace("mode = \"assist\"", "mode = \"loose\"")
            .replace("group:everyone", "group:nobody")
    });
    change(folder.path(), "practices.toml", |text| text.replacen("cpa_id", "cpa", 1));
    let output = serve(folder.path());
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "it did not begin");
    let said = said(&output);
    for part in [
        "gateway.toml:",
        "server.threads",
        "server.drian",
        "did you mean \"drain\"?",
        "consumers.toml:",
        "mode",
        "no [[group]] has name \"nobody\"",
        "practices.toml:",
        "provider[0].cpa",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    for line in said.lines().filter(|line| !line.is_empty()) {
        let place = line.split(": ").next().unwrap();
        assert!(place.rsplit(':').next().unwrap().parse::<u32>().is_ok(), "a line number: {line}");
    }
}

#[test]
fn a_configuration_that_is_not_there_is_told() {
    let folder = configuration();
    fs::remove_file(folder.path().join("practices.toml")).unwrap();
    let output = serve(folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("practices.toml"), "{output:?}");
    fs::remove_file(folder.path().join("gateway.toml")).unwrap();
    let output = serve(folder.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("gateway.toml"), "{output:?}");
}

/// Limits that the engine would not keep are refused where they are written.
#[test]
fn limits_end_where_the_engines_do() {
    for (key, most) in [("head_bytes", 1_048_575), ("headers", 256), ("target_bytes", 65_534)] {
        let folder = configuration();
        change(folder.path(), "gateway.toml", |text| {
            format!("[limits]\n{key} = {}\n\n{text}", most + 1)
        });
        let output = serve(folder.path());
        assert_eq!(output.status.code(), Some(2), "{key}: {output:?}");
        let said = said(&output);
        assert!(said.contains(&format!("gateway.toml:2: limits.{key}")), "{key}: {said}");
    }
}

/// A listener that is open to more than this machine is refused while there is no mutual TLS.
#[test]
fn a_plain_listener_stays_on_this_machine() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let folder = configuration();
        change(folder.path(), "gateway.toml", |text| {
            let listener = text.find("[[listener]]").unwrap();
            let (before, behind) = text.split_at(listener);
            before.to_owned() + &behind.replacen("127.0.0.1:0", address, 1)
        });
        let output = serve(folder.path());
        assert_eq!(output.status.code(), Some(2), "{address}: {output:?}");
        let said = said(&output);
        assert!(said.contains("listener[0].address"), "{address}: {said}");
    }
}

/// Log rotation: what moves the file away asks for a new one by SIGHUP.
#[tokio::test]
async fn a_log_file_is_opened_again() {
    let folder = configuration();
    let file = folder.path().join("gateway.log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"))
        .args(["serve", "--config"])
        .arg(folder.path().join("gateway.toml"))
        .envs([("GPCG__LOG__FILE", "gateway.log"), ("GPCG__LOG__FORMAT", "json")])
        .spawn()
        .unwrap();
    let holds = async |file: &Path, text: &str| {
        let holds = async {
            while !fs::read_to_string(file).unwrap_or_default().contains(text) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(DEADLINE, holds).await.is_ok()
    };
    assert!(holds(&file, "metrics and health").await);
    let moved = folder.path().join("gateway.log.1");
    fs::rename(&file, &moved).unwrap();
    let signal = |name: &str| {
        let order = format!("kill -{name} {}", child.id());
        assert!(Command::new("sh").args(["-c", &order]).status().unwrap().success());
    };
    signal("HUP");
    assert!(holds(&moved, "taking requests").await, "what was written stays");
    let again = holds(&file, "configuration reloaded").await;
    signal("TERM");
    assert!(child.wait().unwrap().success());
    assert!(again, "the line is in the new file");
}
