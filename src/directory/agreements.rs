//! Data sharing agreements: from organisations and groups to pairs of them.

use gpconnect::{
    interaction::{Capability, CapabilitySet},
    policy::{Agreement, PracticeIndex},
};

use super::{
    consumers::Consumers,
    groups::{Groups, Mention},
    practices::Practices,
    records::{AgreementRecord, Spot},
    registry::{Organisation, Registry},
    sets::{OrganisationIndex, Organisations},
};

/// What an agreement allows.
#[derive(Debug)]
pub(super) struct Grant {
    consumers: Organisations,
    practices: Organisations,
    capabilities: CapabilitySet,
}

/// What the agreements are checked against.
pub(super) struct Parties<'a> {
    pub(super) registry: &'a Registry<'a>,
    pub(super) groups: &'a Groups,
    pub(super) practices: &'a Practices,
    pub(super) consumers: &'a Consumers,
}

impl Parties<'_> {
    /// The agreements; notes those that can't be meant, and warns of what has no effect.
    pub(super) fn grants(&self, records: &[AgreementRecord]) -> Vec<Grant> {
        let grants: Vec<_> = records.iter().map(|record| self.grant(record)).collect();
        if self.registry.is_whole() {
            self.warn_of_idle_consumers(&grants);
        }
        grants
    }

    fn grant(&self, record: &AgreementRecord) -> Grant {
        let consumers =
            self.groups.mentions(record.spot, "consumers", &record.consumers, self.registry);
        let practices =
            self.groups.mentions(record.spot, "practices", &record.practices, self.registry);
        let capabilities: CapabilitySet = record.capabilities.iter().copied().collect();
        if self.registry.is_whole() {
            self.warn_of_no_consumer(record.spot, &consumers);
            check_practices(record.spot, &practices, self.groups, self.practices, self.registry);
            self.warn_of_no_endpoint(record.spot, &practices, capabilities);
        }
        let (consumers, practices) = (self.groups.all(&consumers), self.groups.all(&practices));
        Grant { consumers, practices, capabilities }
    }

    fn warn_of_no_consumer(&self, spot: Spot, consumers: &[Mention]) {
        for mention in consumers {
            let organisations = self.groups.each(mention);
            if !organisations.iter().any(|index| self.consumers.organisations.contains(*index)) {
                let codes = self.registry.codes(&organisations);
                let message = format!("has no effect: no [[consumer]] belongs to {codes}");
                self.registry.notebook.warn(
                    mention.place,
                    mention.path(spot, "consumers"),
                    message,
                );
            }
        }
    }

    fn warn_of_no_endpoint(&self, spot: Spot, practices: &[Mention], wanted: CapabilitySet) {
        let mut offered = CapabilitySet::default();
        let organisations = self.groups.all(practices);
        organisations.iter().for_each(|index| offered.extend(self.practices.offered(index)));
        let absent = |capability: &Capability| !offered.contains(*capability);
        let absent: Vec<_> = wanted.iter().filter(absent).map(Capability::as_str).collect();
        if !absent.is_empty() && !practices.is_empty() {
            let absent = absent.join(", ");
            let message = format!("has no effect for {absent}: none of the practices offers it");
            self.registry.notebook.warn(spot.place, spot.key("capabilities"), message);
        }
    }

    fn warn_of_idle_consumers(&self, grants: &[Grant]) {
        for (organisation, spot) in &self.consumers.spots {
            if !grants.iter().any(|grant| grant.consumers.contains(*organisation)) {
                let code = self.registry.codes(&[*organisation]);
                let message =
                    format!("no [[agreement]] names {code}: everything it asks for is refused");
                self.registry.notebook.warn(spot.place, spot.path(), message);
            }
        }
    }
}

/// Notes organisations that stand among practices and are none.
pub(super) fn check_practices(
    spot: Spot,
    mentions: &[Mention],
    groups: &Groups,
    practices: &Practices,
    registry: &Registry<'_>,
) {
    for mention in mentions {
        let mut others = groups.each(mention);
        others.retain(|organisation| practices.of(*organisation).is_none());
        if others.is_empty() {
            continue;
        }
        let codes = registry.codes(&others);
        let message = if mention.is_group() {
            format!("the group has members without [[provider]]: {codes}; name practices only")
        } else {
            format!("{codes} has no [[provider]]; name a practice, or add its system")
        };
        registry.notebook.mistake(mention.place, mention.path(spot, "practices"), message);
    }
}

/// All agreements, as briefly as they were written.
#[derive(Debug)]
pub struct Agreements {
    pub(super) grants: Vec<Grant>,
    /// Per organisation its practice, if it is one.
    pub(super) practice_of: Vec<Option<PracticeIndex>>,
}

impl Agreements {
    /// Every pair of organisations that may exchange something, one at a time: they may be
    /// millions. `organisations` are those of the same directory.
    pub fn pairs<'a>(
        &'a self,
        organisations: &'a [Organisation],
    ) -> impl Iterator<Item = Agreement> + 'a {
        let practice = |index: OrganisationIndex| *self.practice_of.get(index)?;
        self.grants.iter().flat_map(move |grant| {
            let codes = grant.consumers.iter().filter_map(|index| organisations.get(index));
            let capabilities = grant.capabilities;
            codes.flat_map(move |consumer| {
                let practices = grant.practices.iter().filter_map(practice);
                let consumer = consumer.ods_code;
                practices.map(move |practice| Agreement { consumer, practice, capabilities })
            })
        })
    }
}
