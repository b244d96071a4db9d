//! Requests as data under `tests/cases/explain`: each folder has a `request.http`, sometimes
//! `options.txt`, and what is told of it in `expected.txt`. `UPDATE_EXPECTED=1 cargo test` writes
//! those files anew, to be read.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use clap::Parser;
use jiff::civil::{Date, date};
use serde_json::Value;

use super::{Arguments, explain, load, report::Explained, told, view};
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

#[test]
fn every_good_request_would_pass_and_no_other() {
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap();
        let (_, explained) = explained(&case);
        assert_eq!(explained.would_pass, name.starts_with("good-"), "{name}");
        assert_eq!(explained.answer.is_none(), explained.would_pass, "{name}");
        assert_eq!(explained.forward.is_some(), explained.would_pass, "{name}");
        let enforced = explained.faults.iter().any(|fault| fault.enforced);
        assert_eq!(enforced, !explained.would_pass, "{name}");
    }
}

#[test]
fn nobody_is_named_unless_asked_for() {
    let people = ["Kaur", "Asha", "u-4471", "555000111222", "ward 7", "/148", "Patient/17"];
    for case in cases() {
        let (arguments, explained) = explained(&case);
        let told = [text(&case), serde_json::to_string(&explained).unwrap()].concat();
        assert!(!told.contains("90000000"), "{}: an NHS number", case.display());
        let named = people.iter().any(|person| told.contains(person));
        assert_eq!(named, arguments.show_ids, "{}: {told}", case.display());
    }
}

/// Every name of a member in `value`, lists and objects included.
fn members(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                names.insert(name.clone());
                // The body of an answer is FHIR's.
                if name != "body" {
                    members(value, names);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| members(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_member_of_the_object_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/explain.md");
    let page = fs::read_to_string(path).unwrap();
    let mut names = BTreeSet::new();
    for case in cases() {
        let (_, explained) = explained(&case);
        members(&serde_json::to_value(&explained).unwrap(), &mut names);
    }
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "docs/explain.md lacks `{name}`");
    }
}

#[test]
fn the_page_shows_a_text_that_is_told() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/explain.md");
    let page = fs::read_to_string(path).unwrap();
    let told = text(&folder().join("token-scope"));
    let (_, end) = told.split_once("\n1 fault").unwrap();
    assert!(
        page.contains(end),
        "docs/explain.md lacks the end of token-scope/expected.txt:\n{end}"
    );
}

#[test]
fn what_can_not_be_explained_is_told() {
    let case = folder().join("good-ods-form");
    let estate = estate();
    for (name, options, expected) in [
        ("another listener", "--listener x", "no such listener; it has consumers"),
        ("an ASID nobody has", "--as 200000000395", "did you mean 200000000359?"),
        ("an ASID far off", "--as 100000000000", "no consumer of this ASID is registered"),
    ] {
        let request = case.join("request.http");
        let words = ["explain", "--config", estate.to_str().unwrap()];
        let words = words.into_iter().chain(options.split(' ')).chain(request.to_str());
        let fault = explain(&Only::parse_from(words).arguments, &snapshot()).unwrap_err();
        assert!(fault.contains(expected), "{name}: {fault}");
    }
    let missing = ["explain", "--config", "no/such/gateway.toml", "request.http"];
    let fault = load(&Only::parse_from(missing).arguments).unwrap_err();
    assert!(fault.starts_with("no/such/gateway.toml: "), "{fault}");
    let broken = folder().parent().unwrap().join("config/unknown-keys/gateway.toml");
    let arguments = ["explain", "--config", broken.to_str().unwrap(), "request.http"];
    let fault = load(&Only::parse_from(arguments).arguments).unwrap_err();
    assert!(fault.contains("see gpconnect-gateway check --config"), "{fault}");
}

#[test]
fn options_are_as_good_as_a_file() {
    let file = fs::read_to_string(folder().join("no-headers-at-all/request.http")).unwrap();
    let target = file.split(' ').nth(1).unwrap();
    let estate = estate();
    let url = format!("http://gateway.example{target}");
    let words = ["explain", "--config", estate.to_str().unwrap(), "-H", "Accept:", url.as_str()];
    let by_options = explain(&Only::parse_from(words).arguments, &snapshot()).unwrap();
    let (_, by_file) = explained(&folder().join("no-headers-at-all"));
    let faults =
        |told: &Explained| told.faults.iter().map(|fault| fault.says.clone()).collect::<Vec<_>>();
    assert_eq!(faults(&by_options), faults(&by_file));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_request_panics(
        line in "(GET|PUT|X|) ?[ -~]{0,40} ?(HTTP/1.1)?",
        headers in "([A-Za-z_ -]{0,12}:?[ -~]{0,20}\r?\n){0,6}",
        body in "[ -~\r\n]{0,40}",
    ) {
        let snapshot = snapshot();
        let bytes = format!("{line}\r\n{headers}\r\n{body}");
        let Ok(source) = super::source::of_file("r", bytes.as_bytes()) else { return Ok(()) };
        let arguments = Only::parse_from(["explain", "--config", "c", "r"]).arguments;
        let explained = told(&arguments, &snapshot, &source).unwrap();
        view(&arguments, Paint::NONE).text(&explained);
    }
}
