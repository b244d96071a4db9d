//! The simulator on a socket: connections, requests, answers.

pub(crate) mod body;
mod exchange;
mod recorder;
pub(crate) mod reply;
pub(crate) mod route;
mod server;
mod stream;

#[cfg(test)]
mod tests;

pub(crate) use exchange::check_headers;
pub use recorder::{Arrival, Recorder};
pub use server::{Running, Settings, start};

/// The body of a response.
pub(crate) type ReplyBody =
    http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, body::BrokenOff>;
