//! What a consumer is let off passes and is reported; what is told besides the deciding fault.

use super::*;
use crate::{contract::Check, report_only::Relaxed};

/// A good request of the transparent consumer, let off `checks` until `until`.
fn let_off(checks: &[Check], until: i64) -> Given {
    let relaxed = |check: &Check| Relaxed::new(*check, UnixSeconds(until)).unwrap();
    let report_only: ReportOnly = checks.iter().map(relaxed).collect();
    Given {
        policy: policy(|_, consumers| consumers[0].report_only = report_only.clone()),
        ..Given::good()
    }
}

fn claiming(given: Given, change: impl FnOnce(&mut serde_json::Value)) -> Given {
    given.set("Authorization", &token(change))
}

/// The faults that decide or are told, then those that are only reported.
fn ends(given: &Given) -> (Vec<&'static str>, Vec<&'static str>) {
    (given.words(), given.decide().reported.iter().map(Reason::word).collect())
}

#[test]
fn a_fault_that_is_only_reported_lets_the_request_pass() {
    let elsewhere = |given| {
        claiming(given, |claims| claims["aud"] = "https://gp.example/B20047/STU3/1/x".into())
    };
    for (name, given, told, reported) in [
        ("enforced", elsewhere(Given::good()), &["claim_invalid"][..], &[][..]),
        ("let off", elsewhere(let_off(&[Check::Audience], NOW + 1)), &[], &["claim_invalid"]),
        ("its time is over", elsewhere(let_off(&[Check::Audience], NOW)), &["claim_invalid"], &[]),
        ("another check", elsewhere(let_off(&[Check::Scope], NOW + 1)), &["claim_invalid"], &[]),
        ("nothing is wrong", let_off(&[Check::Audience], NOW + 1), &[], &[]),
        (
            "another media type",
            let_off(&[Check::MediaType], NOW + 1).set("Accept", "image/png"),
            &[],
            &["media_type_unsupported"],
        ),
        (
            "refused for something else",
            elsewhere(let_off(&[Check::Audience], NOW + 1)).without("Ssp-To"),
            &["header_missing"],
            &["claim_invalid"],
        ),
        (
            "both kinds of fault, in the order of the contract",
            claiming(let_off(&[Check::Audience, Check::TraceId], NOW + 1), |claims| {
                claims["aud"] = "x".into();
                claims["requested_scope"] = "patient/*.write".into();
            })
            .set("Ssp-TraceID", "trace-1"),
            &["scope_mismatch"],
            &["header_invalid", "claim_invalid"],
        ),
    ] {
        let (told, reported) = (told.to_vec(), reported.to_vec());
        assert_eq!(ends(&given), (told, reported), "{name}");
    }
}

#[test]
fn only_the_consumer_that_is_let_off_is() {
    let given = let_off(&[Check::TraceId], NOW + 1).set("Ssp-TraceID", "trace-1");
    assert_eq!(ends(&given), (vec![], vec!["header_invalid"]));
    let other = given.set("Ssp-From", "200000000360");
    assert_eq!(ends(&other), (vec!["header_invalid"], vec![]));
    let nobody = other.set("Ssp-From", "200000000999");
    assert_eq!(
        ends(&nobody),
        (vec!["header_invalid"], vec![]),
        "a foreign sender is let off nothing"
    );
}

/// gp-connect 4.1: a trace id that is no UUID is forwarded as it is; everywhere else stands our own
/// (D9).
#[test]
fn a_trace_id_that_is_no_uuid_stands_nowhere() {
    let given = let_off(&[Check::TraceId], NOW + 1).set("Ssp-TraceID", "9000000009");
    let decision = given.decide();
    let own = TraceId::from_random([7; 16]);
    assert_eq!(decision.seen.trace_id, own);
    let permit = decision.outcome.unwrap();
    assert_eq!(permit.trace_id(), own);
    assert!(!permit.filled().trace_id, "the header leaves as it arrived");
    let printed = format!("{permit:?} {:?} {:?}", decision.seen, decision.reported);
    assert!(!printed.contains("9000000009"), "{printed}");
}

/// gp-connect 9: the first fault decides; the others of headers and token are told besides.
#[test]
fn ten_faults_get_one_answer() {
    let given = claiming(Given::good(), |claims| {
        claims["iss"] = 7.into();
        claims["sub"] = "u-2".into();
        claims["aud"] = "".into();
        claims["exp"] = (NOW + 201).into();
        claims["reason_for_request"] = "research".into();
        claims["requested_scope"] = "patient/*.write".into();
        claims["requesting_device"]["model"] = serde_json::Value::Null;
        claims["requesting_organization"]["name"] = serde_json::Value::Null;
        claims["requesting_practitioner"]["resourceType"] = "Patient".into();
    });
    let given = given.set("Ssp-TraceID", "1").set("Accept", "image/png");
    let words = given.words();
    assert!(words.len() >= 10, "{words:?}");
    assert_eq!(words[..2], ["header_invalid", "media_type_unsupported"]);

    let quiet = policy(|_, consumers| consumers[0].single_issue = true);
    let single = Given { policy: quiet, ..given };
    assert_eq!(single.words(), ["header_invalid"], "one issue, as the national proxy has");
    let single = single.set("Ssp-From", "1");
    let of_caller = Given { candidates: vec![ConsumerIndex(0)], ..single };
    assert_eq!(of_caller.words(), ["header_invalid"], "also when it names no sender of its own");
    let single = of_caller;
    let unknown = Given { candidates: vec![], policy: policy(|_, _| {}), ..single };
    assert_eq!(unknown.words(), ["header_invalid"], "a caller that is nobody is told one");
}

/// What stands against the order of the contract is that it was read in another.
#[test]
fn faults_stand_in_the_order_of_the_contract() {
    let given = Given { headers: vec![("Accept", "x/y".into())], ..Given::good() };
    let fields = Fields::gather([("Accept", b"x/y".as_slice())]);
    let request = given.facts(&fields);
    let examination = examine(&request, &given.policy);
    let checks: Vec<_> = examination.faults.iter().map(|fault| fault.reason.check()).collect();
    assert!(checks.is_sorted(), "{checks:?}");
    assert!(examination.claims().is_none() && examination.target.is_some());
}

#[test]
fn an_examination_shows_what_each_stage_read() {
    let given = Given::good();
    let head = given.headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    let fields = Fields::gather(head);
    let request = given.facts(&fields);
    let examination = examine(&request, &given.policy);
    assert!(examination.faults.is_empty());
    let claims = examination.claims().unwrap();
    assert_eq!(claims.sub.text(), Some("u-1"));
    assert_eq!(examination.identified.unwrap().path.logical_id, Some("17"));
    assert_eq!(examination.parties.unwrap().endpoint.service_root.as_str(), ROOT);
    let printed = format!("{examination:?}");
    assert!(!printed.contains("Kaur") && !printed.contains("/17"), "{printed}");
}
