//! What holds the claims: `Bearer`, three parts, base64url, `alg` none (gp-connect 7.1).

use std::fmt;

use base64_simd::URL_SAFE_NO_PAD;
use memchr::{memchr, memchr_iter, memchr3};
use serde::de::MapAccess;

use super::{
    fault::{Found, Part, TokenFault},
    given::{Given, Text},
    json::{At, Json, Reader, each_member, read as read_json},
};
use crate::{contract::Header, facts::Field, rejection::Reason};

/// The decoded JSON text of the claims.
pub struct Payload {
    json: Vec<u8>,
    ends_in_dot: bool,
}

/// Without the claims: they name people.
impl fmt::Debug for Payload {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Payload({} bytes)", self.json.len())
    }
}

impl Payload {
    /// Claims that were taken out of a token elsewhere.
    pub const fn from_json(json: Vec<u8>) -> Self {
        Self { json, ends_in_dot: true }
    }

    /// The JSON text.
    pub fn bytes(&self) -> &[u8] {
        &self.json
    }

    /// Whether the token ended in a dot, as it has to. Whether that matters depends on its sender,
    /// who is not known yet (D2).
    pub const fn ends_in_dot(&self) -> bool {
        self.ends_in_dot
    }
}

/// `{"alg":"none","typ":"JWT"}`, as nearly every consumer spells it.
const USUAL_HEADER: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";

/// Members other than these two are ignored (gp-connect 7.1).
#[derive(Default)]
struct JoseHeader<'t> {
    alg: Given<Text<'t>>,
    typ: Given<Text<'t>>,
}

impl<'t> Json<'t> for JoseHeader<'t> {
    fn from_object<A: MapAccess<'t>>(
        object: A,
        at: At<'_>,
        place: &mut Given<Self>,
    ) -> Result<(), A::Error> {
        let mut header = Self::default();
        each_member(object, at, |mut member| match member.name {
            "alg" => member.read(&mut header.alg),
            "typ" => member.read(&mut header.typ),
            _ => member.pass(),
        })?;
        *place = Given::Value(header);
        Ok(())
    }
}

/// Takes the claims out of an `Authorization` header of at most `limit` bytes, and adds a fault for
/// each thing that is wrong with what holds them. Where the claims can be had, they are, so that
/// their faults are told in the same round.
pub fn open(authorization: Field<'_>, limit: usize, faults: &mut Vec<Reason>) -> Option<Payload> {
    match bearer(authorization, limit) {
        Ok(token) => usual(token).or_else(|| {
            let mut note = |fault| faults.push(Reason::TokenMalformed(fault));
            parts(token, &mut note)
        }),
        Err(reason) => {
            faults.push(reason);
            None
        }
    }
}

/// What stands behind the scheme in an `Authorization` header of at most `limit` bytes.
///
/// # Errors
/// 400 when there is no such header, several, a longer one, or one of another scheme.
pub fn bearer(authorization: Field<'_>, limit: usize) -> Result<&[u8], Reason> {
    let bytes = match authorization {
        Field::Absent => return Err(Reason::HeaderMissing(Header::Authorization)),
        Field::Many => return Err(Reason::HeaderRepeated(Header::Authorization.as_str())),
        Field::One(bytes) => bytes,
    };
    if bytes.len() > limit {
        return Err(Reason::TokenMalformed(TokenFault::TooLong { length: bytes.len(), limit }));
    }
    match bytes.split_at_checked("Bearer ".len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer ") => Ok(token),
        _ => Err(Reason::TokenMalformed(TokenFault::NotBearer)),
    }
}

/// A token of the usual header. Only the decoder looks at every byte: it refuses blanks and dots.
fn usual(token: &[u8]) -> Option<Payload> {
    let claims = token.strip_prefix(USUAL_HEADER.as_bytes())?.strip_prefix(b".")?;
    let json = URL_SAFE_NO_PAD.decode_to_vec(claims.strip_suffix(b".")?).ok()?;
    Some(Payload { json, ends_in_dot: true })
}

/// Exactly three parts, the last one empty: the compact form ends in a dot.
fn parts(token: &[u8], note: &mut impl FnMut(TokenFault)) -> Option<Payload> {
    let Ok(token) = str::from_utf8(token) else {
        note(TokenFault::NotAscii);
        return None;
    };
    if token.is_empty() || memchr3(b' ', b'\t', b',', token.as_bytes()).is_some() {
        note(TokenFault::NotBearer);
        return None;
    }
    let (header, rest) = cut_at_dot(token);
    let (claims, signature) = rest.map(cut_at_dot).unzip();
    let signature = signature.flatten();
    // Counted as bytes, so that a token of nothing but dots is not cut up.
    let further = memchr_iter(b'.', signature.unwrap_or_default().as_bytes()).count();
    let Some(claims) = claims.filter(|_| further == 0) else {
        note(TokenFault::Parts(if claims.is_none() { 1 } else { 3 + further }));
        return None;
    };
    match signature {
        None | Some("") => {}
        Some(signature) => note(TokenFault::Signed(signature.len())),
    }
    if let Err(fault) = check_header(header, note) {
        note(fault);
    }
    match decode(claims, Part::Claims) {
        Ok(json) => Some(Payload { json, ends_in_dot: signature.is_some() }),
        Err(fault) => {
            note(fault);
            None
        }
    }
}

