//! What a capability statement says of the system that it comes from: its version, and what it can be
//! asked.

use std::borrow::Cow;

use serde::Deserialize;

use crate::{
    media::Format,
    xml::{each_element, value},
};

/// The longest text that is taken from a statement, in characters; the rest is cut.
const LONGEST: usize = 80;
/// The most operations that are.
const MOST: usize = 200;

/// A statement, as far as people compare systems by it. All texts are the provider's, cut and without
/// control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Statement {
    /// The version of the specification that it claims, as in `1.2.7`.
    pub version: Option<Box<str>>,
    /// The version of FHIR.
    pub fhir_version: Option<Box<str>>,
    /// Name and version of the software.
    pub software: Option<Box<str>>,
    /// What can be asked: `Patient.read`, `$gpc.registerpatient`. In order, each once.
    pub operations: Box<[Box<str>]>,
}

/// The parts on their way to a statement.
#[derive(Default)]
struct Parts<'b> {
    version: Option<Cow<'b, str>>,
    fhir_version: Option<Cow<'b, str>>,
    software: [Option<Cow<'b, str>>; 2],
    operations: Vec<String>,
}

impl Statement {
    /// Reads a statement; none when it can't be read as one.
    pub fn read(format: Format, body: &[u8]) -> Option<Self> {
        let text = str::from_utf8(body).ok()?;
        let parts = match format {
            Format::Json => json(text)?,
            Format::Xml => xml(text)?,
        };
        let mut operations: Vec<_> = parts.operations.iter().map(|text| short(text)).collect();
        operations.sort_unstable();
        operations.dedup();
        operations.truncate(MOST);
        let software: Vec<_> = parts.software.iter().flatten().map(|text| &**text).collect();
        Some(Self {
            version: parts.version.map(|text| short(&text)),
            fhir_version: parts.fhir_version.map(|text| short(&text)),
            software: (!software.is_empty()).then(|| short(&software.join(" "))),
            operations: operations.into(),
        })
    }
}

fn short(text: &str) -> Box<str> {
    let plain = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    text.chars().take(LONGEST).map(plain).collect::<String>().into()
}

/// A statement in JSON, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'b> {
    #[serde(borrow)]
    version: Option<Cow<'b, str>>,
    #[serde(borrow)]
    fhir_version: Option<Cow<'b, str>>,
    #[serde(borrow)]
    software: Option<Software<'b>>,
    #[serde(borrow, default)]
    rest: Vec<Rest<'b>>,
}

#[derive(Deserialize)]
struct Software<'b> {
    #[serde(borrow)]
    name: Option<Cow<'b, str>>,
    #[serde(borrow)]
    version: Option<Cow<'b, str>>,
}

#[derive(Deserialize)]
struct Rest<'b> {
    #[serde(borrow, default)]
    resource: Vec<Type<'b>>,
    #[serde(borrow, default)]
    operation: Vec<Operation<'b>>,
}

#[derive(Deserialize)]
struct Type<'b> {
    #[serde(borrow, rename = "type")]
    name: Cow<'b, str>,
    #[serde(borrow, default)]
    interaction: Vec<Interaction<'b>>,
}

#[derive(Deserialize)]
struct Interaction<'b> {
    #[serde(borrow)]
    code: Cow<'b, str>,
}

#[derive(Deserialize)]
struct Operation<'b> {
    #[serde(borrow)]
    name: Cow<'b, str>,
}

fn json(text: &str) -> Option<Parts<'_>> {
    let resource: Resource<'_> = serde_json::from_str(text).ok()?;
    let mut operations = Vec::new();
    for rest in &resource.rest {
        for Type { name, interaction } in &rest.resource {
            operations.extend(interaction.iter().map(|one| format!("{name}.{}", one.code)));
        }
        operations.extend(rest.operation.iter().map(|one| format!("${}", one.name)));
    }
    let software = resource.software.map(|software| [software.name, software.version]);
    Some(Parts {
        version: resource.version,
        fhir_version: resource.fhir_version,
        software: software.unwrap_or_default(),
        operations,
    })
}

