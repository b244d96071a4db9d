//! The region that the refusals happen in: practices of every state, and a hospital next door.

use crate::harness::interactions::{self, Interaction};
use crate::harness::{Call, Mode, ORGANISATION, Plan, World};

/// A synthetic NHS number with a right check digit.
pub(crate) const PATIENT: &str = "9000000009";

/// A registered consumer system that no listener here stands for.
pub(crate) const NEIGHBOUR: &str = "200000000361";

/// A practice of Foundations alone, which does not read locations.
pub(crate) const SMALL_PRACTICE: &str = "Y00001";
pub(crate) const SMALL_PRACTICE_ASID: &str = "918999198993";

/// The places of practices in this region.
pub(crate) const OPEN: usize = 0;
pub(crate) const FOUNDATIONS_AGREED: usize = 1;
pub(crate) const SWITCHED_OFF: usize = 2;
pub(crate) const STRUCTURED_OFF: usize = 3;
pub(crate) const NOT_AGREED: usize = 4;

/// Starts it, with what else a test wants in gateway.toml.
pub(crate) async fn start(settings: &str) -> World {
    let settings = settings.to_owned();
    World::start(move |plan| {
        plan.practices = 5;
        plan.consumers = directory(plan);
        plan.settings = settings;
    })
    .await
}

/// A search for the patient at a practice.
pub(crate) fn search(world: &World, practice: usize) -> Call {
    let query = format!("identifier=https://fhir.nhs.uk/Id/nhs-number%7C{PATIENT}");
    let path = format!("Patient?{query}");
    let practice = world.practice(practice);
    let form = crate::harness::Form::Ods;
    Call::new(Mode::Transparent, form, practice, &interactions::SEARCH_PATIENT, &path)
}

fn directory(plan: &Plan) -> String {
    let estate = plan.estate();
    let code = |place: usize| estate.practices()[place].ods_code;
    let mut text = String::new();
    for (code, name) in [(ORGANISATION, "Example Hospital"), ("RXX02", "The Hospital Next Door")] {
        text += &format!("[[organisation]]\nods_code = \"{code}\"\nname = \"{name}\"\n\n");
    }
    text += &consumer(Mode::Transparent.asid(), ORGANISATION, "transparent", &all_but_location());
    text += &consumer(Mode::Assist.asid(), ORGANISATION, "assist", "\"1.2.7\"");
    text += &consumer(NEIGHBOUR, "RXX02", "transparent", "\"1.2.7\"");
    text += &small_practice();
    let all = "\"foundations\", \"appointments\", \"structured\"";
    for (reference, practices, capabilities) in [
        ("ALL", [code(OPEN), code(SWITCHED_OFF), code(STRUCTURED_OFF)].as_slice(), all),
        ("SOME", &[code(FOUNDATIONS_AGREED)], "\"foundations\""),
    ] {
        let practices: Vec<String> = practices.iter().map(|code| format!("\"{code}\"")).collect();
        text += &format!(
            "[[agreement]]\nreference = \"{reference}\"\nconsumers = [\"{ORGANISATION}\"]\n\
             practices = [{}]\ncapabilities = [{capabilities}]\n\n",
            practices.join(", ")
        );
    }
    text += &enablement(
        &[code(OPEN), code(FOUNDATIONS_AGREED), code(NOT_AGREED)],
        "\"appointments\", \"structured\"",
    );
    text + &enablement(&[code(STRUCTURED_OFF)], "\"appointments\"")
}

fn consumer(asid: &str, organisation: &str, mode: &str, interactions: &str) -> String {
    format!(
        "[[consumer]]\nasid = \"{asid}\"\norganisation = \"{organisation}\"\n\
         host_name = \"{mode}.{}.example\"\nparty_key = \"{organisation}-9200001\"\n\
         mode = \"{mode}\"\ninteractions = [{interactions}]\n\n",
        organisation.to_lowercase(),
    )
}

/// Everything but reading a location.
fn all_but_location() -> String {
    use interactions as all;
    let interactions: [&Interaction; 16] = [
        &all::READ_METADATA,
        &all::SEARCH_PATIENT,
        &all::READ_PATIENT,
        &all::SEARCH_PRACTITIONER,
        &all::READ_PRACTITIONER,
        &all::SEARCH_ORGANIZATION,
        &all::READ_ORGANIZATION,
        &all::REGISTER_PATIENT,
        &all::SEARCH_SLOT,
        &all::BOOK_APPOINTMENT,
        &all::PATIENT_APPOINTMENTS,
        &all::READ_APPOINTMENT,
        &all::AMEND_APPOINTMENT,
        &all::CANCEL_APPOINTMENT,
        &all::GET_STRUCTURED_RECORD,
        &all::STRUCTURED_METADATA,
    ];
    interactions.map(|one| format!("\"{}\"", one.id)).join(", ")
}

fn small_practice() -> String {
    format!(
        "[[organisation]]\nods_code = \"{SMALL_PRACTICE}\"\nname = \"The Small Practice\"\n\n\
         [[provider]]\norganisation = \"{SMALL_PRACTICE}\"\nasid = \"{SMALL_PRACTICE_ASID}\"\n\
         party_key = \"{SMALL_PRACTICE}-821452\"\nupstream = \"provider\"\n\
         service_roots = {{ foundations = \"https://small.sim.example/{SMALL_PRACTICE}/STU3/1/gpconnect\" }}\n\
         interactions = [\"{}\"]\n\n",
        interactions::READ_PATIENT.id
    )
}

fn enablement(practices: &[impl std::fmt::Display], capabilities: &str) -> String {
    let practices: Vec<String> = practices.iter().map(|code| format!("\"{code}\"")).collect();
    format!(
        "[[enablement]]\npractices = [{}]\ngp_connect = true\ncapabilities = [{capabilities}]\n\n",
        practices.join(", ")
    )
}
