//! The patients in a provider's answer, by NHS number and by logical id: whoever asks the journal for
//! a number is to find also what was asked by id afterwards (gp-connect 12).
//!
//! What can't be read teaches nothing: the answer is for the consumer to judge, not for us.

mod json;

use std::borrow::Cow;

use quick_xml::{
    events::{BytesStart, Event},
    reader::Reader,
};

use super::{Found, Patient, Patients, is_nhs_number_system};
use crate::{names::FromCaller, xml::value};

/// A patient as a provider knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its logical id at the provider.
    pub id: FromCaller<Box<str>>,
    /// Its NHS numbers: mostly one.
    pub numbers: Vec<Patient>,
}

/// The `Patient` resources of an answer, in JSON or XML, that have an id and an NHS number.
pub fn in_answer(body: &[u8]) -> Vec<Known> {
    let Ok(text) = str::from_utf8(body) else { return Vec::new() };
    let mut known = match body.trim_ascii_start().first() {
        Some(b'<') => read_xml(text),
        _ => json::read(text).unwrap_or_default(),
    };
    known.retain(|known| !known.numbers.is_empty() && !known.id.expose().is_empty());
    known
}

/// The NHS numbers among identifiers.
fn numbers<T: AsRef<str>>(identifiers: impl Iterator<Item = (T, T)>) -> Vec<Patient> {
    let mut found = Found::default();
    identifiers
        .filter(|(system, _)| is_nhs_number_system(system.as_ref()))
        .for_each(|(_, value)| found.note(value.as_ref()));
    Patients::from(found).iter().cloned().collect()
}

/// A `Patient` element that is open.
#[derive(Default)]
struct Open {
    /// How many elements are open around it.
    depth: usize,
    id: Option<String>,
    identifiers: Vec<(String, String)>,
    /// Whether the last of them is what is being read: a telephone has a system and a value too.
    is_identifier: bool,
}

fn read_xml(text: &str) -> Vec<Known> {
    let (mut reader, mut known) = (Reader::from_str(text), Vec::new());
    let (mut depth, mut patient) = (0_usize, None::<Open>);
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                note(&start, depth, &mut patient);
                depth += 1;
            }
            Ok(Event::Empty(start)) => note(&start, depth, &mut patient),
            Ok(Event::End(_)) => {
                depth = depth.saturating_sub(1);
                if let Some(open) = patient.take_if(|open| open.depth == depth) {
                    let numbers = numbers(open.identifiers.into_iter());
                    known.extend(open.id.map(|id| Known { id: id.into(), numbers }));
                }
            }
            Ok(Event::Eof) | Err(_) => return known,
            Ok(_) => {}
        }
    }
}

/// Takes note of an element that opens, around which `depth` others are open.
fn note(start: &BytesStart<'_>, depth: usize, patient: &mut Option<Open>) {
    let name = start.local_name();
    let Some(open) = patient else {
        if name.as_ref() == "Patient" {
            *patient = Some(Open { depth, ..Open::default() });
        }
        return;
    };
    let value = || value(start).map(Cow::into_owned);
    let within = depth - open.depth;
    if within == 1 {
        open.is_identifier = name.as_ref() == "identifier";
    }
    match (within, name.as_ref()) {
        (1, "id") => open.id = value(),
        (1, "identifier") => open.identifiers.push(<(String, String)>::default()),
        (2, part @ ("system" | "value")) if open.is_identifier => {
            if let (Some(identifier), Some(text)) = (open.identifiers.last_mut(), value()) {
                let place = if part == "system" { &mut identifier.0 } else { &mut identifier.1 };
                *place = text;
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(body: &str) -> Vec<(String, usize)> {
        let known = in_answer(body.as_bytes()).into_iter();
        known.map(|known| (known.id.expose().to_owned(), known.numbers.len())).collect()
    }

    const SYSTEM: &str = "https://fhir.nhs.uk/Id/nhs-number";

    fn json(id: &str, number: &str) -> String {
        format!(
            r#"{{"resourceType":"Patient","id":"{id}","identifier":[{{"system":"x","value":"1"}},
            {{"system":"{SYSTEM}","value":"{number}"}}],"contact":[{{"id":"9"}}]}}"#
        )
    }

    fn xml(id: &str, number: &str) -> String {
        format!(
            r#"<Patient xmlns="http://hl7.org/fhir"><id value="{id}"/><identifier><system value="x"/>
            <value value="1"/></identifier><identifier><extension><value value="0"/></extension>
            <system value="{SYSTEM}"/><value value="{number}"/></identifier><telecom><system
            value="phone"/><value value="01632 960001"/></telecom><contact><id value="9"/></contact>
            </Patient>"#
        )
    }

    /// gp-connect 12.
    #[test]
    fn a_patient_of_an_answer_has_its_id_and_number() {
        let one = vec![("17".to_owned(), 1)];
        let bundle = |patients: &str| {
            format!(r#"{{"resourceType":"Bundle","entry":[{{"resource":{patients}}}]}}"#)
        };
        let xml_bundle = |patient: &str| {
            format!("<Bundle><entry><resource>{patient}</resource></entry></Bundle>")
        };
        for (name, body, expected) in [
            ("JSON", json("17", "9000000009"), one.clone()),
            ("JSON in a bundle", bundle(&json("17", "900 000 0009")), one.clone()),
            ("XML", xml("17", "9000000009"), one.clone()),
            ("XML in a bundle", xml_bundle(&xml("17", "9000000009")), one.clone()),
            ("no number", json("17", "").replace("nhs-number", "local"), vec![]),
            ("no id", json("", "9000000009"), vec![]),
            ("an outcome", r#"{"resourceType":"OperationOutcome","id":"1"}"#.into(), vec![]),
            ("an empty bundle", bundle("{}"), vec![]),
            ("cut", bundle(&json("17", "9000000009")).replace("}}]}", ""), vec![]),
            ("no answer", String::new(), vec![]),
            ("text", "9000000009".into(), vec![]),
        ] {
            assert_eq!(told(&body), expected, "{name}: {body}");
        }
        let both =
            format!("{}}},{{\"resource\":{}", json("17", "9000000009"), json("18", "9000000017"));
        assert_eq!(told(&bundle(&both)), [("17".to_owned(), 1), ("18".to_owned(), 1)]);
        let named = bundle(&json("17", "9000000009")).replacen(
            '{',
            r#"{"identifier":{"system":"x","value":{"y":1}},"#,
            1,
        );
        assert_eq!(told(&named), one, "a bundle with an identifier of its own");
    }

    proptest! {
        #[test]
        fn no_answer_ends_the_gateway(start in "[{<]", rest in ".{0,200}") {
            in_answer(format!("{start}{rest}").as_bytes());
        }
    }
}
