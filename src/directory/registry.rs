//! The organisations, and how the other sections refer to them.

use foldhash::fast::RandomState;
use gpconnect::names::OdsCode;
use hashbrown::{HashMap, hash_map::Entry};

use super::{
    records::{OrganisationRecord, Spot},
    sets::OrganisationIndex,
};
use crate::config::{Located, Notebook};

/// An organisation: a practice, or one that consumers belong to.
#[derive(Clone, Debug)]
pub struct Organisation {
    /// Its code.
    pub ods_code: OdsCode,
    /// Its name, for people.
    pub name: String,
}

/// All organisations, each once.
pub(super) struct Registry<'a> {
    pub(super) organisations: Vec<Organisation>,
    by_code: HashMap<OdsCode, (OrganisationIndex, Spot), RandomState>,
    /// A section whose code can't be read.
    unread: Option<Spot>,
    /// Whether all files could be read: else more may be named there, and nothing is unknown.
    whole: bool,
    pub(super) notebook: &'a Notebook,
}

impl<'a> Registry<'a> {
    /// Notes codes that stand twice.
    pub(super) fn new(
        records: Vec<OrganisationRecord>,
        whole: bool,
        notebook: &'a Notebook,
    ) -> Self {
        let mut registry = Self {
            organisations: Vec::new(),
            by_code: HashMap::default(),
            unread: None,
            whole,
            notebook,
        };
        for record in records {
            registry.add(record);
        }
        registry
    }

    fn add(&mut self, record: OrganisationRecord) {
        let Some(Located { value: ods_code, place }) = record.ods_code else {
            self.unread.get_or_insert(record.spot);
            return;
        };
        match self.by_code.entry(ods_code) {
            Entry::Occupied(first) => {
                let first = also(first.get().1, self.notebook);
                let message = format!("\"{ods_code}\" is {first}; each ODS code may stand once");
                self.notebook.mistake(place, record.spot.key("ods_code"), message);
            }
            Entry::Vacant(vacant) => {
                vacant.insert((self.organisations.len(), record.spot));
                let name = record.name.map(|name| name.value.into_text()).unwrap_or_default();
                self.organisations.push(Organisation { ods_code, name });
            }
        }
    }

    /// The organisation that the key at `path` names; notes when there is none.
    pub(super) fn find(
        &self,
        code: &Located<OdsCode>,
        path: impl FnOnce() -> String,
    ) -> Option<OrganisationIndex> {
        let found = self.by_code.get(&code.value).map(|(index, _)| *index);
        if found.is_none() && self.whole {
            let code_text = code.value.as_str();
            let known = self.organisations.iter().map(|known| known.ods_code.as_str());
            let suggestion = self.notebook.suggestion(code_text, known);
            let suggestion = or_add(suggestion, self.unread, self.notebook);
            let message = format!("no [[organisation]] has ods_code \"{code_text}\"{suggestion}");
            self.notebook.mistake(code.place, path(), message);
        }
        found
    }

    /// The code of an organisation.
    pub(super) fn code(&self, index: OrganisationIndex) -> Option<OdsCode> {
        Some(self.organisations.get(index)?.ods_code)
    }

    /// Whether all files could be read.
    pub(super) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// The codes of some organisations as a text: all of few, a few of many.
    pub(super) fn codes(&self, indexes: &[OrganisationIndex]) -> String {
        const MOST: usize = 5;
        let codes = indexes.iter().take(MOST).filter_map(|index| self.code(*index));
        let codes: Vec<_> = codes.map(|code| code.to_string()).collect();
        let codes = codes.join(", ");
        match indexes.len().saturating_sub(MOST) {
            0 => codes,
            more => format!("{codes} and {more} more"),
        }
    }
}

/// "also provider[2] (config/practices.toml:41)": the section that was there first.
pub(super) fn also(first: Spot, notebook: &Notebook) -> String {
    format!("also {} ({})", first.path(), notebook.name(first.place))
}

/// A suggestion, or else the advice to add what nothing resembles; or to mend the section that may
/// be the one meant, because its own name can't be read.
pub(super) fn or_add(suggestion: String, unread: Option<Spot>, notebook: &Notebook) -> String {
    match unread {
        _ if !suggestion.is_empty() => suggestion,
        Some(spot) => format!("; mend {} ({}), or add it", spot.path(), notebook.name(spot.place)),
        None => String::from("; add it"),
    }
}
