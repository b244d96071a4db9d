//! What GP Connect asks of a proxy, rule by rule, and the tests that prove it: docs/conformance.md is
//! made of `tests/conformance/rules.toml` and of the doc comments of the tests, which name the
//! section that they are about ("gp-connect 7.2").

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: a failure is the report")]

use std::{
    collections::BTreeMap,
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use gpconnect::observe::{Rule as Observed, Side};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    section: String,
    rule: String,
    /// How we read it, where there is a choice.
    #[serde(default)]
    decision: String,
    /// Their names; `{file}::{name}` where several have one name.
    #[serde(default)]
    tests: Vec<String>,
    /// What it waits for, when it does not bind this version.
    later: Option<String>,
}

/// A test function, where it stands, and the sections that its doc comment names.
struct Test {
    file: String,
    name: String,
    sections: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rules() -> Vec<Rule> {
    let text = fs::read_to_string(root().join("tests/conformance/rules.toml")).unwrap();
    toml::from_str::<Rules>(&text).unwrap().rule
}

fn tests() -> Vec<Test> {
    let mut files = Vec::new();
    ["src", "tests"].iter().for_each(|folder| sources(&root().join(folder), &mut files));
    files.sort();
    files.iter().flat_map(|file| tests_of(file)).collect()
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The functions of a file that follow a test's attribute, with the doc comment around it.
fn tests_of(path: &Path) -> Vec<Test> {
    let file = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let mut found = Vec::new();
    let (mut comment, mut is_test) = (String::new(), false);
    for line in fs::read_to_string(path).unwrap().lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            comment.push_str(text);
        } else if line == "#[test]" || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            let signature = line.trim_start_matches("async ").strip_prefix("fn ");
            if let Some(signature) = signature.filter(|_| is_test) {
                let name = signature.split('(').next().unwrap().to_owned();
                found.push(Test { file: file.clone(), name, sections: sections(&comment) });
            }
            (comment, is_test) = (String::new(), false);
        }
    }
    found
}

/// `7.2` and `9` of "gp-connect 7.2: one thing. gp-connect 9 and 10: another.", and `10`.
fn sections(comment: &str) -> Vec<String> {
    let list = |text: &str| {
        let is_listed = |word: &&str| {
            *word == "and" || word.starts_with(|letter: char| letter.is_ascii_digit())
        };
        let words = text.split_whitespace().take_while(is_listed);
        let numbers = words.map(|word| word.trim_end_matches([',', ':', '.', ';', ')']));
        numbers.filter(|word| *word != "and").map(str::to_owned).collect::<Vec<_>>()
    };
    comment.split("gp-connect ").skip(1).flat_map(list).collect()
}

/// The test that a rule names.
fn find<'t>(tests: &'t [Test], named: &str) -> Result<&'t Test, String> {
    let (file, name) = named.rsplit_once("::").unwrap_or(("", named));
    let mut found = tests.iter().filter(|test| test.name == name && test.file.contains(file));
    match (found.next(), found.next()) {
        (Some(test), None) => Ok(test),
        (None, _) => Err(format!("there is no test {named}")),
        (Some(_), Some(_)) => Err(format!("several tests are called {named}; name the file too")),
    }
}

