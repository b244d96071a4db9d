//! The seventeen interactions as the specification prints them, written down a second time: a
//! mistake in the product's table must not make its tests agree.

/// One interaction of GP Connect 1.2.7.
#[derive(Debug)]
pub(crate) struct Interaction {
    pub(crate) verb: &'static str,
    /// The service root is that of Access Record Structured.
    pub(crate) structured: bool,
    pub(crate) scope: &'static str,
    /// Behind the prefix that all share.
    pub(crate) id: &'static str,
}

/// What every interaction id begins with.
pub(crate) const PREFIX: &str = "urn:nhs:names:services:gpconnect:";

const ORGANIZATION: &str = "organization/*.read";
const READ: &str = "patient/*.read";
const WRITE: &str = "patient/*.write";

const fn row(
    verb: &'static str,
    structured: bool,
    scope: &'static str,
    id: &'static str,
) -> Interaction {
    Interaction { verb, structured, scope, id }
}

#[rustfmt::skip]
mod rows {
    use super::{Interaction, ORGANIZATION, READ, WRITE, row};

    pub(crate) const READ_METADATA:         Interaction = row("GET",  false, ORGANIZATION, "fhir:rest:read:metadata-1");
    pub(crate) const SEARCH_PATIENT:        Interaction = row("GET",  false, READ,         "fhir:rest:search:patient-1");
    pub(crate) const READ_PATIENT:          Interaction = row("GET",  false, READ,         "fhir:rest:read:patient-1");
    pub(crate) const SEARCH_PRACTITIONER:   Interaction = row("GET",  false, ORGANIZATION, "fhir:rest:search:practitioner-1");
    pub(crate) const READ_PRACTITIONER:     Interaction = row("GET",  false, ORGANIZATION, "fhir:rest:read:practitioner-1");
    pub(crate) const SEARCH_ORGANIZATION:   Interaction = row("GET",  false, ORGANIZATION, "fhir:rest:search:organization-1");
    pub(crate) const READ_ORGANIZATION:     Interaction = row("GET",  false, ORGANIZATION, "fhir:rest:read:organization-1");
    pub(crate) const READ_LOCATION:         Interaction = row("GET",  false, ORGANIZATION, "fhir:rest:read:location-1");
    pub(crate) const REGISTER_PATIENT:      Interaction = row("POST", false, WRITE,        "fhir:operation:gpc.registerpatient-1");
    pub(crate) const SEARCH_SLOT:           Interaction = row("GET",  false, ORGANIZATION, "fhir:rest:search:slot-1");
    pub(crate) const BOOK_APPOINTMENT:      Interaction = row("POST", false, WRITE,        "fhir:rest:create:appointment-1");
    pub(crate) const PATIENT_APPOINTMENTS:  Interaction = row("GET",  false, READ,         "fhir:rest:search:patient_appointments-1");
    pub(crate) const READ_APPOINTMENT:      Interaction = row("GET",  false, READ,         "fhir:rest:read:appointment-1");
    pub(crate) const AMEND_APPOINTMENT:     Interaction = row("PUT",  false, WRITE,        "fhir:rest:update:appointment-1");
    pub(crate) const CANCEL_APPOINTMENT:    Interaction = row("PUT",  false, WRITE,        "fhir:rest:cancel:appointment-1");
    pub(crate) const GET_STRUCTURED_RECORD: Interaction = row("POST", true,  READ,         "fhir:operation:gpc.getstructuredrecord-1");
    pub(crate) const STRUCTURED_METADATA:   Interaction = row("GET",  true,  ORGANIZATION, "structured:fhir:rest:read:metadata-1");
}

pub(crate) use rows::*;

impl Interaction {
    /// The id on the wire.
    pub(crate) fn urn(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }
}
