//! Two gateways that are looked through when they have ended.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use serde_json::{Value, json};

use super::numbers::Numbers;
use crate::admin::office;
use crate::audit::journal;
use crate::harness::{DEADLINE, Mode, World};
use crate::scripted::Scripted;
use crate::tls::soon;
use crate::traces::collector::Collector;
use crate::wire::Wire;

/// What the admin API can be asked.
const ASKED: [&str; 7] = [
    "/v1/status",
    "/v1/practices",
    "/v1/practices/A20047",
    "/v1/directory/A20047",
    "/v1/switches",
    "/v1/switches/preview?practice=A20047",
    "/v1/conformance?most=10000",
];

/// A world before a scripted provider, and a second gateway of the same configuration whose log is
/// for people. Both log all that they can.
pub(super) struct Watched {
    pub(super) world: World,
    pub(super) provider: Scripted,
    /// What takes the spans of both: every request is traced.
    collector: Collector,
    human: Human,
    /// What they said to callers that were refused.
    errors: RefCell<Vec<String>>,
}

impl Watched {
    pub(super) async fn start() -> Self {
        let provider = Scripted::start().await;
        let upstream = provider.address();
        let collector = Collector::start("grpc").await;
        let traces = collector.settings("ratio = \"100%\"");
        let world = World::start(|plan| {
            plan.upstream = Some(upstream);
            plan.settings = traces
                + "[timeouts]\nquery = \"500ms\"\ncommand = \"500ms\"\n\
                   body = \"300ms\"\nhead = \"300ms\"\n";
            // Whatever somebody sets to see more.
            for name in ["RUST_LOG", "RUST_BACKTRACE"] {
                plan.environment.push((name.into(), "trace".into()));
            }
        })
        .await;
        let human = Human::start(world.gateway.folder());
        let watched = Self { world, provider, collector, human, errors: RefCell::default() };
        let all = json!({"target": "gpconnect_gateway", "level": "trace", "reason": "a test"});
        watched.order("PUT", "/v1/log-level", &all, 200).await;
        let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
        let off = json!({
            "off": {"practice": watched.world.practice(2).ods_code.as_str()},
            "reason": "a test", "owner": "a test", "until": until.to_string(),
        });
        let other = office::order("POST", "/v1/switches", &off);
        assert_eq!(office::ask(&watched.world, other).await.status, 201);
        watched
    }

    /// Tells both gateways to do something.
    async fn order(&self, verb: &str, target: &str, body: &Value, expected: u16) {
        let sockets = office::sockets(&self.world);
        assert_eq!(sockets.len(), 2, "of two gateways");
        for socket in sockets {
            let answer = office::send(&socket, office::order(verb, target, body)).await;
            assert_eq!(answer.status, expected, "{answer:?}");
        }
    }

    /// Sends it to both and takes whatever comes; the status of the last answer.
    pub(super) async fn send(&self, bytes: impl AsRef<[u8]>) -> u16 {
        let mut status = 0;
        for address in [self.human.address, self.world.address(Mode::Transparent)] {
            let mut wire = Wire::open(address).await;
            wire.write(bytes.as_ref()).await;
            let reply = wire.finish_soon().await;
            status = reply.status;
            let text = String::from_utf8_lossy(&reply.body);
            // Not those of the provider, which are the consumer's own; nor the one that the
            // specification has repeat the address.
            let is_ours = text.contains("OperationOutcome") && !text.contains("TARGETURL_");
            if status >= 400 && is_ours {
                self.errors.borrow_mut().push(without_asids(&text));
            }
        }
        status
    }

    /// What both say of themselves: metrics, and all that the admin API can be asked.
    async fn told(&self) -> Vec<String> {
        let mut told = vec![self.world.metrics().await];
        for socket in office::sockets(&self.world) {
            for target in ASKED {
                let answer = office::send(&socket, office::call("GET", target)).await;
                assert_eq!(answer.status, 200, "{target}: {answer:?}");
                told.push(answer.text().to_owned());
            }
        }
        told
    }

