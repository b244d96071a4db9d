//! What can be wrong with an access token before its claims are looked at.

use std::fmt;

use super::IssuerIndex;

/// Why an access token is not known to be an issuer's. It holds nothing that the caller wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessFault {
    /// Not three parts of base64url, the first two JSON objects with each name once. Says what is
    /// wrong: what follows "it ".
    Malformed(&'static str),
    /// Five parts: encrypted (RFC 7516).
    Encrypted,
    /// `alg` is `none` in whatever case, or nothing stands behind the last dot: a GP Connect token.
    Unsigned,
    /// The header has this member, which names a key or asks for what is not understood.
    HeaderForbidden(&'static str),
    /// `iss` is not the URL of an issuer here.
    IssuerUnknown,
    /// `alg` is none of those that this issuer is known to use.
    AlgorithmNotAllowed(IssuerIndex),
    /// This issuer has no key of that `kid`, or several and no `kid` tells which one.
    KeyUnknown(IssuerIndex),
    /// No key of this issuer could be had so far.
    KeysUnavailable(IssuerIndex),
    /// No key of this issuer has made that signature.
    SignatureWrong(IssuerIndex),
}

impl AccessFault {
    /// The issuer that the token says it is of, when there is such an issuer. Nothing proves it.
    pub const fn issuer(self) -> Option<IssuerIndex> {
        match self {
            Self::AlgorithmNotAllowed(issuer)
            | Self::KeyUnknown(issuer)
            | Self::KeysUnavailable(issuer)
            | Self::SignatureWrong(issuer) => Some(issuer),
            Self::Malformed(_)
            | Self::Encrypted
            | Self::Unsigned
            | Self::HeaderForbidden(_)
            | Self::IssuerUnknown => None,
        }
    }

    /// Its word in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Encrypted => "encrypted",
            Self::Unsigned => "unsigned",
            Self::HeaderForbidden(_) => "header_forbidden",
            Self::IssuerUnknown => "issuer_unknown",
            Self::AlgorithmNotAllowed(_) => "algorithm_not_allowed",
            Self::KeyUnknown(_) => "key_unknown",
            Self::KeysUnavailable(_) => "keys_unavailable",
            Self::SignatureWrong(_) => "signature_wrong",
        }
    }

    /// What to do about it.
    pub(crate) const fn fix(self) -> &'static str {
        match self {
            Self::Unsigned => {
                "Send \"Bearer\", a blank and the access token of the issuer; the gateway makes the GP Connect token of it."
            }
            Self::IssuerUnknown => {
                "Get the access token from an issuer that is registered for the sending system."
            }
            Self::KeyUnknown(_) | Self::KeysUnavailable(_) | Self::SignatureWrong(_) => {
                "Get a new access token and send it unchanged; if that is no help, its key is not published."
            }
            Self::Malformed(_)
            | Self::Encrypted
            | Self::HeaderForbidden(_)
            | Self::AlgorithmNotAllowed(_) => {
                "Send the issuer's signed JWT as it is, with a key and an algorithm that it has published."
            }
        }
    }
}

/// What follows "Access token is not accepted: ".
impl fmt::Display for AccessFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(out, "it {what}; expected a signed JWT"),
            Self::Encrypted => out.write_str("it is encrypted; expected a signed JWT"),
            Self::Unsigned => out.write_str(
                "it is not signed; this system is registered for signed access tokens, \
                 from which the gateway makes the GP Connect token",
            ),
            Self::HeaderForbidden(member) => {
                write!(out, "its header has {member}; expected alg, kid and typ")
            }
            Self::IssuerUnknown => {
                out.write_str("its iss is not the URL of an issuer that is accepted here")
            }
            Self::AlgorithmNotAllowed(_) => {
                out.write_str("its alg is none that is accepted of its issuer")
            }
            Self::KeyUnknown(_) => out.write_str("its kid names no key of its issuer"),
            Self::KeysUnavailable(_) => {
                out.write_str("the keys of its issuer can't be had at present")
            }
            Self::SignatureWrong(_) => {
                out.write_str("its signature was not made with that key of its issuer")
            }
        }
    }
}