fn xml(text: &str) -> Option<Parts<'static>> {
    let mut parts = Parts::default();
    // The type of the resource whose interactions follow.
    let mut resource = String::new();
    each_element(text, |around, start| {
        let text = || Some(Cow::Owned(value(start)?.into_owned()));
        match (around, start.name().into_inner()) {
            ([_], "version") => parts.version = text(),
            ([_], "fhirVersion") => parts.fhir_version = text(),
            ([_, "software"], "name") => parts.software[0] = text(),
            ([_, "software"], "version") => parts.software[1] = text(),
            ([_, "rest", "resource"], "type") => resource = value(start)?.into_owned(),
            ([_, "rest", "resource", "interaction"], "code") => {
                parts.operations.push(format!("{resource}.{}", value(start)?));
            }
            ([_, "rest", "operation"], "name") => {
                parts.operations.push(format!("${}", value(start)?));
            }
            _ => {}
        }
        Some(())
    })?;
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"resourceType": "CapabilityStatement", "version": "1.2.7",
        "fhirVersion": "3.0.1", "software": {"name": "A & B", "version": "4.5"},
        "rest": [{"mode": "server", "resource": [
            {"type": "Slot", "interaction": [{"code": "search-type"}]},
            {"type": "Patient", "interaction": [{"code": "read"}, {"code": "search-type"}, {"code": "read"}]}],
            "operation": [{"name": "gpc.registerpatient", "definition": {"reference": "x"}}]}]}"#;
    const XML: &str = r#"<?xml version="1.0"?>
        <CapabilityStatement xmlns="http://hl7.org/fhir"><version value="1.2.7"/>
        <software><name value="A &amp; B"></name><version value="4.5"/></software>
        <fhirVersion value="3.0.1"/><rest><mode value="server"/>
        <resource><type value="Slot"/><interaction><code value="search-type"/></interaction></resource>
        <resource><type value="Patient"/><interaction><code value="read"/></interaction>
        <interaction><code value="search-type"/></interaction></resource>
        <operation><name value="gpc.registerpatient"/></operation></rest></CapabilityStatement>"#;

    fn texts(statement: &Statement) -> Vec<&str> {
        statement.operations.iter().map(|text| &**text).collect()
    }

    #[test]
    fn both_formats_say_the_same() {
        let read = Statement::read(Format::Json, JSON.as_bytes()).unwrap();
        assert_eq!(read.version.as_deref(), Some("1.2.7"));
        assert_eq!(read.fhir_version.as_deref(), Some("3.0.1"));
        assert_eq!(read.software.as_deref(), Some("A & B 4.5"));
        let operations =
            ["$gpc.registerpatient", "Patient.read", "Patient.search-type", "Slot.search-type"];
        assert_eq!(texts(&read), operations);
        assert_eq!(Statement::read(Format::Xml, XML.as_bytes()), Some(read));
    }

    #[test]
    fn what_says_little_is_little_and_what_is_no_statement_is_none() {
        let read = |format, text: &str| Statement::read(format, text.as_bytes());
        assert_eq!(read(Format::Json, "{}"), Some(Statement::default()));
        assert_eq!(read(Format::Xml, "<CapabilityStatement/>"), Some(Statement::default()));
        for (format, text) in [
            (Format::Json, ""),
            (Format::Json, "[]"),
            (Format::Json, r#"{"rest": [{"operation": [{}]}]}"#),
            (Format::Json, r#"{"version": 1}"#),
            (Format::Xml, "<CapabilityStatement>"),
            (Format::Xml, "<a><rest><operation><name/></operation></rest></a>"),
        ] {
            assert_eq!(read(format, text), None, "{text}");
        }
    }

    #[test]
    fn long_and_strange_texts_are_cut() {
        let operations: Vec<_> =
            (0..500).map(|number| format!(r#"{{"name": "o{number}"}}"#)).collect();
        let long = "x".repeat(1_000);
        let text = format!(
            r#"{{"version": "a\u001b[31m", "fhirVersion": "{long}", "rest": [{{"operation": [{}]}}]}}"#,
            operations.join(",")
        );
        let read = Statement::read(Format::Json, text.as_bytes()).unwrap();
        assert_eq!(read.version.as_deref(), Some("a\u{fffd}[31m"));
        assert_eq!(read.fhir_version.map(|text| text.len()), Some(LONGEST));
        assert_eq!(read.operations.len(), MOST);
    }

    proptest::proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200), text in ".{0,200}") {
            for format in [Format::Json, Format::Xml] {
                Statement::read(format, &body);
                Statement::read(format, text.as_bytes());
            }
        }
    }
}
