//! Signatures of every algorithm, right and wrong, and key sets that are fetched from a real server.

use std::{fs, path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gpconnect::{
    policy::{ClaimMapping, Confirmation, Issuer},
    token::access::ClaimPath,
};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::{EcGroup, EcKey},
    ecdsa::EcdsaSig,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::{Padding, Rsa},
    sign::{RsaPssSaltlen, Signer},
};
use serde_json::{Value, json};

use super::{key_set::KeySet, *};
use crate::config::{KeySource, Notebook, Place, TlsFile};

pub(super) const ISS: &str = "https://id.example/";

/// A key that signs, and how it is published.
pub(super) struct SigningKey {
    kid: &'static str,
    key: PKey<Private>,
}

impl SigningKey {
    pub(super) fn rsa(kid: &'static str, bits: u32) -> Self {
        Self { kid, key: PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap() }
    }

    fn elliptic(kid: &'static str, curve: Nid) -> Self {
        let group = EcGroup::from_curve_name(curve).unwrap();
        Self { kid, key: PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap() }
    }

    fn edwards(kid: &'static str) -> Self {
        Self { kid, key: PKey::generate_ed25519().unwrap() }
    }

    pub(super) fn jwk(&self) -> Value {
        if let Ok(rsa) = self.key.rsa() {
            let (n, e) = (encode(&rsa.n().to_vec()), encode(&rsa.e().to_vec()));
            return json!({ "kty": "RSA", "kid": self.kid, "use": "sig", "n": n, "e": e });
        }
        if let Ok(key) = self.key.ec_key() {
            let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
            let mut context = BigNumContext::new().unwrap();
            key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context).unwrap();
            let size = i32::try_from(key.group().degree().div_ceil(8)).unwrap();
            let (x, y) = (x.to_vec_padded(size).unwrap(), y.to_vec_padded(size).unwrap());
            let curve = if size == 32 { "P-256" } else { "P-384" };
            return json!({ "kty": "EC", "kid": self.kid, "crv": curve, "x": encode(&x), "y": encode(&y) });
        }
        let x = encode(&self.key.raw_public_key().unwrap());
        json!({ "kty": "OKP", "kid": self.kid, "crv": "Ed25519", "x": x })
    }

    fn signature(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let digest = match algorithm.as_str().trim_start_matches(char::is_alphabetic) {
            "256" => MessageDigest::sha256(),
            "384" => MessageDigest::sha384(),
            "512" => MessageDigest::sha512(),
            _ => {
                let mut signer = Signer::new_without_digest(&self.key).unwrap();
                return signer.sign_oneshot_to_vec(message).unwrap();
            }
        };
        let mut signer = Signer::new(digest, &self.key).unwrap();
        if algorithm.as_str().starts_with("PS") {
            signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
        }
        let signature = signer.sign_oneshot_to_vec(message).unwrap();
        if !algorithm.as_str().starts_with("ES") {
            return signature;
        }
        let size = if algorithm == Algorithm::Es256 { 32 } else { 48 };
        let signature = EcdsaSig::from_der(&signature).unwrap();
        let half = |number: &openssl::bn::BigNumRef| number.to_vec_padded(size).unwrap();
        [half(signature.r()), half(signature.s())].concat()
    }

    pub(super) fn token(&self, algorithm: Algorithm) -> String {
        let header = format!(r#"{{"alg":"{algorithm}","kid":"{}"}}"#, self.kid);
        self.token_of(algorithm, &header)
    }

    /// A token with this header.
    fn token_of(&self, algorithm: Algorithm, header: &str) -> String {
        let message = message(header);
        let signature = encode(&self.signature(algorithm, message.as_bytes()));
        format!("{message}.{signature}")
    }
}

/// What is signed of a token with this header.
fn message(header: &str) -> String {
    format!("{}.{}", encode(header.as_bytes()), claims("u"))
}

/// The claims of this user, as they stand in a token.
fn claims(user: &str) -> String {
    encode(json!({ "iss": ISS, "sub": user }).to_string().as_bytes())
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn anywhere() -> Place {
    let notebook = Notebook::default();
    let document = crate::config::Document::parse("gateway.toml", "", &notebook);
    crate::config::Section::read(&document, &[], &notebook, |root| root.place())
}

pub(super) fn settings(keys: KeySource) -> IssuerSettings {
    let path = |text: &str| text.parse::<ClaimPath>().unwrap();
    IssuerSettings {
        issuer: Issuer {
            name: "trust".into(),
            issuer: ISS.into(),
            audiences: vec!["gateway".into()],
            confirmation: Confirmation::Required,
            longest: 3_600,
            mapping: ClaimMapping {
                user_id: path("sub"),
                family_name: path("family_name"),
                given_name: path("given_name"),
                prefix: None,
                sds_user_id: None,
                role: None,
                organisation: path("ods_code"),
                device: None,
            },
        },
        algorithms: Algorithm::ALL.into(),
        keys,
    }
}

pub(super) fn file(path: &Path) -> TlsFile {
    TlsFile { path: path.to_path_buf(), key: "issuer[0].jwks_file".into(), place: anywhere() }
}

/// Issuers whose keys are these, in a file that is gone already.
fn issuers(set: &str) -> Issuers {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    fs::write(&path, set).unwrap();
    Issuers::open(&[settings(KeySource::File(file(&path)))]).unwrap()
}

fn verified(issuers: &Issuers, token: &str) -> Result<(), AccessFault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(issuers.verify(token)).map(|token| assert_eq!(token.issuer, IssuerIndex(0)))
}

