//! Callers without a good certificate, and what speaks no TLS at all.

use gpconnect_gateway::tls::issue::{Authority, Issued, KeyKind, Order, self_signed};
use openssl::ssl::{SslContextBuilder, SslVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::odd::{self, Odd};
use super::pki::{DAY, Pki, host, now};
use super::{Client, Secure};
use crate::harness::{Connection, DEADLINE, Mode};
use crate::refusals::contract;

/// Every fault, its certificate, and a part of the text that tells of it.
pub(crate) fn faults(pki: &Pki) -> Vec<(&'static str, Option<Issued>, &'static str)> {
    let host = host(Mode::Transparent);
    let order = Order::new(&host);
    let issue = |order: &Order| Some(pki.issue(order));
    let odd = |odd: Odd| Some(odd::issue(&pki.consumers, &host, odd));
    let foreign = Authority::root("Another Root").unwrap();
    let same_name = Authority::root("Consumers").unwrap();
    let between = pki.consumers.below("Between").unwrap();
    let revoked = pki.issue(&order);
    pki.revoke(&[&revoked.certificate]);
    let Issued { certificate, key } = pki.consumer(Mode::Transparent);
    let no_authority = Authority { certificate, key };
    vec![
        ("none", None, "is missing"),
        ("expired", issue(&Order { until: now() - 60, ..order.clone() }), "has expired"),
        ("not yet valid", issue(&Order { from: now() + DAY, ..order.clone() }), "not valid yet"),
        ("revoked", Some(revoked), "revoked"),
        ("a revoked authority", Some(pki.withdrawn.issue(&order).unwrap()), "revoked"),
        ("another authority", Some(foreign.issue(&order).unwrap()), "authority accepted here"),
        ("the same name", Some(same_name.issue(&order).unwrap()), "authority accepted here"),
        ("an authority it lacks", Some(between.issue(&order).unwrap()), "authority accepted here"),
        ("no authority", Some(no_authority.issue(&order).unwrap()), "authority accepted here"),
        ("the gateway's own", Some(pki.gateways.issue(&order).unwrap()), "authority accepted here"),
        ("self-signed", Some(self_signed(&order).unwrap()), "self-signed"),
        ("a weak key", issue(&Order { key: KeyKind::Rsa(1024), ..order.clone() }), "too weak"),
        ("a weak digest", odd(Odd::Digest), "signed too weakly"),
        ("for servers only", odd(Odd::Purpose), "not for this purpose"),
        ("an unknown critical extension", odd(Odd::Extension), "not accepted"),
        ("a wrong signature", odd(Odd::Signature), "signature is wrong"),
    ]
}

/// Each profile with the versions that it speaks.
const PROFILES: [(&str, &[SslVersion]); 2] =
    [("modern", &[SslVersion::TLS1_2, SslVersion::TLS1_3]), ("gp-connect", &[SslVersion::TLS1_2])];

fn speaks(version: SslVersion) -> fn(&mut SslContextBuilder) {
    match version {
        SslVersion::TLS1_3 => |it| super::versions::only(it, SslVersion::TLS1_3),
        _ => |it| super::versions::only(it, SslVersion::TLS1_2),
    }
}

/// gp-connect 8.
#[tokio::test]
async fn a_bad_certificate_is_answered_and_the_connection_closed() {
    for (profile, versions) in PROFILES {
        let secure = Secure::start(&format!("profile = \"{profile}\"")).await;
        let good = secure.pki.consumer(Mode::Transparent);
        let faults = faults(&secure.pki);
        secure.renewed(1.0).await;
        for version in versions {
            for (name, identity, text) in &faults {
                let name = format!("{profile}, {version:?}: {name}");
                let mut client = secure.client(identity.as_ref());
                client.change = speaks(*version);
                is_answered_and_closed(&secure, &client, text, &name).await;
            }
            let mut client = secure.client(Some(&good));
            client.change = speaks(*version);
            let call = secure.call(Mode::Transparent);
            let right = call.header("Ssp-TraceID").unwrap().to_owned();
            assert_eq!(client.send(call).await.status, 200);
            assert_eq!(secure.seen(), [right], "{profile}, {version:?}");
        }
        let times = versions.len() as f64;
        let refused = [("fault", "certificate_refused"), ("status", "495")];
        secure.counts("requests_total", &refused, times * (faults.len() - 1) as f64).await;
        let missing = [("fault", "certificate_missing"), ("status", "496")];
        secure.counts("requests_total", &missing, times).await;
    }
}

async fn is_answered_and_closed(secure: &Secure, client: &Client<'_>, text: &str, name: &str) {
    let is_missing = text == "is missing";
    let word = if is_missing { "certificate_missing" } else { "certificate_refused" };
    let row = contract::of(word);
    let mut connection = client.connect().await;
    let answer = connection.send(secure.call(Mode::Transparent)).await;
    assert_eq!(answer.status, row.status, "{name}: {answer:?}");
    let issue = &answer.json()["issue"][0];
    assert_eq!(issue["code"], row.issue, "{name}");
    assert_eq!(issue["details"]["coding"][0]["code"], "ACCESS_DENIED_SSL", "{name}");
    let diagnostics = issue["diagnostics"].as_str().unwrap();
    assert!(diagnostics.contains(text), "{name}: {diagnostics}");
    assert_eq!(answer.header("Connection"), "close", "{name}");
    assert!(!answer.header("Strict-Transport-Security").is_empty(), "{name}");
    let again = connection.try_send(secure.call(Mode::Transparent)).await;
    assert!(again.is_err(), "{name}: the connection stayed open: {again:?}");
    assert_eq!(secure.seen(), [""; 0], "{name}");
}

/// An authority that the gateway lacks has no list, whoever sends its certificate.
/// gp-connect 8.
#[tokio::test]
async fn an_authority_that_a_caller_brings_is_not_believed() {
    let secure = Secure::start("").await;
    let between = secure.pki.consumers.below("Between").unwrap();
    let issued = between.issue(&Order::new(&host(Mode::Transparent))).unwrap();
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let client = secure.client(Some(&issued));
        let stream = client.try_connect_with(|it| {
            super::versions::only(it, version);
            it.add_extra_chain_cert(between.certificate.clone()).unwrap();
        });
        let mut connection = Connection::over(stream.await.unwrap()).await;
        let answer = connection.send(secure.call(Mode::Transparent)).await;
        assert_eq!(answer.status, 495, "{version:?}: {answer:?}");
        let told = answer.json()["issue"][0]["diagnostics"].as_str().unwrap().to_owned();
        assert!(told.contains("no revocation list of its authority"), "{version:?}: {told}");
    }
    assert_eq!(secure.seen(), [""; 0]);
}

