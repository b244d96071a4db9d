//! Who may tell of callers.

use gpconnect_gateway::tls::issue::{Issued, Order};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Behind, CERTIFICATE, field, listener, refuses, sha256, trace_id};
use crate::exposition::Exposition;
use crate::harness::log::says;
use crate::harness::{DEADLINE, Mode};
use crate::tls::{Client, DAY, now, soon};

/// Only what is pinned may tell of anybody: not the same authority, not the same name, and least of
/// all a consumer that brings its own certificate and its own header.
/// gp-connect 8.
#[tokio::test]
async fn nobody_else_is_believed() {
    let behind = Behind::start().await;
    let pki = &behind.pki;
    let consumer = pki.consumer(Mode::Transparent);
    let twin = pki.gateways.issue(&Order::new("terminator.example")).unwrap();
    let unknown = "none of the terminators";
    let cases: [(&str, Option<&Issued>, &str, &str); 3] = [
        ("no certificate", None, "certificate_missing", "is missing"),
        ("the same name and authority", Some(&twin), "terminator_unknown", unknown),
        ("a consumer", Some(&consumer), "terminator_unknown", unknown),
    ];
    for (name, shown, word, text) in cases {
        for call in [
            behind.told(Mode::Transparent, &consumer),
            behind.call(Mode::Transparent),
            behind.call(Mode::Transparent).with(CERTIFICATE, "broken"),
        ] {
            let client = Client::new(behind.address(), pki, shown);
            refuses(&mut client.connect().await, call, word, text, name).await;
        }
    }
    assert_eq!(behind.seen(), [""; 0]);
    let line = behind.world.gateway.log.wait_for("whose it was", |line| {
        says(line, "client certificate refused") && line["sha256"] == sha256(&twin.certificate)
    });
    assert_eq!(line.await["listener"], "behind");
}

/// Its time counts too.
#[tokio::test]
async fn a_terminator_ends_with_its_certificate() {
    let pki = crate::tls::Pki::new();
    let order = Order { until: now() - 60, from: now() - DAY, ..Order::new("old.example") };
    let old = pki.gateways.issue(&order).unwrap();
    let settings = listener(&pki, &[&old.certificate]);
    let world = crate::harness::World::start(|plan| plan.settings = settings).await;
    let behind = Behind { world, pki, terminator: old };
    let consumer = behind.pki.consumer(Mode::Transparent);
    let call = behind.told(Mode::Transparent, &consumer);
    let word = "terminator_unknown";
    refuses(&mut behind.connect().await, call, word, "has expired", "an old one").await;
    assert_eq!(behind.seen(), [""; 0]);
}

/// A terminator's certificate is replaced without a gap: both are named for a while. Whoever is named
/// no more is refused on the connection that it has.
#[tokio::test]
async fn terminators_are_replaced_by_a_reload() {
    let behind = Behind::start().await;
    let consumer = behind.pki.consumer(Mode::Transparent);
    let next = behind.pki.gateways.issue(&Order::new("terminator.example")).unwrap();
    let [old, new] =
        [&behind.terminator, &next].map(|one| format!("\"{}\"", sha256(&one.certificate)));
    let gateway = &behind.world.gateway;
    let mut first = behind.connect().await;
    let mut right = Vec::new();
    let mut call = || {
        let call = behind.told(Mode::Transparent, &consumer);
        right.push(trace_id(&call));
        call
    };
    assert_eq!(first.send(call()).await.status, 200);
    let both = format!("{old}, {new}");
    let line = gateway.reload("gateway.toml", |text| text.replace(&old, &both)).await;
    assert!(says(&line, "configuration reloaded"), "{line}");
    let mut second = Client::new(behind.address(), &behind.pki, Some(&next)).connect().await;
    assert_eq!(first.send(call()).await.status, 200);
    assert_eq!(second.send(call()).await.status, 200);
    gateway.reload("gateway.toml", |text| text.replace(&both, &new)).await;
    assert_eq!(second.send(call()).await.status, 200);
    let late = behind.told(Mode::Transparent, &consumer);
    refuses(&mut first, late, "terminator_unknown", "none of the terminators", "late").await;
    assert_eq!(behind.seen(), right);
}

/// What speaks no TLS is closed without an answer, and counted as 497.
#[tokio::test]
async fn plain_http_is_closed() {
    let behind = Behind::start().await;
    let consumer = behind.pki.consumer(Mode::Transparent);
    let mut stream = TcpStream::connect(behind.address()).await.unwrap();
    let head = behind.call(Mode::Transparent).with(CERTIFICATE, &field(&consumer.certificate));
    stream.write_all(head.head().as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok() && answer.is_empty(), "{answer:?}");
    let labels = [("fault", "plain_http"), ("status", "497")];
    // The connection may be closed a moment before it is counted.
    soon("it is counted", async || {
        Exposition::of(&behind.world).await.sum("requests_total", &labels) == 1.0
    })
    .await;
    assert_eq!(behind.seen(), [""; 0]);
}
