//! What can be wrong with the two fields, and with headers that look like them.

use super::{Behind, CERTIFICATE, CHAIN, bytes, chain, field, is_refused, refuses, trace_id};
use crate::harness::Mode;

const UNREADABLE: &str = "certificate_unreadable";

/// RFC 9440, 2.1: a certificate stands as base64 between colons.
#[tokio::test]
async fn a_certificate_has_one_form() {
    let behind = Behind::start().await;
    let good = behind.pki.consumer(Mode::Transparent);
    let plain = field(&good.certificate);
    let base64 = plain.trim_matches(':');
    let der = good.certificate.to_der().unwrap();
    for (name, value, word, text) in [
        ("nothing", String::new(), UNREADABLE, "between colons"),
        ("no bytes", "::".into(), UNREADABLE, "empty"),
        ("no colons", base64.into(), UNREADABLE, "between colons"),
        ("PEM", format!("-----BEGIN CERTIFICATE----- {base64}"), UNREADABLE, "between colons"),
        ("escaped", "%3AMIIB%3A".into(), UNREADABLE, "between colons"),
        ("a parameter", format!("{plain};a=1"), UNREADABLE, "between colons"),
        ("a list", format!("{plain}, {plain}"), UNREADABLE, "base64"),
        ("not padded", ":AA:".into(), UNREADABLE, "base64"),
        ("huge", bytes(&[0x30; 13_000]), UNREADABLE, "longer than 16384"),
        ("more than a head may be", bytes(&[0x30; 40_000]), "head_too_long", "exceed"),
        ("no certificate", ":AAAA:".into(), "certificate_refused", "DER"),
        ("half of one", bytes(&der[..der.len() / 2]), "certificate_refused", "DER"),
        ("more behind it", bytes(&[&*der, b"more"].concat()), "certificate_refused", "DER"),
    ] {
        let call = behind.call(Mode::Transparent).with(CERTIFICATE, &value);
        refuses(&mut behind.connect().await, call, word, text, name).await;
    }
    assert_eq!(behind.seen(), [""; 0]);
}

/// RFC 9440, 2.3, and each field once.
#[tokio::test]
async fn fields_that_do_not_fit_together_are_refused() {
    let behind = Behind::start().await;
    let good = behind.pki.consumer(Mode::Transparent);
    let plain = field(&good.certificate);
    let own = &*behind.pki.consumers.certificate;
    let (once, eleven, hundred) = (field(own), chain(&[own; 11]), chain(&[own; 100]));
    for (name, more, word, text) in [
        ("twice", vec![(CERTIFICATE, &*plain)], "header_repeated", "Client-Cert header"),
        ("in another case", vec![("client-cert", &plain)], "header_repeated", "Client-Cert header"),
        ("two chains", vec![(CHAIN, &once), (CHAIN, &once)], "header_repeated", "Chain header"),
        ("eleven in the chain", vec![(CHAIN, &eleven)], UNREADABLE, "more than 10"),
        ("a hundred", vec![(CHAIN, &hundred)], "head_too_long", "exceed"),
        ("a broken chain", vec![(CHAIN, ":AA==:, ")], UNREADABLE, "between colons"),
        ("of no certificates", vec![(CHAIN, ":AAAA:")], "certificate_refused", "can't be read"),
        ("to be dropped", vec![("Connection", CERTIFICATE)], "head_malformed", "Connection"),
    ] {
        let call = behind.told(Mode::Transparent, &good);
        let call = more.into_iter().fold(call, |call, (name, value)| call.and(name, value));
        refuses(&mut behind.connect().await, call, word, text, name).await;
    }
    let alone = behind.call(Mode::Transparent).with(CHAIN, &plain);
    let mut connection = behind.connect().await;
    refuses(&mut connection, alone, "certificate_missing", "is missing", "a chain alone").await;
    assert_eq!(behind.seen(), [""; 0]);
}

/// Another header that claims a certificate is refused here too: only one word counts.
#[tokio::test]
async fn aliases_are_refused_beside_the_field() {
    let behind = Behind::start().await;
    let good = behind.pki.consumer(Mode::Transparent);
    for name in [
        "Client_Cert",
        "Client.Cert",
        "Client_Cert_Chain",
        "Client-Certificate",
        "X-Client-Cert",
        "X-SSL-Client-Cert",
        "SSL_CLIENT_CERT",
        "X-Forwarded-Client-Cert",
        "X-ARR-ClientCert",
    ] {
        let call = behind.told(Mode::Transparent, &good).with(name, &field(&good.certificate));
        let alone = call.clone().without(CERTIFICATE);
        for call in [call, alone] {
            let answer = behind.connect().await.send(call).await;
            is_refused(&answer, "certificate_claimed", "must not be sent", name);
        }
    }
    assert_eq!(behind.seen(), [""; 0]);
}

/// No certificate reaches a provider or the log, of whatever request.
#[tokio::test]
async fn certificates_stay_here() {
    let behind = Behind::start().await;
    let good = behind.pki.consumer(Mode::Transparent);
    let own = &*behind.pki.consumers.certificate;
    let mut right = Vec::new();
    let mut connection = behind.connect().await;
    for name in [CERTIFICATE, "client-cert", "CLIENT-CERT", "cLIENT-cERT"] {
        let call = behind
            .call(Mode::Transparent)
            .with(name, &field(&good.certificate))
            .with(&CHAIN.replace(CERTIFICATE, name), &chain(&[own]));
        right.push(trace_id(&call));
        assert_eq!(connection.send(call).await.status, 200, "{name}");
    }
    let refused = behind.told(Mode::Assist, &good);
    let last = trace_id(&refused);
    assert_eq!(connection.send(refused).await.status, 403);
    assert_eq!(behind.seen(), right);
    let log = &behind.world.gateway.log;
    log.wait_for("the last request", |line| line["trace_id"] == last.as_str()).await;
    for line in log.lines() {
        let text = line.to_string();
        assert!(!text.contains("MII") && !text.contains("Client-Cert"), "{text}");
    }
}
