//! `audit`: reads the journal, proves that it is whole, and makes its keys. Nothing here needs a
//! configuration or a running gateway.

mod announce;
mod fhir;
mod forms;
mod index;
mod keys;
mod proof;
mod recorded;
mod search;
mod show;
mod shown;
mod stats;
mod verify;

use std::{fs, path::Path};

use clap::{Args, Subcommand};

use super::Ended;
use crate::audit::note::Verifier;

pub(super) use keys::{findings, mistake};
pub(super) use recorded::{Asked, explain};

/// Read the audit journal, and prove that it is whole.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Keys(keys::Arguments),
    Verify(verify::Arguments),
    Prove(proof::ProveArguments),
    CheckProof(proof::CheckArguments),
    Show(show::ShowArguments),
    Search(Box<search::SearchArguments>),
    Tail(show::TailArguments),
    Index(index::Arguments),
    Stats(stats::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    match &arguments.command {
        Command::Keys(arguments) => keys::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Prove(arguments) => proof::prove(arguments),
        Command::CheckProof(arguments) => proof::check(arguments),
        Command::Show(arguments) => show::show(arguments),
        Command::Search(arguments) => search::search(arguments),
        Command::Tail(arguments) => show::tail(arguments),
        Command::Index(arguments) => index::run(arguments),
        Command::Stats(arguments) => stats::run(arguments),
    }
}

/// The public keys in a file, one a line: the one that signs, and those that did before it.
fn verifiers(path: &Path) -> Result<Vec<Verifier>, String> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|fault| format!("{name}: {fault}"))?;
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Result<Vec<_>, _> = lines.map(Verifier::read).collect();
    match keys {
        Ok(keys) if keys.is_empty() => Err(format!("{name}: holds no public key")),
        Ok(keys) => Ok(keys),
        Err(fault) => Err(format!("{name}: holds a line that is no public key: {fault}")),
    }
}
