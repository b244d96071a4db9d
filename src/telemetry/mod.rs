//! What operations see: metrics and the log.
//!
//! Each request ends in one [`Record`]; the log line and the metrics are both made from it, so that
//! they can't disagree. A record holds no patient: no query, no logical id, no token.

mod audit;
mod cache;
mod health;
mod issuers;
mod json;
mod levels;
mod line;
mod metrics;
mod record;
mod resolved;
mod sink;
mod tls;
mod tokens;
mod traffic;

pub use audit::AuditMetrics;
pub use cache::CacheMetrics;
pub use health::Health;
pub use issuers::IssuerMetrics;
pub(crate) use json::Object;
pub use levels::{Levels, NotSet};
pub use line::Style;
pub use metrics::{Metrics, Refused};
pub use record::{Finished, Origin, Record, Result as Verdict};
pub use sink::{LogSink, SinkWriter};
pub use tls::TlsMetrics;
pub use traffic::{AnswerTimes, Asked, Counted, Failed, PracticeState, Traffic};

/// The log and the metrics of one gateway.
#[derive(Debug)]
pub struct Telemetry {
    /// Its metrics.
    pub metrics: Metrics,
    /// The last hour's requests, by who asked what of whom.
    pub traffic: Traffic,
    log: LogSink,
    style: Style,
}

impl Telemetry {
    /// Puts the two together.
    pub fn new(metrics: Metrics, log: LogSink, style: Style) -> Self {
        Self { metrics, traffic: Traffic::default(), log, style }
    }

    /// Counts a finished request and writes its line.
    pub fn finished(&self, record: &Record<'_>) {
        self.metrics.finished(record);
        self.traffic.note(record);
        if !self.log.write(line::request(record, self.style)) {
            self.metrics.log_lines_dropped.inc();
        }
    }
}
