//! Who may sign access tokens, and what their claims are called.

use super::ClaimPath;

/// The longest that an access token may live, in seconds, whatever its issuer is let.
pub const LONGEST_SECONDS: i64 = 3_600;

/// Place of an issuer in its [`Policy`](crate::Policy).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssuerIndex(pub u32);

/// An issuer of access tokens, as far as the decision depends on it. Its keys are kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its name here, for logs and for consumers that name their issuers.
    pub name: String,
    /// What `iss` says, letter by letter.
    pub issuer: String,
    /// What `aud` may say: at least one of these has to stand there.
    pub audiences: Vec<String>,
    /// Whether its tokens are bound to the client certificate.
    pub confirmation: Confirmation,
    /// How many seconds its tokens may live, by `iat` and `exp`: at most [`LONGEST_SECONDS`].
    pub longest: i64,
    /// What its claims are called.
    pub mapping: ClaimMapping,
}

/// Whether tokens have to say to which client certificate they were given: `cnf.x5t#S256`
/// (RFC 8705, 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confirmation {
    /// Each of them, so that a stolen one is of no use.
    #[default]
    Required,
    /// Those that don't are good for whoever holds them; those that do are held to it.
    WhenPresent,
}

/// Which claims say what the GP Connect token has to say. Each has to be a text in the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimMapping {
    /// The user's id: `sub` and the practitioner's id in the GP Connect token.
    pub user_id: ClaimPath,
    /// The user's family name.
    pub family_name: ClaimPath,
    /// The user's given name.
    pub given_name: ClaimPath,
    /// What stands before the name; the claim may be missing.
    pub prefix: Option<ClaimPath>,
    /// The user's SDS user id; where there is no such claim the token says `UNK`.
    pub sds_user_id: Option<ClaimPath>,
    /// The user's SDS role profile (job role); where there is no such claim the token says `UNK`.
    pub role: Option<ClaimPath>,
    /// The ODS code of the organisation that the user sits in.
    pub organisation: ClaimPath,
    /// The user's device or system; where there is no such claim, the ASID of the sender.
    pub device: Option<ClaimPath>,
}
