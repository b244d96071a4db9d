//! Who is at the other end of a connection: met at its beginning, looked at again before each of
//! its requests.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use gpconnect::{
    names::{HostName, TraceId},
    rejection::Reason,
};
use pingora::protocols::Stream;
use tokio::net::UnixStream;
use tracing::warn;
use uuid::Uuid;

use super::{
    bounded::Bounded,
    exchange::refused_at_front,
    front::{Front, client},
    handshake::{Failure, Host, shake},
    told,
};
use crate::{
    snapshot::{Access, Snapshot},
    tls::{Acceptor, Caller, ClientCertificate, NotAccepted, Refused, Terminator},
};

/// Who is at the other end of a connection.
pub(super) enum Guest {
    /// Anyone: the listener is a plain one.
    Anyone,
    /// The bearer of a certificate that was accepted.
    Known(Caller),
    /// A terminator of TLS, and whom it speaks for.
    Terminator(Deputy),
    /// One without an acceptable certificate, to be told so in answer to its first request.
    Unwelcome(Box<Refused>),
}

/// A terminator of TLS, which speaks for many callers on one connection.
#[derive(Default)]
pub(super) struct Deputy {
    /// Its own certificate; none at a Unix socket.
    own: Option<ClientCertificate>,
    /// The caller of the request at hand: each request tells of its own.
    caller: Option<Arc<ClientCertificate>>,
}

impl Guest {
    /// The caller's certificate, when that was accepted: for the request at hand.
    pub(super) fn certificate(&self) -> Option<Arc<ClientCertificate>> {
        match self {
            Self::Known(caller) => Some(Arc::clone(&caller.certificate)),
            Self::Terminator(deputy) => deputy.caller.clone(),
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
        if let Some(terminator) = self.terminator() {
            if self.gateway.socket {
                return Some((stream, Guest::Terminator(Deputy::default())));
            }
            let known = |own| Guest::Terminator(Deputy { own: Some(own), caller: None });
            return self.greet(stream, &*terminator, limit, known).await;
        }
        let acceptor = self.acceptor()?;
        self.greet(stream, &*acceptor, limit, Guest::Known).await
    }

    async fn greet<H: Host>(
        &self,
        stream: Stream,
        host: &H,
        limit: Duration,
        known: impl FnOnce(H::Guest) -> Guest,
    ) -> Option<(Stream, Guest)> {
        let client = client(&stream);
        let shaken = shake(stream, host, limit).await;
        let result = shaken.as_ref().map_or_else(Failure::word, |_| "completed");
        let labels = [&*self.gateway.name, result];
        self.gateway.shared.telemetry.metrics.tls.handshakes.with_label_values(&labels).inc();
        match shaken {
            Ok((stream, Ok(guest))) => Some((stream, known(guest))),
            Ok((stream, Err(refused))) => Some((stream, Guest::Unwelcome(refused))),
            Err(failure) => {
                self.tell(&failure, client);
                None
            }
        }
    }

    /// What stands against the next request of a guest, whose `head` there is when it is a good one.
    /// What a terminator tells of a caller is taken out of it.
    pub(super) fn objection(
        &self,
        guest: &mut Guest,
        connection: &mut Bounded,
        head: Option<&mut BytesMut>,
    ) -> Option<Reason> {
        let refused = match guest {
            Guest::Anyone => return None,
            Guest::Known(caller) => {
                let (acceptor, ssl) = (self.acceptor()?, connection.stream().get_ssl()?);
                acceptor.judge_again(caller, ssl).err()?
            }
            Guest::Terminator(deputy) => match self.hear(deputy, head) {
                Ok(()) => return None,
                Err(Unheard::Reason(reason)) => return Some(reason),
                Err(Unheard::Refused(refused)) => refused,
            },
            Guest::Unwelcome(refused) => refused.clone(),
        };
        if let Some(certificate) = &refused.certificate {
            self.describe(certificate);
        }
        Some(reason(refused.why))
    }

    /// Hears from a terminator who the caller of a request is.
    fn hear(&self, deputy: &mut Deputy, head: Option<&mut BytesMut>) -> Result<(), Unheard> {
        // Nothing of an earlier request may stand in for what this one lacks.
        deputy.caller = None;
        let terminator = self.terminator().ok_or(Unheard::Reason(Reason::CertificateMissing))?;
        if let Some(own) = &deputy.own {
            terminator.still_recognises(own).map_err(Unheard::Refused)?;
        }
        // A head that is refused anyway needs no caller.
        let Some(head) = head else { return Ok(()) };
        let told = told::take(head).map_err(Unheard::Reason)?;
        let told = told.ok_or(Unheard::Reason(Reason::CertificateMissing))?;
        deputy.caller = Some(terminator.judge(&told).map_err(Unheard::Refused)?);
        Ok(())
    }

    fn acceptor(&self) -> Option<Arc<Acceptor>> {
        let snapshot = self.gateway.shared.current.peek();
        match &snapshot.entrance(self.gateway.listener)?.access {
            Access::Tls(tls) => Some(tls.current()),
            // A listener keeps its kind as long as it runs.
            Access::BehindTerminator(_) | Access::InsecureEveryoneIs(_) => None,
        }
    }

    fn terminator(&self) -> Option<Arc<Terminator>> {
        let snapshot = self.gateway.shared.current.peek();
        match &snapshot.entrance(self.gateway.listener)?.access {
            Access::BehindTerminator(tls) => Some(tls.current()),
            Access::Tls(_) | Access::InsecureEveryoneIs(_) => None,
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

    /// Ends a connection to a Unix socket from a process of a user who may not use it.
    pub(super) fn turn_away(&self, stream: &UnixStream) {
        let uid = stream.peer_cred().ok().map(|peer| peer.uid());
        warn!(listener = &*self.gateway.name, uid, "a process of another user at the socket");
        let reason = Reason::TerminatorUnknown("the process at the socket is another user's");
        self.record_unanswered(&reason, None, None);
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

/// Why it is not known who the caller of a request is.
enum Unheard {
    /// The head does not say it, or not so that it can be read.
    Reason(Reason),
    /// A certificate is not acceptable.
    Refused(Box<Refused>),
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
        NotAccepted::Terminator(fault) => Reason::TerminatorUnknown(fault),
    }
}