/// gp-connect 8.
#[tokio::test]
async fn a_bad_certificate_can_fail_the_handshake() {
    for (profile, versions) in PROFILES {
        let settings = format!("profile = \"{profile}\"\nrefusal = \"handshake\"");
        let secure = Secure::start(&settings).await;
        let good = secure.pki.consumer(Mode::Transparent);
        let unknown = secure.pki.issue(&Order::new("other.rxx01.example"));
        let faults = faults(&secure.pki);
        secure.renewed(1.0).await;
        for version in versions {
            for (name, identity, _) in &faults {
                let mut client = secure.client(identity.as_ref());
                client.change = speaks(*version);
                let answer = client.try_send(secure.call(Mode::Transparent)).await;
                assert!(answer.is_none(), "{profile}, {version:?}, {name}: {answer:?}");
                assert_eq!(secure.seen(), [""; 0], "{profile}, {version:?}, {name}");
            }
            for (name, identity, status) in [("good", &good, 200), ("unregistered", &unknown, 403)]
            {
                let mut client = secure.client(Some(identity));
                client.change = speaks(*version);
                let call = secure.call(Mode::Transparent);
                let right = call.header("Ssp-TraceID").unwrap().to_owned();
                assert_eq!(client.send(call).await.status, status, "{name}");
                let expected = (status == 200).then_some(right);
                assert_eq!(secure.seen(), Vec::from_iter(expected), "{name}");
            }
        }
        let times = versions.len() as f64;
        let labels = [("listener", "secure"), ("result", "certificate")];
        secure.counts("tls_handshakes_total", &labels, times * faults.len() as f64).await;
        let unanswered = [("fault", "certificate_refused"), ("status", "000")];
        secure.counts("requests_total", &unanswered, times * (faults.len() - 1) as f64).await;
    }
}

/// gp-connect 8.
#[tokio::test]
async fn plain_http_is_closed_and_counted() {
    let secure = Secure::start("").await;
    let mut stream = TcpStream::connect(secure.address()).await.unwrap();
    stream.write_all(&crate::wire::bytes(&secure.call(Mode::Transparent))).await.unwrap();
    let mut read = Vec::new();
    let closed = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut read)).await;
    // A reset is a close as well.
    assert!(closed.is_ok(), "the connection stayed open");
    assert_eq!(read, b"");
    let labels = [("fault", "plain_http"), ("status", "497")];
    secure.counts("requests_total", &labels, 1.0).await;
    assert_eq!(secure.seen(), [""; 0]);
}

#[tokio::test]
async fn a_handshake_has_a_deadline() {
    let settings = "\n[timeouts]\nhandshake = \"200ms\"\n";
    let secure = Secure::start(settings).await;
    let mut silent = TcpStream::connect(secure.address()).await.unwrap();
    let mut stuck = TcpStream::connect(secure.address()).await.unwrap();
    stuck.write_all(&[22, 3, 1, 2, 0]).await.unwrap();
    for (name, stream) in [("nothing sent", &mut silent), ("half a record", &mut stuck)] {
        let mut read = Vec::new();
        let closed = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut read)).await;
        assert!(closed.is_ok(), "{name}: the connection stayed open");
    }
    secure.counts("tls_handshakes_total", &[("result", "late")], 2.0).await;
}

#[tokio::test]
async fn what_is_neither_is_closed() {
    let secure = Secure::start("").await;
    for bytes in [&b"\x00\x01\x02"[..], b"\x16\x03\x01\x00\x05hello", b"\x80\x2e\x01\x00\x02"] {
        let mut stream = TcpStream::connect(secure.address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut read = Vec::new();
        let closed = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut read)).await;
        assert!(closed.is_ok(), "{bytes:?}: the connection stayed open");
    }
    secure.counts("tls_handshakes_total", &[("result", "protocol")], 3.0).await;
}

/// One connection too many is closed before it costs a handshake, and is counted.
#[tokio::test]
async fn an_overload_costs_no_handshake() {
    let secure = Secure::start("\n[limits]\nconnections = 1\n").await;
    let issued = secure.pki.consumer(Mode::Transparent);
    let mut first = secure.client(Some(&issued)).connect().await;
    assert_eq!(first.send(secure.call(Mode::Transparent)).await.status, 200);
    assert!(secure.client(Some(&issued)).try_connect().await.is_err());
    secure.counts("requests_total", &[("fault", "overloaded"), ("status", "000")], 1.0).await;
    secure.counts("tls_handshakes_total", &[("listener", "secure")], 1.0).await;
    assert_eq!(first.send(secure.call(Mode::Transparent)).await.status, 200);
}
