//! Stage 9: the request body is held whole, so that nothing reaches a provider before all of it
//! was seen.

use std::time::Duration;

use gpconnect::rejection::Reason;
use pingora::{proxy::Session, time::timeout};

/// Reads the whole body into the engine's buffer, from which it is sent on, and tells its length.
///
/// # Errors
/// 413 for a longer one than `limit`, 408 for one that is not complete in time, 400 for one that
/// breaks off or is not framed as its head says.
pub(super) async fn hold(
    session: &mut Session,
    limit: usize,
    deadline: Duration,
) -> Result<usize, Reason> {
    if session.is_body_empty() {
        return Ok(0);
    }
    session.as_downstream_mut().enable_retry_buffering();
    let read = async {
        if expects_continue(session) {
            session.write_continue_response().await.or(Err(Reason::BodyBroken))?;
        }
        read_all(session, limit).await
    };
    let late = Reason::BodyTimeout { seconds: deadline.as_secs() };
    timeout(deadline, read).await.unwrap_or(Err(late))
}

async fn read_all(session: &mut Session, limit: usize) -> Result<usize, Reason> {
    let mut length = 0;
    while let Some(chunk) = session.read_request_body().await.or(Err(Reason::BodyBroken))? {
        length += chunk.len();
        if length > limit || session.as_downstream().retry_buffer_truncated() {
            return Err(Reason::BodyTooLong { limit });
        }
    }
    Ok(length)
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
