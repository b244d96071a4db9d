//! The gateway binary as a child process: starting, signals, memory, end.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::DEADLINE;
use super::log::{Log, says};
use super::plan::make_keys;

/// How often a condition is looked at that can't be waited for.
const LOOK: Duration = Duration::from_millis(10);

/// A gateway at work; it ends with this handle.
pub(crate) struct Gateway {
    pub(crate) log: Log,
    /// Where each listener listens, by its name.
    pub(crate) listeners: HashMap<String, SocketAddr>,
    /// The Unix sockets of the others.
    pub(crate) sockets: HashMap<String, PathBuf>,
    /// Where metrics and health are.
    pub(crate) observe: SocketAddr,
    folder: TempDir,
    child: Child,
}

impl Gateway {
    /// Makes the keys of a journal, runs `serve` with the configuration in the folder, and waits until it takes requests at
    /// that many listeners.
    pub(crate) async fn start(
        folder: TempDir,
        expected: usize,
        environment: &[(String, String)],
    ) -> Self {
        make_keys(folder.path());
        let (child, log) = serve(folder.path(), environment);
        // From here on the process ends with its handle, also when it does not come up.
        let nowhere = SocketAddr::from(([0; 4], 0));
        let (listeners, sockets) = (HashMap::new(), HashMap::new());
        let mut gateway = Self { log, listeners, sockets, observe: nowhere, folder, child };
        gateway.find_addresses(expected).await;
        gateway.heeds_signals().await;
        gateway
    }

    /// Kills it without warning and starts it again.
    pub(crate) async fn kill_and_start_again(&mut self) {
        self.kill();
        self.start_again().await;
    }

    /// Kills it without warning.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, after its end.
    pub(crate) async fn start_again(&mut self) {
        (self.child, self.log) = serve(self.folder.path(), &[]);
        let listeners =
            std::mem::take(&mut self.listeners).len() + std::mem::take(&mut self.sockets).len();
        self.find_addresses(listeners).await;
        self.heeds_signals().await;
    }

    /// How many bytes a file of its may grow to: a journal that wants more finds no room.
    pub(crate) fn limit_files(&self, bytes: u64) {
        let process = self.child.id().try_into().unwrap();
        let limit = Some((bytes, rlimit::INFINITY));
        rlimit::prlimit(process, rlimit::Resource::FSIZE, limit, None).unwrap();
    }

    async fn find_addresses(&mut self, listeners: usize) {
        let observe =
            self.log.wait_for("metrics and health", |line| says(line, "metrics and health"));
        self.observe = observe.await["address"].as_str().unwrap().parse().unwrap();
        for line in self.log.lines().iter().filter(|line| says(line, "taking requests")) {
            let (name, address) = (&line["listener"], line["address"].as_str().unwrap());
            let name = name.as_str().unwrap().to_owned();
            if address.starts_with('/') {
                self.sockets.insert(name, address.into());
            } else {
                self.listeners.insert(name, address.parse().unwrap());
            }
        }
        let found = self.listeners.len() + self.sockets.len();
        assert_eq!(found, listeners, "{:#?}", self.log.lines());
    }

    /// Waits until SIGHUP reloads: before that it would end the process.
    async fn heeds_signals(&self) {
        const HANGUP: u64 = 1;
        let heeds = async {
            loop {
                let caught = u64::from_str_radix(&self.status("SigCgt:"), 16).unwrap();
                if caught & HANGUP != 0 {
                    return;
                }
                sleep(LOOK).await;
            }
        };
        timeout(DEADLINE, heeds).await.expect("the gateway heeds signals");
    }

    /// The folder of its configuration.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Changes a configuration file and has the gateway read it again. Gives back the line that
    /// says what came of it: `configuration reloaded...` or `reload refused...`.
    pub(crate) async fn reload(
        &self,
        file: &str,
        change: impl FnOnce(String) -> String,
    ) -> serde_json::Value {
        let path = self.folder().join(file);
        let before = fs::read_to_string(&path).unwrap();
        let after = change(before.clone());
        assert_ne!(before, after, "{file} was to be changed");
        fs::write(&path, after).unwrap();
        let seen = self.log.lines().len();
        self.signal("HUP");
        let came = |line: &serde_json::Value| {
            says(line, "configuration reloaded") || says(line, "reload refused")
        };
        self.log.wait_behind(seen, "what came of the reload", came).await
    }

    /// Sends it a signal by its short name.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Asks it to stop and waits for its exit code; none when a signal ended it.
    pub(crate) async fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.ended().await
    }

    /// Waits for the end of the process.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let ended = async {
            loop {
                match self.child.try_wait().unwrap() {
                    Some(status) => return status.code(),
                    None => sleep(LOOK).await,
                }
            }
        };
        timeout(DEADLINE, ended).await.expect("the gateway ends")
    }

    /// The most memory it has had, in bytes.
    pub(crate) fn peak_memory(&self) -> usize {
        self.bytes("VmHWM:")
    }

    /// The memory that it has now and that is no file's, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.bytes("RssAnon:")
    }

    /// How long it has worked on processors so far, in hundredths of a second.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // Behind the program's name, which may have blanks.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let times = fields.split(' ').skip(11).take(2);
        times.map(|time| time.parse::<u64>().unwrap()).sum()
    }

    fn bytes(&self, name: &str) -> usize {
        let kilobytes: usize = self.status(name).trim_end_matches(" kB").parse().unwrap();
        kilobytes * 1_024
    }

    /// What the kernel says of the process in the line of that name.
    fn status(&self, name: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} in {status}")).trim().to_owned()
    }
}

/// Runs `serve` with the configuration in a folder.
fn serve(folder: &Path, environment: &[(String, String)]) -> (Child, Log) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"))
        .args(["serve", "--config"])
        .arg(folder.join("gateway.toml"))
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = Log::new();
    log.read(child.stdout.take().unwrap());
    log.read(child.stderr.take().unwrap());
    (child, log)
}

/// Sends a process a signal by its short name.
pub(crate) fn signal(process: u32, name: &str) {
    let order = format!("kill -{name} {process}");
    assert!(Command::new("sh").args(["-c", &order]).status().unwrap().success(), "{order}");
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
