//! Which elements the resources and data types in a token have, in STU3 and in DSTU2, and which
//! names are FHIR types at all (gp-connect 7.4).

/// A set of FHIR versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Versions(u8);

/// STU3: GP Connect 1.x.
pub(super) const STU3: Versions = Versions(1);
/// DSTU2: GP Connect 0.x.
pub(super) const DSTU2: Versions = Versions(2);
/// Either of them.
pub(super) const BOTH: Versions = Versions(3);
/// None of them.
pub(super) const NEITHER: Versions = Versions(0);

impl Versions {
    /// Whether `version` is in.
    pub(super) const fn contains(self, version: Self) -> bool {
        self.0 & version.0 == version.0
    }
}

/// An element of a type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    name: &'static str,
    /// Primitive elements have a companion `_name` with an id and extensions.
    primitive: bool,
    versions: Versions,
}

const fn primitive(name: &'static str, versions: Versions) -> Element {
    Element { name, primitive: true, versions }
}

const fn structure(name: &'static str, versions: Versions) -> Element {
    Element { name, primitive: false, versions }
}

// Each table begins with what nearly every token holds: they are searched from the front.

#[rustfmt::skip]
pub(super) const DEVICE: &[Element] = &[
    structure("resourceType", BOTH), structure("identifier", BOTH), primitive("model", BOTH),
    primitive("version", BOTH), primitive("id", BOTH),
    structure("meta", BOTH), primitive("implicitRules", BOTH), primitive("language", BOTH), structure("text", BOTH),
    structure("contained", BOTH), structure("extension", BOTH), structure("modifierExtension", BOTH),
    structure("type", BOTH), primitive("manufacturer", BOTH), primitive("status", BOTH), structure("note", BOTH),
    primitive("manufactureDate", BOTH), primitive("lotNumber", BOTH), structure("patient", BOTH), structure("owner", BOTH),
    structure("contact", BOTH), structure("location", BOTH), primitive("url", BOTH), primitive("udi", BOTH),
    primitive("expirationDate", STU3), primitive("expiry", DSTU2), structure("safety", STU3),
];

#[rustfmt::skip]
pub(super) const ORGANIZATION: &[Element] = &[
    structure("resourceType", BOTH), structure("identifier", BOTH), primitive("name", BOTH), primitive("id", BOTH),
    structure("meta", BOTH), primitive("implicitRules", BOTH), primitive("language", BOTH), structure("text", BOTH),
    structure("contained", BOTH), structure("extension", BOTH), structure("modifierExtension", BOTH),
    primitive("active", BOTH), structure("type", BOTH), structure("telecom", BOTH), structure("address", BOTH),
    structure("partOf", BOTH), structure("contact", BOTH), primitive("alias", STU3), structure("endpoint", STU3),
];

#[rustfmt::skip]
pub(super) const PRACTITIONER: &[Element] = &[
    structure("resourceType", BOTH), primitive("id", BOTH), structure("identifier", BOTH), structure("name", BOTH),
    structure("meta", BOTH), primitive("implicitRules", BOTH), primitive("language", BOTH), structure("text", BOTH),
    structure("contained", BOTH), structure("extension", BOTH), structure("modifierExtension", BOTH),
    primitive("active", BOTH), structure("telecom", BOTH), structure("address", BOTH), primitive("gender", BOTH),
    primitive("birthDate", BOTH), structure("photo", BOTH), structure("qualification", BOTH), structure("communication", BOTH),
    structure("practitionerRole", DSTU2),
];

#[rustfmt::skip]
pub(super) const IDENTIFIER: &[Element] = &[
    primitive("system", BOTH), primitive("value", BOTH), primitive("id", BOTH), structure("extension", BOTH),
    primitive("use", BOTH), structure("type", BOTH), structure("period", BOTH), structure("assigner", BOTH),
];

#[rustfmt::skip]
pub(super) const HUMAN_NAME: &[Element] = &[
    primitive("family", BOTH), primitive("given", BOTH), primitive("prefix", BOTH), primitive("id", BOTH), structure("extension", BOTH),
    primitive("use", BOTH), primitive("text", BOTH), primitive("suffix", BOTH), structure("period", BOTH),
];

/// Looks `name` up in a table: its number, unique in the table and below 64, and the versions that
/// have it.
pub(super) fn find(table: &'static [Element], name: &str) -> Option<(usize, Versions)> {
    let companion = name.strip_prefix('_');
    let base = companion.unwrap_or(name);
    let is_it =
        |element: &&Element| element.name == base && (element.primitive || companion.is_none());
    let (place, element) = table.iter().enumerate().find(|(_, element)| is_it(element))?;
    let number = if companion.is_some() { table.len() + place } else { place };
    Some((number, element.versions))
}

/// The resource type of this name, in STU3 or DSTU2.
pub(super) fn resource_type(name: &str) -> Option<&'static str> {
    RESOURCE_TYPES.iter().find(|known| **known == name).copied()
}

