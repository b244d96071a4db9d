//! The example configuration loads; each broken one under `tests/cases/config` says what its
//! `expected.txt` says. `UPDATE_EXPECTED=1 cargo test` writes those files anew, to be read.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use jiff::civil::{Date, date};

use super::estate::package;
use crate::{
    config::{Document, Environment, Known, Notebook},
    directory::Directory,
    snapshot::{Check, check, load::check_on},
};

const TODAY: Date = date(2026, 11, 25);

#[test]
fn the_example_configuration_loads_as_it_is() {
    let path = package().join("config/gateway.toml");
    let Check { mistakes, warnings, snapshot } = check(&path, &Environment::default());
    assert_eq!(mistakes.to_string(), "");
    assert!(warnings.iter().all(|warning| warning.message.starts_with("INSECURE")), "{warnings}");
    let snapshot = snapshot.unwrap();
    assert_eq!((snapshot.policy.practices().len(), snapshot.policy.consumers().len()), (3, 2));
    assert_eq!(snapshot.sources.len(), 4);
}

/// The folders of all cases.
fn cases() -> Vec<PathBuf> {
    let folders = fs::read_dir(package().join("tests/cases/config")).unwrap();
    let mut folders: Vec<_> = folders.map(|folder| folder.unwrap().path()).collect();
    folders.sort();
    folders
}

/// The variables of a case: `NAME=value`, one a line.
fn environment(folder: &Path) -> Environment {
    let text = fs::read_to_string(folder.join("environment.txt")).unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Environment::new(pairs.map(|(name, value)| (OsString::from(name), OsString::from(value))))
}

/// What there is to say of a case, without the warnings that every one has.
fn findings(folder: &Path) -> String {
    let found = check_on(TODAY, &folder.join("gateway.toml"), &environment(folder));
    let is_special = |message: &str| !message.starts_with("INSECURE");
    let warnings = found.warnings.iter().filter(|warning| is_special(&warning.message));
    let warnings = warnings.map(|warning| format!("warning: {warning}\n")).collect::<String>();
    let folder = format!("{}/", folder.display());
    format!("{}{warnings}", found.mistakes).replace(&folder, "")
}

#[test]
fn every_broken_configuration_says_what_to_do() {
    let cases = cases();
    assert!(cases.len() >= 15, "{cases:?}");
    for folder in cases {
        let found = findings(&folder);
        let expected = folder.join("expected.txt");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        let expected = fs::read_to_string(expected).unwrap();
        assert_eq!(found, expected, "{}", folder.display());
    }
}

#[test]
fn findings_are_the_same_each_time() {
    for folder in cases() {
        assert_eq!(findings(&folder), findings(&folder), "{}", folder.display());
    }
}

/// Reads `text` as gateway.toml and as a directory file.
fn read_as_anything(text: &str) -> (usize, usize) {
    let notebook = Notebook::default();
    let document = Document::parse("gateway.toml", text, &notebook);
    let variables =
        text.lines().map(|line| (OsString::from(format!("GPCG__{line}")), OsString::from(line)));
    let (_, known) =
        crate::config::read(document, &Environment::new(variables), Path::new("."), &notebook);
    let document = Document::parse("directory.toml", text, &notebook);
    let known = Known { whole: true, ..known };
    Directory::read(&[document], true, &known, TODAY, &notebook);
    let (mistakes, warnings) = notebook.into_findings();
    (mistakes.len(), warnings.len())
}

/// Texts that come near a configuration: keys, values and brackets of one in any order.
fn near_texts() -> impl proptest::strategy::Strategy<Value = String> {
    let pieces = [
        "[[organisation]]\n",
        "ods_code = ",
        "\"A20047\"\n",
        "[[provider]]\n",
        "organisation = ",
        "service_roots",
        ".",
        "foundations = ",
        "= ",
        "{ }",
        "[[group]]\n",
        "name = ",
        "\"north\"\n",
        "members = [",
        "\"group:north\"",
        "]\n",
        "[[agreement]]\n",
        "consumers = ",
        "practices = ",
        "capabilities = ",
        "[[enablement]]\n",
        "[[listener]]\n",
        "[listener]\n",
        "address = ",
        "\"127.0.0.1:80\"\n",
        "\"é\"\n",
        "12\n",
        "99999999999999999999\n",
        "true\n",
        "1.5\n",
        "2024-01-01\n",
        "\n",
        "[",
        "\"",
        "'",
        "\\u0000",
        "[limits]\n",
        "headers = ",
        "[timeouts]\n",
        "head = ",
        "\"10s\"\n",
        "LISTENER__0__NAME\n",
        "SERVER__THREADS\n",
        "#",
        ",",
        "\r\n",
    ];
    let piece = proptest::sample::select(pieces.to_vec());
    proptest::strategy::Strategy::prop_map(proptest::collection::vec(piece, 0..40), |pieces| {
        pieces.concat()
    })
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}", near in near_texts()) {
        read_as_anything(&text);
        read_as_anything(&near);
    }
}

#[test]
fn deep_and_wide_texts_do_not_panic() {
    for (name, text) in [
        ("dots", format!("{}a = 1\n", "a.".repeat(50_000))),
        ("brackets", format!("a = {}", "[".repeat(50_000))),
        ("braces", format!("a = {}", "{a=".repeat(50_000))),
        ("groups of groups", nested_groups(20_000, false)),
        ("a long circle", nested_groups(20_000, true)),
        ("a long line", format!("a = \"{}\"\n", "x".repeat(1 << 20))),
    ] {
        let (mistakes, _) = read_as_anything(&text);
        assert!(mistakes > 0, "{name}");
    }
}

fn nested_groups(count: usize, circle: bool) -> String {
    let group = |number: usize| {
        let next = if number + 1 == count { if circle { 0 } else { number } } else { number + 1 };
        format!("[[group]]\nname = \"g{number}\"\nmembers = [\"group:g{next}\"]\n")
    };
    (0..count).map(group).collect()
}
