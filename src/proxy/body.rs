//! Stage 9: the request body is held whole, so that nothing reaches a provider before all of it
//! was seen.

use std::time::Duration;

use gpconnect::{
    Permit, Rejection,
    decide::{BodyDecision, HeldBody, decide_body},
    facts::Field,
    rejection::Reason,
};
use pingora::{Error, ErrorType, proxy::Session, time::timeout};

use super::{bounded, convert, exchange::Exchange, framing::Misframed};

/// Holds the body of a request that has its permit, and decides by what it says.
///
/// # Errors
/// As [`hold`], and 400 for a body that must be clear about its patient and is not.
pub(super) async fn admit(
    session: &mut Session,
    exchange: &mut Exchange,
    permit: &Permit,
) -> Result<(), Box<Rejection>> {
    let (limits, timeouts) = (exchange.snapshot.limits, exchange.snapshot.timeouts);
    match hold(session, limits.body_bytes, timeouts.body).await {
        Ok(length) => exchange.received = length,
        Err(reason) => {
            // What is left of the body must not be read as the next request.
            session.as_downstream_mut().set_keepalive(None);
            return Err(Box::new(reason.into()));
        }
    }
    let content_type = session.req_header().headers.get(http::header::CONTENT_TYPE);
    // The front lets only one through.
    let content_type = content_type.map_or(Field::Absent, |value| Field::One(value.as_bytes()));
    let bytes = session.as_downstream().get_retry_buffer().unwrap_or_default();
    judge(HeldBody { bytes: &bytes, content_type }, exchange, permit)
}

/// Decides by what a held body says.
///
/// # Errors
/// 400 for one that must be clear about its patient and is not.
pub(super) fn judge(
    body: HeldBody<'_>,
    exchange: &mut Exchange,
    permit: &Permit,
) -> Result<(), Box<Rejection>> {
    let in_query = std::mem::take(&mut exchange.patients);
    let (policy, now) = (&exchange.snapshot.policy, convert::seconds(exchange.at()));
    let BodyDecision { outcome, patients, reported } =
        decide_body(body, in_query, permit, policy, now);
    exchange.patients = patients;
    for reason in reported {
        // A check is reported once, whether query or body or both fail it.
        if !exchange.reported.contains(&reason) {
            exchange.reported.push(reason);
        }
    }
    outcome
}

/// Reads the whole body into the engine's buffer, from which it is sent on, and tells its length.
///
/// # Errors
/// 413 for a longer one than `limit`, 408 for one that is not complete in time, 400 for one that
/// breaks off or is not framed as its head says, and for one of a GET: a provider that does not
/// expect it could take it for the next request.
pub(super) async fn hold(
    session: &mut Session,
    limit: usize,
    deadline: Duration,
) -> Result<usize, Reason> {
    if session.is_body_empty() {
        return Ok(0);
    }
    if session.req_header().method == http::Method::GET {
        return Err(Reason::BodyUnexpected);
    }
    session.as_downstream_mut().enable_retry_buffering();
    let late = || Reason::BodyTimeout { seconds: deadline.as_secs() };
    let read = async {
        if expects_continue(session) {
            // The engine takes it for an answer before the body, behind which it would close.
            session.as_downstream_mut().set_close_on_response_before_downstream_finish(false);
            session.write_continue_response().await?;
            session.as_downstream_mut().set_close_on_response_before_downstream_finish(true);
        }
        read_all(session, limit).await
    };
    match timeout(deadline, read).await {
        Ok(Ok(length)) => length.ok_or(Reason::BodyTooLong { limit }),
        // The engine's own clock for a silent body may be first.
        Ok(Err(error)) if *error.etype() == ErrorType::ReadTimedout => Err(late()),
        Ok(Err(error)) => Err(broken(&error)),
        Err(_) => Err(late()),
    }
}

/// Its length; none when it is longer than `limit`.
async fn read_all(session: &mut Session, limit: usize) -> pingora::Result<Option<usize>> {
    let mut length = 0;
    while let Some(chunk) = session.read_request_body().await? {
        length += chunk.len();
        if length > limit || session.as_downstream().retry_buffer_truncated() {
            return Ok(None);
        }
    }
    Ok(Some(length))
}

/// Why a body could not be read.
pub(super) fn broken(error: &Error) -> Reason {
    Reason::BodyBroken(match bounded::fault_of(error) {
        Some(Misframed(fault)) => fault,
        None => "it ends before its head says",
    })
}

/// How long the body of a refused request is waited for: a refusal is not to be held up by it.
const PATIENCE: Duration = Duration::from_millis(50);

/// Reads away the body of a refused request, so that its connection can serve the next one and the
/// answer is not lost to a reset. A body that is too long or too slow is left: the connection then
/// closes behind the answer.
pub(super) async fn discard(session: &mut Session, limit: usize) {
    if session.is_body_empty() || expects_continue(session) {
        return;
    }
    let mut read = 0;
    let all = async {
        while let Ok(Some(chunk)) = session.read_request_body().await {
            read += chunk.len();
            if read > limit {
                return;
            }
        }
    };
    // Too late is as good as too long.
    timeout(PATIENCE, all).await.unwrap_or_default();
}

pub(super) fn expects_continue(session: &Session) -> bool {
    session.req_header().headers.contains_key(http::header::EXPECT)
}
