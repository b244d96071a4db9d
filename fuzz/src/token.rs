//! Stage 7: the container of a token gives back its own bytes, and claims say what the JSON says.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gpconnect::{
    facts::Field,
    token::{Claims, Given, Payload, Text, open, read},
};
use serde_json::{Map, Value};

use super::plain::{count, plain};

/// The container's usual first part: `{"alg":"none","typ":"JWT"}`.
const USUAL_HEADER: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
/// The longest header value that is read.
const LIMIT: usize = 16_384;
/// Lists and objects in each other that a token may have.
const MAX_DEPTH: usize = 16;
/// Values that a token may have, itself and all that is in it.
const MAX_VALUES: usize = 500;

/// The value of `Authorization` for a token with these claims.
pub fn bearer(claims: &[u8]) -> String {
    format!("Bearer {USUAL_HEADER}.{}.", URL_SAFE_NO_PAD.encode(claims))
}

/// Bytes that may be the value of `Authorization`, and may be the claims within one: an accepted
/// token prints as it was sent; claims are read when any JSON reader can read them in one way only,
/// and then each is what that reader finds.
pub fn token(bytes: &[u8]) {
    let mut faults = Vec::new();
    let opened = open(Field::One(bytes), LIMIT, &mut faults);
    assert!(opened.is_some() || !faults.is_empty(), "no claims, and no fault");
    if let Some(payload) = opened {
        assert!(bytes.len() <= LIMIT);
        let (scheme, token) = str::from_utf8(bytes).unwrap().split_once(' ').unwrap();
        assert!(scheme.eq_ignore_ascii_case("bearer"));
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(URL_SAFE_NO_PAD.encode(payload.bytes()), parts[1], "printed, it is another");
        assert_eq!(payload.ends_in_dot(), parts.len() == 3);
        assert!(!faults.is_empty() || parts[2..].concat().is_empty(), "a signature passed");
        check_claims(&payload);
    }
    let wrapped = bearer(bytes);
    faults.clear();
    match open(Field::One(wrapped.as_bytes()), LIMIT, &mut faults) {
        Some(payload) => assert_eq!(payload.bytes(), bytes, "other claims than were sent"),
        None => assert!(wrapped.len() > LIMIT, "a good container was refused"),
    }
    assert_eq!(faults.is_empty(), wrapped.len() <= LIMIT);
    check_claims(&Payload::from_json(bytes.to_vec()));
}

/// The members of a JSON object, if it can be read in one way only and is no larger than a token
/// may be.
pub(super) fn object(text: &[u8]) -> Option<Map<String, Value>> {
    let value = plain(text, MAX_DEPTH).ok().filter(|value| count(value) <= MAX_VALUES)?;
    if let Value::Object(members) = value { Some(members) } else { None }
}

fn check_claims(payload: &Payload) {
    let claims = match (read(payload), object(payload.bytes())) {
        (Ok(claims), Some(members)) => (claims, members),
        (Err(_), Some(_)) => panic!("claims that leave no doubt were refused"),
        (Ok(_), None) => panic!("claims were read that are in doubt, or more than there may be"),
        (Err(_), None) => return,
    };
    let (Claims { iss, sub, aud, iat, exp, reason_for_request, requested_scope, .. }, members) =
        &claims;
    for (name, claim) in [
        ("iss", iss),
        ("sub", sub),
        ("aud", aud),
        ("reason_for_request", reason_for_request),
        ("requested_scope", requested_scope),
    ] {
        let text = |text: &Text<'_>| Value::from(text.expose());
        assert_same(claim, text, members.get(name), Value::is_string, name);
    }
    for (name, claim) in [("iat", iat), ("exp", exp)] {
        assert_same(claim, |seconds| Value::from(*seconds), members.get(name), Value::is_i64, name);
    }
}

fn assert_same<T: fmt::Debug>(
    claim: &Given<T>,
    print: impl Fn(&T) -> Value,
    value: Option<&Value>,
    fits: impl Fn(&Value) -> bool,
    name: &str,
) {
    match (claim, value) {
        (Given::Value(claim), Some(value)) => assert_eq!(print(claim), *value, "{name}"),
        (Given::Missing, None) | (Given::Null, Some(Value::Null)) => {}
        (Given::Other(_), Some(value)) => assert!(!fits(value) && !value.is_null(), "{name}"),
        (claim, value) => panic!("{name} is {value:?} and was read as {claim:?}"),
    }
}
