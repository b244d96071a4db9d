//! What an answer says: whether it is the resource that was asked for, and nothing beside it. The
//! whole body is read, so that half a document is never kept.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};

use super::{Extent, Question, Subject};
use crate::{media::Format, xml::each_element};

/// What a body holds, when it is what was asked for.
pub(super) fn look(question: &Question, body: &[u8]) -> Option<Extent> {
    let text = str::from_utf8(body).ok()?;
    let found = match question.format() {
        Format::Json => json(text)?,
        Format::Xml => xml(text)?,
    };
    let subject = question.subject();
    if !subject.is_answered_by(&found.resource) {
        return None;
    }
    // Of a search nothing but organisations: a provider that answers with others answers another
    // question, maybe about a patient.
    let only_organisations = found.entries.iter().all(|resource| resource == "Organization");
    match subject {
        Subject::Statement | Subject::Organisation => Some(Extent::Full),
        Subject::Search if !only_organisations => None,
        Subject::Search if found.entries.is_empty() => Some(Extent::Nothing),
        Subject::Search => Some(Extent::Full),
    }
}

/// The types of a resource and of what its entries hold. Another place where FHIR has resources
/// (`contained`, the `response` of an entry) may hold a patient: nothing is found then.
#[derive(Default)]
struct Found<'b> {
    resource: Cow<'b, str>,
    entries: Vec<Cow<'b, str>>,
}

fn json(text: &str) -> Option<Found<'_>> {
    #[derive(Deserialize)]
    struct Resource<'b> {
        #[serde(borrow, rename = "resourceType")]
        resource_type: Cow<'b, str>,
        #[serde(borrow)]
        entry: Option<Vec<Entry<'b>>>,
        contained: Option<IgnoredAny>,
    }

    #[derive(Deserialize)]
    struct Entry<'b> {
        #[serde(borrow)]
        resource: Typed<'b>,
        response: Option<IgnoredAny>,
    }

    #[derive(Deserialize)]
    struct Typed<'b> {
        #[serde(borrow, rename = "resourceType")]
        resource_type: Cow<'b, str>,
        contained: Option<IgnoredAny>,
    }

    let resource: Resource<'_> = serde_json::from_str(text).ok()?;
    let entries = resource.entry.unwrap_or_default();
    let holds_others =
        |entry: &Entry<'_>| entry.response.is_some() || entry.resource.contained.is_some();
    if resource.contained.is_some() || entries.iter().any(holds_others) {
        return None;
    }
    let entries = entries.into_iter().map(|entry| entry.resource.resource_type).collect();
    Some(Found { resource: resource.resource_type, entries })
}

