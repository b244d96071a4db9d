//! What the API shows: the gateway's state and that of practices.

use std::collections::BTreeMap;

use gpconnect::policy::Practice;
use serde::Serialize;

use super::{
    api::{Api, Listening},
    cache::CacheState,
};
use crate::telemetry::{PracticeState, moment};

/// `GET /v1/status`.
#[derive(Debug, Serialize)]
pub(super) struct Status<'a> {
    version: &'static str,
    started_at: String,
    ready: bool,
    /// Why it is not ready.
    not_ready: Option<&'static str>,
    generation: u64,
    loaded_at: String,
    directory_age_s: u64,
    practices: usize,
    consumers: usize,
    requests_in_flight: i64,
    listeners: &'a [Listening],
    journal: JournalState,
    cache: CacheState,
    log_levels: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct JournalState {
    writable: bool,
    /// Whether room is kept for how requests end.
    reserve_held: bool,
    waiting_records: i64,
    free_percent: i64,
    unwitnessed_s: i64,
}

/// A practice and how it fares.
#[derive(Debug, Serialize)]
pub(super) struct PracticeShown<'p> {
    ods_code: &'p str,
    name: &'p str,
    gp_connect: bool,
    capabilities: Vec<&'static str>,
    #[serde(flatten)]
    state: PracticeState,
}

/// `GET /v1/practices`.
#[derive(Debug, Serialize)]
pub(super) struct Practices<'p> {
    pub(super) practices: Vec<PracticeShown<'p>>,
}

impl Api {
    pub(super) fn status(&self) -> Status<'_> {
        let snapshot = self.current.load();
        let metrics = &self.telemetry.metrics;
        let not_ready = self.health.unready();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            started_at: moment(self.started),
            ready: not_ready.is_none(),
            not_ready,
            generation: snapshot.generation,
            loaded_at: moment(snapshot.loaded_at),
            // A clock that was set back makes it as good as new.
            directory_age_s: snapshot.loaded_at.elapsed().unwrap_or_default().as_secs(),
            practices: snapshot.policy.practices().len(),
            consumers: snapshot.policy.consumers().len(),
            requests_in_flight: metrics.in_flight.get(),
            listeners: &self.listeners,
            journal: JournalState {
                writable: metrics.audit.writable.get() == 1,
                reserve_held: metrics.audit.reserve_held.get() == 1,
                waiting_records: metrics.audit.waiting.get(),
                free_percent: metrics.audit.free.get(),
                unwitnessed_s: metrics.audit.unwitnessed.get(),
            },
            cache: self.cache_state(),
            log_levels: self.levels.all(),
        }
    }

    pub(super) fn practice<'p>(&self, practice: &'p Practice) -> PracticeShown<'p> {
        let capabilities = practice.enablement.capabilities.iter();
        PracticeShown {
            ods_code: practice.ods_code.as_str(),
            name: &practice.name,
            gp_connect: practice.enablement.gp_connect,
            capabilities: capabilities.map(gpconnect::interaction::Capability::as_str).collect(),
            state: self.telemetry.traffic.practice(practice.ods_code),
        }
    }
}
