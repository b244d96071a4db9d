//! Who breaks which rule of the specification: `GET /v1/conformance`.

use std::collections::BTreeMap;

use gpconnect::{
    names::OdsCode,
    observe::{Rule, Side},
};
use http::StatusCode;
use serde::Serialize;

use super::{
    answer::{Answer, Problem},
    api::Api,
    query::Query,
};
use crate::{snapshot::Snapshot, telemetry::Breach};

/// How many rows are shown when nobody says how many, and at most.
const USUAL: usize = 100;
const MOST: usize = 10_000;

/// What is to be shown.
#[derive(Debug, Default, PartialEq, Eq)]
struct Meant {
    side: Option<Side>,
    rule: Option<Rule>,
    organisation: Option<OdsCode>,
    most: Option<usize>,
}

/// `GET /v1/conformance`.
#[derive(Debug, Serialize)]
struct Shown<'s> {
    since: String,
    /// Requests that found no room to be counted: there may be more of each.
    uncounted: u64,
    /// How many rows there are, of which these are the first.
    total: usize,
    breaches: Vec<Row<'s>>,
}

#[derive(Debug, Serialize)]
struct Row<'s> {
    #[serde(flatten)]
    breach: Breach,
    /// What the directory calls the organisation.
    name: Option<&'s str>,
    /// Where the systems of a practice stand: whose supplier is to be called.
    upstreams: Vec<&'s str>,
}

impl Api {
    /// The worst offenders first.
    pub(super) fn conformance(&self, query: &Query) -> Result<Answer, Problem> {
        let meant = Meant::read(query)?;
        let snapshot = self.current.load();
        if meant.organisation.is_some_and(|code| snapshot.organisation(code).is_none()) {
            let detail = "the directory has no such organisation";
            return Err(Problem::refused("organisation_unknown", detail));
        }
        let most = meant.most.unwrap_or(USUAL);
        let found = self.telemetry.metrics.conformance.breaches(most, |organisation, rule| {
            meant.side.is_none_or(|side| side == rule.side())
                && meant.rule.is_none_or(|one| one == rule)
                && meant.organisation.is_none_or(|one| one == organisation)
        });
        let names = snapshot.organisations.iter();
        let names: BTreeMap<_, _> = names.map(|it| (it.ods_code, it.name.as_str())).collect();
        let row = |breach: Breach| {
            let code = breach.organisation.parse().ok();
            let is_practice = breach.side == Side::Practices.as_str();
            Row {
                name: code.and_then(|code| names.get(&code).copied()),
                upstreams: code
                    .filter(|_| is_practice)
                    .map(|it| upstreams(&snapshot, it))
                    .unwrap_or_default(),
                breach,
            }
        };
        let shown = Shown {
            since: found.since,
            uncounted: found.uncounted,
            total: found.total,
            breaches: found.breaches.into_iter().map(row).collect(),
        };
        Ok(Answer::json(StatusCode::OK, &shown))
    }
}

/// The names of the upstreams that a practice is reached by.
fn upstreams(snapshot: &Snapshot, code: OdsCode) -> Vec<&str> {
    let practice = snapshot.policy.find_practice(code).map(|(_, practice)| practice);
    let endpoints = practice.into_iter().flat_map(|practice| practice.endpoints.iter());
    let indexes = endpoints.map(|(_, endpoint)| endpoint.upstream);
    let mut names: Vec<_> =
        indexes.filter_map(|it| Some(snapshot.upstream(it)?.name.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Meant {
    fn read(query: &Query) -> Result<Self, Problem> {
        Ok(Self {
            side: query.of("side").map(side).transpose()?,
            rule: query.of("rule").map(rule).transpose()?,
            organisation: query.of("organisation").map(organisation).transpose()?,
            most: query.of("most").map(most).transpose()?,
        })
    }
}

fn side(value: &str) -> Result<Side, Problem> {
    let fault = || Problem::bad("side_unknown", "side: expected consumers or practices");
    Side::from_word(value).ok_or_else(fault)
}

fn rule(value: &str) -> Result<Rule, Problem> {
    Rule::from_name(value).ok_or_else(|| {
        let all: Vec<_> = Rule::all().map(Rule::name).collect();
        Problem::bad("rule_unknown", format!("rule: expected one of {}", all.join(", ")))
    })
}

fn organisation(value: &str) -> Result<OdsCode, Problem> {
    value
        .parse()
        .map_err(|fault| Problem::bad("ods_code_invalid", format!("organisation: {fault}")))
}

fn most(value: &str) -> Result<usize, Problem> {
    let number = value.parse().ok().filter(|number| (1..=MOST).contains(number));
    let fault = || Problem::bad("number_invalid", format!("most: expected 1 to {MOST}"));
    number.ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_what_is_meant() {
        let known = ["side", "rule", "organisation", "most"].map(|name| (name, ""));
        let read = |query| Meant::read(&Query::read(Some(query), &known)?);
        let meant = read("side=practices&rule=no_store&organisation=A20047&most=7").unwrap();
        let expected = Meant {
            side: Some(Side::Practices),
            rule: Rule::from_name("no_store"),
            organisation: "A20047".parse().ok(),
            most: Some(7),
        };
        assert_eq!(meant, expected);
        assert_eq!(read("").unwrap(), Meant::default());
        for (query, fault) in [
            ("side=both", "side_unknown"),
            ("rule=load", "rule_unknown"),
            ("organisation=a20047", "ods_code_invalid"),
            ("most=0", "number_invalid"),
            ("most=10001", "number_invalid"),
            ("most=-1", "number_invalid"),
            ("x=1", "query_unknown"),
            ("side", "side_unknown"),
            ("most=1&most=1", "query_unknown"),
        ] {
            assert_eq!(read(query).unwrap_err().fault, fault, "{query}");
        }
    }
}
