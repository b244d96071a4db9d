//! What holds the claims of an access token: three parts, a header that says how they were signed,
//! and the claims, of which only `iss` is looked at (RFC 7515, RFC 9068).

use std::fmt;

use base64_simd::URL_SAFE_NO_PAD;
use memchr::memchr_iter;
use serde::de::MapAccess;

use super::{AccessFault, AccessToken, Algorithm, IssuerIndex};
use crate::token::{
    Payload,
    fault::{Part, TokenFault},
    given::{Given, Text},
    json::{At, Json, Reader, each_member, read as read_json},
};

/// The longest `kid`, in bytes.
const LONGEST_KID: usize = 256;

/// Members of a header that bring a key along, say where to fetch one, or ask for something that
/// has to be understood (RFC 7515, 4.1.2 to 4.1.6 and 4.1.11; RFC 7516, 4.1.2 and 4.1.3; RFC 7797).
const FORBIDDEN: [&str; 8] = ["jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc"];

/// What a token may say it is. ID tokens say `JWT` too: the audience tells them apart.
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

/// A token that was taken apart. Nothing of it has been proved.
pub struct Opened<'t> {
    /// How it says it was signed.
    pub algorithm: Algorithm,
    /// Which key it says it was signed with.
    pub kid: Option<String>,
    /// What was signed: the first two parts as they were sent.
    pub message: &'t [u8],
    /// The signature, in base64url.
    pub signature: &'t str,
    claims: Payload,
}

/// Without the claims: they name people.
impl fmt::Debug for Opened<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Opened({}, {:?})", self.algorithm, self.claims)
    }
}

impl Opened<'_> {
    /// The token, once the signature has been found to be this issuer's.
    pub fn proved(self, issuer: IssuerIndex) -> AccessToken {
        AccessToken { issuer, claims: self.claims }
    }

    /// The URL that it gives for its issuer.
    ///
    /// # Errors
    /// When the claims are no JSON object in which each name stands once, or give none.
    pub fn issuer(&self) -> Result<Text<'_>, AccessFault> {
        let read = read_json(self.claims.bytes(), &mut Reader::new(Part::Claims));
        let Issued(iss) = read.map_err(|fault| unreadable(&fault))?;
        match iss {
            Given::Value(iss) => Ok(iss),
            Given::Missing | Given::Null | Given::Other(_) => Err(AccessFault::IssuerUnknown),
        }
    }
}

/// Takes a token apart.
///
/// # Errors
/// When it is not signed, is encrypted, or its header can't be read or is not acceptable.
pub fn open(token: &[u8]) -> Result<Opened<'_>, AccessFault> {
    let token = str::from_utf8(token).or(Err(AccessFault::Malformed("is not ASCII text")))?;
    match memchr_iter(b'.', token.as_bytes()).count() {
        2 => {}
        4 => return Err(AccessFault::Encrypted),
        _ => return Err(AccessFault::Malformed("has not three parts")),
    }
    let (message, signature) = token.rsplit_once('.').unwrap_or_default();
    let (header, claims) = message.split_once('.').unwrap_or_default();
    let decoded = decode(header)?;
    let header = read_json(&decoded, &mut Reader::new(Part::Header));
    let header: Header<'_> = header.map_err(|fault| unreadable(&fault))?;
    let algorithm = header.algorithm(signature)?;
    decode(signature)?;
    Ok(Opened {
        algorithm,
        kid: header.kid()?,
        message: message.as_bytes(),
        signature,
        claims: Payload::from_json(decode(claims)?),
    })
}

fn decode(part: &str) -> Result<Vec<u8>, AccessFault> {
    const NOT_BASE64: AccessFault =
        AccessFault::Malformed("has a part that is not base64url without padding");
    URL_SAFE_NO_PAD.decode_to_vec(part).or(Err(NOT_BASE64))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all that is left is about syntax")]
const fn unreadable(fault: &TokenFault) -> AccessFault {
    AccessFault::Malformed(match fault {
        TokenFault::NameTwice(..) => "has a name twice in one object",
        TokenFault::TooMany(..) => "has more values than any token needs",
        TokenFault::TooDeep(..) => "has values in each other deeper than any token needs",
        _ => "has a part that is not a JSON object",
    })
}

/// The header. Members that are not told here are passed over (RFC 7515, 4).
#[derive(Default)]
struct Header<'t> {
    alg: Given<Text<'t>>,
    typ: Given<Text<'t>>,
    kid: Given<Text<'t>>,
    forbidden: Option<&'static str>,
}

