//! A course of medication as FHIR shows it: a statement, a plan, the issues of the plan.

use jiff::Span;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::clinical::{LAST_DAY, coded, day_before};
use super::resources::{concept, meta, reference};
use crate::simulator::draw::Draw;
use crate::simulator::fhir::profile;

const DRUGS: &[&str] = &[
    "Amoxicillin 500mg capsules",
    "Atorvastatin 20mg tablets",
    "Amlodipine 5mg tablets",
    "Bisoprolol 2.5mg tablets",
    "Cetirizine 10mg tablets",
    "Doxycycline 100mg capsules",
    "Furosemide 40mg tablets",
    "Lansoprazole 30mg gastro-resistant capsules",
    "Levothyroxine sodium 50microgram tablets",
    "Metformin 500mg tablets",
    "Omeprazole 20mg gastro-resistant capsules",
    "Paracetamol 500mg tablets",
    "Prednisolone 5mg tablets",
    "Ramipril 5mg capsules",
    "Sertraline 50mg tablets",
    "Salbutamol 100micrograms/dose inhaler CFC free",
];
const DOSES: &[&str] = &[
    "Take one daily",
    "Take one twice a day",
    "Take one three times a day",
    "Take two at night",
    "Take one when required",
    "Inhale two puffs when required",
];
/// One course of medication: a statement, a plan, its issues.
pub(crate) struct Course {
    patient: u64,
    number: u64,
    drug: Value,
    dose: &'static str,
    start: Date,
    pub(crate) last: Date,
    pub(crate) is_active: bool,
    pub(crate) issues: u64,
}

impl Course {
    /// The patient's course of that number.
    pub(crate) fn draw(seed: u64, patient: u64, number: u64) -> Self {
        let mut draw = Draw::of(seed, "course", patient << 20 | number);
        let start = day_before(&mut draw, 5_000);
        let issues = 1 + draw.below(3);
        let weeks = i64::try_from(issues * 4).unwrap_or(4);
        let last =
            start.checked_add(Span::new().weeks(weeks)).map_or(start, |day| day.min(LAST_DAY));
        let is_active = draw.below(4) == 0;
        let drug = coded(&mut draw, DRUGS);
        Self { patient, number, drug, dose: draw.pick(DOSES), start, last, is_active, issues }
    }

    const fn status(&self) -> &'static str {
        if self.is_active { "active" } else { "completed" }
    }

    /// What is taken.
    pub(crate) fn medication(&self) -> Value {
        json!({
            "resourceType": "Medication",
            "id": self.number.to_string(),
            "meta": {"profile": [profile("CareConnect-GPC-Medication-1")]},
            "code": self.drug,
        })
    }

    /// That it is taken.
    pub(crate) fn statement(&self) -> Value {
        let agency = concept(
            "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-PrescribingAgency-1",
            "prescribed-at-gp-practice",
            "Prescribed at GP practice",
        );
        let agency = json!({
            "url": profile("Extension-CareConnect-GPC-PrescribingAgency-1"),
            "valueCodeableConcept": agency,
        });
        json!({
            "resourceType": "MedicationStatement",
            "id": self.number.to_string(),
            "meta": meta(1, "CareConnect-GPC-MedicationStatement-1"),
            "extension": [agency],
            "identifier": [self.identifier(0)],
            "basedOn": [reference("MedicationRequest", self.number * 10)],
            "status": self.status(),
            "medicationReference": reference("Medication", self.number),
            "effectivePeriod": {"start": self.start.to_string(), "end": self.last.to_string()},
            "dateAsserted": format!("{}T09:00:00+00:00", self.start),
            "subject": reference("Patient", self.patient),
            "taken": "unk",
            "note": [{"text": "Patient advised how to take this medicine and when to come back"}],
            "dosage": [{"text": self.dose}],
        })
    }

    /// The plan, or one of its issues.
    pub(crate) fn request(&self, issue: Option<u64>) -> Value {
        let step = issue.unwrap_or(0);
        let mut request = json!({
            "resourceType": "MedicationRequest",
            "id": (self.number * 10 + step).to_string(),
            "meta": meta(1, "CareConnect-GPC-MedicationRequest-1"),
            "extension": [{
                "url": profile("Extension-CareConnect-GPC-PrescriptionType-1"),
                "valueCodeableConcept": concept(
                    "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-PrescriptionType-1",
                    "repeat",
                    "Repeat",
                ),
            }],
            "identifier": [self.identifier(step + 1)],
        });
        let plan = reference("MedicationRequest", self.number * 10);
        if let Some(members) = request.as_object_mut() {
            if issue.is_some() {
                members.insert("basedOn".into(), json!([plan]));
            }
            members.extend(self.prescription(issue.is_none()));
        }
        request
    }

    fn prescription(&self, is_plan: bool) -> serde_json::Map<String, Value> {
        let status = if is_plan { self.status() } else { "completed" };
        let members = json!({
            "status": status,
            "intent": if is_plan { "plan" } else { "order" },
            "medicationReference": reference("Medication", self.number),
            "subject": reference("Patient", self.patient),
            "authoredOn": format!("{}T09:00:00+00:00", self.start),
            "recorder": reference("Practitioner", 1),
            "dosageInstruction": [{"text": self.dose}],
            "dispenseRequest": {
                "validityPeriod": {"start": self.start.to_string(), "end": self.last.to_string()},
                "quantity": {"value": 28, "unit": "tablet"},
                "expectedSupplyDuration": {
                    "value": 28,
                    "unit": "day",
                    "system": "http://unitsofmeasure.org",
                    "code": "d",
                },
            },
        });
        members.as_object().cloned().unwrap_or_default()
    }

    fn identifier(&self, step: u64) -> Value {
        let value = format!("{}-{}-{step}", self.patient, self.number);
        json!({"system": "https://sim.example/data-identifier", "value": value})
    }
}
