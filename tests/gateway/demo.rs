//! The demo ends as it is told to, and leaves no keys behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::harness::process::signal;

/// A demo at work; it ends with this handle.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // It has ended already when all is well.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A demo whose temporary folder is in `folder`, once it takes requests.
fn demo(folder: &TempDir) -> Demo {
    let demo = Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"))
        .args(["demo", "--practices", "3", "--port", "0", "--observe-port", "0"])
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut demo = Demo(demo);
    let output = BufReader::new(demo.0.stdout.as_mut().unwrap());
    let last = output.lines().map(Result::unwrap).find(|line| line.contains("Ctrl-C ends it"));
    assert!(last.is_some(), "it came up");
    demo
}

#[test]
fn no_keys_are_left_behind() {
    for name in ["INT", "TERM", "HUP"] {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = demo(&folder);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{name}: its folder");
        signal(demo.0.id(), name);
        assert!(demo.0.wait().unwrap().success(), "{name}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{name}: left behind");
    }
}
