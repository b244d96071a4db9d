//! Access tokens: what a consumer that has an issuer of signed tokens sends in place of the GP
//! Connect token (RFC 9068, with the certificate's hash of RFC 8705).
//!
//! Whether the signature is right is a question of keys, which the core has none of: it is handed
//! an [`AccessToken`], or the [`AccessFault`] that stood in the way.

mod algorithm;
mod check;
mod claim;
mod container;
mod fault;
mod issuer;
mod path;
mod user;

pub use algorithm::{Algorithm, NotAnAlgorithm};
pub use check::{Checked, Terms, check};
pub use claim::{AccessClaimFault, BindingFault, MAX_AHEAD};
pub use container::{Opened, open};
pub use fault::AccessFault;
pub use issuer::{ClaimMapping, Confirmation, Issuer, IssuerIndex, LONGEST_SECONDS};
pub use path::{ClaimPath, NotAClaimPath};
pub use user::{AccessTerms, User};

use super::Payload;

/// A token whose signature is that of an issuer.
#[derive(Debug)]
pub struct AccessToken {
    /// Whose.
    pub issuer: IssuerIndex,
    /// The claims that were signed. Nothing of what they say has been looked at but `iss`.
    pub claims: Payload,
}

#[cfg(test)]
pub(crate) mod tests;
