//! What operations have switched off while the gateway runs, and the file that outlives a restart.
//!
//! A file that can't be read keeps the gateway from starting: to go on without it would switch on
//! again what somebody switched off for a reason.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use gpconnect::{
    Policy,
    interaction::{Capability, InteractionId},
    names::{Asid, OdsCode},
    switched_off::{Switched, SwitchedOff},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{cache::Reach, config::read_file, telemetry::Asked};

/// The name of the file in the folder of what outlives a restart.
const FILE: &str = "switches.json";
/// The version of its form.
const VERSION: u32 = 1;

/// What a switch is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switchable {
    /// A practice.
    Practice(OdsCode),
    /// A capability at a practice.
    Capability(OdsCode, Capability),
    /// A consumer system.
    Consumer(Asid),
    /// An interaction, at every practice.
    Interaction(InteractionId),
}

/// The same in texts, as callers and the file write it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SwitchableText {
    /// The ODS code of a practice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub practice: Option<String>,
    /// A capability at that practice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
    /// The ASID of a consumer system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// The id of an interaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interaction: Option<String>,
}

/// Something that is switched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// Its id, to switch it on again by.
    pub id: String,
    /// What is switched off.
    pub off: SwitchableText,
    /// Why.
    pub reason: String,
    /// Who is to be asked.
    pub owner: String,
    /// Who did it, as the journal names them.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    switches: Vec<Switch>,
}

/// All that is switched off, and where it is kept.
#[derive(Clone, Debug, Default)]
pub struct Switches {
    /// The folder of the file.
    pub(super) folder: PathBuf,
    /// Each of them.
    pub all: Vec<Switch>,
}

impl SwitchableText {
    /// Reads what it names.
    ///
    /// # Errors
    /// What was found and what was expected.
    pub fn read(&self) -> Result<Switchable, String> {
        let named = [&self.practice, &self.consumer, &self.interaction];
        if named.iter().filter(|name| name.is_some()).count() != 1 {
            return Err(String::from(
                "expected one of practice, consumer and interaction; beside practice capability may \
                 stand",
            ));
        }
        let practice = self.practice.as_ref().map(|text| text.parse::<OdsCode>());
        let practice = practice.transpose().map_err(|fault| format!("practice: {fault}"))?;
        if let Some(text) = &self.capability {
            let practice = practice.ok_or("capability: expected practice beside it")?;
            let capability = Capability::from_word(text).ok_or_else(|| {
                let all = Capability::ALL.map(Capability::as_str).join(", ");
                format!("capability: expected one of {all}")
            })?;
            return Ok(Switchable::Capability(practice, capability));
        }
        if let Some(text) = &self.consumer {
            let asid = text.parse::<Asid>().map_err(|fault| format!("consumer: {fault}"))?;
            return Ok(Switchable::Consumer(asid));
        }
        if let Some(text) = &self.interaction {
            let id = InteractionId::from_name(text).ok_or(
                "interaction: expected the id of an interaction, as in fhir:rest:read:patient-1",
            )?;
            return Ok(Switchable::Interaction(id));
        }
        practice.map(Switchable::Practice).ok_or_else(|| String::from("practice: expected one"))
    }
}

