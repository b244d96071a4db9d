//! The query of each interaction, as far as it can be made from the options.

use std::fmt::Write as _;

use gpconnect::interaction::InteractionId as Id;
use jiff::{ToSpan as _, civil::Date};

use super::{arguments::Content, fault::Unsendable, route::Route};

/// A slot search spans at most fourteen days.
const DAYS: i32 = 13;

/// The raw query: generated parameters first, then those of the options as they were written.
pub(super) fn query(
    interaction: Id,
    content: &Content,
    route: &Route,
    today: Date,
) -> Result<String, Unsendable> {
    let chosen = |name: &str| content.query.iter().any(|(chosen, _)| chosen == name);
    let generated = if chosen("identifier") && finds(interaction) {
        Vec::new()
    } else {
        generated(interaction, content, route, today)?
    };
    let kept = generated.into_iter().filter(|(name, _)| !chosen(name));
    let kept = kept.map(|(name, value)| format!("{name}={value}"));
    let written = content.query.iter().map(|(name, value)| format!("{name}={value}"));
    Ok(kept.chain(written).collect::<Vec<_>>().join("&"))
}

type Parameters = Vec<(&'static str, String)>;

const fn finds(interaction: Id) -> bool {
    matches!(
        interaction,
        Id::SearchPatient
            | Id::SearchPractitioner
            | Id::SearchOrganization
            | Id::SearchDocumentsPatient
    )
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others have no parameters to generate")]
fn generated(
    interaction: Id,
    content: &Content,
    route: &Route,
    today: Date,
) -> Result<Parameters, Unsendable> {
    let (start, end) = span(content, today);
    Ok(match interaction {
        Id::SearchPatient | Id::SearchDocumentsPatient => {
            let number = content.nhs_number.as_deref();
            identifier("nhs-number", number.ok_or(missing("find-patient", "--nhs-number"))?)
        }
        Id::SearchPractitioner => {
            let id = content.id.as_deref();
            identifier("sds-user-id", id.ok_or(missing("find-practitioner", "--id"))?)
        }
        Id::SearchOrganization => {
            let code = content.id.as_deref().unwrap_or(route.practice.as_str());
            identifier("ods-organization-code", code)
        }
        Id::SearchSlot => vec![
            ("start", format!("ge{start}")),
            ("end", format!("le{end}")),
            ("status", "free".into()),
            ("_include", "Slot:schedule".into()),
        ],
        Id::SearchPatientAppointments => {
            vec![("start", format!("ge{start}")), ("start", format!("le{end}"))]
        }
        _ => Vec::new(),
    })
}

const fn missing(what: &'static str, option: &'static str) -> Unsendable {
    Unsendable::Missing { what, option }
}

fn identifier(system: &str, value: &str) -> Parameters {
    let value = format!("https://fhir.nhs.uk/Id/{system}%7C{}", encoded(value));
    vec![("identifier", value)]
}

fn span(content: &Content, today: Date) -> (String, String) {
    let last = today.checked_add(DAYS.days()).unwrap_or(today);
    let start = content.start.clone().unwrap_or_else(|| today.to_string());
    (start, content.end.clone().unwrap_or_else(|| last.to_string()))
}

/// A value with everything percent-encoded that could mean something else in a query.
fn encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'/') {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").unwrap_or_default();
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn route() -> Route {
        let practice = "A20047".parse().unwrap();
        Route { practice, service_root: None, to_asid: None }
    }

    fn made(interaction: Id, content: &Content) -> Result<String, Unsendable> {
        query(interaction, content, &route(), date(2026, 11, 23))
    }

    #[test]
    fn each_search_has_its_parameters() {
        let nothing = Content::default();
        let patient = Content { nhs_number: Some("9000000009".into()), ..Content::default() };
        let user = Content { id: Some("a|b &".into()), ..Content::default() };
        let times = Content {
            start: Some("2026-11-24T08:00:00+00:00".into()),
            end: Some("2026-11-25".into()),
            ..Content::default()
        };
        for (name, id, content, expected) in [
            ("read", Id::ReadPatient, &nothing, ""),
            (
                "patient",
                Id::SearchPatient,
                &patient,
                "identifier=https://fhir.nhs.uk/Id/nhs-number%7C9000000009",
            ),
            (
                "practitioner",
                Id::SearchPractitioner,
                &user,
                "identifier=https://fhir.nhs.uk/Id/sds-user-id%7Ca%7Cb%20%26",
            ),
            (
                "the practice itself",
                Id::SearchOrganization,
                &nothing,
                "identifier=https://fhir.nhs.uk/Id/ods-organization-code%7CA20047",
            ),
            (
                "a fortnight of slots",
                Id::SearchSlot,
                &nothing,
                "start=ge2026-11-23&end=le2026-12-06&status=free&_include=Slot:schedule",
            ),
            (
                "slots between times",
                Id::SearchSlot,
                &times,
                "start=ge2026-11-24T08:00:00+00:00&end=le2026-11-25&status=free&_include=Slot:schedule",
            ),
            (
                "appointments",
                Id::SearchPatientAppointments,
                &nothing,
                "start=ge2026-11-23&start=le2026-12-06",
            ),
        ] {
            assert_eq!(made(id, content).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn written_parameters_win_and_keep_their_order() {
        let written = |pairs: &[(&str, &str)]| Content {
            query: pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            ..Content::default()
        };
        for (name, id, pairs, expected) in [
            (
                "instead of a generated one",
                Id::SearchSlot,
                vec![("status", "busy"), ("_include:recurse", "a"), ("_include:recurse", "b")],
                "start=ge2026-11-23&end=le2026-12-06&_include=Slot:schedule&status=busy&_include:recurse=a&_include:recurse=b",
            ),
            ("instead of a needed one", Id::SearchPatient, vec![("identifier", "")], "identifier="),
            ("as written", Id::ReadPatient, vec![("_format", "a+b%7C|")], "_format=a+b%7C|"),
        ] {
            assert_eq!(made(id, &written(&pairs)).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let fault = made(Id::SearchPatient, &Content::default()).unwrap_err();
        assert!(fault.to_string().contains("--nhs-number"), "{fault}");
    }
}
