//! Which rules a provider's answer breaks, seen as it passes: its head in a few look-ups, and of an
//! error a bounded copy of its body. Nothing of the answer is changed, and nothing waits for it.

use std::time::Duration;

use gpconnect::{
    interaction::InteractionId,
    media::{self, Format},
    observe::{self, Head, Observed},
};
use http::header;
use pingora::http::{RequestHeader, ResponseHeader};

use super::{
    convert::{self, lists},
    error_copy::ErrorCopy,
    exchange::Exchange,
};

/// What was seen of an answer so far.
#[derive(Debug)]
pub(super) struct Watched {
    seen: Observed,
    /// That of an error whose body is judged.
    format: Option<Format>,
}

/// An answer's head in the words of the rules.
pub(super) fn head_of(head: &ResponseHeader, took: Duration) -> Head<'_> {
    let headers = &head.headers;
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Head {
        status: head.status.as_u16(),
        no_store: lists(headers, &header::CACHE_CONTROL, "no-store"),
        tag: headers.get(header::ETAG).map(http::HeaderValue::as_bytes),
        content_type: text(header::CONTENT_TYPE),
        is_bare: text(header::CONTENT_LENGTH) == Some("0"),
        took,
    }
}

/// What a whole answer breaks that came to a call of ours; none when it tells nothing of the
/// practice.
pub(super) fn whole(
    head: &ResponseHeader,
    body: &[u8],
    took: Duration,
    id: InteractionId,
    asked: Format,
) -> Option<Observed> {
    let of_head = head_of(head, took);
    let seen = observe::head(&of_head, id, |format| format == asked);
    let error = readable(&of_head).zip(ErrorCopy::of(head));
    let Some((format, mut error)) = error else { return Some(seen) };
    error.add(body, true);
    judge(seen, format, &error)
}

/// The format of an error that says it is FHIR.
pub(super) fn readable(head: &Head<'_>) -> Option<Format> {
    let is_error = head.status >= 400;
    head.format().filter(|_| is_error && head.is_told_as_fhir())
}

/// What an error breaks, beside what its head told. One that could not be read to its end stays so.
fn judge(seen: Observed, format: Format, error: &ErrorCopy) -> Option<Observed> {
    match error.whole() {
        Some(body) => seen.with_error(&body, format),
        None => Some(seen),
    }
}

impl Exchange {
    /// Judges the head of the provider's answer.
    pub(super) fn watch_answer(&mut self, arrived: &RequestHeader, head: &Head<'_>) {
        let Some(id) = self.permit.as_ref().map(gpconnect::Permit::interaction) else { return };
        let asked = self.style().format;
        let admits = |format| {
            format == asked || {
                let query = convert::target(arrived).split_once('?').map(|(_, query)| query);
                media::admits(&convert::fields(arrived), query, format)
            }
        };
        let seen = observe::head(head, id, admits);
        self.watched = Some(Watched { seen, format: readable(head) });
    }

    /// What was seen of the provider's answer, now that it has passed; none of one that a next proxy
    /// made itself.
    pub(super) fn observed(&self) -> Option<Observed> {
        let watched = self.watched.as_ref().filter(|_| self.refused_by_next_proxy.is_none());
        let Watched { seen, format } = watched?;
        match format.zip(self.error.as_deref()) {
            Some((format, error)) => judge(*seen, format, error),
            None => Some(*seen),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{super::error_copy::MOST, *};

    const UNCODED: &str = "{\"resourceType\":\"OperationOutcome\"}";

    fn answer(headers: &[(&'static str, &str)]) -> ResponseHeader {
        let mut head = ResponseHeader::build(404, None).unwrap();
        for (name, value) in headers {
            head.append_header(*name, *value).unwrap();
        }
        head
    }

    fn names(seen: Option<Observed>) -> Vec<&'static str> {
        seen.unwrap().broken().map(observe::Duty::name).collect()
    }

    fn zipped(text: &str) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn an_error_is_read_when_it_is_short_and_whole() {
        let json = ("Content-Type", "application/fhir+json;charset=utf-8");
        let good = [json, ("Cache-Control", "private, No-Store")];
        let with = |coding| [good[0], good[1], ("Content-Encoding", coding)];
        let long = format!("{{\"x\":\"{}\"}}", "y".repeat(MOST));
        for (name, head, body, expected) in [
            ("plain", answer(&good), UNCODED.into(), &["spine_code"][..]),
            ("identity", answer(&with("Identity")), UNCODED.into(), &["spine_code"]),
            ("compressed", answer(&with("gzip")), zipped(UNCODED), &["spine_code"]),
            ("another resource", answer(&with("gzip")), zipped("{}"), &["answer_is_fhir"]),
            ("not what it says", answer(&with("gzip")), UNCODED.into(), &[]),
            ("in a way unknown", answer(&with("br")), UNCODED.into(), &[]),
            ("too long", answer(&good), long.clone().into_bytes(), &[]),
            ("too long inside", answer(&with("gzip")), zipped(&long), &[]),
            (
                "a page",
                answer(&[good[1]]),
                "<html/>".into(),
                &["answer_media_type", "answer_is_fhir"],
            ),
        ] {
            let id = InteractionId::ReadPatient;
            let seen = whole(&head, &body, Duration::ZERO, id, Format::Json);
            assert_eq!(names(seen), expected, "{name}");
        }
    }
}
