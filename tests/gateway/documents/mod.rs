//! Every command of README and docs does what is said of it there, every configuration is one that the
//! gateway takes, and output is what is shown. docs/deployment.md is walked through in tests/packages.

mod admin;
mod audit;
mod consumers;
mod explain;
mod operations;
mod readme;
mod runbook;

use std::fs;
use std::path::{Path, PathBuf};

use crate::pages::{DOCUMENTS, LEFT_OUT, Page, Shell};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Each document that has blocks is walked through by a test.
#[test]
fn no_document_is_passed_over() {
    let docs = fs::read_dir(repository("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut with_blocks = vec!["README.md".to_owned()];
    for path in docs {
        if fs::read_to_string(&path).unwrap().contains("```") {
            let name = path.file_name().unwrap().to_str().unwrap();
            with_blocks.push(format!("docs/{name}"));
        }
    }
    with_blocks.sort_unstable();
    assert_eq!(with_blocks, DOCUMENTS);
}

/// No command reads another's output only in part: the one that writes would end with SIGPIPE whenever it has more
/// to say than the pipe holds, or says it late.
#[test]
fn no_command_leaves_another_unheard() {
    for document in DOCUMENTS {
        for (line, text) in (1..).zip(fs::read_to_string(repository(document)).unwrap().lines()) {
            let early =
                ["| head -", "| grep -q", "| grep -m"].iter().find(|part| text.contains(*part));
            assert_eq!(early, None, "{document}:{line}: {text}");
        }
    }
}

/// What no test runs is as little as can be, and still stands in the documents.
#[test]
fn what_is_left_out_is_there() {
    for (document, begin, _) in LEFT_OUT {
        let text = fs::read_to_string(repository(document)).unwrap();
        assert!(text.lines().any(|line| line.starts_with(begin)), "{document}: {begin}");
    }
}
