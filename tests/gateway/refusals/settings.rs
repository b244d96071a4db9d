//! What a consumer is let off, how much it is told, and how refusals are written, by setting.

use jiff::{ToSpan as _, Zoned, tz::TimeZone};
use serde_json::json;

use super::{base, region};
use crate::exposition::Exposition;
use crate::harness::token::claims;
use crate::harness::{Call, Mode, World};

/// A world whose transparent consumer has `keys` as well, and with these settings.
pub(super) async fn with_consumer(keys: &str, settings: &str) -> World {
    let (keys, settings) = (keys.to_owned(), settings.to_owned());
    World::start(move |plan| {
        plan.settings = settings;
        let section = format!("asid = \"{}\"\n", Mode::Transparent.asid());
        let tables = keys.find("[[").unwrap_or(keys.len());
        let (own, tables) = keys.split_at(tables);
        let text = plan.consumers.replace(&section, &format!("{section}{own}"));
        let interactions = "interactions = [\"1.2.7\"]\n\n";
        let (before, behind) = text.split_once(&section).unwrap();
        let behind = behind.replacen(interactions, &format!("{interactions}{tables}"), 1);
        plan.consumers = format!("{before}{section}{behind}");
    })
    .await
}

pub(super) fn let_off(check: &str) -> String {
    let day = Zoned::now().with_time_zone(TimeZone::UTC).date() + 30.days();
    format!(
        "[[consumer.report_only]]\ncheck = \"{check}\"\nowner = \"Desk\"\nuntil = \"{day}\"\n\n"
    )
}

/// Its audience is another practice.
fn elsewhere(world: &World) -> Call {
    let mut claims = claims("patient/*.read", world.practice(0).service_root.as_str());
    claims["aud"] = json!("https://gp.example/Z99999/STU3/1/gpconnect");
    base(world).claiming(&claims)
}

#[tokio::test]
async fn what_a_consumer_is_let_off_is_forwarded_and_reported() {
    let world = with_consumer(&[let_off("audience"), let_off("trace_id")].concat(), "").await;
    let call = elsewhere(&world).with("Ssp-TraceID", "patient-9000000009");
    let answer = world.send(call.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let own = answer.header("ssp-traceid");
    assert!(own.parse::<uuid::Uuid>().is_ok(), "our own in the answer: {own}");

    let arrivals = world.arrivals();
    let sent = |name: &str| arrivals[0].headers.get_all(name).iter().collect::<Vec<_>>();
    assert_eq!(sent("Ssp-TraceID"), ["patient-9000000009"], "forwarded as it is");
    assert_eq!(sent("Authorization"), [call.header("Authorization").unwrap()]);

    let line =
        world.gateway.log.wait_for("its line", |line| line["trace_id"] == own.as_str()).await;
    assert_eq!(line["reported"], "trace_id audience", "{line}");
    assert_eq!(line["fault"], serde_json::Value::Null, "{line}");
    assert!(!line.to_string().contains("9000000009"), "{line}");
    let page = Exposition::of(&world).await;
    for check in ["trace_id", "audience"] {
        let labels = [("consumer", Mode::Transparent.asid()), ("check", check)];
        assert!((page.sum("report_only_total", &labels) - 1.0).abs() < f64::EPSILON, "{check}");
    }

    let other = elsewhere(&world).with("Ssp-From", Mode::Assist.asid());
    let other = Call { mode: Mode::Assist, ..other };
    assert_eq!(world.send(other).await.status, 400, "another consumer is let off nothing");
}

#[tokio::test]
async fn a_consumer_is_told_one_issue_by_setting() {
    for (keys, issues) in [("", 2), ("single_issue = true\n", 1)] {
        let world = with_consumer(keys, "").await;
        let call = elsewhere(&world).with("Ssp-TraceID", "1");
        let answer = world.send(call).await;
        let body = answer.json();
        let told = body["issue"].as_array().unwrap();
        assert_eq!(told.len(), issues, "{keys:?}: {body}");
        assert_eq!(
            told[0]["diagnostics"],
            "Ssp-TraceID header is not valid: found 1 character, expected a UUID"
        );
    }
}

/// gp-connect 7.5.
#[tokio::test]
async fn refusals_are_written_by_setting() {
    let rfc = "[refusals]\nbearer_errors = \"rfc6750\"\nerror_coding_system = \"codesystem\"\n";
    for (settings, status, issue, system) in [
        ("", 400, "invalid", "https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1"),
        (rfc, 401, "security", "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1"),
    ] {
        let world = region::start(settings).await;
        let answer = world.send(elsewhere(&world)).await;
        assert_eq!(answer.status, status, "{settings:?}");
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.starts_with("Bearer realm=\"gpconnect\", error=\"invalid_token\", error_description=\"JWT claim aud"),
            "{challenge}"
        );
        let body = answer.json();
        assert_eq!(body["issue"][0]["code"], issue, "{body}");
        assert_eq!(body["issue"][0]["details"]["coding"][0]["system"], system, "{body}");
        let line = world.gateway.log.wait_for("its line", |line| line["fault"] == "claim_invalid");
        assert_eq!(line.await["status"], status);
        let missing = world.send(base(&world).without("Authorization")).await;
        assert_eq!(missing.status, status);
        assert_eq!(missing.header("www-authenticate"), "Bearer realm=\"gpconnect\"");
    }
}
