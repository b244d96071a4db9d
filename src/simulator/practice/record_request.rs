//! What a consumer asks of a structured record: the rules of the Parameters.

use gpconnect::names::NhsNumber;
use jiff::civil::Date;
use serde_json::Value;

use super::foundations::nhs_number;
use super::visit::{items, text};
use crate::simulator::clock::whole_date;
use crate::simulator::fhir::NHS_NUMBER;
use crate::simulator::fhir::outcome::{Code, Refusal};

/// The parts of a record that are asked for; two equal questions have equal answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Parts {
    /// Allergies, and whether the resolved ones too.
    pub(crate) allergies: Option<bool>,
    pub(crate) medication: Option<Medication>,
}

/// Which medication is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Medication {
    /// Whether each issue of a prescription is wanted.
    pub(crate) issues: bool,
    /// Only what was in use on or after this day.
    pub(crate) from: Option<Date>,
}

/// A request for a structured record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) nhs_number: NhsNumber,
    pub(crate) parts: Parts,
    /// Names of parameters nobody here knows, to be warned of in the answer.
    pub(crate) unknown: Vec<String>,
}

/// Reads the Parameters of a request that arrived on this day.
pub(crate) fn read(parameters: &Value, today: Date) -> Result<Question, Refusal> {
    let list = parameters.get("parameter").and_then(Value::as_array);
    let list = list.ok_or_else(|| Code::InvalidResource.because("Parameters is empty"))?;
    let (mut number, mut parts, mut unknown) = (None, Parts::default(), Vec::new());
    for parameter in list {
        let name = text(parameter, "name")
            .ok_or_else(|| Code::InvalidResource.because("Parameters.parameter.name is missing"))?;
        let repeated = match name {
            "patientNHSNumber" => number.replace(read_number(parameter)?).is_some(),
            "includeAllergies" => {
                parts.allergies.replace(read_allergies(parameter, &mut unknown)?).is_some()
            }
            "includeMedication" => {
                parts.medication.replace(read_medication(parameter, today, &mut unknown)?).is_some()
            }
            name => {
                unknown.push(name.chars().take(64).collect());
                false
            }
        };
        if repeated {
            return Err(wrong(name, "is repeated"));
        }
    }
    let nhs_number = number.ok_or_else(|| wrong("patientNHSNumber", "is missing"))?;
    if parts == Parts::default() {
        return Err(Code::InvalidParameter.because("No recognised parameter asks for a part"));
    }
    Ok(Question { nhs_number, parts, unknown })
}

fn wrong(name: &str, fault: &str) -> Refusal {
    Code::InvalidParameter.because(format!("Parameter {name} {fault}"))
}

fn read_number(parameter: &Value) -> Result<NhsNumber, Refusal> {
    let identifier = parameter
        .get("valueIdentifier")
        .filter(|identifier| text(identifier, "system") == Some(NHS_NUMBER))
        .ok_or_else(|| wrong("patientNHSNumber", "has no NHS number"))?;
    match text(identifier, "value") {
        Some(value) if !value.is_empty() => nhs_number(value),
        Some(_) | None => Err(wrong("patientNHSNumber", "has no value")),
    }
}

fn read_allergies(parameter: &Value, unknown: &mut Vec<String>) -> Result<bool, Refusal> {
    let mut resolved = None;
    for part in items(parameter, "part") {
        match text(part, "name") {
            Some(name @ "includeResolvedAllergies") => resolved = Some(truth(part, name)?),
            name => note_unknown(unknown, "includeAllergies", name),
        }
    }
    resolved.ok_or_else(|| wrong("includeAllergies", "lacks includeResolvedAllergies"))
}

fn read_medication(
    parameter: &Value,
    today: Date,
    unknown: &mut Vec<String>,
) -> Result<Medication, Refusal> {
    let mut medication = Medication { issues: true, from: None };
    for part in items(parameter, "part") {
        match text(part, "name") {
            Some(name @ "includePrescriptionIssues") => medication.issues = truth(part, name)?,
            Some(name @ "medicationSearchFromDate") => {
                let date = text(part, "valueDate").and_then(whole_date);
                let date = date.ok_or_else(|| wrong(name, "is not a whole date"))?;
                if date > today {
                    return Err(wrong(name, "lies in the future"));
                }
                medication.from = Some(date);
            }
            name => note_unknown(unknown, "includeMedication", name),
        }
    }
    Ok(medication)
}

