//! Which line of the file a fault is about.

use gpconnect::{contract::Header, rejection::Reason};

use super::{
    case::Place,
    source::{Source, value_of},
};
use crate::proxy::rehearsal::check_head;

/// The line that `reason` is about, from 1, where one can be named.
pub(super) fn line_of(reason: &Reason, source: &Source, place: &Place<'_>) -> Option<usize> {
    use gpconnect::contract::Stage;
    match reason.stage() {
        Stage::Admit => first_refused(reason, source, place),
        Stage::Target => Some(1),
        Stage::Headers | Stage::Interaction | Stage::Accreditation | Stage::Token => {
            line_of_header(header_of(reason)?, &source.message)
        }
        Stage::Agreement
        | Stage::Enablement
        | Stage::Limit
        | Stage::Audit
        | Stage::Cache
        | Stage::Upstream
        | Stage::Response
        | Stage::Outcome => None,
    }
}

/// The front reads line by line: the first line with which it refuses is the one.
fn first_refused(reason: &Reason, source: &Source, place: &Place<'_>) -> Option<usize> {
    if matches!(reason, Reason::HeaderMissing(_)) {
        return None;
    }
    if matches!(reason, Reason::HostNotServed) {
        return line_of_header(Header::Host.as_str(), &source.message);
    }
    let ends = memchr::memchr_iter(b'\n', &source.message).zip(1..);
    for (end, line) in ends {
        let mut head = source.message.get(..=end)?.to_vec();
        head.extend_from_slice(b"\r\n");
        let refused = check_head(&head, place.snapshot, place.listener).and_then(Result::err);
        if refused.as_ref() == Some(reason) {
            return Some(line);
        }
    }
    None
}

/// The header that a fault is about.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are about no header")]
const fn header_of(reason: &Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::HeaderInvalid { header, .. } => header.as_str(),
        Reason::HeaderRepeated(name) | Reason::CertificateClaimed(name) => name,
        Reason::InteractionUnknown { .. } => Header::InteractionId.as_str(),
        Reason::SenderNotCaller(_) | Reason::SenderNotAccredited(_) => Header::From.as_str(),
        Reason::ReceiverMismatch => Header::To.as_str(),
        Reason::MediaTypeUnsupported(name) => name,
        Reason::TokenMalformed(_)
        | Reason::AccessTokenRefused(_)
        | Reason::AccessTokenUnbound(_)
        | Reason::AccessClaim { .. } => Header::Authorization.as_str(),
        _ => return None,
    })
}

fn line_of_header(name: &str, message: &[u8]) -> Option<usize> {
    let lines = message.split(|byte| *byte == b'\n').zip(1..);
    let mut head = lines.skip(1).take_while(|(line, _)| !line.trim_ascii().is_empty());
    head.find(|(line, _)| value_of(line, name).is_some()).map(|(_, line)| line)
}
