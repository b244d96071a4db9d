//! The engine's request as facts for the decision.

use std::time::{SystemTime, UNIX_EPOCH};

use gpconnect::facts::{Fields, UnixSeconds};
use pingora::http::RequestHeader;

/// The header fields that matter, borrowed from the engine's head.
pub(super) fn fields(head: &RequestHeader) -> Fields<'_> {
    Fields::gather(head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// The request target as it arrived.
pub(super) fn target(head: &RequestHeader) -> &str {
    // The front let only ASCII pass.
    str::from_utf8(head.raw_path()).unwrap_or_default()
}

/// A moment as tokens count it.
pub(super) fn seconds(at: SystemTime) -> UnixSeconds {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    UnixSeconds(since.try_into().unwrap_or(i64::MAX))
}