impl SwitchableText {
    /// What it names, with the names.
    pub fn members(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Self { practice, capability, consumer, interaction } = self;
        [
            ("practice", practice),
            ("capability", capability),
            ("consumer", consumer),
            ("interaction", interaction),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

impl From<Switchable> for SwitchableText {
    fn from(what: Switchable) -> Self {
        let none = Self::default();
        match what {
            Switchable::Practice(code) => Self { practice: Some(code.to_string()), ..none },
            Switchable::Capability(code, capability) => Self {
                practice: Some(code.to_string()),
                capability: Some(capability.as_str().to_owned()),
                ..none
            },
            Switchable::Consumer(asid) => Self { consumer: Some(asid.to_string()), ..none },
            Switchable::Interaction(id) => {
                Self { interaction: Some(id.short().to_owned()), ..none }
            }
        }
    }
}

impl Switchable {
    /// The words for what can be switched off.
    pub const KINDS: [&'static str; 4] = ["practice", "capability", "consumer", "interaction"];

    /// Its word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Practice(_) => "practice",
            Self::Capability(..) => "capability",
            Self::Consumer(_) => "consumer",
            Self::Interaction(_) => "interaction",
        }
    }

    /// Its place in a policy; none when it is not registered.
    pub fn find(&self, policy: &Policy) -> Option<Switched> {
        let practice = |code: &OdsCode| policy.find_practice(*code).map(|(index, _)| index);
        match self {
            Self::Practice(code) => practice(code).map(Switched::Practice),
            Self::Capability(code, capability) => {
                practice(code).map(|index| Switched::Capability(index, *capability))
            }
            Self::Consumer(asid) => {
                policy.find_consumer(*asid).map(|(index, _)| Switched::Consumer(index))
            }
            Self::Interaction(id) => Some(Switched::Interaction(*id)),
        }
    }

    /// The answers in memory that it is about. A consumer has none of its own.
    pub fn reaches<'p>(&self, policy: &'p Policy) -> Vec<Reach<'p>> {
        let roots = |code: &OdsCode, is_meant: &dyn Fn(Capability) -> bool| {
            let practice = policy.find_practice(*code).map(|(_, practice)| practice);
            let endpoints = practice.into_iter().flat_map(|practice| practice.endpoints.iter());
            let meant = endpoints.filter(|(capability, _)| is_meant(*capability));
            let mut roots: Vec<_> = meant.map(|(_, endpoint)| &endpoint.service_root).collect();
            roots.dedup();
            roots.into_iter().map(Reach::Root).collect()
        };
        match self {
            Self::Practice(code) => roots(code, &|_| true),
            Self::Capability(code, capability) => roots(code, &|one| one == *capability),
            Self::Consumer(_) => Vec::new(),
            Self::Interaction(id) => vec![Reach::Interaction(*id)],
        }
    }

    /// Whether it would be refused by it.
    pub fn refuses(&self, asked: &Asked) -> bool {
        match self {
            Self::Practice(code) => asked.practice == *code,
            Self::Capability(code, capability) => {
                asked.practice == *code && asked.interaction.row().capability == *capability
            }
            Self::Consumer(asid) => asked.consumer == *asid,
            Self::Interaction(id) => asked.interaction == *id,
        }
    }
}

impl Switches {
    /// Reads the file in `folder`; nothing is switched off when there is none.
    ///
    /// # Errors
    /// What is wrong with the file, which is named.
    pub fn open(folder: &Path) -> Result<Self, String> {
        let path = folder.join(FILE);
        let none = Self { folder: folder.to_owned(), all: Vec::new() };
        let is_missing = |fault: io::Error| fault.kind() == io::ErrorKind::NotFound;
        if fs::symlink_metadata(&path).is_err_and(is_missing) {
            return Ok(none);
        }
        let wrong = |why: String| {
            format!(
                "{}: {why}; the gateway does not start, because what was switched off would be on \
                 again: mend the file, or remove it once you know what stood in it (the journal \
                 tells: kind switch_off)",
                path.display()
            )
        };
        let written: Written = read_file(&path)
            .and_then(|text| {
                serde_json::from_str(&text).map_err(|fault| format!("is damaged: {fault}"))
            })
            .map_err(wrong)?;
        if written.version != VERSION {
            let why = format!("is of version {}, expected {VERSION}", written.version);
            return Err(wrong(why));
        }
        for switch in &written.switches {
            switch.off.read().map_err(|why| wrong(format!("switch {}: {why}", switch.id)))?;
        }
        Ok(Self { all: written.switches, ..none })
    }

    /// Writes them durably in place of what was written before.
    ///
    /// # Errors
    /// When they can't be; what was written before is then still there.
    pub fn save(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let written = Written { version: VERSION, switches: self.all.clone() };
        let text = serde_json::to_string_pretty(&written).map_err(io::Error::other)?;
        let (path, new) = (self.folder.join(FILE), self.folder.join("switches.json.new"));
        let mut options = File::options();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(&self.folder)?.sync_all()
    }

