//! A journal as an investigator reads it: by the commands of the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use gpconnect_gateway::audit::record::SCHEMA;
use serde_json::Value;

/// The records of a journal.
pub(crate) struct Journal {
    pub(crate) records: Vec<Value>,
    verified: (bool, String),
}

/// Runs `audit` on the journal in the folder of a gateway's configuration; gives what it printed.
pub(crate) fn command(folder: &Path, name: &str, arguments: &[&str]) -> String {
    run(folder, name, arguments).1
}

/// Whether the journal in the folder of a gateway's configuration is whole, and what was said of it,
/// given files with checkpoints that had left the machine.
pub(super) fn verify(folder: &Path, foreign: &[PathBuf]) -> (bool, String) {
    let mut arguments = vec!["--key", "audit-keys/signing.pub"];
    for file in foreign {
        arguments.extend(["--checkpoint", file.to_str().unwrap()]);
    }
    let (whole, text, beside) = run(folder, "verify", &arguments);
    (whole, text + &beside)
}

/// The same as [`command`], with whether it worked, and what it said beside.
pub(crate) fn run(folder: &Path, name: &str, arguments: &[&str]) -> (bool, String, String) {
    audit(folder, name, &[&["audit"], arguments].concat())
}

/// Whether `audit check-proof` accepts a proof, given a file of public keys.
pub(super) fn check_proof(folder: &Path, proof: &str, keys: &str) -> bool {
    audit(folder, "check-proof", &[proof, "--key", keys]).0
}

fn audit(folder: &Path, name: &str, arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"))
        .args(["audit", name])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let [text, beside] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    (output.status.success(), text, beside)
}

impl Journal {
    /// Reads all records and verifies them.
    pub(crate) fn read(folder: &Path) -> Self {
        let text = command(folder, "tail", &["-n", "10000000", "-o", "json"]);
        let records = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Self { records, verified: verify(folder, &[]) }
    }

    /// Nothing is wrong with it.
    pub(crate) fn is_whole(&self) {
        assert!(self.verified.0, "{}", self.verified.1);
        self.fits_its_schema();
    }

    /// Each record is as the published schema says, which knows all its members.
    fn fits_its_schema(&self) {
        let text: Value = serde_json::from_str(SCHEMA).unwrap();
        let schema = jsonschema::validator_for(&text).unwrap();
        for record in &self.records {
            for name in record.as_object().unwrap().keys() {
                assert!(text["properties"][name].is_object(), "{name} is unknown: {record}");
            }
            let wrong = schema.iter_errors(record);
            let wrong: Vec<_> = wrong.map(|it| format!("{}: {it}", it.instance_path())).collect();
            assert!(wrong.is_empty(), "{wrong:#?} in {record}");
        }
    }

    /// The records of a kind.
    pub(crate) fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.records.iter().filter(move |record| record["kind"] == kind)
    }

    /// The only record of a kind.
    pub(crate) fn only(&self, kind: &str) -> &Value {
        let all: Vec<_> = self.of(kind).collect();
        assert_eq!(all.len(), 1, "{kind}: {all:#?}");
        all[0]
    }
}
