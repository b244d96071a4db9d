//! The gateway with a simulated region, Prometheus and Grafana, as compose.yaml puts them together.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::tools::{GATEWAY, Running, ended, get, program, repository, run, text, wait_for};
use crate::ports::own_address;

const FOLDER: &str = "deploy/compose";

/// A YAML file. Debian's Python reads it, by what docker-compose needs too.
fn yaml(path: &Path) -> Value {
    let read = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let output = ended(program("/usr/bin/python3").args(["-c", read]).arg(path));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)))
}

fn file(name: &str) -> std::path::PathBuf {
    repository(FOLDER).join(name)
}

/// docker-compose holds the file against the schema of its kind.
#[test]
fn the_compose_file_is_understood() {
    let said =
        run(program("docker-compose").arg("-f").arg(file("compose.yaml")).args(["config", "-q"]));
    assert_eq!(said, "");
    let folder = TempDir::with_prefix("gpconnect-compose-").unwrap();
    let broken = folder.path().join("compose.yaml");
    let good = fs::read_to_string(file("compose.yaml")).unwrap();
    fs::write(&broken, good.replace("read_only: true", "readonly: true")).unwrap();
    let output = ended(program("docker-compose").arg("-f").arg(&broken).args(["config", "-q"]));
    assert!(!output.status.success(), "it would tell of a mistake");
}

#[test]
fn what_the_compose_file_mounts_is_there() {
    let compose = yaml(&file("compose.yaml"));
    let mut mounted = 0;
    for (name, service) in compose["services"].as_object().unwrap() {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let place = volume.as_str().unwrap().split(':').next().unwrap();
            // What begins otherwise is a volume of the engine; the site is made by prepare.
            if place.starts_with('.') && !place.starts_with("./site/") {
                assert!(file(place).exists(), "{name}: {place}");
                mounted += 1;
            }
        }
        if service["image"] == "gpconnect-gateway" {
            assert_eq!(service["read_only"], true, "{name}");
            assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        }
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
    assert!(mounted > 3);
    let dashboards = &yaml(&file("grafana/dashboards/gpconnect.yaml"))["providers"][0];
    let place = dashboards["options"]["path"].as_str().unwrap();
    let grafana = &compose["services"]["grafana"];
    let mount = format!("../../dashboards:{place}:ro");
    assert!(grafana["volumes"].as_array().unwrap().contains(&Value::from(mount)));
    let home =
        grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as_str().unwrap();
    let home = home.strip_prefix(&format!("{place}/")).unwrap();
    assert!(repository("dashboards").join(home).is_file(), "{home}");
    let source = &yaml(&file("grafana/datasources/prometheus.yaml"))["datasources"][0];
    assert_eq!(
        (&source["url"], &source["isDefault"]),
        (&"http://prometheus:9090".into(), &true.into())
    );
}

