//! Requests whose practice stands behind a next proxy, such as the national one: whether they go in a
//! circle, and whose an error is that comes back.

use gpconnect::{forward::Connection, next_proxy, rejection::Reason};
use http::{HeaderName, header};
use pingora::http::{RequestHeader, ResponseHeader};

use super::{convert, exchange::Exchange};

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Refuses a request that has come by too often.
///
/// # Errors
/// 508 for one that goes in a circle.
pub(super) fn check_hops(head: &RequestHeader) -> Result<(), Reason> {
    let via = convert::texts(&head.headers, &header::VIA);
    if next_proxy::goes_in_a_circle(via) { Err(Reason::RequestLoop) } else { Ok(()) }
}

impl Exchange {
    /// The name of the next proxy that its practice stands behind, where it does.
    pub(super) fn next_proxy(&self) -> Option<&str> {
        let upstream = self.snapshot.upstream(self.outgoing.as_ref()?.upstream)?;
        (upstream.connection == Connection::Proxy).then_some(upstream.name.as_str())
    }

    /// Looks at the head of an answer.
    pub(super) fn look_at_head(&mut self, head: &ResponseHeader) {
        if head.status.as_u16() < 400 || self.next_proxy().is_none() {
            return;
        }
        let name = PROXY_STATUS;
        let mut told = convert::texts(&head.headers, &name);
        if told.any(next_proxy::made_by_an_intermediary) {
            self.refused_by_next_proxy = Some("refused");
        }
    }

    /// Tells whose the error was, now that all of it went by.
    pub(super) fn tell_whose(&mut self) {
        let error = self.error.as_ref().filter(|_| self.next_proxy().is_some());
        let word = error.and_then(|error| next_proxy::refusal(&error.beginning()));
        self.refused_by_next_proxy = word.or(self.refused_by_next_proxy);
    }

    /// What the next proxy said, if the error is its own: for log and journal.
    pub(super) fn note_of_next_proxy(&self) -> Option<String> {
        let (name, word) = (self.next_proxy()?, self.refused_by_next_proxy?);
        Some(format!("the next proxy {name} answered itself: {word}"))
    }
}
