//! Both address forms lead to the same request at the provider, byte for byte.

use serde_json::json;

use crate::harness::call::{host_and_path, root};
use crate::harness::interactions::{
    GET_STRUCTURED_RECORD, READ_PATIENT, REGISTER_PATIENT, SEARCH_PATIENT, SEARCH_SLOT,
    STRUCTURED_METADATA,
};
use crate::harness::{Call, Form, Mode, World};
use crate::resources::FREE_SLOTS;

/// gp-connect 2.2 and 2.4.
#[tokio::test]
async fn a_target_arrives_byte_for_byte() {
    let world = World::start(|_| {}).await;
    for (interaction, path) in [
        (&REGISTER_PATIENT, "Patient/$gpc.registerpatient"),
        (&REGISTER_PATIENT, "Patient/%24gpc.registerpatient"),
        (&GET_STRUCTURED_RECORD, "Patient/$gpc.getstructuredrecord"),
        (&GET_STRUCTURED_RECORD, "Patient/%24gpc.getstructuredrecord"),
        (&SEARCH_PATIENT, "Patient?identifier=https://fhir.nhs.uk/Id/nhs-number|9000000009"),
        (
            &SEARCH_PATIENT,
            "Patient?identifier=https%3A%2f%2Ffhir.nhs.uk%2FId%2fnhs-number%7c9000000009",
        ),
        (&SEARCH_PATIENT, "Patient?identifier=x%7C%E2%82%AC&_count=1&_count=2&&=&_sort"),
        (&SEARCH_PATIENT, "Patient?"),
        (&SEARCH_SLOT, "Slot?b=2&a=1&b=1&a=2&+=%2B&start=ge2026-11-24T00:00:00+00:00"),
        (&SEARCH_SLOT, "Slot?x=%25%20%0a%00&y='(1)'&z=a;b,c!*@:/?~"),
        (&READ_PATIENT, "Patient/a-b.C-9?_format=json&_format=application/fhir%2Bjson"),
    ] {
        for form in [Form::Ods, Form::Proxy, Form::Folded, Form::Escaped] {
            let practice = world.practice(0);
            let call = Call::new(Mode::Transparent, form, practice, interaction, path);
            let call = if interaction.verb == "POST" { call.json(&json!({})) } else { call };
            let answer = world.send(call).await;
            let targets: Vec<String> = world.arrivals().into_iter().map(|one| one.target).collect();
            let (_, root) = host_and_path(practice, interaction);
            assert_eq!(targets, [format!("/{root}/{path}")], "{form:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn an_upstream_proxy_gets_the_proxy_form() {
    let world = World::start(|plan| plan.connection = "proxy").await;
    for (interaction, path) in [
        (&READ_PATIENT, "Patient/1"),
        (&SEARCH_SLOT, FREE_SLOTS),
        (&STRUCTURED_METADATA, "metadata"),
    ] {
        for form in [Form::Ods, Form::Proxy, Form::Folded, Form::Escaped] {
            let practice = world.practice(1);
            world.send(Call::new(Mode::Transparent, form, practice, interaction, path)).await;
            let arrivals = world.arrivals();
            let expected = format!("/{}/{path}", root(practice, interaction));
            assert_eq!(arrivals.len(), 1, "{form:?} {path}");
            assert_eq!(arrivals[0].target, expected, "{form:?}");
            let host = world.simulator.local_addr().to_string();
            assert_eq!(arrivals[0].headers["host"], host, "{form:?}");
        }
    }
}
