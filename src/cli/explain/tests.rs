//! Requests as data under `tests/cases/explain`: each folder has a `request.http`, sometimes
//! `options.txt`, and what is told of it in `expected.txt`. `UPDATE_EXPECTED=1 cargo test` writes
//! those files anew, to be read.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Parser;
use jiff::civil::{Date, date};

use super::{Arguments, explain, report::Explained, view};
use crate::{
    cli::output::Paint,
    config::Environment,
    snapshot::{Snapshot, check_on},
};

/// Report-only entries may not lie far ahead.
const TODAY: Date = date(2026, 11, 25);
/// 100 seconds after the tokens were made.
const AT: &str = "2026-11-23T08:01:40Z";

#[derive(Parser)]
struct Only {
    #[command(flatten)]
    arguments: Arguments,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/explain")
}

fn estate() -> PathBuf {
    folder().join("estate/gateway.toml")
}

fn snapshot() -> Snapshot {
    let found = check_on(TODAY, &estate(), &Environment::default());
    assert_eq!(found.mistakes.to_string(), "");
    found.snapshot.unwrap()
}

fn cases() -> Vec<PathBuf> {
    let folders = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = folders.filter(|path| path.join("request.http").exists()).collect();
    folders.sort();
    folders
}

/// The command line of a case.
fn arguments(case: &Path) -> Arguments {
    let options = fs::read_to_string(case.join("options.txt")).unwrap_or_default();
    let (estate, request) = (estate(), case.join("request.http"));
    let words = ["explain", "--config", estate.to_str().unwrap(), "--at", AT];
    let words = words.into_iter().chain(options.split_whitespace());
    Only::parse_from(words.chain(request.to_str())).arguments
}

fn explained(case: &Path) -> (Arguments, Explained) {
    let arguments = arguments(case);
    let explained = explain(&arguments, &snapshot())
        .unwrap_or_else(|fault| panic!("{}: {fault}", case.display()));
    (arguments, explained)
}

fn text(case: &Path) -> String {
    let (arguments, explained) = explained(case);
    let text = view(&arguments, Paint::NONE).text(&explained);
    let text = text.replace(&format!("{}/", case.display()), "");
    text.replace(&format!("{}/estate/", folder().display()), "")
}

#[test]
fn every_request_is_told_what_to_mend() {
    let cases = cases();
    assert!(cases.len() >= 40, "{cases:?}");
    for case in cases {
        let told = text(&case);
        let expected = case.join("expected.txt");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected, &told).unwrap();
        }
        let expected = fs::read_to_string(expected).unwrap_or_default();
        let changed = told.lines().zip(expected.lines()).find(|(now, then)| now != then);
        assert!(
            told == expected,
            "{}: told is\n{}\nexpected was\n{}\n\
             UPDATE_EXPECTED=1 cargo test --lib explain writes the texts anew, to be read",
            case.display(),
            changed.map_or("(another length)", |(now, _)| now),
            changed.map_or("", |(_, then)| then),
        );
    }
}
