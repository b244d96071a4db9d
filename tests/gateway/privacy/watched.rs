//! Two gateways that are looked through when they have ended.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use super::numbers::Numbers;
use crate::audit::journal;
use crate::harness::{DEADLINE, Mode, World};
use crate::scripted::Scripted;
use crate::wire::Wire;

/// A world before a scripted provider, and a second gateway of the same configuration whose log is
/// for people.
pub(super) struct Watched {
    pub(super) world: World,
    pub(super) provider: Scripted,
    human: Human,
}

impl Watched {
    pub(super) async fn start() -> Self {
        let provider = Scripted::start().await;
        let upstream = provider.address();
        let world = World::start(|plan| {
            plan.upstream = Some(upstream);
            plan.settings = "[timeouts]\nquery = \"500ms\"\ncommand = \"500ms\"\n\
                             body = \"300ms\"\nhead = \"300ms\"\n"
                .to_owned();
            // Whatever somebody sets to see more.
            for name in ["RUST_LOG", "RUST_BACKTRACE"] {
                plan.environment.push((name.into(), "trace".into()));
            }
        })
        .await;
        let human = Human::start(world.gateway.folder());
        Self { world, provider, human }
    }

    /// Sends it to both and takes whatever comes; the status of the first answer.
    pub(super) async fn send(&self, bytes: impl AsRef<[u8]>) -> u16 {
        let mut status = 0;
        for address in [self.human.address, self.world.address(Mode::Transparent)] {
            let mut wire = Wire::open(address).await;
            wire.write(bytes.as_ref()).await;
            status = wire.finish_soon().await;
        }
        status
    }

    /// Nothing of what was given out is in log or metrics.
    pub(super) async fn shows_nothing_of(mut self, numbers: &Numbers) {
        let metrics = self.world.metrics().await;
        assert_eq!(self.world.gateway.stop().await, Some(0));
        let json = self.world.gateway.log.lines();
        let json: Vec<String> = json.iter().map(ToString::to_string).collect();
        let human = self.human.stop();
        let requests =
            |log: &[String], mark: &str| log.iter().filter(|line| line.contains(mark)).count();
        let logged = (requests(&json, "\"message\":\"request\""), requests(&human, " ms"));
        assert!(logged.0 > 50 && logged.1 > 50, "requests were logged: {logged:?}");
        let journal = records(self.world.gateway.folder());
        assert!(journal.len() > 100_000, "{} bytes of journal", journal.len());
        // A sealed part may hold any few letters.
        assert!(!journal.contains("eyJhbGci"), "a token in the journal");
        assert!(!journal.to_ascii_uppercase().contains("ZEBEDEE"), "a word in the journal");
        for number in &numbers.given {
            assert!(!journal.contains(number), "{number} in the journal");
        }
        for text in json.iter().chain(&human).map(String::as_str).chain(metrics.lines()) {
            assert!(!text.to_ascii_uppercase().contains("ZEBEDEE"), "{text}");
            assert!(!text.contains("eyJ"), "a token in {text}");
            for number in &numbers.given {
                assert!(!text.contains(number), "{number} in {text}");
            }
        }
    }
}

/// All files of the journals that both gateways wrote.
fn records(folder: &Path) -> String {
    let indexed = journal::command(folder, "index", &["--all", "--index", "audit-index"]);
    assert!(indexed.contains("Indexed "), "{indexed}");
    let index = std::fs::read(folder.join("audit-index/index.redb")).unwrap();
    let index = String::from_utf8_lossy(&index);
    let files = std::fs::read_dir(folder.join("audit")).unwrap();
    let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    texts.chain([index.into_owned()]).collect()
}

/// A gateway that logs for people.
struct Human {
    address: SocketAddr,
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Human {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"))
            .args(["serve", "--config"])
            .arg(folder.join("gateway.toml"))
            .env("GPCG__LOG__FORMAT", "human")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in streams {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    sender.send(line).ok();
                }
            });
        }
        let nowhere = SocketAddr::from(([0; 4], 0));
        let mut human = Self { address: nowhere, child, lines, seen: Vec::new() };
        human.find_address();
        human
    }

    /// Reads on until the transparent consumer's listener and the last line of the start have come.
    fn find_address(&mut self) {
        loop {
            let line = self.lines.recv_timeout(DEADLINE).expect("it starts");
            if line.contains("taking requests") && line.contains("transparent") {
                let (_, address) = line.rsplit_once("address=").unwrap();
                self.address = address.trim().parse().unwrap();
            }
            let last = line.contains("metrics and health");
            self.seen.push(line);
            if last {
                return;
            }
        }
    }

    /// Stops it in order, so that its log is whole, and gives that back.
    fn stop(mut self) -> Vec<String> {
        let order = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &order]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        let mut log = std::mem::take(&mut self.seen);
        // The threads that read end with the process, and their senders with them.
        log.extend(self.lines.iter());
        log
    }
}

impl Drop for Human {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
