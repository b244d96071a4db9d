//! Configuration files: any text gives settings or findings, and findings point into the text.

use std::{ffi::OsString, path::Path};

use gpconnect::policy::Policy;
use gpconnect_gateway::{
    config::{self, Document, Environment, Notebook},
    directory::Directory,
};

use super::world::TODAY;

/// What stands between two files of an input.
const CUT: &str = "#---\n";

/// gateway.toml, then `#---`, then a directory file, then `#---` and `NAME=value` lines of the
/// environment: what is wrong is said, and what is right can be used.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let mut parts = text.split(CUT);
    let (gateway, directory) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let variables = parts.next().unwrap_or("").lines().filter_map(|line| line.split_once('='));
    let environment = Environment::new(
        variables.map(|(name, value)| (OsString::from(name), OsString::from(value))),
    );

    let notebook = Notebook::default();
    let document = Document::parse("gateway.toml", gateway, &notebook);
    let (settings, known) = config::read(document, &environment, Path::new("folder"), &notebook);
    let documents = [Document::parse("directory.toml", directory, &notebook)];
    let read = Directory::read(&documents, true, &known, TODAY, &notebook);
    let clean = notebook.is_clean();
    let (mistakes, warnings) = notebook.into_findings();
    assert_eq!(clean, mistakes.is_empty());
    assert!(!clean || settings.is_some(), "nothing is wrong, and there are no settings");

    for finding in mistakes.iter().chain(warnings.iter()) {
        let origin = finding.origin.to_string();
        let lines = match origin.as_str() {
            "gateway.toml" => gateway.lines().count(),
            "directory.toml" => directory.lines().count(),
            _ => 0,
        };
        let line = finding.line.unwrap_or(0) as usize;
        assert!(line <= lines + 1, "{finding}: the file has {lines} lines");
        assert!(!finding.message.is_empty() && finding.to_string().starts_with(&origin));
    }
    if clean {
        let agreements = read.agreements.pairs(&read.organisations);
        let policy = Policy::new(read.practices, read.consumers, agreements, known.carried);
        for practice in policy.practices() {
            assert!(policy.find_practice(practice.ods_code).is_some());
            for (_, endpoint) in practice.endpoints.iter() {
                assert_eq!(endpoint.service_root.ods_code(), practice.ods_code);
            }
        }
        for consumer in policy.consumers() {
            assert!(policy.find_consumer(consumer.asid).is_some());
        }
    }
}
