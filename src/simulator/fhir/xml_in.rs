//! FHIR XML to FHIR JSON, for the three resources a consumer sends: Parameters, Patient and
//! Appointment (with the Organization it contains).
//!
//! XML says neither what is a list nor what is a number; the tables at the end do.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use serde_json::{Map, Value};

/// No request needs more; a deeper one is made to exhaust the stack.
const DEEPEST: usize = 64;

/// The XML can't be read as FHIR.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotFhirXml;

/// Reads a document into the JSON that means the same.
pub(crate) fn read(document: &str) -> Result<Value, NotFhirXml> {
    let mut reader = Reader::from_str(document);
    reader.config_mut().expand_empty_elements = true;
    loop {
        let event = next(&mut reader)?;
        if let Event::Start(start) = event {
            return read_resource(&mut reader, &start, 0);
        }
        if matches!(event, Event::Eof | Event::DocType(_)) {
            return Err(NotFhirXml);
        }
    }
}

fn next<'a>(reader: &mut Reader<&'a [u8]>) -> Result<Event<'a>, NotFhirXml> {
    reader.read_event().or(Err(NotFhirXml))
}

fn read_resource(
    reader: &mut Reader<&[u8]>,
    start: &BytesStart<'_>,
    depth: usize,
) -> Result<Value, NotFhirXml> {
    let name = local_name(start);
    let mut members = Map::new();
    members.insert("resourceType".into(), Value::String(name.clone()));
    read_children(reader, &name, &mut members, depth)?;
    Ok(Value::Object(members))
}

/// Reads elements up to the end of the parent.
fn read_children(
    reader: &mut Reader<&[u8]>,
    parent: &str,
    members: &mut Map<String, Value>,
    depth: usize,
) -> Result<(), NotFhirXml> {
    if depth > DEEPEST {
        return Err(NotFhirXml);
    }
    loop {
        let event = next(reader)?;
        if let Event::Start(start) = event {
            let name = local_name(&start);
            let value = read_element(reader, &name, &start, depth + 1)?;
            add(members, parent, name, value);
        } else if matches!(event, Event::End(_)) {
            return Ok(());
        } else if matches!(event, Event::Eof) {
            return Err(NotFhirXml);
        }
    }
}

/// Reads one element: a resource in its wrapper, a primitive with its value, or a group.
fn read_element(
    reader: &mut Reader<&[u8]>,
    name: &str,
    start: &BytesStart<'_>,
    depth: usize,
) -> Result<Value, NotFhirXml> {
    let mut members = attributes(start)?;
    let primitive = members.shift_remove("value");
    read_children(reader, name, &mut members, depth)?;
    if let Some(Value::String(text)) = primitive {
        return Ok(typed(name, text));
    }
    if matches!(name, "resource" | "contained") {
        // The wrapper's only child is the resource, read as a group under the resource's name.
        let Some((kind, Value::Object(inside))) = members.into_iter().next() else {
            return Err(NotFhirXml);
        };
        let mut resource = Map::new();
        resource.insert("resourceType".into(), Value::String(kind));
        resource.extend(inside);
        return Ok(Value::Object(resource));
    }
    Ok(Value::Object(members))
}

fn attributes(start: &BytesStart<'_>) -> Result<Map<String, Value>, NotFhirXml> {
    let mut members = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.or(Err(NotFhirXml))?;
        let name: &str = attribute.key.as_ref();
        if matches!(name, "value" | "url" | "id") {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).or(Err(NotFhirXml))?;
            members.insert(name.into(), Value::String(value.into_owned()));
        }
    }
    Ok(members)
}

fn local_name(start: &BytesStart<'_>) -> String {
    let name = start.local_name();
    let name: &str = name.as_ref();
    name.to_owned()
}

/// Adds a member; what FHIR repeats becomes a list, even when it stands once.
fn add(members: &mut Map<String, Value>, parent: &str, name: String, value: Value) {
    match members.get_mut(&name) {
        Some(Value::Array(items)) => items.push(value),
        Some(single) => *single = Value::Array(vec![single.take(), value]),
        None if repeats(parent, &name) => {
            members.insert(name, Value::Array(vec![value]));
        }
        None => {
            members.insert(name, value);
        }
    }
}

