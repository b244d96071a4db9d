//! An access as a FHIR `AuditEvent`, STU3 or R4. Both have the same shape; the elements that name
//! parties, and the code systems, changed their names between them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::shown::{Access, Found};

/// The version of FHIR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// 3.0.2, which GP Connect uses.
    Stu3,
    /// 4.0.1.
    R4,
}

const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const INTERACTION: &str = "http://hl7.org/fhir/restful-interaction";
const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";
const ASID: &str = "https://fhir.nhs.uk/Id/nhsSpineASID";
const SDS_USER_ID: &str = "https://fhir.nhs.uk/Id/sds-user-id";
const ROLE_PROFILE: &str = "https://fhir.nhs.uk/Id/sds-role-profile-id";

impl Version {
    /// A code of a system that R4 moved.
    fn moved(self, stu3: &str, r4: &str, code: &str, display: &str) -> Value {
        let system = match self {
            Self::Stu3 => format!("http://hl7.org/fhir/{stu3}"),
            Self::R4 => format!("http://terminology.hl7.org/CodeSystem/{r4}"),
        };
        coding(&system, code, display)
    }

    /// What the element is called that says who took part.
    const fn who(self) -> &'static str {
        match self {
            Self::Stu3 => "reference",
            Self::R4 => "who",
        }
    }
}

fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({"system": system, "code": code, "display": display})
}

/// The event of an access, or of whatever else is on record.
pub(super) fn event(access: &Access, version: Version) -> Value {
    let first = &access.first;
    let mut event = json!({"resourceType": "AuditEvent"});
    let set = |event: &mut Value, name: &str, value: Value| {
        if let Some(members) = event.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
    };
    let (kind, action) = kind(first, version);
    set(&mut event, "type", kind);
    if let Some((code, _)) = interaction(first.text("interaction")) {
        set(&mut event, "subtype", json!([coding(INTERACTION, code, code)]));
    }
    set(&mut event, "action", action.into());
    set(&mut event, "recorded", first.text("time").into());
    let (code, text) = outcome(access);
    if let Some(code) = code {
        set(&mut event, "outcome", code.into());
    }
    set(&mut event, "outcomeDesc", text.into());
    set(&mut event, "agent", agents(first, version).into());
    set(&mut event, "source", source(version));
    let entities = entities(access, version);
    if !entities.is_empty() {
        set(&mut event, "entity", entities.into());
    }
    event
}

/// The type of the event, and its action.
fn kind(first: &Found, version: Version) -> (Value, &'static str) {
    match first.text("kind") {
        "intent" | "outcome" | "refusal" => {
            let kind =
                version.moved("audit-event-type", "audit-event-type", "rest", "RESTful Operation");
            (kind, interaction(first.text("interaction")).map_or("E", |(_, action)| action))
        }
        "refusals" => (coding(DICOM, "110113", "Security Alert"), "E"),
        _ => (coding(DICOM, "110100", "Application Activity"), "E"),
    }
}

/// FHIR's word for an interaction, and its action.
fn interaction(id: &str) -> Option<(&'static str, &'static str)> {
    let (_, rest) = id.split_once("fhir:")?;
    if rest.starts_with("operation:") {
        return Some(("operation", "E"));
    }
    let rest = rest.strip_prefix("rest:")?;
    if rest.starts_with("read:metadata") {
        return Some(("capabilities", "R"));
    }
    Some(match rest.split_once(':')?.0 {
        "read" | "migrate" => ("read", "R"),
        "search" => ("search-type", "E"),
        "create" => ("create", "C"),
        "update" | "cancel" => ("update", "U"),
        _ => return None,
    })
}

/// How it ended: 0 well, 4 refused or not to be had, 8 not answered.
fn outcome(access: &Access) -> (Option<&'static str>, String) {
    let Some(end) = access.end() else {
        return (None, String::from("no outcome is on record"));
    };
    let status = end.record.get("status").and_then(Value::as_u64);
    let code = match (end.text("result"), status) {
        ("good" | "slow", Some(..400)) => "0",
        ("good" | "slow" | "refused", _) | (_, Some(400..500)) => "4",
        ("", None) => return (Some("0"), said(end)),
        _ => "8",
    };
    (Some(code), said(end))
}

