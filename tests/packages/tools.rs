//! Programs of the system, and the gateway under test.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(180);

/// The gateway under test.
pub(crate) const GATEWAY: &str = env!("CARGO_BIN_EXE_gpconnect-gateway");

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A program of the system, those for administrators too.
pub(crate) fn program(name: &str) -> Command {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(name);
    command.env("PATH", path);
    command
}

/// Both outputs.
pub(crate) fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Runs a program to its end, however that is.
pub(crate) fn ended(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|fault| panic!("{command:?}: {fault}; run deploy/setup tests"))
}

/// Runs a program, which must succeed; what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = ended(command);
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, text(&output));
    text(&output)
}

/// Whether this user may mount and change the root folder. If not, the test is left out, and says so.
pub(crate) fn is_root(test: &str) -> bool {
    let root = run(program("id").arg("-u")).trim() == "0";
    if !root {
        // Not through `eprintln`, which tests capture.
        let text = format!("\nLEFT OUT: {test}: needs root\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
    root
}

/// Waits until something holds.
pub(crate) fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < DEADLINE, "{what} within {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A program at work; it ends with this handle.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Sends it a signal by its short name.
    pub(crate) fn signal(&self, name: &str) {
        let order = format!("kill -{name} {}", self.0.id());
        run(program("sh").args(["-c", &order]));
    }

    /// Asks it to stop, which it must do of its own.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let begun = Instant::now();
        loop {
            match self.0.try_wait().unwrap() {
                Some(status) => return assert!(status.success(), "{status}"),
                None => assert!(begun.elapsed() < DEADLINE, "it stops"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Asks a plain HTTP server; status and body, if it answers.
pub(crate) fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
