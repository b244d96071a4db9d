//! The rules of both sides under one name: those that requests break are checks of the decision,
//! those that answers break are duties.

use super::Duty;
use crate::contract::Check;

/// Who breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Those who ask.
    Consumers,
    /// Those who answer.
    Practices,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Consumers, Self::Practices];

    /// The word for metrics, the admin API and the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consumers => "consumers",
            Self::Practices => "practices",
        }
    }

    /// The side of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|side| side.as_str() == word)
    }
}

/// A rule of the specification that somebody can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// By a request.
    Request(Check),
    /// By an answer.
    Answer(Duty),
}

impl Rule {
    /// All of them, those of requests first.
    pub fn all() -> impl Iterator<Item = Self> {
        let checks = Check::ALL.iter().copied().filter(|check| check.is_of_requests());
        checks.map(Self::Request).chain(Duty::ALL.iter().copied().map(Self::Answer))
    }

    /// The rule of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|rule| rule.name() == name)
    }

    /// Who can break it.
    pub const fn side(self) -> Side {
        match self {
            Self::Request(_) => Side::Consumers,
            Self::Answer(_) => Side::Practices,
        }
    }

    /// Its stable name: no two rules share one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request(check) => check.name(),
            Self::Answer(duty) => duty.name(),
        }
    }

    /// The section of the specification that it stands in.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Request(check) => check.section(),
            Self::Answer(duty) => duty.section(),
        }
    }

    /// What is looked at, in plain words: the rest of a sentence.
    pub const fn looks_at(self) -> &'static str {
        match self {
            Self::Request(check) => check.looks_at(),
            Self::Answer(duty) => duty.looks_at(),
        }
    }

    /// What a provider's supplier does about it. A consumer's is told with each refusal.
    pub const fn mend(self) -> Option<&'static str> {
        match self {
            Self::Request(_) => None,
            Self::Answer(duty) => Some(duty.mend()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_rule_is_found_by_its_name() {
        let names: BTreeSet<_> = Rule::all().map(Rule::name).collect();
        assert_eq!(names.len(), Rule::all().count(), "a name stands for one rule");
        for rule in Rule::all() {
            assert_eq!(Rule::from_name(rule.name()), Some(rule), "{}", rule.name());
            assert_eq!(Side::from_word(rule.side().as_str()), Some(rule.side()));
        }
        for (name, why) in [
            ("load", "what is ours"),
            ("agreement", "what two organisations have not agreed on"),
            ("gateway_switch", "what operations switched off"),
            ("upstream_deadline", "what has no answer"),
            ("", "nothing"),
        ] {
            assert_eq!(Rule::from_name(name), None, "{why}");
        }
    }

    /// gp-connect 9: what a consumer is let off is still counted.
    #[test]
    fn what_may_be_only_reported_is_a_rule() {
        for check in Check::ALL.iter().filter(|check| check.may_be_reported_only()) {
            assert!(check.is_of_requests(), "{}", check.name());
        }
    }
}
