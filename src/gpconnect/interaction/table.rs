//! The table of all interactions: the seventeen of 1.2.7, then their neighbours, which are known
//! but carried only when configured.

use super::{
    Capability::{self, Appointments, Documents, Foundations, Html, Structured},
    Kind::{self, Command, Query},
    Scope::{self, OrganizationRead, PatientRead, PatientWrite},
    Switch,
    Verb::{self, Get, Post, Put},
    token_rules::{MIGRATE_DOCUMENT, MIGRATE_RECORD, RECORD, TokenRules, V0, V1},
};
use crate::caching::Subject;

/// One GP Connect API call kind. Its facts stand in [`TABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say what the table's columns spell out")]
pub enum InteractionId {
    ReadMetadata,
    ReadPatient,
    SearchPatient,
    ReadPractitioner,
    SearchPractitioner,
    ReadOrganization,
    SearchOrganization,
    ReadLocation,
    RegisterPatient,
    SearchSlot,
    ReadAppointment,
    BookAppointment,
    AmendAppointment,
    CancelAppointment,
    SearchPatientAppointments,
    GetStructuredRecord,
    ReadStructuredMetadata,
    SearchHealthcareService,
    ReadHealthcareService,
    ReadDocumentsMetadata,
    SearchDocumentsPatient,
    SearchDocumentReference,
    ReadBinary,
    MigrateBinary,
    MigrateStructuredRecord,
    GetCareRecord,
    ReadHtmlMetadata,
}

/// A row of [`TABLE`].
#[derive(Clone, Copy, Debug)]
pub struct Interaction {
    /// Which interaction.
    pub id: InteractionId,
    /// Its verb.
    pub verb: Verb,
    /// What follows the service root; `{id}` stands for a logical id.
    pub path: &'static str,
    /// The scope that the token must request.
    pub scope: Scope,
    /// What of it may be kept in the cache: only what holds no patient (gp-connect 13).
    pub kept: Option<Subject>,
    /// With or without a side effect.
    pub kind: Kind,
    /// Which service root it uses.
    pub capability: Capability,
    /// Which switch of the practice it obeys.
    pub switch: Switch,
    /// What its token must say where versions differ.
    pub token: TokenRules,
    /// Whether 1.2.7 has it; the others are neighbours.
    pub in_1_2_7: bool,
    /// The id on the wire.
    pub urn: &'static str,
}

const NEVER: Option<Subject> = None;
const STATEMENT: Option<Subject> = Some(Subject::Statement);
const ORGANISATION: Option<Subject> = Some(Subject::Organisation);
const SEARCH: Option<Subject> = Some(Subject::Search);

/// What every id begins with.
const PREFIX: &str = "urn:nhs:names:services:gpconnect:";

macro_rules! row {
    ($id:ident, $verb:ident, $path:literal, $scope:ident, $kept:ident, $kind:ident,
     $capability:ident, $switch:ident, $token:ident, $in:literal, $rest:literal) => {
        Interaction {
            id: InteractionId::$id,
            verb: $verb,
            path: $path,
            scope: $scope,
            kept: $kept,
            kind: $kind,
            capability: $capability,
            switch: Switch::$switch,
            token: $token,
            in_1_2_7: $in,
            urn: concat!("urn:nhs:names:services:gpconnect:", $rest),
        }
    };
}