#[test]
fn every_rule_that_binds_has_tests_that_name_its_section() {
    let tests = tests();
    let mut faults = Vec::new();
    for Rule { section, rule, tests: named, later, .. } in rules() {
        if named.is_empty() == later.is_none() {
            faults.push(format!("{section} {rule}: write its tests, or what it waits for"));
        }
        for name in named {
            match find(&tests, &name) {
                Ok(test) if test.sections.contains(&section) => {}
                Ok(test) => faults.push(format!(
                    "{}: write \"gp-connect {section}\" in the doc comment of {name}, which proves: {rule}",
                    test.file
                )),
                Err(fault) => faults.push(format!("{section} {rule}: {fault}")),
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_page_is_current() {
    let path = root().join("docs/conformance.md");
    let page = page(&rules(), &tests());
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "renew it with UPDATE_DOCS=1 cargo test --test conformance");
}

fn page(rules: &[Rule], tests: &[Test]) -> String {
    let waiting = rules.iter().filter(|rule| rule.later.is_some()).count();
    let mut page = format!(
        "# What GP Connect asks of a proxy, and what proves it\n\n\
         {} rules of the specification bind this version, each with the tests that prove it; {waiting}\n\
         wait for later ones. The sections are those of our notes on GP Connect 1.2.7, which the code\n\
         cites as \"gp-connect 7.2\".\n\n\
         This page is generated from `tests/conformance/rules.toml` and the tests' doc comments:\n\
         `UPDATE_DOCS=1 cargo test --test conformance`.\n",
        rules.len() - waiting
    );
    let mut by_section = BTreeMap::<Vec<u32>, Vec<&Rule>>::new();
    for rule in rules {
        let numbers = rule.section.split('.').map(|number| number.parse().unwrap()).collect();
        by_section.entry(numbers).or_default().push(rule);
    }
    for (_, rules) in by_section {
        let section = rules.first().map_or("", |rule| &rule.section);
        write!(page, "\n## {section}\n\n| rule | proof |\n| --- | --- |\n").unwrap();
        for rule in rules {
            writeln!(page, "| {} | {} |", text(rule), proof(rule, tests)).unwrap();
        }
    }
    page + &observed()
}

/// The rules that a running gateway counts when others break them.
fn observed() -> String {
    let mut text = String::from(OBSERVED);
    for (side, intro) in [(Side::Practices, OF_ANSWERS), (Side::Consumers, OF_REQUESTS)] {
        text.push_str(intro);
        for rule in Observed::all().filter(|rule| rule.side() == side) {
            let (name, section, looks_at) = (rule.name(), rule.section(), rule.looks_at());
            match rule.mend() {
                Some(mend) => writeln!(text, "| `{name}` | {section} | {looks_at} | {mend} |"),
                None => writeln!(text, "| `{name}` | {section} | {looks_at} |"),
            }
            .unwrap();
        }
    }
    text
}

const OBSERVED: &str = "
## What others break

While it works the gateway counts which of these rules consumers and practices break, by rule and
organisation: `gpconnect-gateway conformance`, `GET /v1/conformance` ([admin.md](admin.md)) and the metric
`conformance_total`. Nothing is changed, refused or delayed by it. An answer from memory is not
counted again, an answer that a proxy on the way made does not count for the practice, and the body
of an error is read only if it is whole and at most 16 KiB.
";

const OF_ANSWERS: &str = "
### Answers of practices

| rule | section | looks at | what their supplier does |
| --- | --- | --- | --- |
";

const OF_REQUESTS: &str = "
### Requests of consumers

A request that is refused for one of these, or that a consumer is let off, counts for the organisation of
the sender, where it is one of the caller's systems. Each refusal says what to mend.

| rule | section | looks at |
| --- | --- | --- |
";

fn text(rule: &Rule) -> String {
    match rule.decision.as_str() {
        "" => rule.rule.clone(),
        decision => format!("{} ({decision})", rule.rule),
    }
}

fn proof(rule: &Rule, tests: &[Test]) -> String {
    if let Some(later) = &rule.later {
        return format!("not in this version: {later}");
    }
    let link = |named: &String| {
        let test = find(tests, named).unwrap_or_else(|fault| panic!("{fault}"));
        format!("[{}](../{})", test.name, test.file)
    };
    rule.tests.iter().map(link).collect::<Vec<_>>().join(", ")
}

#[test]
fn sections_are_found_in_a_comment() {
    for (comment, expected) in [
        ("gp-connect 7.2: one. gp-connect 9 and 10: two", vec!["7.2", "9", "10"]),
        ("gp-connect 3, 4.1, 7.4: all", vec!["3", "4.1", "7.4"]),
        ("the first (gp-connect 8).", vec!["8"]),
        ("gp-connect is a name", vec![]),
    ] {
        assert_eq!(sections(comment), expected, "{comment}");
    }
}
