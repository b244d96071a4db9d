//! What is found in JSON, and what is refused as JSON.

use super::*;

fn identifier(value: &str) -> String {
    format!(r#"{{"system":"{SYSTEM}","value":{value}}}"#)
}

/// gp-connect 12: the NHS number where it is in the body.
#[test]
fn every_number_in_a_json_body_is_found() {
    let parameter = r#"{"resourceType":"Parameters","parameter":[{"name":"patientNHSNumber","valueIdentifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9000000009"}},{"name":"includeAllergies","part":[{"name":"includeResolvedAllergies","valueBoolean":false}]}]}"#;
    let register = r#"{"resourceType":"Parameters","parameter":[{"name":"registerPatient","resource":{"resourceType":"Patient","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9000000009"},{"system":"https://a.example/Id","value":"x"}],"name":[{"use":"official","family":"EXAMPLE"}],"telecom":[{"system":"phone","value":"01632 960001"}],"birthDate":"1980-02-29"}}]}"#;
    let one = &["9000000009"][..];
    let (good, other) = (identifier(r#""9000000009""#), identifier(r#""9000000017""#));
    for (name, body, expected) in [
        ("structured record", parameter.into(), one),
        ("register", register.into(), one),
        ("old system", parameter.replace("https://fhir.nhs.uk", "http://fhir.nhs.net"), one),
        ("no identifier", r#"{"resourceType":"Appointment","slot":[]}"#.into(), &[]),
        ("empty object", "{}".into(), &[]),
        ("value first", format!(r#"{{"value":"9000000009","a":[{{}}],"system":"{SYSTEM}"}}"#), one),
        ("any name, any depth", format!(r#"{{"a":[[{{"b":{{"c":{good}}}}}]]}}"#), one),
        ("same number twice", format!(r#"{{"a":{good},"b":[{good}]}}"#), one),
        ("two numbers", format!(r#"{{"a":{good},"b":{other}}}"#), &["9000000009", "9000000017"]),
        ("inside another", format!(r#"{{"system":"{SYSTEM}","value":"9000000017","assigner":{good}}}"#), &["9000000009", "9000000017"]),
        ("escaped", r#"{"\u0073ystem":"https:\/\/fhir.nhs.uk\/Id\/nhs\u002dnumber","valu\u0065":"\u0039000000009"}"#.into(), one),
        ("grouped", identifier(r#""900 000 0009""#), one),
        ("digits without quotes", identifier("9000000009"), one),
        ("no digits", identifier(r#""UNK""#), &["UNK"]),
        ("NUL behind it", identifier(r#""9000000009\u0000""#), &["9000000009\0"]),
        ("no value", format!(r#"{{"system":"{SYSTEM}","_value":{{"extension":[]}}}}"#), &[]),
        ("null value", identifier("null"), &[]),
        ("null system", r#"{"system":null,"value":"9000000009"}"#.into(), &[]),
        ("number in a quantity", r#"{"system":"http://unitsofmeasure.org","value":1.5}"#.into(), &[]),
        ("white space", format!("\t{good}\r\n"), one),
        ("pair of surrogates", r#"{"a":"\ud83d\ude00"}"#.into(), &[]),
    ] {
        assert_eq!(read_json(&body), patients(expected), "{name}");
    }
}

#[test]
fn what_parsers_read_differently_is_unreadable_as_json() {
    let not_json = "it is not JSON";
    let good = identifier(r#""9000000009""#);
    for (name, body, expected) in [
        ("name twice", r#"{"a":1,"b":2,"a":1}"#.into(), REPEATED),
        ("name twice, escaped", r#"{"value":1,"valu\u0065":1}"#.into(), REPEATED),
        ("name twice, deep", r#"{"a":[{"b":{"c":{},"c":{}}}]}"#.into(), REPEATED),
        ("number twice", format!(r#"{{"system":"{SYSTEM}","value":"1","value":"2"}}"#), REPEATED),
        ("capitals", format!(r#"{{"System":"{SYSTEM}","value":"1"}}"#), OTHER_CASE),
        ("all capitals", format!(r#"{{"system":"{SYSTEM}","VALUE":"1"}}"#), OTHER_CASE),
        ("a fraction", identifier("9000000009.0"), NOT_TEXT),
        ("a negative number", identifier("-9000000009"), NOT_TEXT),
        ("a list for a value", identifier(r#"["9000000009"]"#), NOT_TEXT),
        ("an object for a value", identifier("{}"), NOT_TEXT),
        ("a flag for a value", identifier("true"), NOT_TEXT),
        ("a list for a system", format!(r#"{{"system":["{SYSTEM}"],"value":"1"}}"#), NOT_TEXT),
        ("two values", format!("{good}{good}"), not_json),
        ("something behind it", format!("{good} x"), not_json),
        ("NUL behind it", format!("{good}\0"), not_json),
        ("cut off", good.trim_end_matches('}').into(), not_json),
        ("comma behind the last", r#"{"a":1,}"#.into(), not_json),
        ("comment", r#"{"a":1/*b*/}"#.into(), not_json),
        ("single quotes", "{'a':1}".into(), not_json),
        ("no quotes", "{a:1}".into(), not_json),
        ("leading zero", r#"{"a":01}"#.into(), not_json),
        ("NaN", r#"{"a":NaN}"#.into(), not_json),
        ("raw line end", "{\"a\":\"\n\"}".into(), not_json),
        ("half a surrogate pair", r#"{"a":"\ud83d"}"#.into(), not_json),
        ("unknown escape", r#"{"a":"\x39"}"#.into(), not_json),
        ("beyond any number", r#"{"a":1e999}"#.into(), not_json),
        ("blank that JSON has not", "{\u{a0}}".into(), not_json),
        ("too deep", format!("{}{}", r#"{"a":"#.repeat(65), "}".repeat(65)), TOO_DEEP),
    ] {
        assert_eq!(read_json(&body), Patients::Unreadable(expected), "{name}");
    }
    let deep = format!("{}1{}", r#"{"a":"#.repeat(64), "}".repeat(64));
    assert_eq!(read_json(deep), Patients::None);
}
