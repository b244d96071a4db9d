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
use tempfile::TempDir;

use super::{Arguments, explain, load, report::Explained, told, view};
use crate::{
    cli::output::Paint,
    config::Environment,
    snapshot::{Snapshot, check_on},
    tls::issue::{Authority, Order},
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

/// The estate of the cases in a folder of its own: with TLS it needs a key.
struct Estate {
    folder: TempDir,
    plain: Snapshot,
    secure: Snapshot,
}

impl Estate {
    fn new() -> Self {
        let temporary = TempDir::with_prefix("gpconnect-explain-").unwrap();
        for from in ["estate", "certificates"] {
            for file in fs::read_dir(folder().join(from)).unwrap() {
                let path = file.unwrap().path();
                fs::copy(&path, temporary.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        let issued = Authority::root("Gateways").unwrap();
        let issued = issued.issue(&Order::new("gateway.example")).unwrap();
        let file = |name: &str| temporary.path().join(name);
        issued.write(&file("gateway.pem"), &file("gateway.key")).unwrap();
        let snapshot = |name: &str| {
            let found = check_on(TODAY, &file(name), &Environment::default());
            assert_eq!(found.mistakes.to_string(), "");
            found.snapshot.unwrap()
        };
        Self { plain: snapshot("gateway.toml"), secure: snapshot("secure.toml"), folder: temporary }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// The command line of a case; one for a listener with TLS says which.
    fn arguments(&self, case: &Path) -> Arguments {
        let options = fs::read_to_string(case.join("options.txt")).unwrap_or_default();
        let config = if options.contains("--listener") { "secure.toml" } else { "gateway.toml" };
        let mut words = vec!["explain".to_owned(), "--config".to_owned(), self.file(config)];
        words.extend(["--at", AT].map(str::to_owned));
        words.extend(
            options
                .split_whitespace()
                .map(|word| if word.ends_with(".pem") { self.file(word) } else { word.to_owned() }),
        );
        words.push(case.join("request.http").to_str().unwrap().to_owned());
        Only::parse_from(words).arguments
    }

    fn explained(&self, case: &Path) -> (Arguments, Explained) {
        let arguments = self.arguments(case);
        let is_secure = arguments.listener.is_some();
        let snapshot = if is_secure { &self.secure } else { &self.plain };
        let explained = explain(&arguments, snapshot)
            .unwrap_or_else(|fault| panic!("{}: {fault}", case.display()));
        (arguments, explained)
    }

    fn text(&self, case: &Path) -> String {
        let (arguments, explained) = self.explained(case);
        let text = view(&arguments, Paint::NONE).text(&explained);
        let text = text.replace(&format!("{}/", case.display()), "");
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn cases() -> Vec<PathBuf> {
    let folders = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = folders.filter(|path| path.join("request.http").exists()).collect();
    folders.sort();
    folders
}

#[test]
fn every_request_is_told_what_to_mend() {
    let (cases, estate) = (cases(), Estate::new());
    assert!(cases.len() >= 40, "{cases:?}");
    for case in cases {
        let told = estate.text(&case);
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
    let estate = Estate::new();
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap();
        let (_, explained) = estate.explained(&case);
        assert_eq!(explained.would_pass, name.starts_with("good-"), "{name}");
        assert_eq!(explained.fails_handshake, name.ends_with("-in-the-handshake"), "{name}");
        let unanswered = explained.would_pass || explained.fails_handshake;
        assert_eq!(explained.answer.is_none(), unanswered, "{name}");
        assert_eq!(explained.forward.is_some(), explained.would_pass, "{name}");
        let enforced = explained.faults.iter().any(|fault| fault.enforced);
        assert_eq!(enforced, !explained.would_pass, "{name}");
    }
}

#[test]
fn nobody_is_named_unless_asked_for() {
    let people = ["Kaur", "Asha", "u-4471", "555000111222", "ward 7", "/148", "Patient/17"];
    let estate = Estate::new();
    for case in cases() {
        let (arguments, explained) = estate.explained(&case);
        let told = [estate.text(&case), serde_json::to_string(&explained).unwrap()].concat();
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
    let (mut names, estate) = (BTreeSet::new(), Estate::new());
    for case in cases() {
        let (_, explained) = estate.explained(&case);
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
    let told = Estate::new().text(&folder().join("token-scope"));
    let (_, end) = told.split_once("\n1 fault").unwrap();
    assert!(
        page.contains(end),
        "docs/explain.md lacks the end of token-scope/expected.txt:\n{end}"
    );
}

#[test]
fn what_can_not_be_explained_is_told() {
    let case = folder().join("good-ods-form");
    let estate = Estate::new();
    let certificate = format!("--certificate {}", estate.file("epr.pem"));
    let missing = "--listener secure --certificate no/such.pem";
    let none = format!("--listener secure --certificate {}", estate.file("gateway.key"));
    for (name, options, expected) in [
        ("no TLS", &*certificate, "--certificate: listener consumers asks for none"),
        (
            "no TLS to show none in",
            "--no-certificate",
            "--no-certificate: listener consumers asks for none",
        ),
        ("no such certificate", missing, "--certificate: no/such.pem "),
        ("a key for a certificate", &none, "holds no certificates in PEM"),
        ("another listener", "--listener x", "no such listener; it has secure, strict, behind"),
        ("an ASID nobody has", "--as 200000000395", "did you mean 200000000359?"),
        ("an ASID far off", "--as 100000000000", "no consumer of this ASID is registered"),
    ] {
        let request = case.join("request.http");
        let words = ["explain", "--config", "gateway.toml"];
        let words = words.into_iter().chain(options.split(' ')).chain(request.to_str());
        let is_secure = options.contains("--listener");
        let snapshot = if is_secure { &estate.secure } else { &estate.plain };
        let fault = explain(&Only::parse_from(words).arguments, snapshot).unwrap_err();
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
    let estate = Estate::new();
    let url = format!("http://gateway.example{target}");
    let words = ["explain", "--config", "gateway.toml", "-H", "Accept:", url.as_str()];
    let by_options = explain(&Only::parse_from(words).arguments, &estate.plain).unwrap();
    let (_, by_file) = estate.explained(&folder().join("no-headers-at-all"));
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
        let path = folder().join("estate/gateway.toml");
        let snapshot = check_on(TODAY, &path, &Environment::default()).snapshot.unwrap();
        let bytes = format!("{line}\r\n{headers}\r\n{body}");
        let Ok(source) = super::source::of_file("r", bytes.as_bytes()) else { return Ok(()) };
        let arguments = Only::parse_from(["explain", "--config", "c", "r"]).arguments;
        let explained = told(&arguments, &snapshot, &source).unwrap();
        view(&arguments, Paint::NONE).text(&explained);
    }
}
