//! Who is at the other end of a connection: met at its beginning, looked at again before each of
//! its requests.

use std::{net::IpAddr, sync::Arc, time::Duration};

use gpconnect::{
    names::{HostName, TraceId},
    rejection::Reason,
};
use pingora::protocols::Stream;
use tracing::warn;
use uuid::Uuid;

use super::{
    exchange::refused_at_front,
    front::{Front, client},
    handshake::{Failure, shake},
};
use crate::{
    snapshot::{Access, Snapshot},
    tls::{Acceptor, Caller, ClientCertificate, NotAccepted, Refused},
};

/// Who is at the other end of a connection.
pub(super) enum Guest {
    /// Anyone: the listener is a plain one.
    Anyone,
    /// The bearer of a certificate that was accepted.
    Known(Caller),
    /// One without an acceptable certificate, to be told so in answer to its first request.
    Unwelcome(Box<Refused>),
}

impl Guest {
    /// Its certificate, when that was accepted.
    pub(super) fn certificate(&self) -> Option<Arc<ClientCertificate>> {
        match self {
            Self::Known(caller) => Some(Arc::clone(&caller.certificate)),
            Self::Anyone | Self::Unwelcome(_) => None,
        }
    }
}

impl Front {
    /// Meets a new connection. None when it ended before it could be used.
    pub(super) async fn meet(&self, stream: Stream, limit: Duration) -> Option<(Stream, Guest)> {
        if !self.gateway.secure {
            return Some((stream, Guest::Anyone));
        }
        let acceptor = self.acceptor()?;
        let client = client(&stream);
        let shaken = shake(stream, &acceptor, limit).await;
        let result = shaken.as_ref().map_or_else(Failure::word, |_| "completed");
        let labels = [&*self.gateway.name, result];
        self.gateway.shared.telemetry.metrics.tls.handshakes.with_label_values(&labels).inc();
        match shaken {
            Ok((stream, Ok(caller))) => Some((stream, Guest::Known(caller))),
            Ok((stream, Err(refused))) => Some((stream, Guest::Unwelcome(refused))),
            Err(failure) => {
                self.tell(&failure, client);
                None
            }
        }
    }

    /// What stands against the next request of a guest.
    pub(super) fn objection(&self, guest: &mut Guest, stream: &Stream) -> Option<Reason> {
        let refused = match guest {
            Guest::Anyone => return None,
            Guest::Known(caller) => {
                let (acceptor, ssl) = (self.acceptor()?, stream.get_ssl()?);
                acceptor.judge_again(caller, ssl).err()?
            }
            Guest::Unwelcome(refused) => refused.clone(),
        };
        if let Some(certificate) = &refused.certificate {
            self.describe(certificate);
        }
        Some(reason(refused.why))
    }

    fn acceptor(&self) -> Option<Arc<Acceptor>> {
        let snapshot = self.gateway.shared.current.peek();
        match &snapshot.entrance(self.gateway.listener)?.access {
            Access::Tls(tls) => Some(tls.current()),
            // A listener keeps its kind as long as it runs.
            Access::InsecureEveryoneIs(_) => None,
        }
    }

    /// Tells the log of a handshake that failed, where there is something to tell.
    fn tell(&self, failure: &Failure, client: Option<IpAddr>) {
        match failure {
            Failure::Closed => {}
            Failure::Late => self.warn_of_handshake(client, "not complete in time"),
            Failure::Protocol(note) => self.warn_of_handshake(client, note),
            // Nothing is sent; the status is what nginx counts it as (errors C).
            Failure::PlainHttp => self.record_unanswered(&Reason::PlainHttp, Some(497), client),
            Failure::Certificate(why) => self.record_unanswered(&reason(*why), None, client),
        }
    }

    /// Records what ended a connection without an answer.
    pub(super) fn record_unanswered(
        &self,
        reason: &Reason,
        status: Option<u16>,
        client: Option<IpAddr>,
    ) {
        let shared = &self.gateway.shared;
        let trace_id = TraceId::from_random(Uuid::new_v4().into_bytes());
        let generation = shared.current.peek().generation;
        let mut record =
            refused_at_front(&self.gateway.name, reason, trace_id, client, None, generation);
        record.status = status;
        shared.telemetry.finished(&record);
        shared.journal.refused_at_front(None, &record);
    }

    fn warn_of_handshake(&self, client: Option<IpAddr>, note: &str) {
        let client = client.map(tracing::field::display);
        warn!(listener = &*self.gateway.name, client, note, "TLS handshake failed");
    }

    /// Tells the log whose certificate was refused: its names only where they are registered, for
    /// they may be anything.
    fn describe(&self, certificate: &ClientCertificate) {
        let snapshot = self.gateway.shared.current.peek();
        warn!(
            listener = &*self.gateway.name,
            sha256 = certificate.fingerprint(),
            host_name = registered(&snapshot, certificate).map(tracing::field::display),
            "client certificate refused"
        );
    }
}

fn registered<'c>(snapshot: &Snapshot, certificate: &'c ClientCertificate) -> Option<&'c HostName> {
    let is_registered =
        |name: &&HostName| !snapshot.policy.find_callers(std::slice::from_ref(*name)).is_empty();
    certificate.host_names.iter().find(is_registered)
}

const fn reason(why: NotAccepted) -> Reason {
    match why {
        NotAccepted::Missing => Reason::CertificateMissing,
        NotAccepted::Bad(fault) => Reason::CertificateRefused(fault),
    }
}
