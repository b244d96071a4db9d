//! Who may send what to whom: accreditation, agreement, switches.

use std::collections::BTreeSet;

use serde_json::json;

use super::check::{all_are_refused, has_known_labels_only};
use super::region::{
    self, FOUNDATIONS_AGREED, NEIGHBOUR, NOT_AGREED, SMALL_PRACTICE, SMALL_PRACTICE_ASID,
    STRUCTURED_OFF, SWITCHED_OFF,
};
use super::{Case, base, call};
use crate::exposition::Exposition;
use crate::harness::interactions::{self as all, Interaction};
use crate::harness::{Call, Form, Mode, World};

fn at(world: &World, place: usize, interaction: &Interaction, path: &str) -> Call {
    let practice = world.practice(place);
    let call = Call::new(Mode::Transparent, Form::Ods, practice, interaction, path);
    let call = call.without("Accept");
    if call.verb == "GET" { call } else { call.json(&json!({"resourceType": "Parameters"})) }
}

const RECORD: &str = "Patient/$gpc.getstructuredrecord";

/// gp-connect 2.2, 4.1 and 10.
#[tokio::test]
async fn senders_and_receivers() {
    let world = region::start("").await;
    let other = world.practice(1).asid.to_string();
    let small = |interaction: &Interaction, path: &str| {
        let target = format!("/{SMALL_PRACTICE}/STU3/1/gpconnect/{path}");
        Call { target, ..call(&world, interaction, path) }.with("Ssp-To", SMALL_PRACTICE_ASID)
    };
    let cases = vec![
        Case::of(
            "a system of the hospital next door",
            base(&world).with("Ssp-From", NEIGHBOUR),
            "sender_not_caller",
        )
        .says("ASID_CHECK_FAILED_MESSAGESENDER_200000000361"),
        Case::of(
            "another system of the same hospital",
            base(&world).with("Ssp-From", Mode::Assist.asid()),
            "sender_not_caller",
        ),
        Case::of(
            "a system that nobody registered",
            base(&world).with("Ssp-From", "999999999999"),
            "sender_not_caller",
        ),
        Case::of(
            "the practice itself",
            base(&world).with("Ssp-From", "910000000000"),
            "sender_not_caller",
        ),
        Case::of(
            "not accredited",
            call(&world, &all::READ_LOCATION, "Location/1"),
            "sender_not_accredited",
        )
        .says("ASID_CHECK_FAILED_MESSAGESENDER_200000000360"),
        Case::of(
            "another practice's number",
            base(&world).with("Ssp-To", &other),
            "receiver_mismatch",
        )
        .says("Ssp-To does not match"),
        Case::of(
            "nobody's number",
            base(&world).with("Ssp-To", "999999999999"),
            "receiver_mismatch",
        ),
        Case::of(
            "does not receive this",
            small(&all::SEARCH_PATIENT, "Patient"),
            "receiver_not_accredited",
        )
        .says("PARTYKEY_INTERACTION_CHECK_FAILED_MESSAGERECEIVER_918999198993"),
        Case::of(
            "has no such service",
            small(&all::SEARCH_SLOT, "Slot"),
            "receiver_not_accredited",
        ),
    ];
    all_are_refused(&world, cases).await;
}

