//! Disks that tests break: file systems of their own, a device that forgets what was not flushed, and
//! system calls that fail. All but the last can only be had by root; a test that can't have one says
//! so on standard error, which shows also when it passes.

pub(crate) mod device;
pub(crate) mod faults;
pub(crate) mod mount;

use std::path::Path;
use std::process::Command;

pub(crate) use device::{Device, Kept};
pub(crate) use faults::{Fault, Faults};
pub(crate) use mount::Mount;

use crate::harness::say;

/// Runs a program of the system; gives back what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let command = format!("{program} {}", arguments.join(" "));
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(arguments).env("PATH", path).output();
    let output = output.map_err(|fault| format!("{command}: {fault}"))?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(text) } else { Err(format!("{command}: {}", text.trim())) }
}

/// Whether there are file systems of a test's own on this machine. If there are none, the test is
/// left out, and says why.
pub(crate) fn can_mount(test: &str) -> bool {
    let missing = missing();
    if let Some(why) = &missing {
        say(&format!("LEFT OUT: {test}: {why}"));
    }
    missing.is_none()
}

/// What is missing for file systems of a test's own.
pub(crate) fn missing() -> Option<String> {
    for needed in ["/dev/fuse", "/dev/loop-control"] {
        if !Path::new(needed).exists() {
            return Some(format!("there is no {needed}"));
        }
    }
    let tried = run("mkfs.ext4", &["-V"]).and_then(|_| Mount::memory("size=64k"));
    tried.err().map(|fault| format!("no file system can be mounted: {fault}"))
}
