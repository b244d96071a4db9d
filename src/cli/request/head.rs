//! The headers of a request, in the order in which they are shown and sent.

use gpconnect::{headers, interaction::InteractionId, media};
use http::{HeaderName, HeaderValue, header};
use uuid::Uuid;

use super::{arguments::Arguments, body::Body, fault::Unsendable, route::Route};

/// A header under the specification's spelling of its name.
pub(super) type Header = (String, String);

/// The headers of a request: those that belong to the interaction, then the options' changes.
pub(super) fn headers(
    arguments: &Arguments,
    route: &Route,
    body: Option<&Body>,
    token: &str,
) -> Vec<Header> {
    let id = arguments.interaction;
    let wanted = arguments.head.format.map_or(media::Format::Json, Into::into);
    let sent = body.map(|body| body.format.content_type());
    let generated = [
        ("Host", Some(arguments.place.gateway.authority.clone())),
        (headers::TRACE_ID, Some(Uuid::new_v4().to_string())),
        (headers::FROM, Some(arguments.place.from.clone())),
        (headers::TO, route.to_asid.clone()),
        (headers::INTERACTION_ID, Some(id.urn().to_owned())),
        ("Authorization", Some(format!("Bearer {token}"))),
        ("Accept", Some(wanted.content_type().to_owned())),
        ("Content-Type", sent.map(str::to_owned)),
        ("If-Match", if_match(arguments, id, body)),
        ("User-Agent", Some(concat!("gpconnect-gateway/", env!("CARGO_PKG_VERSION")).to_owned())),
    ];
    let generated = generated.into_iter();
    let generated = generated.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    changed(generated.collect(), &arguments.head.headers)
}

/// The version that is changed: chosen, or the one of the resource in the body.
fn if_match(arguments: &Arguments, id: InteractionId, body: Option<&Body>) -> Option<String> {
    let changes = matches!(id, InteractionId::AmendAppointment | InteractionId::CancelAppointment);
    let version = body.and_then(|body| body.version.as_ref()).filter(|_| changes);
    let tag = version.map(|version| format!("W/\"{version}\""));
    arguments.head.if_match.clone().or(tag)
}

/// Each chosen header takes the place of all generated ones of its name; an empty one leaves them
/// out, one that is chosen twice is sent twice.
fn changed(generated: Vec<Header>, chosen: &[Header]) -> Vec<Header> {
    let is_chosen = |name: &str| chosen.iter().any(|(chosen, _)| chosen.eq_ignore_ascii_case(name));
    let kept = generated.into_iter().filter(|(name, _)| !is_chosen(name));
    kept.chain(chosen.iter().filter(|(_, value)| !value.is_empty()).cloned()).collect()
}

/// The headers as they can be sent.
///
/// # Errors
/// When a name or a value can't be.
pub(super) fn checked(headers: &[Header]) -> Result<http::HeaderMap, Unsendable> {
    let mut map = http::HeaderMap::new();
    for (name, value) in headers {
        let fault = || Unsendable::Header { name: name.clone() };
        let parsed = HeaderName::from_bytes(name.as_bytes()).or(Err(fault()))?;
        // Sent in UTF-8; which is not ASCII is for the gateway to judge.
        let value = HeaderValue::from_bytes(value.as_bytes()).or(Err(fault()))?;
        map.append(parsed, value);
    }
    Ok(map)
}

/// How the specification spells a header that arrives in lower case.
pub(super) fn spelled(name: &HeaderName) -> String {
    const SPELLED: [&str; 7] = [
        headers::TRACE_ID,
        headers::INTERACTION_ID,
        "ETag",
        "WWW-Authenticate",
        "X-Request-ID",
        "X-Correlation-ID",
        "TE",
    ];
    let known = SPELLED.iter().find(|known| known.eq_ignore_ascii_case(name.as_str()));
    known.map_or_else(|| capitalised(name.as_str()), |known| (*known).to_owned())
}

fn capitalised(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// Whether a header holds the token.
pub(super) fn holds_token(name: &str) -> bool {
    name.eq_ignore_ascii_case(header::AUTHORIZATION.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Header {
        (name.into(), value.into())
    }

    #[test]
    fn a_chosen_header_takes_the_place_of_generated_ones() {
        let generated = || vec![header("Ssp-From", "1"), header("Ssp-To", "2")];
        for (name, chosen, expected) in [
            ("nothing chosen", vec![], generated()),
            (
                "another value",
                vec![header("ssp-to", "9")],
                vec![header("Ssp-From", "1"), header("ssp-to", "9")],
            ),
            ("left out", vec![header("Ssp-To", "")], vec![header("Ssp-From", "1")]),
            (
                "twice",
                vec![header("Ssp-From", "8"), header("Ssp-From", "9")],
                vec![header("Ssp-To", "2"), header("Ssp-From", "8"), header("Ssp-From", "9")],
            ),
            ("one more", vec![header("X", "y")], [generated(), vec![header("X", "y")]].concat()),
        ] {
            assert_eq!(changed(generated(), &chosen), expected, "{name}");
        }
    }

    #[test]
    fn what_can_t_be_sent_is_refused() {
        for (name, value, good) in [
            ("X-Name", "plain", true),
            ("X-Name", "naïve", true),
            ("X Name", "x", false),
            ("", "x", false),
            ("X-Name", "a\r\nHost: b", false),
        ] {
            assert_eq!(checked(&[header(name, value)]).is_ok(), good, "{name}: {value:?}");
        }
    }

    #[test]
    fn names_are_spelled_as_in_the_specification() {
        for (name, expected) in [
            ("etag", "ETag"),
            ("ssp-traceid", "Ssp-TraceID"),
            ("content-type", "Content-Type"),
            ("x-sim-body-sha256", "X-Sim-Body-Sha256"),
        ] {
            assert_eq!(spelled(&HeaderName::from_static(name)), expected);
        }
    }
}