    /// What of it concerns a policy.
    pub fn resolve(&self, policy: &Policy) -> SwitchedOff {
        let mut off = SwitchedOff::default();
        let named = self.all.iter().filter_map(|switch| switch.off.read().ok());
        named.filter_map(|what| what.find(policy)).for_each(|switched| off.add(switched));
        off
    }

    /// What of it `other` has not, and the other way round.
    pub(super) fn unlike(&self, other: &Self) -> Vec<Switchable> {
        let has = |switches: &Self, id: &str| switches.all.iter().any(|switch| switch.id == id);
        let more = self.all.iter().filter(|switch| !has(other, &switch.id));
        let less = other.all.iter().filter(|switch| !has(self, &switch.id));
        more.chain(less).filter_map(|switch| switch.off.read().ok()).collect()
    }

    /// How many there are of each kind.
    pub fn counts(&self) -> [(&'static str, usize); 4] {
        let kinds: Vec<_> = self.all.iter().filter_map(|it| it.off.read().ok()).collect();
        Switchable::KINDS
            .map(|kind| (kind, kinds.iter().filter(|what| what.kind() == kind).count()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(members: [Option<&str>; 4]) -> SwitchableText {
        let [practice, capability, consumer, interaction] =
            members.map(|text| text.map(str::to_owned));
        SwitchableText { practice, capability, consumer, interaction }
    }

    fn switch(off: SwitchableText) -> Switch {
        Switch {
            id: "0a1b2c3d".into(),
            off,
            reason: "supplier's outage".into(),
            owner: "duty desk".into(),
            by: "uid:0".into(),
            since: "2026-11-23T08:00:00Z".parse().unwrap(),
            until: "2026-11-23T09:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn one_thing_is_named() {
        for (name, members, expected) in [
            ("a practice", [Some("A20047"), None, None, None], "practice"),
            ("a capability", [Some("A20047"), Some("appointments"), None, None], "capability"),
            ("a consumer", [None, None, Some("200000000359"), None], "consumer"),
            ("an interaction", [None, None, None, Some("fhir:rest:read:patient-1")], "interaction"),
        ] {
            let text = text(members);
            let read = text.read().unwrap();
            assert_eq!(read.kind(), expected, "{name}");
            assert_eq!(SwitchableText::from(read), text, "{name}");
        }
        for (name, members, expected) in [
            ("nothing", [None; 4], "expected one of practice"),
            ("two", [Some("A20047"), None, Some("200000000359"), None], "expected one of practice"),
            ("no practice", [None, Some("appointments"), None, None], "expected one of practice"),
            (
                "a capability of a consumer",
                [None, Some("appointments"), Some("200000000359"), None],
                "capability: expected practice beside it",
            ),
            ("no code", [Some("a20047"), None, None, None], "practice: expected 3 to 12"),
            ("no capability", [Some("A20047"), Some("x"), None, None], "capability: expected one"),
            ("no ASID", [None, None, Some("2"), None], "consumer: "),
            ("no interaction", [None, None, None, Some("x")], "interaction: expected"),
        ] {
            let fault = text(members).read().unwrap_err();
            assert!(fault.starts_with(expected), "{name}: {fault}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let mut switches = Switches::open(&state).unwrap();
        assert!(switches.all.is_empty());
        switches.all.push(switch(text([Some("A20047"), None, None, None])));
        switches.save().unwrap();
        assert_eq!(Switches::open(&state).unwrap().all, switches.all);
        assert_eq!(switches.counts()[0], ("practice", 1));
        let path = state.join(FILE);
        let good = fs::read_to_string(&path).unwrap();
        for (name, damaged) in [
            ("empty", String::new()),
            ("cut", good.get(..good.len() / 2).unwrap().to_owned()),
            ("another version", good.replace("\"version\": 1", "\"version\": 2")),
            ("a word more", good.replace("\"version\"", "\"x\": 1, \"version\"")),
            ("no code", good.replace("A20047", "a20047")),
        ] {
            fs::write(&path, damaged).unwrap();
            let fault = Switches::open(&state).unwrap_err();
            assert!(fault.contains("state/switches.json: "), "{name}: {fault}");
        }
    }
}
