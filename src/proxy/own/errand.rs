//! What there is to ask, by what is registered and what is in memory.

use std::{collections::VecDeque, sync::Arc};

use gpconnect::{
    caching::{Question, Subject},
    facts::Fields,
    forward::Connection,
    interaction::{Capability, InteractionId},
    names::ServiceRoot,
    policy::Endpoint,
};

use crate::{cache::Key, snapshot::Snapshot, telemetry::Own};

/// One question that the gateway has of its own accord.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    /// What for.
    pub(super) own: Own,
    /// Of whom.
    pub(super) root: ServiceRoot,
    pub(super) question: Question,
    /// What stands for the system that answers: of those with one door, one is asked at a time.
    pub(super) door: Arc<str>,
}

impl Errand {
    /// What is asked of whom.
    pub(super) fn key(&self) -> (ServiceRoot, Question) {
        (self.root.clone(), self.question.clone())
    }

    fn new(own: Own, endpoint: &Endpoint, question: Question, snapshot: &Snapshot) -> Option<Self> {
        let upstream = snapshot.upstream(endpoint.upstream)?;
        let root = endpoint.service_root.clone();
        let door = match upstream.connection {
            Connection::Direct => upstream.address.as_str(),
            // Behind a further proxy stand many systems, which it tells apart by their hosts.
            Connection::Proxy => root.authority(),
        };
        Some(Self { own, door: door.into(), root, question })
    }
}

/// The endpoint at a service root that answers an interaction; none when it has moved.
pub(super) fn endpoint<'s>(
    snapshot: &'s Snapshot,
    root: &ServiceRoot,
    id: InteractionId,
) -> Option<&'s Endpoint> {
    let (_, practice) = snapshot.policy.find_practice(root.ods_code())?;
    let endpoint = practice.endpoints.of(id.row().capability)?;
    (endpoint.service_root == *root).then_some(endpoint)
}

/// The errands for answers that are about to be stale.
pub(super) fn refreshes(due: Vec<Key>, snapshot: &Snapshot) -> VecDeque<Errand> {
    let errand = |key: Key| {
        let endpoint = endpoint(snapshot, key.root(), key.question().interaction())?;
        Errand::new(Own::Refresh, endpoint, key.question().clone(), snapshot)
    };
    due.into_iter().filter_map(errand).collect()
}

/// The capability statements of all practices: each service root once, by the first capability that
/// has a statement there.
pub(super) fn statements(snapshot: &Snapshot) -> Vec<Errand> {
    let question = |capability: Capability| {
        let mut all = InteractionId::all();
        let id = all.find(|id| {
            let row = id.row();
            row.kept == Some(Subject::Statement) && row.capability == capability
        })?;
        Question::of(id, "metadata", &Fields::default()).filter(|_| snapshot.policy.carries(id))
    };
    let questions = Capability::ALL.map(|capability| (capability, question(capability)));
    let mut found = Vec::new();
    for practice in snapshot.policy.practices() {
        let own = found.len();
        for (capability, question) in &questions {
            let Some((endpoint, question)) =
                practice.endpoints.of(*capability).zip(question.clone())
            else {
                continue;
            };
            let is_there = |errand: &Errand| errand.root == endpoint.service_root;
            if !found.iter().skip(own).any(is_there) {
                found.extend(Errand::new(Own::Crawl, endpoint, question, snapshot));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Environment;

    fn example() -> Snapshot {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/gateway.toml");
        Snapshot::load(&path, &Environment::default()).unwrap().0
    }

    #[test]
    fn each_statement_of_each_practice_is_an_errand() {
        let snapshot = example();
        let all = statements(&snapshot);
        let told: Vec<_> = all
            .iter()
            .map(|one| (one.root.as_str(), one.question.interaction().short(), &*one.door))
            .collect();
        let (foundations, structured) =
            ("fhir:rest:read:metadata-1", "structured:fhir:rest:read:metadata-1");
        let door = "127.0.0.1:19000";
        assert_eq!(
            told,
            [
                ("https://gp.north.example/A20047/STU3/1/gpconnect", foundations, door),
                ("https://gp.north.example/A20047/STU3/1/gpconnect/structured", structured, door),
                ("https://gp.north.example/B83617/STU3/1/gpconnect", foundations, door),
                (
                    "https://records.example/B83617/STU3/1/gpconnect/structured/fhir",
                    structured,
                    door
                ),
                ("https://gp.north.example/C81007/STU3/1/gpconnect", foundations, door),
            ],
            "appointments share the root of foundations"
        );
        for errand in &all {
            let id = errand.question.interaction();
            assert!(endpoint(&snapshot, &errand.root, id).is_some());
            assert_eq!(errand.question.request(), "metadata");
        }
        let moved = "https://gp.north.example/A20047/STU3/2/gpconnect".parse().unwrap();
        assert!(endpoint(&snapshot, &moved, InteractionId::ReadMetadata).is_none());
    }

    #[test]
    fn behind_a_next_proxy_each_host_is_a_door() {
        let mut snapshot = example();
        snapshot.upstreams[0].connection = Connection::Proxy;
        let doors: Vec<_> =
            statements(&snapshot).iter().map(|errand| errand.door.to_string()).collect();
        let north = "gp.north.example";
        assert_eq!(doors, [north, north, north, "records.example", north]);
    }
}
