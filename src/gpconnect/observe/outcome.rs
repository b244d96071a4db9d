//! What the body of an error says: whether it is an OperationOutcome, and whether it names its fault
//! as GP Connect does.

use std::borrow::Cow;

use quick_xml::name::QName;
use serde::Deserialize;

use crate::{
    media::Format,
    outcome::{PROXY_METHOD_SYSTEM, PROXY_SYSTEM},
    xml::{each_element, value},
};

/// What an error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It is no OperationOutcome.
    Otherwise,
    /// It is one in the words of a proxy between us and the practice.
    ByProxy,
    /// It is one, and names Spine codes: all of them exist, and there is one.
    ByCode(bool),
}

/// How the coding system ends, in both of its spellings (D23).
const SPINE: &str = "/Spine-ErrorOrWarningCode-1";

/// Every code that a provider may name (errors E), with the second spellings of GP Connect, and what
/// versions 0.7 and 1.6 add.
#[rustfmt::skip]
const CODES: &[&str] = &[
    "NO_RECORD_FOUND", "PATIENT_NOT_FOUND", "INVALID_NHS_NUMBER", "INVALID_CODE_SYSTEM",
    "INVALID_CODE_VALUE", "INVALID_VALUE", "INVALID_IDENTIFIER_SYSTEM", "INVALID_IDENTIFIER_VALUE",
    "CONFLICTING_VALUES", "INVALID_ELEMENT", "AUTHOR_CREDENTIALS_ERROR", "INVALID_PARAMETER",
    "REQUEST_UNMATCHED", "MESSAGE_NOT_WELL_FORMED", "NO_PATIENT_CONSENT",
    "NO_ORGANISATIONAL_CONSENT", "NO_ORGANISATION_CONSENT", "BAD_REQUEST", "INVALID_RESOURCE",
    "ORGANISATION_NOT_FOUND", "PRACTITIONER_NOT_FOUND", "PATIENT_SENSITIVE", "NO_RELATIONSHIP",
    "FHIR_CONSTRAINT_VIOLATION", "FLAG_ALREADY_SET", "INVALID_REQUEST_STATE",
    "INVALID_REQUEST_TYPE", "ACCESS DENIED", "ACCESS_DENIED", "ASID_CHECK_FAILED",
    "MISSING_OR_INVALID_HEADER", "ACCESS_DENIED_SSL", "MSG_RESOURCE_ID_FAIL", "DUPLICATE_REJECTED",
    "RESOURCE_CREATED", "RESOURCE_DELETED", "INVALID_REQUEST_MESSAGE", "INTERNAL_SERVER_ERROR",
    "INVALID_PATIENT_DEMOGRAPHICS", "NOT_IMPLEMENTED", "REFERENCE_NOT_FOUND",
    "NOT_AUTHORISED", "NON_AUTHORITATIVE", "INVALID_ODS_CODE",
];

/// Reads the whole body of an error.
pub(super) fn read(body: &[u8], format: Format) -> Told {
    let codings = str::from_utf8(body).ok().and_then(|text| match format {
        Format::Json => json(text),
        Format::Xml => xml(text),
    });
    codings.map_or(Told::Otherwise, |codings| judge(&codings))
}

/// A `coding`, as far as it is one.
#[derive(Default, Deserialize)]
struct Coding<'b> {
    #[serde(borrow)]
    system: Option<Cow<'b, str>>,
    #[serde(borrow)]
    code: Option<Cow<'b, str>>,
}

fn judge(codings: &[Coding<'_>]) -> Told {
    let mut systems = codings.iter().filter_map(|coding| coding.system.as_deref());
    if systems.any(|system| [PROXY_SYSTEM, PROXY_METHOD_SYSTEM].contains(&system)) {
        return Told::ByProxy;
    }
    let is_spines =
        |coding: &&Coding<'_>| coding.system.as_deref().is_some_and(|it| it.ends_with(SPINE));
    let mut of_spine = codings.iter().filter(is_spines).peekable();
    let is_there = of_spine.peek().is_some();
    let exists = |coding: &Coding<'_>| coding.code.as_deref().is_some_and(|it| CODES.contains(&it));
    Told::ByCode(is_there && of_spine.all(exists))
}

fn json(text: &str) -> Option<Vec<Coding<'_>>> {
    #[derive(Deserialize)]
    struct Outcome<'b> {
        #[serde(borrow, rename = "resourceType")]
        resource_type: Cow<'b, str>,
        #[serde(borrow, default)]
        issue: Vec<Issue<'b>>,
    }

    #[derive(Deserialize)]
    struct Issue<'b> {
        #[serde(borrow)]
        details: Option<Details<'b>>,
    }

    #[derive(Deserialize)]
    struct Details<'b> {
        #[serde(borrow, default)]
        coding: Vec<Coding<'b>>,
    }

    let outcome: Outcome<'_> = serde_json::from_str(text).ok()?;
    let details = outcome.issue.into_iter().filter_map(|issue| issue.details);
    let codings = details.flat_map(|details| details.coding).collect();
    (outcome.resource_type == "OperationOutcome").then_some(codings)
}

