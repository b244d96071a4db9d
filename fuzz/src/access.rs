//! Stage 7, for access tokens: what holds the claims gives back its own bytes, and claims are right
//! exactly when a reader that knows nothing but JSON finds each of them right.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gpconnect::{
    facts::UnixSeconds,
    policy::{Consumer, ConsumerIndex, Policy},
    token::access::{
        AccessTerms, ClaimMapping, ClaimPath, Confirmation, Issuer, IssuerIndex, Terms, check, open,
    },
};
use serde_json::{Map, Value};

use super::{
    token::object,
    world::{NOW, world},
};

/// `{"alg":"ES256","typ":"at+jwt"}`.
const HEADER: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9";
const ISSUER: &str = "https://id.rxx01.example/";
const AUDIENCES: [&str; 2] = ["https://gateway.example/", "gpconnect"];
const CERTIFICATE: [u8; 32] = [7; 32];
/// Of [`CERTIFICATE`], in base64url.
const HASH: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
const LONGEST: i64 = 1_800;

/// Bytes that may be an access token, and may be the claims of one with a good signature.
pub fn access(bytes: &[u8]) {
    if let Ok(opened) = open(bytes) {
        let parts: Vec<&str> = str::from_utf8(bytes).unwrap().split('.').collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(opened.message, parts[..2].join(".").as_bytes());
        assert_eq!(opened.signature, parts[2]);
        let token = opened.proved(IssuerIndex(0));
        assert_eq!(URL_SAFE_NO_PAD.encode(token.claims.bytes()), parts[1]);
    }
    let wrapped = format!("{HEADER}.{}.c2ln", URL_SAFE_NO_PAD.encode(bytes));
    let opened = open(wrapped.as_bytes()).expect("a good container was refused");
    let members = object(bytes);
    let iss = members.as_ref().and_then(|members| members.get("iss")?.as_str());
    assert_eq!(opened.issuer().ok().as_ref().map(|iss| iss.expose()), iss);
    let token = opened.proved(IssuerIndex(0));
    assert_eq!(token.claims.bytes(), bytes);
    let (policy, sender) = &*ESTATE;
    let (now, certificate) = (UnixSeconds(NOW), Some(&CERTIFICATE));
    let mut faults = Vec::new();
    let terms = Terms { now, certificate, sender: Some(sender), policy };
    let checked = check(&token, &terms, &mut faults);
    assert_eq!(checked.is_right, faults.is_empty());
    assert_eq!(checked.is_right, members.is_some_and(|members| is_right(&members)), "{faults:?}");
    assert!(checked.user.is_some() || !checked.is_right, "of nobody");
}

static ESTATE: LazyLock<(Policy, Consumer)> = LazyLock::new(|| {
    let path = |text: &str| text.parse::<ClaimPath>().unwrap();
    let issuer = Issuer {
        name: "trust".into(),
        issuer: ISSUER.into(),
        audiences: AUDIENCES.map(String::from).to_vec(),
        confirmation: Confirmation::Required,
        longest: LONGEST,
        mapping: ClaimMapping {
            user_id: path("sub"),
            family_name: path("name.family"),
            given_name: path("name.given"),
            prefix: Some(path("name.prefix")),
            sds_user_id: None,
            role: Some(path("roles.0.code")),
            organisation: path("ods"),
            device: None,
        },
    };
    let access = AccessTerms {
        issuers: vec![IssuerIndex(0)],
        iss: "https://epr.rxx01.example/".into(),
        organisation_name: "Northern Hospital".into(),
        device_model: "EPR".into(),
        device_version: "1".into(),
    };
    let sender = world().policy.consumer(ConsumerIndex(0)).expect("the first consumer");
    let sender = Consumer { access: Some(Box::new(access)), ..sender.clone() };
    (Policy::default().with_issuers(vec![issuer]), sender)
});

fn is_right(claims: &Map<String, Value>) -> bool {
    let is_there = |name: &str| claims.get(name).is_some_and(|value| !value.is_null());
    let seconds = |name: &str| claims.get(name).and_then(Value::as_i64).map(i128::from);
    let now = i128::from(NOW);
    let is_past = |at: i128| at <= now + 60;
    let lives = match (seconds("iat"), seconds("exp")) {
        (Some(iat), Some(exp)) => {
            is_past(iat) && now < exp && (1..=i128::from(LONGEST)).contains(&(exp - iat))
        }
        _ => false,
    };
    let has_begun = !is_there("nbf") || seconds("nbf").is_some_and(is_past);
    let is_ours = |value: &Value| value.as_str().is_some_and(|text| AUDIENCES.contains(&text));
    let is_for_us = match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().all(Value::is_string) && list.iter().any(is_ours),
        other => other.is_some_and(is_ours),
    };
    let all = Value::Object(claims.clone());
    let text = |pointer: &str| all.pointer(pointer).is_some_and(is_text);
    let perhaps = |pointer: &str| all.pointer(pointer).is_none_or(Value::is_null) || text(pointer);
    claims.get("iss").is_some_and(|iss| iss == ISSUER)
        && is_for_us
        && lives
        && has_begun
        && all.pointer("/cnf/x5t#S256").is_some_and(|hash| hash == HASH)
        && ["/sub", "/name/family", "/name/given"].into_iter().all(text)
        && ["/name/prefix", "/roles/0/code"].into_iter().all(perhaps)
        && claims.get("ods").is_some_and(|code| code == "RXX01")
}

/// A text that says something, and not too much.
fn is_text(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return false };
    !text.chars().all(char::is_whitespace) && text.chars().count() <= 256
}
