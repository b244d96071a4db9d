//! A JSON Web Key Set (RFC 7517): the keys of it that signatures can be verified with.

use gpconnect::token::access::Algorithm;
use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde_json::{Map, Value};
use thiserror::Error;

use super::provider;

/// Keys that a set may have: more than any issuer publishes at once.
const MOST_KEYS: usize = 100;

/// The fewest and the most bits of an RSA key: weaker ones prove nothing, and verifying takes long
/// with longer ones.
const RSA_BITS: std::ops::RangeInclusive<i32> = 2_048..=8_192;

/// Members that only private and shared keys have (RFC 7518, 6.2.2, 6.3.2 and 6.4).
const SECRET: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The keys of an issuer.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<Usable>,
    /// What is wrong with others in the set.
    pub(super) passed_over: Vec<String>,
}

#[derive(Debug)]
struct Usable {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// Why bytes are no set of keys that could be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum NotAKeySet {
    #[error("holds no JSON Web Key Set; expected {{\"keys\": [...]}}")]
    Syntax,
    #[error("holds {0} keys; expected at most {MOST_KEYS}")]
    TooMany(usize),
    #[error(
        "holds a private or a shared key ({0}); replace that key, for it is known now, and publish \
         public ones only"
    )]
    Secret(String),
    #[error("holds no key that access tokens can be verified with{0}")]
    Empty(String),
}

impl KeySet {
    /// Reads a set.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, NotAKeySet> {
        let set: Value = serde_json::from_slice(bytes).or(Err(NotAKeySet::Syntax))?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(NotAKeySet::Syntax)?;
        if keys.len() > MOST_KEYS {
            return Err(NotAKeySet::TooMany(keys.len()));
        }
        let mut set = Self::default();
        for (place, value) in keys.iter().enumerate() {
            let name = name(place, value);
            let members = value.as_object().ok_or(NotAKeySet::Syntax)?;
            if SECRET.iter().any(|member| members.contains_key(*member)) {
                return Err(NotAKeySet::Secret(name));
            }
            match usable(members) {
                Ok(key) if set.has_like(&key) => set.passed_over.push(format!(
                    "{name}: an earlier key has the same kid, and no token could say which of the \
                     two it means"
                )),
                Ok(key) => set.keys.push(key),
                Err(problem) => set.passed_over.push(format!("{name}: {problem}")),
            }
        }
        if set.keys.is_empty() {
            let why: String = set.passed_over.iter().map(|one| format!("; {one}")).collect();
            return Err(NotAKeySet::Empty(why));
        }
        Ok(set)
    }

    fn has_like(&self, key: &Usable) -> bool {
        self.keys.iter().any(|other| {
            other.kid.is_some()
                && other.kid == key.kid
                && other.algorithms.iter().any(|one| key.algorithms.contains(one))
        })
    }

    /// The key of this id, or the only one when a token names none, if it may be used that way.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut fitting = self.keys.iter().filter(|key| {
            let is_named = kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
            is_named && key.algorithms.contains(&algorithm)
        });
        let first = fitting.next()?;
        fitting.next().is_none().then_some(&first.key)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// What a key is called in messages.
fn name(place: usize, key: &Value) -> String {
    match key.get("kid").and_then(Value::as_str) {
        Some(kid) => format!("keys[{place}], kid {:?}", kid.chars().take(64).collect::<String>()),
        None => format!("keys[{place}]"),
    }
}

/// What can be verified with a key, or why nothing can.
fn usable(members: &Map<String, Value>) -> Result<Usable, String> {
    let said = members.get("alg").and_then(Value::as_str);
    let mut known = members.clone();
    // The library knows fewer algorithms than issuers publish keys for.
    known.remove("alg");
    let jwk: Jwk = serde_json::from_value(Value::Object(known))
        .map_err(|error| format!("is not a key of RFC 7517: {error}"))?;
    let common = &jwk.common;
    if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return Err("is not for signatures".into());
    }
    let operations = common.key_operations.as_deref();
    if operations.is_some_and(|all| !all.contains(&KeyOperations::Verify)) {
        return Err("is not for verifying".into());
    }
    let key = DecodingKey::from_jwk(&jwk).or(Err("is of a kind that is not used here"))?;
    let kinds = kinds(&jwk)?;
    if let Some((bits, has_exponent)) = provider::rsa_size(&key) {
        if !RSA_BITS.contains(&bits) {
            let (least, most) = (RSA_BITS.start(), RSA_BITS.end());
            return Err(format!("an RSA key of {bits} bits; expected {least} to {most}"));
        }
        if !has_exponent {
            return Err("an RSA key whose exponent is 1, even or huge".into());
        }
    }
    let may = |one: &&Algorithm| said.is_none_or(|said| said == one.as_str());
    let algorithms: Vec<_> = kinds.iter().filter(may).copied().collect();
    if algorithms.is_empty() {
        return Err("is for another algorithm".into());
    }
    if algorithms.iter().any(|algorithm| !provider::fits(&key, *algorithm)) {
        return Err("is no valid key of its kind".into());
    }
    Ok(Usable { kid: common.key_id.clone(), algorithms, key })
}

/// What keys of a kind and curve can verify.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library may learn more kinds")]
fn kinds(jwk: &Jwk) -> Result<&'static [Algorithm], &'static str> {
    use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Ok(&[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512]),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Ok(&[Es256]),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => Ok(&[Es384]),
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Ok(&[EdDsa])
        }
        _ => Err("is of a kind or curve that is not used here"),
    }
}
