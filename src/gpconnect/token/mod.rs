//! Stage 7: the GP Connect token, which says who the user is, for which organisation and with
//! which scope (gp-connect 7).
//!
//! It is unsigned: provenance for audit, not authentication. What may be trusted is only what
//! agrees with the caller's certificate and the directory, and that is what [`check`] compares.

mod check;
mod claims;
mod container;

pub use check::check;
pub use claims::{Claims, Device, Organization, Practitioner, Text, read};
pub use container::{Payload, open};

/// Tokens live exactly this long, measured from their own `iat`: the consumer's clock wrote both
/// claims, so their difference is free of skew.
pub const LIFETIME_SECONDS: i64 = 300;