fn xml(text: &str) -> Option<Found<'static>> {
    let (mut found, mut entries) = (Found::default(), 0);
    let is_alone = each_element(text, |around, start| {
        let name = start.name().into_inner();
        match around {
            // What a name with a prefix is can't be told without its namespace.
            _ if name.contains(':') || name == "contained" => return None,
            [_, "entry"] if name == "response" => return None,
            [] => found.resource = name.to_owned().into(),
            [_] if name == "entry" => entries += 1,
            [_, "entry", "resource"] => found.entries.push(name.to_owned().into()),
            _ => {}
        }
        Some(())
    })?;
    (is_alone && entries == found.entries.len()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{facts::Fields, interaction::InteractionId};

    fn question(subject: Subject, accept: &str) -> Question {
        let search =
            "Organization?identifier=https://fhir.nhs.uk/Id/ods-organization-code%7CA20047";
        let (id, request) = match subject {
            Subject::Statement => (InteractionId::ReadMetadata, "metadata"),
            Subject::Organisation => (InteractionId::ReadOrganization, "Organization/17"),
            Subject::Search => (InteractionId::SearchOrganization, search),
        };
        Question::of(id, request, &Fields::gather([("Accept", accept.as_bytes())])).unwrap()
    }

    /// gp-connect 13: what holds personal data is never kept, also when a provider answers with it.
    #[test]
    fn only_the_resource_that_was_asked_for_counts() {
        use Subject::{Organisation, Search, Statement};
        let (full, nothing, none) = (Some(Extent::Full), Some(Extent::Nothing), None);
        for (subject, body, expected) in [
            (Statement, r#"{"resourceType":"CapabilityStatement","x":[{}]}"#, full),
            (Statement, r#"{"resourceType":"Conformance"}"#, full),
            (Statement, r#"{"resourceType":"OperationOutcome"}"#, none),
            (Statement, r#"{"resourceType":"CapabilityStatement""#, none),
            (Statement, r#"{"resourceType":"CapabilityStatement"}{}"#, none),
            (Statement, r#"{"resourceType":"CapabilityStatement","resourceType":"Patient"}"#, none),
            (Statement, r#"{"x":1}"#, none),
            (Statement, "", none),
            (Organisation, r#"{"resourceType":"Organization","id":"17"}"#, full),
            (Organisation, r#"{"resourceType":"Patient","id":"17"}"#, none),
            (Organisation, r#"{"resourceType":"Bundle"}"#, none),
            (Search, r#"{"resourceType":"Bundle","type":"searchset"}"#, nothing),
            (Search, r#"{"resourceType":"Bundle","entry":[]}"#, nothing),
            (Search, r#"{"resourceType":"Bundle","entry":null}"#, nothing),
            (
                Search,
                r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Organization"}}]}"#,
                full,
            ),
            (
                Search,
                r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Organization"}},{"resource":{"resourceType":"Patient"}}]}"#,
                none,
            ),
            (Search, r#"{"resourceType":"Bundle","entry":[{}]}"#, none),
            (Search, r#"{"resourceType":"Organization"}"#, none),
            // Resources in other places.
            (
                Organisation,
                r#"{"resourceType":"Organization","contained":[{"resourceType":"Patient"}]}"#,
                none,
            ),
            (Organisation, r#"{"resourceType":"Organization","contained":null}"#, full),
            (Statement, r#"{"resourceType":"CapabilityStatement","contained":[]}"#, none),
            (
                Search,
                r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Organization","contained":[{"resourceType":"Patient"}]}}]}"#,
                none,
            ),
            (
                Search,
                r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Organization"},"response":{"outcome":{"resourceType":"Patient"}}}]}"#,
                none,
            ),
        ] {
            let found = look(&question(subject, "application/fhir+json"), body.as_bytes());
            assert_eq!(found, expected, "{body}");
        }
        assert_eq!(look(&question(Statement, ""), b"\xff"), None);
    }

    /// gp-connect 13.
    #[test]
    fn xml_is_read_like_json() {
        use Subject::{Organisation, Search, Statement};
        let (full, nothing, none) = (Some(Extent::Full), Some(Extent::Nothing), None);
        for (subject, body, expected) in [
            (
                Statement,
                "<?xml version=\"1.0\"?>\n<CapabilityStatement xmlns=\"http://hl7.org/fhir\"><a/></CapabilityStatement>\n",
                full,
            ),
            (Statement, "<CapabilityStatement/>", full),
            (Statement, "<CapabilityStatement>", none),
            (Statement, "<CapabilityStatement></Other>", none),
            (Statement, "<CapabilityStatement/><Patient/>", none),
            (Statement, "<!DOCTYPE a><CapabilityStatement/>", none),
            (Statement, "<CapabilityStatement/>x", none),
            (Statement, "", none),
            (Organisation, "<Organization><id value=\"17\"/></Organization>", full),
            (Organisation, "<Patient/>", none),
            (Search, "<Bundle><type value=\"searchset\"/></Bundle>", nothing),
            (
                Search,
                "<Bundle><entry><resource><Organization><name/></Organization></resource></entry></Bundle>",
                full,
            ),
            (
                Search,
                "<Bundle><entry><resource><Organization/></resource></entry><entry><resource><Patient><entry/></Patient></resource></entry></Bundle>",
                none,
            ),
            (Search, "<Bundle><entry/></Bundle>", none),
            (Search, "<Bundle><entry><link/></entry></Bundle>", none),
            (Search, "<OperationOutcome/>", none),
            // Resources in other places.
            (Organisation, "<Organization><contained><Patient/></contained></Organization>", none),
            (Statement, "<CapabilityStatement><contained/></CapabilityStatement>", none),
            (
                Search,
                "<Bundle><entry><resource><Organization><contained><Patient/></contained></Organization></resource></entry></Bundle>",
                none,
            ),
            (
                Search,
                "<Bundle><entry><resource><Organization/></resource><response><outcome><Patient/></outcome></response></entry></Bundle>",
                none,
            ),
            (
                Search,
                "<Bundle><entry><resource><Organization/><Patient/></resource></entry><entry/></Bundle>",
                none,
            ),
            // Under names that say what they are elsewhere.
            (
                Search,
                "<Bundle xmlns:f=\"http://hl7.org/fhir\"><f:entry><f:resource><f:Patient/></f:resource></f:entry></Bundle>",
                none,
            ),
            (Search, "<f:Bundle xmlns:f=\"http://hl7.org/fhir\"/>", none),
        ] {
            let found = look(&question(subject, "application/fhir+xml"), body.as_bytes());
            assert_eq!(found, expected, "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_body_panics(body in ".{0,60}", xml in "[<>/a-zA-Z \"=!?&;]{0,60}") {
            for accept in ["application/fhir+json", "application/fhir+xml"] {
                look(&question(Subject::Search, accept), body.as_bytes());
                look(&question(Subject::Search, accept), xml.as_bytes());
            }
        }
    }
}
