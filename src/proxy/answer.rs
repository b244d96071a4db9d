//! Answers that the gateway makes itself: an OperationOutcome with the headers that every one of
//! them has, written through the engine's session or, at the front, straight to the stream.

use bytes::Bytes;
use gpconnect::{
    Rejection,
    names::TraceId,
    outcome::{self, Style},
    rejection::Reason,
};
use pingora::{Result, http::ResponseHeader, proxy::Session};
use uuid::Uuid;

use super::rehearsal::Refusal;

/// An answer of our own.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

/// How long a caller waits before it asks an overloaded gateway again.
const RETRY_AFTER_SECONDS: &str = "1";
/// Callers that came over TLS are to come over nothing else, for a year (RFC 6797).
pub(super) const STRICT_TRANSPORT: (&str, &str) =
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains");

impl From<Answer> for Refusal {
    fn from(answer: Answer) -> Self {
        let Answer { status, headers, body } = answer;
        Self { status, phrase: phrase(status), headers, body }
    }
}

impl Answer {
    /// The answer for a rejection.
    pub(super) fn new(rejection: &Rejection, trace_id: TraceId, style: Style) -> Self {
        let occurrence = Uuid::new_v4().to_string();
        let body = outcome::body(rejection, &occurrence, style);
        let mut headers = vec![
            ("Content-Type", style.format.content_type().to_owned()),
            ("Content-Length", body.len().to_string()),
            ("Cache-Control", "no-store".to_owned()),
            ("Ssp-TraceID", trace_id.to_string()),
        ];
        if let Some(challenge) = rejection.reason.challenge() {
            headers.push(("WWW-Authenticate", challenge));
        }
        if let Some(told) = rejection.reason.proxy_status() {
            headers.push(("Proxy-Status", told.to_owned()));
        }
        let status = rejection.reason.answer_as(style.wording).0;
        match status {
            405 => headers.push(("Allow", "GET, POST, PUT".to_owned())),
            503 => headers.push(("Retry-After", RETRY_AFTER_SECONDS.to_owned())),
            _ => {}
        }
        Self { status, headers, body: body.into() }
    }

    /// The answer for a fault that stands alone.
    pub(super) fn of(reason: Reason, trace_id: TraceId, style: Style) -> Self {
        Self::new(&reason.into(), trace_id, style)
    }

    /// Its status.
    pub(super) const fn status(&self) -> u16 {
        self.status
    }

    /// The same for a connection that is `secure`, or is not.
    pub(super) fn over(mut self, secure: bool) -> Self {
        if secure {
            let (name, value) = STRICT_TRANSPORT;
            self.headers.push((name, value.to_owned()));
        }
        self
    }

    /// The bytes of its body.
    pub(super) fn length(&self) -> usize {
        self.body.len()
    }

    fn head(&self) -> Result<ResponseHeader> {
        let mut head = ResponseHeader::build(self.status, Some(self.headers.len()))?;
        for (name, value) in &self.headers {
            head.insert_header(*name, value)?;
        }
        Ok(head)
    }

    /// Writes it and keeps the connection.
    pub(super) async fn write(self, session: &mut Session) -> Result<()> {
        let bare = session.req_header().method == http::Method::HEAD;
        session.write_response_header(Box::new(self.head()?), bare).await?;
        if bare { Ok(()) } else { session.write_response_body(Some(self.body), true).await }
    }

    /// Writes it, unless an answer has begun already, and closes the connection.
    pub(super) async fn write_last(self, session: &mut Session) -> Result<()> {
        let head = self.head()?;
        session.as_downstream_mut().write_error_response(head, self.body).await
    }

    /// Its bytes on the wire, for a connection that closes behind it; `bare` leaves the body out,
    /// as HEAD wants it.
    pub(super) fn wire(&self, bare: bool) -> Vec<u8> {
        let phrase = phrase(self.status);
        let mut wire = format!("HTTP/1.1 {} {phrase}\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            wire.extend([name, ": ", value, "\r\n"]);
        }
        wire.push_str("\r\n");
        let body = if bare { &[] } else { self.body.as_ref() };
        [wire.as_bytes(), body].concat()
    }
}

/// What stands behind a status.
fn phrase(status: u16) -> &'static str {
    match status {
        495 => "SSL Certificate Error",
        496 => "SSL Certificate Required",
        _ => {
            let status = http::StatusCode::from_u16(status).unwrap_or_default();
            status.canonical_reason().unwrap_or("Error")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gp-connect 4.3.
    #[test]
    fn an_answer_has_its_headers_on_the_wire() {
        let trace_id = "629ea9ba-a077-4d99-b289-7a9b19fd4e03".parse().unwrap();
        let answer = Answer::of(Reason::MethodNotCarried, trace_id, Style::default());
        let wire = String::from_utf8(answer.wire(false)).unwrap();
        let (head, body) = wire.split_once("\r\n\r\n").unwrap();
        assert_eq!(
            head,
            format!(
                "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\n\
                 Content-Type: application/fhir+json;charset=utf-8\r\nContent-Length: {}\r\n\
                 Cache-Control: no-store\r\nSsp-TraceID: {trace_id}\r\n\
                 Proxy-Status: gpconnect-gateway; error=http_request_denied\r\n\
                 Allow: GET, POST, PUT",
                body.len()
            )
        );
    }
}
