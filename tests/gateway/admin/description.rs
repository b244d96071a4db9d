//! Whether the API does what its description says: each answer that a test gets, and those that
//! schemathesis gets, which makes its calls of the description alone.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use gpconnect_gateway::admin;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::callers::{Desk, make};
use super::journal;
use super::office::{ask, call};
use crate::fhir_client::{installed, run};
use crate::harness::{Answer, Call, World};

/// The description.
fn description() -> &'static Value {
    static DESCRIPTION: OnceLock<Value> = OnceLock::new();
    DESCRIPTION.get_or_init(admin::description)
}

/// Whether a path is one of a template.
fn fits(template: &str, path: &str) -> bool {
    let (templates, parts): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    let is_it = |(template, part): (&&str, &&str)| template == part || template.starts_with('{');
    templates.len() == parts.len() && templates.iter().zip(&parts).all(is_it)
}

/// The form of an answer as it is described. Of a call that is none a problem is.
fn form(call: &Call, status: u16) -> Value {
    let path = call.target.split('?').next().unwrap();
    let paths = description()["paths"].as_object().unwrap();
    // A path without braces comes before one with them.
    let found = paths.get(path).or_else(|| {
        paths.iter().find(|(template, _)| fits(template, path)).map(|(_, methods)| methods)
    });
    let operation = found.and_then(|methods| methods.get(call.verb.to_lowercase()));
    let Some(operation) = operation else {
        assert!([401, 403, 404, 405, 421].contains(&status), "{status} of no call: {path}");
        return json!({ "$ref": "#/components/schemas/Problem" });
    };
    let response = &operation["responses"][status.to_string()];
    let kind = if status < 300 { "application/json" } else { "application/problem+json" };
    let schema = &response["content"][kind]["schema"];
    assert!(schema.is_object(), "{status} is not described of {} {path}", call.verb);
    schema.clone()
}

/// An answer is as it is described.
pub(crate) fn holds(call: &Call, answer: &Answer) {
    let mut schema = form(call, answer.status);
    schema["components"] = description()["components"].clone();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let answer = answer.json();
    let wrong: Vec<_> = schema.iter_errors(&answer).map(|it| it.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:#?} in {answer}");
}

/// It is served, and a command prints it.
#[tokio::test]
async fn the_description_is_served_and_printed() {
    let world = World::start(|_| {}).await;
    let served = ask(&world, call("GET", "/v1/openapi.json")).await.json();
    assert_eq!(&served, description());
    let mut command = Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"));
    command.args(["schema", "admin"]);
    let printed: Value = serde_json::from_slice(&run(command).await.stdout).unwrap();
    assert_eq!(&printed, description());
}

/// How many calls schemathesis may make a second. The API takes 200 at once and 20 a second.
const PACE: &str = "22/s";

/// Whatever can be called by the description is answered by it; what is not by it is refused, and
/// nothing that anybody sends is a fault of the gateway.
#[tokio::test]
async fn the_api_is_as_it_is_described() {
    let packages = installed("schemathesis").await;
    let (token, line) = make("schemathesis", "operate,audit");
    let mut desk = Desk::start(&[&line]).await;
    let (folder, tests) =
        (TempDir::new().unwrap(), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"));
    let mut command = Command::new(packages.join("bin/st"));
    command
        .current_dir(folder.path())
        .arg("--config-file")
        .arg(tests.join("schemathesis.toml"))
        .args(["--no-color", "run", &format!("http://{}/v1/openapi.json", desk.address)])
        .args(["-H", "Host: admin.example", "-H", &format!("Authorization: Bearer {token}")])
        .args(["--rate-limit", PACE]);
    let told = String::from_utf8(run(command).await.stdout).unwrap();
    let status = desk.ask(call("GET", "/v1/status"), &token).await;
    holds(&call("GET", "/v1/status"), &status);
    assert_eq!(status.json()["ready"], true, "{told}");
    let journal = journal(&mut desk.world).await;
    let mut called = BTreeSet::new();
    for record in journal.of("admin") {
        assert!(record["status"].as_u64().unwrap_or_default() < 500, "{record}");
        called.insert((record["method"].to_string(), record["path"].to_string()));
    }
    for (path, methods) in description()["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let one = (json!(method.to_uppercase()).to_string(), json!(path).to_string());
            assert!(called.contains(&one), "{method} {path} was not called:\n{told}");
        }
    }
}
