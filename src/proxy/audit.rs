//! Stages 10 and 14: what the journal is told of an exchange.

use std::time::{Duration, SystemTime};

use gpconnect::{
    Permit, Rejection, forward, headers, interaction::InteractionId, patients, rejection::Reason,
};
use pingora::{
    http::{RequestHeader, ResponseHeader},
    time::timeout,
};

use super::{convert, exchange::Exchange};
use crate::{
    audit::record::{Certificate, Request},
    telemetry::{Finished, Health, Record},
    tls::ClientCertificate,
    traces::Phase,
};

/// How long a request waits for the journal: a disk that takes longer is as good as none.
const PATIENCE: Duration = Duration::from_secs(5);

/// Headers of a refused request that are put down as they were sent.
const SENT: [&str; 3] = [headers::FROM, headers::TO, headers::INTERACTION_ID];

/// How much of an answer is copied to learn from it.
const COPIED: usize = 64 * 1024;

/// A certificate, as the journal names it.
pub(super) fn certificate(certificate: &ClientCertificate) -> Certificate<'_> {
    Certificate {
        subject: &certificate.subject,
        serial: &certificate.serial,
        sha256: certificate.sha256,
    }
}

impl Exchange {
    /// Stage 10: waits until the intent is durable. From then on the exchange owes its outcome.
    ///
    /// # Errors
    /// 503 when the journal can't be written: nothing may be sent then.
    pub(super) async fn intend(
        &mut self,
        head: &RequestHeader,
        permit: &Permit,
        health: &Health,
    ) -> Result<(), Box<Rejection>> {
        let refused = || Box::new(Rejection::from(Reason::AuditUnavailable));
        let request = Request {
            sent_trace_id: sent_trace_id(head).filter(|sent| *sent != self.trace_id().as_str()),
            ..self.request(Some(permit), head.method.as_str(), permit.fhir_request())
        };
        let (ticket, durable) = self.journal.intend(&request).ok_or_else(refused)?;
        self.ticket = Some(ticket);
        self.trace.enter(Phase::Audit);
        let waited = timeout(PATIENCE, durable.wait()).await;
        if let Some(phases) = self.trace.phases() {
            match waited {
                Ok(true) => phases.end(),
                Ok(false) | Err(_) => phases.fail(Reason::AuditUnavailable.word()),
            }
        }
        match waited {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.ticket = None;
                Err(refused())
            }
            Err(_) => {
                // The writer says otherwise as soon as its disk answers.
                health.audit(false);
                Err(refused())
            }
        }
    }

    /// Whether the journal is to learn from an answer which patient has which id, and begins a copy.
    pub(super) fn copy_answer(&mut self, head: &ResponseHeader) {
        let interaction = self.permit.as_ref().map(Permit::interaction);
        let tells = matches!(
            interaction,
            Some(InteractionId::SearchPatient | InteractionId::RegisterPatient)
        );
        let is_plain = !head.headers.contains_key(http::header::CONTENT_ENCODING);
        self.copy = (tells && is_plain && head.status.is_success()).then(Vec::new);
    }

    /// Copies a part of the answer. One that is longer than such answers are is left alone.
    pub(super) fn copy_part(&mut self, part: &[u8]) {
        let room = self.copy.as_ref().map(|copy| COPIED.saturating_sub(copy.len()));
        match (&mut self.copy, room) {
            (Some(copy), Some(room)) if part.len() <= room => copy.extend_from_slice(part),
            _ => self.copy = None,
        }
    }

    /// Keeps what the journal is to know of a request that is refused.
    pub(super) fn keep_request(&mut self, head: &RequestHeader) {
        if self.ticket.is_none() {
            let sent = SENT.map(|name| head.headers.get(name)?.to_str().ok());
            let [from, to, interaction] = sent.map(Option::unwrap_or_default);
            let line = [head.method.as_str(), convert::target(head)].join(" ");
            self.refused = Some([&*line, from, to, interaction].join("\n").into());
        }
    }

    /// Whether its caller is refused so often that the connection is not to be kept.
    pub(super) fn is_flooding(&self) -> bool {
        let consumer = self.seen.and_then(|seen| self.snapshot.policy.consumer(seen.consumer?));
        let certificate = self.certificate.as_deref().map(certificate);
        self.journal.is_flooded_by(consumer.map(|consumer| consumer.asid), certificate.as_ref())
    }

    /// Stage 14: its end, from the record that log and metrics are made from.
    pub(super) fn put_down(&self, record: &Record<'_>) {
        if let Some(ticket) = &self.ticket {
            let copy = self.copy.as_deref().filter(|_| record.finished == Finished::Answered);
            let known = copy.map(patients::in_answer).unwrap_or_default();
            let root = self.permit.as_ref().and_then(|permit| {
                Some(forward::endpoint(permit, &self.snapshot.policy)?.service_root.base())
            });
            self.journal.outcome(ticket, record, root.unwrap_or_default(), &known);
            return;
        }
        let mut lines = self.refused.as_ref().map_or("", |kept| kept.expose()).split('\n');
        let first = lines.next().and_then(|line| line.split_once(' '));
        let (verb, target) = first.unwrap_or_default();
        let sent = SENT.map(|_| lines.next().filter(|value| !value.is_empty()));
        self.journal.refused(&Request { sent, ..self.request(None, verb, target) }, record);
    }

    fn request<'r>(&'r self, permit: Option<&Permit>, verb: &'r str, path: &'r str) -> Request<'r> {
        let policy = &self.snapshot.policy;
        let consumer = self.seen.and_then(|seen| policy.consumer(seen.consumer?));
        let practice = self.seen.and_then(|seen| policy.practice(seen.practice?));
        let endpoint = permit.and_then(|permit| forward::endpoint(permit, policy));
        Request {
            at: self.at(),
            trace_id: self.trace_id(),
            sent_trace_id: None,
            listener: &self.listener,
            own: self.own,
            client: self.client,
            certificate: self.certificate.as_deref().map(certificate),
            form: self.seen.and_then(|seen| seen.form),
            consumer: consumer.map(|consumer| (consumer.asid, consumer.organisation)),
            practice: practice.map(|practice| practice.ods_code),
            provider: endpoint.map(|endpoint| (endpoint.asid, endpoint.service_root.base())),
            interaction: self.seen.and_then(|seen| seen.interaction),
            verb,
            path,
            sent: [None; 3],
            filled: permit.map(Permit::filled).unwrap_or_default(),
            reported: &self.reported,
            patients: &self.patients,
            access: self.access_token(),
            said: self.said.as_ref(),
            generation: self.snapshot.generation,
            directory_age: age(self.snapshot.loaded_at),
        }
    }
}

fn age(loaded: SystemTime) -> Duration {
    // A clock that was set back makes it as good as new.
    loaded.elapsed().unwrap_or_default()
}

/// The trace id as it was sent.
fn sent_trace_id(head: &RequestHeader) -> Option<&str> {
    head.headers.get(headers::TRACE_ID)?.to_str().ok()
}
