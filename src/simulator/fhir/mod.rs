//! What any FHIR STU3 server needs: outcomes, queries, negotiation, XML and JSON.

pub(crate) mod format;
pub(crate) mod outcome;
pub(crate) mod query;
pub(crate) mod xml_in;
pub(crate) mod xml_out;

/// The identifier system of NHS numbers.
pub(crate) const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";
/// The identifier system of organisation codes.
pub(crate) const ODS_CODE: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
/// The identifier system of smartcard users.
pub(crate) const SDS_USER: &str = "https://fhir.nhs.uk/Id/sds-user-id";

/// The address of a profile by its name.
pub(crate) fn profile(name: &str) -> String {
    format!("https://fhir.nhs.uk/STU3/StructureDefinition/{name}")
}
