//! Practices: organisations with provider systems.

use gpconnect::{
    interaction::{Capability, CapabilitySet, InteractionSet},
    names::OdsCode,
    policy::{Enablement, Endpoint, Endpoints, Practice, PracticeIndex, UpstreamIndex},
};

use super::{
    records::{Accreditation, ProviderRecord, Spot},
    registry::{Registry, or_add},
    sets::OrganisationIndex,
};
use crate::config::{Known, Label, Listed, Located, Place};

/// The practices, in the order in which their first provider system stands.
pub(super) struct Practices {
    pub(super) practices: Vec<Practice>,
    /// Beside each practice what it offers and where that stands.
    offers: Vec<Offer>,
    /// Per organisation its practice, if it is one.
    of_organisation: Vec<Option<PracticeIndex>>,
}

struct Offer {
    spot: Spot,
    organisation: OrganisationIndex,
    /// By capability the section that offers it, also when that has mistakes.
    by: [Option<Spot>; Capability::ALL.len()],
}

impl Practices {
    /// Notes whatever does not fit together in provider systems.
    pub(super) fn new(
        records: Vec<ProviderRecord>,
        registry: &Registry<'_>,
        known: &Known,
    ) -> Self {
        let mut practices = Self {
            practices: Vec::new(),
            offers: Vec::new(),
            of_organisation: vec![None; registry.organisations.len()],
        };
        for record in records {
            let organisation = record.organisation.as_ref();
            let organisation = organisation
                .and_then(|code| registry.find(code, || record.spot.key("organisation")));
            let reader = Reader { record: &record, registry, known };
            let endpoints = reader.endpoints();
            if let Some(place) =
                organisation.and_then(|index| practices.place(index, &record, registry))
            {
                practices.fill(place, &reader, endpoints);
            }
        }
        practices
    }

    /// The practice of an organisation; made when it is its first system.
    fn place(
        &mut self,
        organisation: OrganisationIndex,
        record: &ProviderRecord,
        registry: &Registry<'_>,
    ) -> Option<PracticeIndex> {
        let slot = self.of_organisation.get_mut(organisation)?;
        if slot.is_none() {
            let known = registry.organisations.get(organisation)?;
            let index = PracticeIndex(u32::try_from(self.practices.len()).ok()?);
            self.practices.push(Practice {
                ods_code: known.ods_code,
                name: known.name.clone(),
                endpoints: Endpoints::default(),
                enablement: Enablement::default(),
            });
            self.offers.push(Offer { spot: record.spot, organisation, by: Default::default() });
            *slot = Some(index);
        }
        *slot
    }

    fn fill(
        &mut self,
        index: PracticeIndex,
        reader: &Reader<'_>,
        endpoints: Vec<(Capability, Option<Endpoint>)>,
    ) {
        let index = index.0 as usize;
        let (Some(practice), Some(offer)) =
            (self.practices.get_mut(index), self.offers.get_mut(index))
        else {
            return;
        };
        for (capability, endpoint) in endpoints {
            let Some(first) = offer.by.get_mut(capability as usize) else { continue };
            if let Some(first) = *first {
                reader.note_second(capability, practice.ods_code, first);
                continue;
            }
            *first = Some(reader.record.spot);
            if let Some(endpoint) = endpoint {
                practice.endpoints.set(capability, endpoint);
            }
        }
    }

    /// The practice that an organisation is.
    pub(super) fn of(&self, organisation: OrganisationIndex) -> Option<PracticeIndex> {
        *self.of_organisation.get(organisation)?
    }

    /// What an organisation offers as a practice.
    pub(super) fn offered(&self, organisation: OrganisationIndex) -> CapabilitySet {
        let offer = self.of(organisation).and_then(|index| self.offers.get(index.0 as usize));
        let offers = |capability: &Capability| {
            offer.is_some_and(|offer| matches!(offer.by.get(*capability as usize), Some(Some(_))))
        };
        Capability::ALL.into_iter().filter(offers).collect()
    }

    /// Each practice's organisation and first section.
    pub(super) fn spots(&self) -> impl Iterator<Item = (OrganisationIndex, Spot)> {
        self.offers.iter().map(|offer| (offer.organisation, offer.spot))
    }

    /// The practice of an organisation, to set its switches.
    pub(super) fn of_mut(&mut self, organisation: OrganisationIndex) -> Option<&mut Practice> {
        let index = self.of(organisation)?;
        self.practices.get_mut(index.0 as usize)
    }

    /// Hands out the practices and, per organisation, its place among them.
    pub(super) fn into_parts(self) -> (Vec<Practice>, Vec<Option<PracticeIndex>>) {
        (self.practices, self.of_organisation)
    }
}

/// One provider section on its way to endpoints.
struct Reader<'a> {
    record: &'a ProviderRecord,
    registry: &'a Registry<'a>,
    known: &'a Known,
}

