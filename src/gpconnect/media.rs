//! Media types: what a caller wants back, and what it sends (gp-connect 6).

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::{facts::Fields, rejection::Reason};

/// The two syntaxes of FHIR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// `application/fhir+json`.
    #[default]
    Json,
    /// `application/fhir+xml`.
    Xml,
}

impl Format {
    /// The `Content-Type` of what the gateway itself writes.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/fhir+json;charset=utf-8",
            Self::Xml => "application/fhir+xml;charset=utf-8",
        }
    }

    /// Its media type, as `Accept` asks for it.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/fhir+json",
            Self::Xml => "application/fhir+xml",
        }
    }

    /// The format of one media type, parameters aside.
    pub fn of_media_type(text: &str) -> Option<Self> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        let is = |known: &[&str]| known.iter().any(|known| essence.eq_ignore_ascii_case(known));
        if is(&["application/fhir+json", "application/json+fhir", "application/json", "text/json"])
        {
            Some(Self::Json)
        } else if is(&[
            "application/fhir+xml",
            "application/xml+fhir",
            "application/xml",
            "text/xml",
        ]) {
            Some(Self::Xml)
        } else {
            None
        }
    }

    fn of_format_parameter(value: &str) -> Option<Self> {
        match value {
            "json" => Some(Self::Json),
            "xml" => Some(Self::Xml),
            _ => Self::of_media_type(value),
        }
    }
}

/// The format that a caller asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One that GP Connect has.
    Format(Format),
    /// None of them, asked for in the named place.
    Unsupported(&'static str),
}

impl Wanted {
    /// The format to answer in, JSON when the one asked for does not exist.
    pub const fn or_json(self) -> Format {
        match self {
            Self::Format(format) => format,
            Self::Unsupported(_) => Format::Json,
        }
    }
}

/// The answer's format: `_format`, then `Accept`, then `Content-Type`, then JSON.
pub fn wanted(fields: &Fields<'_>, query: Option<&str>) -> Wanted {
    if let Some(value) = query.and_then(format_parameter) {
        let format = Format::of_format_parameter(&value);
        return format.map_or(Wanted::Unsupported("_format"), Wanted::Format);
    }
    match accepted(fields.accept.texts()) {
        Accepted::Only(format) => return Wanted::Format(format),
        Accepted::Nothing => return Wanted::Unsupported("Accept"),
        Accepted::Anything => {}
    }
    let sent = fields.content_type.text().and_then(Format::of_media_type);
    Wanted::Format(sent.unwrap_or_default())
}

/// Whether a request lets its answer be in a format: it does when it asks for none that there is.
/// More lenient than [`wanted`]: of several formats that a caller accepts each may come.
pub fn admits(fields: &Fields<'_>, query: Option<&str>, format: Format) -> bool {
    if let Some(value) = query.and_then(format_parameter) {
        return Format::of_format_parameter(&value).is_none_or(|asked| asked == format);
    }
    let ranges = fields.accept.texts().flat_map(|value| value.split(',')).take(MOST_RANGES);
    let mut known = ranges.filter(|range| weight(range) > 0).map(range_of).filter(|range| {
        // What is neither is no wish that can be granted.
        !matches!(range, Accepted::Nothing)
    });
    let is_admitted = |range| match range {
        Accepted::Only(only) => only == format,
        Accepted::Anything | Accepted::Nothing => true,
    };
    match known.next() {
        Some(first) => is_admitted(first) || known.any(is_admitted),
        None => match wanted(fields, query) {
            Wanted::Format(asked) => asked == format,
            Wanted::Unsupported(_) => true,
        },
    }
}

/// The value of the first `_format`, percent-decoded. A plus stays a plus (gp-connect 2.4).
fn format_parameter(query: &str) -> Option<Cow<'_, str>> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("_format="))?;
    Some(percent_decode_str(value).decode_utf8_lossy())
}

/// Whether an answer may be compressed with gzip for a caller with these `Accept-Encoding` values
/// (RFC 9110, 12.5.3): it has to say so.
pub fn accepts_gzip<'r>(values: impl Iterator<Item = &'r str>) -> bool {
    let mut any = false;
    for coding in values.flat_map(|value| value.split(',')).take(MOST_RANGES) {
        let name = coding.split(';').next().unwrap_or_default().trim();
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            return weight(coding) > 0;
        }
        any |= name == "*" && weight(coding) > 0;
    }
    any
}

enum Accepted {
    Only(Format),
    Anything,
    Nothing,
}

/// No client lists more media ranges; what stands behind them is not looked at.
const MOST_RANGES: usize = 64;

/// The best of all media ranges: highest weight first, then order. Without any range, anything.
fn accepted<'r>(values: impl Iterator<Item = &'r str>) -> Accepted {
    let mut best = None;
    let ranges = values.flat_map(|value| value.split(',')).filter(|range| !range.trim().is_empty());
    for range in ranges.take(MOST_RANGES) {
        let (weight, found) = (weight(range), range_of(range));
        let better = best.as_ref().is_none_or(|(most, _)| weight > *most);
        if matches!(found, Accepted::Nothing) || weight == 0 {
            best = best.or(Some((0, Accepted::Nothing)));
        } else if better {
            best = Some((weight, found));
        }
    }
    best.map_or(Accepted::Anything, |(_, found)| found)
}

