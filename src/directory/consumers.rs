//! Consumer systems, and that each ASID names one system.

use foldhash::fast::RandomState;
use gpconnect::{
    interaction::InteractionSet,
    names::{Asid, OdsCode, PartyKey},
    policy::{AccessTerms, Consumer},
};
use hashbrown::{HashMap, hash_map::Entry};

use super::{
    access,
    practices::carried,
    records::{ConsumerRecord, ProviderRecord, Spot},
    registry::{Registry, also, or_add},
    sets::{OrganisationIndex, Organisations},
};
use crate::config::{Known, Located, Notebook};

/// The consumer systems that could be read.
pub(super) struct Consumers {
    pub(super) consumers: Vec<Consumer>,
    /// Each system's organisation and section, also of those with mistakes.
    pub(super) spots: Vec<(OrganisationIndex, Spot)>,
    /// The organisations with a system.
    pub(super) organisations: Organisations,
    /// Each system's ASID, also of those with mistakes.
    asids: Vec<Asid>,
    /// A section whose ASID can't be read.
    unread: Option<Spot>,
}

impl Consumers {
    /// Notes whatever does not fit together in consumer systems.
    pub(super) fn new(
        records: Vec<ConsumerRecord>,
        registry: &Registry<'_>,
        known: &Known,
    ) -> Self {
        let mut consumers = Self {
            consumers: Vec::new(),
            spots: Vec::new(),
            organisations: Organisations::default(),
            asids: Vec::new(),
            unread: None,
        };
        for record in records {
            let code = record.organisation.as_ref();
            let found =
                code.and_then(|code| registry.find(code, || record.spot.key("organisation")));
            if let Some(index) = found {
                consumers.spots.push((index, record.spot));
                consumers.organisations.insert(index);
            }
            match &record.asid {
                Some(asid) => consumers.asids.push(asid.value),
                None => consumers.unread = consumers.unread.or(Some(record.spot)),
            }
            let interactions = interactions(&record, registry, known);
            let organisation = found.and_then(|index| registry.organisations.get(index));
            let name = organisation.map(|organisation| organisation.name.as_str());
            let name = name.unwrap_or_default();
            let access = access::terms(&record, name, registry, known);
            consumers.consumers.extend(consumer(record, name, interactions, access));
        }
        consumers
    }
}

fn interactions(record: &ConsumerRecord, registry: &Registry<'_>, known: &Known) -> InteractionSet {
    let each = record.interactions.iter();
    each.flat_map(|item| {
        let path = || format!("{}[{}]", record.spot.key("interactions"), item.position);
        carried(item, path, registry, known).iter()
    })
    .collect()
}

fn consumer(
    record: ConsumerRecord,
    organisation_name: &str,
    interactions: InteractionSet,
    access: Option<AccessTerms>,
) -> Option<Consumer> {
    Some(Consumer {
        access: match record.access {
            Some(_) => Some(Box::new(access?)),
            None => None,
        },
        asid: record.asid?.value,
        organisation: record.organisation?.value,
        organisation_name: organisation_name.to_owned(),
        party_key: record.party_key.map(|key| key.value),
        host_names: vec![record.host_name?.value],
        interactions,
        mode: record.mode?,
        report_only: record.report_only,
        single_issue: record.single_issue,
        token: record.token?,
    })
}

impl Consumers {
    /// Notes systems that listeners without TLS name and that are not here, or that can't be served
    /// without a client certificate.
    pub(super) fn check_everyone(&self, known: &Known, registry: &Registry<'_>) {
        for (path, asid) in &known.everyone {
            let system = self.consumers.iter().find(|consumer| consumer.asid == asid.value);
            let access = system.and_then(|consumer| consumer.access.as_ref());
            if access.is_some_and(|terms| access::needs_certificate(terms, known)) {
                let message = format!(
                    "\"{}\" sends access tokens, all of issuers that bind them to a client \
                     certificate, and a caller has none here; leave it out, or set cnf = \
                     \"optional\" at one of its issuers",
                    asid.value
                );
                registry.notebook.mistake(asid.place, path.clone(), message);
            }
            self.check_registered(path, asid, registry);
        }
    }

