//! What holds the claims: `Bearer`, three parts, base64url, `alg` none (gp-connect 7.1).

use std::fmt;

use base64_simd::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::{contract::Header, facts::Field, rejection::Reason};

/// The decoded JSON text of the claims.
pub struct Payload(Vec<u8>);

/// Without the claims: they name people.
impl fmt::Debug for Payload {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Payload({} bytes)", self.0.len())
    }
}

impl Payload {
    /// The JSON text.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// `{"alg":"none","typ":"JWT"}`, as nearly every consumer spells it.
const USUAL_HEADER: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";

/// Members other than these two are ignored (gp-connect 7.1).
#[derive(Deserialize)]
struct JoseHeader<'t> {
    #[serde(borrow)]
    alg: std::borrow::Cow<'t, str>,
    typ: Option<std::borrow::Cow<'t, str>>,
}

/// Takes the claims out of an `Authorization` header of at most `limit` bytes.
///
/// # Errors
/// 400 for a header that is missing, repeated, or no unsecured JWT.
pub fn open(authorization: Field<'_>, limit: usize) -> Result<Payload, Reason> {
    let text = match authorization {
        Field::Absent => return Err(Reason::HeaderMissing(Header::Authorization)),
        Field::Many => return Err(Reason::HeaderRepeated("Authorization")),
        Field::One(bytes) => str::from_utf8(bytes).or(Err(malformed("is not ASCII text")))?,
    };
    if text.len() > limit {
        return Err(malformed("is too long"));
    }
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") || token.is_empty() {
        return Err(malformed("is not \"Bearer\", one blank and one token"));
    }
    let (header, claims) = parts(token)?;
    check_header(header)?;
    Ok(Payload(decode(claims)?))
}

/// Exactly three parts, the last one empty: the compact form ends in a dot (D2).
fn parts(token: &str) -> Result<(&str, &str), Reason> {
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(claims), Some(""), None) => Ok((header, claims)),
        (_, _, Some(_), None) => Err(malformed("is signed; GP Connect tokens are unsigned")),
        (_, _, None, _) => Err(malformed("lacks parts; an unsigned one ends in a dot")),
        (_, _, _, Some(_)) => Err(malformed("has more than three parts")),
    }
}

fn check_header(header: &str) -> Result<(), Reason> {
    if header == USUAL_HEADER {
        return Ok(());
    }
    let decoded = decode(header)?;
    let header: JoseHeader<'_> =
        serde_json::from_slice(&decoded).or(Err(malformed("has a header that is not JSON")))?;
    if header.alg != "none" {
        return Err(malformed("has an \"alg\" other than \"none\""));
    }
    if header.typ.as_deref() != Some("JWT") {
        return Err(malformed("has a \"typ\" other than \"JWT\""));
    }
    Ok(())
}

fn decode(part: &str) -> Result<Vec<u8>, Reason> {
    URL_SAFE_NO_PAD.decode_to_vec(part).or(Err(malformed("is not base64url without padding")))
}

const fn malformed(fault: &'static str) -> Reason {
    Reason::TokenMalformed(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str) -> String {
        URL_SAFE_NO_PAD.encode_to_string(text)
    }

    #[test]
    fn a_token_has_three_parts_and_no_signature() {
        let header = encode(r#"{"alg":"none","typ":"JWT"}"#);
        assert_eq!(header, USUAL_HEADER);
        let turned = encode(r#"{ "typ":"JWT", "alg":"none", "cty":"x" }"#);
        let claims = encode("{}");
        let hs256 = encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let capital = encode(r#"{"alg":"None","typ":"JWT"}"#);
        let twice = encode(r#"{"alg":"none","alg":"none","typ":"JWT"}"#);
        let untyped = encode(r#"{"alg":"none"}"#);
        for (name, value, expected) in [
            ("usual", format!("Bearer {header}.{claims}."), None),
            ("other order", format!("bearer {turned}.{claims}."), None),
            ("basic", format!("Basic {header}.{claims}."), Some("Bearer")),
            ("no token", "Bearer ".into(), Some("Bearer")),
            ("two blanks", format!("Bearer  {header}.{claims}."), Some("base64url")),
            ("two tokens", format!("Bearer {header}.{claims}. x"), Some("signed")),
            ("no dot", format!("Bearer {header}.{claims}"), Some("ends in a dot")),
            ("one part", "Bearer abc".into(), Some("ends in a dot")),
            ("signed", format!("Bearer {header}.{claims}.c2ln"), Some("signed")),
            ("four parts", format!("Bearer {header}.{claims}.."), Some("more than three")),
            ("HS256", format!("Bearer {hs256}.{claims}."), Some("alg")),
            ("None", format!("Bearer {capital}.{claims}."), Some("alg")),
            ("alg twice", format!("Bearer {twice}.{claims}."), Some("not JSON")),
            ("no typ", format!("Bearer {untyped}.{claims}."), Some("typ")),
            ("padded", format!("Bearer {header}.e30=."), Some("base64url")),
            ("standard alphabet", format!("Bearer {header}.e+/0."), Some("base64url")),
            ("bits behind the end", format!("Bearer {header}.e31."), Some("base64url")),
            ("too long", format!("Bearer {}", "a".repeat(100)), Some("too long")),
        ] {
            let opened = open(Field::One(value.as_bytes()), 100);
            let fault = opened.as_ref().err().map(Reason::diagnostics);
            let same = match (&fault, expected) {
                (None, None) => true,
                (Some(fault), Some(part)) => fault.contains(part),
                _ => false,
            };
            assert!(same, "{name}: {fault:?}");
        }
        assert_eq!(
            open(Field::Absent, 9).unwrap_err(),
            Reason::HeaderMissing(Header::Authorization)
        );
        assert_eq!(open(Field::Many, 9).unwrap_err(), Reason::HeaderRepeated("Authorization"));
    }
}
