//! A public FHIR client library that nobody here wrote works through the gateway as it would with
//! any FHIR server.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use crate::harness::{HOST, Mode, ORGANISATION, World};

/// Runs a command, which must succeed.
pub(crate) async fn run(mut command: Command) -> Output {
    let name = format!("{command:?}");
    let output = spawn_blocking(move || command.output()).await.unwrap();
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}"));
    let said = [&*output.stdout, &*output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{name} ended with {}:\n{said}", output.status);
    output
}

/// The Python that has the library.
pub(crate) async fn python() -> PathBuf {
    // Once for all tests that ask for it at the same time.
    static INSTALLED: OnceCell<PathBuf> = OnceCell::const_new();
    INSTALLED.get_or_init(|| installed("fhir-client")).await.join("bin/python")
}

/// The folder with these Python packages. Installed the first time, which takes an index of packages:
/// where there is none, a test fails rather than leave its promise untested.
pub(crate) async fn installed(packages: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut install = Command::new(tests.join("setup-python.sh"));
    install.arg(packages);
    run(install).await;
    tests.join("../target").join(packages)
}

/// gp-connect 1.
#[tokio::test]
async fn a_public_client_library_reads_books_and_cancels() {
    let python = python().await;
    let world = World::start(|_| {}).await;
    let mut consumer = Command::new(python);
    consumer
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway/fhir_client.py"))
        .arg(format!("http://{}", world.address(Mode::Assist)))
        .args([HOST, "A20047", ORGANISATION]);
    let got: Value = serde_json::from_slice(&run(consumer).await.stdout).unwrap();

    assert_eq!(got["patient"]["resourceType"], "Patient");
    assert_eq!(got["patient"]["identifier"][0]["value"], "9000000009");
    let slots = got["slots"].as_array().unwrap();
    assert!(slots.len() > 1);
    assert_eq!(got["left"].as_array().unwrap(), &slots[1..], "the first one was booked");
    assert_eq!(
        got["booked"]["slot"][0]["reference"],
        format!("Slot/{}", slots[0].as_str().unwrap())
    );
    assert_eq!(got["read"], got["booked"]);
    assert_eq!(got["cancelled"]["status"], "cancelled");
    assert_eq!(got["free_again"], got["slots"]);
    assert_eq!(got["conflict"], "conflict");

    let interactions: Vec<String> = world
        .arrivals()
        .iter()
        .map(|arrival| arrival.headers["ssp-interactionid"].to_str().unwrap().to_owned())
        .map(|urn| urn.rsplit_once("rest:").unwrap().1.to_owned())
        .collect();
    assert_eq!(
        interactions,
        [
            "search:patient-1",
            "read:patient-1",
            "search:slot-1",
            "create:appointment-1",
            "search:slot-1",
            "read:appointment-1",
            "cancel:appointment-1",
            "cancel:appointment-1",
            "search:slot-1",
        ]
    );
}