fn said(end: &Found) -> String {
    let status = end.record.get("status").map(ToString::to_string).unwrap_or_default();
    let status = if status == "null" { String::new() } else { status };
    let parts = [&status, end.text("result"), end.text("fault"), end.text("note")];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { end.text("kind").to_owned() } else { parts.join(" ") }
}

/// Who asked, by which system, and whom.
fn agents(first: &Found, version: Version) -> Vec<Value> {
    let mut agents = Vec::new();
    agents.extend(user(first, version));
    let is_requestor = agents.is_empty();
    agents.push(consumer(first, version, is_requestor));
    if !first.text("provider").is_empty() {
        let mut provider = party("110152", "Destination Role ID", false, version);
        put(&mut provider, version.who(), identified(ASID, first.text("provider")));
        put(&mut provider, "name", first.text("practice").into());
        let network = json!({"address": first.text("service_root"), "type": "5"});
        put(&mut provider, "network", network);
        agents.push(provider);
    }
    agents
}

/// The person, for whoever may read who it was.
fn user(first: &Found, version: Version) -> Option<Value> {
    let of = |name: &str| first.sealed(&["user", name]);
    let (sub, id) = (of("sub"), of("sds_user_id"));
    if sub.is_empty() && id.is_empty() {
        return None;
    }
    let mut user = json!({"requestor": true});
    match version {
        Version::Stu3 if !id.is_empty() => {
            put(&mut user, "userId", json!({"system": SDS_USER_ID, "value": id}));
        }
        Version::R4 if !id.is_empty() => put(&mut user, "who", identified(SDS_USER_ID, id)),
        Version::Stu3 | Version::R4 => {}
    }
    put(&mut user, "altId", sub.into());
    put(&mut user, "name", first.name().into());
    if !of("role_profile").is_empty() {
        let role = json!([{"coding": [{"system": ROLE_PROFILE, "code": of("role_profile")}]}]);
        put(&mut user, "role", role);
    }
    Some(user)
}

fn consumer(first: &Found, version: Version, is_requestor: bool) -> Value {
    let mut consumer = party("110153", "Source Role ID", is_requestor, version);
    if !first.text("consumer").is_empty() {
        put(&mut consumer, version.who(), identified(ASID, first.text("consumer")));
    }
    put(&mut consumer, "name", first.text("organisation").into());
    let certificate = first.record.get("certificate").and_then(|it| it.get("subject")?.as_str());
    put(&mut consumer, "altId", certificate.unwrap_or_default().into());
    let from = [first.text("client"), first.text("network")].concat();
    if !from.is_empty() {
        put(&mut consumer, "network", json!({"address": from, "type": "2"}));
    }
    consumer
}

/// A system that took part: STU3 has its part in `role`, R4 in `type`.
fn party(code: &str, display: &str, is_requestor: bool, version: Version) -> Value {
    let part = json!({"coding": [coding(DICOM, code, display)]});
    match version {
        Version::Stu3 => json!({"role": [part], "requestor": is_requestor}),
        Version::R4 => json!({"type": part, "requestor": is_requestor}),
    }
}

fn identified(system: &str, value: &str) -> Value {
    json!({"identifier": {"system": system, "value": value}})
}

/// Sets a member, unless there is nothing to say: FHIR has no empty texts.
fn put(to: &mut Value, name: &str, value: Value) {
    if let Some(members) = to.as_object_mut().filter(|_| value != "") {
        members.insert(name.to_owned(), value);
    }
}

fn source(version: Version) -> Value {
    let system = "security-source-type";
    let kind = version.moved(system, system, "4", "Application Server");
    let name = env!("CARGO_PKG_NAME");
    match version {
        Version::Stu3 => json!({"identifier": {"value": name}, "type": [kind]}),
        Version::R4 => json!({"observer": {"display": name}, "type": [kind]}),
    }
}

