//! Stage 9: no patient is hidden from the audit, and none is printed.

use std::collections::BTreeSet;

use gpconnect::{
    body::read,
    facts::Field,
    patients::{Patient, Patients, in_query},
};
use serde_json::Value;

use super::plain::plain;

const SYSTEM: &str = "https://fhir.nhs.uk/Id/nhs-number";
/// Lists and objects in each other that a body may have.
const DEEPEST: usize = 64;

/// The content type in the first line, then the body: what can be read names at least the patients
/// that a plain reader finds, in JSON by its objects, in XML by the text. As a query, too, it
/// names them unprinted.
pub fn body(bytes: &[u8]) {
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let content_type = if line == 0 { Field::Absent } else { Field::One(&bytes[..line]) };
    let body = bytes.get(line + 1..).unwrap_or_default();
    let found = read(body, content_type);
    assert_unprinted(&found);
    if let Ok(query) = str::from_utf8(body) {
        assert_unprinted(&in_query(Some(query)));
    }
    if matches!(found, Patients::Unreadable(_)) {
        return;
    }
    let text = str::from_utf8(body).expect("a body of text").trim_start_matches('\u{feff}');
    let mut expected = BTreeSet::new();
    if text.trim_ascii_start().starts_with('{') {
        let json = plain(text.as_bytes(), DEEPEST).expect("JSON that can be read in one way");
        in_json(&json, &mut expected);
    } else {
        in_xml(text, &mut expected);
    }
    let found: BTreeSet<&str> = found.iter().map(patient).collect();
    assert!(expected.iter().all(|number| found.contains(number.as_str())), "a patient is hidden");
}

fn patient(patient: &Patient) -> &str {
    match patient {
        Patient::Number(number) => number.digits(),
        Patient::Other(text) => text.expose(),
    }
}

fn assert_unprinted(patients: &Patients) {
    let printed = format!("{patients:?}");
    // Shorter texts may be the length that is printed.
    let long = patients.iter().map(patient).filter(|text| text.len() > 8);
    for text in long.filter(|text| text.contains(|letter: char| letter.is_ascii_digit())) {
        assert!(!printed.contains(text), "a patient is printed");
    }
}

fn note(value: &str, into: &mut BTreeSet<String>) {
    let number: String =
        value.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').collect();
    into.extend(Some(number).filter(|number| !number.is_empty()));
}

fn in_json(json: &Value, into: &mut BTreeSet<String>) {
    match json {
        Value::Array(values) => values.iter().for_each(|value| in_json(value, into)),
        Value::Object(members) => {
            if members.get("system").is_some_and(|system| system == SYSTEM) {
                members.get("value").and_then(Value::as_str).inspect(|value| note(value, into));
            }
            members.values().for_each(|value| in_json(value, into));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Where one element stands right behind the other, as most are written. Comments and the like
/// could hold what looks like an element and is none.
fn in_xml(text: &str, into: &mut BTreeSet<String>) {
    if text.contains("<!") || text.contains("<?") {
        return;
    }
    let system = format!("<system value=\"{SYSTEM}\"/><value value=\"");
    for behind in text.split(&system).skip(1) {
        let (value, end) = behind.split_once('"').unwrap_or_default();
        if end.starts_with("/>") && value.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            note(value, into);
        }
    }
}
