//! The cryptography of signed tokens, done by the OpenSSL that TLS uses already.

use std::sync::Once;

use gpconnect::token::access::{Algorithm, Opened};
use jsonwebtoken::{
    self as jwt, AlgorithmFamily, DecodingKey, DecodingKeyKind,
    crypto::{CryptoProvider, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
    signature::{Error, Verifier},
};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::{EcGroup, EcKey, EcPoint},
    ecdsa::EcdsaSig,
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::{Id, PKey, Public},
    rsa::{Padding, Rsa},
    sign::{self, RsaPssSaltlen},
};

/// Verifies, and nothing else: the gateway signs no tokens, and makes no keys of others.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(ErrorKind::UnsupportedAlgorithm.into()),
        rsa_pub_components_from_public_key: |_| Err(ErrorKind::UnsupportedAlgorithm.into()),
        ec_pub_components_from_private_key: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
        ed_pub_components_from_private_key: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
        compute_digest: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    },
};

/// Whether the signature of a token was made with a key.
pub(super) fn is_signature(token: &Opened<'_>, key: &DecodingKey) -> bool {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let installed = PROVIDER.install_default();
        debug_assert!(installed.is_ok(), "nothing else in this program names a provider");
    });
    let algorithm = name(token.algorithm);
    jwt::crypto::verify(token.signature, token.message, key, algorithm).unwrap_or(false)
}

/// Whether a key can be used with an algorithm: of the right kind and curve, and a point on it.
pub(super) fn fits(key: &DecodingKey, algorithm: Algorithm) -> bool {
    public_key(key, algorithm).is_ok()
}

/// The size of an RSA key in bits, and whether its exponent can make signatures at all.
pub(super) fn rsa_size(key: &DecodingKey) -> Option<(i32, bool)> {
    let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else { return None };
    let (n, e) = (BigNum::from_slice(n).ok()?, BigNum::from_slice(e).ok()?);
    // With an exponent of 1 anyone makes signatures; an even one makes none.
    Some((n.num_bits(), e.is_bit_set(0) && (2..=64).contains(&e.num_bits())))
}

const fn name(algorithm: Algorithm) -> jwt::Algorithm {
    match algorithm {
        Algorithm::Rs256 => jwt::Algorithm::RS256,
        Algorithm::Rs384 => jwt::Algorithm::RS384,
        Algorithm::Rs512 => jwt::Algorithm::RS512,
        Algorithm::Ps256 => jwt::Algorithm::PS256,
        Algorithm::Ps384 => jwt::Algorithm::PS384,
        Algorithm::Ps512 => jwt::Algorithm::PS512,
        Algorithm::Es256 => jwt::Algorithm::ES256,
        Algorithm::Es384 => jwt::Algorithm::ES384,
        Algorithm::EdDsa => jwt::Algorithm::EdDSA,
    }
}

fn verifier(algorithm: &jwt::Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let known = Algorithm::ALL.into_iter().find(|known| name(*known) == *algorithm);
    let algorithm = known.ok_or(ErrorKind::UnsupportedAlgorithm)?;
    let key = public_key(key, algorithm)?;
    Ok(Box::new(OpenSsl { algorithm, key }))
}

/// The key for OpenSSL.
fn public_key(key: &DecodingKey, algorithm: Algorithm) -> Result<PKey<Public>> {
    use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let made = match (algorithm, key.family(), key.kind()) {
        (
            Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512,
            AlgorithmFamily::Rsa,
            DecodingKeyKind::RsaModulusExponent { n, e },
        ) => rsa(n, e),
        (Es256, AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) => {
            elliptic(Nid::X9_62_PRIME256V1, point)
        }
        (Es384, AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) => {
            elliptic(Nid::SECP384R1, point)
        }
        (EdDsa, AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(bytes)) => {
            PKey::public_key_from_raw_bytes(bytes, Id::ED25519)
        }
        _ => return Err(ErrorKind::InvalidAlgorithm.into()),
    };
    Ok(made.or(Err(ErrorKind::InvalidKeyFormat))?)
}

fn rsa(n: &[u8], e: &[u8]) -> std::result::Result<PKey<Public>, ErrorStack> {
    PKey::from_rsa(Rsa::from_public_components(BigNum::from_slice(n)?, BigNum::from_slice(e)?)?)
}

fn elliptic(curve: Nid, point: &[u8]) -> std::result::Result<PKey<Public>, ErrorStack> {
    let group = EcGroup::from_curve_name(curve)?;
    let point = EcPoint::from_bytes(&group, point, &mut *BigNumContext::new()?)?;
    let key = EcKey::from_public_key(&group, &point)?;
    key.check_key()?;
    PKey::from_ec_key(key)
}

/// A key, and how it is used.
struct OpenSsl {
    algorithm: Algorithm,
    key: PKey<Public>,
}

impl OpenSsl {
    fn check(&self, message: &[u8], signature: &[u8]) -> std::result::Result<bool, ErrorStack> {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let digest = match self.algorithm {
            Rs256 | Ps256 | Es256 => MessageDigest::sha256(),
            Rs384 | Ps384 | Es384 => MessageDigest::sha384(),
            Rs512 | Ps512 => MessageDigest::sha512(),
            EdDsa => {
                let mut verifier = sign::Verifier::new_without_digest(&self.key)?;
                return verifier.verify_oneshot(signature, message);
            }
        };
        let mut verifier = sign::Verifier::new(digest, &self.key)?;
        match self.algorithm {
            Rs256 | Rs384 | Rs512 => verifier.set_rsa_padding(Padding::PKCS1)?,
            Ps256 | Ps384 | Ps512 => {
                verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
                verifier.set_rsa_mgf1_md(digest)?;
                // RFC 7518, 3.5: as long as the hash.
                verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
            }
            Es256 | Es384 => {
                let Some(der) = elliptic_signature(signature, self.key.bits())? else {
                    return Ok(false);
                };
                return verifier.verify_oneshot(&der, message);
            }
            EdDsa => {}
        }
        verifier.verify_oneshot(signature, message)
    }
}

/// The two numbers of a signature over a curve, as OpenSSL wants them. RFC 7518, 3.4: both of the
/// curve's size, one behind the other.
fn elliptic_signature(
    signature: &[u8],
    bits: u32,
) -> std::result::Result<Option<Vec<u8>>, ErrorStack> {
    let half = usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX);
    let Some((r, s)) = signature.split_at_checked(half).filter(|(_, s)| s.len() == half) else {
        return Ok(None);
    };
    let (r, s) = (BigNum::from_slice(r)?, BigNum::from_slice(s)?);
    EcdsaSig::from_private_components(r, s)?.to_der().map(Some)
}

impl Verifier<Vec<u8>> for OpenSsl {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let good = self.check(message, signature).unwrap_or(false);
        good.then_some(()).ok_or_else(Error::new)
    }
}

impl JwtVerifier for OpenSsl {
    fn algorithm(&self) -> jwt::Algorithm {
        name(self.algorithm)
    }
}