fn truth(part: &Value, name: &str) -> Result<bool, Refusal> {
    let value = part.get("valueBoolean").and_then(Value::as_bool);
    value.ok_or_else(|| wrong(name, "has no truth value"))
}

fn note_unknown(unknown: &mut Vec<String>, parent: &str, name: Option<&str>) {
    let name: String = name.unwrap_or_default().chars().take(64).collect();
    unknown.push(format!("{parent}.{name}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use serde_json::json;

    fn number(value: &str) -> Value {
        json!({"name": "patientNHSNumber", "valueIdentifier": {"system": NHS_NUMBER, "value": value}})
    }

    fn allergies() -> Value {
        json!({"name": "includeAllergies", "part": [
            {"name": "includeResolvedAllergies", "valueBoolean": false}]})
    }

    fn medication(part: &Value) -> Value {
        json!({"name": "includeMedication", "part": [part]})
    }

    fn question(parameters: &Value) -> Result<Question, &'static str> {
        let resource = json!({"resourceType": "Parameters", "parameter": parameters});
        read(&resource, date(2026, 11, 23)).map_err(|refusal| refusal.code.word())
    }

    #[test]
    fn parts_are_read_with_their_defaults() {
        let good = number("9000000009");
        let from = json!({"name": "medicationSearchFromDate", "valueDate": "2025-11-01"});
        let issues = json!({"name": "includePrescriptionIssues", "valueBoolean": false});
        let some = |issues, from| Some(Medication { issues, from });
        for (name, parameters, allergies, medication) in [
            ("allergies", json!([good, allergies()]), Some(false), None),
            (
                "bare medication",
                json!([good, {"name": "includeMedication"}]),
                None,
                some(true, None),
            ),
            ("no issues", json!([medication(&issues), good]), None, some(false, None)),
            ("from", json!([good, medication(&from)]), None, some(true, Some(date(2025, 11, 1)))),
        ] {
            let parts = question(&parameters).map(|question| question.parts);
            assert_eq!(parts, Ok(Parts { allergies, medication }), "{name}");
        }
    }

    #[test]
    fn faults_are_refused_with_their_codes() {
        let good = number("9000000009");
        let from =
            |day: &str| medication(&json!({"name": "medicationSearchFromDate", "valueDate": day}));
        for (name, parameters, code) in [
            ("no list", json!("x"), "INVALID_RESOURCE"),
            ("no name", json!([{}]), "INVALID_RESOURCE"),
            ("no number", json!([allergies()]), "INVALID_PARAMETER"),
            ("two numbers", json!([good, good, allergies()]), "INVALID_PARAMETER"),
            ("bad number", json!([number("9000000008"), allergies()]), "INVALID_NHS_NUMBER"),
            ("empty number", json!([number(""), allergies()]), "INVALID_PARAMETER"),
            ("nothing asked", json!([good]), "INVALID_PARAMETER"),
            ("only unknown", json!([good, {"name": "includeProblems"}]), "INVALID_PARAMETER"),
            ("no resolved", json!([good, {"name": "includeAllergies"}]), "INVALID_PARAMETER"),
            (
                "no truth",
                json!([good, medication(&json!({"name": "includePrescriptionIssues"}))]),
                "INVALID_PARAMETER",
            ),
            ("partial date", json!([good, from("2025-11")]), "INVALID_PARAMETER"),
            ("future date", json!([good, from("2026-11-24")]), "INVALID_PARAMETER"),
            ("twice", json!([good, allergies(), allergies()]), "INVALID_PARAMETER"),
        ] {
            assert_eq!(question(&parameters), Err(code), "{name}");
        }
    }

    #[test]
    fn unknown_parameters_are_noted() {
        let part = medication(&json!({"name": "colour", "valueString": "red"}));
        let parameters = json!([number("9000000009"), part, {"name": "includeProblems"}]);
        let unknown = question(&parameters).map(|question| question.unknown);
        assert_eq!(unknown, Ok(vec!["includeMedication.colour".into(), "includeProblems".into()]));
    }
}