    /// Nothing of what was given out is in logs, metrics, spans, answers of the admin API, errors, or files.
    pub(super) async fn shows_nothing_of(mut self, numbers: &Numbers) {
        let told = self.told().await;
        assert!(told.iter().any(|text| text.contains("\"trace_id\"")), "broken rules: {told:?}");
        assert_eq!(self.world.gateway.stop().await, Some(0));
        let json = self.world.gateway.log.lines();
        let json: Vec<String> = json.iter().map(ToString::to_string).collect();
        let human = self.human.stop();
        let requests =
            |log: &[String], mark: &str| log.iter().filter(|line| line.contains(mark)).count();
        let logged = (requests(&json, "\"message\":\"request\""), requests(&human, " ms"));
        assert!(logged.0 > 50 && logged.1 > 50, "requests were logged: {logged:?}");
        let is_all = |text: &String| text.contains("\"gpconnect_gateway\":\"trace\"");
        assert_eq!(told.iter().filter(|text| is_all(text)).count(), 2, "both log all: {told:?}");
        let journal = records(&mut self.world).await;
        assert!(journal.len() > 100_000, "{} bytes of journal", journal.len());
        // A sealed part may hold any few letters.
        assert!(!journal.contains("eyJhbGci"), "a token in the journal");
        assert!(!journal.to_ascii_uppercase().contains("ZEBEDEE"), "a word in the journal");
        for number in &numbers.given {
            assert!(!journal.contains(number), "{number} in the journal");
        }
        let errors = self.errors.take();
        assert!(errors.len() > 10, "{} errors", errors.len());
        let spans = [self.collector.text()];
        assert!(spans[0].lines().count() > 100, "spans were taken: {spans:?}");
        let lines = told.iter().chain(&errors).chain(&spans).flat_map(|text| text.lines());
        for text in json.iter().chain(&human).map(String::as_str).chain(lines) {
            assert!(!text.to_ascii_uppercase().contains("ZEBEDEE"), "{text}");
            assert!(!text.contains("eyJ"), "a token in {text}");
            for number in &numbers.given {
                assert!(!text.contains(number), "{number} in {text}");
            }
        }
    }
}

/// The specification has ASIDs, which may look like anything of twelve digits, repeated to who sent
/// them.
fn without_asids(text: &str) -> String {
    ["MESSAGESENDER_", "MESSAGERECEIVER_"].iter().fold(text.to_owned(), |text, before| {
        let mut parts = text.split(before);
        let first = parts.next().unwrap_or_default();
        let rest = parts.map(|part| part.trim_start_matches(|it: char| it.is_ascii_digit()));
        [first].into_iter().chain(rest).collect()
    })
}

/// All files that both gateways wrote, before and after segments are compressed, which the next start
/// does: the journals, their index, switches.
async fn records(world: &mut World) -> String {
    let folder = world.gateway.folder().to_owned();
    let indexed = journal::command(&folder, "index", &["--all", "--index", "audit-index"]);
    assert!(indexed.contains("Indexed "), "{indexed}");
    let plain = texts(&folder.join("audit"));
    world.gateway.start_again().await;
    let is_compressed = |path: &Path| path.extension().is_some_and(|it| it == "zst");
    let compressed = || files(&folder.join("audit")).filter(|path| is_compressed(path)).count();
    soon("both journals are compressed", async || compressed() == 2).await;
    assert_eq!(world.gateway.stop().await, Some(0));
    let state = texts(&folder.join("state"));
    assert!(state.contains("\"a test\""), "switches are on the disk: {state}");
    let other = ["audit", "audit-index"].map(|name| texts(&folder.join(name)));
    [plain, state].into_iter().chain(other).collect()
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file())
}

/// What is in the files of a folder, uncompressed.
fn texts(folder: &Path) -> String {
    let text = |path: PathBuf| {
        let bytes = std::fs::read(&path).unwrap();
        let unpacked = zstd::stream::decode_all(&*bytes).unwrap_or(bytes);
        String::from_utf8_lossy(&unpacked).into_owned()
    };
    files(folder).map(text).collect()
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