impl<'t> Json<'t> for Header<'t> {
    fn from_object<A: MapAccess<'t>>(
        object: A,
        at: At<'_>,
        place: &mut Given<Self>,
    ) -> Result<(), A::Error> {
        let mut header = Self::default();
        each_member(object, at, |mut member| match member.name {
            "alg" => member.read(&mut header.alg),
            "typ" => member.read(&mut header.typ),
            "kid" => member.read(&mut header.kid),
            name => {
                let forbidden = FORBIDDEN.into_iter().find(|forbidden| *forbidden == name);
                header.forbidden = header.forbidden.or(forbidden);
                member.pass()
            }
        })?;
        *place = Given::Value(header);
        Ok(())
    }
}

impl Header<'_> {
    /// How the token was signed, when nothing in the header speaks against it.
    fn algorithm(&self, signature: &str) -> Result<Algorithm, AccessFault> {
        let alg = self.alg.value().map(Text::expose);
        if signature.is_empty() || alg.is_some_and(|alg| alg.eq_ignore_ascii_case("none")) {
            return Err(AccessFault::Unsigned);
        }
        if let Some(member) = self.forbidden {
            return Err(AccessFault::HeaderForbidden(member));
        }
        let is_jwt = match &self.typ {
            Given::Value(typ) => TYPES.iter().any(|known| typ.expose().eq_ignore_ascii_case(known)),
            Given::Missing => true,
            Given::Null | Given::Other(_) => false,
        };
        if !is_jwt {
            return Err(AccessFault::Malformed("has a \"typ\" other than JWT and at+jwt"));
        }
        const UNKNOWN: AccessFault =
            AccessFault::Malformed("has no \"alg\" of a signature with a public key");
        alg.and_then(|alg| alg.parse().ok()).ok_or(UNKNOWN)
    }

    fn kid(&self) -> Result<Option<String>, AccessFault> {
        match &self.kid {
            Given::Missing => Ok(None),
            Given::Value(kid) if kid.expose().len() <= LONGEST_KID => {
                Ok(Some(kid.expose().to_owned()))
            }
            Given::Value(_) | Given::Null | Given::Other(_) => {
                Err(AccessFault::Malformed("has a \"kid\" that is no text of up to 256 bytes"))
            }
        }
    }
}

/// The claims, of which only this one is kept.
struct Issued<'t>(Given<Text<'t>>);

