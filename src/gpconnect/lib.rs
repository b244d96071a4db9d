//! The GP Connect protocol and the gateway's decision, stages 2 to 8.
//!
//! A request arrives as [`RequestFacts`]: what stood in the head, who may be calling, what second
//! it is. [`decide`] runs the stages in order against a [`Policy`] and ends in a [`Permit`], which
//! is what forwarding needs, or in a [`Rejection`], which knows its status, its issues and its
//! word. Nothing here does I/O, reads a clock or knows the engine, so that a test can be any
//! request in any second of any year.
//!
//! The rooms in the order in which a request walks them: [`target`], [`headers`],
//! [`interaction`], [`accreditation`], [`agreement`], [`token`], [`enablement`]; then [`caching`] and
//! [`forward`] for what goes out, [`next_proxy`] for what stands behind another proxy, or [`rejection`]
//! and [`outcome`] for what comes back. [`observe`] says which rules consumers and practices break on
//! the way.

pub mod accreditation;
pub mod agreement;
pub mod body;
pub mod caching;
pub mod coding;
pub mod contract;
pub mod decide;
pub mod enablement;
pub mod facts;
pub mod forward;
pub mod headers;
pub mod interaction;
pub mod links;
pub mod media;
pub mod names;
pub mod next_proxy;
pub mod observe;
pub mod outcome;
pub mod patients;
pub mod policy;
pub mod rejection;
pub mod report_only;
pub mod sent;
pub mod switched_off;
pub mod target;
pub mod token;
mod xml;

pub use contract::{Check, Stage};
pub use decide::{Decision, Examination, Permit, Seen, decide, examine};
pub use facts::RequestFacts;
pub use policy::Policy;
pub use rejection::Rejection;
