//! Whom a request is about: recorded whatever becomes of it, refused where it must be clear.

use super::{sections::request, *};
use crate::{contract::Check, facts::Field, report_only::Relaxed};

const SYSTEM: &str = "https://fhir.nhs.uk/Id/nhs-number";
const GOOD: &str = "9000000009";
const WRONG: &str = "9000000008";

/// A good search whose query is this one.
fn asking(query: &str) -> Given {
    request(InteractionId::SearchPatient, &format!("/{ROOT}/Patient?{query}"))
}

fn checked(given: Given) -> Given {
    Given { policy: policy(|_, _| {}).with_nhs_numbers_checked(true), ..given }
}

/// The same, with the consumer let off the check.
fn let_off(given: Given) -> Given {
    let relaxed = Relaxed::new(Check::NhsNumber, UnixSeconds(NOW + 1)).unwrap();
    let policy = policy(|_, consumers| {
        consumers[0].report_only = [relaxed].into_iter().collect();
    });
    Given { policy: policy.with_nhs_numbers_checked(true), ..given }
}

/// gp-connect 15: the check digit of an NHS number, by setting (D12).
#[test]
fn the_check_digit_in_a_query_is_looked_at_by_setting() {
    let wrong = || asking(&format!("identifier={SYSTEM}|{WRONG}"));
    let good = || asking(&format!("identifier={SYSTEM}%7C{GOOD}"));
    for (name, given, words) in [
        ("good", good(), &[][..]),
        ("good, checked", checked(good()), &[]),
        ("wrong", wrong(), &[]),
        ("wrong, checked", checked(wrong()), &["nhs_number_invalid"]),
        ("wrong, let off", let_off(wrong()), &[]),
        ("none, checked", checked(asking("_count=1")), &[]),
        (
            "an earlier fault decides, and tells no more",
            checked(wrong()).set("Authorization", ""),
            &["token_malformed"],
        ),
    ] {
        assert_eq!(given.words(), words, "{name}");
    }
    let reported = let_off(wrong()).decide().reported;
    assert_eq!(reported, [Reason::NhsNumberInvalid]);
}

/// gp-connect 12: refused requests are recorded in the same detail.
#[test]
fn patients_of_a_query_are_known_whatever_the_end() {
    let named = asking(&format!("identifier={SYSTEM}|{GOOD}"));
    let two = asking(&format!("identifier={SYSTEM}|{GOOD}&identifier={SYSTEM}|9000000017"));
    for (name, given, word) in [
        ("passed", named, "one"),
        ("several", two, "several"),
        ("none", Given::good(), "none"),
        ("refused", asking(&format!("identifier={SYSTEM}|{GOOD}")).set("Ssp-From", "1"), "one"),
        (
            "not even a path",
            Given { target: format!("/?identifier={SYSTEM}|{GOOD}"), ..Given::good() },
            "one",
        ),
    ] {
        assert_eq!(given.decide().patients.word(), word, "{name}");
    }
}

fn question(number: &str) -> String {
    format!(r#"{{"parameter":[{{"valueIdentifier":{{"system":"{SYSTEM}","value":"{number}"}}}}]}}"#)
}

/// A permit for an interaction with a body, under the policy of `given`.
fn with_body(given: &Given, body: &str) -> (Vec<&'static str>, BodyDecision) {
    let decision = given.decide();
    let permit = decision.outcome.unwrap();
    let held =
        HeldBody { bytes: body.as_bytes(), content_type: Field::One(b"application/fhir+json") };
    let decided = decide_body(held, decision.patients, &permit, &given.policy, UnixSeconds(NOW));
    let refused = decided.outcome.as_ref().err();
    (refused.map(|rejection| rejection.reason.word()).into_iter().collect(), decided)
}

fn operation(query: &str) -> Given {
    let target = format!("/{ROOT}/Patient/$gpc.registerpatient{query}");
    request(InteractionId::RegisterPatient, &target)
}

fn booking() -> Given {
    request(InteractionId::BookAppointment, &format!("/{ROOT}/Appointment"))
}

/// gp-connect 12: the NHS number in the body says whose data it is; an operation must be clear about
/// it, a booking is forwarded all the same.
#[test]
fn an_operation_is_clear_about_its_patient() {
    let query = |number: &str| format!("?identifier={SYSTEM}|{number}");
    let both = format!("[{},{}]", question(GOOD), question("9000000017"));
    let two = format!(r#"{{"a":{both}}}"#);
    for (name, given, body, expected, patients) in [
        ("one", operation(""), question(GOOD), None, "one"),
        ("nobody", operation(""), "{}".into(), None, "none"),
        ("the same in the query", operation(&query(GOOD)), question(GOOD), None, "one"),
        (
            "another in the query",
            operation(&query("9000000017")),
            question(GOOD),
            Some("several_patients"),
            "several",
        ),
        ("two", operation(""), two.clone(), Some("several_patients"), "several"),
        ("unreadable", operation(""), "{".into(), Some("body_unreadable"), "unreadable"),
        ("empty", operation(""), String::new(), Some("body_unreadable"), "unreadable"),
        ("unreadable booking", booking(), "{".into(), None, "unreadable"),
        ("booking of two", booking(), two, None, "several"),
        ("wrong digit", operation(""), question(WRONG), None, "one"),
        (
            "wrong digit, checked",
            checked(operation("")),
            question(WRONG),
            Some("nhs_number_invalid"),
            "one",
        ),
        (
            "wrong digit in a booking, checked",
            checked(booking()),
            question(WRONG),
            Some("nhs_number_invalid"),
            "one",
        ),
        ("wrong digit, let off", let_off(operation("")), question(WRONG), None, "one"),
    ] {
        let (words, decision) = with_body(&given, &body);
        assert_eq!(words.first().copied(), expected, "{name}");
        assert_eq!(decision.patients.word(), patients, "{name}");
        let let_off = name.ends_with("let off");
        assert_eq!(decision.reported.contains(&Reason::NhsNumberInvalid), let_off, "{name}");
    }
}

/// Stages before the body come first; of two faults of the body the earlier check decides.
#[test]
fn being_clear_comes_before_the_check_digit() {
    let two = format!(r#"{{"a":[{},{}]}}"#, question(GOOD), question(WRONG));
    let (words, _) = with_body(&checked(operation("")), &two);
    assert_eq!(words, ["several_patients"]);
}