fn range_of(range: &str) -> Accepted {
    let essence = range.split(';').next().unwrap_or_default().trim();
    if matches!(essence, "*/*" | "application/*" | "text/*") {
        return Accepted::Anything;
    }
    Format::of_media_type(essence).map_or(Accepted::Nothing, Accepted::Only)
}

/// The `q` of a media range in thousandths; one that can't be read counts as none.
fn weight(range: &str) -> u16 {
    let parameter = |part: &str| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
    };
    range.split(';').skip(1).find_map(parameter).flatten().unwrap_or(1_000)
}

/// `0`, `0.5`, `0.125` or `1.000` in thousandths (RFC 9110, 12.4.2).
fn thousandths(value: &str) -> Option<u16> {
    let (whole, digits) = match value.as_bytes() {
        [whole, b'.', digits @ ..] => (whole, digits),
        [whole] => (whole, [].as_slice()),
        _ => return None,
    };
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
    let mut sum = digit(whole)? * 1_000;
    for (byte, worth) in digits.iter().zip([100, 10, 1]) {
        sum += digit(byte)? * worth;
    }
    (digits.len() <= 3 && sum <= 1_000).then_some(sum)
}

/// Whether what was asked for, and the body of a POST or PUT, can be FHIR at all (D11).
///
/// # Errors
/// 415.
pub fn check(wanted: Wanted, fields: &Fields<'_>, has_body: bool) -> Result<(), Reason> {
    if let Wanted::Unsupported(place) = wanted {
        return Err(Reason::MediaTypeUnsupported(place));
    }
    let sent = fields.content_type.text();
    if has_body && !sent.is_some_and(is_fhir_body) {
        return Err(Reason::MediaTypeUnsupported("Content-Type"));
    }
    Ok(())
}

