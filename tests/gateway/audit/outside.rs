//! Checkpoints and proofs, judged by the library that signed notes and checkpoints come from, which
//! nobody here wrote: `golang.org/x/mod/sumdb`, by `tests/gateway/c2sp.go`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use super::journal::{self, Journal};
use super::read;
use crate::harness::World;

/// The only key that it is given.
const KEY: &str = "audit-keys/signing.pub";
/// Where Debian puts the library.
const LIBRARIES: &str = "/usr/share/gocode";
/// The name of the tree of the first epoch.
const ORIGIN: &str = "test.example/audit/1";

/// The program, built, with the public key of a journal.
struct Outsider {
    folder: TempDir,
    key: String,
}

impl Outsider {
    fn new(key: String) -> Self {
        let folder = TempDir::with_prefix("gpconnect-outsider-").unwrap();
        let outsider = Self { folder, key };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway/c2sp.go");
        let built = Command::new("go")
            .args(["build", "-o"])
            .args([outsider.program(), source])
            .env("GO111MODULE", "off")
            .env("GOPATH", LIBRARIES)
            .env("GOCACHE", outsider.folder.path().join("cache"))
            .output()
            .expect("go is there: deploy/setup tests");
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{said}; deploy/setup tests installs what it needs");
        outsider
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("c2sp")
    }

    /// What it prints of a text that it accepts.
    fn accepts(&self, what: &str, text: &str) -> Result<String, String> {
        let mut child = Command::new(self.program())
            .args([&*self.key, what])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let [said, fault] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
        output.status.success().then_some(said.trim().to_owned()).ok_or(fault)
    }
}

/// What our own check says of a proof.
fn is_accepted(folder: &Path, proof: &str) -> bool {
    fs::write(folder.join("record.tlog-proof"), proof).unwrap();
    journal::check_proof(folder, "record.tlog-proof", KEY)
}

/// gp-connect 12.
#[tokio::test]
async fn others_verify_checkpoints_and_proofs() {
    let mut world = World::start(|_| {}).await;
    for _ in 0..4 {
        let answer = world.send(read(&world, &Uuid::new_v4().to_string())).await;
        assert_eq!(answer.status, 200);
    }
    assert_eq!(world.gateway.stop().await, Some(0));
    let folder = world.gateway.folder();
    let outsider = Outsider::new(fs::read_to_string(folder.join(KEY)).unwrap());
    let records = Journal::read(folder).records;
    let text = fs::read_to_string(folder.join("audit/00000001.checkpoints")).unwrap();
    let (notes, torn) = gpconnect_gateway::audit::note::split(&text);
    assert!(!notes.is_empty() && torn.is_empty(), "{text}");
    let mut said = String::new();
    for note in &notes {
        said = outsider.accepts("checkpoint", note).unwrap();
        assert!(said.starts_with(ORIGIN), "{said}");
    }
    assert_eq!(said, format!("{ORIGIN} {}", records.len()), "the last one covers all");

    let mut proof = String::new();
    for record in &records {
        let place = format!("{}/{}", record["epoch"], record["seq"]);
        proof = journal::command(folder, "prove", &[&place, "--key", KEY]);
        let said = outsider.accepts("proof", &proof).unwrap();
        let (origin, proven) = said.split_once(' ').unwrap();
        assert_eq!(origin, ORIGIN);
        assert_eq!(serde_json::from_str::<Value>(proven).unwrap(), *record);
    }
    assert!(is_accepted(folder, &proof));
    every_flip_is_refused(folder, &proof, &outsider);
}

/// Every line of a proof, changed in one place, proves nothing: to others as to us.
fn every_flip_is_refused(folder: &Path, proof: &str, outsider: &Outsider) {
    let lines: Vec<_> = proof.lines().map(str::to_owned).collect();
    assert!(lines.len() > 8, "{proof}");
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        // The begin of a number, a hash or a signature, which stand last in their lines.
        let at = line.rfind(' ').map_or(0, |place| place + 1);
        let letter = if line.get(at..).unwrap().starts_with('A') { "B" } else { "A" };
        let is_number = line.get(at..).unwrap().parse::<u64>().is_ok();
        let mut changed = lines.clone();
        changed[number].replace_range(at..=at, if is_number { "0" } else { letter });
        let changed = changed.join("\n") + "\n";
        assert_ne!(changed, proof);
        assert!(outsider.accepts("proof", &changed).is_err(), "line {number}: {changed}");
        assert!(!is_accepted(folder, &changed), "line {number}: {changed}");
    }
}
