//! The contract of the decision as data: the stages, and every check in the order in which faults
//! are told. What it refuses with stands in [`crate::rejection`]; each reason names its check.

mod check;
mod parts;
mod stage;

pub use check::{Check, CheckSet};
pub use parts::{Claim, Header};
pub use stage::Stage;
