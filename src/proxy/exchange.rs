//! What is kept of one request between the engine's hooks.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use gpconnect::{
    Permit, Seen,
    caching::Use,
    decide::Filled,
    forward,
    names::{FromCaller, TokenId, TraceId},
    outcome::Style,
    patients::Patients,
    rejection::Reason,
    token::{Observed, Payload},
};
use prometheus::IntGauge;
use uuid::Uuid;

use super::{answer::Answer, assist::Assisted, watch::AnswerWatch};
use crate::{
    audit::{Journal, Ticket},
    snapshot::Snapshot,
    telemetry::{Finished, Origin, Record, Telemetry},
    tls::ClientCertificate,
};

/// One request and its answer. Dropping it writes its line, counts it and puts its end into the
/// journal, so that no exchange goes unrecorded, whatever ended it.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) listener: Arc<str>,
    pub(super) random: [u8; 16],
    pub(super) client: Option<IpAddr>,
    pub(super) seen: Option<Seen>,
    pub(super) permit: Option<Permit>,
    /// Whom query and body name: for the journal, and its word for the log.
    pub(super) patients: Patients,
    /// What its token says, for the journal.
    pub(super) claims: Option<Payload>,
    /// The intent that the journal has of it: it owes an outcome.
    pub(super) ticket: Option<Ticket>,
    /// Verb, path and query of one that was refused, for the journal.
    pub(super) refused: Option<FromCaller<Box<str>>>,
    /// What is wrong with the request but only reported.
    pub(super) reported: Vec<Reason>,
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
    /// What the answer's body goes through, for consumers in assist mode.
    pub(super) assisted: Option<Assisted>,
    /// The status of an error that is no FHIR, which is replaced by one that is.
    pub(super) not_fhir: Option<u16>,
    pub(super) watch: Option<Arc<AnswerWatch>>,
    /// The caller's certificate, when it has one.
    pub(super) certificate: Option<Arc<ClientCertificate>>,
    at: SystemTime,
    started: Instant,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) journal: Arc<Journal>,
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
    pub(super) fn new(
        snapshot: Arc<Snapshot>,
        telemetry: Arc<Telemetry>,
        journal: Arc<Journal>,
        listener: Arc<str>,
    ) -> Self {
        Self {
            snapshot,
            listener,
            random: Uuid::new_v4().into_bytes(),
            client: None,
            seen: None,
            permit: None,
            patients: Patients::None,
            claims: None,
            ticket: None,
            refused: None,
            reported: Vec::new(),
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
            assisted: None,
            not_fhir: None,
            watch: None,
            certificate: None,
            at: SystemTime::now(),
            started: Instant::now(),
            _in_flight: InFlight::enter(&telemetry.metrics.in_flight),
            telemetry,
            journal,
        }
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
                Origin::Provider
            }
            _ => Origin::Gateway,
        }
    }

    fn record(&self) -> Record<'_> {
        let policy = &self.snapshot.policy;
        let consumer = self.seen.and_then(|seen| policy.consumer(seen.consumer?));
        let practice = self.seen.and_then(|seen| {
            let index = seen.practice?;
            Some((index, policy.practice(index)?.ods_code))
        });
        Record {
            at: self.at,
            listener: &self.listener,
            trace_id: Some(self.trace_id()),
            client: self.client,
            form: self.seen.and_then(|seen| seen.form),
            interaction: self.seen.and_then(|seen| seen.interaction),
            consumer: consumer.map(|consumer| consumer.asid),
            practice,
            token: self.seen.map(|seen| seen.token).unwrap_or_default(),
            issuer: self.access_token().0,
            filled: self.permit.as_ref().map(Permit::filled).unwrap_or_default(),
            status: self.status,
            origin: self.origin(),
            cache: self.cache,
            finished: self.finished(),
            fault: self.fault.as_ref().map(|fault| fault.word),
            note: self.fault.as_ref().and_then(|fault| fault.note.clone()),
            patients: self.patients.any().then(|| self.patients.word()),
            reported: &self.reported,
            duration: self.started.elapsed(),
            upstream: self.upstream,
            upstream_reused: self.upstream_reused,
            tries: self.tries,
            received: self.received,
            sent: self.sent,
            generation: self.snapshot.generation,
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
        let record = self.record();
        self.telemetry.finished(&record);
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
        trace_id: Some(trace_id),
        client,
        form: None,
        interaction: None,
        consumer: None,
        practice: None,
        token: Observed::default(),
        issuer: None,
        filled: Filled::default(),
        status: answer.map(Answer::status),
        origin: Origin::Gateway,
        cache: None,
        finished: Finished::Refused,
        fault: Some(reason.word()),
        note: Some(reason.note()),
        patients: None,
        reported: &[],
        duration: Duration::ZERO,
        upstream: None,
        upstream_reused: None,
        tries: 0,
        received: 0,
        sent: answer.map_or(0, Answer::length),
        generation,
    }
}
