//! What directory files say, section by section, before it is checked against each other.

use std::str::FromStr;

use gpconnect::{
    interaction::{Capability, InteractionId},
    names::{Asid, CpaId, HostName, OdsCode, PartyKey, ServiceRoot},
    policy::Mode,
    report_only::ReportOnly,
    token::{AudiencePolicy, TokenTerms},
};
use jiff::civil::Date;

use super::{
    access::{self, AccessRecord},
    keys::DIRECTORY,
    report_only,
};
use crate::config::{Document, Label, Listed, Located, Notebook, Place, Section, Title};

/// Which section of which file a record is, for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    section: &'static str,
    index: usize,
    pub(super) place: Place,
}

impl Spot {
    /// The path of the section: `provider[2]`.
    pub(super) fn path(self) -> String {
        format!("{}[{}]", self.section, self.index)
    }

    /// Whether both are the same section.
    pub(super) fn is(self, other: Self) -> bool {
        (self.place, self.index) == (other.place, other.index)
    }

    /// The path of a key in it: `provider[2].asid`.
    pub(super) fn key(self, name: &str) -> String {
        format!("{}.{name}", self.path())
    }
}

/// An `[[organisation]]`.
pub(super) struct OrganisationRecord {
    pub(super) spot: Spot,
    pub(super) ods_code: Option<Located<OdsCode>>,
    pub(super) name: Option<Located<Title>>,
}

/// A `[[provider]]`.
pub(super) struct ProviderRecord {
    pub(super) spot: Spot,
    pub(super) organisation: Option<Located<OdsCode>>,
    pub(super) asid: Option<Located<Asid>>,
    pub(super) party_key: Option<Located<PartyKey>>,
    pub(super) cpa_id: Option<CpaId>,
    pub(super) upstream: Option<Located<Label>>,
    pub(super) service_roots: Vec<(Capability, Option<Located<ServiceRoot>>)>,
    pub(super) interactions: Option<Vec<Listed<Accreditation>>>,
}

/// A `[[consumer]]`.
pub(super) struct ConsumerRecord {
    pub(super) spot: Spot,
    pub(super) asid: Option<Located<Asid>>,
    pub(super) organisation: Option<Located<OdsCode>>,
    pub(super) host_name: Option<Located<HostName>>,
    pub(super) party_key: Option<Located<PartyKey>>,
    pub(super) mode: Option<Mode>,
    pub(super) token: Option<TokenTerms>,
    /// What it says of access tokens, when it sends such.
    pub(super) access: Option<AccessRecord>,
    pub(super) interactions: Vec<Listed<Accreditation>>,
    pub(super) single_issue: bool,
    pub(super) report_only: ReportOnly,
}

/// A `[[group]]`.
pub(super) struct GroupRecord {
    pub(super) spot: Spot,
    pub(super) name: Option<Located<Label>>,
    pub(super) members: Vec<Listed<Member>>,
}

/// An `[[agreement]]`.
pub(super) struct AgreementRecord {
    pub(super) spot: Spot,
    pub(super) consumers: Vec<Listed<Member>>,
    pub(super) practices: Vec<Listed<Member>>,
    pub(super) capabilities: Vec<Capability>,
}

/// An `[[enablement]]`.
pub(super) struct EnablementRecord {
    pub(super) spot: Spot,
    pub(super) practices: Vec<Listed<Member>>,
    pub(super) gp_connect: bool,
    pub(super) capabilities: Vec<Listed<Switch>>,
    pub(super) cache: bool,
}

/// All sections of all files, in their order.
#[derive(Default)]
pub(super) struct Records {
    pub(super) organisations: Vec<OrganisationRecord>,
    pub(super) providers: Vec<ProviderRecord>,
    pub(super) consumers: Vec<ConsumerRecord>,
    pub(super) groups: Vec<GroupRecord>,
    pub(super) agreements: Vec<AgreementRecord>,
    pub(super) enablements: Vec<EnablementRecord>,
}

impl Records {
    /// Adds what `document` says.
    pub(super) fn read(&mut self, document: &Document<'_>, today: Date, notebook: &Notebook) {
        Section::read(document, DIRECTORY, notebook, |root| {
            self.organisations.extend(root.tables("organisation", organisation));
            self.providers.extend(root.tables("provider", provider));
            let consumer = |section: &Section<'_>, index| consumer(section, index, today);
            self.consumers.extend(root.tables("consumer", consumer));
            self.groups.extend(root.tables("group", group));
            self.agreements.extend(root.tables("agreement", agreement));
            self.enablements.extend(root.tables("enablement", enablement));
        });
    }
}

fn organisation(section: &Section<'_>, index: usize) -> OrganisationRecord {
    OrganisationRecord {
        spot: Spot { section: "organisation", index, place: section.place() },
        ods_code: section.text("ods_code"),
        name: section.text("name"),
    }
}

fn provider(section: &Section<'_>, index: usize) -> ProviderRecord {
    ProviderRecord {
        spot: Spot { section: "provider", index, place: section.place() },
        organisation: section.text("organisation"),
        asid: section.text("asid"),
        party_key: section.text("party_key"),
        cpa_id: section.text("cpa_id").map(|located| located.value),
        upstream: section.text("upstream"),
        service_roots: section.table("service_roots", service_roots).unwrap_or_default(),
        interactions: section.list("interactions"),
    }
}

