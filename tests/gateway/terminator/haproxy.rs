//! A real HAProxy as terminator, with the configuration that `deploy/` shows: consumers speak mutual
//! TLS with it, and it speaks mutual TLS with the gateway.

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};

use gpconnect_gateway::tls::issue::{Issued, Order, self_signed};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio_openssl::SslStream;

use super::{Behind, CERTIFICATE, field, is_refused, trace_id};
use crate::harness::{Connection, Mode};
use crate::tls::{Client, Pki, soon};

/// A running HAProxy; it ends with this handle.
struct Haproxy {
    child: Child,
    /// Where consumers connect to: a socket, for ports are not ours to choose.
    path: PathBuf,
    _folder: TempDir,
}

impl Haproxy {
    async fn start(behind: &Behind) -> Self {
        let folder = TempDir::with_prefix("gpconnect-haproxy-").unwrap();
        let file = |name: &str| folder.path().join(name);
        let pki = &behind.pki;
        both(&file("site.pem"), &pki.gateway());
        both(&file("terminator.pem"), &behind.terminator);
        fs::write(file("gateway-ca.pem"), pki.gateways.certificate.to_pem().unwrap()).unwrap();
        fs::copy(pki.file("authorities.pem"), file("consumers-ca.pem")).unwrap();
        let path = file("consumers.sock");
        let shown = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/haproxy-terminator.cfg");
        let text = fs::read_to_string(shown).unwrap();
        let replaced = [
            ("bind :443 ", format!("bind unix@{} ", path.display())),
            ("192.0.2.10:8443", behind.address().to_string()),
            ("/etc/haproxy/", format!("{}/", folder.path().display())),
            ("maxconn 10000", "maxconn 100".to_owned()),
        ];
        let text = replaced.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{from} in {shown}");
            text.replace(from, to)
        });
        fs::write(file("haproxy.cfg"), text).unwrap();
        let found = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"];
        let found = found.into_iter().find(|path| Path::new(path).exists());
        let child = Command::new(found.unwrap_or("haproxy"))
            .args(["-db", "-f"])
            .arg(file("haproxy.cfg"))
            .stdin(Stdio::null())
            .spawn()
            .expect("deploy/setup tests installs HAProxy");
        let haproxy = Self { child, path, _folder: folder };
        soon("HAProxy listens", async || UnixStream::connect(&haproxy.path).await.is_ok()).await;
        haproxy
    }

    /// A consumer's connection with this certificate.
    async fn connect(&self, pki: &Pki, identity: Option<&Issued>) -> Connection {
        let stream = UnixStream::connect(&self.path).await.unwrap();
        let nowhere = ([0; 4], 0).into();
        let session = Client::new(nowhere, pki, identity).session(|_| {});
        let mut stream = SslStream::new(session, stream).unwrap();
        Pin::new(&mut stream).connect().await.expect("a handshake");
        Connection::over(stream).await
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Certificate and key in one file, as HAProxy wants them.
fn both(path: &Path, issued: &Issued) {
    let certificate = issued.certificate.to_pem().unwrap();
    let key = issued.key.private_key_to_pem_pkcs8().unwrap();
    fs::write(path, [certificate, key].concat()).unwrap();
}

/// gp-connect 8.
#[tokio::test]
async fn haproxy_tells_who_is_calling() {
    let behind = Behind::start().await;
    let haproxy = Haproxy::start(&behind).await;
    let pki = &behind.pki;
    let callers = Mode::BOTH.map(|mode| (mode, pki.consumer(mode)));
    let mut connections = Vec::new();
    for (_, caller) in &callers {
        connections.push(haproxy.connect(pki, Some(caller)).await);
    }
    let mut right = Vec::new();
    // In turns: HAProxy carries both over the connections that it keeps to the gateway.
    for _ in 0..3 {
        for (connection, (mode, _)) in connections.iter_mut().zip(&callers) {
            let call = behind.call(*mode);
            right.push(trace_id(&call));
            let answer = connection.send(call).await;
            assert_eq!(answer.status, 200, "{mode:?}: {answer:?}");
        }
    }
    for (connection, (mode, _)) in connections.iter_mut().zip(callers.iter().rev()) {
        let answer = connection.send(behind.call(*mode)).await;
        is_refused(&answer, "sender_not_caller", mode.asid(), "another's name");
    }
    assert_eq!(behind.seen(), right);
}

/// What a consumer writes there itself is replaced by HAProxy, or refused by the gateway.
/// gp-connect 8.
#[tokio::test]
async fn nobody_forges_a_certificate_through_haproxy() {
    let behind = Behind::start().await;
    let haproxy = Haproxy::start(&behind).await;
    let pki = &behind.pki;
    let [own, other] = Mode::BOTH.map(|mode| pki.consumer(mode));
    let (mode, others) = (Mode::BOTH[0], Mode::BOTH[1]);
    let forged = field(&other.certificate);
    let order = Order::new(&crate::tls::host(mode));
    let stranger = self_signed(&order).unwrap();
    let call = |mode: Mode, name: &str| behind.call(mode).with(name, &forged);
    let good = call(mode, CERTIFICATE);
    let right = trace_id(&good);
    let mut connection = haproxy.connect(pki, Some(&own)).await;
    assert_eq!(connection.send(good).await.status, 200, "it counts for nothing");
    for (name, shown, call, word, text) in [
        ("a forged one", Some(&own), call(others, CERTIFICATE), "sender_not_caller", ""),
        (
            "forged without a certificate",
            None,
            call(others, CERTIFICATE),
            "certificate_missing",
            "",
        ),
        ("none", None, behind.call(mode), "certificate_missing", ""),
        ("self-signed", Some(&stranger), behind.call(mode), "certificate_refused", "self-signed"),
        ("underscored", Some(&own), call(others, "Client_Cert"), "certificate_claimed", ""),
        ("of nginx", Some(&own), call(others, "X-SSL-Client-Cert"), "certificate_claimed", ""),
    ] {
        let answer = haproxy.connect(pki, shown).await.send(call).await;
        is_refused(&answer, word, text, name);
    }
    assert_eq!(behind.seen(), [right]);
}
