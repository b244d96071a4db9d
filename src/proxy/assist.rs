//! Stage 13 for consumers in assist mode: links lead through the gateway, and bodies are compressed
//! for those who ask. Both as the answer passes, part by part; what no such consumer asked for, and
//! what says `no-transform`, stays as it is.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::{
    Compression,
    write::{GzDecoder, GzEncoder},
};
use gpconnect::{
    links::{Links, Rewriter},
    media::{self, Format},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use pingora::{
    Result,
    http::{RequestHeader, ResponseHeader},
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

/// What a body goes through.
enum Steps {
    Links(Linked<Vec<u8>>),
    Compress(GzEncoder<Vec<u8>>),
    LinksThenCompress(Box<Linked<GzEncoder<Vec<u8>>>>),
    /// Of a body that the provider compressed.
    LinksWithin(Box<GzDecoder<Linked<GzEncoder<Vec<u8>>>>>),
}

/// A body on its way.
pub(super) struct Assisted(Steps);

/// Without the body.
impl std::fmt::Debug for Assisted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self.0 {
            Steps::Links(_) => "Assisted(links)",
            Steps::Compress(_) => "Assisted(gzip)",
            Steps::LinksThenCompress(_) => "Assisted(links, gzip)",
            Steps::LinksWithin(_) => "Assisted(links in gzip)",
        })
    }
}

impl Assisted {
    /// What is to happen to the body behind `head`, which is changed accordingly. None when it
    /// passes as it is.
    pub(super) fn new(
        arrived: &RequestHeader,
        links: &Links,
        head: &mut ResponseHeader,
    ) -> Result<Option<Self>> {
        lead_back(links, head)?;
        let empty = arrived.method == http::Method::HEAD
            || matches!(head.status.as_u16(), 204 | 304)
            || length(head) == Some(0);
        if empty || lists(&head.headers, &header::CACHE_CONTROL, "no-transform") {
            return Ok(None);
        }
        let format = texts(&head.headers, &header::CONTENT_TYPE).next();
        let Some(format) = format.and_then(Format::of_media_type) else { return Ok(None) };
        let rewriter = || Rewriter::new(links.clone(), format);
        let steps = match coding(head) {
            Coding::None if compresses(arrived, head)? => {
                head.insert_header(header::CONTENT_ENCODING, GZIP)?;
                let gzip = encoder();
                match links.is_empty() {
                    true => Steps::Compress(gzip),
                    false => Steps::LinksThenCompress(Box::new(Linked::new(rewriter(), gzip))),
                }
            }
            Coding::None if !links.is_empty() => Steps::Links(Linked::new(rewriter(), Vec::new())),
            Coding::Gzip if !links.is_empty() => {
                let linked = Linked::new(rewriter(), encoder());
                Steps::LinksWithin(Box::new(GzDecoder::new(linked)))
            }
            Coding::None | Coding::Gzip | Coding::Other => return Ok(None),
        };
        head.remove_header(&header::CONTENT_LENGTH);
        head.insert_header(header::TRANSFER_ENCODING, "chunked")?;
        for name in &DIGESTS {
            head.remove_header(name);
        }
        Ok(Some(Self(steps)))
    }

    /// The bytes to send for a part of the body; at its `end` also those that were held back.
    ///
    /// # Errors
    /// What the provider compressed can't be read.
    pub(super) fn pass(&mut self, part: &[u8], end: bool) -> io::Result<Bytes> {
        let sent = match &mut self.0 {
            Steps::Links(linked) => {
                linked.write_all(part)?;
                if end {
                    linked.finish()?;
                }
                &mut linked.next
            }
            Steps::Compress(gzip) => {
                gzip.write_all(part)?;
                if end {
                    gzip.try_finish()?;
                }
                gzip.get_mut()
            }
            Steps::LinksThenCompress(linked) => {
                linked.write_all(part)?;
                if end {
                    linked.finish()?;
                    linked.next.try_finish()?;
                }
                linked.next.get_mut()
            }
            Steps::LinksWithin(plain) => {
                plain.write_all(part)?;
                if end {
                    plain.try_finish()?;
                    plain.get_mut().finish()?;
                    plain.get_mut().next.try_finish()?;
                }
                plain.get_mut().next.get_mut()
            }
        };
        Ok(Bytes::from(std::mem::take(sent)))
    }
}

/// Rewrites links on the way to `next`.
struct Linked<W> {
    rewriter: Rewriter,
    rewritten: Vec<u8>,
    next: W,
}

impl<W: Write> Linked<W> {
    fn new(rewriter: Rewriter, next: W) -> Self {
        Self { rewriter, rewritten: Vec::new(), next }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.rewriter.end(&mut self.rewritten);
        self.hand_on()
    }

    fn hand_on(&mut self) -> io::Result<()> {
        self.next.write_all(&self.rewritten)?;
        self.rewritten.clear();
        Ok(())
    }
}

impl<W: Write> Write for Linked<W> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.rewriter.push(part, &mut self.rewritten);
        self.hand_on()?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.next.flush()
    }
}

fn encoder() -> GzEncoder<Vec<u8>> {
    // FHIR shrinks to a tenth at any level; the higher ones cost the more.
    GzEncoder::new(Vec::new(), Compression::fast())
}

enum Coding {
    None,
    Gzip,
    Other,
}

fn coding(head: &ResponseHeader) -> Coding {
    let mut codings = texts(&head.headers, &header::CONTENT_ENCODING)
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"));
    match (codings.next(), codings.next()) {
        (None, _) => Coding::None,
        (Some(only), None)
            if ["gzip", "x-gzip"].iter().any(|gzip| only.eq_ignore_ascii_case(gzip)) =>
        {
            Coding::Gzip
        }
        (Some(_), _) => Coding::Other,
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

/// Whether a list in a header has this member.
fn lists(headers: &HeaderMap, name: &HeaderName, member: &str) -> bool {
    let members = texts(headers, name).flat_map(|value| value.split(','));
    members.map(str::trim).any(|found| found.eq_ignore_ascii_case(member))
}

fn texts<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}
