//! docs/explain.md, over the estate and the requests of tests/cases/explain.

use std::fs;

use tempfile::TempDir;

use super::{Page, Shell, repository};

#[test]
fn requests_are_explained_from_files_commands_and_standard_input() {
    let folder = TempDir::with_prefix("gpconnect-explain-").unwrap();
    let put = |from: &str, to: &str| {
        let from = repository("tests/cases/explain").join(from);
        fs::copy(from, folder.path().join(to)).unwrap();
    };
    for file in ["gateway.toml", "practices.toml", "consumers.toml", "agreements.toml"] {
        put(&format!("estate/{file}"), file);
    }
    put("good-ods-form/request.http", "request.http");
    put("pasted-curl/request.http", "copied");
    let mut page = Page::open("docs/explain.md", Shell::new(folder.path()));
    page.runs("gpconnect-gateway explain", &["Would pass."]);
    page.ends("gpconnect-gateway explain --config gateway.toml -H", 1, &["FAIL", "to mend"]);
    let clipboard = "mkdir bin; printf '#!/bin/sh\\ncat copied\\n' >bin/xclip; chmod +x bin/xclip; \
                     export PATH=\"$PWD/bin:$PATH\"";
    assert!(page.shell().run(clipboard).status.success());
    page.ends("xclip -o | gpconnect-gateway explain", 1, &["Refused with 415"]);

    put("token-scope/request.http", "request.http");
    let again =
        "gpconnect-gateway explain --config gateway.toml --at 2026-11-23T08:01:40Z request.http";
    let output = page.shell().run(again);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let shown = page.shows("text", "1 fault to mend");
    assert!(said.ends_with(&shown), "{said}");
    page.end();
}
