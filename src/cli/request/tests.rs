//! The planned requests against the simulator, over a real socket.

use std::sync::Arc;

use clap::Parser;
use serde_json::Value;
use tokio::net::TcpListener;

use super::*;
use crate::{
    cli::aliases::ALIASES,
    simulator::{self, Estate, Running},
    tls::issue::{Authority, Order},
};

#[derive(Parser)]
struct Only {
    #[command(flatten)]
    arguments: Arguments,
}

fn arguments(gateway: &str, line: &[&str]) -> Arguments {
    let words = ["request", "--gateway", gateway].into_iter().chain(line.iter().copied());
    let words = words.chain(["--practice", "A20047"]);
    Only::try_parse_from(words).unwrap_or_else(|fault| panic!("{fault}")).arguments
}

/// The simulator takes the ODS form too: to a consumer it is a gateway without checks.
async fn simulator() -> (Running, String) {
    let settings = simulator::Settings::new(Arc::new(Estate::generate(1, 1)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (simulator::start(settings, listener).unwrap(), url)
}

async fn ask(gateway: &str, line: &[&str]) -> Answer {
    try_ask(gateway, line).await.unwrap_or_else(|fault| panic!("{line:?}: {fault}"))
}

async fn try_ask(gateway: &str, line: &[&str]) -> Result<Answer, Unsendable> {
    let line = [line, &["--to-asid", "910000000000"]].concat();
    let arguments = arguments(gateway, &line);
    let plan = Plan::make(&arguments, moment::now())?;
    send::send(&plan, arguments.timeout).await
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn queries_are_answered() {
    let (_running, gateway) = simulator().await;
    for line in [
        vec!["metadata"],
        vec!["find-patient", "--nhs-number", "9000000009"],
        vec!["read-patient", "--id", "1"],
        vec!["find-practitioner", "--id", "UNKNOWN"],
        vec!["read-practitioner", "--id", "1"],
        vec!["find-organisation"],
        vec!["read-organisation", "--id", "1"],
        vec!["read-location", "--id", "1"],
        vec!["slots"],
        vec!["read-appointment", "--id", "1"],
        vec!["appointments", "--id", "1"],
        vec!["structured-record", "--nhs-number", "9000000009"],
        vec!["structured-metadata"],
        vec!["metadata", "--query", "_format=application/fhir+xml"],
    ] {
        let answer = ask(&gateway, &line).await;
        let body = String::from_utf8_lossy(&answer.body);
        assert!(answer.is_good(), "{line:?}: {} {body}", answer.status);
        assert!(answer.broken.is_none(), "{line:?}");
    }
}

#[tokio::test]
async fn commands_are_carried_out() {
    let (_running, gateway) = simulator().await;
    let registered = ask(&gateway, &["register-patient", "--nhs-number", "9000000092"]).await;
    assert_eq!(registered.status, 200, "{}", json(&registered));

    let slots = json(&ask(&gateway, &["slots"]).await);
    // The last one, which is not past when the clock moves on.
    let mut resources = slots["entry"].as_array().unwrap().iter().rev().map(|it| &it["resource"]);
    let slot = resources.find(|it| it["resourceType"] == "Slot").unwrap();
    let text = |member: &str| slot[member].as_str().unwrap();
    let booked = ask(
        &gateway,
        &[
            "book",
            "--slot",
            text("id"),
            "--patient",
            "1",
            "--location",
            "1",
            "--start",
            text("start"),
            "--end",
            text("end"),
        ],
    )
    .await;
    assert_eq!(booked.status, 201, "{}", json(&booked));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("appointment.json");
    let file = file.to_str().unwrap();
    std::fs::write(file, &booked.body).unwrap();
    let amended = ask(&gateway, &["amend", "--body", file, "--comment", "by the window"]).await;
    assert_eq!(json(&amended)["comment"], "by the window");
    let stale = ask(&gateway, &["cancel", "--body", file, "--reason", "too late"]).await;
    assert_eq!(stale.status, 409, "an old version");
    std::fs::write(file, &amended.body).unwrap();
    let cancelled = ask(&gateway, &["cancel", "--body", file, "--reason", "no need"]).await;
    assert_eq!(json(&cancelled)["status"], "cancelled");
}

#[tokio::test]
async fn what_breaks_is_told() {
    let (running, gateway) = simulator().await;
    let fault = |fault: &str| format!("X-Sim-Fault: {fault}");
    for (name, header, broken) in
        [("cut", fault("truncate=100"), true), ("an error page", fault("status=503"), false)]
    {
        let answer = ask(&gateway, &["metadata", "--header", &header]).await;
        assert_eq!(answer.broken.is_some(), broken, "{name}: {:?}", answer.broken);
        assert!(broken || answer.status == 503, "{name}");
    }
    let refusing = format!("http://{}", running.refused_addr());
    for (name, gateway, header, timeout, expected) in [
        ("refused", &refusing, "X-Y: z".into(), "40", "connection refused"),
        ("reset", &gateway, fault("reset=before-headers"), "40", "closed the connection"),
        ("silent", &gateway, fault("latency=5s"), "0.1", "no answer within 0.1 s"),
    ] {
        let line = ["metadata", "--header", header.as_str(), "--timeout", timeout];
        let fault = try_ask(gateway, &line).await.unwrap_err();
        assert!(fault.to_string().contains(expected), "{name}: {fault}");
    }
}

#[test]
fn a_plan_has_the_headers_of_its_interaction() {
    for alias in ALIASES {
        let options = ["--nhs-number", "9000000009", "--id", "1", "--slot", "1", "--patient", "1"];
        let more = ["--location", "1", "--start", "2026-11-24", "--end", "2026-11-25"];
        let mut line = [vec![alias.name], options.to_vec(), more.to_vec()].concat();
        if matches!(alias.name, "amend" | "cancel") {
            line.extend(["--body", "/dev/null", "--if-match", "W/\"1\""]);
        }
        let plan = Plan::make(&arguments("http://localhost:8080", &line), 1_795_420_800).unwrap();
        let value = |name: &str| plan.sendable.get(name).map(|value| value.to_str().unwrap());
        let row = alias.id.row();
        assert_eq!(plan.method, row.verb.as_str(), "{}", alias.name);
        assert_eq!(value("ssp-interactionid"), Some(row.urn), "{}", alias.name);
        assert!(value("authorization").unwrap().ends_with('.'), "{}", alias.name);
        assert_eq!(value("ssp-to"), None, "{}", alias.name);
        assert_eq!(value("content-type").is_some(), plan.body.is_some(), "{}", alias.name);
        assert_eq!(plan.body.is_some(), row.verb.as_str() != "GET", "{}", alias.name);
        let target = gpconnect::target::read(plan.method, plan.target.as_str()).unwrap();
        assert_eq!(target.practice.as_str(), "A20047", "{}", alias.name);
    }
}

#[test]
fn a_directory_fills_in_root_and_receiver() {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/config/gateway.toml");
    let line =
        ["structured-record", "--nhs-number", "9000000009", "--form", "proxy", "--config", config];
    let plan = Plan::make(&arguments("http://localhost:8080", &line), 0).unwrap();
    let root = "https://gp.north.example/A20047/STU3/1/gpconnect/structured";
    assert_eq!(plan.target.as_str(), format!("/{root}/Patient/$gpc.getstructuredrecord"));
    assert_eq!(plan.sendable["ssp-to"], "918999198993");

    for (name, line, expected) in [
        ("no such file", vec!["metadata", "--config", "missing.toml"], "missing.toml"),
        ("no root", vec!["metadata", "--form", "proxy"], "--service-root"),
        ("no id", vec!["read-patient"], "--id"),
        ("no number", vec!["find-patient"], "--nhs-number"),
        ("no such body", vec!["book", "--body", "missing.json"], "missing.json"),
        ("a bad header", vec!["metadata", "-H", "a b: c"], "a b"),
    ] {
        let fault = Plan::make(&arguments("http://localhost:8080", &line), 0).unwrap_err();
        assert!(fault.to_string().contains(expected), "{name}: {fault}");
    }
}

/// Over mutual TLS: with the right files, without, and with others.
#[tokio::test]
async fn tls_needs_the_right_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (gateways, consumers) = (Authority::root("G").unwrap(), Authority::root("C").unwrap());
    let own = consumers.issue(&Order::new("epr.example")).unwrap();
    own.write(path("own.pem").as_ref(), path("own.key").as_ref()).unwrap();
    let stranger = gateways.issue(&Order::new("epr.example")).unwrap();
    stranger.write(path("stranger.pem").as_ref(), path("stranger.key").as_ref()).unwrap();
    for (name, authority) in [("ca.pem", &gateways), ("other.pem", &consumers)] {
        std::fs::write(path(name), authority.certificate.to_pem().unwrap()).unwrap();
    }
    let shown = gateways.issue(&Order::new("localhost")).unwrap();
    let tls = Some(shown.server(&consumers).unwrap().build());
    let settings = simulator::Settings::new(Arc::new(Estate::generate(1, 1)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let _running = simulator::start(simulator::Settings { tls, ..settings }, listener).unwrap();
    let (by_name, by_number) =
        (format!("https://localhost:{port}"), format!("https://127.0.0.1:{port}"));
    for (name, gateway, cert, ca, expected) in [
        ("all right", &by_name, Some("own"), "ca.pem", None),
        ("no certificate", &by_name, None, "ca.pem", Some("")),
        ("another authority's", &by_name, Some("stranger"), "ca.pem", Some("")),
        ("the gateway's authority unknown", &by_name, Some("own"), "other.pem", Some("--ca FILE")),
        ("another name", &by_number, Some("own"), "ca.pem", Some("--ca FILE")),
        ("no such file", &by_name, Some("none"), "ca.pem", Some("none.pem does not exist")),
        ("no certificate in it", &by_name, Some("own"), "own.key", Some("holds no certificates")),
    ] {
        let files = cert.map(|cert| (path(&format!("{cert}.pem")), path(&format!("{cert}.key"))));
        let ca = path(ca);
        let mut line = vec!["metadata", "--ca", ca.as_str()];
        if let Some((certificate, key)) = &files {
            line.extend(["--cert", certificate.as_str(), "--key", key.as_str()]);
        }
        match (try_ask(gateway, &line).await, expected) {
            (Ok(answer), None) => assert!(answer.is_good(), "{name}: {}", answer.status),
            (Err(fault), Some(part)) => {
                assert!(fault.to_string().contains(part), "{name}: {fault}");
            }
            (found, _) => panic!("{name}: {found:?}"),
        }
    }
    let plain = format!("http://localhost:{port}");
    let fault = try_ask(&plain, &["metadata", "--ca", &path("ca.pem")]).await.unwrap_err();
    assert!(matches!(fault, Unsendable::PlainGateway(_)), "{fault}");
}

#[test]
fn an_access_token_is_sent_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token.jwt");
    let planned = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let line = ["metadata", "--access-token", file.to_str().unwrap()];
        Plan::make(&arguments("http://localhost:8080", &line), moment::now())
    };
    let plan = planned("  e30.e30.c2ln\r\n").unwrap();
    assert_eq!(plan.sendable["authorization"], "Bearer e30.e30.c2ln");
    for (name, text) in [("empty", "\n"), ("two", "a b"), ("not ASCII", "\u{e9}")] {
        let fault = planned(text).unwrap_err().to_string();
        assert!(fault.contains("is no token"), "{name}: {fault}");
    }
    let line = ["metadata", "--access-token", "no/such/file"];
    let fault = Plan::make(&arguments("http://localhost:8080", &line), moment::now()).unwrap_err();
    assert!(fault.to_string().starts_with("--access-token no/such/file: "), "{fault}");
}
