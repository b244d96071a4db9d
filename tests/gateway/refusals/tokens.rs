//! The token: what holds it, and what it claims.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::check::all_are_refused;
use super::region;
use super::{Case, base};
use crate::harness::token::claims;
use crate::harness::{Call, World};

fn good(world: &World) -> Value {
    claims("patient/*.read", world.practice(0).service_root.as_str())
}

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// gp-connect 7.1.
#[tokio::test]
async fn what_holds_the_claims() {
    let world = region::start("").await;
    let claims = part(&good(&world).to_string());
    let header = part(r#"{"alg":"none","typ":"JWT"}"#);
    let with = |header: &str| format!("Bearer {}.{claims}.", part(header));
    let padded = STANDARD.encode(good(&world).to_string() + " ");
    let mut cases = Vec::new();
    for (name, value, says) in [
        ("empty", String::new(), "Bearer"),
        ("scheme alone", "Bearer".into(), "Bearer"),
        ("no token", "Bearer ".into(), "Bearer"),
        ("another scheme", "Basic dXNlcjpwYXNz".into(), "Bearer"),
        ("two blanks", format!("Bearer  {header}.{claims}."), "one blank"),
        ("two tokens", format!("Bearer {header}.{claims}. {header}.{claims}."), "one token"),
        ("a list", format!("Bearer {header}.{claims}.,Bearer x"), "one token"),
        ("a word", "Bearer abc".into(), "1 part"),
        ("no last dot", format!("Bearer {header}.{claims}"), "ends in a dot"),
        ("four parts", format!("Bearer {header}.{claims}.."), "4 parts"),
        ("a signature", format!("Bearer {header}.{claims}.c2ln"), "unsigned"),
        ("HS256", with(r#"{"alg":"HS256","typ":"JWT"}"#), "alg"),
        ("None", with(r#"{"alg":"None","typ":"JWT"}"#), "alg"),
        ("no algorithm", with(r#"{"typ":"JWT"}"#), "alg"),
        ("algorithm twice", with(r#"{"alg":"none","alg":"none","typ":"JWT"}"#), "twice"),
        ("no type", with(r#"{"alg":"none"}"#), "typ"),
        ("another type", with(r#"{"alg":"none","typ":"JOSE"}"#), "typ"),
        ("header of a list", with("[]"), "one JSON object"),
        ("padded", format!("Bearer {header}.{padded}."), "base64url"),
        ("not base64", format!("Bearer {header}.{claims}!."), "base64url"),
        (
            "too long",
            format!("Bearer {header}.{}.", "e30a".repeat(4_200)),
            "expected at most 16384",
        ),
        ("claims of a list", format!("Bearer {header}.{}.", part("[]")), "one JSON object"),
        ("claims of nothing", format!("Bearer {header}.."), "not JSON"),
        ("claims broken off", format!("Bearer {header}.{}.", part("{\"iss\":")), "not JSON"),
        (
            "claims not text",
            format!("Bearer {header}.{}.", URL_SAFE_NO_PAD.encode([0xff, 0xfe])),
            "not UTF-8",
        ),
        (
            "a claim twice",
            format!("Bearer {header}.{}.", part("{\"iss\":\"a\",\"iss\":\"b\"}")),
            "twice",
        ),
        ("deep", format!("Bearer {header}.{}.", part(&"[".repeat(3_000))), "at most 16"),
    ] {
        let call = base(&world).with("Authorization", &value);
        cases.push(Case::of(name, call, "token_malformed").says(says));
    }
    all_are_refused(&world, cases).await;
}

/// A good token with one place changed; null takes it away.
fn changed(world: &World, place: &str, value: &Value) -> Call {
    let mut claims = good(world);
    let (parent, name) = place.rsplit_once('/').unwrap();
    let parent = claims.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(name).unwrap();
    } else {
        parent.insert(name.to_owned(), value.clone()).unwrap();
    }
    base(world).claiming(&claims)
}

const CLAIMS: [&str; 10] = [
    "iss",
    "sub",
    "aud",
    "iat",
    "exp",
    "reason_for_request",
    "requested_scope",
    "requesting_device",
    "requesting_organization",
    "requesting_practitioner",
];

/// gp-connect 7.2.
#[tokio::test]
async fn claims_that_are_missing() {
    let world = region::start("").await;
    let mut cases = Vec::new();
    for name in CLAIMS {
        let missing = changed(&world, &format!("/{name}"), &Value::Null);
        cases.push(Case::of(name, missing, "claim_missing").says(name));
        let mut claims = good(&world);
        claims[name] = Value::Null;
        let null = base(&world).claiming(&claims);
        cases.push(Case::of(format!("{name} null"), null, "claim_missing").says(name));
    }
    all_are_refused(&world, cases).await;
}

/// gp-connect 7.2.
#[tokio::test]
async fn claims_that_are_wrong() {
    let world = region::start("").await;
    let now = good(&world)["iat"].as_i64().unwrap();
    let (invalid, resource) = ("claim_invalid", "claim_not_resource");
    let unreadable = "claim_unreadable";
    let mut cases = Vec::new();
    for (name, place, value, word, says) in [
        ("issuer a number", "/iss", json!(7), unreadable, "JWT claim iss is a number"),
        ("issuer empty", "/iss", json!(""), invalid, "JWT claim iss"),
        ("user empty", "/sub", json!(""), invalid, "JWT claim sub"),
        ("another user", "/sub", json!("u-2"), invalid, "JWT claim sub"),
        ("audience empty", "/aud", json!(""), invalid, "JWT claim aud"),
        (
            "another practice",
            "/aud",
            json!("https://gp1.sim.example/B82617/STU3/1/gpconnect"),
            invalid,
            "JWT claim aud",
        ),
        ("issued in words", "/iat", json!("now"), unreadable, "JWT claim iat"),
        ("299 seconds", "/exp", json!(now + 299), invalid, "300 seconds"),
        ("301 seconds", "/exp", json!(now + 301), invalid, "300 seconds"),
        ("a fraction", "/exp", json!(1.5), unreadable, "JWT claim exp"),
        ("another reason", "/reason_for_request", json!("research"), invalid, "directcare"),
        ("reason in capitals", "/reason_for_request", json!("DirectCare"), invalid, "directcare"),
        (
            "no scope of any",
            "/requested_scope",
            json!("patient/*.*"),
            "scope_mismatch",
            "patient/*.read",
        ),
        (
            "to write",
            "/requested_scope",
            json!("patient/*.write"),
            "scope_mismatch",
            "patient/*.read",
        ),
        (
            "of organisations",
            "/requested_scope",
            json!("organization/*.read"),
            "scope_mismatch",
            "patient/*.read",
        ),
        (
            "device of another kind",
            "/requesting_device/resourceType",
            json!("Banana"),
            resource,
            "not a valid Device",
        ),
        ("device without kind", "/requesting_device/resourceType", Value::Null, resource, "Device"),
        ("device a word", "/requesting_device", json!("d-1"), resource, "Device"),
        ("device without model", "/requesting_device/model", Value::Null, invalid, "model"),
        ("device without version", "/requesting_device/version", Value::Null, invalid, "version"),
        ("device without id", "/requesting_device/identifier", json!([]), invalid, "identifier"),
        (
            "device with a field of its own",
            "/requesting_device/identifier",
            json!([{"system": "s", "value": "v", "invalidField": 1}]),
            "claim_element",
            "not a valid Device: identifier[0].invalidField",
        ),
        (
            "organisation of another kind",
            "/requesting_organization/resourceType",
            json!("Device"),
            "claim_misplaced",
            "Organization",
        ),
        (
            "organisation without name",
            "/requesting_organization/name",
            Value::Null,
            invalid,
            "name",
        ),
        (
            "organisation without code",
            "/requesting_organization/identifier",
            json!([]),
            invalid,
            "ODS",
        ),
        (
            "practitioner of another kind",
            "/requesting_practitioner/resourceType",
            json!("Person"),
            "claim_misplaced",
            "Practitioner",
        ),
        ("practitioner without id", "/requesting_practitioner/id", Value::Null, invalid, "id"),
        (
            "practitioner without name",
            "/requesting_practitioner/name",
            json!([]),
            invalid,
            "name[0] is missing",
        ),
        (
            "practitioner without user id",
            "/requesting_practitioner/identifier",
            json!([]),
            invalid,
            "sds-user-id",
        ),
    ] {
        cases.push(Case::of(name, changed(&world, place, &value), word).says(says));
    }
    all_are_refused(&world, cases).await;
}

/// gp-connect 7.2 and 7.6.
#[tokio::test]
async fn a_token_of_another_time_or_organisation() {
    let world = region::start("").await;
    let now = good(&world)["iat"].as_i64().unwrap();
    let at = |iat: i64| {
        let mut claims = good(&world);
        claims["iat"] = json!(iat);
        claims["exp"] = json!(iat + 300);
        base(&world).claiming(&claims)
    };
    let of = |code: &str| {
        let identifier =
            json!([{"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": code}]);
        changed(&world, "/requesting_organization/identifier", &identifier)
    };
    let cases = vec![
        Case::of("at its expiry", at(now - 300), "token_expired").says("expired"),
        Case::of("ten minutes old", at(now - 600), "token_expired"),
        Case::of("of 1970", at(0), "token_expired"),
        Case::of("of the future", at(now + 600), "claim_invalid").says("iat"),
        Case::of("of the far future", at(i64::MAX - 300), "claim_invalid").says("iat"),
        Case::of("the hospital next door", of("RXX02"), "organisation_mismatch")
            .says("does not match the sending system"),
        Case::of("the practice itself", of("A20047"), "organisation_mismatch"),
        Case::of("in lower case", of("rxx01"), "organisation_mismatch"),
    ];
    all_are_refused(&world, cases).await;
}
