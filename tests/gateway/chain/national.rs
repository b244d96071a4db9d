//! The national proxy as the simulator plays it, and practices that are reached without it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gpconnect_gateway::simulator::{self, Clock, Estate, Proxy, Running, Settings};
use gpconnect_gateway::tls::issue::{Authority, Order};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::{REGION, identity, region, sent};
use crate::harness::interactions::{READ_METADATA, READ_PATIENT};
use crate::harness::plan::{MONDAY, ONWARD};
use crate::harness::{Call, Form, Mode, World};
use crate::tls::Pki;

/// The national proxy, the practices behind it, and a region with a practice of its own.
struct Country {
    pki: Pki,
    practices: Running,
    proxy: Running,
    region: World,
}

/// A simulator of the estate that every region knows.
async fn simulated(change: impl FnOnce(&mut Settings)) -> Running {
    let mut settings = Settings::new(Arc::new(Estate::generate(1, 3)));
    settings.clock = Clock::fixed(MONDAY.parse().unwrap());
    settings.recorded = 1_000;
    change(&mut settings);
    simulator::start(settings, TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap()
}

impl Country {
    /// The first practice is the region's own; of the others, which are behind the national proxy,
    /// the last refuses connections. The proxy knows one of the two systems, and waits long for practices.
    async fn start() -> Self {
        Self::start_with(Duration::from_secs(60)).await
    }

    /// The same with a proxy that waits so long.
    async fn start_with(patience: Duration) -> Self {
        let pki = Pki::new();
        let practices = simulated(|_| {}).await;
        let dead = practices.estate().practices()[2].ods_code;
        let proxy = Proxy {
            senders: vec![Mode::Transparent.asid().parse().unwrap()],
            elsewhere: HashMap::from([(dead, practices.refused_addr())]),
            patience,
            ..Proxy::before(practices.local_addr())
        };
        let context = pki.gateway().server(&pki.root).unwrap().build();
        let proxy = simulated(|settings| {
            settings.proxy = Some(proxy);
            settings.tls = Some(context);
        })
        .await;
        let (address, shown) = (proxy.local_addr(), identity(&pki));
        let cache = |plan: &mut crate::harness::Plan| plan.settings = "[cache]\n".into();
        let region = region(&pki, &shown, address, &[1, 2], cache).await;
        Self { pki, practices, proxy, region }
    }

    fn call(&self, mode: Mode, place: usize) -> Call {
        let practice = self.region.practice(place);
        Call::new(mode, Form::Ods, practice, &READ_PATIENT, "Patient/1")
    }
}

/// gp-connect 1 and 2.2: one setting an upstream; the region's own practices are its own.
#[tokio::test]
async fn some_practices_are_reached_directly_and_others_through_the_national_proxy() {
    let country = Country::start().await;
    let region = &country.region;
    for (number, (place, form)) in
        [(0, Form::Ods), (0, Form::Proxy), (1, Form::Ods), (1, Form::Proxy)].into_iter().enumerate()
    {
        let practice = region.practice(place);
        let call = Call::new(Mode::Transparent, form, practice, &READ_PATIENT, "Patient/1");
        let (answer, line) = sent(region, call, number).await;
        assert_eq!(answer.status, 200, "{place} {form:?}: {answer:?}");
        let seen = [
            region.arrivals(),
            country.proxy.recorder().take(),
            country.practices.recorder().take(),
        ];
        let targets = seen.map(|all| all.into_iter().map(|one| one.target).collect::<Vec<_>>());
        let root = practice.service_root.as_str();
        let path = format!("{}/Patient/1", practice.service_root.path());
        let expected = match place {
            0 => [vec![path], vec![], vec![]],
            _ => [vec![], vec![format!("/{root}/Patient/1")], vec![path]],
        };
        assert_eq!(targets, expected, "{place} {form:?}");
        let next = (place == 1).then_some(ONWARD);
        assert_eq!(line["next_proxy"].as_str(), next, "{line}");
        assert_eq!(line["origin"], "provider", "{line}");
    }
}

/// errors B: whatever the proxy says itself passes as it is, and is told from what practices say.
#[tokio::test]
async fn the_national_proxy_s_vocabulary_passes_and_is_told_apart() {
    let country = Country::start().await;
    let asid = Mode::Transparent.asid();
    let to = country.region.practice(1).asid;
    let (proxy, practice) = ("X-Sim-Proxy-Fault", "X-Sim-Fault");
    let target = country.region.practice(1).service_root.to_string() + "/Patient/1";
    #[rustfmt::skip]
    let cases = [
        ("sender", 1, proxy, "proxy=sender", 403, format!("ASID_CHECK_FAILED_MESSAGESENDER_{asid}"), "sender_not_accredited", "refused"),
        ("receiver", 1, proxy, "proxy=receiver", 403, format!("PARTYKEY_INTERACTION_CHECK_FAILED_MESSAGERECEIVER_{to}"), "receiver_not_accredited", "refused"),
        ("agreement", 1, proxy, "proxy=agreement", 403, format!("FOT_CHECK_FAILED_MESSAGESENDER_{asid}_MESSAGERECEIVER_{to}"), "no_agreement", "refused"),
        ("endpoint", 1, proxy, "proxy=endpoint", 400, format!("_VARIES_FROM_TARGETURL_{target}"), "endpoint_varies", "refused"),
        ("method", 1, proxy, "proxy=method", 405, "405: Method Not Allowed".into(), "method_not_carried", "refused"),
        ("media type", 1, proxy, "proxy=media-type", 415, "Unsupported_Media_Type".into(), "media_type_unsupported", "refused"),
        ("no answer", 1, proxy, "proxy=unreachable", 502, format!("ERROR_COMMUNICATING_TO_ENDPOINT_URL_{target}"), "upstream_unreachable", "failed"),
        ("too late", 1, proxy, "proxy=timeout", 504, format!("ERROR_COMMUNICATING_TO_ENDPOINT_URL_{target}"), "upstream_unreachable", "failed"),
        ("a practice that refuses connections", 2, practice, "latency=1ms", 502, "ERROR_COMMUNICATING_TO_ENDPOINT_URL_".into(), "upstream_unreachable", "failed"),
        ("a practice that breaks off", 1, practice, "reset=mid-body", 502, "ERROR_COMMUNICATING_TO_ENDPOINT_URL_".into(), "upstream_unreachable", "failed"),
        ("a practice's own", 1, practice, "outcome=NO_PATIENT_CONSENT", 403, "NO_PATIENT_CONSENT".into(), "", "good"),
    ];
    // Whatever the machine is like, that one is not waited for.
    let hasty = Country::start_with(Duration::from_millis(300)).await;
    let slow = (
        "a practice that is slow",
        1,
        practice,
        "latency=3000s",
        504,
        "ERROR_COMMUNICATING_TO_ENDPOINT_URL_".into(),
        "upstream_unreachable",
        "failed",
    );
    let cases = cases.map(|case| (&country, case)).into_iter().chain([(&hasty, slow)]);
    for (number, (country, (name, place, header, fault, status, says, word, result))) in
        cases.enumerate()
    {
        let call = country.call(Mode::Transparent, place).and(header, fault);
        let (answer, line) = sent(&country.region, call, number).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        let outcome = answer.json();
        let display = outcome.pointer("/issue/0/details/coding/0/display").unwrap().as_str();
        let code = outcome.pointer("/issue/0/details/coding/0/code").unwrap().as_str();
        let is_own = !word.is_empty();
        assert!(
            if is_own { display } else { code }.unwrap().ends_with(&says)
                || display.unwrap().starts_with(&says),
            "{name}: {outcome}"
        );
        let id = outcome["id"].as_str().map(str::parse::<Uuid>);
        assert_eq!(
            id.is_some_and(|id| id.is_ok()),
            is_own,
            "{name}: the proxy's own id: {outcome}"
        );
        let note = format!("the next proxy {ONWARD} answered itself: {word}");
        let origin = if is_own { "next_proxy" } else { "provider" };
        assert_eq!(line["note"].as_str(), is_own.then_some(note.as_str()), "{name}: {line}");
        assert_eq!([&line["origin"], &line["result"]], [origin, result], "{name}: {line}");
        assert_eq!(line["next_proxy"], ONWARD, "{name}: {line}");
    }
}

/// What the national proxy finds out for itself, and what our own end says when it is not there.
#[tokio::test]
async fn a_proxy_that_does_not_know_us_is_told_as_what_it_is() {
    let country = Country::start().await;
    let (answer, line) = sent(&country.region, country.call(Mode::Assist, 1), 1).await;
    let token = format!("ASID_CHECK_FAILED_MESSAGESENDER_{}", Mode::Assist.asid());
    assert_eq!((answer.status, answer.text().contains(&token)), (403, true), "{answer:?}");
    assert_eq!([&line["origin"], &line["result"]], ["next_proxy", "refused"], "{line}");

    let call = country.call(Mode::Transparent, 1).and("X-Sim-Proxy-Fault", "reset=before-headers");
    let (answer, line) = sent(&country.region, call, 2).await;
    assert_eq!(answer.status, 502, "{answer:?}");
    assert_eq!([&line["origin"], &line["fault"]], ["gateway", "upstream_unreachable"], "{line}");
    assert_eq!(line["next_proxy"], ONWARD, "{line}");

    let stranger = Authority::root("Strangers").unwrap().issue(&Order::new(REGION)).unwrap();
    let address = country.proxy.local_addr();
    let unknown = region(&country.pki, &stranger, address, &[1], |_| {}).await;
    country.practices.recorder().take();
    let practice = unknown.practice(1);
    let call = Call::new(Mode::Transparent, Form::Ods, practice, &READ_PATIENT, "Patient/1");
    let (answer, line) = sent(&unknown, call, 3).await;
    assert_eq!(answer.status, 502, "{answer:?}");
    assert_eq!([&line["origin"], &line["fault"]], ["gateway", "upstream_not_trusted"], "{line}");
    assert!(country.practices.recorder().take().is_empty(), "nothing of it went on");
}

/// What may be kept is kept of practices behind the proxy too, but never what the proxy says.
#[tokio::test]
async fn the_cache_keeps_a_practice_s_answer_and_no_refusal_of_the_proxy() {
    let country = Country::start().await;
    let practice = country.region.practice(1);
    let refusal = "proxy=agreement;count=1".parse().unwrap();
    country.proxy.faults().order(Some(practice.ods_code), vec![refusal]);
    for (number, (status, origin, cache, asked)) in
        [(403, "next_proxy", "miss", 1), (200, "provider", "miss", 1), (200, "cache", "hit", 0)]
            .into_iter()
            .enumerate()
    {
        let call = Call::new(Mode::Transparent, Form::Ods, practice, &READ_METADATA, "metadata");
        let (answer, line) = sent(&country.region, call, number).await;
        assert_eq!(answer.status, status, "{number}: {answer:?}");
        assert_eq!([&line["origin"], &line["cache"]], [origin, cache], "{number}: {line}");
        assert_eq!(country.proxy.recorder().take().len(), asked, "{number}");
    }
}