fn service_roots(section: &Section<'_>) -> Vec<(Capability, Option<Located<ServiceRoot>>)> {
    let read = Capability::ALL.map(|capability| (capability, section.text(capability.as_str())));
    let written = |(capability, _): &(Capability, _)| section.has(capability.as_str());
    let roots: Vec<_> = read.into_iter().filter(written).collect();
    if roots.is_empty() {
        section.mistake_here("is empty; write the service root of at least one capability");
    }
    roots
}

fn consumer(section: &Section<'_>, index: usize, today: Date) -> ConsumerRecord {
    ConsumerRecord {
        spot: Spot { section: "consumer", index, place: section.place() },
        asid: section.text("asid"),
        organisation: section.text("organisation"),
        host_name: section.text("host_name"),
        party_key: section.text("party_key"),
        mode: section.word("mode", |word| match word {
            "transparent" => Some(Mode::Transparent),
            "assist" => Some(Mode::Assist),
            _ => None,
        }),
        token: token_terms(section),
        access: access::record(section),
        interactions: section.list("interactions").unwrap_or_default(),
        single_issue: section.flag("single_issue").unwrap_or_default(),
        report_only: report_only::relaxed(section, today).into_iter().collect(),
    }
}

fn token_terms(section: &Section<'_>) -> Option<TokenTerms> {
    let audience = section.word("aud_policy", AudiencePolicy::from_word);
    let without_final_dot = section.flag("token_without_final_dot");
    let any_organisation = section.flag("insecure_token_of_any_organisation");
    Some(TokenTerms {
        audience: audience?,
        without_final_dot: without_final_dot?,
        any_organisation: any_organisation?,
    })
}

fn group(section: &Section<'_>, index: usize) -> GroupRecord {
    GroupRecord {
        spot: Spot { section: "group", index, place: section.place() },
        name: section.text("name"),
        members: section.list("members").unwrap_or_default(),
    }
}

fn agreement(section: &Section<'_>, index: usize) -> AgreementRecord {
    // The reference is for people; it only has to be there.
    section.text::<Title>("reference");
    let capabilities = section.list::<Granted>("capabilities").unwrap_or_default();
    AgreementRecord {
        spot: Spot { section: "agreement", index, place: section.place() },
        consumers: section.list("consumers").unwrap_or_default(),
        practices: section.list("practices").unwrap_or_default(),
        capabilities: capabilities.into_iter().map(|granted| granted.value.0).collect(),
    }
}

fn enablement(section: &Section<'_>, index: usize) -> EnablementRecord {
    EnablementRecord {
        spot: Spot { section: "enablement", index, place: section.place() },
        practices: section.list("practices").unwrap_or_default(),
        gp_connect: section.flag("gp_connect").unwrap_or_default(),
        capabilities: section.list("capabilities").unwrap_or_default(),
        cache: section.flag("cache").unwrap_or(true),
    }
}

/// An organisation or a group of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Member {
    Organisation(OdsCode),
    Group(Label),
}

/// Why a text was refused as a [`Member`].
#[derive(thiserror::Error, Debug)]
#[error("expected an ODS code, as in \"A20047\", or a group, as in \"group:north\"")]
pub(super) struct NotAMember;

impl FromStr for Member {
    type Err = NotAMember;

    fn from_str(text: &str) -> Result<Self, NotAMember> {
        match text.strip_prefix("group:") {
            Some(name) => name.parse().map(Self::Group).or(Err(NotAMember)),
            None => text.parse().map(Self::Organisation).or(Err(NotAMember)),
        }
    }
}

/// What a system may send or receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accreditation {
    /// `"1.2.7"`: all seventeen.
    Version127,
    One(InteractionId),
}

/// Why a text was refused as an [`Accreditation`].
#[derive(thiserror::Error, Debug)]
#[error(
    "expected \"1.2.7\" for all seventeen, or the id of an interaction, as in \
     \"fhir:rest:read:patient-1\""
)]
pub(super) struct NotAnAccreditation;

impl FromStr for Accreditation {
    type Err = NotAnAccreditation;

    fn from_str(text: &str) -> Result<Self, NotAnAccreditation> {
        if text == "1.2.7" {
            return Ok(Self::Version127);
        }
        InteractionId::from_name(text).map(Self::One).ok_or(NotAnAccreditation)
    }
}

/// A capability in an agreement.
struct Granted(Capability);

/// Why a text was refused as a [`Granted`].
#[derive(thiserror::Error, Debug)]
#[error("expected \"foundations\", \"appointments\", \"structured\", \"documents\" or \"html\"")]
struct NotGranted;

impl FromStr for Granted {
    type Err = NotGranted;

    fn from_str(text: &str) -> Result<Self, NotGranted> {
        Capability::from_word(text).map(Self).ok_or(NotGranted)
    }
}

/// A capability that a practice switches on by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switch(pub(super) Capability);

/// Why a text was refused as a [`Switch`].
#[derive(thiserror::Error, Debug)]
pub(super) enum NotASwitch {
    #[error("has no switch of its own: it is on when gp_connect is; leave it out")]
    Foundations,
    #[error("expected \"appointments\", \"structured\", \"documents\" or \"html\"")]
    Unknown,
}

impl FromStr for Switch {
    type Err = NotASwitch;

    fn from_str(text: &str) -> Result<Self, NotASwitch> {
        match Capability::from_word(text) {
            Some(Capability::Foundations) => Err(NotASwitch::Foundations),
            Some(capability) => Ok(Self(capability)),
            None => Err(NotASwitch::Unknown),
        }
    }
}
