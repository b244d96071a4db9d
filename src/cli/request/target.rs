//! The request target, in both forms, byte for byte as it was asked for.

use gpconnect::interaction::InteractionId;
use http::uri::PathAndQuery;

use super::{arguments::Form, fault::Unsendable, route::Route};
use crate::cli::token::author::ods_path;

/// The target of a request: `path` is the FHIR path, `query` its raw query.
///
/// # Errors
/// When it holds what no request line may hold.
pub(super) fn target(
    form: Form,
    route: &Route,
    interaction: InteractionId,
    path: &str,
    query: &str,
) -> Result<PathAndQuery, Unsendable> {
    let root = match (form, &route.service_root) {
        (Form::Ods, _) => ods_path(route.practice, interaction.row().capability),
        (Form::Proxy, Some(root)) => format!("/{root}"),
        (Form::Proxy, None) => {
            let (what, option) = ("the proxy form", "--service-root, or --config to look it up in");
            return Err(Unsendable::Missing { what, option });
        }
    };
    let question_mark = if query.is_empty() { "" } else { "?" };
    let text = format!("{root}/{path}{question_mark}{query}");
    match text.parse::<PathAndQuery>() {
        // A fragment would be cut off without a word.
        Ok(target) if target.as_str() == text => Ok(target),
        Ok(_) | Err(_) => Err(Unsendable::Target(text.chars().find(is_foreign).unwrap_or('%'))),
    }
}

fn is_foreign(letter: &char) -> bool {
    !letter.is_ascii_graphic() || "#\"<>\\^`".contains(*letter)
}

#[cfg(test)]
mod tests {
    use gpconnect::{interaction::InteractionId as Id, target::read};

    use super::*;

    fn route() -> Route {
        Route {
            practice: "A20047".parse().unwrap(),
            service_root: "https://gp.example/A20047/STU3/1/gpconnect/structured".parse().ok(),
            to_asid: None,
        }
    }

    #[test]
    fn both_forms_keep_every_byte() {
        let ods = "/A20047/STU3/1/gpconnect";
        let proxy = "/https://gp.example/A20047/STU3/1/gpconnect/structured";
        for (name, form, id, path, query, expected) in [
            (
                "a dollar",
                Form::Ods,
                Id::GetStructuredRecord,
                "Patient/$gpc.getstructuredrecord",
                "",
                format!("{ods}/structured/Patient/$gpc.getstructuredrecord"),
            ),
            (
                "an encoded pipe",
                Form::Ods,
                Id::SearchPatient,
                "Patient",
                "identifier=https://fhir.nhs.uk/Id/nhs-number%7C9000000009",
                format!("{ods}/Patient?identifier=https://fhir.nhs.uk/Id/nhs-number%7C9000000009"),
            ),
            (
                "a raw pipe, a plus, repeated names",
                Form::Ods,
                Id::SearchSlot,
                "Slot",
                "start=ge2026-03-29T12:00:00+00:00&a=x|y&start=2&_include:recurse=z",
                format!(
                    "{ods}/Slot?start=ge2026-03-29T12:00:00+00:00&a=x|y&start=2&_include:recurse=z"
                ),
            ),
            (
                "proxy form",
                Form::Proxy,
                Id::GetStructuredRecord,
                "Patient/$gpc.getstructuredrecord",
                "a=%7C+",
                format!("{proxy}/Patient/$gpc.getstructuredrecord?a=%7C+"),
            ),
            (
                "dots",
                Form::Ods,
                Id::ReadPatient,
                "Patient/../%2e%2E",
                "",
                format!("{ods}/Patient/../%2e%2E"),
            ),
        ] {
            let target = target(form, &route(), id, path, query).unwrap();
            assert_eq!(target.as_str(), expected, "{name}");
            if name != "dots" {
                let read = read(id.row().verb.as_str(), target.as_str()).unwrap();
                assert!(read.path().ends_with(path), "{name}");
                assert_eq!(read.query.unwrap_or_default(), query, "{name}");
            }
        }
    }

    #[test]
    fn what_can_t_stand_in_a_request_line_is_refused() {
        for (name, path, query) in [
            ("a blank", "Patient/1 2", ""),
            ("a blank in the query", "Patient", "a=b c"),
            ("a fragment", "Patient/1#x", ""),
            ("a line break", "Patient/1\r\nHost: x", ""),
        ] {
            let target = target(Form::Ods, &route(), Id::ReadPatient, path, query);
            let Err(Unsendable::Target(letter)) = target else { panic!("{name}: {target:?}") };
            assert!(is_foreign(&letter), "{name}: {letter:?}");
        }
    }

    #[test]
    fn the_proxy_form_needs_a_service_root() {
        let route = Route { service_root: None, ..route() };
        let target = target(Form::Proxy, &route, Id::ReadMetadata, "metadata", "");
        assert!(target.unwrap_err().to_string().contains("--service-root"));
    }
}
