//! Log lines as `name=value` pairs, for tools and people that want no braces. Made of the JSON line, so
//! that the two never differ in what they say.

use serde_json::{Map, Value};

/// The same line in pairs. What is no JSON object stays as it is.
pub(super) fn line(json: &[u8]) -> Vec<u8> {
    let Ok(members) = serde_json::from_slice::<Map<String, Value>>(json) else {
        return json.to_vec();
    };
    let mut line = String::with_capacity(json.len());
    for (name, value) in &members {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(name);
        line.push('=');
        match value {
            Value::String(text) if is_bare(text) => line.push_str(text),
            // A list or an object is its JSON, as one text.
            Value::Array(_) | Value::Object(_) => {
                line.push_str(&Value::String(value.to_string()).to_string());
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
                line.push_str(&value.to_string());
            }
        }
    }
    line.push('\n');
    line.into_bytes()
}

/// Whether a text needs no quotes.
fn is_bare(text: &str) -> bool {
    let needs = |byte: u8| byte <= b' ' || matches!(byte, b'=' | b'"' | b'\\' | 0x7f);
    !text.is_empty() && !text.bytes().any(needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_quotes_where_it_needs_them() {
        for (json, expected) in [
            (r#"{"status":200,"level":"INFO"}"#, "status=200 level=INFO\n"),
            (r#"{"status":null,"ok":true}"#, "status=null ok=true\n"),
            (r#"{"id":"fhir:rest:read:patient-1"}"#, "id=fhir:rest:read:patient-1\n"),
            (r#"{"ms":12.345}"#, "ms=12.345\n"),
            (r#"{"note":""}"#, "note=\"\"\n"),
            (r#"{"note":"two words"}"#, "note=\"two words\"\n"),
            (r#"{"note":"a=\"b\"\nlevel=INFO"}"#, "note=\"a=\\\"b\\\"\\nlevel=INFO\"\n"),
            (r#"{"list":["a","b"]}"#, "list=\"[\\\"a\\\",\\\"b\\\"]\"\n"),
            ("{}", "\n"),
            ("no JSON\n", "no JSON\n"),
        ] {
            assert_eq!(str::from_utf8(&line(json.as_bytes())).unwrap(), expected, "{json}");
        }
    }
}
