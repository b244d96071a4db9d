//! What checks may look up: practices, consumers, agreements, switches. Immutable once built.
//!
//! Every look-up costs the same with ten practices and ten thousand: a hash of a short name, then
//! plain indexes.

use std::{borrow::Cow, sync::Arc};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

pub use crate::token::access::{AccessTerms, ClaimMapping, Confirmation, Issuer, IssuerIndex};
use crate::{
    interaction::{Capability, CapabilitySet, InteractionId, InteractionSet},
    names::{Asid, CpaId, HostName, OdsCode, PartyKey, ServiceRoot},
    report_only::ReportOnly,
    switched_off::SwitchedOff,
    token::TokenTerms,
};

/// Place of a practice in its [`Policy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PracticeIndex(pub u32);

/// Place of a consumer system in its [`Policy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsumerIndex(pub u32);

/// Place of an upstream in the snapshot; the policy only carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpstreamIndex(pub u32);

/// A provider organisation, its endpoints and its switches.
#[derive(Clone, Debug)]
pub struct Practice {
    /// Its organisation code.
    pub ods_code: OdsCode,
    /// Its name, for people.
    pub name: String,
    /// Where its capabilities are reached; those absent are not offered.
    pub endpoints: Endpoints,
    /// What it has switched on.
    pub enablement: Enablement,
}

/// The endpoints of a practice, at most one a capability.
#[derive(Clone, Debug, Default)]
pub struct Endpoints([Option<Box<Endpoint>>; Capability::ALL.len()]);

impl Endpoints {
    /// The endpoint for `capability`.
    pub fn of(&self, capability: Capability) -> Option<&Endpoint> {
        self.0.get(capability as usize)?.as_deref()
    }

    /// Sets the endpoint for `capability` and returns the one that stood there.
    pub fn set(&mut self, capability: Capability, endpoint: Endpoint) -> Option<Box<Endpoint>> {
        self.0.get_mut(capability as usize)?.replace(Box::new(endpoint))
    }

    /// All of them with their capability.
    pub fn iter(&self) -> impl Iterator<Item = (Capability, &Endpoint)> {
        Capability::ALL
            .into_iter()
            .filter_map(|capability| Some((capability, self.of(capability)?)))
    }
}

/// Where and as whom a provider system answers for one capability (the MHS record).
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its base URL.
    pub service_root: ServiceRoot,
    /// The receiving system.
    pub asid: Asid,
    /// Its message handling server.
    pub party_key: PartyKey,
    /// Its contract id, for one error text.
    pub cpa_id: Option<CpaId>,
    /// What it is accredited to receive.
    pub interactions: InteractionSet,
    /// How it is reached.
    pub upstream: UpstreamIndex,
}

/// The switches of a practice; everything is off unless switched on (gp-connect 10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enablement {
    /// GP Connect as a whole.
    pub gp_connect: bool,
    /// Single capabilities. Foundations have no switch of their own.
    pub capabilities: CapabilitySet,
    /// Whether its answers are never kept in memory.
    pub never_kept: bool,
}

/// What the gateway does for a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Nothing that it sent is changed, nothing that it should send is filled in.
    #[default]
    Transparent,
    /// Headers that it left out are filled in where one choice remains.
    Assist,
}

/// A registered consumer system (the AS record).
#[derive(Clone, Debug)]
pub struct Consumer {
    /// The sending system.
    pub asid: Asid,
    /// The organisation that its requests originate from.
    pub organisation: OdsCode,
    /// The name of that organisation, for people.
    pub organisation_name: String,
    /// Its message handling server, which it may share.
    pub party_key: Option<PartyKey>,
    /// The host names that its client certificate may bear.
    pub host_names: Vec<HostName>,
    /// What it is accredited to send.
    pub interactions: InteractionSet,
    /// What the gateway does for it.
    pub mode: Mode,
    /// The checks whose faults are only reported for a while.
    pub report_only: ReportOnly,
    /// What its tokens may be like.
    pub token: TokenTerms,
    /// Whose access tokens it sends instead, where it does.
    pub access: Option<Box<AccessTerms>>,
    /// Whether a refusal tells the deciding fault only, as the national proxy does.
    pub single_issue: bool,
}

/// A data sharing agreement between two organisations, already expanded from groups.
#[derive(Clone, Copy, Debug)]
pub struct Agreement {
    /// The organisation that asks.
    pub consumer: OdsCode,
    /// The practice that answers.
    pub practice: PracticeIndex,
    /// For what.
    pub capabilities: CapabilitySet,
}

/// What checks may look up. A clone shares what is registered.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    practices: Arc<Vec<Practice>>,
    by_ods_code: Arc<HashMap<OdsCode, PracticeIndex, RandomState>>,
    consumers: Arc<Vec<Consumer>>,
    by_asid: Arc<HashMap<Asid, ConsumerIndex, RandomState>>,
    by_host_name: Arc<HashMap<HostName, Vec<ConsumerIndex>, RandomState>>,
    /// Per consumer system the row of its organisation in `agreements`.
    agreement_rows: Arc<Vec<usize>>,
    /// Per consumer organisation one entry a practice: a byte each, so that a million agreements
    /// of a hundred organisations with ten thousand practices are a megabyte.
    agreements: Arc<Vec<Box<[CapabilitySet]>>>,
    carried: InteractionSet,
    checks_nhs_numbers: bool,
    issuers: Arc<Vec<Issuer>>,
    off: Arc<SwitchedOff>,
}

