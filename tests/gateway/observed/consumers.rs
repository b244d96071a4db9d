//! What consumers break: refused or only reported, it is counted for their organisation.

use jiff::{ToSpan, Zoned, tz::TimeZone};
use serde_json::json;
use uuid::Uuid;

use super::{broken_between, counted};
use crate::harness::interactions as all;
use crate::harness::{Call, Mode, ORGANISATION, World, token};

/// gp-connect 9.
#[tokio::test]
async fn what_a_request_breaks_is_counted_once_for_its_sender() {
    let day = Zoned::now().with_time_zone(TimeZone::UTC).date() + 30.days();
    let let_off = format!(
        "[[consumer.report_only]]\ncheck = \"subject\"\nowner = \"Desk\"\nuntil = \"{day}\"\n\n"
    );
    let world = World::start(|plan| {
        // The transparent one is the first.
        let behind = "interactions = [\"1.2.7\"]\n\n";
        plan.consumers = plan.consumers.replacen(behind, &format!("{behind}{let_off}"), 1);
    })
    .await;
    let root = crate::harness::call::root(world.practice(0), &all::READ_PATIENT);
    let claims = |change: fn(&mut serde_json::Value)| {
        let mut claims = token::claims("patient/*.read", root);
        change(&mut claims);
        claims
    };
    let good = || {
        let call = world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1");
        call.with("Ssp-TraceID", &Uuid::new_v4().to_string())
    };
    let lifetime = claims(|claims| claims["exp"] = json!(claims["iat"].as_i64().unwrap() + 299));
    let both = claims(|claims| {
        claims["exp"] = json!(claims["iat"].as_i64().unwrap() + 299);
        claims["reason_for_request"] = json!("x");
    });
    let other = claims(|claims| claims["sub"] = json!("another"));
    for (name, call, status, expected) in [
        ("good", good(), 200, &[][..]),
        ("no interaction", good().without("Ssp-InteractionID"), 400, &["ssp_headers"]),
        ("another receiver", good().with("Ssp-To", "999999999999"), 400, &["receiver_named"]),
        ("a lifetime of its own", good().claiming(&lifetime), 400, &["lifetime"]),
        ("two at once", good().claiming(&both), 400, &["lifetime", "reason_for_request"]),
        ("only reported", good().claiming(&other), 200, &["subject"]),
        ("another's system", good().with("Ssp-From", Mode::Assist.asid()), 403, &[]),
        (
            "no such practice",
            Call { target: good().target.replace("A20047", "Z99999"), ..good() },
            404,
            &[],
        ),
    ] {
        let before = counted(&world, false).await;
        let id = call.header("Ssp-TraceID").unwrap().to_owned();
        let answer = world.send(call).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        world.gateway.log.wait_for(name, |line| line["trace_id"] == id.as_str()).await;
        let after = counted(&world, false).await;
        let broken = broken_between(&before, &after, ["consumers", ORGANISATION], name);
        assert_eq!(broken, expected, "{name}");
    }
}
