//! Whom a terminator tells of, request by request.

use gpconnect_gateway::tls::issue::Order;

use super::{Behind, CHAIN, chain, is_refused, refuses, trace_id};
use crate::exposition::Exposition;
use crate::harness::Mode;
use crate::tls::{faults, host};

/// Each request of one connection is its own caller's, and of nobody else's.
/// gp-connect 7.6 and 8.
#[tokio::test]
async fn nothing_of_one_caller_sticks_to_the_next() {
    let behind = Behind::start().await;
    let [first, second] = Mode::BOTH.map(|mode| behind.pki.consumer(mode));
    let [one, two] = Mode::BOTH;
    let mut connection = behind.connect().await;
    let mut right = Vec::new();
    for (name, mode, caller, good) in [
        ("the first", one, &first, true),
        ("the second", two, &second, true),
        ("the first in the second's name", two, &first, false),
        ("the second in the first's name", one, &second, false),
        ("the first again", one, &first, true),
        ("the second again", two, &second, true),
    ] {
        let call = behind.told(mode, caller);
        if good {
            right.push(trace_id(&call));
        }
        let answer = connection.send(call).await;
        if good {
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
            assert!(!answer.header("Strict-Transport-Security").is_empty(), "{name}");
        } else {
            is_refused(&answer, "sender_not_caller", one_of(mode), name);
        }
    }
    refuses(&mut connection, behind.call(two), "certificate_missing", "is missing", "nobody").await;
    assert_eq!(behind.seen(), right);
}

const fn one_of(mode: Mode) -> &'static str {
    mode.asid()
}

/// The provider is told that the caller came over TLS, and from where as far as anybody knows.
/// gp-connect 4.3.
#[tokio::test]
async fn the_provider_is_told_of_the_terminator_and_of_tls() {
    let behind = Behind::start().await;
    let caller = behind.pki.consumer(Mode::Transparent);
    let call = behind
        .told(Mode::Transparent, &caller)
        .with("Forwarded", "for=192.0.2.1;proto=http")
        .with("X-Forwarded-For", "192.0.2.1");
    assert_eq!(behind.connect().await.send(call).await.status, 200);
    let arrivals = behind.world.arrivals();
    let forwarded = arrivals[0].headers["Forwarded"].to_str().unwrap();
    assert!(forwarded.contains("for=127.0.0.1;"), "{forwarded}");
    assert!(forwarded.contains("proto=https"), "{forwarded}");
}

/// What an assisted consumer leaves out is filled in from the certificate that is told of.
#[tokio::test]
async fn the_certificate_fills_in_ssp_from() {
    let behind = Behind::start().await;
    let caller = behind.pki.consumer(Mode::Assist);
    let call = behind.told(Mode::Assist, &caller).without("Ssp-From");
    assert_eq!(behind.connect().await.send(call).await.status, 200);
    let arrivals = behind.world.arrivals();
    assert_eq!(arrivals[0].headers["Ssp-From"], Mode::Assist.asid());
}

/// Every fault that a listener with TLS refuses, in the same words; whatever the terminator made of
/// it.
/// gp-connect 8.
#[tokio::test]
async fn a_bad_certificate_is_answered_as_over_tls() {
    let behind = Behind::start().await;
    let faults = faults(&behind.pki);
    behind.renewed(1.0).await;
    for (name, caller, text) in &faults {
        // Twice: a refusal is no more accepted when it is known.
        for _ in 0..2 {
            let (call, word) = match caller {
                Some(caller) => (behind.told(Mode::Transparent, caller), "certificate_refused"),
                None => (behind.call(Mode::Transparent), "certificate_missing"),
            };
            refuses(&mut behind.connect().await, call, word, text, name).await;
        }
    }
    let good = behind.told(Mode::Transparent, &behind.pki.consumer(Mode::Transparent));
    let right = trace_id(&good);
    assert_eq!(behind.connect().await.send(good).await.status, 200);
    assert_eq!(behind.seen(), [right]);
    let refused = [("fault", "certificate_refused"), ("status", "495")];
    let missing = [("fault", "certificate_missing"), ("status", "496")];
    let expected = [2.0 * (faults.len() - 1) as f64, 2.0];
    let counted =
        |page: &Exposition| [refused, missing].map(|labels| page.sum("requests_total", &labels));
    let is_counted = |page: &Exposition| counted(page).iter().ge(&expected);
    let page = Exposition::once(&behind.world, "each is counted", is_counted).await;
    assert_eq!(counted(&page), expected);
}

/// What stands beside a certificate helps to find its authority, and can do no more.
#[tokio::test]
async fn a_chain_proves_nothing_of_its_own() {
    let behind = Behind::start().await;
    let pki = &behind.pki;
    let good = pki.consumer(Mode::Transparent);
    let between = pki.consumers.below("Between").unwrap();
    let order = Order::new(&host(Mode::Transparent));
    let below = between.issue(&order).unwrap();
    let foreign = gpconnect_gateway::tls::issue::Authority::root("Another Root").unwrap();
    let stranger = foreign.issue(&order).unwrap();
    let [root, own] = [&*pki.root.certificate, &*pki.consumers.certificate];
    let many = [own; 10];
    let mut right = Vec::new();
    let mut connection = behind.connect().await;
    for (name, beside) in [
        ("in order", chain(&[own, root])),
        ("without the root", chain(&[own])),
        ("in the wrong order", chain(&[root, own])),
        ("the same ten times", chain(&many)),
        ("itself", chain(&[&good.certificate, own])),
        ("round and round", chain(&[own, root, own, root])),
        ("strangers", chain(&[&stranger.certificate, &foreign.certificate])),
        ("none again", String::new()),
    ] {
        let call = behind.told(Mode::Transparent, &good);
        let call = if beside.is_empty() { call } else { call.with(CHAIN, &beside) };
        right.push(trace_id(&call));
        let answer = connection.send(call).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
    }
    for (name, caller, beside, text) in [
        ("a foreign root", &stranger, chain(&[&foreign.certificate]), "authority accepted here"),
        ("an authority without a list", &below, chain(&[&between.certificate]), "revocation list"),
        (
            "another's good chain",
            &stranger,
            chain(&[&good.certificate, own, root]),
            "authority accepted here",
        ),
    ] {
        let call = behind.told(Mode::Transparent, caller).with(CHAIN, &beside);
        refuses(&mut behind.connect().await, call, "certificate_refused", text, name).await;
    }
    assert_eq!(behind.seen(), right);
}
