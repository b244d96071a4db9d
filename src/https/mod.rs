//! Our own requests over https: for the keys of issuers, for checkpoints of the journal, and for
//! spans. Each goes to the configured address and nowhere else, and is bounded in time and in size.

mod connect;
mod exchange;

pub use connect::{ClientFiles, NoTls, certificates, connector};
pub use exchange::{LIMIT, NoAnswer, Protocol, Wire, get, open, post, send};
