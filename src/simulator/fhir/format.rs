//! Content negotiation: `_format` before `Accept` before `Content-Type` before JSON.

use http::{HeaderMap, Method, header};

use super::outcome::{Code, Refusal};
use super::query::Query;

/// The two spellings of FHIR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    Json,
    Xml,
}

impl Format {
    /// The value of a response's `Content-Type`.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/fhir+json;charset=utf-8",
            Self::Xml => "application/fhir+xml;charset=utf-8",
        }
    }

    /// Reads a media type or a short `_format` word; parameters such as the charset are left aside.
    fn named(text: &str) -> Option<Self> {
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/fhir+json"
            | "application/json+fhir"
            | "application/json"
            | "json"
            | "text/json" => Some(Self::Json),
            "application/fhir+xml"
            | "application/xml+fhir"
            | "application/xml"
            | "text/xml"
            | "xml" => Some(Self::Xml),
            _ => None,
        }
    }
}

/// The format of the request body, which POST and PUT must name.
pub(crate) fn of_body(headers: &HeaderMap) -> Result<Format, Refusal> {
    text(headers, header::CONTENT_TYPE)
        .and_then(|value| Format::named(&value))
        .ok_or_else(|| Code::UnsupportedMediaType.because("Content-Type is not a FHIR media type"))
}

/// The format of the answer.
pub(crate) fn of_answer(
    method: &Method,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Format, Refusal> {
    if let Some(asked) = query.all("_format").next() {
        return Format::named(asked)
            .ok_or_else(|| Code::UnsupportedMediaType.because("_format is not supported"));
    }
    let fallback = if method == Method::GET {
        text(headers, header::CONTENT_TYPE).and_then(|value| Format::named(&value))
    } else {
        Some(of_body(headers)?)
    };
    let fallback = fallback.unwrap_or(Format::Json);
    match text(headers, header::ACCEPT) {
        None => Ok(fallback),
        Some(accept) => accepted(&accept, fallback)
            .ok_or_else(|| Code::UnsupportedMediaType.because("Accept names no supported format")),
    }
}

/// The best of an `Accept` list; a wildcard leaves the choice to the next rule.
fn accepted(accept: &str, fallback: Format) -> Option<Format> {
    let mut best: Option<(f64, Format)> = None;
    for item in accept.split(',') {
        let mut parts = item.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
        let format = match essence {
            "*/*" | "application/*" => Some(fallback),
            named => Format::named(named),
        };
        let better = quality > best.map_or(0.0, |(known, _)| known);
        if let (Some(format), true) = (format, better) {
            best = Some((quality, format));
        }
    }
    best.map(|(_, format)| format)
}

/// Whether the client takes gzip.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    text(headers, header::ACCEPT_ENCODING).is_some_and(|list| {
        list.split(',').any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let coding = parts.next().unwrap_or_default();
            let refused = parts.any(|part| {
                part.strip_prefix("q=").and_then(|q| q.parse::<f64>().ok()) == Some(0.0)
            });
            !refused && (coding.eq_ignore_ascii_case("gzip") || coding == "*")
        })
    })
}

/// All values of a header as one list.
fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let values: Vec<&str> =
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    if values.is_empty() { None } else { Some(values.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiated(method: &Method, query: &str, headers: &[(&str, &str)]) -> Option<Format> {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap())
            })
            .collect();
        of_answer(method, &Query::parse(Some(query)), &headers).ok()
    }

    #[test]
    fn the_answer_has_the_first_format_named() {
        let (json, xml) = ("application/fhir+json", "application/fhir+xml;charset=utf-8");
        let (get, post) = (&Method::GET, &Method::POST);
        for (name, method, query, headers, format) in [
            ("nothing", get, "", vec![], Some(Format::Json)),
            ("_format first", get, "_format=xml", vec![("accept", json)], Some(Format::Xml)),
            ("plus in _format", get, "_format=application/fhir+xml", vec![], Some(Format::Xml)),
            ("bad _format", get, "_format=pdf", vec![("accept", json)], None),
            ("accept", get, "", vec![("accept", xml)], Some(Format::Xml)),
            (
                "accept before type",
                post,
                "",
                vec![("accept", json), ("content-type", xml)],
                Some(Format::Json),
            ),
            (
                "any, so the type",
                post,
                "",
                vec![("accept", "*/*"), ("content-type", xml)],
                Some(Format::Xml),
            ),
            (
                "quality",
                get,
                "",
                vec![("accept", "application/json;q=0.1, text/xml;q=0.5")],
                Some(Format::Xml),
            ),
            ("unknown accept", get, "", vec![("accept", "text/html")], None),
            ("refused accept", get, "", vec![("accept", "application/json;q=0")], None),
            ("type of a GET", get, "", vec![("content-type", "text/plain")], Some(Format::Json)),
            ("no type on POST", post, "", vec![], None),
            ("bad type on POST", post, "", vec![("content-type", "text/plain")], None),
        ] {
            assert_eq!(negotiated(method, query, &headers), format, "{name}");
        }
    }

    #[test]
    fn gzip_is_taken_when_offered() {
        for (value, taken) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("br", false),
        ] {
            let headers = [(header::ACCEPT_ENCODING, value.parse().unwrap())].into_iter().collect();
            assert_eq!(takes_gzip(&headers), taken, "{value}");
        }
    }
}
