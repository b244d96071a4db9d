//! What the token of a request must say, where versions of the specification differ: data of the
//! interaction, so that no check asks for a version (gp-connect 7.2 and 17).

/// The rules for the token of one interaction.
#[derive(Clone, Copy, Debug)]
pub struct TokenRules {
    /// What `reason_for_request` may be.
    pub reasons: &'static [&'static str],
    /// What may stand behind the scope and a blank in `requested_scope`; an empty text where
    /// nothing may or nothing need stand there.
    pub confidentiality: &'static [&'static str],
    /// The one `aud` that 0.x knows; none where it must point to the practice.
    pub audience: Option<&'static str>,
    /// The systems that an identifier with the organisation's ODS code may have.
    pub organisation_systems: &'static [&'static str],
    /// The systems that an identifier with the user's SDS id may have.
    pub user_systems: &'static [&'static str],
    /// Whether `requested_record` has to be there; elsewhere it is ignored (D4).
    pub requested_record: bool,
    /// Whether device and organisation have to have an `id`.
    pub resource_ids: bool,
    /// The release of FHIR whose resources the token holds.
    pub release: Release,
}

/// A release of FHIR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Release {
    /// GP Connect 0.x: a practitioner's `name` is one object, its `family` a list.
    Dstu2,
    /// GP Connect 1.x: `name` is a list, `family` a text.
    Stu3,
}

/// 1.2.7 and all that kept its token. The old spelling of the organisation's system is tolerated
/// (gp-connect 7.3).
pub(super) const V1: TokenRules = TokenRules {
    reasons: &["directcare"],
    confidentiality: &[""],
    audience: None,
    organisation_systems: &[
        "https://fhir.nhs.uk/Id/ods-organization-code",
        "http://fhir.nhs.net/Id/ods-organization-code",
    ],
    user_systems: &["https://fhir.nhs.uk/Id/sds-user-id"],
    requested_record: false,
    resource_ids: false,
    release: Release::Stu3,
};

/// Records and documents: 1.6 lets the confidentiality stand behind the scope, `conf/N` when it is
/// left out.
pub(super) const RECORD: TokenRules =
    TokenRules { confidentiality: &["", "conf/N", "conf/R"], ..V1 };

/// The record for the patient's next practice (1.6).
pub(super) const MIGRATE_RECORD: TokenRules = TokenRules { reasons: &["migration"], ..RECORD };

/// Documents for the patient's next practice (1.6), restricted ones among them.
pub(super) const MIGRATE_DOCUMENT: TokenRules =
    TokenRules { confidentiality: &["conf/R"], ..MIGRATE_RECORD };

/// The HTML record (0.5 and 0.7).
pub(super) const V0: TokenRules = TokenRules {
    audience: Some("https://authorize.fhir.nhs.net/token"),
    organisation_systems: &["http://fhir.nhs.net/Id/ods-organization-code"],
    user_systems: &["http://fhir.nhs.net/sds-user-id"],
    requested_record: true,
    resource_ids: true,
    release: Release::Dstu2,
    ..V1
};
