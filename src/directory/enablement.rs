//! What practices have switched on.

use gpconnect::{
    interaction::{Capability, CapabilitySet},
    policy::Enablement,
};

use super::{
    agreements::check_practices,
    groups::{Groups, Mention},
    practices::Practices,
    records::{EnablementRecord, Spot, Switch},
    registry::Registry,
    sets::OrganisationIndex,
};
use crate::config::Listed;

/// Sets the switches of all practices.
pub(super) struct Switchboard<'a> {
    registry: &'a Registry<'a>,
    groups: &'a Groups,
    /// Per organisation the section with its switches.
    set_by: Vec<Option<Spot>>,
}

impl<'a> Switchboard<'a> {
    /// A board on which everything is off.
    pub(super) fn new(registry: &'a Registry<'a>, groups: &'a Groups) -> Self {
        Self { registry, groups, set_by: vec![None; registry.organisations.len()] }
    }

    /// Sets what `records` say; notes what can't be switched, or is switched twice.
    pub(super) fn set_all(&mut self, records: &[EnablementRecord], practices: &mut Practices) {
        for record in records {
            self.set(record, practices);
        }
        if self.registry.is_whole() {
            self.warn_of_silent(practices);
        }
    }

    fn set(&mut self, record: &EnablementRecord, practices: &mut Practices) {
        let spot = record.spot;
        let mentions = self.groups.mentions(spot, "practices", &record.practices, self.registry);
        if self.registry.is_whole() {
            check_practices(spot, &mentions, self.groups, practices, self.registry);
            self.check_offered(record, &mentions, practices);
        }
        let capabilities: CapabilitySet =
            record.capabilities.iter().map(|switch| switch.value.0).collect();
        for mention in &mentions {
            self.note_second(spot, mention);
            for organisation in self.groups.each(mention) {
                if let Some(practice) = practices.of_mut(organisation) {
                    practice.enablement = Enablement {
                        gp_connect: record.gp_connect,
                        capabilities,
                        never_kept: !record.cache,
                    };
                }
            }
        }
    }

    /// Notes practices that have their switches elsewhere, and remembers the others.
    fn note_second(&mut self, spot: Spot, mention: &Mention) {
        let mut second = Vec::<OrganisationIndex>::new();
        let mut first = None;
        for organisation in self.groups.each(mention) {
            let Some(slot) = self.set_by.get_mut(organisation) else { continue };
            match *slot {
                Some(other) if !other.is(spot) => {
                    first.get_or_insert(other);
                    second.push(organisation);
                }
                _ => *slot = Some(spot),
            }
        }
        let Some(first) = first else { return };
        let notebook = self.registry.notebook;
        let codes = self.registry.codes(&second);
        let (path, place) = (first.path(), notebook.name(first.place));
        let message = format!(
            "{codes}: switched in {path} ({place}) too; a practice may stand in one [[enablement]]"
        );
        notebook.mistake(mention.place, mention.path(spot, "practices"), message);
    }

    /// Notes switches for what a practice does not offer. Of a group it is enough that one does.
    fn check_offered(
        &self,
        record: &EnablementRecord,
        mentions: &[Mention],
        practices: &Practices,
    ) {
        for Listed { position, value: Switch(capability), place } in &record.capabilities {
            let offers = |index: &OrganisationIndex| {
                practices.of(*index).is_none() || practices.offered(*index).contains(*capability)
            };
            for mention in mentions {
                let organisations = self.groups.each(mention);
                if organisations.is_empty() || organisations.iter().any(offers) {
                    continue;
                }
                let path = format!("{}[{position}]", record.spot.key("capabilities"));
                self.registry.notebook.mistake(
                    *place,
                    path,
                    self.no_root(*capability, &organisations),
                );
            }
        }
    }

    fn no_root(&self, capability: Capability, organisations: &[OrganisationIndex]) -> String {
        let (word, codes) = (capability.as_str(), self.registry.codes(organisations));
        format!("no [[provider]] of {codes} has service_roots.{word}; add it, or leave {word} out")
    }

    fn warn_of_silent(&self, practices: &Practices) {
        let is_silent = |(organisation, _): &(OrganisationIndex, Spot)| {
            !matches!(self.set_by.get(*organisation), Some(Some(_)))
        };
        let silent: Vec<_> = practices.spots().filter(is_silent).collect();
        let Some((_, first)) = silent.first() else { return };
        let codes: Vec<_> = silent.iter().map(|(organisation, _)| *organisation).collect();
        let codes = self.registry.codes(&codes);
        let message = format!(
            "everything is off at {codes}: no [[enablement]] names them, and what it does not \
             switch on is refused"
        );
        self.registry.notebook.warn(first.place, first.path(), message);
    }
}
