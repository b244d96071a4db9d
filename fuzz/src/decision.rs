//! Stages 2 to 8: a permit means that everything a request must be, it is; a refusal can be
//! written down.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gpconnect::{
    Permit, RequestFacts, decide,
    facts::{Fields, UnixSeconds},
    forward::{self, Connection},
    media::Format,
    outcome::{self, Style},
};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use serde_json::Value;

use super::{
    token::bearer,
    world::{NOW, World, world},
};

/// `{method} {target}`, then `{name}: {value}` a line; `Claims: {json}` stands for the token with
/// these claims. What passes is checked again by other means than the decision's own.
pub fn decision(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (method, target) = first.split_once(' ').unwrap_or((first, ""));
    let given: Vec<(&str, Cow<'_, str>)> =
        rest.lines().filter_map(|line| line.split_once(": ")).map(field).collect();
    let fields = Fields::gather(given.iter().map(|(name, value)| (*name, value.as_bytes())));
    let request = facts(method, target, &fields);

    let decision = decide(&request, &world().policy);
    match decision.outcome {
        Ok(permit) => assert_permitted(&permit, &request, world()),
        Err(rejection) => {
            assert!((400..600).contains(&rejection.reason.status()));
            assert_ne!(rejection.reason.word(), "gateway_fault", "nothing was decided");
            let issues = 1 + rejection.also.len();
            for format in [Format::Json, Format::Xml] {
                let style = Style { format, ..Style::default() };
                let body = outcome::body(&rejection, "occurrence", style);
                assert_eq!(count_issues(&body, format), issues);
            }
        }
    }
}

fn field<'t>((name, value): (&'t str, &'t str)) -> (&'t str, Cow<'t, str>) {
    match name {
        "Claims" => ("Authorization", bearer(value.as_bytes()).into()),
        _ => (name, value.into()),
    }
}

fn facts<'r>(method: &'r str, target: &'r str, fields: &'r Fields<'r>) -> RequestFacts<'r> {
    let world = world();
    RequestFacts {
        method,
        target,
        fields,
        candidates: &world.candidates,
        certificate: None,
        access: None,
        now: UnixSeconds(NOW),
        random: [7; 16],
        token_limit: world.limits.token_bytes,
    }
}

fn assert_permitted(permit: &Permit, request: &RequestFacts<'_>, world: &World) {
    let policy = &world.policy;
    let row = permit.interaction().row();
    let sender = policy.consumer(permit.sender()).expect("a registered sender");
    let practice = policy.practice(permit.practice()).expect("a registered practice");
    let endpoint = forward::endpoint(permit, policy).expect("an endpoint");

    assert!(world.candidates.contains(&permit.sender()), "another caller's system");
    assert!(sender.interactions.contains(row.id) && endpoint.interactions.contains(row.id));
    assert!(policy.agreement(permit.sender(), permit.practice()).contains(row.capability));
    assert!(practice.enablement.gp_connect, "a practice that is switched off");
    assert_eq!(request.method, row.verb.as_str());
    assert!(request.target.ends_with(permit.fhir_request()), "what goes out did not come in");
    let out = forward::target(permit, endpoint, Connection::Direct);
    assert_eq!(out, [endpoint.service_root.path(), permit.fhir_request()].join("/"));

    let sent_or = |text: Option<&str>, value: String| assert_eq!(text.unwrap_or(&value), value);
    sent_or(request.fields.from.text(), permit.from().to_string());
    sent_or(request.fields.to.text(), permit.to().to_string());
    sent_or(request.fields.trace_id.text(), permit.trace_id().to_string());
    sent_or(request.fields.interaction_id.text(), permit.interaction().urn().to_owned());
    assert_eq!((permit.from(), permit.to()), (sender.asid, endpoint.asid));

    let claims = claims(request);
    let seconds = |name: &str| claims[name].as_i64().expect("a number of seconds");
    assert!(seconds("exp") > NOW && seconds("iat") <= NOW + 300);
    assert_eq!(seconds("exp").checked_sub(seconds("iat")), Some(300));
    assert_eq!(claims["requested_scope"], row.scope.as_str());
    assert_eq!(claims["reason_for_request"], "directcare");
    assert_eq!(claims["sub"], claims["requesting_practitioner"]["id"]);
    let identifiers = claims["requesting_organization"]["identifier"].as_array();
    let is_senders = |identifier: &Value| identifier["value"] == sender.organisation.as_str();
    assert!(identifiers.is_some_and(|all| all.iter().any(is_senders)), "another's token");
}

fn claims(request: &RequestFacts<'_>) -> Value {
    let text = request.fields.authorization.text().expect("one token");
    let claims = text.split('.').nth(1).expect("a second part");
    let json = URL_SAFE_NO_PAD.decode(claims).expect("base64url");
    serde_json::from_slice(&json).expect("JSON")
}

fn count_issues(body: &[u8], format: Format) -> usize {
    match format {
        Format::Json => {
            let outcome: Value = serde_json::from_slice(body).expect("an outcome in JSON");
            assert_eq!(outcome["resourceType"], "OperationOutcome");
            outcome["issue"].as_array().expect("issues").len()
        }
        Format::Xml => {
            let text = str::from_utf8(body).expect("an outcome in UTF-8");
            let mut reader = Reader::from_str(text);
            let mut issues = 0;
            loop {
                let event = reader.read_event().expect("an outcome in XML");
                if matches!(event, Event::Eof) {
                    return issues;
                }
                let is_issue = |start: &BytesStart<'_>| start.name().as_ref() == "issue";
                issues += usize::from(matches!(&event, Event::Start(start) if is_issue(start)));
            }
        }
    }
}
