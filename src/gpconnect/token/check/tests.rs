//! Whole texts for everything that can be wrong with a claim.

use super::*;
use crate::{
    decide::tests::consumer,
    policy::Mode,
    token::{AudiencePolicy, Payload, TokenTerms, read},
};

const NOW: UnixSeconds = UnixSeconds(1_795_420_900);
const ROOT: &str = "https://gp.example/A20047/STU3/1/gpconnect";

/// A good token of 1.2.7, made 100 s ago.
const GOOD: &str = r#"{"iss":"https://epr.rxx01.example/","sub":"u-1",
    "aud":"https://gp.example/A20047/STU3/1/gpconnect","iat":1795420800,"exp":1795421100,
    "reason_for_request":"directcare","requested_scope":"patient/*.read",
    "requesting_device":{"resourceType":"Device","identifier":[{"system":"s","value":"v"}],
        "model":"EPR","version":"9"},
    "requesting_organization":{"resourceType":"Organization","name":"Example Hospital",
        "identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"RXX01"}]},
    "requesting_practitioner":{"resourceType":"Practitioner","id":"u-1",
        "name":[{"family":"Kaur","given":["Asha"],"prefix":["Dr"]}],
        "identifier":[{"system":"https://fhir.nhs.uk/Id/sds-user-id","value":"555000111222"},
            {"system":"https://fhir.nhs.uk/Id/sds-role-profile-id","value":"UNK"},
            {"system":"https://epr.rxx01.example/Id/user","value":"asha.k"}]}}"#;

/// A good token of 0.7.
const GOOD_OF_0_7: &str = r#"{"iss":"https://epr.rxx01.example/","sub":"u-1",
    "aud":"https://authorize.fhir.nhs.net/token","iat":1795420800,"exp":1795421100,
    "reason_for_request":"directcare","requested_scope":"patient/*.read",
    "requested_record":{"resourceType":"Patient","identifier":[
        {"system":"http://fhir.nhs.net/Id/nhs-number","value":"9000000009"}]},
    "requesting_device":{"resourceType":"Device","id":"d-1",
        "identifier":[{"system":"s","value":"v"}],"model":"EPR","version":"9"},
    "requesting_organization":{"resourceType":"Organization","id":"o-1","name":"Example Hospital",
        "identifier":[{"system":"http://fhir.nhs.net/Id/ods-organization-code","value":"RXX01"}]},
    "requesting_practitioner":{"resourceType":"Practitioner","id":"u-1",
        "name":{"family":["Kaur"],"given":["Asha"]},
        "practitionerRole":[{"role":{"coding":[{"code":"R8000"}]}}],
        "identifier":[{"system":"http://fhir.nhs.net/sds-user-id","value":"555000111222"}]}}"#;

fn sender() -> Consumer {
    consumer("200000000359", Mode::Transparent)
}

/// What is wrong with a text, and what was noticed.
fn judged(text: &str, id: Option<InteractionId>, sender: &Consumer) -> (Vec<Reason>, Observed) {
    let root = ROOT.parse().unwrap();
    let terms =
        Terms { now: NOW, interaction: id, sender: Some(sender), service_root: Some(&root) };
    let payload = Payload::from_json(text.as_bytes().to_vec());
    let mut faults = Vec::new();
    match read(&payload) {
        Ok(claims) => {
            let observed = check(&claims, &terms, &mut faults);
            (faults, observed)
        }
        Err(fault) => (vec![fault], Observed::default()),
    }
}

fn told(text: &str, id: InteractionId) -> Vec<String> {
    let (faults, _) = judged(text, Some(id), &sender());
    faults.iter().map(Reason::diagnostics).collect()
}

/// `text` with the first `old` in it replaced by `new`.
fn changed(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "{old}");
    text.replacen(old, new, 1)
}

/// A row: its name, what of a good token is replaced by what, and the only fault.
type Row<'a> = (&'a str, &'a str, &'a str, &'a str);