/// RFC 7518, 3 and RFC 8037, 3.1: each algorithm, with a key of its kind.
#[test]
fn a_signature_is_good_for_what_was_signed_with_that_key() {
    use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let rsa = SigningKey::rsa("r", 2_048);
    let p256 = SigningKey::elliptic("e", Nid::X9_62_PRIME256V1);
    let p384 = SigningKey::elliptic("f", Nid::SECP384R1);
    let edwards = SigningKey::edwards("d");
    let issuers = issuers(&set(&[rsa.jwk(), p256.jwk(), p384.jwk(), edwards.jwk()]));
    let wrong = Err(AccessFault::SignatureWrong(IssuerIndex(0)));
    let rsa_algorithms = [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512];
    let with_rsa = rsa_algorithms.map(|algorithm| (&rsa, algorithm));
    for (key, algorithm) in
        with_rsa.into_iter().chain([(&p256, Es256), (&p384, Es384), (&edwards, EdDsa)])
    {
        let token = key.token(algorithm);
        assert_eq!(verified(&issuers, &token), Ok(()), "{algorithm}");
        let (message, signature) = token.rsplit_once('.').unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let with = |bytes: &[u8]| format!("{message}.{}", encode(bytes));
        for place in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut turned = bytes.clone();
            turned[place] ^= 1;
            assert_eq!(verified(&issuers, &with(&turned)), wrong, "{algorithm}, bit at {place}");
        }
        for (name, bytes) in [
            ("cut", bytes[1..].to_vec()),
            ("longer", [&bytes[..], &[0]].concat()),
            ("nothing but zeros", vec![0; bytes.len()]),
            ("nothing but ones", vec![0xff; bytes.len()]),
            ("a single byte", vec![1]),
        ] {
            assert_eq!(verified(&issuers, &with(&bytes)), wrong, "{algorithm}, {name}");
        }
        // The signature of other claims.
        let (header, _) = message.split_once('.').unwrap();
        assert_eq!(verified(&issuers, &format!("{header}.{}.{signature}", claims("v"))), wrong);
    }
    // DER, as X.509 has it, is not the form of tokens (RFC 7518, 3.4).
    let token = p256.token(Es256);
    let (message, _) = token.rsplit_once('.').unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &p256.key).unwrap();
    let der = signer.sign_oneshot_to_vec(message.as_bytes()).unwrap();
    assert_eq!(verified(&issuers, &format!("{message}.{}", encode(&der))), wrong);
}