impl Policy {
    /// Builds the look-ups. Codes must be unique; of two equal ones the last is found.
    pub fn new(
        practices: Vec<Practice>,
        consumers: Vec<Consumer>,
        agreements: impl IntoIterator<Item = Agreement>,
        carried: InteractionSet,
    ) -> Self {
        let by_ods_code = practices.iter().map(|practice| practice.ods_code).zip(indexes());
        let by_ods_code = by_ods_code.map(|(code, index)| (code, PracticeIndex(index))).collect();
        let by_asid = consumers.iter().map(|consumer| consumer.asid).zip(indexes());
        let by_asid = by_asid.map(|(asid, index)| (asid, ConsumerIndex(index))).collect();
        let mut by_host_name = HashMap::<_, Vec<_>, RandomState>::default();
        for (consumer, index) in consumers.iter().zip(indexes()) {
            for name in &consumer.host_names {
                let systems = by_host_name.entry(name.clone()).or_default();
                if systems.last() != Some(&ConsumerIndex(index)) {
                    systems.push(ConsumerIndex(index));
                }
            }
        }
        let mut policy = Self {
            by_host_name: Arc::new(by_host_name),
            by_ods_code: Arc::new(by_ods_code),
            by_asid: Arc::new(by_asid),
            practices: Arc::new(practices),
            consumers: Arc::new(consumers),
            carried,
            ..Self::default()
        };
        policy.expand(agreements);
        policy
    }

    /// As it is, but whether NHS numbers must pass their check digit is `checked`.
    #[must_use]
    pub const fn with_nhs_numbers_checked(mut self, checked: bool) -> Self {
        self.checks_nhs_numbers = checked;
        self
    }

    /// As it is, but with these issuers of access tokens.
    #[must_use]
    pub fn with_issuers(mut self, issuers: Vec<Issuer>) -> Self {
        self.issuers = Arc::new(issuers);
        self
    }

    /// As it is, but with this switched off.
    #[must_use]
    pub fn with_switched_off(mut self, off: SwitchedOff) -> Self {
        self.off = Arc::new(off);
        self
    }

    fn expand(&mut self, agreements: impl IntoIterator<Item = Agreement>) {
        let mut rows = HashMap::<OdsCode, usize, RandomState>::default();
        let row_of = |consumer: &Consumer| {
            let next = rows.len();
            *rows.entry(consumer.organisation).or_insert(next)
        };
        self.agreement_rows = Arc::new(self.consumers.iter().map(row_of).collect());
        let empty = vec![CapabilitySet::default(); self.practices.len()].into_boxed_slice();
        let mut all = vec![empty; rows.len()];
        for agreement in agreements {
            let row = rows.get(&agreement.consumer).and_then(|row| all.get_mut(*row));
            if let Some(entry) = row.and_then(|row| row.get_mut(agreement.practice.0 as usize)) {
                entry.extend(agreement.capabilities);
            }
        }
        self.agreements = Arc::new(all);
    }

    /// The practice of this code.
    pub fn find_practice(&self, code: OdsCode) -> Option<(PracticeIndex, &Practice)> {
        let index = *self.by_ods_code.get(&code)?;
        Some((index, self.practice(index)?))
    }

    /// The practice at this place.
    pub fn practice(&self, index: PracticeIndex) -> Option<&Practice> {
        self.practices.get(index.0 as usize)
    }

    /// All practices in order.
    pub fn practices(&self) -> &[Practice] {
        &self.practices
    }

    /// The consumer system of this ASID.
    pub fn find_consumer(&self, asid: Asid) -> Option<(ConsumerIndex, &Consumer)> {
        let index = *self.by_asid.get(&asid)?;
        Some((index, self.consumer(index)?))
    }

    /// The consumer systems whose certificates may bear one of these names, each once.
    pub fn find_callers(&self, names: &[HostName]) -> Cow<'_, [ConsumerIndex]> {
        let mut found = Cow::Borrowed([].as_slice());
        for systems in names.iter().filter_map(|name| self.by_host_name.get(name)) {
            if found.is_empty() {
                found = Cow::Borrowed(systems);
            } else if systems.iter().any(|index| !found.contains(index)) {
                let new = systems.iter().filter(|index| !found.contains(index)).copied();
                let new: Vec<_> = new.collect();
                found.to_mut().extend(new);
            }
        }
        found
    }

    /// The consumer system at this place.
    pub fn consumer(&self, index: ConsumerIndex) -> Option<&Consumer> {
        self.consumers.get(index.0 as usize)
    }

    /// All consumer systems in order.
    pub fn consumers(&self) -> &[Consumer] {
        &self.consumers
    }

    /// The issuer of access tokens at this place.
    pub fn issuer(&self, index: IssuerIndex) -> Option<&Issuer> {
        self.issuers.get(index.0 as usize)
    }

    /// All issuers of access tokens in order.
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// What the organisation of `consumer` may ask `practice` for.
    pub fn agreement(&self, consumer: ConsumerIndex, practice: PracticeIndex) -> CapabilitySet {
        let row = self.agreement_rows.get(consumer.0 as usize);
        let row = row.and_then(|row| self.agreements.get(*row));
        row.and_then(|row| row.get(practice.0 as usize)).copied().unwrap_or_default()
    }

    /// What operations have switched off.
    pub fn switched_off(&self) -> &SwitchedOff {
        &self.off
    }

    /// Whether NHS numbers in queries and bodies must pass their check digit (D12).
    pub const fn checks_nhs_numbers(&self) -> bool {
        self.checks_nhs_numbers
    }

    /// Whether this gateway carries `id`: those of 1.2.7, and the neighbours configured.
    pub fn carries(&self, id: InteractionId) -> bool {
        self.carried.contains(id)
    }
}

/// 0, 1, 2, ... as far as an index reaches.
fn indexes() -> impl Iterator<Item = u32> {
    0..=u32::MAX
}