/// Whether a body of this type can be FHIR: JSON or XML, and in UTF-8, so that gateway and provider
/// read the same text.
pub(crate) fn is_fhir_body(content_type: &str) -> bool {
    let charset = content_type.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    let is_utf_8 = charset.is_none_or(|name| {
        ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known))
    });
    is_utf_8 && Format::of_media_type(content_type).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gp-connect 6: `_format` before `Accept` before `Content-Type`; lists, weights, parameters and
    /// the old spellings are ordinary.
    /// gp-connect 2.4.
    #[test]
    fn the_format_is_taken_from_the_first_place_that_names_one() {
        use Format::{Json, Xml};
        let json = Wanted::Format(Json);
        let xml = Wanted::Format(Xml);
        for (name, query, accept, content_type, expected) in [
            ("nothing", None, None, None, json),
            ("parameter wins", Some("a=1&_format=xml"), Some("application/fhir+json"), None, xml),
            ("parameter with a plus", Some("_format=application/fhir+xml"), None, None, xml),
            ("parameter encoded", Some("_format=application%2Ffhir%2Bxml"), None, None, xml),
            (
                "parameter unknown",
                Some("_format=turtle"),
                None,
                None,
                Wanted::Unsupported("_format"),
            ),
            ("parameter empty", Some("_format="), None, None, Wanted::Unsupported("_format")),
            ("parameter with a charset", Some("_format=text/xml;charset=utf-8"), None, None, xml),
            ("parameter short", Some("_format=xml"), None, None, xml),
            ("parameter of another name", Some("x_format=xml"), None, None, json),
            ("accept", None, Some("application/fhir+xml;charset=utf-8"), None, xml),
            ("accept anything", None, Some("*/*"), Some("application/fhir+xml"), xml),
            ("accept old spelling", None, Some("application/json+fhir"), None, json),
            ("accept by weight", None, Some("application/fhir+json;q=0.5, text/xml"), None, xml),
            (
                "accept list with strangers",
                None,
                Some("text/html, application/xml;q=0.9"),
                None,
                xml,
            ),
            ("accept stranger only", None, Some("image/png"), None, Wanted::Unsupported("Accept")),
            (
                "accept refused by weight",
                None,
                Some("application/json;q=0"),
                None,
                Wanted::Unsupported("Accept"),
            ),
            ("accept a family", None, Some("application/*"), None, json),
            ("accept in capitals", None, Some("APPLICATION/FHIR+XML"), None, xml),
            ("accept old spelling of XML", None, Some("application/xml+fhir"), None, xml),
            ("accept anything but rather XML", None, Some("*/*;q=0.1, text/xml"), None, xml),
            ("accept with blanks", None, Some(" text/xml ; q=0.8 , text/json ;q=0.7"), None, xml),
            (
                "accept refused and a stranger",
                None,
                Some("application/json;q=0, image/png"),
                None,
                Wanted::Unsupported("Accept"),
            ),
            ("accept empty", None, Some(""), None, json),
            ("content type", None, None, Some("application/fhir+xml; charset=utf-8"), xml),
            ("content type unknown", None, None, Some("text/plain"), json),
        ] {
            let mut fields = Fields::default();
            accept.inspect(|value| fields.note("Accept", value.as_bytes()));
            content_type.inspect(|value| fields.note("Content-Type", value.as_bytes()));
            assert_eq!(wanted(&fields, query), expected, "{name}");
        }
    }

    /// gp-connect 6.
    #[test]
    fn an_answer_may_come_in_what_is_accepted() {
        for (name, query, accept, content_type, [json, xml]) in [
            ("nothing said", None, None, None, [true, false]),
            (
                "by parameter",
                Some("_format=xml"),
                Some("application/fhir+json"),
                None,
                [false, true],
            ),
            ("by a parameter unknown", Some("_format=x"), Some("text/xml"), None, [true, true]),
            ("by name", None, Some("application/fhir+xml"), None, [false, true]),
            (
                "either",
                None,
                Some("application/fhir+xml, application/json;q=0.1"),
                None,
                [true, true],
            ),
            ("not this one", None, Some("text/xml, application/json;q=0"), None, [false, true]),
            ("anything", None, Some("text/xml, */*;q=0.1"), None, [true, true]),
            ("no such thing", None, Some("image/png"), None, [true, true]),
            ("no such thing, but for one", None, Some("image/png, text/json"), None, [true, false]),
            ("as it was sent", None, None, Some("application/fhir+xml"), [false, true]),
        ] {
            let mut fields = Fields::default();
            accept.inspect(|value: &&str| fields.note("Accept", value.as_bytes()));
            content_type.inspect(|value: &&str| fields.note("Content-Type", value.as_bytes()));
            let found = [Format::Json, Format::Xml].map(|format| admits(&fields, query, format));
            assert_eq!(found, [json, xml], "{name}");
        }
    }

    #[test]
    fn a_weight_has_at_most_three_digits() {
        for (range, expected) in [
            ("a/b", 1_000),
            ("a/b;q=1", 1_000),
            ("a/b;q=1.000", 1_000),
            ("a/b;q=0", 0),
            ("a/b;q=0.", 0),
            ("a/b;q=0.5", 500),
            ("a/b; charset=x ; Q = 0.125", 125),
            ("a/b;q=1.5", 1_000),
            ("a/b;q=0.1234", 1_000),
            ("a/b;q=.5", 1_000),
            ("a/b;q=", 1_000),
            ("a/b;q=x", 1_000),
        ] {
            assert_eq!(weight(range), expected, "{range}");
        }
    }

    #[test]
    fn gzip_is_for_those_who_ask() {
        for (values, accepted) in [
            (&[][..], false),
            (&["gzip"], true),
            (&["deflate, GZIP;q=0.5"], true),
            (&["br", "x-gzip"], true),
            (&["*"], true),
            (&["*, gzip;q=0"], false),
            (&["gzip;q=0, *"], false),
            (&["*;q=0"], false),
            (&["identity, br"], false),
            (&["gzipped"], false),
        ] {
            assert_eq!(accepts_gzip(values.iter().copied()), accepted, "{values:?}");
        }
    }

    /// gp-connect 6: RFC 9110 reads several headers as one list.
    #[test]
    fn several_accept_headers_are_one_list() {
        let fields = Fields::gather([
            ("Accept", b"text/html".as_slice()),
            ("Accept", b"application/fhir+xml;q=0.9"),
            ("Accept", b"application/fhir+json;q=0.8"),
        ]);
        assert_eq!(wanted(&fields, None), Wanted::Format(Format::Xml));
    }

    /// gp-connect 6: a body of another type is 415; a `Content-Type` with GET is no fault.
    #[test]
    fn a_body_must_be_fhir() {
        let fields = |value: &'static str| Fields::gather([("Content-Type", value.as_bytes())]);
        let json = Wanted::Format(Format::Json);
        for (content_type, good) in [
            ("application/fhir+json", true),
            ("application/fhir+json;charset=utf-8", true),
            ("application/fhir+xml; charset=\"UTF-8\"", true),
            ("application/json+fhir", true),
            ("application/fhir+json; charset=utf-16", false),
            ("application/fhir+json; charset=", false),
            ("application/fhir+json, text/html", false),
            ("multipart/form-data; boundary=x", false),
            ("application/x-www-form-urlencoded", false),
            ("application/*", false),
            ("", false),
        ] {
            assert_eq!(check(json, &fields(content_type), true).is_ok(), good, "{content_type}");
        }
        assert!(check(json, &fields("text/plain"), true).is_err());
        assert!(check(json, &fields("text/plain"), false).is_ok());
        assert!(check(json, &Fields::default(), true).is_err());
        assert!(check(Wanted::Unsupported("Accept"), &Fields::default(), false).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(query in ".{0,40}", accept in ".{0,40}") {
            let fields = Fields::gather([("Accept", accept.as_bytes())]);
            wanted(&fields, Some(&query));
            wanted(&fields, None);
        }
    }
}
