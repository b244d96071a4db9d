//! Answers of the admin API: JSON, and problem details (RFC 9457) that say what was wrong and what
//! was expected.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use serde_json::{Value, json};

/// An answer, and the word for what was wrong.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) fault: Option<&'static str>,
    kind: &'static str,
    body: Vec<u8>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Answer {
    /// Something as JSON.
    pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        // What is answered has no map whose keys are no texts.
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self { status, fault: None, kind: "application/json", body, header: None }
    }

    /// What goes out.
    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.extend(self.header);
        response
    }
}

/// Why a call is not answered as it wished.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// A stable word, for programs and for the journal.
    pub(super) fault: &'static str,
    /// What was wrong and what was expected. It may hold what the caller sent: it is for its eyes only.
    detail: String,
    header: Option<Box<(HeaderName, HeaderValue)>>,
    /// More that programs can use.
    more: Option<Box<(&'static str, Value)>>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, fault: &'static str, detail: impl Into<String>) -> Self {
        Self { status, fault, detail: detail.into(), header: None, more: None }
    }

    /// A body, a query or a header that is not as it must be.
    pub(super) fn bad(fault: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, fault, detail)
    }

    /// A call that is as it is described, and names what is not there or can't be done.
    pub(super) fn refused(fault: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, fault, detail)
    }

    pub(super) fn not_found(fault: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, fault, detail)
    }

    /// The journal can't be written.
    pub(super) fn unrecorded() -> Self {
        let detail = "the audit journal can't be written, so nothing was done: a call must be on \
                      record before it changes anything or searches the journal";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable", detail)
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    pub(super) fn with_header(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some(Box::new((name, value))), ..self }
    }

    pub(super) fn with(self, name: &'static str, value: Value) -> Self {
        Self { more: Some(Box::new((name, value))), ..self }
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let mut body = json!({
            "type": "about:blank",
            "title": problem.status.canonical_reason().unwrap_or("Problem"),
            "status": problem.status.as_u16(),
            "fault": problem.fault,
            "detail": problem.detail,
        });
        if let (Some(members), Some((name, value))) =
            (body.as_object_mut(), problem.more.map(|more| *more))
        {
            members.insert(name.to_owned(), value);
        }
        Self {
            status: problem.status,
            fault: Some(problem.fault),
            kind: "application/problem+json",
            body: body.to_string().into_bytes(),
            header: problem.header.map(|header| *header),
        }
    }
}
