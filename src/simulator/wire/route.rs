//! Which practice and which interaction a request means.

use gpconnect::interaction::{Capability, InteractionId};
use gpconnect::names::OdsCode;
use http::{HeaderMap, Method};

use crate::simulator::fhir::outcome::{Code, Refusal};

/// A path cut into the practice's code, the service and the FHIR part. Not to be printed: it may
/// name a patient.
pub(crate) struct Place<'a> {
    pub(crate) ods_code: &'a str,
    structured: bool,
    segments: Vec<&'a str>,
}

/// Cuts `/{ODS}/STU3/1/gpconnect[/structured][/fhir]/...`; `None` for any other path.
pub(crate) fn place(path: &str) -> Option<Place<'_>> {
    let mut segments = path.strip_prefix('/')?.split('/');
    let ods_code = segments.next()?;
    for expected in ["STU3", "1", "gpconnect"] {
        if segments.next()? != expected {
            return None;
        }
    }
    let mut segments: Vec<&str> = segments.collect();
    let mut next_is = |word: &str| {
        let there = segments.first() == Some(&word);
        if there {
            segments.remove(0);
        }
        there
    };
    let structured = next_is("structured");
    next_is("fhir");
    Some(Place { ods_code, structured, segments })
}

/// The practice that a path names, in either form.
pub(crate) fn practice(path: &str) -> Option<OdsCode> {
    let in_proxy_form = path.strip_prefix("/https://").and_then(|rest| rest.split_once('/'));
    let rest = in_proxy_form.map_or(path.strip_prefix('/')?, |(_, rest)| rest);
    rest.split('/').next()?.parse().ok()
}

/// The header that names the interaction.
pub(crate) const INTERACTION: &str = "ssp-interactionid";

/// The interaction that the header names, if it is one.
pub(crate) fn named(headers: &HeaderMap) -> Option<InteractionId> {
    InteractionId::from_urn(headers.get(INTERACTION)?.to_str().ok()?)
}

/// Checks that method and path fit the interaction; gives back the logical id, or nothing.
pub(crate) fn recognise<'a>(
    interaction: InteractionId,
    method: &Method,
    place: &Place<'a>,
) -> Result<&'a str, Refusal> {
    let row = interaction.row();
    let misfit =
        || Code::BadRequest.because(format!("Interaction {} does not match the request", row.urn));
    let structured = row.capability == Capability::Structured;
    if method.as_str() != row.verb.as_str() || structured != place.structured {
        return Err(misfit());
    }
    let mut id = "";
    let pattern: Vec<&str> = row.path.split('/').collect();
    for (expected, segment) in pattern.iter().zip(&place.segments) {
        if *expected == "{id}" {
            id = *segment;
        } else if !same(expected, segment) {
            return Err(misfit());
        }
    }
    // A path that ends where an id belongs names nothing.
    let has_id = pattern.contains(&"{id}");
    let ends_short = place.segments.len() + 1 == pattern.len() && pattern.last() == Some(&"{id}");
    if has_id && (ends_short || id.is_empty()) {
        return Err(Code::NoRecordFound.because("Logical id is missing"));
    }
    if pattern.len() == place.segments.len() && (!has_id || is_logical_id(id)) {
        Ok(id)
    } else {
        Err(misfit())
    }
}

/// Words are equal as they stand; only the dollar may be escaped.
fn same(expected: &str, segment: &str) -> bool {
    expected == segment
        || expected
            .strip_prefix('$')
            .zip(segment.strip_prefix("%24"))
            .is_some_and(|(expected, segment)| expected == segment)
}

fn is_logical_id(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpconnect::interaction::InteractionId as Id;

    #[test]
    fn a_request_fits_its_interaction_or_is_refused() {
        for (name, id, method, rest, expected) in [
            ("read", Id::ReadPatient, "GET", "/Patient/17", Ok("17")),
            ("with fhir", Id::ReadPatient, "GET", "/fhir/Patient/17", Ok("17")),
            ("an id called Patient", Id::ReadPatient, "GET", "/Patient/Patient", Ok("Patient")),
            ("search", Id::SearchPatient, "GET", "/Patient", Ok("")),
            ("nested", Id::SearchPatientAppointments, "GET", "/Patient/17/Appointment", Ok("17")),
            ("dollar", Id::RegisterPatient, "POST", "/Patient/$gpc.registerpatient", Ok("")),
            ("escaped", Id::RegisterPatient, "POST", "/Patient/%24gpc.registerpatient", Ok("")),
            ("amend", Id::AmendAppointment, "PUT", "/Appointment/9", Ok("9")),
            (
                "record",
                Id::GetStructuredRecord,
                "POST",
                "/structured/fhir/Patient/$gpc.getstructuredrecord",
                Ok(""),
            ),
            (
                "record elsewhere",
                Id::GetStructuredRecord,
                "POST",
                "/Patient/$gpc.getstructuredrecord",
                Err("BAD_REQUEST"),
            ),
            ("statement", Id::ReadStructuredMetadata, "GET", "/structured/metadata", Ok("")),
            (
                "wrong statement",
                Id::ReadMetadata,
                "GET",
                "/structured/metadata",
                Err("BAD_REQUEST"),
            ),
            ("wrong case", Id::ReadMetadata, "GET", "/Metadata", Err("BAD_REQUEST")),
            ("wrong verb", Id::ReadPatient, "DELETE", "/Patient/17", Err("BAD_REQUEST")),
            ("no id", Id::ReadAppointment, "GET", "/Appointment/", Err("NO_RECORD_FOUND")),
            ("no id nor slash", Id::ReadAppointment, "GET", "/Appointment", Err("NO_RECORD_FOUND")),
            (
                "no id inside",
                Id::SearchPatientAppointments,
                "GET",
                "/Patient//Appointment",
                Err("NO_RECORD_FOUND"),
            ),
            ("escaped slash", Id::ReadPatient, "GET", "/Patient/1%2F2", Err("BAD_REQUEST")),
            ("too deep", Id::ReadPatient, "GET", "/Patient/1/_history/1", Err("BAD_REQUEST")),
            ("nothing", Id::SearchPatient, "GET", "", Err("BAD_REQUEST")),
        ] {
            let path = format!("/A20047/STU3/1/gpconnect{rest}");
            let place = place(&path).unwrap();
            assert_eq!(place.ods_code, "A20047", "{name}");
            let recognised = recognise(id, &method.parse().unwrap(), &place);
            assert_eq!(recognised.map_err(|refusal| refusal.code.word()), expected, "{name}");
        }
    }

    #[test]
    fn other_paths_have_no_place() {
        for path in ["", "/", "/A20047", "/A20047/DSTU2/1/gpconnect/metadata", "x", "/A/STU3/1/gp"]
        {
            assert!(place(path).is_none(), "{path}");
        }
    }
}
