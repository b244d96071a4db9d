//! Checkpoints that leave the machine by HTTP POST: a witness that answers as it is told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use gpconnect_gateway::audit::checkpoint::Checkpoint;
use gpconnect_gateway::audit::note::Verifier;
use gpconnect_gateway::tls::issue::{Authority, Order, replace};
use openssl::ssl::{Ssl, SslContext};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_openssl::SslStream;
use uuid::Uuid;

use super::{Prompt, journal, read};
use crate::exposition::Exposition;
use crate::harness::log::says;
use crate::harness::{DEADLINE, World};
use crate::tls::{quoted, soon};

/// In place of a status: it says nothing, for ever.
const SILENT: u16 = 0;

/// What a witness was sent.
struct Sent {
    head: String,
    note: String,
}

/// A witness that wants a certificate.
struct Witness {
    address: SocketAddr,
    files: TempDir,
    status: Arc<AtomicU16>,
    sent: Arc<Mutex<Vec<Sent>>>,
    _tasks: JoinSet<()>,
}

impl Witness {
    async fn start() -> Self {
        let authority = Authority::root("Witness").unwrap();
        let context = authority.issue(&Order::new("localhost")).unwrap();
        let context = context.server(&authority).unwrap().build();
        let files = TempDir::with_prefix("gpconnect-witness-").unwrap();
        let file = |name: &str| files.path().join(name);
        replace(&file("ca.pem"), &authority.certificate.to_pem().unwrap()).unwrap();
        let own = authority.issue(&Order::new("gateway.example")).unwrap();
        own.write(&file("own.pem"), &file("own.key")).unwrap();
        replace(&file("token"), b"abc.DEF-123\n").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (status, sent) = (Arc::new(AtomicU16::new(201)), Arc::<Mutex<Vec<Sent>>>::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(take_all(listener, context, Arc::clone(&status), Arc::clone(&sent)));
        Self { address, files, status, sent, _tasks: tasks }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn settings(&self) -> String {
        let file = |name: &str| quoted(&self.file(name));
        format!(
            "[[audit.witness]]\nname = \"region\"\nurl = \"https://localhost:{}/of/gateway1\"\n\
             authorities = {}\ncertificate = {}\nkey = {}\ntoken_file = {}\n",
            self.address.port(),
            file("ca.pem"),
            file("own.pem"),
            file("own.key"),
            file("token"),
        )
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn sent(&self) -> usize {
        self.sent.lock().unwrap().len()
    }
}

async fn take_all(
    listener: TcpListener,
    context: SslContext,
    status: Arc<AtomicU16>,
    sent: Arc<Mutex<Vec<Sent>>>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = SslStream::new(Ssl::new(&context).unwrap(), stream).unwrap();
        let (status, sent) = (Arc::clone(&status), Arc::clone(&sent));
        connections.spawn(async move {
            if std::pin::Pin::new(&mut stream).accept().await.is_err() {
                return;
            }
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let length = head.split_once("content-length: ").unwrap().1;
            let mut note = vec![0; length.split_once("\r\n").unwrap().0.parse().unwrap()];
            stream.read_exact(&mut note).await.unwrap();
            sent.lock().unwrap().push(Sent { head, note: String::from_utf8(note).unwrap() });
            let status = match status.load(Ordering::SeqCst) {
                SILENT => std::future::pending().await,
                status => status,
            };
            let location = "Location: https://localhost/elsewhere\r\n";
            let answer = format!("HTTP/1.1 {status} X\r\n{location}Content-Length: 0\r\n\r\n");
            // The other end may have gone.
            stream.write_all(answer.as_bytes()).await.unwrap_or_default();
        });
    }
}

async fn metric(world: &World, name: &str) -> f64 {
    Exposition::read(&world.metrics().await).sum(name, &[])
}

async fn unpublished(world: &World) -> f64 {
    let page = Exposition::read(&world.metrics().await);
    page.sum("audit_unpublished_total", &[("place", "witness.region")])
}

/// What is sent is a checkpoint, with the proofs of who sends it, and the last of them covers all.
#[tokio::test]
async fn checkpoints_are_sent_to_a_witness() {
    let witness = Witness::start().await;
    let mut world = World::start(|plan| plan.settings = witness.settings()).await;
    let trace_id = Uuid::new_v4().to_string();
    assert_eq!(world.send(read(&world, &trace_id)).await.status, 200);
    soon("a checkpoint arrives", async || witness.sent() > 0).await;
    assert_eq!(world.gateway.stop().await, Some(0));
    let folder = world.gateway.folder();
    let key = std::fs::read_to_string(folder.join("audit-keys/signing.pub")).unwrap();
    let keys = [Verifier::read(&key).unwrap()];
    let sent = witness.sent.lock().unwrap();
    for Sent { head, note } in &*sent {
        assert!(head.starts_with("post /of/gateway1 http/1.1\r\n"), "{head}");
        for header in [
            "content-type: text/plain; charset=utf-8\r\n",
            "authorization: bearer abc.def-123\r\n",
            &format!("host: localhost:{}\r\n", witness.address.port()),
        ] {
            assert!(head.contains(header), "{header} in {head}");
        }
        Checkpoint::open(note, &keys).unwrap();
    }
    let held = witness.file("held");
    std::fs::write(&held, &sent.last().unwrap().note).unwrap();
    let held = held.to_str().unwrap();
    let verify = ["--key", "audit-keys/signing.pub", "--checkpoint", held];
    let told = journal::command(folder, "verify", &verify);
    let records = told.split_once("Records: ").unwrap().1.split_once(" in").unwrap().0;
    assert!(told.contains("The journal is whole"), "{told}");
    assert!(told.contains(&format!("{records} covered")), "{told}");
}

/// A witness that says no delays nothing, is told of once, and gets the latest when it says yes.
#[tokio::test]
async fn a_witness_that_fails_holds_nothing_up() {
    let witness = Witness::start().await;
    let world = World::start(|plan| plan.settings = witness.settings()).await;
    soon("the first is held", async || metric(&world, "audit_unwitnessed_seconds").await == 0.0)
        .await;
    // A redirect is a failure like another: the checkpoint is for whom the settings name.
    witness.answers(307);
    let mut prompt = Prompt::default();
    soon("it is unwitnessed for a while, and tried again", async || {
        let begun = Instant::now();
        let answer = world.send(read(&world, &Uuid::new_v4().to_string())).await;
        assert_eq!(answer.status, 200);
        prompt.took(begun.elapsed());
        metric(&world, "audit_unwitnessed_seconds").await >= 1.0 && unpublished(&world).await >= 2.0
    })
    .await;
    prompt.is_within_a_second();
    let told = |line: &serde_json::Value| says(line, "audit checkpoints don't reach this place");
    world.gateway.log.wait_for("it is told", told).await;
    let lines = world.gateway.log.lines();
    let told: Vec<_> = lines.iter().filter(|line| told(line)).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    let (place, fault) = (&told[0]["place"], told[0]["fault"].as_str().unwrap());
    assert_eq!(place, "witness.region");
    assert!(fault.contains("answered 307") && fault.contains("expected 2xx"), "{fault}");
    witness.answers(204);
    soon("it is witnessed again", async || {
        metric(&world, "audit_unwitnessed_seconds").await == 0.0
    })
    .await;
    world
        .gateway
        .log
        .wait_for("it is told", |line| says(line, "audit checkpoints reach this place again"))
        .await;
}

/// A stop waits for a silent witness only so long.
#[tokio::test]
async fn a_silent_witness_holds_no_stop_up() {
    let witness = Witness::start().await;
    witness.answers(SILENT);
    let mut world = World::start(|plan| plan.settings = witness.settings()).await;
    soon("one is sent", async || witness.sent() > 0).await;
    let begun = Instant::now();
    assert_eq!(world.gateway.stop().await, Some(0));
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
}

/// What is wrong with the files of a witness, or with what is written of it, is a mistake.
#[tokio::test]
async fn the_files_of_a_witness_are_checked() {
    let witness = Witness::start().await;
    let folder = TempDir::with_prefix("gpconnect-test-").unwrap();
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/config");
    let files = std::fs::read_dir(config).unwrap().map(|file| file.unwrap());
    for file in files.filter(|file| file.path().is_file()) {
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    let keys = folder.path().join("audit-keys");
    gpconnect_gateway::audit::keys::make(&keys, "test.example/audit").unwrap();
    let main = folder.path().join("gateway.toml");
    let plain = std::fs::read_to_string(&main).unwrap();
    let check = |settings: &str| {
        std::fs::write(&main, format!("{plain}\n{settings}")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"));
        let output = command.args(["check", "--config"]).arg(&main).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let good = witness.settings();
    let (code, said) = check(&good);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("no checkpoint leaves this machine"), "{said}");
    let no_key =
        |line: &str| good.lines().filter(|it| !it.starts_with(line)).collect::<Vec<_>>().join("\n");
    for (name, settings, expected) in [
        ("no such file", good.replace("/token\"", "/none\""), "audit.witness[0].token_file: "),
        ("not a token", good.replace("/token\"", "/own.pem\""), "holds no bearer token"),
        ("not a key", good.replace("/own.key\"", "/token\""), "audit.witness[0].key: "),
        ("no authority", good.replace("/ca.pem\"", "/token\""), "audit.witness[0].authorities: "),
        ("a certificate alone", no_key("key"), "stands without key"),
        ("plain http", good.replace("https:", "http:"), "is for https; leave it out"),
        (
            "plain http elsewhere",
            good.replace("https://localhost", "http://witness.example"),
            "expected an https address",
        ),
        ("one name twice", format!("{good}{good}"), "give each witness a name of its own"),
    ] {
        let (code, said) = check(&settings);
        assert!(code == Some(1) && said.contains(expected), "{name}: {code:?} {said}");
    }
}
