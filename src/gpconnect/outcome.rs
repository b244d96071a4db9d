//! `OperationOutcome`, the body of every answer that the gateway makes itself, in JSON and XML.

use quick_xml::{
    Writer,
    events::{BytesEnd, BytesStart, Event},
};
use serde::Serialize;

use crate::{
    media::Format,
    rejection::{Answer, Code, Reason, Rejection},
};

const PROFILE: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-OperationOutcome-1";
/// What consumers of 1.2.7 match (D23).
const SPINE_SYSTEM: &str = "https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1";
const PROXY_SYSTEM: &str = "http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0";
const PROXY_METHOD_SYSTEM: &str =
    "https://fhir.nhs.uk/StructureDefinition/spine-operationoutcome-1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OperationOutcome<'a> {
    resource_type: &'static str,
    /// The proxy's vocabulary has one per occurrence.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    meta: Meta,
    issue: Vec<Issue>,
}

#[derive(Serialize)]
struct Meta {
    profile: [&'static str; 1],
}

#[derive(Serialize)]
struct Issue {
    severity: &'static str,
    code: &'static str,
    details: Details,
    diagnostics: String,
}

#[derive(Serialize)]
struct Details {
    coding: [Coding; 1],
}

#[derive(Serialize)]
struct Coding {
    system: &'static str,
    code: String,
    display: String,
}

impl Issue {
    fn of(reason: &Reason) -> Self {
        let Answer(status, issue_type, code, _) = reason.answer();
        let diagnostics = reason.diagnostics();
        let (system, code, display) = match code {
            Code::Spine(code, display) => (SPINE_SYSTEM, code.to_owned(), display.to_owned()),
            Code::Proxy => (PROXY_SYSTEM, status.to_string(), diagnostics.clone()),
            Code::ProxyMethod => (PROXY_METHOD_SYSTEM, status.to_string(), diagnostics.clone()),
        };
        let details = Details { coding: [Coding { system, code, display }] };
        Self { severity: "error", code: issue_type.as_str(), details, diagnostics }
    }
}

/// The body for a rejection. `occurrence` is a UUID of its own, for the proxy's vocabulary.
pub fn body(rejection: &Rejection, occurrence: &str, format: Format) -> Vec<u8> {
    let proxy = matches!(rejection.reason.answer().2, Code::Proxy | Code::ProxyMethod);
    let outcome = OperationOutcome {
        resource_type: "OperationOutcome",
        id: proxy.then_some(occurrence),
        meta: Meta { profile: [PROFILE] },
        issue: std::iter::once(&rejection.reason).chain(&rejection.also).map(Issue::of).collect(),
    };
    match format {
        Format::Json => serde_json::to_vec(&outcome).unwrap_or_default(),
        Format::Xml => xml(&outcome),
    }
}

fn xml(outcome: &OperationOutcome<'_>) -> Vec<u8> {
    let mut out = Xml(Writer::new(Vec::new()));
    out.open(
        BytesStart::new("OperationOutcome").with_attributes([("xmlns", "http://hl7.org/fhir")]),
    );
    if let Some(id) = outcome.id {
        out.value("id", id);
    }
    out.element("meta", |out| out.value("profile", PROFILE));
    for issue in &outcome.issue {
        out.element("issue", |out| {
            out.value("severity", issue.severity);
            out.value("code", issue.code);
            out.element("details", |out| {
                for coding in &issue.details.coding {
                    out.element("coding", |out| {
                        out.value("system", coding.system);
                        out.value("code", &coding.code);
                        out.value("display", &coding.display);
                    });
                }
            });
            out.value("diagnostics", &issue.diagnostics);
        });
    }
    out.close("OperationOutcome");
    out.0.into_inner()
}

/// Writes to memory, which does not fail.
struct Xml(Writer<Vec<u8>>);

impl Xml {
    fn event(&mut self, event: Event<'_>) {
        // Writing to a Vec can't fail; a body cut short would be seen by its reader.
        self.0.write_event(event).unwrap_or_default();
    }

    fn open(&mut self, start: BytesStart<'_>) {
        self.event(Event::Start(start));
    }

    fn close(&mut self, name: &str) {
        self.event(Event::End(BytesEnd::new(name)));
    }

    fn element(&mut self, name: &str, inner: impl FnOnce(&mut Self)) {
        self.open(BytesStart::new(name));
        inner(self);
        self.close(name);
    }

    fn value(&mut self, name: &str, value: &str) {
        self.event(Event::Empty(BytesStart::new(name).with_attributes([("value", value)])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Header;

    fn text(reason: Reason, format: Format) -> String {
        let occurrence = "0b6a1c52-3f8e-4a43-9a57-1b0c9e7d2f05";
        String::from_utf8(body(&reason.into(), occurrence, format)).unwrap()
    }

    #[test]
    fn gp_connects_vocabulary_in_json() {
        insta::assert_snapshot!(text(Reason::HeaderMissing(Header::TraceId), Format::Json), @r#"{"resourceType":"OperationOutcome","meta":{"profile":["https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-OperationOutcome-1"]},"issue":[{"severity":"error","code":"invalid","details":{"coding":[{"system":"https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1","code":"BAD_REQUEST","display":"Bad request"}]},"diagnostics":"Ssp-TraceID header is missing"}]}"#);
    }

    #[test]
    fn the_proxys_vocabulary_in_xml() {
        let reason = Reason::SenderNotAccredited("990000000302".parse().unwrap());
        insta::assert_snapshot!(text(reason, Format::Xml), @r#"<OperationOutcome xmlns="http://hl7.org/fhir"><id value="0b6a1c52-3f8e-4a43-9a57-1b0c9e7d2f05"/><meta><profile value="https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-OperationOutcome-1"/></meta><issue><severity value="error"/><code value="forbidden"/><details><coding><system value="http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0"/><code value="403"/><display value="ASID_CHECK_FAILED_MESSAGESENDER_990000000302"/></coding></details><diagnostics value="ASID_CHECK_FAILED_MESSAGESENDER_990000000302"/></issue></OperationOutcome>"#);
    }

    #[test]
    fn copied_text_can_not_break_out() {
        let reason = || Reason::UpstreamTimeout { url: "https://gp.example/\"<&>\r\n\u{1}".into() };
        let json: serde_json::Value = serde_json::from_str(&text(reason(), Format::Json)).unwrap();
        let diagnostics = json["issue"][0]["diagnostics"].as_str().unwrap();
        assert!(diagnostics.ends_with("\"<&>\u{fffd}\u{fffd}\u{fffd}"));
        assert!(text(reason(), Format::Xml).contains("&quot;&lt;&amp;&gt;"));
    }
}