#[test]
fn a_key_is_good_for_its_kind_only() {
    use Algorithm::{EdDsa, Es256, Es384, Ps256, Rs256};
    let rsa = SigningKey::rsa("k", 2_048);
    let p256 = SigningKey::elliptic("k", Nid::X9_62_PRIME256V1);
    let all = issuers(&set(&[rsa.jwk(), p256.jwk()]));
    let unknown = Err(AccessFault::KeyUnknown(IssuerIndex(0)));
    let wrong = Err(AccessFault::SignatureWrong(IssuerIndex(0)));
    // Of one kid each takes the key of its kind.
    assert_eq!(verified(&all, &rsa.token(Rs256)), Ok(()));
    assert_eq!(verified(&all, &p256.token(Es256)), Ok(()));
    // The header says another algorithm than was used.
    let forged = |token: &str, algorithm| {
        let (_, rest) = token.split_once('.').unwrap();
        format!("{}.{rest}", encode(format!(r#"{{"alg":"{algorithm}","kid":"k"}}"#).as_bytes()))
    };
    for (name, token, expected) in [
        ("PS for RS", forged(&rsa.token(Rs256), Ps256), wrong),
        ("RS for PS", forged(&rsa.token(Ps256), Rs256), wrong),
        ("RS for ES", forged(&p256.token(Es256), Rs256), wrong),
        ("another curve", forged(&p256.token(Es256), Es384), unknown),
        ("EdDSA", forged(&p256.token(Es256), EdDsa), unknown),
    ] {
        assert_eq!(verified(&all, &token), expected, "{name}");
    }
    // A key that says what it is for.
    let mut said = rsa.jwk();
    said["alg"] = json!("PS256");
    let only = issuers(&set(&[said]));
    assert_eq!(verified(&only, &rsa.token(Ps256)), Ok(()));
    assert_eq!(verified(&only, &rsa.token(Rs256)), unknown);
}

/// The oldest forgery: the published key taken for a shared secret.
#[test]
fn a_public_key_is_no_secret() {
    let rsa = SigningKey::rsa("k", 2_048);
    let all = issuers(&set(&[rsa.jwk()]));
    for secret in [
        rsa.key.public_key_to_pem().unwrap(),
        rsa.key.public_key_to_der().unwrap(),
        rsa.jwk().to_string().into_bytes(),
    ] {
        let message = message(r#"{"alg":"HS256","kid":"k"}"#);
        let key = PKey::hmac(&secret).unwrap();
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        signer.update(message.as_bytes()).unwrap();
        let token = format!("{message}.{}", encode(&signer.sign_to_vec().unwrap()));
        assert!(matches!(verified(&all, &token), Err(AccessFault::Malformed(_))));
    }
}

#[test]
fn an_issuer_and_its_key_are_found_by_name() {
    let (one, two) = (SigningKey::rsa("one", 2_048), SigningKey::rsa("two", 2_048));
    let unknown = Err(AccessFault::KeyUnknown(IssuerIndex(0)));
    let both = issuers(&set(&[one.jwk(), two.jwk()]));
    let token = |key: &SigningKey| key.token(Algorithm::Rs256);
    assert_eq!(verified(&both, &token(&two)), Ok(()));
    let other = SigningKey { kid: "two", key: one.key.clone() };
    let wrong = Err(AccessFault::SignatureWrong(IssuerIndex(0)));
    assert_eq!(verified(&both, &token(&other)), wrong);
    for kid in ["three", "", "one/../two", "' or 1=1 --", "../../etc/passwd", "ONE"] {
        let other = SigningKey { kid, key: one.key.clone() };
        assert_eq!(verified(&both, &token(&other)), unknown, "{kid}");
    }
    // Without a kid only when one key alone can be meant.
    let nameless = |key: &SigningKey| key.token_of(Algorithm::Rs256, r#"{"alg":"RS256"}"#);
    assert_eq!(verified(&both, &nameless(&one)), unknown);
    assert_eq!(verified(&issuers(&set(&[one.jwk()])), &nameless(&one)), Ok(()));
    // Another issuer, and an algorithm that this one does not use.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    fs::write(&path, set(&[one.jwk()])).unwrap();
    let mut narrow = settings(KeySource::File(file(&path)));
    narrow.algorithms = vec![Algorithm::Es256];
    let narrow = Issuers::open(&[narrow]).unwrap();
    let not_allowed = Err(AccessFault::AlgorithmNotAllowed(IssuerIndex(0)));
    assert_eq!(verified(&narrow, &token(&one)), not_allowed);
    assert_eq!(verified(&Issuers::default(), &token(&one)), Err(AccessFault::IssuerUnknown));
}

#[rustfmt::skip]
#[test]
fn what_is_wrong_with_a_set_is_told() {
    let good = SigningKey::rsa("good", 2_048).jwk();
    let changed = |name: &str, value: Value| { let mut key = good.clone(); key[name] = value; key };
    let only = |key: &Value| KeySet::read(set(std::slice::from_ref(key)).as_bytes());
    for (name, key, expected) in [
        ("a short RSA key", SigningKey::rsa("k", 1_024).jwk(), "keys[0], kid \"k\": an RSA key of 1024 bits; expected 2048 to 8192"),
        ("exponent 1", changed("e", json!("AQ")), "exponent is 1, even or huge"),
        ("an even exponent", changed("e", json!("Ag")), "exponent is 1, even or huge"),
        ("a huge exponent", changed("e", json!(encode(&[0xff; 9]))), "exponent is 1, even or huge"),
        ("for encryption", changed("use", json!("enc")), "is not for signatures"),
        ("for signing", changed("key_ops", json!(["sign"])), "is not for verifying"),
        ("another algorithm", changed("alg", json!("ES256")), "is for another algorithm"),
        ("no kind", json!({ "n": "AQ" }), "keys[0]: is of a kind that is not used here"),
        ("a curve that is not used", json!({ "kty": "EC", "crv": "P-521", "x": "AQ", "y": "AQ" }), "is of a kind or curve that is not used here"),
        ("not on the curve", json!({ "kty": "EC", "crv": "P-256", "x": encode(&[1; 32]), "y": encode(&[1; 32]) }), "is no valid key of its kind"),
        ("a short point", json!({ "kty": "OKP", "crv": "Ed25519", "x": "AQ" }), "is no valid key of its kind"),
        ("a private key", changed("d", json!("AQ")), "holds a private or a shared key (keys[0], kid \"good\")"),
        ("a shared key", json!({ "kty": "oct", "k": "c2VjcmV0" }), "holds a private or a shared key (keys[0])"),
    ] {
        let told = only(&key).unwrap_err().to_string();
        assert!(told.contains(expected), "{name}: {told}");
    }
    for (name, text, expected) in [
        ("nothing", String::new(), "{\"keys\": [...]}"),
        ("a page", "<html></html>".into(), "{\"keys\": [...]}"),
        ("no list", r#"{"keys":{}}"#.into(), "{\"keys\": [...]}"),
        ("no objects", r#"{"keys":[1]}"#.into(), "{\"keys\": [...]}"),
        ("none", set(&[]), "holds no key that access tokens can be verified with"),
        ("too many", set(&vec![good.clone(); 101]), "holds 101 keys; expected at most 100"),
    ] {
        let told = KeySet::read(text.as_bytes()).unwrap_err().to_string();
        assert!(told.contains(expected), "{name}: {told}");
    }
    // What can be used is, and the rest is told.
    let other = SigningKey::rsa("good", 2_048).jwk();
    let read = KeySet::read(set(&[good.clone(), other, json!({ "kty": "odd" })]).as_bytes()).unwrap();
    assert_eq!((read.len(), read.passed_over.len()), (1, 2), "{:?}", read.passed_over);
    assert!(read.passed_over[0].contains("an earlier key has the same kid"));
}

#[test]
fn a_file_that_can_not_be_used_is_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let open = || Issuers::open(&[settings(KeySource::File(file(&path)))]);
    assert!(open().unwrap_err()[0].to_string().contains("keys.json"));
    fs::write(&path, "{}").unwrap();
    let told = open().unwrap_err();
    assert!(
        told[0].to_string().ends_with(r#"holds no JSON Web Key Set; expected {"keys": [...]}"#)
    );
    assert_eq!(told[0].file.key, "issuer[0].jwks_file");
}

#[test]
fn a_reload_goes_on_with_keys_of_the_same_place() {
    let key = SigningKey::rsa("k", 2_048);
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one.json"), folder.path().join("two.json"));
    for path in [&one, &two] {
        fs::write(path, set(&[key.jwk()])).unwrap();
    }
    let open = |file: TlsFile| Issuers::open(&[settings(KeySource::File(file))]).unwrap();
    let old = open(file(&one));
    let first = |issuers: &Issuers| Arc::clone(issuers.keys().next().unwrap());
    for (name, file, goes_on) in [
        ("the same", file(&one), true),
        (
            "behind another issuer",
            TlsFile { key: "issuer[1].jwks_file".into(), ..file(&one) },
            true,
        ),
        ("another file", file(&two), false),
    ] {
        let mut new = open(file);
        new.adopt(&old);
        assert_eq!(Arc::ptr_eq(&first(&old), &first(&new)), goes_on, "{name}");
    }
}

/// Also those of an issuer whose keys were elsewhere before a reload.
#[tokio::test]
async fn keys_that_were_there_at_the_start_count_too() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = crate::telemetry::Metrics::new().unwrap();
    for (place, name) in ["one.json", "two.json"].into_iter().enumerate() {
        let path = folder.path().join(name);
        fs::write(&path, set(&[SigningKey::edwards("k").jwk()])).unwrap();
        let issuers = Issuers::open(&[settings(KeySource::File(file(&path)))]).unwrap();
        let keys = issuers.keys().next().unwrap();
        // It is polled once, up to where it rests.
        let kept = tokio::time::timeout(Duration::ZERO, keys.keep(&metrics.issuers)).await;
        assert!(kept.is_err());
        let text = String::from_utf8(metrics.text().unwrap()).unwrap();
        let series = "issuer_key_renewals_total{issuer=\"trust\",result=\"renewed\"}";
        assert!(text.contains(&format!("{series} {}\n", place + 1)), "{name}: {text}");
    }
}

mod over_https;

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    /// Whatever is changed in a token, it is refused, and nothing panics.
    #[test]
    fn a_changed_token_is_refused(place: proptest::sample::Index, byte in 0x20_u8..0x7f) {
        static KEY: std::sync::LazyLock<(SigningKey, Issuers)> = std::sync::LazyLock::new(|| {
            let key = SigningKey::elliptic("e", Nid::X9_62_PRIME256V1);
            let issuers = issuers(&set(&[key.jwk()]));
            (key, issuers)
        });
        let (key, issuers) = &*KEY;
        let mut token = key.token(Algorithm::Es256).into_bytes();
        let place = place.index(token.len());
        proptest::prop_assume!(token[place] != byte);
        token[place] = byte;
        let token = String::from_utf8(token).unwrap();
        proptest::prop_assert!(verified(issuers, &token).is_err());
    }
}
