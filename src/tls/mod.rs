//! TLS on both legs, as far as it needs no engine: the files that prove who we are and say whom we
//! believe, what stands in a certificate, and the replacement of all of it while running.
//!
//! What the files give is checked as a whole and held as one immutable value. [`renew`] looks at
//! the files every second; when one has changed, the next value is built aside and swapped in, or
//! the last good one stays and it is said why.

mod accepted;
mod certificate;
mod client;
mod examine;
mod fault;
pub mod field;
mod files;
mod identity;
pub mod issue;
mod refused;
mod renew;
mod revoked;
mod server;
mod terminator;
#[cfg(test)]
mod tests;
mod trust;
mod warnings;

pub use certificate::{ClientCertificate, Expiry};
pub use client::{Accepted, ClientTls, Credentials};
pub use examine::Examined;
pub use fault::Fault;
pub use refused::{NotAccepted, Refused};
pub use renew::{Material, Renewable, Renewal};
pub use server::{Acceptor, Caller, ServerTls, Verdict};
pub use terminator::{Terminator, TerminatorTls, Told};
pub use warnings::warning;