/// What stands before the first dot, and what behind it.
fn cut_at_dot(text: &str) -> (&str, Option<&str>) {
    let dot = memchr(b'.', text.as_bytes()).and_then(|dot| text.split_at_checked(dot));
    match dot {
        Some((before, behind)) => (before, behind.get(1..)),
        None => (text, None),
    }
}

/// `alg` none and nothing else: there is no key to verify with, and what claims to be signed must
/// not pass as if it had been.
fn check_header(header: &str, note: &mut impl FnMut(TokenFault)) -> Result<(), TokenFault> {
    if header == USUAL_HEADER {
        return Ok(());
    }
    let decoded = decode(header, Part::Header)?;
    let header: JoseHeader<'_> = read_json(&decoded, &mut Reader::new(Part::Header))?;
    if let Some(found) = other_than(&header.alg, "none") {
        note(TokenFault::Algorithm(found));
    }
    if let Some(found) = other_than(&header.typ, "JWT") {
        note(TokenFault::Type(found));
    }
    Ok(())
}

fn other_than(given: &Given<Text<'_>>, expected: &str) -> Option<Found> {
    match given {
        Given::Value(text) if text.expose() == expected => None,
        Given::Value(text) => Some(Found::text(text.expose())),
        Given::Missing | Given::Null | Given::Other(_) => given.instead(),
    }
}