#[rustfmt::skip]
/// Every interaction, in the order of [`InteractionId`].
pub const TABLE: &[Interaction] = &[
    //   id                      verb  path                                   scope             kept          kind     capability    switch   token             1.2.7  id, after the common prefix
    row!(ReadMetadata,              Get,  "metadata",                            OrganizationRead, STATEMENT,    Query,   Foundations,  Never,   V1,               true,  "fhir:rest:read:metadata-1"),
    row!(ReadPatient,               Get,  "Patient/{id}",                        PatientRead,      NEVER,        Query,   Foundations,  Whole,   V1,               true,  "fhir:rest:read:patient-1"),
    row!(SearchPatient,             Get,  "Patient",                             PatientRead,      NEVER,        Query,   Foundations,  Whole,   V1,               true,  "fhir:rest:search:patient-1"),
    row!(ReadPractitioner,          Get,  "Practitioner/{id}",                   OrganizationRead, NEVER,        Query,   Foundations,  Whole,   V1,               true,  "fhir:rest:read:practitioner-1"),
    row!(SearchPractitioner,        Get,  "Practitioner",                        OrganizationRead, NEVER,        Query,   Foundations,  Whole,   V1,               true,  "fhir:rest:search:practitioner-1"),
    row!(ReadOrganization,          Get,  "Organization/{id}",                   OrganizationRead, ORGANISATION, Query,   Foundations,  Whole,   V1,               true,  "fhir:rest:read:organization-1"),
    row!(SearchOrganization,        Get,  "Organization",                        OrganizationRead, SEARCH,       Query,   Foundations,  Whole,   V1,               true,  "fhir:rest:search:organization-1"),
    row!(ReadLocation,              Get,  "Location/{id}",                       OrganizationRead, NEVER,        Query,   Foundations,  Whole,   V1,               true,  "fhir:rest:read:location-1"),
    row!(RegisterPatient,           Post, "Patient/$gpc.registerpatient",        PatientWrite,     NEVER,        Command, Foundations,  Whole,   V1,               true,  "fhir:operation:gpc.registerpatient-1"),
    row!(SearchSlot,                Get,  "Slot",                                OrganizationRead, NEVER,        Query,   Appointments, Own,     V1,               true,  "fhir:rest:search:slot-1"),
    row!(ReadAppointment,           Get,  "Appointment/{id}",                    PatientRead,      NEVER,        Query,   Appointments, Own,     V1,               true,  "fhir:rest:read:appointment-1"),
    row!(BookAppointment,           Post, "Appointment",                         PatientWrite,     NEVER,        Command, Appointments, Own,     V1,               true,  "fhir:rest:create:appointment-1"),
    row!(AmendAppointment,          Put,  "Appointment/{id}",                    PatientWrite,     NEVER,        Command, Appointments, Own,     V1,               true,  "fhir:rest:update:appointment-1"),
    row!(CancelAppointment,         Put,  "Appointment/{id}",                    PatientWrite,     NEVER,        Command, Appointments, Own,     V1,               true,  "fhir:rest:cancel:appointment-1"),
    row!(SearchPatientAppointments, Get,  "Patient/{id}/Appointment",            PatientRead,      NEVER,        Query,   Appointments, Own,     V1,               true,  "fhir:rest:search:patient_appointments-1"),
    row!(GetStructuredRecord,       Post, "Patient/$gpc.getstructuredrecord",    PatientRead,      NEVER,        Query,   Structured,   Own,     RECORD,           true,  "fhir:operation:gpc.getstructuredrecord-1"),
    row!(ReadStructuredMetadata,    Get,  "metadata",                            OrganizationRead, STATEMENT,    Query,   Structured,   Own,     V1,               true,  "structured:fhir:rest:read:metadata-1"),
    row!(SearchHealthcareService,   Get,  "HealthcareService",                   OrganizationRead, NEVER,        Query,   Foundations,  Whole,   V1,               false, "fhir:rest:search:healthcareservice-1"),
    row!(ReadHealthcareService,     Get,  "HealthcareService/{id}",              OrganizationRead, NEVER,        Query,   Foundations,  Whole,   V1,               false, "fhir:rest:read:healthcareservice-1"),
    row!(ReadDocumentsMetadata,     Get,  "metadata",                            OrganizationRead, STATEMENT,    Query,   Documents,    Own,     V1,               false, "documents:fhir:rest:read:metadata-1"),
    row!(SearchDocumentsPatient,    Get,  "Patient",                             PatientRead,      NEVER,        Query,   Documents,    Own,     RECORD,           false, "documents:fhir:rest:search:patient-1"),
    row!(SearchDocumentReference,   Get,  "Patient/{id}/DocumentReference",      PatientRead,      NEVER,        Query,   Documents,    Own,     RECORD,           false, "documents:fhir:rest:search:documentreference-1"),
    row!(ReadBinary,                Get,  "Binary/{id}",                         PatientRead,      NEVER,        Query,   Documents,    Own,     RECORD,           false, "documents:fhir:rest:read:binary-1"),
    row!(MigrateBinary,             Get,  "Binary/{id}",                         PatientRead,      NEVER,        Query,   Documents,    Never,   MIGRATE_DOCUMENT, false, "documents:fhir:rest:migrate:binary-1"),
    row!(MigrateStructuredRecord,   Post, "Patient/$gpc.migratestructuredrecord", PatientRead,     NEVER,        Query,   Structured,   Never,   MIGRATE_RECORD,   false, "fhir:operation:gpc.migratestructuredrecord-1"),
    row!(GetCareRecord,             Post, "Patient/$gpc.getcarerecord",          PatientRead,      NEVER,        Query,   Html,         Own,     V0,               false, "fhir:operation:gpc.getcarerecord"),
    row!(ReadHtmlMetadata,          Get,  "metadata",                            OrganizationRead, STATEMENT,    Query,   Html,         Own,     V0,               false, "fhir:rest:read:metadata"),
];