    /// Notes what keeps the gateway from asking as the consumer system that it says it is.
    pub(super) fn check_identity(&self, known: &Known, registry: &Registry<'_>) {
        let Some((path, asid)) = &known.identity else { return };
        let mistake = |message: &str| {
            let message = format!("\"{}\" {message}", asid.value);
            registry.notebook.mistake(asid.place, path.clone(), message);
        };
        self.check_registered(path, asid, registry);
        if let Some((other, _)) = known.everyone.iter().find(|(_, one)| one.value == asid.value) {
            mistake(&format!(
                "is also {other}: callers would pass for the gateway; give it a [[consumer]] of its \
                 own"
            ));
        }
        let system = self.consumers.iter().find(|consumer| consumer.asid == asid.value);
        let Some(system) = system else { return };
        if system.access.is_some() {
            mistake(
                "sends access tokens, and nobody issues any to the gateway; give it a [[consumer]] \
                 with token = \"gpconnect\"",
            );
        }
        if !system.interactions.iter().any(|id| id.row().kept.is_some()) {
            mistake(
                "may send nothing that is kept in memory; add \"fhir:rest:read:metadata-1\" and \
                 others to the interactions of its [[consumer]]",
            );
        }
    }

    /// Notes a system that gateway.toml names and that is not here.
    fn check_registered(&self, path: &str, asid: &Located<Asid>, registry: &Registry<'_>) {
        if registry.is_whole() && !self.asids.contains(&asid.value) {
            let names = self.asids.iter().map(Asid::as_str);
            let suggestion = registry.notebook.suggestion(asid.value.as_str(), names);
            let message = format!(
                "no [[consumer]] has asid \"{}\"{}",
                asid.value,
                or_add(suggestion, self.unread, registry.notebook)
            );
            registry.notebook.mistake(asid.place, path.to_owned(), message);
        }
    }
}

/// A system that has an ASID.
struct System<'a> {
    spot: Spot,
    provides: bool,
    organisation: Option<OdsCode>,
    party_key: Option<&'a Located<PartyKey>>,
}

/// Notes ASIDs that stand twice. One may be a provider's and a consumer's: of a system that is
/// both, with the same organisation and party key (gp-connect 1).
pub(super) fn check_asids(
    providers: &[ProviderRecord],
    consumers: &[ConsumerRecord],
    notebook: &Notebook,
) {
    let mut first = HashMap::<Asid, System<'_>, RandomState>::default();
    for record in providers {
        let system = System {
            spot: record.spot,
            provides: true,
            organisation: record.organisation.as_ref().map(|code| code.value),
            party_key: record.party_key.as_ref(),
        };
        check_asid(&mut first, record.asid.as_ref(), system, notebook);
    }
    for record in consumers {
        let system = System {
            spot: record.spot,
            provides: false,
            organisation: record.organisation.as_ref().map(|code| code.value),
            party_key: record.party_key.as_ref(),
        };
        check_asid(&mut first, record.asid.as_ref(), system, notebook);
    }
}

fn check_asid<'a>(
    first: &mut HashMap<Asid, System<'a>, RandomState>,
    asid: Option<&Located<Asid>>,
    system: System<'a>,
    notebook: &Notebook,
) {
    let Some(asid) = asid else { return };
    let first = match first.entry(asid.value) {
        Entry::Occupied(first) => first.into_mut(),
        Entry::Vacant(vacant) => {
            vacant.insert(system);
            return;
        }
    };
    let is = format!("\"{}\" is {}", asid.value, also(first.spot, notebook));
    if first.provides == system.provides {
        let message = format!("{is}; each ASID names one system");
        notebook.mistake(asid.place, system.spot.key("asid"), message);
    } else if first.organisation != system.organisation {
        let message = format!("{is} of another organisation; a system has an ASID for each");
        notebook.mistake(asid.place, system.spot.key("asid"), message);
    } else if let (Some(ours), Some(theirs)) = (system.party_key, first.party_key)
        && ours.value != theirs.value
    {
        let theirs = theirs.value;
        let message = format!("{is}, with party key {theirs}; a system that is both has one key");
        notebook.mistake(ours.place, system.spot.key("party_key"), message);
    }
}
