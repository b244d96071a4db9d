//! What operations and balancers ask of the gateway, on listeners of their own.
//!
//! [`Observe`] shows metrics and health to whoever may reach it. The admin API takes orders, and knows
//! who gives them: a [`Door`] lets callers in, [`caller`] says who they are, [`route`] what they may
//! ask, and [`api`] does it. Every call is on record in the audit journal, what changes something
//! before it does.

mod answer;
mod api;
mod cache;
mod caller;
mod capabilities;
mod conformance;
mod door;
mod observe;
mod openapi;
mod order;
mod query;
mod route;
mod state;
mod switches;

pub use api::{Api, Governed, Listening, Reload};
pub use door::{Door, serve};
pub use observe::Observe;
pub use openapi::description;