#[rustfmt::skip]
const RESOURCE_TYPES: &[&str] = &[
    "Account", "ActivityDefinition", "AdverseEvent", "AllergyIntolerance", "Appointment", "AppointmentResponse",
    "AuditEvent", "Basic", "Binary", "BodySite", "Bundle", "CapabilityStatement", "CarePlan", "CareTeam", "ChargeItem",
    "Claim", "ClaimResponse", "ClinicalImpression", "CodeSystem", "Communication", "CommunicationRequest",
    "CompartmentDefinition", "Composition", "ConceptMap", "Condition", "Conformance", "Consent", "Contract", "Coverage",
    "DataElement", "DetectedIssue", "Device", "DeviceComponent", "DeviceMetric", "DeviceRequest", "DeviceUseRequest",
    "DeviceUseStatement", "DiagnosticOrder", "DiagnosticReport", "DocumentManifest", "DocumentReference",
    "EligibilityRequest", "EligibilityResponse", "Encounter", "Endpoint", "EnrollmentRequest", "EnrollmentResponse",
    "EpisodeOfCare", "ExpansionProfile", "ExplanationOfBenefit", "FamilyMemberHistory", "Flag", "Goal",
    "GraphDefinition", "Group", "GuidanceResponse", "HealthcareService", "ImagingManifest", "ImagingObjectSelection",
    "ImagingStudy", "Immunization", "ImmunizationRecommendation", "ImplementationGuide", "Library", "Linkage", "List",
    "Location", "Measure", "MeasureReport", "Media", "Medication", "MedicationAdministration", "MedicationDispense",
    "MedicationOrder", "MedicationRequest", "MedicationStatement", "MessageDefinition", "MessageHeader", "NamingSystem",
    "NutritionOrder", "Observation", "OperationDefinition", "OperationOutcome", "Order", "OrderResponse",
    "Organization", "Parameters", "Patient", "PaymentNotice", "PaymentReconciliation", "Person", "PlanDefinition",
    "Practitioner", "PractitionerRole", "Procedure", "ProcedureRequest", "ProcessRequest", "ProcessResponse",
    "Provenance", "Questionnaire", "QuestionnaireResponse", "ReferralRequest", "RelatedPerson", "RequestGroup",
    "ResearchStudy", "ResearchSubject", "RiskAssessment", "Schedule", "SearchParameter", "Sequence",
    "ServiceDefinition", "Slot", "Specimen", "StructureDefinition", "StructureMap", "Subscription", "Substance",
    "SupplyDelivery", "SupplyRequest", "Task", "TestReport", "TestScript", "ValueSet", "VisionPrescription",
];

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: [&[Element]; 5] = [DEVICE, ORGANIZATION, PRACTITIONER, IDENTIFIER, HUMAN_NAME];

    #[test]
    fn a_table_fits_into_a_mask_with_its_companions() {
        for table in TABLES {
            assert!(table.len() * 2 <= 64);
        }
        assert!(RESOURCE_TYPES.is_sorted());
    }

    /// gp-connect 7.4: the element lists of STU3, with what every resource has and with companions.
    #[test]
    fn elements_are_those_of_the_version() {
        let declared = |table, name| find(table, name).map(|(_, versions)| versions.0);
        for table in [DEVICE, ORGANIZATION, PRACTITIONER] {
            for name in [
                "resourceType",
                "id",
                "meta",
                "implicitRules",
                "language",
                "text",
                "contained",
                "extension",
                "modifierExtension",
                "_id",
                "_implicitRules",
                "_language",
            ] {
                assert_eq!(declared(table, name), Some(3), "{name}");
            }
            for name in ["invalidField", "", "_", "_meta", "__id", "Id", "ID", "_resourceType"] {
                assert_eq!(declared(table, name), None, "{name}");
            }
        }
        for (table, name, versions) in [
            (DEVICE, "_model", Some(3)),
            (DEVICE, "_type", None),
            (DEVICE, "safety", Some(1)),
            (DEVICE, "expiry", Some(2)),
            (DEVICE, "_expirationDate", Some(1)),
            (DEVICE, "name", None),
            (ORGANIZATION, "alias", Some(1)),
            (ORGANIZATION, "_alias", Some(1)),
            (ORGANIZATION, "qualification", None),
            (PRACTITIONER, "practitionerRole", Some(2)),
            (PRACTITIONER, "communication", Some(3)),
            (PRACTITIONER, "model", None),
        ] {
            assert_eq!(declared(table, name), versions, "{name}");
        }
    }

    #[test]
    fn a_type_is_known_by_its_exact_name() {
        assert_eq!(resource_type("Patient"), Some("Patient"));
        assert_eq!(resource_type("VisionPrescription"), Some("VisionPrescription"));
        for unknown in ["patient", "Banana", "", "InvalidResourceType"] {
            assert_eq!(resource_type(unknown), None, "{unknown}");
        }
    }
}
