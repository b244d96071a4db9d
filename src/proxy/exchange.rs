//! What is kept of one request between the engine's hooks.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use gpconnect::{
    Decision, Permit, Rejection, Seen,
    caching::Use,
    contract::CheckSet,
    decide::Filled,
    forward,
    names::{FromCaller, TokenId, TraceId},
    outcome::Style,
    patients::Patients,
    rejection::Reason,
    token::{Observed, Said},
};
use prometheus::IntGauge;
use uuid::Uuid;

use super::{
    answer::Answer, assist::Assisted, error_copy::ErrorCopy, observe::Watched, service::Shared,
    watch::AnswerWatch,
};
use crate::{
    audit::{Journal, Ticket},
    snapshot::Snapshot,
    telemetry::{Finished, Origin, Own, Record, Telemetry},
    tls::ClientCertificate,
    traces::{Trace, Traces},
};

/// One request and its answer. Dropping it writes its line, counts it and puts its end into the
/// journal, so that no exchange goes unrecorded, whatever ended it.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) listener: Arc<str>,
    /// What for, where the gateway asks of its own accord.
    pub(super) own: Option<Own>,
    pub(super) random: [u8; 16],
    pub(super) client: Option<IpAddr>,
    pub(super) seen: Option<Seen>,
    pub(super) permit: Option<Permit>,
    /// Whom query and body name: for the journal, and its word for the log.
    pub(super) patients: Patients,
    /// What its token says, for the journal.
    pub(super) said: Option<Said>,
    /// The intent that the journal has of it: it owes an outcome.
    pub(super) ticket: Option<Ticket>,
    /// Verb, path and query of one that was refused, and a line for each of the headers that say
    /// from whom, to whom and what for: for the journal.
    pub(super) refused: Option<FromCaller<Box<str>>>,
    /// What is wrong with the request but only reported.
    pub(super) reported: Vec<Reason>,
    /// What it was refused for, as far as that is for its sender to mend.
    pub(super) broken: CheckSet,
    pub(super) outgoing: Option<super::request::Outgoing>,
    /// How it fared with the cache, where its answers may be kept.
    pub(super) cache: Option<Use>,
    /// What ended it, when the provider's whole answer did not.
    pub(super) fault: Option<Fault>,
    pub(super) status: Option<u16>,
    /// Whether the engine came to its end, with or without a fault.
    pub(super) ended: bool,
    pub(super) received: usize,
    pub(super) sent: usize,
    pub(super) tries: u8,
    pub(super) upstream_reused: Option<bool>,
    pub(super) sent_upstream: Option<Instant>,
    pub(super) upstream: Option<Duration>,
    /// A copy of the answer, where it says which patient has which id: for the journal.
    pub(super) copy: Option<Vec<u8>>,
    /// What was seen of the provider's answer.
    pub(super) watched: Option<Watched>,
    /// What the answer's body goes through, for consumers in assist mode.
    pub(super) assisted: Option<Assisted>,
    /// Why the provider's answer is replaced by one of ours.
    pub(super) unreadable: Option<Reason>,
    /// A copy of an error, to tell whose it is and what it breaks.
    pub(super) error: Option<Box<ErrorCopy>>,
    /// What the next proxy said, if it answered itself.
    pub(super) refused_by_next_proxy: Option<&'static str>,
    pub(super) watch: Option<Arc<AnswerWatch>>,
    /// The caller's certificate, when it has one.
    pub(super) certificate: Option<Arc<ClientCertificate>>,
    at: SystemTime,
    started: Instant,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) journal: Arc<Journal>,
    /// What makes spans, where there is a collector for them.
    pub(super) traces: Option<Arc<Traces>>,
    pub(super) trace: Trace,
    _in_flight: InFlight,
}

/// What the front knows of an exchange and hands to the engine's hooks.
#[derive(Clone, Debug)]
pub(super) struct FromFront {
    pub(super) watch: Arc<AnswerWatch>,
    pub(super) certificate: Option<Arc<ClientCertificate>>,
}

/// What went wrong, for log and metrics.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) word: &'static str,
    pub(super) note: Option<String>,
}

impl From<&Reason> for Fault {
    fn from(reason: &Reason) -> Self {
        Self { word: reason.word(), note: Some(reason.note()) }
    }
}

impl Exchange {
    /// One that came in through a listener.
    pub(super) fn new(
        snapshot: Arc<Snapshot>,
        telemetry: Arc<Telemetry>,
        journal: Arc<Journal>,
        traces: Option<Arc<Traces>>,
        listener: Arc<str>,
    ) -> Self {
        Self::begin(snapshot, telemetry, journal, traces, listener, None)
    }

