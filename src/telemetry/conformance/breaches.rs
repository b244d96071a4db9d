//! What is told of who breaks which rule: the worst offenders, each with its latest examples.

use gpconnect::{interaction::InteractionId, names::OdsCode, observe::Rule};
use serde::Serialize;

use super::{Broken, Conformance, Practice, Seen};
use crate::telemetry::moment;

/// One rule that one organisation breaks.
#[derive(Clone, Debug, Serialize)]
pub struct Breach {
    /// `consumers` or `practices`.
    pub side: &'static str,
    /// Its ODS code.
    pub organisation: String,
    /// The rule's name.
    pub rule: &'static str,
    /// Where it stands.
    pub section: &'static str,
    /// What it looks at.
    pub looks_at: &'static str,
    /// What a provider's supplier does about it.
    pub mend: Option<&'static str>,
    /// How often it was broken.
    pub broken: u64,
    /// Of how many requests, or answers that the rule is about.
    pub of: u64,
    /// The share of the two.
    pub rate: f64,
    /// When it was first broken.
    pub first: String,
    /// When it was last broken.
    pub last: String,
    /// The latest ones, the last first.
    pub examples: Vec<Example>,
}

/// A request that can be looked up in log and journal.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    /// When it came.
    pub at: String,
    /// Its trace id.
    pub trace_id: String,
    /// The interaction.
    pub interaction: Option<&'static str>,
    /// The consumer's system, where a consumer broke the rule.
    pub system: Option<String>,
}

/// What was counted, the most first.
#[derive(Clone, Debug, Serialize)]
pub struct Breaches {
    /// From when on.
    pub since: String,
    /// Requests that found no room to be counted: there may be more of each.
    pub uncounted: u64,
    /// How many there are.
    pub total: usize,
    /// As many of them as were asked for.
    pub breaches: Vec<Breach>,
}

impl Conformance {
    /// The worst offenders among those that `meant` lets through, at most `most`.
    pub fn breaches(&self, most: usize, meant: impl Fn(OdsCode, Rule) -> bool) -> Breaches {
        let ledger = self.counted();
        let (consumers, practices) = (ledger.consumers.iter(), ledger.practices.iter());
        let of_consumers = consumers.flat_map(|(code, consumer)| {
            consumer.broken.iter().map(|broken| (*code, broken, consumer.requests))
        });
        let of_practices = practices.flat_map(|(code, practice)| {
            practice.broken.iter().map(|broken| (*code, broken, practice.judged(broken.rule)))
        });
        let all = of_consumers.chain(of_practices);
        let mut found: Vec<_> = all.filter(|(code, broken, _)| meant(*code, broken.rule)).collect();
        found.sort_by_key(|(code, it, _)| (std::cmp::Reverse(it.count.get()), *code, it.rule));
        Breaches {
            since: moment(ledger.since),
            uncounted: ledger.uncounted,
            total: found.len(),
            breaches: found.iter().take(most).map(|(code, it, of)| it.shown(*code, *of)).collect(),
        }
    }
}

impl Practice {
    fn judged(&self, rule: Rule) -> u64 {
        match rule {
            Rule::Answer(duty) => self.judged.get(duty as usize).copied().unwrap_or_default(),
            Rule::Request(_) => 0,
        }
    }
}

impl Broken {
    fn shown(&self, organisation: OdsCode, of: u64) -> Breach {
        let (rule, count) = (self.rule, self.count.get());
        let last = self.examples.back().map_or(self.first, |seen| seen.at);
        Breach {
            side: rule.side().as_str(),
            organisation: organisation.to_string(),
            rule: rule.name(),
            section: rule.section(),
            looks_at: rule.looks_at(),
            mend: rule.mend(),
            broken: count,
            of,
            rate: share(count, of),
            first: moment(self.first),
            last: moment(last),
            examples: self.examples.iter().rev().map(Seen::shown).collect(),
        }
    }
}

impl Seen {
    fn shown(&self) -> Example {
        Example {
            at: moment(self.at),
            trace_id: self.trace_id.to_string(),
            interaction: self.interaction.map(InteractionId::short),
            system: self.system.map(|asid| asid.to_string()),
        }
    }
}

/// To four digits behind the point.
fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { (part as f64 / of as f64 * 10_000.0).round() / 10_000.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_four_digits() {
        for (part, of, expected) in
            [(0, 0, 0.0), (1, 3, 0.3333), (2, 2, 1.0), (5_000_000_000, 10_000_000_000, 0.5)]
        {
            assert_eq!(share(part, of), expected, "{part} of {of}");
        }
    }
}
