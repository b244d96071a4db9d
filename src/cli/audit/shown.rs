//! What commands that show records share: the records, opened where the reader's key is there.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use clap::Args;
use serde_json::Value;

use super::announce::announce;
use crate::{
    audit::{Place, read::Opener, search},
    cli::{Ended, admin::client::members, output::complain},
};

pub(super) type Fault = String;

/// Why records are read.
#[derive(Debug, Default, Args)]
pub(super) struct Why {
    /// Why, for the record that the gateway keeps of this: sealed, as what is looked for.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

impl Why {
    /// Has the gateway put down what is about to be read, before it is.
    pub(super) fn announce<const N: usize>(
        &self,
        folder: &Path,
        command: &str,
        opens: bool,
        terms: [(&'static str, Option<String>); N],
    ) -> Result<(), Fault> {
        let mut told = members(terms);
        if let Some(told) = told.as_object_mut() {
            told.insert(String::from("command"), command.into());
            told.insert(String::from("opens"), opens.into());
            told.extend(self.reason.clone().map(|reason| (String::from("reason"), reason.into())));
        }
        announce(folder, &told)
    }
}

/// A record that is to be shown.
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) record: Value,
    /// What is sealed in it, opened.
    pub(super) opened: Option<Value>,
}

/// An intent with its outcome, or a record that stands alone.
pub(super) struct Access {
    pub(super) first: Found,
    pub(super) outcome: Option<Found>,
}

impl Found {
    pub(super) fn text(&self, name: &str) -> &str {
        self.record.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// What is sealed under this path of names.
    pub(super) fn sealed(&self, path: &[&str]) -> &str {
        let mut value = self.opened.as_ref();
        for name in path {
            value = value.and_then(|value| value.get(name));
        }
        value.and_then(Value::as_str).unwrap_or_default()
    }

    /// The NHS numbers that it names.
    pub(super) fn numbers(&self) -> Vec<&str> {
        let numbers = self.opened.as_ref().and_then(|opened| opened.get("patients"));
        let numbers = numbers.and_then(Value::as_array).into_iter().flatten();
        numbers.filter_map(Value::as_str).collect()
    }

    /// Who asked, as a person reads it.
    pub(super) fn name(&self) -> String {
        let names = ["prefix", "given", "family"].map(|name| self.sealed(&["user", name]));
        names.iter().filter(|name| !name.is_empty()).copied().collect::<Vec<_>>().join(" ")
    }

    /// The record with what was sealed in it in place of that.
    pub(super) fn whole(&self) -> Value {
        let mut record = self.record.clone();
        if let (Some(members), Some(opened)) = (record.as_object_mut(), &self.opened) {
            members.shift_remove("sealed");
            members.insert(String::from("opened"), opened.clone());
        }
        record
    }
}

impl Access {
    pub(super) fn records(&self) -> impl Iterator<Item = &Found> {
        std::iter::once(&self.first).chain(&self.outcome)
    }

    /// The record that says how it ended: none of an intent without outcome.
    pub(super) fn end(&self) -> Option<&Found> {
        let alone = (self.first.text("kind") != "intent").then_some(&self.first);
        self.outcome.as_ref().or(alone)
    }
}

/// Makes records of lines.
pub(super) struct Reading {
    reader_key: Option<PathBuf>,
    /// By the head of a segment.
    openers: BTreeMap<Rc<[u8]>, Opener>,
}

impl Reading {
    /// With the private key of a reader, when there is one.
    pub(super) fn new(reader_key: Option<&Path>) -> Result<Self, Fault> {
        // A key that is none is to be told before the search.
        reader_key.map(opener).transpose()?;
        Ok(Self { reader_key: reader_key.map(Path::to_owned), openers: BTreeMap::new() })
    }

    pub(super) fn read(&mut self, found: &search::Found) -> Result<Found, Fault> {
        let place = found.place;
        let record: Value = serde_json::from_slice(&found.line)
            .map_err(|fault| format!("{place}: is no record: {fault}"))?;
        let opened = match (&self.reader_key, &found.head) {
            (Some(key), Some(head)) if record.get("sealed").is_some() => {
                if !self.openers.contains_key(head) {
                    let mut opener = opener(key)?;
                    opener.take_key(head);
                    self.openers.insert(Rc::clone(head), opener);
                }
                self.openers.get(head).and_then(|opener| opener.open(place, &record))
            }
            _ => None,
        };
        Ok(Found { place, record, opened })
    }
}

pub(super) fn opener(path: &Path) -> Result<Opener, Fault> {
    let text = fs::read_to_string(path).map_err(|fault| format!("{}: {fault}", path.display()))?;
    let mut keys = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let key = keys.next().unwrap_or_default().parse();
    key.map(Opener::new).map_err(|fault| format!("{}: {fault}", path.display()))
}

pub(super) fn ended(result: Result<Ended, Fault>) -> Ended {
    result.unwrap_or_else(|fault| {
        complain(fault);
        Ended::Unable
    })
}
