//! The user that an access token names, for whom a GP Connect token is made.

use std::fmt;

use serde_json::Value;

use super::super::mint::{self, Author, Purpose};
use crate::policy::Consumer;

/// What a consumer's registration adds to the claims of its access tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessTerms {
    /// The issuers whose tokens it may send.
    pub issuers: Vec<super::IssuerIndex>,
    /// Its own URL: `iss` of the GP Connect tokens that are made for it.
    pub iss: String,
    /// The name of its organisation.
    pub organisation_name: String,
    /// The product name of the system.
    pub device_model: String,
    /// Its product version.
    pub device_version: String,
}

/// Who the user is, and on which device. The texts are there for the minting only.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    pub(super) id: String,
    pub(super) family: String,
    pub(super) given: String,
    pub(super) prefix: Option<String>,
    pub(super) sds_user_id: Option<String>,
    pub(super) role: Option<String>,
    pub(super) device: Option<String>,
}

/// Without who it is.
impl fmt::Debug for User {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "User({} bytes)", self.id.len())
    }
}

impl User {
    /// The claims of a GP Connect token of this user at that consumer.
    pub(crate) fn claims(
        &self,
        consumer: &Consumer,
        terms: &AccessTerms,
        purpose: &Purpose,
    ) -> Value {
        let author = Author {
            iss: &terms.iss,
            user: &self.id,
            family: &self.family,
            given: &self.given,
            prefix: self.prefix.as_deref(),
            sds_user_id: self.sds_user_id.as_deref().unwrap_or(mint::UNKNOWN),
            role_profile: self.role.as_deref().unwrap_or(mint::UNKNOWN),
            organisation: consumer.organisation.as_str(),
            organisation_name: &terms.organisation_name,
            device_id: self.device.as_deref().unwrap_or(consumer.asid.as_str()),
            device_model: &terms.device_model,
            device_version: &terms.device_version,
        };
        mint::claims(&author, purpose)
    }
}