/// Whom and what it was about.
fn entities(access: &Access, version: Version) -> Vec<Value> {
    let first = &access.first;
    let mut entities = Vec::new();
    for number in first.numbers() {
        let identifier = json!({"system": NHS_NUMBER, "value": number});
        let what = match version {
            Version::Stu3 => json!({"identifier": identifier}),
            Version::R4 => json!({"type": "Patient", "identifier": identifier}),
        };
        entities.push(patient(version, &what));
    }
    let path = first.sealed(&["path"]);
    let id = path.split(['?', '/']).nth(1).filter(|id| !id.is_empty() && !id.starts_with('$'));
    if let (Some(id), true) = (id, path.starts_with("Patient/")) {
        let reference = format!("{}/Patient/{id}", first.text("service_root"));
        entities.push(patient(version, &json!({"reference": reference})));
    }
    if matches!(first.text("kind"), "intent" | "outcome" | "refusal") {
        entities.push(request(access, version));
    }
    entities
}

fn patient(version: Version, what: &Value) -> Value {
    let kind = version.moved("object-type", "audit-entity-type", "1", "Person");
    let role = version.moved("object-role", "object-role", "1", "Patient");
    match version {
        Version::Stu3 => json!({"reference": what, "type": kind, "role": role}),
        Version::R4 => json!({"what": what, "type": kind, "role": role}),
    }
}

/// The request: what was asked, and where that is on record.
fn request(access: &Access, version: Version) -> Value {
    let first = &access.first;
    let kind = version.moved("object-type", "audit-entity-type", "2", "System Object");
    let role = version.moved("object-role", "object-role", "24", "Query");
    let mut request = json!({"type": kind, "role": role});
    let path = first.sealed(&["path"]);
    if !path.is_empty() {
        let query = format!("{} {path}", first.sealed(&["verb"]));
        put(&mut request, "query", STANDARD.encode(query).into());
    }
    let outcome = access.outcome.as_ref().map(|it| it.place.to_string()).unwrap_or_default();
    let details = [
        ("record", first.place.to_string()),
        ("outcome record", outcome),
        ("trace id", first.text("trace_id").to_owned()),
        ("interaction", first.text("interaction").to_owned()),
    ];
    let detail = |(name, text): (&str, String)| match version {
        Version::Stu3 => json!({"type": name, "value": STANDARD.encode(text)}),
        Version::R4 => json!({"type": name, "valueString": text}),
    };
    let details = details.into_iter().filter(|(_, text)| !text.is_empty()).map(detail);
    put(&mut request, "detail", details.collect());
    request
}

#[cfg(test)]
mod tests {
    use gpconnect::interaction::TABLE;

    use super::*;

    #[test]
    fn every_interaction_has_a_word_of_fhir() {
        for row in TABLE {
            let (code, action) = interaction(row.id.short()).unwrap();
            let read = row.verb.as_str() == "GET";
            assert!(read == (code == "read" || code == "search-type" || code == "capabilities"));
            assert_eq!(code == "update", row.verb.as_str() == "PUT", "{}", row.urn);
            assert!("CRUDE".contains(action));
        }
        assert_eq!(interaction("other"), None);
        assert_eq!(interaction(""), None);
    }

    fn ended(record: Value) -> (Option<&'static str>, String) {
        let place = crate::audit::Place { epoch: 1, seq: 1 };
        outcome(&Access { first: Found { place, record, opened: None }, outcome: None })
    }

    #[test]
    fn an_end_has_a_code() {
        for (record, code, text) in [
            (json!({"kind": "outcome", "result": "good", "status": 200}), Some("0"), "200 good"),
            (json!({"kind": "outcome", "result": "good", "status": 404}), Some("4"), "404 good"),
            (
                json!({"kind": "refusal", "result": "refused", "status": 403, "fault": "no_agreement"}),
                Some("4"),
                "403 refused no_agreement",
            ),
            (
                json!({"kind": "refusal", "result": "refused", "status": 503}),
                Some("4"),
                "503 refused",
            ),
            (
                json!({"kind": "outcome", "result": "failed", "status": 504}),
                Some("8"),
                "504 failed",
            ),
            (json!({"kind": "outcome", "result": "unknown", "status": null}), Some("8"), "unknown"),
            (json!({"kind": "start", "note": "generation 1"}), Some("0"), "generation 1"),
            (json!({"kind": "end"}), Some("0"), "end"),
            (json!({"kind": "intent"}), None, "no outcome is on record"),
        ] {
            assert_eq!(ended(record), (code, text.to_owned()));
        }
    }
}
