//! Stages 10 and 14: what the journal is told of an exchange.

use std::time::{Duration, SystemTime};

use gpconnect::{
    Permit, Rejection,
    facts::Field,
    forward, headers,
    interaction::InteractionId,
    patients,
    rejection::Reason,
    token::{self, Payload},
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
};

/// How long a request waits for the journal: a disk that takes longer is as good as none.
const PATIENCE: Duration = Duration::from_secs(5);

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
        // An access token's user stands in the token that was made of it.
        let minted = permit.minted().and_then(claims);
        let request = Request {
            sent_trace_id: sent_trace_id(head).filter(|sent| *sent != self.trace_id().as_str()),
            claims: minted.as_ref().or(self.claims.as_ref()),
            ..self.request(Some(permit), head.method.as_str(), permit.fhir_request())
        };
        let (ticket, durable) = self.journal.intend(&request).ok_or_else(refused)?;
        self.ticket = Some(ticket);
        match timeout(PATIENCE, durable.wait()).await {
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
            let target = convert::target(head);
            self.refused = Some([head.method.as_str(), target].join(" ").into());
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
        let refused = self.refused.as_ref().map(|request| request.expose());
        let (verb, target) = refused.and_then(|it| it.split_once(' ')).unwrap_or_default();
        self.journal.refused(&self.request(None, verb, target), record);
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
            client: self.client,
            certificate: self.certificate.as_deref().map(certificate),
            form: self.seen.and_then(|seen| seen.form),
            consumer: consumer.map(|consumer| (consumer.asid, consumer.organisation)),
            practice: practice.map(|practice| practice.ods_code),
            provider: endpoint.map(|endpoint| (endpoint.asid, endpoint.service_root.base())),
            interaction: self.seen.and_then(|seen| seen.interaction),
            verb,
            path,
            filled: permit.map(Permit::filled).unwrap_or_default(),
            reported: &self.reported,
            patients: &self.patients,
            access: self.access_token(),
            claims: self.claims.as_ref(),
            generation: self.snapshot.generation,
            directory_age: age(self.snapshot.loaded_at),
        }
    }
}

fn age(loaded: SystemTime) -> Duration {
    // A clock that was set back makes it as good as new.
    loaded.elapsed().unwrap_or_default()
}

/// The claims of a token that we made ourselves.
fn claims(minted: &str) -> Option<Payload> {
    let header = ["Bearer ", minted].concat();
    token::open(Field::One(header.as_bytes()), header.len(), &mut Vec::new())
}

/// The trace id as it was sent.
fn sent_trace_id(head: &RequestHeader) -> Option<&str> {
    head.headers.get(headers::TRACE_ID)?.to_str().ok()
}