/// Spans go from the gateway to the collector, and from there to where Grafana looks.
#[test]
fn the_collector_is_where_the_gateway_sends_spans() {
    let settings = fs::read_to_string(file("config/gateway.toml")).unwrap();
    let compose = yaml(&file("compose.yaml"));
    let collector = yaml(&file("collector.yaml"));
    let taken = collector["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].as_str().unwrap();
    let port = taken.rsplit_once(':').unwrap().1;
    assert!(settings.contains(&format!("endpoint = \"http://collector:{port}\"")), "{settings}");
    let traces = &collector["service"]["pipelines"]["traces"];
    for kind in ["receivers", "processors", "exporters"] {
        for part in traces[kind].as_array().unwrap() {
            assert!(collector[kind][part.as_str().unwrap()].is_object(), "{kind}: {part}");
        }
    }
    let onward = collector["exporters"]["otlp/tempo"]["endpoint"].as_str().unwrap();
    let source = &yaml(&file("grafana/datasources/tempo.yaml"))["datasources"][0];
    let looked_at = source["url"].as_str().unwrap().strip_prefix("http://").unwrap();
    for address in ["collector:", onward, looked_at] {
        let service = address.split(':').next().unwrap();
        assert!(compose["services"][service]["image"].is_string(), "{service}");
    }
}

/// The files for Prometheus, with `target` in the place of the gateway's.
fn prometheus(folder: &Path, target: SocketAddr) {
    let settings = fs::read_to_string(file("prometheus.yml")).unwrap();
    assert!(settings.contains("gateway:9090"));
    let settings = settings.replace("gateway:9090", &target.to_string()).replace("15s", "1s");
    fs::write(folder.join("prometheus.yml"), settings).unwrap();
    std::os::unix::fs::symlink(repository("dashboards/prometheus"), folder.join("rules")).unwrap();
}

/// What prepare makes is a gateway that a consumer gets answers from, by mutual TLS, and Prometheus finds
/// what the first dashboard asks for.
#[test]
fn what_is_prepared_answers_and_is_seen() {
    let folder = TempDir::with_prefix("gpconnect-compose-").unwrap();
    let site = folder.path().join("site");
    run(program(file("prepare").to_str().unwrap()).arg(GATEWAY).arg(&site));
    let again = run(program(file("prepare").to_str().unwrap()).arg(GATEWAY).arg(&site));
    assert!(again.contains("is there already"), "{again}");

    let [simulated, listener, observe, seen] = [(); 4].map(|()| own_address());
    let start = |command: &mut Command| {
        Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };
    let listen = simulated.to_string();
    let _simulator =
        start(program(GATEWAY).args(["simulate", "--listen", &listen, "--practices", "100"]));
    let state = folder.path().join("state");
    let below = |path: &Path, name: &str| path.join(name).to_str().unwrap().to_owned();
    let mut serve = program(GATEWAY);
    serve.args(["serve", "--config"]).arg(site.join("config/gateway.toml")).envs([
        ("CREDENTIALS_DIRECTORY", below(&site, "keys")),
        ("GPCG__AUDIT__DIRECTORY", below(&state, "audit")),
        ("GPCG__ADMIN__STATE", below(&state, "state")),
        ("GPCG__LISTENER__0__ADDRESS", listener.to_string()),
        ("GPCG__LISTENER__0__SERVER_NAMES", format!("localhost:{}", listener.port())),
        ("GPCG__OBSERVE__ADDRESS", observe.to_string()),
        ("GPCG__UPSTREAM__0__ADDRESS", simulated.to_string()),
        ("GPCG__SERVER__NOTICE", "0s".to_owned()),
    ]);
    let gateway = start(&mut serve);
    wait_for("readiness", || get(observe, "/readyz").is_some_and(|(status, _)| status == 200));

    prometheus(folder.path(), observe);
    run(program("promtool").args(["check", "config"]).arg(folder.path().join("prometheus.yml")));
    let mut watch = program("prometheus");
    watch.arg(format!("--config.file={}", below(folder.path(), "prometheus.yml")));
    watch.arg(format!("--storage.tsdb.path={}", below(folder.path(), "data")));
    let _prometheus = start(watch.arg(format!("--web.listen-address={seen}")));
    let good = "sum(gpconnect_gateway_practice_requests_total{result=\"good\"})";
    let value = |query| number(ask(seen, query)?.first()?);
    wait_for("the first scrape", || value(good) == Some(0.0));

    let mut consumer = program(GATEWAY);
    consumer.args(["request", "find-patient", "--practice", "A20047"]);
    consumer.args(["--nhs-number", "9000000009", "--gateway"]);
    consumer.arg(format!("https://localhost:{}", listener.port()));
    for (option, name) in
        [("--cert", "consumer.pem"), ("--key", "consumer.key"), ("--ca", "authority.pem")]
    {
        consumer.arg(option).arg(site.join(name));
    }
    let answer = run(&mut consumer);
    assert!(answer.contains("200 OK") && answer.contains("\"Bundle\""), "{answer}");
    wait_for("the request in Prometheus", || value(good) == Some(1.0));
    for panel in ["Gateways", "Requests a second", "Journal", "Requests by result"] {
        let query = query_of(panel);
        wait_for(panel, || ask(seen, &query).is_some_and(|found| !found.is_empty()));
    }
    assert_eq!(value(&query_of("Gateways")), Some(1.0));
    gateway.stop();
}

/// What a panel of the first dashboard asks for.
fn query_of(panel: &str) -> String {
    let text = fs::read_to_string(repository("dashboards/overview.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let panel = panels.iter().find(|it| it["title"] == panel).unwrap_or_else(|| panic!("{panel}"));
    panel["targets"][0]["expr"].as_str().unwrap().replace("$__rate_interval", "1m")
}

/// The series that Prometheus finds, if it answers.
fn ask(prometheus: SocketAddr, query: &str) -> Option<Vec<Value>> {
    let query: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let (_, body) = get(prometheus, &format!("/api/v1/query?query={query}"))?;
    // The body may come in chunks.
    let body = body.get(body.find('{')?..=body.rfind('}')?)?;
    let answer: Value = serde_json::from_str(body).ok()?;
    answer["data"]["result"].as_array().cloned()
}

fn number(series: &Value) -> Option<f64> {
    series["value"][1].as_str()?.parse().ok()
}
