//! Dashboards: as their sources make them, as Grafana takes them, and with something to show in every
//! panel while a region is at work.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::{env, fs};

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::shown::for_instance;
use super::traffic::{Traffic, text};
use super::{NAMES, file};
use crate::ports::own_address;

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?} ended with {}:\n{said}", output.status);
    output
}

fn dashboard(name: &str) -> Value {
    serde_json::from_str(&text(&file(&format!("dashboards/{name}.json")))).unwrap()
}

#[test]
fn the_dashboards_are_as_their_sources_make_them() {
    run(Command::new(file("dashboards/make")).arg("--check"));
}

/// Against the types that Grafana publishes for its dashboards.
#[test]
fn grafana_takes_the_dashboards() {
    run(&mut Command::new(file("tests/setup-grafana-schema.sh")));
    let schema = text(&file("target/grafana-schema/dashboard.schema.json"));
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    for name in NAMES {
        let made = dashboard(name);
        let faults: Vec<_> = schema.iter_errors(&made).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{name}: {faults:#?}");
        let mut broken = made.clone();
        broken["panels"][1]["gridPos"]["w"] = "wide".into();
        assert!(!schema.is_valid(&broken), "{name}: a width in words");
    }
}

/// What is to fire where three practices do not answer.
const ALERTS: [&str; 3] =
    ["GpConnectPracticeDown", "GpConnectSupplierDown", "GpConnectPracticeBurnsFast"];

/// Every query of every panel finds something, every rule is evaluated without an error, and every
/// metric that either names exists.
#[tokio::test(flavor = "multi_thread")]
async fn every_panel_shows_something_and_every_rule_is_evaluated() {
    let traffic = Traffic::start().await;
    traffic.round().await;
    let folder = TempDir::with_prefix("gpconnect-prometheus-").unwrap();
    let mut look = Command::new("python3");
    look.arg(file("tests/gateway/dashboards/prometheus.py"))
        .arg(file(""))
        .arg(traffic.world.gateway.observe.to_string())
        .arg(folder.path())
        .arg(own_address().port().to_string())
        .arg(ALERTS.join(","))
        .args(traffic.chosen());
    let mut looking = spawn_blocking(move || run(&mut look));
    let output = loop {
        tokio::select! {
            output = &mut looking => break output.unwrap(),
            () = traffic.round() => {}
        }
    };
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["wrong"], Value::Array(Vec::new()), "{:#}", seen["wrong"]);
    for alert in ALERTS {
        assert!(seen["alerts"].to_string().contains(alert), "{alert}: {}", seen["alerts"]);
    }
    is_described(&seen["panels"]);
}

/// docs/dashboards.md has each panel with what it showed; written anew when `INSTA_UPDATE` is
/// `always`.
fn is_described(shown: &Value) {
    let mut page = String::from(
        "# What the dashboards show\n\n\
         For Grafana 10 or later, in [dashboards](../dashboards): import the JSON files, or provision the folder. Each asks for its\n\
         data sources by variables: Prometheus, and for the links Loki (`logs`) and Tempo (`traces`). `Runbook at` is where you serve\n\
         [runbook.md](runbook.md). The files are made by `dashboards/make` from `dashboards/source`: change them there.\n\n\
         The last column is what the panel showed in a test: a region of eight practices, of which three do not answer, one fails\n\
         and one is slow, two consumers with good and bad requests, and a stranger.\n",
    );
    let now = Timestamp::now().as_second() as f64;
    for name in NAMES {
        let made = dashboard(name);
        let of = |value: &Value| value.as_str().unwrap().to_owned();
        write!(page, "\n## {}\n\n{}\n\n", of(&made["title"]), of(&made["description"])).unwrap();
        page.push_str("| panel | what it says | for instance |\n| --- | --- | --- |\n");
        let panels = made["panels"].as_array().unwrap().iter();
        let panels = panels.filter(|panel| panel["type"] != "row");
        for (panel, seen) in panels.zip(shown[name].as_array().unwrap()) {
            assert_eq!(panel["title"], seen["title"], "{name}");
            let instance = for_instance(panel, &seen["targets"], now);
            let (title, about) = (of(&panel["title"]), of(&panel["description"]));
            writeln!(page, "| {title} | {about} | {instance} |").unwrap();
        }
    }
    let path: PathBuf = file("docs/dashboards.md");
    if env::var("INSTA_UPDATE").is_ok_and(|wish| wish == "always") {
        fs::write(&path, &page).unwrap();
    }
    let without_values = |page: &str| -> Vec<String> {
        page.lines().map(|line| line.rsplitn(2, " | ").last().unwrap().to_owned()).collect()
    };
    assert_eq!(
        without_values(&text(&path)),
        without_values(&page),
        "docs/dashboards.md is not of these dashboards: run this test with INSTA_UPDATE=always"
    );
}
