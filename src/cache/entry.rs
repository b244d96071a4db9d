//! One answer in memory.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use gpconnect::caching::{Extent, Freshness, Lifetime};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The headers that are kept of an answer: they describe it. All others may be about the one call
/// that it answered, and are nobody else's business.
const DESCRIBING: [HeaderName; 6] = [
    header::CONTENT_TYPE,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::ETAG,
    header::LAST_MODIFIED,
    header::VARY,
];

/// For how long behind its last use an answer is asked for anew.
const WANTED: Duration = Duration::from_secs(3_600);

/// The milliseconds since this was first asked, and one.
fn milliseconds() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let since = START.get_or_init(Instant::now).elapsed().as_millis();
    u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1)
}

/// What stands for a question.
#[derive(Debug)]
pub struct Entry {
    kept: Option<Kept>,
    lifetime: Lifetime,
    /// How old it was when it came.
    sent_age: Duration,
    came: Instant,
    /// When it, or one that it took the place of, was last given to a consumer: milliseconds on a
    /// clock of our own, 0 for never.
    given: AtomicU64,
}

/// An answer.
#[derive(Clone)]
pub struct Kept {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    extent: Extent,
}

impl Kept {
    /// An answer with what describes it of these headers.
    pub fn new(headers: &HeaderMap, body: Bytes, extent: Extent) -> Self {
        let describing = DESCRIBING.iter().flat_map(|name| {
            headers.get_all(name).iter().map(move |value| (name.clone(), value.clone()))
        });
        Self { headers: describing.collect(), body, extent }
    }

    /// The same answer, confirmed by a 304 with these headers (RFC 9111, 4.3.4).
    #[must_use]
    pub fn confirmed(&self, headers: &HeaderMap) -> Self {
        let news = Self::new(headers, Bytes::new(), self.extent).headers;
        let is_new = |name: &HeaderName| news.iter().any(|(new, _)| new == name);
        let old = self.headers.iter().filter(|(name, _)| !is_new(name)).cloned();
        let old: Vec<_> = old.collect();
        Self { headers: [old, news].concat(), ..self.clone() }
    }

    /// What describes it.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// Its entity tag.
    pub fn tag(&self) -> Option<&str> {
        let tag = self.headers.iter().find(|(name, _)| name == header::ETAG);
        tag.and_then(|(_, value)| value.to_str().ok())
    }

    /// How much it says.
    pub const fn extent(&self) -> Extent {
        self.extent
    }

    /// Its body, byte by byte as it came.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }
}

/// Without the body.
impl fmt::Debug for Kept {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Kept({} headers, {} bytes)", self.headers.len(), self.body.len())
    }
}

impl Entry {
    /// An answer that came now and was `sent_age` old.
    pub fn new(kept: Kept, lifetime: Lifetime, sent_age: Duration) -> Self {
        let given = AtomicU64::new(0);
        Self { kept: Some(kept), lifetime, sent_age, came: Instant::now(), given }
    }

    /// The note that the answer is too large to be kept: who asks for it is not held up by the
    /// attempt.
    pub fn too_large(lifetime: Lifetime) -> Self {
        let (came, given) = (Instant::now(), AtomicU64::new(0));
        Self { kept: None, lifetime, sent_age: Duration::ZERO, came, given }
    }

    /// The same in the place of an older one: consumers want it as much.
    #[must_use]
    pub fn in_place_of(self, old: Option<&Self>) -> Self {
        let given = old.map_or(0, |old| old.given.load(Ordering::Relaxed));
        Self { given: AtomicU64::new(given), ..self }
    }

    /// Takes note that a consumer gets it.
    pub fn give(&self) {
        self.given.store(milliseconds(), Ordering::Relaxed);
    }

    /// Whether it is to be asked for anew without anybody asking: it says something, a consumer got it
    /// within the last hour, and it is about to be stale.
    pub fn is_due(&self) -> bool {
        let says_something = self.kept().is_some_and(|kept| kept.extent() == Extent::Full);
        let given = self.given.load(Ordering::Relaxed);
        let since = Duration::from_millis(milliseconds().saturating_sub(given));
        let is_wanted = given > 0 && since <= WANTED;
        says_something && is_wanted && self.is_ageing()
    }

    /// Whether it is about to be stale, or is.
    pub fn is_ageing(&self) -> bool {
        self.lifetime.is_due(self.age())
    }

    /// The answer; none where it is too large.
    pub const fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    /// How old it is.
    pub fn age(&self) -> Duration {
        self.sent_age.saturating_add(self.came.elapsed())
    }

    /// What may be done with it.
    pub fn freshness(&self) -> Freshness {
        self.lifetime.at(self.age())
    }

    /// The seconds that it is still fresh; below zero those since it was.
    pub fn left(&self) -> i64 {
        self.lifetime.left(self.age())
    }

    /// How long it may be of any use, from when it came.
    pub(super) fn room(&self) -> Duration {
        self.lifetime.whole().saturating_sub(self.sent_age)
    }

    /// The bytes that it takes.
    pub(super) fn length(&self) -> usize {
        let Some(kept) = &self.kept else { return 0 };
        let header = |(name, value): &(HeaderName, HeaderValue)| name.as_str().len() + value.len();
        kept.body.len() + kept.headers.iter().map(header).sum::<usize>()
    }
}
