//! What practices can be asked, by the statements of their systems that have passed through memory.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use gpconnect::{
    caching::Statement,
    interaction::Capability,
    names::{OdsCode, ServiceRoot},
    policy::{Enablement, Policy},
};
use http::StatusCode;
use serde::Serialize;

use super::{
    answer::{Answer, Problem},
    api::Api,
    query::Query,
};
use crate::{cache::Change, telemetry::moment};

/// `GET /v1/capabilities`.
#[derive(Debug, Serialize)]
struct Map<'p> {
    /// Each that is told, once.
    statements: Vec<StatementShown>,
    /// One of each practice and each capability that it offers.
    capabilities: Vec<Row<'p>>,
}

#[derive(Debug, Serialize)]
struct Row<'p> {
    ods_code: &'p str,
    name: &'p str,
    capability: &'static str,
    /// Whether the practice has it switched on.
    enabled: bool,
    service_root: &'p str,
    /// Its place among the statements; none when none was seen since the start.
    statement: Option<usize>,
    /// When it was seen last.
    seen_at: Option<String>,
    /// Since when nothing else was seen.
    since: Option<String>,
    /// How it stands with keeping it fresh; none where the gateway does not.
    crawl: Option<&'static str>,
    /// Why.
    crawl_fault: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct StatementShown {
    version: Option<String>,
    fhir_version: Option<String>,
    software: Option<String>,
    operations: Vec<String>,
}

/// `GET /v1/capabilities/changes`.
#[derive(Debug, Serialize)]
struct Changes {
    /// What was before is not known.
    known_since: String,
    /// The latest first.
    changes: Vec<ChangeShown>,
}

#[derive(Debug, Serialize)]
struct ChangeShown {
    at: String,
    ods_code: String,
    /// Those that it is about; none when the system has gone from the directory since.
    capabilities: Vec<&'static str>,
    service_root: String,
    before: Versions,
    after: Versions,
    /// Operations that were not there before.
    added: Vec<String>,
    /// Operations that are gone.
    removed: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Versions {
    version: Option<String>,
    fhir_version: Option<String>,
    software: Option<String>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    practice: Option<OdsCode>,
    capability: Option<Capability>,
}

impl Api {
    /// The matrix of practices, capabilities, versions and operations.
    pub(super) fn capabilities(&self, query: &Query) -> Result<Answer, Problem> {
        let snapshot = self.current.load();
        let wanted = Wanted::read(query, &snapshot.policy)?;
        let told = self.cache.statements().told();
        let standings = self.cache.statements().standings();
        let mut map = Map { statements: Vec::new(), capabilities: Vec::new() };
        let mut places = HashMap::new();
        for practice in snapshot.policy.practices().iter().filter(|it| wanted.has(it.ods_code)) {
            for (capability, endpoint) in practice.endpoints.iter() {
                if wanted.capability.is_some_and(|one| one != capability) {
                    continue;
                }
                let known = told.get(&endpoint.service_root);
                let standing = standings.get(&endpoint.service_root);
                let statement = known.map(|told| {
                    let place = places.entry(Arc::as_ptr(&told.statement)).or_insert_with(|| {
                        map.statements.push(shown(&told.statement));
                        map.statements.len() - 1
                    });
                    *place
                });
                map.capabilities.push(Row {
                    ods_code: practice.ods_code.as_str(),
                    name: &practice.name,
                    capability: capability.as_str(),
                    enabled: is_on(practice.enablement, capability),
                    service_root: endpoint.service_root.as_str(),
                    statement,
                    seen_at: known.map(|told| moment(told.at)),
                    since: known.map(|told| moment(told.since)),
                    crawl: standing.map(|standing| standing.as_str()),
                    crawl_fault: standing.and_then(|standing| standing.fault()),
                });
            }
        }
        Ok(Answer::json(StatusCode::OK, &map))
    }

    /// What has changed at which practice, and when.
    pub(super) fn capability_changes(&self, query: &Query) -> Result<Answer, Problem> {
        let snapshot = self.current.load();
        let wanted = Wanted::read(query, &snapshot.policy)?;
        let changes = self.cache.statements().changes();
        let changes = changes.iter().filter(|change| wanted.has(change.root.ods_code()));
        let changes = changes.filter_map(|change| {
            let capabilities = of_root(&snapshot.policy, &change.root);
            let is_meant = wanted.capability.is_none_or(|one| capabilities.contains(&one));
            is_meant.then(|| changed(change, &capabilities))
        });
        let changes = changes.collect();
        let changes = Changes { known_since: moment(self.started), changes };
        Ok(Answer::json(StatusCode::OK, &changes))
    }
}

impl Wanted {
    fn read(query: &Query, policy: &Policy) -> Result<Self, Problem> {
        let practice = query.of("practice").map(str::parse::<OdsCode>).transpose();
        let practice = practice
            .map_err(|fault| Problem::bad("ods_code_invalid", format!("practice: {fault}")))?;
        if practice.is_some_and(|code| policy.find_practice(code).is_none()) {
            let detail = "practice: the directory has no practice of this code";
            return Err(Problem::refused("not_registered", detail));
        }
        let capability = query.of("capability").map(|word| {
            Capability::from_word(word).ok_or_else(|| {
                let all = Capability::ALL.map(Capability::as_str).join(", ");
                Problem::bad("capability_invalid", format!("capability: expected one of {all}"))
            })
        });
        Ok(Self { practice, capability: capability.transpose()? })
    }

    fn has(&self, code: OdsCode) -> bool {
        self.practice.is_none_or(|one| one == code)
    }
}

/// Whether a practice has a capability switched on. Foundations are with the whole.
fn is_on(enablement: Enablement, capability: Capability) -> bool {
    let has_switch = capability != Capability::Foundations;
    enablement.gp_connect && (!has_switch || enablement.capabilities.contains(capability))
}

/// The capabilities that a practice has at a service root.
fn of_root(policy: &Policy, root: &ServiceRoot) -> Vec<Capability> {
    let practice = policy.find_practice(root.ods_code());
    let endpoints = practice.into_iter().flat_map(|(_, practice)| practice.endpoints.iter());
    let here = endpoints.filter(|(_, endpoint)| endpoint.service_root == *root);
    here.map(|(capability, _)| capability).collect()
}

fn changed(change: &Change, capabilities: &[Capability]) -> ChangeShown {
    let operations = |statement: &Statement| -> BTreeSet<String> {
        statement.operations.iter().map(ToString::to_string).collect()
    };
    let (before, after) = (operations(&change.before), operations(&change.after));
    ChangeShown {
        at: moment(change.at),
        ods_code: change.root.ods_code().to_string(),
        capabilities: capabilities.iter().map(|one| one.as_str()).collect(),
        service_root: change.root.as_str().to_owned(),
        before: versions(&change.before),
        after: versions(&change.after),
        added: after.difference(&before).cloned().collect(),
        removed: before.difference(&after).cloned().collect(),
    }
}

fn versions(statement: &Statement) -> Versions {
    let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    let Statement { version, fhir_version, software, operations: _ } = statement;
    Versions { version: text(version), fhir_version: text(fhir_version), software: text(software) }
}

fn shown(statement: &Statement) -> StatementShown {
    let Versions { version, fhir_version, software } = versions(statement);
    let operations = statement.operations.iter().map(ToString::to_string).collect();
    StatementShown { version, fhir_version, software, operations }
}
