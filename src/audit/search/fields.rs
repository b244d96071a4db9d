//! What a record is searched by: the one reading of a line that searches and the index share, so
//! that the one can't find what the other does not.

use std::borrow::Cow;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::audit::segment::Line;

/// Something that records are searched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// The kind of record.
    Kind,
    /// `allowed` or `refused`.
    Decision,
    /// The trace id.
    TraceId,
    /// The ASID of the system that asks.
    Consumer,
    /// The organisation of that system.
    Organisation,
    /// The ODS code of the practice.
    Practice,
    /// The interaction.
    Interaction,
    /// The keyed hash of a patient's NHS number.
    NhsNumber,
    /// The keyed hash of a resource.
    Resource,
    /// The keyed hash of a user.
    User,
    /// How the request ended, in a word.
    Result,
    /// The HTTP status.
    Status,
    /// The word for what went wrong.
    Fault,
    /// The keyed hash of an NHS number of which an answer told an id.
    Learned,
    /// The intent that an outcome is of.
    Intent,
}

/// Which record of an access says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Its intent.
    Request,
    /// Its outcome.
    End,
    /// Either.
    Either,
}

impl Member {
    pub(super) const ALL: [Self; 15] = [
        Self::Kind,
        Self::Decision,
        Self::TraceId,
        Self::Consumer,
        Self::Organisation,
        Self::Practice,
        Self::Interaction,
        Self::NhsNumber,
        Self::Resource,
        Self::User,
        Self::Result,
        Self::Status,
        Self::Fault,
        Self::Learned,
        Self::Intent,
    ];

    pub(super) const fn side(self) -> Side {
        match self {
            Self::Consumer
            | Self::Organisation
            | Self::Practice
            | Self::Interaction
            | Self::NhsNumber
            | Self::Resource
            | Self::User => Side::Request,
            Self::Result | Self::Status | Self::Fault | Self::Learned | Self::Intent => Side::End,
            Self::Kind | Self::Decision | Self::TraceId => Side::Either,
        }
    }

    /// Whether the index has places for it: not for what half of all records say.
    pub(super) fn is_indexed(self, value: &str) -> bool {
        match self {
            Self::Kind => !matches!(value, "intent" | "outcome"),
            Self::Decision => value == REFUSED,
            Self::TraceId
            | Self::Consumer
            | Self::Organisation
            | Self::Practice
            | Self::Interaction
            | Self::NhsNumber
            | Self::Resource
            | Self::User
            | Self::Result
            | Self::Status
            | Self::Fault
            | Self::Learned
            | Self::Intent => true,
        }
    }

    /// What the index knows a value by: part of a hash of what stands in the record, which for
    /// patients and users is a keyed hash itself.
    pub(super) fn term(self, value: &str) -> u64 {
        let hash: [u8; 32] =
            Sha256::new().chain_update([self as u8]).chain_update(value).finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// The word for what was let pass.
pub const ALLOWED: &str = "allowed";
/// The word for what was not.
pub const REFUSED: &str = "refused";

/// Text of a record, borrowed from its line where it needs no unescaping.
#[derive(Debug, Default, Deserialize)]
struct Text<'l>(#[serde(borrow)] Cow<'l, str>);

#[derive(Debug, Default, Deserialize)]
struct Hashes<'l> {
    #[serde(borrow, default)]
    nhs_number: Vec<Text<'l>>,
    #[serde(borrow)]
    resource: Option<Text<'l>>,
    #[serde(borrow)]
    user: Option<Text<'l>>,
}

#[derive(Debug, Deserialize)]
struct Learned<'l> {
    #[serde(borrow)]
    nhs_number: Text<'l>,
    #[serde(borrow)]
    resource: Text<'l>,
}

/// What a record says, as far as it is searched by.
#[derive(Debug, Deserialize)]
pub struct Fields<'l> {
    #[serde(borrow, default)]
    time: Text<'l>,
    #[serde(borrow)]
    trace_id: Option<Text<'l>>,
    #[serde(borrow)]
    consumer: Option<Text<'l>>,
    #[serde(borrow)]
    organisation: Option<Text<'l>>,
    #[serde(borrow)]
    practice: Option<Text<'l>>,
    #[serde(borrow)]
    interaction: Option<Text<'l>>,
    #[serde(borrow, default)]
    hashes: Hashes<'l>,
    #[serde(borrow)]
    result: Option<Text<'l>>,
    status: Option<u64>,
    #[serde(borrow)]
    fault: Option<Text<'l>>,
    #[serde(borrow, default)]
    learned: Vec<Learned<'l>>,
}

impl<'l> Fields<'l> {
    /// Reads them from a record; none when that is none.
    pub fn read(line: &'l [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// The record's time up to the second: moments in UTC compare as their texts do.
    pub fn second(&self) -> &str {
        self.time.0.get(..19).unwrap_or_default()
    }

    /// Calls `each` with every value that the record has for a member.
    pub fn values(&self, line: &Line<'_>, member: Member, each: &mut dyn FnMut(&str)) {
        let one = match member {
            Member::Kind => return each(line.kind),
            Member::Decision => return decision(line.kind).iter().for_each(|word| each(word)),
            Member::NhsNumber => {
                return self.hashes.nhs_number.iter().for_each(|hash| each(&hash.0));
            }
            Member::Learned => {
                return self.learned.iter().for_each(|told| each(&told.nhs_number.0));
            }
            Member::Status => return self.status.iter().for_each(|code| each(&code.to_string())),
            Member::Intent => {
                return line.intent.iter().for_each(|intent| each(&intent.to_string()));
            }
            Member::TraceId => &self.trace_id,
            Member::Consumer => &self.consumer,
            Member::Organisation => &self.organisation,
            Member::Practice => &self.practice,
            Member::Interaction => &self.interaction,
            Member::Resource => &self.hashes.resource,
            Member::User => &self.hashes.user,
            Member::Result => &self.result,
            Member::Fault => &self.fault,
        };
        one.iter().for_each(|text| each(&text.0));
    }

    /// Whether the record says this.
    pub fn has(&self, line: &Line<'_>, member: Member, value: &str) -> bool {
        let mut has = false;
        self.values(line, member, &mut |one| has |= one == value);
        has
    }

    /// The hashes of the resources that an answer told to be this patient's.
    pub fn resources_of<'s>(&'s self, number: &'s str) -> impl Iterator<Item = &'s str> {
        let told = self.learned.iter().filter(move |told| told.nhs_number.0 == number);
        told.map(|told| &*told.resource.0)
    }
}

fn decision(kind: &str) -> Option<&'static str> {
    match kind {
        "intent" | "outcome" => Some(ALLOWED),
        "refusal" | "refusals" => Some(REFUSED),
        _ => None,
    }
}