    /// One that the gateway begins itself. It takes no place of a consumer's.
    pub(super) fn of_our_own(snapshot: Arc<Snapshot>, shared: &Shared, own: Own) -> Self {
        let (telemetry, journal) = (Arc::clone(&shared.telemetry), Arc::clone(&shared.journal));
        let traces = shared.traces.clone();
        Self::begin(snapshot, telemetry, journal, traces, Arc::default(), Some(own))
    }

    fn begin(
        snapshot: Arc<Snapshot>,
        telemetry: Arc<Telemetry>,
        journal: Arc<Journal>,
        traces: Option<Arc<Traces>>,
        listener: Arc<str>,
        own: Option<Own>,
    ) -> Self {
        let metrics = &telemetry.metrics;
        let in_flight = if own.is_some() { &metrics.own.in_flight } else { &metrics.in_flight };
        Self {
            snapshot,
            listener,
            own,
            random: Uuid::new_v4().into_bytes(),
            client: None,
            seen: None,
            permit: None,
            patients: Patients::None,
            said: None,
            ticket: None,
            refused: None,
            reported: Vec::new(),
            broken: CheckSet::default(),
            outgoing: None,
            cache: None,
            fault: None,
            status: None,
            ended: false,
            received: 0,
            sent: 0,
            tries: 0,
            upstream_reused: None,
            sent_upstream: None,
            upstream: None,
            copy: None,
            watched: None,
            assisted: None,
            unreadable: None,
            error: None,
            refused_by_next_proxy: None,
            watch: None,
            certificate: None,
            at: SystemTime::now(),
            started: Instant::now(),
            _in_flight: InFlight::enter(in_flight),
            telemetry,
            journal,
            traces,
            trace: Trace::default(),
        }
    }

    /// Takes over what stages 2 to 8 found; gives what they decided.
    ///
    /// # Errors
    /// Why it may not pass.
    pub(super) fn decided(&mut self, decision: Decision) -> Result<Permit, Box<Rejection>> {
        self.seen = Some(decision.seen);
        self.patients = decision.patients;
        self.said = decision.said;
        self.reported = decision.reported;
        decision.outcome
    }

    /// When its head was complete.
    pub(super) const fn at(&self) -> SystemTime {
        self.at
    }

    /// How long it may still take.
    pub(super) fn remaining(&self) -> Duration {
        self.snapshot.timeouts.exchange.saturating_sub(self.started.elapsed())
    }

    /// The trace id for answers: the one sent, or our own.
    pub(super) fn trace_id(&self) -> TraceId {
        self.seen.map_or_else(|| TraceId::from_random(self.random), |seen| seen.trace_id)
    }

    /// Takes note of what its sender has to mend.
    pub(super) fn broke(&mut self, rejection: &Rejection) {
        let reasons = std::iter::once(&rejection.reason).chain(&rejection.also);
        let checks = reasons.map(Reason::check).filter(|check| check.is_of_requests());
        self.broken.extend(checks);
    }

    /// How answers of our own are written.
    pub(super) fn style(&self) -> Style {
        Style {
            format: self.seen.map(|seen| seen.format).unwrap_or_default(),
            wording: self.snapshot.wording,
        }
    }

    /// The URL that the request goes to, without its query: for error texts.
    pub(super) fn url(&self) -> Option<String> {
        let permit = self.permit.as_ref()?;
        Some(forward::url(permit, forward::endpoint(permit, &self.snapshot.policy)?))
    }

    fn finished(&self) -> Finished {
        match (&self.permit, &self.fault) {
            (Some(_), None) => Finished::Answered,
            (Some(_), Some(_)) => Finished::Failed,
            (None, _) => Finished::Refused,
        }
    }

    /// Whose access token it came with, and that token's id.
    pub(super) fn access_token(&self) -> (Option<&str>, Option<TokenId>) {
        let token = self.seen.map(|seen| seen.token).unwrap_or_default();
        let issuer = token.issuer.and_then(|index| self.snapshot.policy.issuer(index));
        (issuer.map(|issuer| issuer.name.as_str()), token.token_id)
    }

