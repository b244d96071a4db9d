//! An `OperationOutcome` as a consumer reads it, from JSON or XML.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use serde_json::Value;

use crate::wire::Reply;

/// The parts that consumers look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) id: String,
    pub(crate) profile: String,
    pub(crate) issues: Vec<Issue>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Issue {
    pub(crate) severity: String,
    pub(crate) code: String,
    pub(crate) system: String,
    pub(crate) coding: String,
    pub(crate) display: String,
    pub(crate) diagnostics: String,
}

impl Outcome {
    /// Reads the body in the format that its header names, which has to be this one.
    pub(crate) fn of(reply: &Reply, format: &str) -> Self {
        let kind = reply.header("content-type");
        assert_eq!(kind, format!("application/fhir+{format};charset=utf-8"), "{reply:?}");
        match format {
            "json" => Self::from_json(&reply.json()),
            "xml" => Self::from_xml(reply.text()),
            _ => panic!("{format} is no format"),
        }
    }

    fn from_json(json: &Value) -> Self {
        assert_eq!(json["resourceType"], "OperationOutcome", "{json}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let issue = |issue: &Value| Issue {
            severity: text(&issue["severity"]),
            code: text(&issue["code"]),
            system: text(&issue["details"]["coding"][0]["system"]),
            coding: text(&issue["details"]["coding"][0]["code"]),
            display: text(&issue["details"]["coding"][0]["display"]),
            diagnostics: text(&issue["diagnostics"]),
        };
        Self {
            id: text(&json["id"]),
            profile: text(&json["meta"]["profile"][0]),
            issues: json["issue"].as_array().unwrap().iter().map(issue).collect(),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else stands there is wrong")]
    fn from_xml(text: &str) -> Self {
        let mut reader = Reader::from_str(text);
        let mut outcome = Self::default();
        let mut path = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => {
                    path.push(name(&start));
                    if path == ["OperationOutcome", "issue"] {
                        outcome.issues.push(Issue::default());
                    }
                }
                Event::Empty(element) => {
                    let name = name(&element);
                    outcome.set(&[path.join("/"), name].join("/"), value(&element));
                }
                Event::End(_) => drop(path.pop()),
                Event::Eof => break,
                other => panic!("{other:?} in {text}"),
            }
        }
        assert!(text.starts_with("<OperationOutcome xmlns=\"http://hl7.org/fhir\">"), "{text}");
        outcome
    }

    fn set(&mut self, path: &str, value: String) {
        let issue = self.issues.last_mut();
        let place = match (path, issue) {
            ("OperationOutcome/id", None) => &mut self.id,
            ("OperationOutcome/meta/profile", None) => &mut self.profile,
            ("OperationOutcome/issue/severity", Some(issue)) => &mut issue.severity,
            ("OperationOutcome/issue/code", Some(issue)) => &mut issue.code,
            ("OperationOutcome/issue/details/coding/system", Some(issue)) => &mut issue.system,
            ("OperationOutcome/issue/details/coding/code", Some(issue)) => &mut issue.coding,
            ("OperationOutcome/issue/details/coding/display", Some(issue)) => &mut issue.display,
            ("OperationOutcome/issue/diagnostics", Some(issue)) => &mut issue.diagnostics,
            _ => panic!("{path} belongs to no OperationOutcome"),
        };
        *place = value;
    }
}

fn name(element: &BytesStart<'_>) -> String {
    element.name().as_ref().to_owned()
}

fn value(element: &BytesStart<'_>) -> String {
    let value = element.try_get_attribute("value").unwrap().unwrap();
    value.normalized_value(XmlVersion::Explicit1_0).unwrap().into_owned()
}