fn repeats(parent: &str, name: &str) -> bool {
    match name {
        "name" => parent == "Patient",
        "type" => matches!(parent, "Organization" | "participant"),
        "parameter"
        | "part"
        | "identifier"
        | "given"
        | "prefix"
        | "suffix"
        | "telecom"
        | "address"
        | "line"
        | "contained"
        | "extension"
        | "modifierExtension"
        | "coding"
        | "profile"
        | "security"
        | "tag"
        | "slot"
        | "participant"
        | "serviceType"
        | "specialty"
        | "reason"
        | "indication"
        | "supportingInformation"
        | "incomingReferral"
        | "requestedPeriod"
        | "generalPractitioner"
        | "communication"
        | "contact"
        | "link"
        | "photo"
        | "alias"
        | "endpoint" => true,
        _ => false,
    }
}

/// Gives a primitive the JSON type that its element has in FHIR.
fn typed(name: &str, text: String) -> Value {
    match (name, text.as_str()) {
        ("valueBoolean" | "active" | "deceasedBoolean" | "multipleBirthBoolean", "true") => {
            Value::Bool(true)
        }
        ("valueBoolean" | "active" | "deceasedBoolean" | "multipleBirthBoolean", "false") => {
            Value::Bool(false)
        }
        (
            "valueInteger"
            | "valuePositiveInt"
            | "valueUnsignedInt"
            | "priority"
            | "minutesDuration"
            | "rank"
            | "multipleBirthInteger",
            digits,
        ) => digits.parse::<i64>().map_or(Value::String(text), Value::from),
        _ => Value::String(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::fhir::xml_out;
    use serde_json::json;

    #[test]
    fn requests_survive_the_way_to_xml_and_back() {
        for (name, resource) in [
            (
                "parameters",
                json!({"resourceType": "Parameters", "parameter": [
                    {"name": "patientNHSNumber", "valueIdentifier": {"system": "s", "value": "9000000009"}},
                    {"name": "includeAllergies", "part": [{"name": "includeResolvedAllergies", "valueBoolean": false}]},
                    {"name": "registerPatient", "resource": {"resourceType": "Patient",
                        "identifier": [{"system": "s", "value": "v"}],
                        "name": [{"use": "official", "family": "O'NEIL <&>", "given": ["Zoë"]}],
                        "telecom": [{"system": "phone", "value": "01632 960001"}]}},
                ]}),
            ),
            (
                "appointment",
                json!({"resourceType": "Appointment", "id": "9",
                "meta": {"versionId": "1", "profile": ["p"]},
                "contained": [{"resourceType": "Organization", "id": "org", "name": "N",
                    "identifier": [{"system": "s", "value": "v"}], "type": [{"coding": [{"code": "c"}]}]}],
                "extension": [{"url": "u", "valueReference": {"reference": "#org"}}],
                "status": "booked", "priority": 5, "slot": [{"reference": "Slot/1"}],
                "participant": [{"actor": {"reference": "Patient/1"}, "status": "accepted"}]}),
            ),
        ] {
            assert_eq!(read(&xml_out::document(&resource)), Ok(resource), "{name}");
        }
    }

    #[test]
    fn what_is_not_fhir_xml_is_refused() {
        let deep = "<a>".repeat(10_000);
        for (name, text) in [
            ("empty", ""),
            ("text", "hello"),
            ("cut off", "<Patient><name>"),
            ("wrong end", "<Patient></Person>"),
            ("entity", "<!DOCTYPE x [<!ENTITY a 'b'>]><Patient/>"),
            ("deep", deep.as_str()),
            ("empty wrapper", "<Parameters><parameter><resource/></parameter></Parameters>"),
        ] {
            assert_eq!(read(text), Err(NotFhirXml), "{name}");
        }
    }
}
