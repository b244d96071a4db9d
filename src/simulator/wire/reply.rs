//! A whole answer before it is sent: where faults can still get at it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::Value;

use super::ReplyBody;
use super::body::Script;
use crate::simulator::clock::http_date;
use crate::simulator::fhir::format::Format;
use crate::simulator::fhir::outcome::Refusal;
use crate::simulator::fhir::xml_out;
use crate::simulator::practice::{Answer, Content, compressed};

/// Status, headers and all of the body.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) pieces: Vec<Bytes>,
    /// Sent in chunks rather than with its length.
    pub(crate) chunked: bool,
}

/// How the consumer wants its answer.
#[derive(Clone, Copy)]
pub(crate) struct Wishes {
    pub(crate) format: Format,
    pub(crate) gzip: bool,
    pub(crate) minimal: bool,
}

impl Reply {
    /// An answer of that status that nobody may keep.
    pub(crate) fn new(status: StatusCode) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self { status, headers, pieces: Vec::new(), chunked: false }
    }

    /// A text of any media type.
    pub(crate) fn text(status: StatusCode, kind: &'static str, text: String) -> Self {
        let mut reply = Self::new(status);
        reply.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        reply.pieces = vec![text.into()];
        reply
    }

    /// The `OperationOutcome` of a refusal.
    pub(crate) fn refusal(refusal: &Refusal, wishes: Wishes) -> Self {
        Self::outcome(refusal.status(), &refusal.outcome(), wishes)
    }

    /// An `OperationOutcome` with that status.
    pub(crate) fn outcome(status: StatusCode, outcome: &Value, wishes: Wishes) -> Self {
        let mut reply = Self::new(status);
        reply.write(outcome, wishes);
        reply
    }

    /// What the practice answers; `root` is the service root for addresses.
    pub(crate) fn answer(answer: Answer, root: &str, wishes: Wishes) -> Self {
        let mut reply = Self::new(answer.status);
        if let Some(identity) = &answer.identity {
            let versioned = format!("{root}/{}/_history/{}", identity.place, identity.version);
            reply.set(header::ETAG, &format!("W/\"{}\"", identity.version));
            if answer.status == StatusCode::CREATED {
                reply.set(header::LOCATION, &versioned);
            }
            reply.set(header::CONTENT_LOCATION, &versioned);
            if let Some(date) = identity.changed.as_ref().and_then(http_date) {
                reply.set(header::LAST_MODIFIED, &date);
            }
        }
        if wishes.minimal && answer.may_be_minimal {
            return reply;
        }
        match answer.content {
            Content::Resource(resource) => reply.write(&resource, wishes),
            Content::Written { pieces, gzip } => {
                reply.pieces = pieces;
                reply.describe(wishes.format, gzip);
            }
        }
        reply
    }

    fn write(&mut self, resource: &Value, wishes: Wishes) {
        let text = match wishes.format {
            Format::Json => resource.to_string(),
            Format::Xml => xml_out::document(resource),
        };
        self.pieces = vec![text.into()];
        if wishes.gzip {
            self.pieces = vec![compressed(&self.pieces)];
        }
        self.describe(wishes.format, wishes.gzip);
    }

    fn describe(&mut self, format: Format, gzip: bool) {
        let kind = HeaderValue::from_static(format.content_type());
        self.headers.insert(header::CONTENT_TYPE, kind);
        self.headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
        if gzip {
            self.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            // Servers that compress as they go don't know the length beforehand.
            self.chunked = true;
        }
    }

    /// Sets a header, unless the value can't stand in one.
    pub(crate) fn set(&mut self, name: header::HeaderName, value: &str) {
        if let Ok(value) = value.parse() {
            self.headers.insert(name, value);
        }
    }

    /// The number of bytes in the body.
    pub(crate) fn length(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// The response with this body in place of the reply's own.
    pub(crate) fn with_body(self, body: Script) -> Response<ReplyBody> {
        let mut response = Response::new(body.boxed());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }

    /// The response as it should be.
    pub(crate) fn send(mut self) -> Response<ReplyBody> {
        let pieces = std::mem::take(&mut self.pieces);
        let body = if self.chunked {
            Script::new(pieces.into_iter().map(super::body::Step::Send))
        } else {
            Script::exact(pieces)
        };
        self.with_body(body)
    }
}
