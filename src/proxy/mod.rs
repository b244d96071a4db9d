//! The adapter to the engine: it converts, calls and writes. What is decided stands in the core.
//!
//! A connection comes in at [`front`], which reads and checks one request head and hands it to the
//! engine's session; [`gateway`] holds the engine's hooks in the order in which they run.

mod access;
mod address;
mod alarm;
mod answer;
mod assist;
mod audit;
mod body;
mod bounded;
mod call;
mod convert;
mod error_copy;
mod exchange;
mod fault;
mod framing;
mod front;
mod gateway;
mod guest;
mod handshake;
mod head;
mod memory;
mod observe;
mod onward;
mod own;
pub mod rehearsal;
mod renew;
mod request;
mod response;
mod service;
mod socket;
mod told;
mod trace;
mod trust;
mod watch;

pub use address::Addresses;
pub use call::Caller;
pub use own::ask_of_own_accord;
pub use renew::{renew_keys, renew_tls};
pub use service::{BoxFuture, Shared, listener, socket};
pub use socket::{LocalSocket, NoSocket, SocketFile};
