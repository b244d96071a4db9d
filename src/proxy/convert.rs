//! The engine's request as facts for the decision.

use std::{
    borrow::Cow,
    time::{SystemTime, UNIX_EPOCH},
};

use gpconnect::{
    facts::{Fields, UnixSeconds},
    policy::ConsumerIndex,
};
use http::{HeaderMap, HeaderName};
use pingora::http::RequestHeader;

use crate::{
    snapshot::{Access, Snapshot},
    tls::ClientCertificate,
};

/// The header fields that matter, borrowed from the engine's head.
pub(super) fn fields(head: &RequestHeader) -> Fields<'_> {
    Fields::gather(head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// The lines of a header that are text.
pub(super) fn texts<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'h str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}

/// Whether a list in a header has this member, in letters of either case.
pub(super) fn lists(headers: &HeaderMap, name: &HeaderName, member: &str) -> bool {
    let members = texts(headers, name).flat_map(|value| value.split(','));
    members.map(str::trim).any(|found| found.eq_ignore_ascii_case(member))
}

/// The systems that a caller of a listener may be.
pub(super) fn candidates<'s>(
    snapshot: &'s Snapshot,
    listener: usize,
    certificate: Option<&ClientCertificate>,
) -> Cow<'s, [ConsumerIndex]> {
    match (snapshot.entrance(listener).map(|entrance| &entrance.access), certificate) {
        (Some(Access::InsecureEveryoneIs(everyone)), _) => Cow::Borrowed(everyone),
        (Some(Access::Tls(_) | Access::BehindTerminator(_)), Some(certificate)) => {
            snapshot.policy.find_callers(&certificate.host_names)
        }
        (Some(Access::Tls(_) | Access::BehindTerminator(_)) | None, _) => Cow::Borrowed(&[]),
    }
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
