//! Stage 7: the GP Connect token, which says who the user is, for which organisation and with
//! which scope (gp-connect 7).
//!
//! It is unsigned: provenance for audit, not authentication. What may be trusted is only what
//! agrees with the caller's certificate and the directory, and that is what [`check`] compares.
//! [`open`] and [`read`] depend on the token alone; what they read is borrowed from it.

pub mod access;
mod audience;
mod check;
mod claims;
mod container;
mod elements;
pub mod fault;
mod given;
mod identifiers;
mod json;
pub mod mint;
mod resource;
mod said;

pub use audience::{AudienceMatch, AudiencePolicy};
pub use check::{Observed, Terms, check};
pub use claims::{Claims, read};
pub use container::{Payload, bearer, open};
pub use given::{Given, Text};
pub use identifiers::Identifiers;
pub use json::First;
pub use resource::{Device, HumanName, Identifier, OneOrMany, Organization, Practitioner, Record};
pub use said::{Item, Said};

/// Tokens live exactly this long, measured from their own `iat`: the consumer's clock wrote both
/// claims, so their difference is free of skew.
pub const LIFETIME_SECONDS: i64 = 300;

/// What a consumer's tokens may be like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenTerms {
    /// How closely `aud` has to point to the practice (D3).
    pub audience: AudiencePolicy,
    /// Whether the dot at the end may be missing (D2).
    pub without_final_dot: bool,
    /// Whether they may be of another organisation than the sender's (D5).
    pub any_organisation: bool,
}
