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

    /// The format of one media type, parameters aside.
    fn of_media_type(text: &str) -> Option<Self> {
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
    let accept = fields.accept.and_then(|value| str::from_utf8(value).ok());
    match accept.map(accepted) {
        Some(Accepted::Only(format)) => return Wanted::Format(format),
        Some(Accepted::Nothing) => return Wanted::Unsupported("Accept"),
        Some(Accepted::Anything) | None => {}
    }
    let sent = fields.content_type.text().and_then(Format::of_media_type);
    Wanted::Format(sent.unwrap_or_default())
}

/// The value of the first `_format`, percent-decoded. A plus stays a plus (gp-connect 2.4).
fn format_parameter(query: &str) -> Option<Cow<'_, str>> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("_format="))?;
    Some(percent_decode_str(value).decode_utf8_lossy())
}

enum Accepted {
    Only(Format),
    Anything,
    Nothing,
}

/// The best of an `Accept` header: highest weight first, then order.
fn accepted(accept: &str) -> Accepted {
    let mut best = (0, Accepted::Nothing);
    for range in accept.split(',') {
        let weight = weight(range);
        let essence = range.split(';').next().unwrap_or_default().trim();
        let found = match essence {
            "*/*" | "application/*" | "" => Accepted::Anything,
            _ => match Format::of_media_type(essence) {
                Some(format) => Accepted::Only(format),
                None => continue,
            },
        };
        if weight > best.0 {
            best = (weight, found);
        }
    }
    best.1
}

/// The `q` of a media range in thousandths.
fn weight(range: &str) -> u16 {
    let parameter = |part: &str| {
        let (name, value) = part.trim().split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim().to_owned())
    };
    let Some(value) = range.split(';').skip(1).find_map(parameter) else { return 1_000 };
    let (whole, thousandths) = value.split_once('.').unwrap_or((&value, ""));
    match (whole, format!("{thousandths:0<3}").parse::<u16>()) {
        ("0", Ok(thousandths)) if thousandths < 1_000 => thousandths,
        _ => 1_000,
    }
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
    if has_body && sent.and_then(Format::of_media_type).is_none() {
        return Err(Reason::MediaTypeUnsupported("Content-Type"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("accept empty", None, Some(""), None, json),
            ("content type", None, None, Some("application/fhir+xml; charset=utf-8"), xml),
            ("content type unknown", None, None, Some("text/plain"), json),
        ] {
            let mut fields = Fields { accept: accept.map(str::as_bytes), ..Fields::default() };
            content_type.inspect(|value| fields.note("Content-Type", value.as_bytes()));
            assert_eq!(wanted(&fields, query), expected, "{name}");
        }
    }

    #[test]
    fn a_body_must_be_fhir() {
        let fields = |value: &'static str| Fields::gather([("Content-Type", value.as_bytes())]);
        let json = Wanted::Format(Format::Json);
        assert!(check(json, &fields("application/fhir+json"), true).is_ok());
        assert!(check(json, &fields("text/plain"), true).is_err());
        assert!(check(json, &fields("text/plain"), false).is_ok());
        assert!(check(json, &Fields::default(), true).is_err());
        assert!(check(Wanted::Unsupported("Accept"), &Fields::default(), false).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(query in ".{0,40}", accept in ".{0,40}") {
            let fields = Fields { accept: Some(accept.as_bytes()), ..Fields::default() };
            wanted(&fields, Some(&query));
            wanted(&fields, None);
        }
    }
}
