//! What operations see: metrics and the log.
//!
//! Each request ends in one [`Record`]; the log line and the metrics are both made from it, so that
//! they can't disagree. A record holds no patient: no query, no logical id, no token.

mod audit;
mod cache;
mod conformance;
mod families;
mod health;
mod hour;
mod issuers;
mod json;
mod levels;
mod line;
mod logfmt;
mod metrics;
mod own;
mod patients;
mod practices;
mod process;
mod record;
mod registered;
mod resolved;
mod sink;
mod sketch;
mod tls;
mod tokens;
mod traces;
mod traffic;

use std::time::SystemTime;

use crossbeam_queue::ArrayQueue;
use gpconnect::{
    names::{Asid, OdsCode},
    patients::Patients,
};
use jiff::Timestamp;

pub use audit::AuditMetrics;
pub use cache::CacheMetrics;
pub use conformance::{Breach, Breaches, Conformance, Example, Noted};
pub use families::Refused;
pub use health::{Condition, Health};
pub use issuers::IssuerMetrics;
pub(crate) use json::Object;
pub use levels::{Levels, NotSet};
pub use line::Style;
pub use metrics::Metrics;
pub use own::{OwnMetrics, STANDINGS};
#[cfg(test)]
pub(crate) use record::example;
pub use record::{Finished, Origin, Own, Record, Result as Verdict, SpanIds};
pub use registered::InUse;
pub use sink::{LogSink, SinkWriter};
pub use tls::TlsMetrics;
pub use traces::TraceMetrics;
pub use traffic::{AnswerTimes, Asked, Counted, Failed, PracticeState, Traffic};

/// The log and the metrics of one gateway.
#[derive(Debug)]
pub struct Telemetry {
    /// Its metrics.
    pub metrics: Metrics,
    /// The last hour's requests, by who asked what of whom.
    pub traffic: Traffic,
    patients: patients::PatientsNamed,
    log: LogSink,
    style: Style,
}

impl Telemetry {
    /// Puts the two together.
    pub fn new(metrics: Metrics, log: LogSink, style: Style) -> Self {
        let (traffic, patients) = (Traffic::default(), patients::PatientsNamed::default());
        Self { metrics, traffic, patients, log, style }
    }

    /// Counts what requests have left to be counted. For a task that runs each second.
    pub fn count(&self) {
        self.traffic.count();
        self.patients.count();
    }

    /// Every metric in the text format of Prometheus. It counts: not for a thread that carries
    /// requests.
    ///
    /// # Errors
    /// [`Refused`] when a family can't be written.
    pub fn exposition(&self) -> Result<Vec<u8>, Refused> {
        self.metrics.fan_out(&self.traffic.fan_out(), &self.patients.fan_out());
        self.metrics.text()
    }

    /// Takes note of whom a request named that a consumer system was let send to a practice. Who that is
    /// is not kept.
    pub fn named(
        &self,
        consumer: Asid,
        practice: OdsCode,
        patients: &Patients,
        fhir_request: &str,
    ) {
        self.patients.note(consumer, practice, patients, fhir_request);
    }

    /// Counts a finished request and writes its line. Those of the gateway itself are counted apart: they
    /// say nothing of how consumers fare.
    pub fn finished(&self, record: &Record<'_>) {
        if record.own.is_none() {
            self.metrics.finished(record);
            self.traffic.note(record);
        }
        if !self.log.write(line::request(record, self.style)) {
            self.metrics.log_lines_dropped.inc();
        }
    }
}

/// RFC 3339 in UTC, to the millisecond.
pub(crate) fn moment(at: SystemTime) -> String {
    Timestamp::try_from(at).map(|at| format!("{at:.3}")).unwrap_or_default()
}

/// What waits in a queue. What comes in meanwhile is for the next time: this ends.
fn waiting<T>(queue: &ArrayQueue<T>) -> impl Iterator<Item = T> {
    (0..queue.len()).map_while(|_| queue.pop())
}
