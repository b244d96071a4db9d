//! A terminator on the same machine, at a Unix socket.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::{Behind, authorities, refuses, trace_id};
use crate::harness::{Connection, DEADLINE, HOST, Mode, World};
use crate::tls::{Pki, quoted};
use gpconnect_gateway::tls::issue::Order;

/// A listener at a socket in a folder of its own.
struct Local {
    behind: Behind,
    path: PathBuf,
    _folder: TempDir,
}

impl Local {
    async fn start(settings: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = TempDir::with_prefix("gpconnect-socket-").unwrap();
        let path = folder.path().join("gateway.sock");
        prepare(&path);
        let pki = Pki::new();
        let listener = format!(
            "[[listener]]\nname = \"local\"\nserver_names = [\"{HOST}\"]\n\n\
             [listener.behind_terminator]\nsocket = {}\n{settings}\n{}",
            quoted(&path),
            authorities(&pki),
        );
        let terminator = pki.gateways.issue(&Order::new("nobody.example")).unwrap();
        let world = World::start(|plan| plan.settings = listener).await;
        Self { behind: Behind { world, pki, terminator }, path, _folder: folder }
    }

    async fn connect(&self) -> Connection {
        Connection::over(UnixStream::connect(&self.path).await.unwrap()).await
    }
}

/// gp-connect 4.3 and 8.
#[tokio::test]
async fn a_terminator_on_this_machine_tells_over_a_socket() {
    let local = Local::start("", |_| {}).await;
    let behind = &local.behind;
    let made = fs::symlink_metadata(&local.path).unwrap();
    assert!(made.file_type().is_socket());
    assert_eq!(made.mode() & 0o777, 0o600);
    assert_eq!(behind.world.gateway.sockets["local"], local.path);
    let mut connection = local.connect().await;
    for mode in Mode::BOTH {
        let call = behind.told(mode, &behind.pki.consumer(mode));
        let trace_id = trace_id(&call);
        let answer = connection.send(call).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.header("Strict-Transport-Security").is_empty());
        let arrivals = behind.world.arrivals();
        assert_eq!(arrivals[0].headers["Ssp-TraceID"], trace_id.as_str());
        let forwarded = arrivals[0].headers["Forwarded"].to_str().unwrap();
        assert!(
            forwarded.contains("for=unknown;") && forwarded.contains("proto=https"),
            "{forwarded}"
        );
        assert!(arrivals[0].headers.get("Client-Cert").is_none());
        let same = |line: &serde_json::Value| line["trace_id"] == trace_id.as_str();
        let line = behind.world.gateway.log.wait_for("its line", same).await;
        assert_eq!(line.get("client"), None, "{line}");
    }
    let call = behind.call(Mode::Transparent);
    refuses(&mut connection, call, "certificate_missing", "is missing", "nobody").await;
    assert_eq!(behind.seen(), [""; 0]);
}

/// Whoever is not to use the socket is turned away before a byte is read, whatever the file's mode.
#[tokio::test]
async fn a_process_of_another_user_is_turned_away() {
    let local = Local::start("socket_uids = [\"4294967294\"]", |_| {}).await;
    let mut stream = UnixStream::connect(&local.path).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok() && answer.is_empty(), "{answer:?}");
    let told = |line: &serde_json::Value| line["fault"] == "terminator_unknown";
    let line = local.behind.world.gateway.log.wait_for("who was there", told).await;
    assert_eq!(line["status"], serde_json::Value::Null, "{line}");
}

/// The socket goes with the gateway; one that a crash left behind is no hindrance.
#[tokio::test]
async fn a_socket_is_replaced_and_removed() {
    let leave = |path: &Path| drop(UnixListener::bind(path).unwrap());
    let mut local = Local::start("", leave).await;
    let call = local.behind.told(Mode::Assist, &local.behind.pki.consumer(Mode::Assist));
    assert_eq!(local.connect().await.send(call).await.status, 200);
    assert_eq!(local.behind.world.gateway.stop().await, Some(0));
    assert!(!local.path.exists());
}

/// A socket in use, or a file, is not taken away from its owner.
#[test]
fn what_is_in_use_stays() {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new();
    let keys = folder.path().join("audit-keys");
    gpconnect_gateway::audit::keys::make(&keys, "test.example/audit").unwrap();
    let path = folder.path().join("gateway.sock");
    let file = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    file("empty.toml", String::new());
    file(
        "gateway.toml",
        format!(
            "[directory]\nfiles = [\"empty.toml\"]\n\n[observe]\naddress = \"127.0.0.1:0\"\n\n\
             [[listener]]\nname = \"local\"\nserver_names = [\"{HOST}\"]\n\n\
             [listener.behind_terminator]\nsocket = {}\n{}\n[[upstream]]\nname = \"a\"\n\
             address = \"127.0.0.1:1\"\ninsecure_plain_http = true\n",
            quoted(&path),
            authorities(&pki)
        ),
    );
    let start = || {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"))
            .args(["serve", "--config"])
            .arg(folder.path().join("gateway.toml"))
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let other = UnixListener::bind(&path).unwrap();
    let told = start();
    assert!(told.contains("listener[0].behind_terminator.socket"), "{told}");
    assert!(told.contains("another program is listening there"), "{told}");
    assert!(path.exists());
    drop(other);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "mine").unwrap();
    let told = start();
    assert!(told.contains("something else at the path"), "{told}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}
