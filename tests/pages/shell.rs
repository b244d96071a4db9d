//! The shell that a document's commands are run in: folder and environment go on from one to the next,
//! as for somebody who pastes them into a terminal.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long a program that stays may take to come up.
const DEADLINE: Duration = Duration::from_secs(180);

/// A terminal, or several: what is started in one stays with it.
pub(crate) struct Shell {
    /// What stands before `bash`, where it is run elsewhere.
    before: Vec<String>,
    /// The folder that it begins in.
    folder: String,
    /// Where it keeps its folder and environment, as seen from inside.
    state: String,
    /// What is written in documents, and what it is here.
    names: Vec<(String, String)>,
    running: Vec<Child>,
}

impl Shell {
    /// One of this machine, in a folder.
    pub(crate) fn new(folder: &Path) -> Self {
        let folder = folder.to_str().unwrap().to_owned();
        let state = format!("{folder}/.shell");
        Self { before: Vec::new(), folder, state, names: Vec::new(), running: Vec::new() }
    }

    /// One of another machine, which `before` enters, in a folder there; it keeps what it knows in `state`.
    pub(crate) fn within(before: Vec<String>, folder: &str, state: &str) -> Self {
        let (folder, state) = (folder.to_owned(), state.to_owned());
        Self { before, folder, state, names: Vec::new(), running: Vec::new() }
    }

    /// What is written as `written` is `here` on this machine.
    pub(crate) fn calls(&mut self, written: &str, here: impl Into<String>) {
        self.names.push((written.to_owned(), here.into()));
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, command: &str) -> Output {
        self.bash(command).stdin(Stdio::null()).output().unwrap()
    }

    /// Starts a command that stays, and waits until it has printed `up`.
    pub(crate) fn start(&mut self, command: &str, up: &str) {
        // Both outputs are one, so that the first words of either are heard.
        let mut bash = self.bash(&format!("exec 2>&1; exec {command}"));
        let mut child = bash.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        self.running.push(child);
        let (tell, told) = mpsc::channel();
        // It reads to the end, so that nobody waits for room in the pipe.
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).for_each(|line| drop(tell.send(line)));
        });
        let mut lines = Vec::new();
        while !lines.iter().any(|line: &String| line.contains(up)) {
            match told.recv_timeout(DEADLINE) {
                Ok(line) => lines.push(line),
                Err(_) => panic!("{command}: no {up:?} in {lines:#?}"),
            }
        }
    }

    fn bash(&self, command: &str) -> Command {
        let Self { state, folder, .. } = self;
        let mut command = command.to_owned();
        self.names.iter().for_each(|(written, here)| command = command.replace(written, here));
        let script = format!(
            "mkdir -p '{state}'; cd '{folder}'\n\
             [ ! -e '{state}/env' ] || . '{state}/env'\n\
             [ ! -e '{state}/folder' ] || cd \"$(cat '{state}/folder')\"\n\
             trap 'code=$?; export -p >{state}/env; pwd >{state}/folder; exit $code' EXIT\n\
             set -o pipefail\n{command}\n"
        );
        let mut words = self.before.iter().map(String::as_str).chain(["bash", "-c", &script]);
        let mut bash = Command::new(words.next().unwrap());
        bash.args(words);
        let programs = Path::new(env!("CARGO_BIN_EXE_gpconnect-gateway")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        bash.env("PATH", format!("{}:{path}:/usr/sbin:/sbin", programs.display()));
        bash
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        for child in &mut self.running {
            // It may have ended already; then there is nothing to kill.
            child.kill().ok();
            child.wait().ok();
        }
    }
}