fn each_has_one_fault(good: &str, id: InteractionId, rows: &[Row<'_>]) {
    for (name, old, new, expected) in rows {
        assert_eq!(told(&changed(good, old, new), id), [*expected], "{name}");
    }
}

fn all_are_good(good: &str, id: InteractionId, rows: &[(&str, &str, &str)]) {
    for (name, old, new) in rows {
        assert_eq!(told(&changed(good, old, new), id), [""; 0], "{name}");
    }
}

/// gp-connect 7.2: each claim is there; null counts as missing.
#[test]
fn a_claim_that_is_missing_is_told_with_what_belongs_there() {
    let good: serde_json::Value = serde_json::from_str(GOOD).unwrap();
    for claim in Claim::ALL.into_iter().filter(|claim| *claim != Claim::RequestedRecord) {
        let mut missing = good.clone();
        missing.as_object_mut().unwrap().remove(claim.as_str()).unwrap();
        let mut null = good.clone();
        null[claim.as_str()] = serde_json::Value::Null;
        let expected = claim.expected();
        let missing = told(&missing.to_string(), InteractionId::ReadPatient);
        assert_eq!(missing, [format!("JWT claim {claim} is missing; expected {expected}")]);
        let null = told(&null.to_string(), InteractionId::ReadPatient);
        let text =
            format!("JWT claim {claim} is null, which counts as missing; expected {expected}");
        assert_eq!(null, [text]);
    }
}

#[rustfmt::skip]
/// gp-connect 7.2: `iss`, `sub` and `aud`.
#[test]
fn strings_are_strings_and_not_empty() {
    each_has_one_fault(GOOD, InteractionId::ReadPatient, &[
        ("iss a number", "\"https://epr.rxx01.example/\"", "7",
            "JWT claim iss is a number; expected a string with the consumer's URL"),
        ("iss empty", "https://epr.rxx01.example/", "",
            "JWT claim iss is empty; expected a string with the consumer's URL"),
        ("iss blank", "https://epr.rxx01.example/", "  ",
            "JWT claim iss is empty; expected a string with the consumer's URL"),
        ("sub a list", "\"sub\":\"u-1\"", "\"sub\":[\"u-1\"]",
            "JWT claim sub is a list; expected a string with the user's id"),
        ("sub another user", "\"sub\":\"u-1\"", "\"sub\":\"u-2\"",
            "JWT claim sub is not the id of requesting_practitioner; expected the same user"),
        ("aud true", "\"https://gp.example/A20047/STU3/1/gpconnect\"", "true",
            "JWT claim aud is true or false; expected a string with the practice's service root"),
        ("aud empty", "https://gp.example/A20047/STU3/1/gpconnect", "",
            "JWT claim aud is empty; expected a string with the practice's service root"),
        ("aud another practice", "https://gp.example/A20047/STU3", "https://gp.example/B20047/STU3",
            "JWT claim aud does not point to this practice: it is a string of 42 characters; expected a URL with /A20047/ in it"),
    ]);
}

#[rustfmt::skip]
/// gp-connect 7.2: `iat` and `exp` are integers, `exp` exactly 300 s after `iat`; 299, 301,
/// negative and missing are 400; on and after `exp` a token is refused, without grace.
#[test]
fn times_are_whole_and_five_minutes_apart() {
    each_has_one_fault(GOOD, InteractionId::ReadPatient, &[
        ("299 seconds", "1795421100", "1795421099", "JWT claim exp is not 300 seconds after iat; found 299 seconds"),
        ("301 seconds", "1795421100", "1795421101", "JWT claim exp is not 300 seconds after iat; found 301 seconds"),
        ("a day", "1795421100", "1795507201", "JWT claim exp is not 300 seconds after iat; found more than a day"),
        ("iat before all time", "1795420800", "-9223372036854775808", "JWT claim exp is not 300 seconds after iat; found more than a day"),
        ("exp a fraction", "1795421100", "1795421100.0", "JWT claim exp is a number; expected a whole number, 300 more than iat"),
        ("exp in quotes", "1795421100", "\"1795421100\"", "JWT claim exp is a string of 10 characters; expected a whole number, 300 more than iat"),
        ("exp too large", "1795421100", "9223372036854775808", "JWT claim exp is a number; expected a whole number, 300 more than iat"),
        ("iat in words", "1795420800", "\"now\"", "JWT claim iat is a string of 3 characters; expected a whole number of seconds since 1970"),
        ("iat an object", "1795420800", "{}", "JWT claim iat is an object; expected a whole number of seconds since 1970"),
    ]);
    let negative = told(&changed(GOOD, "1795421100", "-1"), InteractionId::ReadPatient);
    assert_eq!(negative, [
        "JWT claim exp is not 300 seconds after iat; found minus more than a day",
        "JWT has expired, more than a day ago",
    ]);
}

/// A good token made `age` seconds ago.
fn aged(age: i64) -> String {
    let times = format!("\"iat\":{},\"exp\":{}", NOW.0 - age, NOW.0 - age + 300);
    changed(GOOD, "\"iat\":1795420800,\"exp\":1795421100", &times)
}

/// gp-connect 7.2: now >= `exp` SHALL be rejected. gp-connect 7.3: `iat` may lie up to 300 s ahead;
/// a clock 600 s slow makes the token already expired; the skew is observed.
#[test]
fn a_token_lives_until_its_expiry_and_may_come_from_a_fast_clock() {
    for (name, age, expected) in [
        ("just made", 0, None),
        ("5 s ahead", -5, None),
        ("6 s ahead", -6, None),
        ("the last second", 299, None),
        ("at expiry", 300, Some("JWT has expired, 0 seconds ago")),
        ("600 s slow", 600, Some("JWT has expired, 300 seconds ago")),
        ("of last year", 31_000_000, Some("JWT has expired, more than a day ago")),
        ("200 s ahead", -200, None),
        ("300 s ahead", -300, None),
        (
            "301 s ahead",
            -301,
            Some("JWT claim iat lies 301 seconds in the future; expected at most 300 seconds"),
        ),
        (
            "a year ahead",
            -31_000_000,
            Some("JWT claim iat lies more than a day in the future; expected at most 300 seconds"),
        ),
    ] {
        let (faults, observed) = judged(&aged(age), Some(InteractionId::ReadPatient), &sender());
        let texts: Vec<_> = faults.iter().map(Reason::diagnostics).collect();
        assert_eq!(texts, Vec::from_iter(expected), "{name}");
        assert_eq!(observed.skew, Some((-age).clamp(-86_400, 86_400)), "{name}");
        assert_eq!(observed.is_of_a_fast_clock(), age < -5, "{name}");
    }
}

#[rustfmt::skip]
/// gp-connect 7.2: `reason_for_request` is `directcare`; 1.6 also knows `migration`.
/// gp-connect 17.
#[test]
fn the_reason_is_one_that_the_interaction_knows() {
    const TEXT: &str = "JWT claim reason_for_request is a string of";
    use InteractionId::{MigrateBinary, MigrateStructuredRecord, ReadPatient};
    for (id, reason, expected) in [
        (ReadPatient, "research", Some("8 characters; expected directcare")),
        (ReadPatient, "DirectCare", Some("10 characters; expected directcare")),
        (ReadPatient, "migration", Some("9 characters; expected directcare")),
        (MigrateStructuredRecord, "migration", None),
        (MigrateBinary, "research", Some("8 characters; expected migration")),
    ] {
        let text = changed(GOOD, "directcare", reason);
        let text = changed(&text, "patient/*.read", "patient/*.read conf/R");
        let texts = told(&text, id);
        let reasons: Vec<_> = texts.iter().filter(|text| text.starts_with(TEXT)).collect();
        assert_eq!(reasons, Vec::from_iter(expected.map(|rest| format!("{TEXT} {rest}")).as_ref()), "{reason}");
    }
}

#[rustfmt::skip]
/// gp-connect 7.2: the scope is the interaction's: an unknown value, the wrong resource word, read
/// for write and the reverse are 400. gp-connect 17: 1.6 adds `conf/N` and `conf/R`.
#[test]
fn the_scope_is_the_interactions() {
    use InteractionId::{BookAppointment, GetStructuredRecord, MigrateBinary, ReadLocation, ReadPatient};
    const TEXT: &str = "JWT claim requested_scope does not fit the interaction: ";
    for (id, scope, expected) in [
        (ReadPatient, "patient/*.read", None),
        (BookAppointment, "patient/*.write", None),
        (ReadLocation, "organization/*.read", None),
        (ReadPatient, "patient/*.write", Some("found patient/*.write, expected patient/*.read")),
        (BookAppointment, "patient/*.read", Some("found patient/*.read, expected patient/*.write")),
        (ReadLocation, "patient/*.read", Some("found patient/*.read, expected organization/*.read")),
        (ReadLocation, "organization/*.write", Some("found organization/*.write, expected organization/*.read")),
        (ReadPatient, "patient/*.*", Some("found a string of 11 characters, expected patient/*.read")),
        (ReadPatient, "Patient/*.read", Some("found a string of 14 characters, expected patient/*.read")),
        (ReadPatient, "patient/*.read ", Some("found something else behind it, expected patient/*.read")),
        (ReadPatient, "patient/*.read conf/N", Some("found something else behind it, expected patient/*.read")),
        (GetStructuredRecord, "patient/*.read", None),
        (GetStructuredRecord, "patient/*.read conf/N", None),
        (GetStructuredRecord, "patient/*.read conf/R", None),
        (GetStructuredRecord, "patient/*.read conf/V", Some(
            "found something else behind it, expected patient/*.read or patient/*.read conf/N or patient/*.read conf/R")),
    ] {
        let texts = told(&changed(GOOD, "patient/*.read", scope), id);
        assert_eq!(texts, Vec::from_iter(expected.map(|rest| format!("{TEXT}{rest}"))), "{scope}");
    }
    let migration = changed(GOOD, "directcare", "migration");
    let texts = told(&migration, MigrateBinary);
    assert_eq!(texts, [format!("{TEXT}found nothing behind it, expected patient/*.read conf/R")]);
}

#[rustfmt::skip]
/// gp-connect 7.2: the Device has `identifier[0].system`, `identifier[0].value`, `model`,
/// `version`; missing 400, not a valid Device 422.
#[test]
fn a_device_has_an_identifier_a_model_and_a_version() {
    each_has_one_fault(GOOD, InteractionId::ReadPatient, &[
        ("no identifiers", "\"identifier\":[{\"system\":\"s\",\"value\":\"v\"}],", "",
            "JWT claim requesting_device.identifier is missing; expected a list of Identifiers"),
        ("empty list", "[{\"system\":\"s\",\"value\":\"v\"}]", "[]",
            "JWT claim requesting_device.identifier[0] is missing; expected an Identifier with system and value"),
        ("no system", "{\"system\":\"s\",\"value\":\"v\"}", "{\"value\":\"v\"}",
            "JWT claim requesting_device.identifier[0].system is missing; expected a non-empty string"),
        ("value null", "\"value\":\"v\"", "\"value\":null",
            "JWT claim requesting_device.identifier[0].value is null, which counts as missing; expected a non-empty string"),
        ("model empty", "\"EPR\"", "\"\"",
            "JWT claim requesting_device.model is empty; expected a non-empty string"),
        ("no version", ",\n        \"model\":\"EPR\",\"version\":\"9\"", ",\"model\":\"EPR\"",
            "JWT claim requesting_device.version is missing; expected a non-empty string"),
        ("version a number", "\"version\":\"9\"", "\"version\":9",
            "JWT claim requesting_device is not a valid Device: version is a number; expected a string"),
        ("identifier an object", "[{\"system\":\"s\",\"value\":\"v\"}]", "{\"system\":\"s\",\"value\":\"v\"}",
            "JWT claim requesting_device is not a valid Device: identifier is an object; expected a list of Identifiers"),
        ("identifiers of text", "[{\"system\":\"s\",\"value\":\"v\"}]", "[\"v\"]",
            "JWT claim requesting_device is not a valid Device: identifier is a list with something else in it; expected a list of Identifiers"),
    ]);
}

#[rustfmt::skip]
/// gp-connect 7.2: the Organization has a name and an ODS code; gp-connect 7.6: the sender's.
#[test]
fn an_organisation_has_a_name_and_the_senders_code() {
    const CODE: &str = "{\"system\":\"https://fhir.nhs.uk/Id/ods-organization-code\",\"value\":\"RXX01\"}";
    const LACKS: &str = "JWT claim requesting_organization.identifier is a list without the system https://fhir.nhs.uk/Id/ods-organization-code; expected one, with the organisation's ODS code";
    const OTHER: &str = "requesting_organization does not match the sending system; expected the ODS code RXX01";
    each_has_one_fault(GOOD, InteractionId::ReadPatient, &[
        ("name null", "\"Example Hospital\"", "null",
            "JWT claim requesting_organization.name is null, which counts as missing; expected a non-empty string"),
        ("no identifiers", CODE, "", LACKS),
        ("another system", "https://fhir.nhs.uk/Id/ods-organization-code", "https://fhir.nhs.uk/Id/ods-site-code", LACKS),
        ("no value", ",\"value\":\"RXX01\"", "",
            "JWT claim requesting_organization.identifier of ods-organization-code is missing; expected one, with the organisation's ODS code"),
        ("two codes", CODE, &format!("{CODE},{}", CODE.replace("RXX01", "RXX02")),
            "JWT claim requesting_organization.identifier is a list with two different values of the system https://fhir.nhs.uk/Id/ods-organization-code; expected one, with the organisation's ODS code"),
        ("two codes in two spellings", CODE, &format!("{CODE},{}", CODE.replace("RXX01", "RXX02").replace("https://fhir.nhs.uk", "http://fhir.nhs.net")),
            "JWT claim requesting_organization.identifier is a list with two different values of the system http://fhir.nhs.net/Id/ods-organization-code; expected one, with the organisation's ODS code"),
        ("the hospital next door", "RXX01\"}]", "RXX02\"}]", OTHER),
        ("lower case", "RXX01\"}]", "rxx01\"}]", OTHER),
    ]);
    all_are_good(GOOD, InteractionId::ReadPatient, &[
        ("behind another", CODE, &format!("{{\"system\":\"x\",\"value\":\"y\"}},{CODE}")),
        ("twice the same", CODE, &format!("{CODE},{CODE}")),
    ]);
}

#[rustfmt::skip]
/// gp-connect 7.2: the Practitioner has `id`, `name[0].family` (a string), `name[0].given[0]` and
/// an SDS user id; each smartcard value is a value or `UNK`.
#[test]
fn a_practitioner_has_an_id_a_name_and_a_user_id() {
    const USER: &str = "{\"system\":\"https://fhir.nhs.uk/Id/sds-user-id\",\"value\":\"555000111222\"}";
    each_has_one_fault(GOOD, InteractionId::ReadPatient, &[
        ("no id", "\"id\":\"u-1\",", "",
            "JWT claim requesting_practitioner.id is missing; expected a non-empty string"),
        ("no name", "\"name\":[{\"family\":\"Kaur\",\"given\":[\"Asha\"],\"prefix\":[\"Dr\"]}],", "",
            "JWT claim requesting_practitioner.name is missing; expected the user's name"),
        ("no names", "[{\"family\":\"Kaur\",\"given\":[\"Asha\"],\"prefix\":[\"Dr\"]}]", "[]",
            "JWT claim requesting_practitioner.name[0] is missing; expected the user's name"),
        ("no family", "\"family\":\"Kaur\",", "",
            "JWT claim requesting_practitioner.name[0].family is missing; expected a non-empty string"),
        ("family empty", "Kaur", "",
            "JWT claim requesting_practitioner.name[0].family is empty; expected a non-empty string"),
        ("no given", "\"given\":[\"Asha\"],", "",
            "JWT claim requesting_practitioner.name[0].given[0] is missing; expected a non-empty string"),
        ("given empty", "[\"Asha\"]", "[]",
            "JWT claim requesting_practitioner.name[0].given[0] is missing; expected a non-empty string"),
        ("family of 0.x", "\"Kaur\"", "[\"Kaur\"]",
            "JWT claim requesting_practitioner is not a valid Practitioner: name[0].family is a list; expected a string"),
        ("given a text", "[\"Asha\"]", "\"Asha\"",
            "JWT claim requesting_practitioner is not a valid Practitioner: name[0].given is a string of 4 characters; expected a list of strings"),
        ("given of numbers", "[\"Asha\"]", "[\"Asha\",7]",
            "JWT claim requesting_practitioner is not a valid Practitioner: name[0].given is a list with something else in it; expected a list of strings"),
        ("prefix a text", "[\"Dr\"]", "\"Dr\"",
            "JWT claim requesting_practitioner is not a valid Practitioner: name[0].prefix is a string of 2 characters; expected a list of strings"),
        ("name of 0.x", "[{\"family\":\"Kaur\",\"given\":[\"Asha\"],\"prefix\":[\"Dr\"]}]", "{\"family\":\"Kaur\",\"given\":[\"Asha\"]}",
            "JWT claim requesting_practitioner is not a valid Practitioner: name is not a list; expected a list of HumanNames"),
        ("no user id", "sds-user-id", "sds-user",
            "JWT claim requesting_practitioner.identifier is a list without the system https://fhir.nhs.uk/Id/sds-user-id; expected one, with the user's id or UNK"),
        ("user id empty", "555000111222", "",
            "JWT claim requesting_practitioner.identifier of sds-user-id is empty; expected one, with the user's id or UNK"),
        ("two users", USER, &format!("{USER},{}", USER.replace("222", "333")),
            "JWT claim requesting_practitioner.identifier is a list with two different values of the system https://fhir.nhs.uk/Id/sds-user-id; expected one, with the user's id or UNK"),
        ("role without a value", ",\"value\":\"UNK\"", "",
            "JWT claim requesting_practitioner.identifier of sds-role-profile-id is missing; expected one, with the user's role profile or UNK"),
    ]);
}

#[rustfmt::skip]
/// gp-connect 7.3: variance that must be tolerated.
/// gp-connect 7.2.
#[test]
fn variance_is_tolerated() {
    all_are_good(GOOD, InteractionId::ReadPatient, &[
        ("as it is", "\"iss\"", "\"iss\""),
        ("no role profile", "{\"system\":\"https://fhir.nhs.uk/Id/sds-role-profile-id\",\"value\":\"UNK\"},", ""),
        ("no local id", ",\n            {\"system\":\"https://epr.rxx01.example/Id/user\",\"value\":\"asha.k\"}", ""),
        ("no smartcard", "555000111222", "UNK"),
        ("old spelling of the organisation", "https://fhir.nhs.uk/Id/ods", "http://fhir.nhs.net/Id/ods"),
        ("no title", ",\"prefix\":[\"Dr\"]", ""),
        ("a title that is null", "[\"Dr\"]", "null"),
        ("a second name that has nothing", "\"prefix\":[\"Dr\"]}", "\"prefix\":[\"Dr\"]},{\"use\":\"old\"}"),
        ("slashes escaped", "https://fhir.nhs.uk/Id/ods", "https:\\/\\/fhir.nhs.uk\\/Id\\/ods"),
        ("a name escaped", "\"iss\"", "\"\\u0069ss\""),
        ("a letter beyond ASCII", "Kaur", "K\u{e4}ur"),
        ("unknown claims", "{\"iss\"", "{\"jti\":\"x\",\"extra\":{\"a\":[1,2.5,null,true]},\"iss\""),
        ("requested_record of 0.x", "{\"iss\"", "{\"requested_record\":{\"resourceType\":\"Patient\"},\"iss\""),
        ("requested_record of any kind", "{\"iss\"", "{\"requested_record\":7,\"iss\""),
    ]);
}

#[rustfmt::skip]
/// gp-connect 7.4: 422 for what is no FHIR resource or holds an undeclared element, 400 for a real
/// type in the wrong place.
#[test]
fn what_is_no_resource_is_422_and_a_resource_in_the_wrong_place_400() {
    const NOT_A_DEVICE: &str = "JWT claim requesting_device is not a valid Device:";
    for (name, old, new, status, expected) in [
        ("a word", "{\"resourceType\":\"Device\"", "\"d-1\",\"x\":{\"resourceType\":\"Device\"", 422,
            format!("{NOT_A_DEVICE} it is a string of 3 characters; expected an object")),
        ("a list", "{\"resourceType\":\"Device\"", "[],\"x\":{\"resourceType\":\"Device\"", 422,
            format!("{NOT_A_DEVICE} it is a list; expected an object")),
        ("no type", "\"resourceType\":\"Device\",", "", 422,
            format!("{NOT_A_DEVICE} resourceType is missing; expected Device")),
        ("type a number", "\"Device\"", "7", 422,
            format!("{NOT_A_DEVICE} resourceType is a number; expected Device")),
        ("type null", "\"Device\"", "null", 422,
            format!("{NOT_A_DEVICE} resourceType is null, which counts as missing; expected Device")),
        ("no FHIR type", "\"Device\"", "\"InvalidResourceType\"", 422,
            format!("{NOT_A_DEVICE} resourceType is a string of 19 characters that names no FHIR type; expected Device")),
        ("lower case", "\"Device\"", "\"device\"", 422,
            format!("{NOT_A_DEVICE} resourceType is a string of 6 characters that names no FHIR type; expected Device")),
        ("undeclared", "\"model\"", "\"invalidField\":1,\"model\"", 422,
            format!("{NOT_A_DEVICE} invalidField; Device has no such element")),
        ("undeclared and null", "\"model\"", "\"invalidField\":null,\"model\"", 422,
            format!("{NOT_A_DEVICE} invalidField; Device has no such element")),
        ("of another version", "\"model\"", "\"expiry\":\"2027\",\"model\"", 422,
            format!("{NOT_A_DEVICE} expiry; Device has no such element")),
        ("undeclared in an identifier", "\"system\":\"s\"", "\"system\":\"s\",\"key\":1", 422,
            format!("{NOT_A_DEVICE} identifier[0].key; Identifier has no such element")),
        ("undeclared in the second", "\"value\":\"v\"}", "\"value\":\"v\"},{\"key\":1}", 422,
            format!("{NOT_A_DEVICE} identifier[1].key; Identifier has no such element")),
        ("a number for a name", "\"model\"", "\"9000000009\":1,\"model\"", 422,
            format!("{NOT_A_DEVICE} (a name of 10 characters); Device has no such element")),
        ("undeclared in a name", "\"family\"", "\"surname\":\"x\",\"family\"", 422,
            "JWT claim requesting_practitioner is not a valid Practitioner: name[0].surname; HumanName has no such element".into()),
        ("undeclared in the organisation", "\"Example Hospital\"", "\"x\",\"postcode\":\"x\"", 422,
            "JWT claim requesting_organization is not a valid Organization: postcode; Organization has no such element".into()),
        ("a patient", "\"Practitioner\"", "\"Patient\"", 400,
            "JWT claim requesting_practitioner is a FHIR Patient; expected a FHIR Practitioner".into()),
        ("a practitioner for the organisation", "\"Organization\"", "\"Practitioner\"", 400,
            "JWT claim requesting_organization is a FHIR Practitioner; expected a FHIR Organization".into()),
    ] {
        let text = changed(GOOD, old, new);
        let (faults, _) = judged(&text, Some(InteractionId::ReadPatient), &sender());
        let texts: Vec<_> = faults.iter().map(|fault| (fault.status(), fault.diagnostics())).collect();
        assert_eq!(texts, [(status, expected)], "{name}");
    }
    all_are_good(GOOD, InteractionId::ReadPatient, &[
        ("what every resource has", "\"model\"", "\"id\":\"1\",\"meta\":{},\"implicitRules\":\"x\",\"language\":\"en\",\
            \"text\":{},\"contained\":[],\"extension\":[],\"modifierExtension\":[],\"model\""),
        ("companions", "\"model\"", "\"_model\":{\"extension\":[]},\"_id\":null,\"model\""),
        ("declared elsewhere", "\"family\"", "\"use\":\"official\",\"period\":{},\"_family\":{},\"family\""),
    ]);
}

/// gp-connect 7.4: several faults in one claim are each told; a flood of them is counted.
#[test]
fn many_undeclared_elements_are_told_and_then_counted() {
    let fields = |many: usize| -> String {
        (0..many).map(|number| format!("\"field{number}\":0,")).collect()
    };
    for (many, last) in [
        (8, "field7; Device has no such element"),
        (9, "field8; Device has no such element"),
        (10, "2 more elements that Device does not have"),
        (400, "392 more elements that Device does not have"),
    ] {
        let texts = told(
            &changed(GOOD, "\"model\"", &format!("{}\"model\"", fields(many))),
            InteractionId::ReadPatient,
        );
        assert_eq!(texts.len(), many.min(9), "{many}");
        let text = format!("JWT claim requesting_device is not a valid Device: {last}");
        assert_eq!(texts.last(), Some(&text), "{many}");
    }
}

#[rustfmt::skip]
/// gp-connect 17: a token of 0.5 and 0.7: `requested_record`, one `aud`, ids, old systems, a name
/// as one object with a list of family names.
/// gp-connect 7.2.
#[test]
fn a_token_of_0_7_has_rules_of_its_own() {
    const ID: InteractionId = InteractionId::GetCareRecord;
    all_are_good(GOOD_OF_0_7, ID, &[
        ("as it is", "\"iss\"", "\"iss\""),
        ("the practice's service root", "https://authorize.fhir.nhs.net/token", ROOT),
        ("an organisation's record", "\"Patient\"", "\"Organization\""),
    ]);
    each_has_one_fault(GOOD_OF_0_7, ID, &[
        ("no record", "requested_record", "x",
            "JWT claim requested_record is missing; expected a FHIR Patient or Organization"),
        ("a device's record", "\"Patient\"", "\"Device\"",
            "JWT claim requested_record is a FHIR Device; expected a FHIR Patient or Organization"),
        ("no resource", "\"Patient\"", "\"Banana\"",
            "JWT claim requested_record is not a valid Patient or Organization: resourceType is a string of 6 characters that names no FHIR type; expected Patient or Organization"),
        ("no id of the device", "\"id\":\"d-1\",", "",
            "JWT claim requesting_device.id is missing; expected a non-empty string"),
        ("no id of the organisation", "\"id\":\"o-1\",", "",
            "JWT claim requesting_organization.id is missing; expected a non-empty string"),
        ("new spelling of the user", "http://fhir.nhs.net/sds-user-id", "https://fhir.nhs.uk/Id/sds-user-id",
            "JWT claim requesting_practitioner.identifier is a list without the system http://fhir.nhs.net/sds-user-id; expected one, with the user's id or UNK"),
        ("family a text", "[\"Kaur\"]", "\"Kaur\"",
            "JWT claim requesting_practitioner is not a valid Practitioner: name[0].family is not a list; expected a list of strings"),
        ("names in a list", "{\"family\":[\"Kaur\"],\"given\":[\"Asha\"]}", "[{\"family\":[\"Kaur\"],\"given\":[\"Asha\"]}]",
            "JWT claim requesting_practitioner is not a valid Practitioner: name is a list; expected one HumanName"),
        ("an element of STU3", "\"model\"", "\"safety\":[],\"model\"",
            "JWT claim requesting_device is not a valid Device: safety; Device has no such element"),
        ("another audience", "https://authorize.fhir.nhs.net/token", "https://other.example/",
            "JWT claim aud does not point to this practice: it is a string of 22 characters; expected a URL with /A20047/ in it"),
    ]);
}

/// gp-connect 7.6 and 18 (D2, D3, D5): what a consumer is let off, and that it is noticed.
/// gp-connect 7.1.
#[test]
fn a_consumer_may_have_terms_of_its_own() {
    let judge = |text: &str, token: TokenTerms| {
        let (faults, observed) =
            judged(text, Some(InteractionId::ReadPatient), &Consumer { token, ..sender() });
        (faults.iter().map(Reason::word).collect::<Vec<_>>(), observed)
    };
    let other = changed(GOOD, "RXX01\"}]", "RXX02\"}]");
    let (words, observed) = judge(&other, TokenTerms::default());
    assert_eq!(words, ["organisation_mismatch"]);
    assert!(observed.is_of_another_organisation);
    let (words, observed) =
        judge(&other, TokenTerms { any_organisation: true, ..TokenTerms::default() });
    assert!(words.is_empty() && observed.is_of_another_organisation);
    assert!(!judge(GOOD, TokenTerms::default()).1.is_of_another_organisation);

    for (policy, aud, good) in [
        (AudiencePolicy::Off, "x", true),
        (AudiencePolicy::Ods, "https://gateway.example/A20047/x", true),
        (AudiencePolicy::Ods, "x", false),
        (AudiencePolicy::Prefix, "https://gp.example/A20047/STU3/1", true),
        (AudiencePolicy::Prefix, "https://gateway.example/A20047/STU3/1", false),
        (AudiencePolicy::Exact, ROOT, true),
        (AudiencePolicy::Exact, "https://gp.example/A20047/STU3/1", false),
    ] {
        let text = changed(GOOD, ROOT, aud);
        let (words, _) = judge(&text, TokenTerms { audience: policy, ..TokenTerms::default() });
        assert_eq!(words.is_empty(), good, "{policy:?} {aud}");
    }
    assert_eq!(judge(GOOD, TokenTerms::default()).1.audience, Some(AudienceMatch::Exact));
}

/// gp-connect 7.2: nothing that is not known is held against a token.
#[test]
fn what_depends_on_unknown_facts_is_not_checked() {
    let payload = |text: &str| Payload::from_json(text.as_bytes().to_vec());
    let terms = Terms { now: NOW, interaction: None, sender: None, service_root: None };
    for (name, old, new, expected) in [
        ("another practice", "A20047", "B20047", None),
        ("another organisation", "RXX01", "RXX02", None),
        ("a scope of some interaction", "patient/*.read", "patient/*.write", None),
        (
            "a scope of none",
            "patient/*.read",
            "organization/*.write",
            Some(
                "JWT claim requested_scope does not fit the interaction: found organization/*.write, expected patient/*.read, patient/*.write or organization/*.read",
            ),
        ),
        ("a reason of some interaction", "directcare", "migration", None),
        (
            "a reason of none",
            "directcare",
            "research",
            Some("JWT claim reason_for_request is a string of 8 characters; expected directcare"),
        ),
    ] {
        let payload = payload(&changed(GOOD, old, new));
        let mut faults = Vec::new();
        check(&read(&payload).unwrap(), &terms, &mut faults);
        let texts: Vec<_> = faults.iter().map(Reason::diagnostics).collect();
        assert_eq!(texts, Vec::from_iter(expected), "{name}");
    }
}

proptest::proptest! {
    /// gp-connect 7: no claims make a check panic, and none is repeated in an operator's note.
    #[test]
    fn no_claims_panic(place in 0..GOOD.len(), length in 0..40_usize, new in "[\\[\\]{}:,\"0-9a-z]{0,8}") {
        let mut text = GOOD.as_bytes().to_vec();
        let end = (place + length).min(text.len());
        text.splice(place..end, new.bytes());
        let text = String::from_utf8(text).unwrap();
        for fault in judged(&text, Some(InteractionId::GetCareRecord), &sender()).0 {
            proptest::prop_assert!(!fault.note().contains("Kaur"));
            proptest::prop_assert!(!fault.diagnostics().is_empty());
        }
    }
}
