//! Where practices are and who may ask them: organisations, provider and consumer systems, groups,
//! agreements and switches, from TOML files.
//!
//! Each file is read into records by the table of [`DIRECTORY`] keys, all records are then checked
//! against each other. Sections may stand in any of the files, in any order. When a file can't be
//! read, nothing is said about names that may stand in it.

mod access;
mod agreements;
mod consumers;
mod enablement;
mod groups;
mod keys;
mod practices;
mod records;
mod registry;
mod report_only;
mod sets;
#[cfg(test)]
mod tests;

use gpconnect::policy::{Consumer, Practice};
use jiff::civil::Date;

use self::{
    agreements::Parties,
    consumers::{Consumers, check_asids},
    enablement::Switchboard,
    groups::Groups,
    practices::Practices,
    records::Records,
    registry::Registry,
};
use crate::config::{Document, Known, Notebook};

pub use agreements::Agreements;
pub use keys::DIRECTORY;
pub use registry::Organisation;

/// What the directory files say. Complete only when the notebook stayed clean.
#[derive(Debug)]
pub struct Directory {
    /// Every organisation, in the order of the files.
    pub organisations: Vec<Organisation>,
    /// The organisations with provider systems.
    pub practices: Vec<Practice>,
    /// The consumer systems.
    pub consumers: Vec<Consumer>,
    /// Who may ask whom for what.
    pub agreements: Agreements,
}

impl Directory {
    /// Reads `documents` and checks them against each other and against what is `known` from
    /// gateway.toml. `whole` says that no file is missing among them; `today`, in UTC, which of the
    /// checks that consumers are let off for a while are enforced again.
    pub fn read(
        documents: &[Document<'_>],
        whole: bool,
        known: &Known,
        today: Date,
        notebook: &Notebook,
    ) -> Self {
        let mut records = Records::default();
        for document in documents.iter().filter(|document| document.is_whole()) {
            records.read(document, today, notebook);
        }
        let whole = whole && known.whole && documents.iter().all(Document::is_whole);
        check_asids(&records.providers, &records.consumers, notebook);
        let registry = Registry::new(records.organisations, whole, notebook);
        let groups = Groups::new(&records.groups, &registry);
        let mut practices = Practices::new(records.providers, &registry, known);
        let consumers = Consumers::new(records.consumers, &registry, known);
        consumers.check_everyone(known, &registry);
        consumers.check_identity(known, &registry);
        Switchboard::new(&registry, &groups).set_all(&records.enablements, &mut practices);
        let parties = Parties {
            registry: &registry,
            groups: &groups,
            practices: &practices,
            consumers: &consumers,
        };
        let grants = parties.grants(&records.agreements);
        let (practices, practice_of) = practices.into_parts();
        Self {
            organisations: registry.organisations,
            practices,
            consumers: consumers.consumers,
            agreements: Agreements { grants, practice_of },
        }
    }
}