    fn origin(&self) -> Origin {
        use Use::{Bypass, Hit, Miss, Refresh, Revalidated, Shared, Stale};
        match self.cache {
            Some(Hit | Stale | Refresh | Revalidated | Shared) if self.fault.is_none() => {
                Origin::Cache
            }
            Some(Hit | Stale | Refresh | Revalidated | Shared | Miss | Bypass) | None
                if self.upstream.is_some() && self.status.is_some() =>
            {
                self.refused_by_next_proxy.map_or(Origin::Provider, |_| Origin::NextProxy)
            }
            _ => Origin::Gateway,
        }
    }

    fn record(&self) -> Record<'_> {
        let policy = &self.snapshot.policy;
        let consumer = self.seen.and_then(|seen| policy.consumer(seen.consumer?));
        let practice = self.seen.and_then(|seen| {
            let index = seen.practice?;
            Some((index, policy.practice(index)?))
        });
        let endpoint = practice.and_then(|(_, practice)| {
            practice.endpoints.of(self.seen?.interaction?.row().capability)
        });
        Record {
            at: self.at,
            listener: &self.listener,
            own: self.own,
            trace_id: Some(self.trace_id()),
            client: self.client,
            form: self.seen.and_then(|seen| seen.form),
            interaction: self.seen.and_then(|seen| seen.interaction),
            consumer: consumer.map(|consumer| consumer.asid),
            organisation: consumer.map(|consumer| consumer.organisation),
            organisation_name: consumer.map(|consumer| consumer.organisation_name.as_str()),
            practice: practice.map(|(index, practice)| (index, practice.ods_code)),
            practice_name: practice.map(|(_, practice)| practice.name.as_str()),
            provider: endpoint.map(|endpoint| endpoint.asid),
            token: self.seen.map(|seen| seen.token).unwrap_or_default(),
            issuer: self.access_token().0,
            filled: self.permit.as_ref().map(Permit::filled).unwrap_or_default(),
            status: self.status,
            origin: self.origin(),
            cache: self.cache,
            finished: self.finished(),
            fault: self.fault.as_ref().map(|fault| fault.word),
            note: self
                .fault
                .as_ref()
                .map_or_else(|| self.note_of_next_proxy(), |fault| fault.note.clone()),
            next_proxy: self.next_proxy(),
            patients: self.patients.any().then(|| self.patients.word()),
            reported: &self.reported,
            broken: self.broken,
            observed: self.observed(),
            duration: self.started.elapsed(),
            upstream: self.upstream,
            upstream_reused: self.upstream_reused,
            tries: self.tries,
            received: self.received,
            sent: self.sent,
            generation: self.snapshot.generation,
            span: None,
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.ended && self.fault.is_none() {
            // The exchange's deadline, or a panic, ended it between two hooks.
            let note = Some("ended before the answer was complete".into());
            self.fault = Some(Fault { word: "cut", note });
        }
        self.tell_whose();
        let mut trace = std::mem::take(&mut self.trace);
        let mut record = self.record();
        if let Some(traces) = &self.traces {
            record.span = trace.end(traces, &record, self.snapshot.sampling.slow);
        }
        self.telemetry.finished(&record);
        if let (Some(permit), Some(consumer), Some((_, practice))) =
            (&self.permit, record.consumer, record.practice)
        {
            self.telemetry.named(consumer, practice, &self.patients, permit.fhir_request());
        }
        self.put_down(&record);
    }
}

/// Counts itself while it lives.
#[derive(Debug)]
pub(super) struct InFlight(IntGauge);

impl InFlight {
    pub(super) fn enter(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What was refused before there was an exchange; without an answer, the connection just ended.
pub(super) fn refused_at_front<'r>(
    listener: &'r str,
    reason: &Reason,
    trace_id: TraceId,
    client: Option<IpAddr>,
    answer: Option<&Answer>,
    generation: u64,
) -> Record<'r> {
    Record {
        at: SystemTime::now(),
        listener,
        own: None,
        trace_id: Some(trace_id),
        client,
        form: None,
        interaction: None,
        consumer: None,
        organisation: None,
        organisation_name: None,
        practice: None,
        practice_name: None,
        provider: None,
        token: Observed::default(),
        issuer: None,
        filled: Filled::default(),
        status: answer.map(Answer::status),
        origin: Origin::Gateway,
        cache: None,
        finished: Finished::Refused,
        fault: Some(reason.word()),
        note: Some(reason.note()),
        next_proxy: None,
        patients: None,
        reported: &[],
        broken: CheckSet::default(),
        observed: None,
        duration: Duration::ZERO,
        upstream: None,
        upstream_reused: None,
        tries: 0,
        received: 0,
        sent: answer.map_or(0, Answer::length),
        generation,
        span: None,
    }
}
