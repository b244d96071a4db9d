//! FHIR JSON to FHIR XML, generic over resources: member order becomes element order.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// A whole document: the resource with the FHIR namespace on its root.
pub(crate) fn document(resource: &Value) -> String {
    let mut text = String::with_capacity(2048);
    write_resource(&mut text, resource, " xmlns=\"http://hl7.org/fhir\"");
    text
}

/// A resource as an element without a namespace, for a place inside a document.
pub(crate) fn fragment(resource: &Value) -> String {
    let mut text = String::with_capacity(2048);
    write_resource(&mut text, resource, "");
    text
}

fn write_resource(text: &mut String, resource: &Value, attributes: &str) {
    let Some(members) = resource.as_object() else { return };
    let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    if !is_element_name(name) {
        return;
    }
    text.push('<');
    text.push_str(name);
    text.push_str(attributes);
    text.push('>');
    for (member, value) in members.iter().filter(|(member, _)| *member != "resourceType") {
        write_member(text, members, member, value);
    }
    close(text, name);
}

/// Writes one JSON member as its elements; `_x` companions are written with `x`.
fn write_member(text: &mut String, members: &Map<String, Value>, name: &str, value: &Value) {
    if !is_element_name(name) {
        return;
    }
    let companion = members.get(&format!("_{name}"));
    if let Some(items) = value.as_array() {
        for (index, item) in items.iter().enumerate() {
            let companion = companion.and_then(|all| all.get(index));
            write_element(text, name, item, companion);
        }
    } else {
        write_element(text, name, value, companion);
    }
}

fn write_element(text: &mut String, name: &str, value: &Value, companion: Option<&Value>) {
    if let Some(members) = value.as_object() {
        if members.contains_key("resourceType") {
            open(text, name);
            write_resource(text, value, "");
            close(text, name);
        } else {
            write_complex(text, name, members, None);
        }
    } else if let Some(primitive) = primitive(value) {
        let companion = companion.and_then(Value::as_object);
        write_complex(text, name, companion.unwrap_or(&Map::new()), Some(&primitive));
    }
}

/// An element with `id` and, on an extension, `url` as attributes and everything else inside.
fn write_complex(
    text: &mut String,
    name: &str,
    members: &Map<String, Value>,
    primitive: Option<&str>,
) {
    text.push('<');
    text.push_str(name);
    let as_attribute = |member: &str| {
        member == "id" || (member == "url" && matches!(name, "extension" | "modifierExtension"))
    };
    for (member, value) in members.iter().filter(|(member, _)| as_attribute(member)) {
        write_attribute(text, member, value.as_str().unwrap_or_default());
    }
    if let Some(primitive) = primitive {
        write_attribute(text, "value", primitive);
    }
    let start = text.len();
    text.push('>');
    for (member, value) in members.iter().filter(|(member, _)| !as_attribute(member)) {
        write_member(text, members, member, value);
    }
    if text.len() == start + 1 {
        text.truncate(start);
        text.push_str("/>");
    } else {
        close(text, name);
    }
}

fn primitive(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn open(text: &mut String, name: &str) {
    text.push('<');
    text.push_str(name);
    text.push('>');
}

fn close(text: &mut String, name: &str) {
    text.push_str("</");
    text.push_str(name);
    text.push('>');
}

fn write_attribute(text: &mut String, name: &str, value: &str) {
    text.push(' ');
    text.push_str(name);
    text.push_str("=\"");
    for letter in value.chars() {
        match letter {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\t' | '\n' | '\r' => text.push_str(&format!("&#{};", u32::from(letter))),
            // XML 1.0 has no way to write the other control characters.
            letter if letter.is_control() => text.push('\u{fffd}'),
            letter => text.push(letter),
        }
    }
    text.push('"');
}

/// Only names that FHIR could have are written, so that a strange member can't break the markup.
fn is_element_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_becomes_fhir_xml() {
        for (name, resource, inside) in [
            (
                "primitive",
                json!({"id": "1", "active": true, "rank": 2}),
                "<id value=\"1\"/><active value=\"true\"/><rank value=\"2\"/>",
            ),
            ("list", json!({"given": ["A", "B"]}), "<given value=\"A\"/><given value=\"B\"/>"),
            (
                "escapes",
                json!({"text": "<&\"\n\u{1}"}),
                "<text value=\"&lt;&amp;&quot;&#10;\u{fffd}\"/>",
            ),
            (
                "contained",
                json!({"contained": [{"resourceType": "Basic", "id": "x"}]}),
                "<contained><Basic><id value=\"x\"/></Basic></contained>",
            ),
            (
                "extension",
                json!({"extension": [{"url": "u", "valueCode": "c"}]}),
                "<extension url=\"u\"><valueCode value=\"c\"/></extension>",
            ),
            (
                "companion",
                json!({"birthDate": "1980", "_birthDate": {"id": "b"}}),
                "<birthDate id=\"b\" value=\"1980\"/>",
            ),
            ("null and strange", json!({"a": null, "b><c": 1, "empty": {}}), "<empty/>"),
        ] {
            let mut whole = json!({"resourceType": "Patient"});
            whole.as_object_mut().unwrap().extend(resource.as_object().unwrap().clone());
            let expected = format!("<Patient xmlns=\"http://hl7.org/fhir\">{inside}</Patient>");
            assert_eq!(document(&whole), expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_resource_becomes_nothing() {
        for value in [json!(null), json!([]), json!({"resourceType": "<x>"}), json!({})] {
            assert_eq!(document(&value), "");
        }
    }
}