fn decode(part: &str, name: Part) -> Result<Vec<u8>, TokenFault> {
    URL_SAFE_NO_PAD.decode_to_vec(part).or(Err(TokenFault::NotBase64(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str) -> String {
        URL_SAFE_NO_PAD.encode_to_string(text)
    }

    /// What is wrong with a header field, and whether the claims could be had.
    fn opened(value: &str) -> (Vec<String>, bool) {
        let mut faults = Vec::new();
        let payload = open(Field::One(value.as_bytes()), 200, &mut faults);
        (faults.iter().map(Reason::diagnostics).collect(), payload.is_some())
    }

    #[rustfmt::skip]
    /// gp-connect 7.1: `Bearer`, one space, one token; three parts, the third empty; base64url
    /// without padding; a size limit.
    #[test]
    fn a_token_has_three_parts_and_no_signature() {
        const BEARER: &str = "expected \"Bearer\", one blank and one token";
        const PARTS: &str = "expected a header, claims and a last dot with nothing behind it";
        const NOT_BASE64: &str = "the token's claims are not base64url without padding";
        let claims = encode("{}");
        let good = format!("{USUAL_HEADER}.{claims}.");
        assert_eq!(USUAL_HEADER, encode(r#"{"alg":"none","typ":"JWT"}"#));
        for (name, value, expected, has_claims) in [
            ("usual", format!("Bearer {good}"), String::new(), true),
            ("another case", format!("bEARER {good}"), String::new(), true),
            ("basic", format!("Basic {good}"), BEARER.into(), false),
            ("no scheme", good.clone(), BEARER.into(), false),
            ("no token", "Bearer ".into(), BEARER.into(), false),
            ("empty", String::new(), BEARER.into(), false),
            ("two blanks", format!("Bearer  {good}"), BEARER.into(), false),
            ("a tab", format!("Bearer\t{good}"), BEARER.into(), false),
            ("two tokens", format!("Bearer {good} {good}"), BEARER.into(), false),
            ("a list", format!("Bearer {good},{good}"), BEARER.into(), false),
            ("one part", "Bearer abc".into(), format!("the token has 1 part; {PARTS}"), false),
            ("four parts", format!("Bearer {good}."), format!("the token has 4 parts; {PARTS}"), false),
            ("signed", format!("Bearer {good}c2ln"), "the token has a signature of 4 characters; GP Connect tokens are unsigned and end in a dot, and access tokens are for systems registered for them".into(), true),
            ("padded", format!("Bearer {USUAL_HEADER}.e30=."), NOT_BASE64.into(), false),
            ("standard alphabet", format!("Bearer {USUAL_HEADER}.e+/0."), NOT_BASE64.into(), false),
            ("bits behind the end", format!("Bearer {USUAL_HEADER}.e31."), NOT_BASE64.into(), false),
            ("header not base64", format!("Bearer ab!.{claims}."), "the token's header is not base64url without padding".into(), true),
            ("too long", format!("Bearer {}", "a".repeat(200)), "found 207 bytes, expected at most 200".into(), false),
        ] {
            let expected: Vec<_> = Some(expected).filter(|text| !text.is_empty())
                .map(|text| format!("Authorization header is not valid: {text}")).into_iter().collect();
            assert_eq!(opened(&value), (expected, has_claims), "{name}");
        }
        // Whether the dot may be missing depends on the sender.
        let mut faults = Vec::new();
        let dotless = format!("Bearer {USUAL_HEADER}.{claims}");
        let payload = open(Field::One(dotless.as_bytes()), 200, &mut faults).unwrap();
        assert!(faults.is_empty() && !payload.ends_in_dot());
    }

    #[rustfmt::skip]
    /// gp-connect 7.1: the header is JSON, `alg` is `none`, `typ` is `JWT`, others are ignored.
    #[test]
    fn a_header_says_none_and_jwt() {
        for (name, header, expected) in [
            ("turned", r#"{ "typ":"JWT", "alg":"none" }"#, vec![]),
            ("more members", r#"{"kid":{"a":[]},"alg":"none","cty":"x","typ":"JWT"}"#, vec![]),
            ("escaped", r#"{"\u0061lg":"none","typ":"J\u0057T"}"#, vec![]),
            ("HS256", r#"{"alg":"HS256","typ":"JWT"}"#, vec!["the token's \"alg\" is a string of 5 characters; expected none"]),
            ("None", r#"{"alg":"None","typ":"JWT"}"#, vec!["the token's \"alg\" is a string of 4 characters; expected none"]),
            ("alg null", r#"{"alg":null,"typ":"JWT"}"#, vec!["the token's \"alg\" is null, which counts as missing; expected none"]),
            ("alg a list", r#"{"alg":["none"],"typ":"JWT"}"#, vec!["the token's \"alg\" is a list; expected none"]),
            ("lower case", r#"{"alg":"none","typ":"jwt"}"#, vec!["the token's \"typ\" is a string of 3 characters; expected JWT"]),
            ("nothing", "{}", vec!["the token's \"alg\" is missing; expected none", "the token's \"typ\" is missing; expected JWT"]),
            ("twice", r#"{"alg":"none","alg":"none","typ":"JWT"}"#, vec!["the token's header has alg twice in one object; expected each name once"]),
            ("twice escaped", r#"{"alg":"none","typ":"JWT","\u0061lg":"HS256"}"#, vec!["the token's header has alg twice in one object; expected each name once"]),
            ("a list", "[]", vec!["the token's header is a list; expected one JSON object"]),
            ("not JSON", "alg:none", vec!["the token's header is not JSON from character 1 on"]),
            ("not text", "\u{fffd}", vec!["the token's header is not JSON from character 1 on"]),
        ] {
            let value = format!("Bearer {}.{}.", encode(header), encode("{}"));
            let expected: Vec<_> = expected.into_iter()
                .map(|text| format!("Authorization header is not valid: {text}")).collect();
            assert_eq!(opened(&value), (expected, true), "{name}");
        }
    }

    /// gp-connect 7.1: `Authorization` present, once.
    #[test]
    fn the_header_field_is_there_once() {
        for (field, expected) in [
            (Field::Absent, Reason::HeaderMissing(Header::Authorization)),
            (Field::Many, Reason::HeaderRepeated("Authorization")),
            (Field::One(b"Bearer \xff"), Reason::TokenMalformed(TokenFault::NotAscii)),
        ] {
            let mut faults = Vec::new();
            assert!(open(field, 200, &mut faults).is_none());
            assert_eq!(faults, [expected]);
        }
    }

    proptest::proptest! {
        /// gp-connect 7.1: what was encoded is what is read.
        #[test]
        fn the_claims_are_what_was_encoded(claims: Vec<u8>) {
            let encoded = URL_SAFE_NO_PAD.encode_to_string(&claims);
            let value = format!("Bearer {USUAL_HEADER}.{encoded}.");
            let mut faults = Vec::new();
            let payload = open(Field::One(value.as_bytes()), 16_384, &mut faults).unwrap();
            proptest::prop_assert_eq!(payload.bytes(), claims);
            proptest::prop_assert!(faults.is_empty());
        }

        #[test]
        fn no_header_field_panics(bytes: Vec<u8>, scheme in "(Bearer )?") {
            let value = [scheme.as_bytes(), &bytes].concat();
            let mut faults = Vec::new();
            let payload = open(Field::One(&value), 16_384, &mut faults);
            proptest::prop_assert!(payload.is_some() || !faults.is_empty());
        }
    }
}