impl InteractionId {
    /// The facts of this interaction.
    #[expect(clippy::indexing_slicing, reason = "a test proves that TABLE has a row for each id")]
    pub const fn row(self) -> &'static Interaction {
        &TABLE[self as usize]
    }

    /// The interaction of this id; case matters.
    pub fn from_urn(urn: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.urn == urn).map(|row| row.id)
    }

    /// The interaction of this id, with or without the common prefix: for configuration and
    /// command line.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|id| id.urn() == name || id.short() == name)
    }

    /// The id on the wire.
    pub const fn urn(self) -> &'static str {
        self.row().urn
    }

    /// The id without the common prefix: for metrics, logs and configuration.
    pub fn short(self) -> &'static str {
        let urn = self.urn();
        urn.strip_prefix(PREFIX).unwrap_or(urn)
    }

    /// Whether it is an operation on one patient (`$gpc...`): its body says on which.
    pub fn is_operation(self) -> bool {
        self.row().path.contains('$')
    }

    /// Every interaction.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_ids() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(row.id as usize, place, "{}", row.urn);
            assert_eq!(row.id.row().urn, row.urn);
        }
    }

    /// gp-connect 3: `Ssp-InteractionID` is exact.
    #[test]
    fn an_interaction_is_found_by_its_id_only() {
        assert_eq!(TABLE.iter().filter(|row| row.in_1_2_7).count(), 17);
        for id in InteractionId::all() {
            assert_eq!(InteractionId::from_urn(id.urn()), Some(id));
            assert_eq!(InteractionId::from_name(id.short()), Some(id));
            assert_eq!(InteractionId::from_urn(&id.urn().to_uppercase()), None);
            assert_eq!(InteractionId::from_urn(&format!("{} ", id.urn())), None);
            assert_eq!(InteractionId::from_urn(id.short()), None);
        }
        assert_eq!(InteractionId::from_urn(""), None);
    }

    /// gp-connect 13: only what holds no personal data.
    #[test]
    fn only_patient_free_interactions_are_cacheable() {
        let cacheable: Vec<_> =
            TABLE.iter().filter(|row| row.kept.is_some()).map(|row| row.path).collect();
        let expected =
            ["metadata", "Organization/{id}", "Organization", "metadata", "metadata", "metadata"];
        assert_eq!(cacheable, expected);
    }
}
