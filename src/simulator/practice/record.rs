//! S1: a patient's structured record. Who and where is written for each answer; the clinical
//! content, which is nearly all of a large record, is written once and shared.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::clinical;
use super::people::{Person, Standing};
use super::record_cache::Key;
use super::record_request::{self, Question};
use super::resources;
use super::{Answer, Visit};
use crate::simulator::fhir::format::Format;
use crate::simulator::fhir::outcome::{Code, Refusal, unrecognised};
use crate::simulator::fhir::{profile, xml_out};

/// Gives the parts of the record that are asked for.
pub(crate) fn retrieve(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let question = record_request::read(&visit.resource("Parameters")?, visit.today())?;
    let known = visit.site.patient_by_nhs_number(question.nhs_number);
    let person = match known {
        Some(person) if person.standing == Standing::Regular => person,
        Some(person) if person.standing == Standing::Dissenting => {
            return Err(Code::NoPatientConsent.because("Patient has dissented from sharing"));
        }
        Some(_) | None => return Err(Code::PatientNotFound.because("No such patient")),
    };
    let key = Key {
        place: None,
        patient: person.id,
        record_bytes: person.record_bytes,
        parts: question.parts,
        format: visit.format,
    };
    let pieces = || pieces(visit, &question, &person, key);
    if visit.gzip && question.unknown.is_empty() {
        let key = Key { place: Some(visit.site.place()), ..key };
        let text = visit.records.get_or_write(key, || compressed(&pieces()));
        return Ok(Answer::written(vec![text], true));
    }
    Ok(Answer::written(pieces(), false))
}

/// The Bundle: who and where, what was not understood, the clinical content, the end.
fn pieces(visit: &Visit<'_>, question: &Question, person: &Person, key: Key) -> Vec<Bytes> {
    let seed = visit.site.seed();
    let content = visit.records.get_or_write(key, || {
        let resources = clinical::content(seed, person, question.parts);
        Bytes::from(entries(&resources, visit.format))
    });
    let mut context = vec![resources::patient(person), resources::organisation(visit.site)];
    // An empty record has no author.
    if person.record_bytes > 0 {
        context.extend(resources::practitioner(visit.site, 1));
        context.push(resources::practitioner_role(1));
    }
    if !question.unknown.is_empty() {
        context.push(unrecognised(&question.unknown));
    }
    let context = entries(&context, visit.format);
    let profile = profile("GPConnect-StructuredRecord-Bundle-1");
    match visit.format {
        Format::Json => {
            let start = format!(
                "{{\"resourceType\":\"Bundle\",\"meta\":{{\"profile\":[\"{profile}\"]}},\
                 \"type\":\"collection\",\"entry\":[{context},"
            );
            vec![start.into(), content, Bytes::from_static(b"]}")]
        }
        Format::Xml => {
            let start = format!(
                "<Bundle xmlns=\"http://hl7.org/fhir\"><meta><profile value=\"{profile}\"/></meta>\
                 <type value=\"collection\"/>{context}"
            );
            vec![start.into(), content, Bytes::from_static(b"</Bundle>")]
        }
    }
}

/// Bundle entries without the Bundle around them.
fn entries(resources: &[Value], format: Format) -> String {
    let written = resources.iter().map(|resource| match format {
        Format::Json => format!("{{\"resource\":{resource}}}"),
        Format::Xml => {
            format!("<entry><resource>{}</resource></entry>", xml_out::fragment(resource))
        }
    });
    let separator = match format {
        Format::Json => ",",
        Format::Xml => "",
    };
    written.collect::<Vec<_>>().join(separator)
}

/// The pieces as one gzip member; some clients read only the first.
pub(crate) fn compressed(pieces: &[Bytes]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for piece in pieces {
        // Writing to memory does not fail.
        drop(encoder.write_all(piece));
    }
    encoder.finish().unwrap_or_default().into()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::simulator::fhir::NHS_NUMBER;
    use crate::simulator::practice::tests::{Call, site};
    use gpconnect::interaction::InteractionId as Id;
    use serde_json::json;

    /// Asks for all there is.
    pub(crate) fn asked(number: &str) -> Value {
        asked_with(number, &[])
    }

    fn asked_with(number: &str, more: &[Value]) -> Value {
        let mut parameters = vec![
            json!({"name": "patientNHSNumber", "valueIdentifier": {"system": NHS_NUMBER, "value": number}}),
            json!({"name": "includeAllergies", "part": [
                {"name": "includeResolvedAllergies", "valueBoolean": true}]}),
            json!({"name": "includeMedication"}),
        ];
        parameters.extend_from_slice(more);
        json!({"resourceType": "Parameters", "parameter": parameters})
    }

    fn record(body: Value, xml: bool) -> Result<Value, &'static str> {
        Call { body, xml, ..Call::default() }.result(&site(), Id::GetStructuredRecord)
    }

    #[test]
    fn documented_patients_have_records_of_their_sizes() {
        for (number, low, high) in [
            ("9000000009", 15_000, 25_000),
            ("9000000017", 2_000, 4_000),
            ("9000000025", 180_000, 220_000),
            ("9000000033", 2_800_000, 3_200_000),
        ] {
            let size = record(asked(number), true).unwrap().to_string().len();
            assert!((low..high).contains(&size), "{number}: {size}");
        }
    }

    #[test]
    fn records_that_may_not_be_given_are_refused() {
        for (name, number, code) in [
            ("dissent", "9000000041", "NO_PATIENT_CONSENT"),
            ("temporary", "9000000068", "PATIENT_NOT_FOUND"),
            ("deceased", "9000000076", "PATIENT_NOT_FOUND"),
            ("sensitive", "9000000084", "PATIENT_NOT_FOUND"),
            ("elsewhere", "9000000092", "PATIENT_NOT_FOUND"),
            ("bad number", "9000000008", "INVALID_NHS_NUMBER"),
        ] {
            assert_eq!(record(asked(number), false), Err(code), "{name}");
        }
    }

    #[test]
    fn what_is_not_understood_is_warned_of_inside() {
        let bundle = record(asked_with("9000000009", &[json!({"name": "includeProblems"})]), false);
        let bundle = bundle.unwrap();
        let warning = bundle["entry"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| &entry["resource"])
            .find(|resource| resource["resourceType"] == "OperationOutcome")
            .unwrap();
        assert_eq!(warning["issue"][0]["diagnostics"], "includeProblems");
        assert_eq!(warning["issue"][0]["severity"], "warning");
    }

    #[test]
    fn every_reference_inside_is_resolved_inside() {
        let bundle = record(asked("9000000009"), false).unwrap();
        let resources: Vec<&Value> =
            bundle["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]).collect();
        let places: Vec<String> = resources
            .iter()
            .filter(|resource| resource.get("id").is_some())
            .map(|r| {
                format!("{}/{}", r["resourceType"].as_str().unwrap(), r["id"].as_str().unwrap())
            })
            .collect();
        let text = bundle.to_string();
        for reference in text.split("\"reference\":\"").skip(1) {
            let reference = reference.split('"').next().unwrap();
            let known = places.iter().any(|place| place == reference);
            assert!(known || reference == "Location/1", "{reference}");
        }
    }
}
