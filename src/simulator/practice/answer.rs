//! What a practice answers, before it becomes HTTP.

use bytes::Bytes;
use http::StatusCode;
use jiff::Zoned;
use serde_json::Value;

use super::resources::FIRST_VERSION;
use crate::simulator::clock::date_time;

/// The content of an answer.
pub(crate) enum Content {
    /// A resource, still to be written in the format asked for.
    Resource(Value),
    /// Text in the format asked for, in pieces that may be shared with other answers.
    Written {
        /// The pieces in their order.
        pieces: Vec<Bytes>,
        /// Whether they are compressed.
        gzip: bool,
    },
}

/// The identity of a single resource, for `ETag`, `Content-Location` and `Last-Modified`.
pub(crate) struct Identity {
    /// Type and id, such as `Appointment/9`.
    pub(crate) place: String,
    pub(crate) version: u64,
    pub(crate) changed: Option<Zoned>,
}

/// An answer that is no refusal.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content: Content,
    pub(crate) identity: Option<Identity>,
    /// Whether `Prefer: return=minimal` may empty it.
    pub(crate) may_be_minimal: bool,
}

impl Answer {
    /// A resource without an identity of its own: a Bundle or a capability statement.
    pub(crate) const fn of(resource: Value) -> Self {
        let content = Content::Resource(resource);
        Self { status: StatusCode::OK, content, identity: None, may_be_minimal: false }
    }

    /// Text that is already written.
    pub(crate) const fn written(pieces: Vec<Bytes>, gzip: bool) -> Self {
        let content = Content::Written { pieces, gzip };
        Self { status: StatusCode::OK, content, identity: None, may_be_minimal: false }
    }

    /// A single resource that has never changed.
    pub(crate) fn unchanging(kind: &str, id: u64, resource: Value) -> Self {
        let changed = date_time("2026-01-05T09:00:00+00:00");
        Self::single(format!("{kind}/{id}"), FIRST_VERSION, changed, resource)
    }

    /// A single resource in its present version.
    pub(crate) fn single(
        place: String,
        version: u64,
        changed: Option<Zoned>,
        resource: Value,
    ) -> Self {
        let mut answer = Self::of(resource);
        answer.identity = Some(Identity { place, version, changed });
        answer
    }

    /// The same answer as that of a command with this status.
    pub(crate) fn of_command(mut self, status: StatusCode) -> Self {
        self.status = status;
        self.may_be_minimal = true;
        self
    }

    #[cfg(test)]
    pub(crate) fn into_json(self) -> Value {
        match self.content {
            Content::Resource(resource) => resource,
            Content::Written { pieces, .. } => serde_json::from_slice(&pieces.concat()).unwrap(),
        }
    }
}
