//! The two readers side by side: what one finds in JSON the other finds in XML.

mod hostile;
mod json;
mod printed;
mod xml;

use super::*;
use crate::patients::Found;

const SYSTEM: &str = "https://fhir.nhs.uk/Id/nhs-number";

fn read_json(body: impl AsRef<[u8]>) -> Patients {
    read(body.as_ref(), Field::One(b"application/fhir+json;charset=utf-8"))
}

fn read_xml(body: impl AsRef<[u8]>) -> Patients {
    read(body.as_ref(), Field::One(b"application/fhir+xml; charset=utf-8"))
}

fn patients(values: &[&str]) -> Patients {
    let mut found = Found::default();
    values.iter().for_each(|value| found.note(value));
    found.into()
}

#[test]
fn the_format_is_the_content_types_or_else_the_first_characters() {
    let json = format!(r#" {{"system":"{SYSTEM}","value":"9000000009"}}"#);
    let xml = format!("\n<a><system value='{SYSTEM}'/><value value='9000000009'/></a>");
    let marked = format!("\u{feff}{xml}");
    let one = patients(&["9000000009"]);
    let unreadable = Patients::Unreadable;
    for (name, content_type, body, expected) in [
        ("JSON", Some("application/fhir+json"), json.as_str(), one.clone()),
        ("JSON by its old name", Some("application/json+fhir; charset=UTF-8"), &json, one.clone()),
        ("XML", Some("application/fhir+xml;charset=utf-8"), &xml, one.clone()),
        ("XML behind a byte order mark", Some("text/xml"), &marked, one.clone()),
        ("no type, JSON", None, &json, one.clone()),
        ("no type, XML", None, &xml, one.clone()),
        ("another type", Some("text/plain"), &json, one.clone()),
        ("quoted charset", Some("text/xml; charset=\"utf-8\""), &xml, one.clone()),
        ("ASCII", Some("text/xml; charset=us-ascii"), &xml, one),
        ("XML that says JSON", Some("application/json"), &xml, unreadable("it is not JSON")),
        ("JSON that says XML", Some("text/xml"), &json, unreadable("it is not well-formed XML")),
        ("another charset", Some("text/xml;charset=utf-7"), &xml, unreadable(OTHER_CHARSET)),
        ("two", Some("text/xml;charset=utf-8;charset=x"), &xml, unreadable(OTHER_CHARSET)),
        ("spaced", Some("text/xml ; Charset = utf-16"), &xml, unreadable(OTHER_CHARSET)),
        ("empty", Some("application/json"), "", unreadable(EMPTY)),
        ("blank", None, " \r\n", unreadable(EMPTY)),
        ("a list", Some("application/json"), "[]", unreadable(NO_FORMAT)),
        ("text", None, "hello", unreadable(NO_FORMAT)),
    ] {
        let content_type = content_type.map_or(Field::Absent, |text| Field::One(text.as_bytes()));
        assert_eq!(read(body.as_bytes(), content_type), expected, "{name}");
    }
    for (name, body) in [
        ("latin 1", b"{\"a\":\"\xe9\"}".as_slice()),
        ("UTF-16", b"\xff\xfe{\0}\0"),
        ("overlong", b"{\"\xc0\xaf\":1}"),
        ("half a surrogate pair", b"{\"\xed\xa0\x80\":1}"),
    ] {
        assert_eq!(read_json(body), unreadable(NOT_UTF_8), "{name}");
    }
}