fn xml(text: &str) -> Option<Vec<Coding<'static>>> {
    let mut codings = Vec::<Coding<'static>>::new();
    each_element(text, |around, start| {
        // Some write a prefix before each name.
        let around = around.iter().map(|name| QName(name).local_name().into_inner());
        let around: Vec<_> = around.collect();
        let value = || Some(Cow::Owned(value(start)?.into_owned()));
        match (&*around, start.local_name().into_inner()) {
            ([], name) if name != "OperationOutcome" => return None,
            (["OperationOutcome", "issue", "details"], "coding") => {
                codings.push(Coding::default());
            }
            (["OperationOutcome", "issue", "details", "coding"], name) => {
                let coding = codings.last_mut()?;
                match name {
                    "system" => coding.system = value(),
                    "code" => coding.code = value(),
                    _ => {}
                }
            }
            _ => {}
        }
        Some(())
    })?;
    Some(codings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEM: &str = "https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1";

    fn written(codings: &[(&str, &str)], format: Format) -> String {
        match format {
            Format::Json => {
                let codings = codings.iter().map(|(system, code)| {
                    format!("{{\"system\":\"{system}\",\"code\":\"{code}\"}}")
                });
                let codings = codings.collect::<Vec<_>>().join(",");
                format!(
                    "{{\"resourceType\":\"OperationOutcome\",\"issue\":[{{\"severity\":\"error\",\
                     \"details\":{{\"coding\":[{codings}]}}}}]}}"
                )
            }
            Format::Xml => {
                let codings = codings.iter().map(|(system, code)| {
                    format!("<coding><system value=\"{system}\"/><code value='{code}'/></coding>")
                });
                format!(
                    "<?xml version=\"1.0\"?>\n<OperationOutcome xmlns=\"http://hl7.org/fhir\"><issue>\
                     <code value=\"invalid\"/><details>{}</details></issue></OperationOutcome>\n",
                    codings.collect::<String>()
                )
            }
        }
    }

    /// gp-connect 17: both spellings of a code; errors E.
    #[test]
    fn a_code_is_one_of_the_list() {
        let other = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1";
        let proxy = "http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0";
        for (name, codings, expected) in [
            ("one that exists", &[(SYSTEM, "BAD_REQUEST")][..], Told::ByCode(true)),
            ("the other system", &[(other, "PATIENT_NOT_FOUND")], Told::ByCode(true)),
            ("with a blank", &[(SYSTEM, "ACCESS DENIED")], Told::ByCode(true)),
            ("with an underscore", &[(SYSTEM, "ACCESS_DENIED")], Told::ByCode(true)),
            ("one that does not", &[(SYSTEM, "OOPS")], Told::ByCode(false)),
            ("in small letters", &[(SYSTEM, "bad_request")], Told::ByCode(false)),
            ("one of each", &[(SYSTEM, "BAD_REQUEST"), (SYSTEM, "OOPS")], Told::ByCode(false)),
            ("besides another", &[("x", "OOPS"), (SYSTEM, "BAD_REQUEST")], Told::ByCode(true)),
            ("of another system", &[("http://hl7.org/fhir/x", "BAD_REQUEST")], Told::ByCode(false)),
            ("none", &[], Told::ByCode(false)),
            ("a proxy's", &[(proxy, "403")], Told::ByProxy),
        ] {
            for format in [Format::Json, Format::Xml] {
                let body = written(codings, format);
                assert_eq!(read(body.as_bytes(), format), expected, "{name}: {body}");
            }
        }
    }

    #[test]
    fn what_is_no_outcome() {
        for (body, format) in [
            ("", Format::Json),
            ("{}", Format::Json),
            ("{\"error\":\"no\"}", Format::Json),
            ("{\"resourceType\":\"Patient\"}", Format::Json),
            ("{\"resourceType\":\"OperationOutcome\"", Format::Json),
            ("{\"resourceType\":\"OperationOutcome\",\"issue\":1}", Format::Json),
            ("<html/>", Format::Json),
            ("", Format::Xml),
            ("<html/>", Format::Xml),
            ("<OperationOutcome>", Format::Xml),
            ("<OperationOutcome/><OperationOutcome/>", Format::Xml),
            ("<!DOCTYPE a><OperationOutcome/>", Format::Xml),
            ("{\"resourceType\":\"OperationOutcome\"}", Format::Xml),
        ] {
            assert_eq!(read(body.as_bytes(), format), Told::Otherwise, "{body}");
        }
        assert_eq!(read(b"\xff", Format::Json), Told::Otherwise);
        let elsewhere = "<OperationOutcome><text><coding><system value=\"x\"/></coding></text></OperationOutcome>";
        assert_eq!(read(elsewhere.as_bytes(), Format::Xml), Told::ByCode(false));
    }

    proptest::proptest! {
        #[test]
        fn no_body_panics(body in "[<>/a-zA-Z \"=!?&;{}:,\\[\\]]{0,80}") {
            for format in [Format::Json, Format::Xml] {
                read(body.as_bytes(), format);
            }
        }
    }
}
