//! What is asked of a journal, and whether a record, or an intent with its outcome, is an answer.

use memchr::memmem::Finder;

use super::fields::{Fields, Member, Side};
use crate::audit::segment::Line;

/// What must be so, all of it.
#[derive(Clone, Debug, Default)]
pub struct Query {
    asked: Vec<Asked>,
    since: Option<String>,
    until: Option<String>,
    /// Whether outcomes do without their intents.
    alone: bool,
}

/// Something of which one value must be there.
#[derive(Clone, Debug)]
struct Asked {
    any: Vec<(Member, String)>,
}

/// A record as it is judged.
pub(super) type Read<'r> = (&'r Line<'r>, &'r Fields<'r>);

impl Query {
    /// Asks for a value.
    pub fn ask(&mut self, member: Member, value: &str) {
        self.ask_any(vec![(member, value.to_owned())]);
    }

    /// Asks for one of these values, of which there must be one.
    pub fn ask_any(&mut self, any: Vec<(Member, String)>) {
        self.asked.push(Asked { any });
    }

    /// Asks for a patient: by the hash of the number, or by that of one of its resources.
    pub fn ask_patient(&mut self, number: &str, resources: impl IntoIterator<Item = String>) {
        let mut any = vec![(Member::NhsNumber, number.to_owned())];
        any.extend(resources.into_iter().map(|resource| (Member::Resource, resource)));
        self.ask_any(any);
    }

    /// Asks for the outcomes that told an id of a patient, by the hash of its number.
    pub(super) fn told(number: &str) -> Self {
        let mut query = Self { alone: true, ..Self::default() };
        query.ask(Member::Learned, number);
        query
    }

    /// Asks for a time, `2026-11-23T08:00:00Z`, both ends included; fractions of a second don't count.
    pub fn between(&mut self, since: Option<&str>, until: Option<&str>) {
        let second = |text: &str| text.get(..19).unwrap_or_default().to_owned();
        (self.since, self.until) = (since.map(second), until.map(second));
    }

    /// Whether records within these seconds may be asked for.
    pub(super) fn overlaps(&self, first: &str, last: &str) -> bool {
        self.since.as_deref().is_none_or(|since| last >= since)
            && self.until.as_deref().is_none_or(|until| first <= until)
    }

    fn is_within(&self, fields: &Fields<'_>) -> bool {
        self.overlaps(fields.second(), fields.second())
    }

    /// Whether an intent may be asked for, whatever its outcome.
    pub(super) fn may_be(&self, intent: Read<'_>) -> bool {
        let known = self.asked.iter().filter(|asked| asked.side() == Side::Request);
        self.is_within(intent.1) && known.into_iter().all(|asked| asked.is_of(intent))
    }

    /// Whether this is asked for: an intent and its outcome, or one of them alone.
    pub(super) fn is(&self, intent: Option<Read<'_>>, outcome: Option<Read<'_>>) -> bool {
        let of = |read: Option<Read<'_>>, asked: &Asked| read.is_some_and(|read| asked.is_of(read));
        let time = intent.or(outcome);
        time.is_some_and(|read| self.is_within(read.1))
            && self.asked.iter().all(|asked| match asked.side() {
                Side::Request => of(intent, asked),
                Side::End => of(outcome, asked),
                Side::Either => of(intent, asked) || of(outcome, asked),
            })
    }

    /// By which terms of the index its records are found: of each list one must be there. Nothing
    /// when it asks for nothing that is indexed.
    pub(super) fn terms(&self) -> Vec<Vec<u64>> {
        let front = self.terms_of(|asked| asked.side() != Side::End);
        if front.is_empty() { self.terms_of(|asked| asked.side() == Side::End) } else { front }
    }

    fn terms_of(&self, side: impl Fn(&Asked) -> bool) -> Vec<Vec<u64>> {
        let indexed = |asked: &&Asked| asked.any.iter().all(|(member, v)| member.is_indexed(v));
        let asked = self.asked.iter().filter(|asked| side(asked)).filter(indexed);
        let terms = asked.map(|asked| asked.any.iter().map(|(member, v)| member.term(v)).collect());
        terms.collect()
    }

    /// Whether an intent may have to be looked up for its outcome: the terms are those of outcomes.
    pub(super) fn is_by_end(&self) -> bool {
        !self.alone && self.terms_of(|asked| asked.side() != Side::End).is_empty()
    }

    /// What one of stands in each record that is not an outcome brought by its intent. Nothing when
    /// there may be others.
    pub(super) fn literals(&self) -> Option<Vec<Finder<'static>>> {
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let usable = |asked: &&Asked| {
            let stands = |(member, value): &(Member, String)| {
                let is_text = *member == Member::TraceId
                    || (self.alone && *member == Member::Learned)
                    || member.side() == Side::Request;
                is_text && value.len() >= 4 && plain(value)
            };
            asked.any.iter().all(stands)
        };
        let asked = self.asked.iter().filter(usable).min_by_key(|asked| asked.rank())?;
        Some(
            asked.any.iter().map(|(_, value)| Finder::new(value.as_bytes()).into_owned()).collect(),
        )
    }
}

impl Asked {
    fn side(&self) -> Side {
        self.any.first().map_or(Side::Either, |(member, _)| member.side())
    }

    fn is_of(&self, (line, fields): Read<'_>) -> bool {
        self.any.iter().any(|(member, value)| fields.has(line, *member, value))
    }

    /// The rarest first.
    fn rank(&self) -> usize {
        const RARE: [Member; 4] =
            [Member::TraceId, Member::NhsNumber, Member::Resource, Member::User];
        let first = self.any.first().map(|(member, _)| *member);
        RARE.iter().position(|rare| Some(*rare) == first).unwrap_or(RARE.len())
    }
}
