//! Stage 13 for consumers in assist mode: links lead through the gateway, and bodies are compressed
//! for those who ask. Both as the answer passes, part by part; what no such consumer asked for, and
//! what says `no-transform`, stays as it is. An error that is no FHIR gives way to one of ours.

use std::io;

use bytes::Bytes;
use gpconnect::{
    Permit,
    coding::{Coding, Passage},
    forward,
    links::{Links, Rewriter},
    media::{self, Format},
    observe::Head,
    policy::Mode,
    rejection::Reason,
};
use http::{HeaderName, HeaderValue, header};
use pingora::{
    Result,
    http::{RequestHeader, ResponseHeader},
};

use super::{
    convert::{self, lists, texts},
    exchange::Exchange,
};

/// A shorter body gains nothing by being compressed.
const WORTHWHILE: usize = 1024;

/// What says which bytes a body has: no longer true when they change.
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

const GZIP: HeaderValue = HeaderValue::from_static("gzip");
const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");

/// A body on its way. Boxed: every exchange has the room for it.
#[derive(Debug)]
pub(super) struct Assisted(Box<Passage>);

impl Assisted {
    /// What is to happen to the body behind `head`, which is changed accordingly. None when it
    /// passes as it is.
    pub(super) fn new(
        arrived: &RequestHeader,
        links: Links,
        head: &mut ResponseHeader,
    ) -> Result<Option<Self>> {
        lead_back(&links, head)?;
        let empty = arrived.method == http::Method::HEAD
            || matches!(head.status.as_u16(), 204 | 304)
            || length(head) == Some(0);
        if empty || lists(&head.headers, &header::CACHE_CONTROL, "no-transform") {
            return Ok(None);
        }
        let format = texts(&head.headers, &header::CONTENT_TYPE).next();
        let Some(format) = format.and_then(Format::of_media_type) else { return Ok(None) };
        let has_links = !links.is_empty();
        let coding = match arrives(head) {
            Arrives::Plain if compresses(arrived, head)? => {
                head.insert_header(header::CONTENT_ENCODING, GZIP)?;
                Coding::Pack
            }
            Arrives::Plain if has_links => Coding::Plain,
            Arrives::Gzip if has_links => Coding::Within,
            Arrives::Plain | Arrives::Gzip | Arrives::Otherwise => return Ok(None),
        };
        let rewriter = has_links.then(|| Rewriter::new(links, format));
        head.remove_header(&header::CONTENT_LENGTH);
        head.insert_header(header::TRANSFER_ENCODING, "chunked")?;
        for name in &DIGESTS {
            head.remove_header(name);
        }
        Ok(Some(Self(Box::new(Passage::new(coding, rewriter)))))
    }

    /// The bytes to send for a part of the body; at its `end` also those that were held back.
    ///
    /// # Errors
    /// What the provider compressed can't be read.
    pub(super) fn pass(&mut self, part: &[u8], end: bool) -> io::Result<Bytes> {
        self.0.pass(part, end).map(Bytes::from)
    }
}

impl Exchange {
    /// Why a provider's answer does not reach this consumer as it is: it is an error that is no FHIR,
    /// and the consumer is assisted.
    pub(super) fn unreadable(&self, head: &Head<'_>) -> Option<Reason> {
        let is_told = head.is_told_as_fhir();
        let status = head.status;
        (!is_told && self.is_assisted()).then_some(Reason::AnswerNotFhir { status })
    }

    pub(super) fn is_assisted(&self) -> bool {
        let sender = self.permit.as_ref().map(Permit::sender);
        let consumer = sender.and_then(|sender| self.snapshot.policy.consumer(sender));
        consumer.is_some_and(|consumer| consumer.mode == Mode::Assist)
    }

    /// What the practice's service roots are called by the consumer.
    pub(super) fn links(&self, arrived: &RequestHeader, secure: bool) -> Links {
        let host = arrived.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let (Some(permit), Some(host)) = (&self.permit, host) else { return Links::default() };
        let origin = [if secure { "https://" } else { "http://" }, host].concat();
        forward::links(permit, convert::target(arrived), &origin, &self.snapshot.policy)
    }
}

/// How the provider sends a body.
enum Arrives {
    Plain,
    Gzip,
    Otherwise,
}

fn arrives(head: &ResponseHeader) -> Arrives {
    let mut codings = texts(&head.headers, &header::CONTENT_ENCODING)
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"));
    match (codings.next(), codings.next()) {
        (None, _) => Arrives::Plain,
        (Some(only), None)
            if ["gzip", "x-gzip"].iter().any(|gzip| only.eq_ignore_ascii_case(gzip)) =>
        {
            Arrives::Gzip
        }
        (Some(_), _) => Arrives::Otherwise,
    }
}

/// Whether a body that nobody compressed is to be. Whether it is depends on what the caller accepts,
/// and the answer says so.
fn compresses(arrived: &RequestHeader, head: &mut ResponseHeader) -> Result<bool> {
    if length(head).is_some_and(|length| length < WORTHWHILE) {
        return Ok(false);
    }
    let varies = |name| lists(&head.headers, &header::VARY, name);
    if !varies("Accept-Encoding") && !varies("*") {
        head.append_header(header::VARY, ACCEPT_ENCODING)?;
    }
    Ok(media::accepts_gzip(texts(&arrived.headers, &header::ACCEPT_ENCODING)))
}

/// `Location` and `Content-Location` that lead to the provider lead through the gateway.
fn lead_back(links: &Links, head: &mut ResponseHeader) -> Result<()> {
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        let url = head.headers.get(&name).and_then(|url| url.to_str().ok());
        if let Some(url) = url.and_then(|url| links.of_url(url)) {
            head.insert_header(name, url)?;
        }
    }
    Ok(())
}

fn length(head: &ResponseHeader) -> Option<usize> {
    texts(&head.headers, &header::CONTENT_LENGTH).next()?.parse().ok()
}
