//! Callers with good certificates: who they may be.

use super::pki::host;
use super::{Secure, header};
use crate::harness::Mode;
use crate::refusals::contract;
use gpconnect_gateway::tls::issue::{KeyKind, Order};

/// gp-connect 7.6 and 8.
#[tokio::test]
async fn a_certificate_says_who_is_calling() {
    let secure = Secure::start("").await;
    let mut right = Vec::new();
    for mode in Mode::BOTH {
        let issued = secure.pki.consumer(mode);
        let mut connection = secure.client(Some(&issued)).connect().await;
        let call = secure.call(mode);
        right.push(call.header("Ssp-TraceID").unwrap().to_owned());
        let answer = connection.send(call).await;
        assert_eq!(answer.status, 200, "{mode:?}: {answer:?}");
        let lasting = answer.header("Strict-Transport-Security");
        assert!(lasting.starts_with("max-age="), "{lasting}");
    }
    assert_eq!(secure.seen(), right);
}

/// gp-connect 4.3.
#[tokio::test]
async fn the_provider_is_told_that_the_caller_came_over_tls() {
    let secure = Secure::start("").await;
    let issued = secure.pki.consumer(Mode::Transparent);
    assert_eq!(secure.client(Some(&issued)).send(secure.call(Mode::Transparent)).await.status, 200);
    let arrivals = secure.world.arrivals();
    let forwarded = header(&arrivals[0], "Forwarded");
    assert!(forwarded.contains("proto=https"), "{forwarded}");
}

/// A client that changes who it says it is between two requests of one connection.
/// gp-connect 8.
#[tokio::test]
async fn nobody_becomes_somebody_else_on_an_open_connection() {
    let secure = Secure::start("").await;
    let issued = secure.pki.consumer(Mode::Transparent);
    let mut connection = secure.client(Some(&issued)).connect().await;
    let mut right = Vec::new();
    for (name, from, status) in [
        ("its own", Mode::Transparent.asid(), 200),
        ("another's", Mode::Assist.asid(), 403),
        ("nobody's", "200000009999", 403),
        ("its own again", Mode::Transparent.asid(), 200),
    ] {
        let call = secure.call(Mode::Transparent).with("Ssp-From", from);
        if status == 200 {
            right.push(call.header("Ssp-TraceID").unwrap().to_owned());
        }
        let answer = connection.send(call).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
    }
    assert_eq!(secure.seen(), right);
}

/// Which names of a certificate count.
/// gp-connect 8.
#[tokio::test]
async fn common_name_and_dns_names_say_which_systems() {
    let secure = Secure::start("").await;
    let (transparent, assist) = (host(Mode::Transparent), host(Mode::Assist));
    let other = "other.rxx01.example";
    let upper = transparent.to_ascii_uppercase();
    let wildcard = "*.rxx01.example";
    let mut right = Vec::new();
    for (name, common_name, dns_names, systems) in [
        ("the common name alone", &*transparent, vec![], vec![Mode::Transparent]),
        ("in upper case", &*upper, vec![], vec![Mode::Transparent]),
        ("a DNS name alone", "Example EPR", vec![&*transparent], vec![Mode::Transparent]),
        ("of two systems", &*assist, vec![&*transparent, other], Mode::BOTH.to_vec()),
        ("a name that is not registered", other, vec![other], vec![]),
        ("a wildcard is no name", wildcard, vec![wildcard], vec![]),
    ] {
        let order = Order {
            dns_names: dns_names.into_iter().map(str::to_owned).collect(),
            ..Order::new(common_name)
        };
        let issued = secure.pki.issue(&order);
        let mut connection = secure.client(Some(&issued)).connect().await;
        for mode in Mode::BOTH {
            let call = secure.call(mode);
            let trace_id = call.header("Ssp-TraceID").unwrap().to_owned();
            let answer = connection.send(call).await;
            if systems.contains(&mode) {
                assert_eq!(answer.status, 200, "{name}, {mode:?}: {answer:?}");
                right.push(trace_id);
            } else {
                assert_eq!(answer.status, 403, "{name}, {mode:?}: {answer:?}");
            }
        }
    }
    assert_eq!(secure.seen(), right);
}

/// What an assisted consumer leaves out is filled in from its certificate.
#[tokio::test]
async fn a_certificate_fills_in_ssp_from() {
    let secure = Secure::start("").await;
    let issued =
        secure.pki.issue(&Order { key: KeyKind::Rsa(2048), ..Order::new(&host(Mode::Assist)) });
    let call = secure.call(Mode::Assist).without("Ssp-From");
    assert_eq!(secure.client(Some(&issued)).send(call).await.status, 200);
    let arrivals = secure.world.arrivals();
    assert_eq!(header(&arrivals[0], "Ssp-From"), Mode::Assist.asid());
}

/// Whoever may not send is refused by the decision as on any listener, and all its headers with it.
#[tokio::test]
async fn refusals_over_tls_are_those_of_any_listener() {
    let secure = Secure::start("").await;
    let issued = secure.pki.consumer(Mode::Transparent);
    let mut connection = secure.client(Some(&issued)).connect().await;
    for (name, call, word) in [
        ("no token", secure.call(Mode::Transparent).without("Authorization"), "header_missing"),
        (
            "no such path",
            secure.call(Mode::Transparent).with("Host", "x.example"),
            "host_not_served",
        ),
    ] {
        let answer = connection.try_send(call).await.unwrap();
        let row = contract::of(word);
        assert_eq!(answer.status, row.status, "{name}: {answer:?}");
        assert!(!answer.header("Strict-Transport-Security").is_empty(), "{name}: {answer:?}");
        assert_eq!(answer.json()["resourceType"], "OperationOutcome", "{name}");
    }
    assert_eq!(secure.seen(), [""; 0]);
}