/// gp-connect 10.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table: one row a case")]
async fn agreements_and_switches() {
    let world = region::start("").await;
    let from_to = |place: usize| {
        let to = world.practice(place).asid;
        format!("FOT_CHECK_FAILED_MESSAGESENDER_200000000360_MESSAGERECEIVER_{to}")
    };
    let cases = vec![
        Case::of(
            "none at all",
            at(&world, NOT_AGREED, &all::SEARCH_PATIENT, "Patient"),
            "no_agreement",
        ),
        Case::of(
            "none at all, metadata",
            at(&world, NOT_AGREED, &all::READ_METADATA, "metadata"),
            "no_agreement",
        ),
        Case::of(
            "none for slots",
            at(&world, FOUNDATIONS_AGREED, &all::SEARCH_SLOT, "Slot"),
            "no_agreement",
        ),
        Case::of(
            "none for records",
            at(&world, FOUNDATIONS_AGREED, &all::GET_STRUCTURED_RECORD, RECORD),
            "no_agreement",
        ),
        Case::of(
            "all switched off",
            at(&world, SWITCHED_OFF, &all::SEARCH_PATIENT, "Patient"),
            "gp_connect_disabled",
        )
        .says("GP Connect is disabled at this practice."),
        Case::of(
            "all switched off, slots",
            at(&world, SWITCHED_OFF, &all::SEARCH_SLOT, "Slot"),
            "gp_connect_disabled",
        ),
        Case::of(
            "records switched off",
            at(&world, STRUCTURED_OFF, &all::GET_STRUCTURED_RECORD, RECORD),
            "capability_disabled",
        )
        .says("The Access Record Structured capability is disabled at this practice."),
        Case::of(
            "records switched off, metadata",
            at(&world, STRUCTURED_OFF, &all::STRUCTURED_METADATA, "metadata"),
            "capability_disabled",
        ),
    ];
    all_are_refused(&world, cases).await;
    for place in [NOT_AGREED, FOUNDATIONS_AGREED] {
        let answer = world.send(at(&world, place, &all::SEARCH_SLOT, "Slot")).await;
        assert_eq!(answer.json()["issue"][0]["diagnostics"], from_to(place));
    }
    for (name, place, interaction, path) in [
        ("foundations where all is open", 0, &all::READ_PATIENT, "Patient/1"),
        ("foundations where they are agreed", FOUNDATIONS_AGREED, &all::READ_PATIENT, "Patient/1"),
        ("the statement where all is off", SWITCHED_OFF, &all::READ_METADATA, "metadata"),
        ("foundations where records are off", STRUCTURED_OFF, &all::READ_PATIENT, "Patient/1"),
    ] {
        assert_eq!(world.send(at(&world, place, interaction, path)).await.status, 200, "{name}");
    }
}

/// What a caller makes up never becomes a label.
/// gp-connect 12.
#[tokio::test]
async fn made_up_values_add_no_series() {
    let world = region::start("").await;
    let series = |page: &Exposition| -> BTreeSet<String> {
        page.0.iter().map(|sample| format!("{}{:?}", sample.name, sample.labels)).collect()
    };
    let made_up = |number: u32| {
        let asid = format!("{:012}", 700_000_000_000_u64 + u64::from(number));
        let code = format!("Q{number:05}");
        [
            base(&world).with("Ssp-From", &asid),
            base(&world).with("Ssp-To", &asid),
            base(&world).with("Ssp-InteractionID", &format!("{}x-{number}", all::PREFIX)),
            Call { verb: format!("VERB{number}"), ..base(&world) },
            Call { target: format!("/{code}/STU3/1/gpconnect/fhir/Patient"), ..base(&world) },
            Call { target: format!("/https://h{number}.example/{code}/x/Patient"), ..base(&world) },
            base(&world).with("Host", &format!("h{number}.example")),
        ]
    };
    for call in made_up(1) {
        assert!(world.send(call).await.status >= 400);
    }
    for word in [
        "sender_not_caller",
        "receiver_mismatch",
        "interaction_unknown",
        "method_not_carried",
        "practice_unknown",
        "receiver_not_accredited",
        "host_not_served",
    ] {
        world.gateway.log.wait_for(word, |line| line["fault"] == word).await;
    }
    let known = series(&Exposition::of(&world).await);
    for call in (2..12).flat_map(made_up) {
        assert!(world.send(call).await.status >= 400);
    }
    let page = Exposition::of(&world).await;
    assert_eq!(series(&page), known);
    let practices = world.simulator.estate().practices().iter();
    let practices = practices.map(|practice| practice.ods_code.to_string());
    has_known_labels_only(&page, &practices.chain([SMALL_PRACTICE.to_owned()]).collect());
}
