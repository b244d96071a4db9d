//! Stage 13: what is added to a provider's answer. Nothing of it is changed or taken away, except
//! what belongs to the provider's connection.

use gpconnect::names::TraceId;
use http::{HeaderName, HeaderValue, header};
use pingora::{Result, http::ResponseHeader};

use super::{
    answer::STRICT_TRANSPORT,
    convert::{lists, texts},
    request::VIA,
};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Adds what every answer has: the trace id, `no-store`, and the mark of this hop.
pub(super) fn complete(head: &mut ResponseHeader, trace_id: TraceId, secure: bool) -> Result<()> {
    drop_nominated(head);
    if secure {
        // Of the connection to us, not of the provider's.
        let (name, value) = STRICT_TRANSPORT;
        head.insert_header(name, value)?;
    }
    head.insert_header("Ssp-TraceID", trace_id.as_str())?;
    head.append_header("Via", VIA)?;
    if !lists(&head.headers, &header::CACHE_CONTROL, "no-store") {
        // Appended, not replaced: the provider's own directives stay, and this one outweighs them.
        head.append_header("Cache-Control", NO_STORE)?;
    }
    Ok(())
}

/// Whether there is one way to tell where the answer ends: no two lengths, also not in a list, no
/// length beside chunks, no transfer coding but chunks.
pub(super) fn is_framed_once(head: &ResponseHeader) -> bool {
    let mut codings = head.headers.get_all(header::TRANSFER_ENCODING).iter();
    let mut lengths = head.headers.get_all(header::CONTENT_LENGTH).iter();
    let is_number = |value: &HeaderValue| value.as_bytes().iter().all(u8::is_ascii_digit);
    match (codings.next(), codings.next(), lengths.next(), lengths.next()) {
        (None, None, length, None) => length.is_none_or(is_number),
        (Some(only), None, None, None) => only.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

/// RFC 9110, 7.6.1: what a `Connection` header names ends at this hop.
fn drop_nominated(head: &mut ResponseHeader) {
    let keep = ["close", "keep-alive", "content-length", "transfer-encoding", "content-type"];
    let names = texts(&head.headers, &header::CONNECTION).flat_map(|value| value.split(','));
    let names = names.map(str::trim).filter(|name| !name.is_empty());
    let names = names.filter(|name| !keep.iter().any(|kept| kept.eq_ignore_ascii_case(name)));
    // Mostly there are none, and nothing is allocated.
    let names: Vec<String> = names.map(str::to_ascii_lowercase).collect();
    for name in names {
        head.remove_header(name.as_str());
    }
    head.remove_header(&KEEP_ALIVE);
    head.remove_header(&header::CONNECTION);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_framed_once() {
        for (name, headers, good) in [
            ("by its end", &[][..], true),
            ("by its length", &[("Content-Length", "5")], true),
            ("in chunks", &[("Transfer-Encoding", "Chunked")], true),
            ("two lengths", &[("Content-Length", "5"), ("Content-Length", "5")], false),
            ("a list of lengths", &[("Content-Length", "5, 5")], false),
            ("a signed length", &[("Content-Length", "+5")], false),
            ("both", &[("Content-Length", "5"), ("Transfer-Encoding", "chunked")], false),
            (
                "chunked twice",
                &[("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
                false,
            ),
            ("another coding", &[("Transfer-Encoding", "gzip, chunked")], false),
        ] {
            let mut head = ResponseHeader::build(200, None).unwrap();
            for (name, value) in headers {
                head.append_header(*name, *value).unwrap();
            }
            assert_eq!(is_framed_once(&head), good, "{name}");
        }
    }

    fn completed(headers: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut head = ResponseHeader::build(200, None).unwrap();
        for (name, value) in headers {
            head.append_header(*name, *value).unwrap();
        }
        complete(&mut head, "629ea9ba-a077-4d99-b289-7a9b19fd4e03".parse().unwrap(), false)
            .unwrap();
        let mut lines = Vec::new();
        for (name, value) in &head.headers {
            lines.push(format!("{name}: {}", value.to_str().unwrap()));
        }
        lines.sort();
        lines
    }

    /// gp-connect 4.3.
    #[test]
    fn an_answer_gets_what_every_answer_has() {
        let trace = "ssp-traceid: 629ea9ba-a077-4d99-b289-7a9b19fd4e03";
        let via = "via: 1.1 gpconnect-gateway";
        for (name, headers, expected) in [
            ("bare", &[][..], vec!["cache-control: no-store", trace, via]),
            (
                "no-store already",
                &[("Cache-Control", "private, No-Store")],
                vec!["cache-control: private, No-Store", trace, via],
            ),
            (
                "other directives stay",
                &[("Cache-Control", "max-age=60")],
                vec!["cache-control: max-age=60", "cache-control: no-store", trace, via],
            ),
            ("one trace id", &[("Ssp-TraceID", "x")], vec!["cache-control: no-store", trace, via]),
            (
                "its own Via stays",
                &[("Via", "1.1 gp")],
                vec!["cache-control: no-store", trace, "via: 1.1 gp", via],
            ),
            (
                "nominated headers go",
                &[("Connection", "keep-alive, X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "5")],
                vec!["cache-control: no-store", trace, via],
            ),
        ] {
            let mut expected = expected;
            expected.sort_unstable();
            assert_eq!(completed(headers), expected, "{name}");
        }
    }
}
