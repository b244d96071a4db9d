//! What the checks of stage 9 looked at: the body, and whom it names by their number only.

use gpconnect::contract::Check;

use super::{
    case::{Case, Framing},
    looks::{Look, RAN, saw},
};

const NO_BODY: Look = Look::NotNeeded("there is no body");

pub(super) fn limit(check: Check, case: &Case<'_, '_, '_>) -> Look {
    let Some(body) = case.body else { return Look::Lacks("a head that is let in") };
    let limit = case.place.snapshot.limits.body_bytes;
    match (check, body) {
        (Check::BodyDeadline, _) => Look::Live,
        (Check::Hops, _) => RAN,
        (Check::BodySize, Ok(body)) if body.is_empty() => NO_BODY,
        (Check::BodySize, Ok(body)) => saw(format!("{} of {limit} bytes", body.len())),
        (Check::BodySize, Err(_)) => Look::Lacks("a whole body"),
        (Check::BodyFraming, Err(_)) if !case.fails(check) => Look::Lacks("a whole body"),
        (Check::BodyFraming, _) => match case.head.framing {
            Framing::None => NO_BODY,
            Framing::Length(length) => {
                saw(format!("Content-Length {}", case.place.hide.plain(length)))
            }
            Framing::Chunked => saw("chunked"),
        },
        (Check::BodyExpected, _) if case.head.method != "GET" => {
            Look::NotNeeded("only a GET must come without")
        }
        (Check::BodyExpected, Ok(_)) => saw("no body"),
        (Check::BodyExpected, Err(_)) => RAN,
        (_, Err(_)) => Look::Lacks("a whole body"),
        (check, Ok(_)) => patients(check, case),
    }
}

/// Whether it is clear whom the request is about.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are not about patients")]
fn patients(check: Check, case: &Case<'_, '_, '_>) -> Look {
    let examination = case.examination;
    let sent = examination.headers.interaction_id.value();
    let id = examination.identified.map(|found| found.id).or(sent);
    let (Some(id), Some(many)) = (id, case.patients) else {
        return Look::Lacks("an interaction");
    };
    let named = format!("patients named in query and body: {many}");
    match check {
        Check::NhsNumber if !case.place.snapshot.policy.checks_nhs_numbers() => {
            Look::NotNeeded("it is switched off ([checks] nhs_number)")
        }
        Check::NhsNumber | Check::OnePatient if many == "unreadable" => {
            Look::Lacks("a body that can be read")
        }
        Check::NhsNumber => saw(named),
        _ if !id.is_operation() => Look::NotNeeded("only operations ($gpc...) need it"),
        Check::OnePatient => saw(named),
        _ => RAN,
    }
}
