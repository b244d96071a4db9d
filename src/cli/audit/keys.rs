//! `audit keys`: the keys of a new journal; and what `check` says of those of a configuration.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{
    audit::{
        self,
        keys::{self, KeyFault, Keys},
        note,
    },
    cli::{
        Ended,
        output::{complain, print},
    },
    config::{Audit, Finding, Origin},
};

/// Make the keys of a new journal.
///
/// signing.key signs checkpoints, search.key makes the hashes that records are searched by: both
/// stay with the gateway, readable by it alone. signing.pub is for everybody who is to verify the
/// journal. reader.key opens what is sealed in records: take it off this machine, to those who may
/// read who the patients and users are. recipients.txt names them by their public keys; keys that
/// age-keygen made do as well.
///
/// To change a key while the gateway runs, make a set of the same name in another folder, put the
/// one file in place of the old one, and send SIGHUP. With a new signing.key, add the line of its
/// signing.pub to the file that verifiers use; with a new search.key, keep the old one for searches
/// (--search-key may be repeated).
///
/// Exit code: 0 when they are made, 2 when one is there already or can't be written.
///
/// Example: gpconnect-gateway audit keys --name gateway.example/audit audit-keys
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder for them.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The journal's name in checkpoints: one of its own for each gateway, as in
    /// gateway1.example/audit.
    #[arg(long, value_parser = name)]
    name: String,
}

fn name(text: &str) -> Result<String, String> {
    match note::is_name(text) {
        true => Ok(text.to_owned()),
        false => {
            Err(String::from("expected a name without blanks and \"+\", as in a.example/audit"))
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Ended {
    let folder = arguments.folder.display();
    if let Err(fault) = keys::make(&arguments.folder, &arguments.name) {
        complain(format!("{folder}: {fault}; keys are made in a folder that holds none"));
        return Ended::Unable;
    }
    let text = format!(
        "Made in {folder}: {}.\n\
         Give signing.pub to those who verify the journal.\n\
         Take reader.key off this machine: it opens what is sealed, and is needed for nothing else.\n",
        keys::FILES.join(", "),
    );
    print(text.as_bytes(), Ended::Done)
}

/// What `check` and `serve` say of the journal's settings: mistakes, and warnings.
pub(in crate::cli) fn findings(path: &Path, settings: &Audit) -> (Vec<Finding>, Vec<Finding>) {
    let mistakes = Keys::open(settings).err().unwrap_or_default().into_iter();
    let mistakes = mistakes.chain(audit::faults_of_witnesses(settings));
    let mistakes = mistakes.map(|fault| mistake(path, &fault)).collect();
    let mut warnings = Vec::new();
    if !settings.is_witnessed() {
        warnings.push(finding(
            path,
            "audit.checkpoints",
            String::from(
                "INSECURE: no checkpoint leaves this machine, so whoever owns it can rewrite the \
                 journal unseen; name a folder on another machine's disk, or an \
                 [[audit.witness]], or write log_checkpoints = true if the log leaves it",
            ),
        ));
    }
    (mistakes, warnings)
}

/// What is wrong with a key, as a mistake in the configuration at `path`.
pub(in crate::cli) fn mistake(path: &Path, fault: &KeyFault) -> Finding {
    finding(path, &fault.key, fault.to_string())
}

fn finding(path: &Path, key: &str, message: String) -> Finding {
    let origin = Origin::File(path.display().to_string());
    Finding { origin, line: None, key: Some(key.to_owned()), message }
}
