//! Why a certificate is not accepted, in words that tell its owner what to mend.

use openssl::x509::X509VerifyResult;

/// Why a certificate is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAccepted {
    /// There is none.
    Missing,
    /// There is one, and this is wrong with it.
    Bad(&'static str),
    /// It is that of a terminator, and this is wrong with it.
    Terminator(&'static str),
}

/// A certificate that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub why: NotAccepted,
    /// The certificate, if there was one.
    pub certificate: Option<super::ClientCertificate>,
}

/// The library's verdict on a chain, in our words.
pub(super) fn word(result: X509VerifyResult) -> &'static str {
    word_of(result.as_raw())
}

/// The same for the verdict's code.
pub(super) fn word_of(code: i32) -> &'static str {
    use openssl_codes::{
        CA_KEY_TOO_SMALL, CA_MD_TOO_WEAK, CERT_CHAIN_TOO_LONG, CERT_HAS_EXPIRED,
        CERT_NOT_YET_VALID, CERT_REVOKED, CERT_SIGNATURE_FAILURE, CRL_NOT_YET_VALID,
        CRL_SIGNATURE_FAILURE, DEPTH_ZERO_SELF_SIGNED_CERT, EE_KEY_TOO_SMALL, HOSTNAME_MISMATCH,
        INVALID_CA, INVALID_PURPOSE, IP_ADDRESS_MISMATCH, SELF_SIGNED_CERT_IN_CHAIN,
        UNABLE_TO_GET_CRL, UNABLE_TO_GET_CRL_ISSUER, UNABLE_TO_GET_ISSUER_CERT,
        UNABLE_TO_GET_ISSUER_CERT_LOCALLY, UNABLE_TO_VERIFY_LEAF_SIGNATURE,
    };
    match code {
        CERT_HAS_EXPIRED => "it, or an authority of it, has expired",
        CERT_NOT_YET_VALID => "it, or an authority of it, is not valid yet",
        CERT_REVOKED => "it, or an authority of it, is revoked",
        DEPTH_ZERO_SELF_SIGNED_CERT => "it is self-signed",
        SELF_SIGNED_CERT_IN_CHAIN
        | UNABLE_TO_GET_ISSUER_CERT
        | UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        | UNABLE_TO_VERIFY_LEAF_SIGNATURE => "it does not come from an authority accepted here",
        EE_KEY_TOO_SMALL => "its key is too weak",
        CA_KEY_TOO_SMALL | CA_MD_TOO_WEAK => "it, or an authority of it, is signed too weakly",
        INVALID_PURPOSE => "it is not for this purpose (extended key usage)",
        INVALID_CA => "it was issued by something that is no authority",
        CERT_CHAIN_TOO_LONG => "too many certificates lead to its authority",
        CERT_SIGNATURE_FAILURE => "its signature is wrong",
        HOSTNAME_MISMATCH | IP_ADDRESS_MISMATCH => "it names another host",
        UNABLE_TO_GET_CRL | UNABLE_TO_GET_CRL_ISSUER => {
            "there is no revocation list of its authority"
        }
        CRL_SIGNATURE_FAILURE => "the revocation list of its authority is wrongly signed",
        CRL_NOT_YET_VALID => "the revocation list of its authority is not valid yet",
        _ => "it was not accepted",
    }
}

/// The library's codes (`openssl/x509_vfy.h`), which do not change between its versions.
pub(super) mod openssl_codes {
    pub(crate) const UNABLE_TO_GET_ISSUER_CERT: i32 = 2;
    pub(crate) const UNABLE_TO_GET_CRL: i32 = 3;
    pub(crate) const CERT_SIGNATURE_FAILURE: i32 = 7;
    pub(crate) const CRL_SIGNATURE_FAILURE: i32 = 8;
    pub(crate) const CERT_NOT_YET_VALID: i32 = 9;
    pub(crate) const CERT_HAS_EXPIRED: i32 = 10;
    pub(crate) const CRL_NOT_YET_VALID: i32 = 11;
    pub(crate) const CRL_HAS_EXPIRED: i32 = 12;
    pub(crate) const DEPTH_ZERO_SELF_SIGNED_CERT: i32 = 18;
    pub(crate) const SELF_SIGNED_CERT_IN_CHAIN: i32 = 19;
    pub(crate) const UNABLE_TO_GET_ISSUER_CERT_LOCALLY: i32 = 20;
    pub(crate) const UNABLE_TO_VERIFY_LEAF_SIGNATURE: i32 = 21;
    pub(crate) const CERT_CHAIN_TOO_LONG: i32 = 22;
    pub(crate) const CERT_REVOKED: i32 = 23;
    pub(crate) const INVALID_CA: i32 = 79;
    pub(crate) const INVALID_PURPOSE: i32 = 26;
    pub(crate) const UNABLE_TO_GET_CRL_ISSUER: i32 = 33;
    pub(crate) const HOSTNAME_MISMATCH: i32 = 62;
    pub(crate) const IP_ADDRESS_MISMATCH: i32 = 64;
    pub(crate) const EE_KEY_TOO_SMALL: i32 = 66;
    pub(crate) const CA_KEY_TOO_SMALL: i32 = 67;
    pub(crate) const CA_MD_TOO_WEAK: i32 = 68;
}