impl<'t> Json<'t> for Issued<'t> {
    fn from_object<A: MapAccess<'t>>(
        object: A,
        at: At<'_>,
        place: &mut Given<Self>,
    ) -> Result<(), A::Error> {
        let mut iss = Given::Missing;
        each_member(object, at, |mut member| match member.name {
            "iss" => member.read(&mut iss),
            _ => member.pass(),
        })?;
        *place = Given::Value(Self(iss));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIMS: &str = r#"{"iss":"https://id.example/","sub":"u"}"#;

    fn encode(text: &str) -> String {
        URL_SAFE_NO_PAD.encode_to_string(text)
    }

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.c2ln", encode(header), encode(claims))
    }

    fn fault(token: &str) -> Option<AccessFault> {
        open(token.as_bytes()).and_then(|opened| opened.issuer().map(|_| ())).err()
    }

    #[test]
    fn a_token_is_taken_apart() {
        let header = r#"{"alg":"ES256","typ":"at+JWT","kid":"k-1","x5t":"kept out"}"#;
        let token = token(header, CLAIMS);
        let opened = open(token.as_bytes()).unwrap();
        assert_eq!(opened.algorithm, Algorithm::Es256);
        assert_eq!(opened.kid.as_deref(), Some("k-1"));
        assert_eq!(opened.message, token.strip_suffix(".c2ln").unwrap().as_bytes());
        assert_eq!(opened.signature, "c2ln");
        assert_eq!(opened.issuer().unwrap().expose(), "https://id.example/");
        assert_eq!(format!("{opened:?}"), "Opened(ES256, Payload(39 bytes))");
        assert_eq!(opened.proved(IssuerIndex(3)).claims.bytes(), CLAIMS.as_bytes());
    }

    #[rustfmt::skip]
    #[test]
    fn what_is_no_acceptable_token_says_why() {
        use AccessFault::{Encrypted, HeaderForbidden, IssuerUnknown, Malformed, Unsigned};
        const NOT_BASE64: AccessFault =
            Malformed("has a part that is not base64url without padding");
        const NOT_JSON: AccessFault = Malformed("has a part that is not a JSON object");
        const TWICE: AccessFault = Malformed("has a name twice in one object");
        const PARTS: AccessFault = Malformed("has not three parts");
        const NO_ALG: AccessFault = Malformed("has no \"alg\" of a signature with a public key");
        const TYPE: AccessFault = Malformed("has a \"typ\" other than JWT and at+jwt");
        const KID: AccessFault = Malformed("has a \"kid\" that is no text of up to 256 bytes");
        let rest = |members: &str| token(&format!(r#"{{"alg":"RS256"{members}}}"#), CLAIMS);
        let claims = |claims: &str| token(r#"{"alg":"RS256"}"#, claims);
        let long = format!(r#","kid":"{}""#, "k".repeat(257));
        let good = rest("");
        for (name, token, expected) in [
            ("good", good.clone(), None),
            ("the longest kid", rest(&long.replace("kk\"", "k\"")), None),
            ("in lower case", rest(r#","typ":"jwt""#), None),
            ("with its kind", rest(r#","typ":"application/at+jwt""#), None),
            ("nothing", String::new(), Some(PARTS)),
            ("two parts", "e30.e30".into(), Some(PARTS)),
            ("four parts", format!("{good}.e30"), Some(PARTS)),
            ("five parts", format!("{good}.e30.e30"), Some(Encrypted)),
            ("dots", "..".into(), Some(NOT_JSON)),
            ("not base64", good.replace(".c2ln", ".c2l="), Some(NOT_BASE64)),
            ("not ASCII", format!("\u{e9}{good}"), Some(NOT_BASE64)),
            ("header not base64", format!("!{good}"), Some(NOT_BASE64)),
            ("header no object", token("[]", CLAIMS), Some(NOT_JSON)),
            ("no signature", good.replace(".c2ln", "."), Some(Unsigned)),
            ("none", good.replace(&encode(r#"{"alg":"RS256"}"#), &encode(r#"{"alg":"none"}"#)), Some(Unsigned)),
            ("nOnE", token(r#"{"alg":"nOnE"}"#, CLAIMS), Some(Unsigned)),
            ("none with a blank", token(r#"{"alg":"none "}"#, CLAIMS), Some(NO_ALG)),
            ("HS256", token(r#"{"alg":"HS256"}"#, CLAIMS), Some(NO_ALG)),
            ("no alg", token("{}", CLAIMS), Some(NO_ALG)),
            ("a list", token(r#"{"alg":["RS256"]}"#, CLAIMS), Some(NO_ALG)),
            ("alg twice", rest(r#","alg":"none""#), Some(TWICE)),
            ("jku", rest(r#","jku":"https://127.0.0.1/""#), Some(HeaderForbidden("jku"))),
            ("jwk", rest(r#","jwk":{"kty":"oct"}"#), Some(HeaderForbidden("jwk"))),
            ("x5u", rest(r#","x5u":null"#), Some(HeaderForbidden("x5u"))),
            ("x5c", rest(r#","x5c":[]"#), Some(HeaderForbidden("x5c"))),
            ("crit", rest(r#","crit":["exp"]"#), Some(HeaderForbidden("crit"))),
            ("escaped", rest(r#","\u0063rit":[]"#), Some(HeaderForbidden("crit"))),
            ("another kind", rest(r#","typ":"secevent+jwt""#), Some(TYPE)),
            ("a null kind", rest(r#","typ":null"#), Some(TYPE)),
            ("too long a kid", rest(&long), Some(KID)),
            ("kid a number", rest(r#","kid":1"#), Some(KID)),
            ("claims no object", claims("7"), Some(NOT_JSON)),
            ("claims twice", claims(r#"{"iss":"a","iss":"b"}"#), Some(TWICE)),
            ("within", claims(r#"{"iss":"a","b":[{"c":1,"c":1}]}"#), Some(TWICE)),
            ("no iss", claims("{}"), Some(IssuerUnknown)),
            ("iss a list", claims(r#"{"iss":["a"]}"#), Some(IssuerUnknown)),
            ("deep", claims(&["[".repeat(40), "]".repeat(40)].concat()), Some(Malformed("has values in each other deeper than any token needs"))),
            ("wide", claims(&format!("[{}1]", "1,".repeat(600))), Some(Malformed("has more values than any token needs"))),
        ] {
            assert_eq!(fault(&token), expected, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, dots in "[a-zA-Z0-9_.=-]{0,80}") {
            proptest::prop_assert!(open(&bytes).is_err());
            proptest::prop_assert!(fault(&dots).is_some());
        }
    }
}
