//! README.md.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::{Page, Shell, repository};

/// The demo, and what is pasted into a second terminal beside it.
#[test]
fn the_demo_answers_and_refuses() {
    let folder = TempDir::with_prefix("gpconnect-readme-").unwrap();
    let mut page = Page::open("README.md", Shell::new(folder.path()));
    page.leaves_out("make demo");
    page.leaves_out("make test");
    let demo = "gpconnect-gateway demo --practices 20 --port 0 --observe-port 0 --folder .";
    page.shell().start(demo, "Ctrl-C ends it");
    let settings = fs::read_to_string(folder.path().join("gateway.toml")).unwrap();
    let port = settings.split("127.0.0.1:").nth(1).unwrap().split('"').next().unwrap();
    page.shell().calls("localhost:8080", format!("localhost:{port}"));
    page.runs("gpconnect-gateway request", &["200 OK", "\"Bundle\""]);
    page.runs("curl -s", &["OperationOutcome", "Authorization"]);

    page.shows("text", "   consumers ");
    is_understood(&page.shows("text", "gpconnect-gateway serve"));
    for room in page.shows("text", "src/gpconnect/").lines() {
        let room = room.split(' ').next().unwrap();
        assert!(repository(room).is_dir(), "{room}");
    }
    page.end();
}

/// Each command of the list is one.
fn is_understood(list: &str) {
    for line in list.lines() {
        let (usage, _) = line.split_once("  ").unwrap();
        let is_command = |word: &&str| word.starts_with(|letter: char| letter.is_ascii_lowercase());
        let words: Vec<_> = usage.split(' ').skip(1).take_while(is_command).collect();
        let last = words.last().unwrap();
        for one in last.split('|') {
            let mut help = Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"));
            help.args(&words[..words.len() - 1]).args([one, "--help"]);
            let output = help.output().unwrap();
            assert!(output.status.success(), "{line}: {one}");
        }
    }
}
