//! `audit prove` and `audit check-proof`: that one record is in the journal, without the others.

use std::{fs, path::PathBuf};

use clap::Args;

use super::verifiers;
use crate::{
    audit::{
        Place,
        read::{NotProven, check_proof, prove as prove_place},
    },
    cli::{
        Ended,
        output::{Paint, complain, print},
    },
};

/// Write a proof that one record is in the journal.
///
/// The proof (c2sp.org/tlog-proof) holds the record with its sealed part, the path to the root of
/// its tree, and the signed checkpoint. Whoever has it and the public key needs no other record.
///
/// Exit code: 0 when it is written, 1 when there is none, 2 when the journal can't be read.
///
/// Example: gpconnect-gateway audit prove /var/lib/gpconnect-gateway/audit 3/1204 --key signing.pub
#[derive(Debug, Args)]
pub(crate) struct ProveArguments {
    /// The journal's folder.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The record: its epoch and its number in it.
    #[arg(value_name = "EPOCH/SEQ")]
    place: Place,
    /// The file with the public key that checkpoints are signed by.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// Check a proof that audit prove wrote, and print its record.
///
/// Exit code: 0 when it holds, 1 when it does not, 2 when it can't be read.
///
/// Example: gpconnect-gateway audit check-proof record.tlog-proof --key signing.pub
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The proof.
    #[arg(value_name = "FILE")]
    proof: PathBuf,
    /// The file with the public key that checkpoints are signed by.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

pub(super) fn prove(arguments: &ProveArguments) -> Ended {
    let keys = match verifiers(&arguments.key) {
        Ok(keys) => keys,
        Err(fault) => {
            complain(fault);
            return Ended::Unable;
        }
    };
    match prove_place(&arguments.folder, arguments.place, &keys) {
        Ok(proof) => print(proof.as_bytes(), Ended::Done),
        Err(fault @ NotProven::Unreadable(_)) => {
            complain(format!("{}: {fault}", arguments.folder.display()));
            Ended::Unable
        }
        Err(fault) => {
            complain(format!("{}: {fault}", arguments.place));
            Ended::No
        }
    }
}

pub(super) fn check(arguments: &CheckArguments) -> Ended {
    let name = arguments.proof.display();
    let proof = fs::read_to_string(&arguments.proof).map_err(|fault| format!("{name}: {fault}"));
    let (proof, keys) = match proof.and_then(|proof| Ok((proof, verifiers(&arguments.key)?))) {
        Ok(both) => both,
        Err(fault) => {
            complain(fault);
            return Ended::Unable;
        }
    };
    match check_proof(&proof, &keys) {
        Ok((record, checkpoint)) => {
            let verdict = Paint::of_stderr().good("The record is in the journal");
            let (epoch, size) = (checkpoint.epoch, checkpoint.size);
            complain(format!("{verdict}: epoch {epoch}, checkpoint of {size} records."));
            print(format!("{record}\n").as_bytes(), Ended::Done)
        }
        Err(fault) => {
            complain(format!("{name}: {fault}"));
            Ended::No
        }
    }
}