impl Reader<'_> {
    /// An entry for each capability that is written; without endpoint when something is wrong.
    fn endpoints(&self) -> Vec<(Capability, Option<Endpoint>)> {
        let upstream = self.record.upstream.as_ref().and_then(|name| self.upstream(name));
        let interactions = self.interactions();
        let mut endpoints = Vec::new();
        for (capability, root) in &self.record.service_roots {
            let of_capability = |set: InteractionSet| -> InteractionSet {
                set.iter().filter(|id| id.row().capability == *capability).collect()
            };
            let interactions = interactions.map(of_capability);
            if interactions.is_some_and(InteractionSet::is_empty) {
                self.note_silent(*capability);
            }
            let endpoint = || {
                let root = root.as_ref()?;
                self.check_code(*capability, root.value.ods_code(), root)?;
                Some(Endpoint {
                    service_root: root.value.clone(),
                    asid: self.record.asid.as_ref()?.value,
                    party_key: self.record.party_key.as_ref()?.value,
                    cpa_id: self.record.cpa_id,
                    interactions: interactions?,
                    upstream: upstream?,
                })
            };
            endpoints.push((*capability, endpoint()));
        }
        endpoints
    }

    fn root_key(&self, capability: Capability) -> String {
        self.record.spot.key(&format!("service_roots.{}", capability.as_str()))
    }

    fn upstream(&self, name: &Located<Label>) -> Option<UpstreamIndex> {
        let mut upstreams = self.known.upstreams.iter();
        if let Some(index) = upstreams.position(|known| known == name.value.as_str()) {
            return u32::try_from(index).ok().map(UpstreamIndex);
        }
        if self.known.whole {
            let known = self.known.upstreams.iter().map(String::as_str);
            let suggestion = self.registry.notebook.suggestion(name.value.as_str(), known);
            let message = format!(
                "no [[upstream]] in gateway.toml has name \"{}\"{}",
                name.value,
                or_add(suggestion, None, self.registry.notebook)
            );
            self.registry.notebook.mistake(name.place, self.record.spot.key("upstream"), message);
        }
        None
    }

    /// What the system receives; none when an entry of the list can't be.
    fn interactions(&self) -> Option<InteractionSet> {
        let Some(written) = &self.record.interactions else {
            return Some(InteractionSet::of_1_2_7());
        };
        let key = self.record.spot.key("interactions");
        let mut all = InteractionSet::default();
        for item in written {
            let path = || format!("{key}[{}]", item.position);
            let set = carried(item, path, self.registry, self.known);
            for id in set.iter() {
                let offered = self.record.service_roots.iter();
                let mut offered = offered.map(|(capability, _)| *capability);
                let capability = id.row().capability;
                if item.value != Accreditation::Version127 && !offered.any(|one| one == capability)
                {
                    let word = capability.as_str();
                    let message = format!(
                        "\"{}\" is of {word}, which has no service root here; add \
                         service_roots.{word}, or leave the interaction out",
                        id.short(),
                    );
                    self.registry.notebook.mistake(item.place, path(), message);
                }
                all.insert(id);
            }
        }
        Some(all)
    }

    fn note_silent(&self, capability: Capability) {
        let word = capability.as_str();
        let message = format!(
            "has a service root, but interactions name none of {word}; add those that the system \
             receives, or leave the service root out"
        );
        self.registry.notebook.mistake(self.record.spot.place, self.root_key(capability), message);
    }

    fn note_second(&self, capability: Capability, ods_code: OdsCode, first: Spot) {
        let notebook = self.registry.notebook;
        let (word, path, place) = (capability.as_str(), first.path(), notebook.name(first.place));
        let message = format!(
            "{ods_code} already has {word} in {path} ({place}); a practice has one endpoint a \
             capability: keep one"
        );
        notebook.mistake(self.place_of(capability), self.root_key(capability), message);
    }

    fn place_of(&self, capability: Capability) -> Place {
        let mut roots = self.record.service_roots.iter();
        let root = roots.find(|(one, _)| *one == capability).and_then(|(_, root)| root.as_ref());
        root.map_or(self.record.spot.place, |root| root.place)
    }

    fn check_code<T>(
        &self,
        capability: Capability,
        found: OdsCode,
        root: &Located<T>,
    ) -> Option<()> {
        let wanted = self.record.organisation.as_ref()?.value;
        if found == wanted {
            return Some(());
        }
        let message = format!(
            "is the root of {found}, but organisation is {wanted}; write the root that is \
             registered for {wanted}"
        );
        self.registry.notebook.mistake(root.place, self.root_key(capability), message);
        None
    }
}

/// The interactions of a list entry; notes those that this gateway does not carry.
pub(super) fn carried(
    item: &Listed<Accreditation>,
    path: impl FnOnce() -> String,
    registry: &Registry<'_>,
    known: &Known,
) -> InteractionSet {
    match item.value {
        Accreditation::Version127 => InteractionSet::of_1_2_7(),
        Accreditation::One(id) => {
            if known.whole && !known.carried.contains(id) {
                let message = format!(
                    "\"{0}\" is not of GP Connect 1.2.7; to carry it, write [interactions] also = \
                     [\"{0}\"] in gateway.toml",
                    id.short(),
                );
                registry.notebook.mistake(item.place, path(), message);
            }
            [id].into_iter().collect()
        }
    }
}
