//! `directory check`: the findings of `check`, and how much the directory holds.

use std::{collections::HashSet, path::PathBuf};

use clap::Args;
use gpconnect::policy::{ConsumerIndex, Policy, PracticeIndex};
use serde::Serialize;

use crate::{
    cli::{
        Ended, check,
        output::{Output, Paint, Table, print, print_json},
    },
    snapshot::Snapshot,
};

/// Check the configuration and count what the directory holds.
///
/// The findings are those of "gpconnect-gateway check": what is wrong in one file is often a
/// mistake in another. Practices without a switch or without an agreement are counted apart.
///
/// Exit code: 0 when the configuration can be used, 1 when it has mistakes, 2 when the file can't
/// be opened.
///
/// Example: gpconnect-gateway directory check --config gateway.toml
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The form of the findings.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    let check = match check::load(&arguments.config) {
        Ok(check) => check,
        Err(fault) => return check::unopened(&arguments.config, &fault),
    };
    let ended = check::ended(&check);
    let counts = check.snapshot.as_ref().map(Counts::of);
    match arguments.output {
        Output::Human => {
            let mut text = check::text(&arguments.config, &check, Paint::of_stdout());
            text.extend(counts.map(|counts| counts.table().to_string()));
            print(text.as_bytes(), ended)
        }
        Output::Json => {
            let findings = check::Report::of(&arguments.config, &check);
            print_json(&Counted { findings, counts }, ended)
        }
    }
}

#[derive(Serialize)]
struct Counted<'c> {
    #[serde(flatten)]
    findings: check::Report<'c>,
    counts: Option<Counts>,
}

/// How much the directory holds.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    organisations: usize,
    practices: usize,
    practices_switched_off: usize,
    practices_without_agreement: usize,
    consumer_systems: usize,
    consumer_organisations: usize,
    agreements: usize,
}

impl Counts {
    fn of(snapshot: &Snapshot) -> Self {
        let policy = &snapshot.policy;
        let off = policy.practices().iter().filter(|practice| !practice.enablement.gp_connect);
        let askers = askers(policy);
        let agreed = |practice| {
            askers.iter().filter(|asker| !policy.agreement(**asker, practice).is_empty()).count()
        };
        let indexes = (0..).map(PracticeIndex).take(policy.practices().len());
        let agreements: Vec<_> = indexes.map(agreed).collect();
        Self {
            organisations: snapshot.organisations.len(),
            practices: policy.practices().len(),
            practices_switched_off: off.count(),
            practices_without_agreement: agreements.iter().filter(|count| **count == 0).count(),
            consumer_systems: policy.consumers().len(),
            consumer_organisations: askers.len(),
            agreements: agreements.iter().sum(),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["the directory holds", "count"]);
        for (what, count) in [
            ("organisations", self.organisations),
            ("practices", self.practices),
            ("  with GP Connect switched off", self.practices_switched_off),
            ("  with which nobody has an agreement", self.practices_without_agreement),
            ("consumer systems", self.consumer_systems),
            ("  of so many organisations", self.consumer_organisations),
            ("agreements of one organisation with one practice", self.agreements),
        ] {
            table.row([what, &count.to_string()]);
        }
        table
    }
}

/// One system of each consumer organisation: its systems share its agreements.
fn askers(policy: &Policy) -> Vec<ConsumerIndex> {
    let mut seen = HashSet::new();
    let consumers = (0..).map(ConsumerIndex).zip(policy.consumers());
    let first = consumers.filter(|(_, consumer)| seen.insert(consumer.organisation));
    first.map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_sample_directory_is_counted() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/gateway.toml");
        let check = check::load(&path).unwrap();
        let snapshot = check.snapshot.as_ref().unwrap();
        let counts = Counts::of(snapshot);
        assert_eq!(counts.organisations, snapshot.organisations.len());
        assert_eq!(counts.consumer_organisations, 2);
        assert!(counts.agreements >= counts.practices - counts.practices_without_agreement);
        assert!(counts.table().to_string().contains("consumer systems"));
        let findings = check::Report::of(&path, &check);
        let json = serde_json::to_value(Counted { findings, counts: Some(counts) }).unwrap();
        assert_eq!(
            (&json["usable"], &json["counts"]["consumer_systems"]),
            (&true.into(), &2.into())
        );
    }
}
