//! An issuer of access tokens of the test's own, with the keys and the tricks that one needs who
//! attacks tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer};
use serde_json::{Value, json};

/// A kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// A key under its name.
pub(crate) struct Key {
    pub(super) kid: &'static str,
    kind: Kind,
    pub(super) key: PKey<Private>,
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn curve(nid: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(nid).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

impl Key {
    pub(super) fn new(kid: &'static str, kind: Kind) -> Self {
        let key = match kind {
            Kind::Rsa => PKey::from_rsa(Rsa::generate(2_048).unwrap()).unwrap(),
            Kind::P256 => curve(Nid::X9_62_PRIME256V1),
            Kind::P384 => curve(Nid::SECP384R1),
            Kind::Ed25519 => PKey::generate_ed25519().unwrap(),
        };
        Self { kid, kind, key }
    }

    /// What the issuer publishes of it (RFC 7517, RFC 8037).
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = match self.kind {
            Kind::Rsa => {
                let rsa = self.key.rsa().unwrap();
                let text = |number: &openssl::bn::BigNumRef| encode(number.to_vec());
                json!({ "kty": "RSA", "n": text(rsa.n()), "e": text(rsa.e()) })
            }
            Kind::P256 => self.point("P-256", 32),
            Kind::P384 => self.point("P-384", 48),
            Kind::Ed25519 => {
                let x = encode(self.key.raw_public_key().unwrap());
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x })
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    fn point(&self, curve: &str, length: i32) -> Value {
        let key = self.key.ec_key().unwrap();
        let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        let mut context = BigNumContext::new().unwrap();
        let point = key.public_key();
        point.affine_coordinates(key.group(), &mut x, &mut y, &mut context).unwrap();
        let text = |number: &BigNum| encode(number.to_vec_padded(length).unwrap());
        json!({ "kty": "EC", "crv": curve, "x": text(&x), "y": text(&y) })
    }

    /// Signs as `alg` says, with this key, whether that fits or not.
    pub(super) fn sign(&self, alg: &str, input: &[u8]) -> Vec<u8> {
        let digest = match alg.get(2..) {
            Some("384") => MessageDigest::sha384(),
            Some("512") => MessageDigest::sha512(),
            _ => MessageDigest::sha256(),
        };
        match self.kind {
            Kind::Rsa => {
                let mut signer = Signer::new(digest, &self.key).unwrap();
                if alg.starts_with("PS") {
                    signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
                    signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
                    signer.set_rsa_mgf1_md(digest).unwrap();
                }
                signer.sign_oneshot_to_vec(input).unwrap()
            }
            Kind::P256 => self.pair(input, digest, 32),
            Kind::P384 => self.pair(input, digest, 48),
            Kind::Ed25519 => {
                Signer::new_without_digest(&self.key).unwrap().sign_oneshot_to_vec(input).unwrap()
            }
        }
    }

    /// Both numbers of a signature, one behind the other (RFC 7518, 3.4).
    fn pair(&self, input: &[u8], digest: MessageDigest, length: i32) -> Vec<u8> {
        let hash = hash(digest, input).unwrap();
        let signature = EcdsaSig::sign(&hash, &self.key.ec_key().unwrap()).unwrap();
        let bytes = |number: &openssl::bn::BigNumRef| number.to_vec_padded(length).unwrap();
        [bytes(signature.r()), bytes(signature.s())].concat()
    }

    /// The same in the form that other software knows.
    pub(super) fn sign_in_der(&self, input: &[u8]) -> Vec<u8> {
        let mut signer = Signer::new(MessageDigest::sha256(), &self.key).unwrap();
        signer.sign_oneshot_to_vec(input).unwrap()
    }
}

/// A code that whoever knows the secret can make: what a careless verifier takes for a signature.
pub(super) fn hmac(secret: &[u8], input: &[u8]) -> Vec<u8> {
    let key = PKey::hmac(secret).unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    signer.sign_oneshot_to_vec(input).unwrap()
}

/// A token of these two texts and what `sign` makes of them.
pub(super) fn compact(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let input = format!("{}.{}", encode(header), encode(claims));
    let signature = encode(sign(input.as_bytes()));
    format!("{input}.{signature}")
}

/// A token as the issuer makes it.
pub(super) fn signed(key: &Key, alg: &str, claims: &Value) -> String {
    let header = json!({ "alg": alg, "typ": "at+jwt", "kid": key.kid });
    compact(&header.to_string(), &claims.to_string(), |input| key.sign(alg, input))
}

/// What the issuer publishes.
pub(super) fn jwks(keys: &[&Key]) -> String {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() }).to_string()
}
