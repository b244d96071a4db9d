//! `OperationOutcome`, the body of every answer that the gateway makes itself, in JSON and XML.

use quick_xml::{
    Writer,
    events::{BytesEnd, BytesStart, Event},
};
use serde::Serialize;

use crate::{
    media::Format,
    rejection::{Answer, Code, Reason, Rejection, Wording},
};

const PROFILE: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-OperationOutcome-1";
pub(crate) const PROXY_SYSTEM: &str =
    "http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0";
pub(crate) const PROXY_METHOD_SYSTEM: &str =
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

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// In which syntax.
    pub format: Format,
    /// In which words, where there is a choice.
    pub wording: Wording,
}

impl Issue {
    /// The issue that decides: in the proxy's vocabulary exactly as the national proxy writes it.
    fn deciding(reason: &Reason, wording: Wording) -> Self {
        let Answer(status, issue_type, code, _) = reason.answer_as(wording);
        let diagnostics = reason.diagnostics();
        let (system, code, display) = match code {
            Code::Spine(code, display) => {
                (wording.coding_system.url(), code.to_owned(), display.to_owned())
            }
            Code::Proxy => (PROXY_SYSTEM, status.to_string(), diagnostics.clone()),
            Code::ProxyMethod => (PROXY_METHOD_SYSTEM, status.to_string(), diagnostics.clone()),
        };
        let details = Details { coding: [Coding { system, code, display }] };
        Self { severity: "error", code: issue_type.as_str(), details, diagnostics }
    }

    /// An issue besides: in whatever vocabulary, its diagnostics say what to mend.
    fn besides(reason: &Reason, wording: Wording) -> Self {
        Self { diagnostics: reason.besides(), ..Self::deciding(reason, wording) }
    }
}

/// The body for a rejection. `occurrence` is a UUID of its own, for the proxy's vocabulary.
pub fn body(rejection: &Rejection, occurrence: &str, style: Style) -> Vec<u8> {
    let proxy = matches!(rejection.reason.answer().2, Code::Proxy | Code::ProxyMethod);
    let deciding = Issue::deciding(&rejection.reason, style.wording);
    let besides = rejection.also.iter().map(|reason| Issue::besides(reason, style.wording));
    let outcome = OperationOutcome {
        resource_type: "OperationOutcome",
        id: proxy.then_some(occurrence),
        meta: Meta { profile: [PROFILE] },
        issue: std::iter::once(deciding).chain(besides).collect(),
    };
    match style.format {
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
    use std::fmt::Write as _;

    use super::*;
    use crate::{
        contract::Header,
        rejection::{CodingSystem, examples},
        token::fault::Seconds,
    };

    const OCCURRENCE: &str = "0b6a1c52-3f8e-4a43-9a57-1b0c9e7d2f05";

    fn text(rejection: &Rejection, style: Style) -> String {
        String::from_utf8(body(rejection, OCCURRENCE, style)).unwrap()
    }

    fn json(rejection: &Rejection) -> serde_json::Value {
        serde_json::from_str(&text(rejection, Style::default())).unwrap()
    }

    /// gp-connect 3, 4.1, 7.4, 7.5: every fault with status, challenge and whole body in both
    /// syntaxes, in both vocabularies.
    /// gp-connect 9.
    #[test]
    fn every_refusal_has_its_whole_body() {
        let mut table = String::new();
        for reason in examples() {
            let word = reason.word();
            let (status, challenge) = (reason.status(), reason.challenge().unwrap_or_default());
            let rejection = Rejection::from(reason);
            writeln!(table, "{word} {status} {challenge}").unwrap();
            for format in [Format::Json, Format::Xml] {
                let style = Style { format, ..Style::default() };
                writeln!(table, "  {}", text(&rejection, style)).unwrap();
            }
        }
        insta::assert_snapshot!(table);
    }

    /// gp-connect 9: the first fault decides, and its issue stands first.
    #[test]
    fn the_deciding_issue_stands_first_and_gives_the_body_its_id() {
        let sender = || Reason::SenderNotAccredited("990000000302".parse().unwrap());
        let expired = Reason::TokenExpired { since: Seconds(9) };
        let both = json(&Rejection { reason: sender(), also: vec![expired.clone()] });
        assert_eq!(both["id"], OCCURRENCE);
        assert_eq!(both["issue"][0]["details"]["coding"][0]["code"], "403");
        assert_eq!(both["issue"][1]["details"]["coding"][0]["code"], "BAD_REQUEST");
        assert_eq!(both["issue"][1]["diagnostics"], "JWT has expired, 9 seconds ago");
        let both = json(&Rejection { reason: expired, also: vec![sender()] });
        assert_eq!(both["id"], serde_json::Value::Null, "GP Connect's own has none");
    }

    #[test]
    fn an_issue_besides_names_what_is_wrong() {
        let media_type = || Reason::MediaTypeUnsupported("Accept");
        let alone = json(&media_type().into());
        assert_eq!(alone["issue"][0]["diagnostics"], "Unsupported_Media_Type");
        let both = json(&Rejection { reason: Reason::HostNotServed, also: vec![media_type()] });
        assert_eq!(both["issue"][1]["details"]["coding"][0]["display"], "Unsupported_Media_Type");
        assert_eq!(
            both["issue"][1]["diagnostics"],
            "Accept names no FHIR format; expected application/fhir+json or application/fhir+xml"
        );
    }

    #[test]
    fn the_coding_system_is_a_setting() {
        let wording = Wording { coding_system: CodingSystem::CodeSystem, ..Wording::default() };
        let style = Style { wording, ..Style::default() };
        let rejection = Reason::HeaderMissing(Header::TraceId).into();
        let system = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1";
        assert!(text(&rejection, style).contains(system));
        assert!(!text(&rejection, Style::default()).contains(system));
    }

    #[test]
    fn copied_text_can_not_break_out() {
        let url = || "https://gp.example/\"<&>\r\n\u{1}".into();
        let rejection = || Rejection::from(Reason::UpstreamTimeout { url: url() });
        let diagnostics = json(&rejection())["issue"][0]["diagnostics"].clone();
        assert!(diagnostics.as_str().unwrap().ends_with("\"<&>\u{fffd}\u{fffd}\u{fffd}"));
        let xml = Style { format: Format::Xml, ..Style::default() };
        assert!(text(&rejection(), xml).contains("&quot;&lt;&amp;&gt;"));
    }
}
