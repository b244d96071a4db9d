//! What a reload changed, for the log.

use std::fmt;

use gpconnect::{
    names::{Asid, OdsCode, ServiceRoot},
    policy::Endpoint,
};
use serde::Serialize;

use super::{Snapshot, Startup};

/// What is different in a new snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// The generation of the new one.
    pub generation: u64,
    /// ODS codes of practices that were not there before.
    pub practices_added: Vec<String>,
    /// ODS codes of practices that are gone.
    pub practices_removed: Vec<String>,
    /// ASIDs of consumer systems that were not there before.
    pub consumers_added: Vec<String>,
    /// ASIDs of consumer systems that are gone.
    pub consumers_removed: Vec<String>,
    /// Sections of gateway.toml whose change needs a restart to take effect.
    pub restart_needed: Vec<&'static str>,
}

impl Changes {
    /// Compares `new` with `old`, which was in use until then.
    pub(super) fn between(old: &Snapshot, new: &Snapshot) -> Self {
        let has_practice =
            |snapshot: &Snapshot, code: OdsCode| snapshot.policy.find_practice(code).is_some();
        let practices = |of: &Snapshot, without: &Snapshot| {
            let codes = of.policy.practices().iter().map(|practice| practice.ods_code);
            codes
                .filter(|code| !has_practice(without, *code))
                .map(|code| code.to_string())
                .collect()
        };
        let has_consumer =
            |snapshot: &Snapshot, asid: Asid| snapshot.policy.find_consumer(asid).is_some();
        let consumers = |of: &Snapshot, without: &Snapshot| {
            let asids = of.policy.consumers().iter().map(|consumer| consumer.asid);
            asids
                .filter(|asid| !has_consumer(without, *asid))
                .map(|asid| asid.to_string())
                .collect()
        };
        Self {
            generation: old.generation + 1,
            practices_added: practices(new, old),
            practices_removed: practices(old, new),
            consumers_added: consumers(new, old),
            consumers_removed: consumers(old, new),
            restart_needed: restart_needed(&old.startup, &new.startup),
        }
    }
}

/// The service roots of `old` behind which something is not as it was: the system, how it is
/// reached, what it may be asked, the practice's switches.
pub fn moved(old: &Snapshot, new: &Snapshot) -> Vec<ServiceRoot> {
    let mut moved = Vec::new();
    for practice in old.policy.practices() {
        let successor = new.policy.find_practice(practice.ods_code).map(|(_, found)| found);
        let as_it_was = successor.filter(|found| found.enablement == practice.enablement);
        for (capability, endpoint) in practice.endpoints.iter() {
            let successor = as_it_was.and_then(|found| found.endpoints.of(capability));
            let is_same = |found: &Endpoint| {
                found.service_root == endpoint.service_root
                    && found.asid == endpoint.asid
                    && found.interactions == endpoint.interactions
                    && new.upstream(found.upstream) == old.upstream(endpoint.upstream)
            };
            if !successor.is_some_and(is_same) && moved.last() != Some(&endpoint.service_root) {
                moved.push(endpoint.service_root.clone());
            }
        }
    }
    moved
}

fn restart_needed(old: &Startup, new: &Startup) -> Vec<&'static str> {
    let sections = [
        ("server", old.server != new.server),
        ("listener", old.listeners != new.listeners),
        ("observe", old.observe != new.observe),
        ("admin", old.admin != new.admin),
        ("log", old.log != new.log),
        ("audit", old.audit != new.audit),
        ("cache.bytes", old.cache_bytes != new.cache_bytes),
        ("traces", old.collector != new.collector),
    ];
    sections.into_iter().filter(|(_, changed)| *changed).map(|(section, _)| section).collect()
}

impl fmt::Display for Changes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "generation {}: practices +{} -{}, consumers +{} -{}",
            self.generation,
            self.practices_added.len(),
            self.practices_removed.len(),
            self.consumers_added.len(),
            self.consumers_removed.len(),
        )?;
        if !self.restart_needed.is_empty() {
            write!(out, "; changes of {} need a restart", self.restart_needed.join(", "))?;
        }
        Ok(())
    }
}
