//! What becomes of an answer that a call has brought: whether it is kept, and which rules it breaks.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use gpconnect::caching::{self, Candidate, NotKept, judge, sent_age};
use http::{HeaderMap, HeaderValue, header};
use pingora::http::ResponseHeader;

use super::Call;
use crate::{
    cache::{Entry, Kept, Key, Lead, Outcome, Whole},
    proxy::observe,
    telemetry::Noted,
};

/// An answer as it came.
pub(super) enum Came {
    Whole {
        head: Box<ResponseHeader>,
        body: Bytes,
        is_whole: bool,
    },
    /// Its body is larger than any that is kept.
    TooLarge,
}

impl Call {
    /// Takes note of which rules the answer breaks: once, however many get it.
    pub(super) fn watch(&self, lead: &Lead, came: &Came, took: Duration) {
        let (Came::Whole { head, body, .. }, Some(id)) = (came, self.noted.interaction) else {
            return;
        };
        let asked = lead.key().question().format();
        if let Some(seen) = observe::whole(head, body, took, id, asked) {
            let answered = Some((self.practice, seen));
            self.shared.telemetry.metrics.conformance.note(Noted { answered, ..self.noted });
        }
    }

    pub(super) fn outcome(&self, lead: &Lead, came: Came) -> Outcome {
        let (settings, subject) = (&self.snapshot.cache, lead.key().question().subject());
        let (head, body, is_whole) = match came {
            Came::Whole { head, body, is_whole } => (head, body, is_whole),
            Came::TooLarge => {
                let lifetime = settings.lifetime(subject, caching::Extent::Full);
                lead.keep(Entry::too_large(lifetime.jittered(self.random)));
                return Outcome::Alone;
            }
        };
        let headers = &head.headers;
        let (kept, confirmed) = if head.status == http::StatusCode::NOT_MODIFIED {
            match self.confirmed(headers) {
                Some(kept) => (kept, true),
                None => return Outcome::Alone,
            }
        } else {
            match keepable(lead.key(), &head, &body, is_whole) {
                Ok(extent) => (Kept::new(headers, body, extent), false),
                Err(_) => {
                    let (status, headers) = (head.status.as_u16(), head.headers.clone());
                    return Outcome::Whole(Arc::new(Whole { status, headers, body }));
                }
            }
        };
        let lifetime = settings.lifetime(subject, kept.extent()).jittered(self.random);
        let age = sent_age(headers.get(header::AGE).and_then(|age| age.to_str().ok()));
        let entry = Entry::new(kept, lifetime, age).in_place_of(self.old.as_deref());
        let entry = lead.keep(entry);
        Outcome::Kept { entry, confirmed }
    }

    /// What was in memory, when this is the word that it is still so.
    fn confirmed(&self, headers: &HeaderMap) -> Option<Kept> {
        let kept = self.old.as_deref()?.kept()?;
        let own = kept.tag()?;
        let is_same = match headers.get(header::ETAG) {
            Some(tag) => tag.to_str().is_ok_and(|tag| caching::is_same(tag, own)),
            None => true,
        };
        is_same.then(|| kept.confirmed(headers))
    }
}

/// Whether an answer may be kept.
fn keepable(
    key: &Key,
    head: &ResponseHeader,
    body: &Bytes,
    is_whole: bool,
) -> Result<caching::Extent, NotKept> {
    let headers = &head.headers;
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let content_type = match (types.next(), types.next()) {
        (Some(only), None) => only.to_str().ok(),
        _ => None,
    };
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let is_plain = |encoding: &HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
    // A name that is no text may be any name.
    let vary = headers.get_all(header::VARY).iter().map(|line| line.to_str().unwrap_or("*"));
    let vary: Vec<_> = vary.collect();
    judge(
        key.question(),
        &Candidate {
            status: head.status.as_u16(),
            content_type,
            is_encoded: !encodings.all(is_plain),
            sets_cookie: headers.contains_key(header::SET_COOKIE),
            vary: &vary,
            is_whole,
            body,
        },
    )
}
