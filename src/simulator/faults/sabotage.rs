//! Carrying a fault out: an answer in place of the practice's, or the practice's answer spoilt.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};

use super::{Effect, Moment};
use crate::simulator::wire::ReplyBody;
use crate::simulator::wire::body::{Script, Step};
use crate::simulator::wire::reply::{Reply, Wishes};

/// Between the last bytes and the break. The bytes are written when the pause begins; it lets a
/// client that is reading take them before the reset throws away what is still queued.
const BEFORE_THE_BREAK: Duration = Duration::from_millis(20);

/// No answer at all: the connection is to be reset.
#[derive(Debug, thiserror::Error)]
#[error("the simulated provider resets the connection, as ordered")]
pub(crate) struct Stopped;

/// The answer of a system that did not do its work, for the effects that mean one.
pub(crate) fn answer_instead(effect: &Effect, wishes: Wishes) -> Option<Reply> {
    match effect {
        Effect::Status { status, html } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
            Some(if *html { page(status) } else { Reply::new(status) })
        }
        Effect::Outcome(code) => {
            let refusal = code.because("Ordered of the simulator");
            Some(Reply::refusal(&refusal, wishes))
        }
        Effect::Proxy(_)
        | Effect::Reset(_)
        | Effect::Truncate(_)
        | Effect::ContentType(_)
        | Effect::Endless
        | Effect::Drip { .. } => None,
    }
}

/// The page of a load balancer in front of a system that is down.
fn page(status: StatusCode) -> Reply {
    let reason = status.canonical_reason().unwrap_or("Error");
    let text = format!(
        "<!DOCTYPE html>\n<html><head><title>{status}</title></head>\
         <body><h1>{reason}</h1><p>Simulated.</p></body></html>\n"
    );
    Reply::text(status, "text/html; charset=utf-8", text)
}

/// Sends an answer the way the effect wants it; `reset` is called when the connection is to end
/// in a reset.
pub(crate) fn spoil(
    mut reply: Reply,
    effect: &Effect,
    reset: impl FnOnce(),
) -> Result<Response<ReplyBody>, Stopped> {
    match effect {
        Effect::Status { .. } | Effect::Outcome(_) | Effect::Proxy(_) => {}
        Effect::ContentType(kind) => {
            reply.headers.insert(header::CONTENT_TYPE, kind.clone());
        }
        Effect::Reset(moment) => {
            reset();
            let part = match moment {
                Moment::BeforeHeaders => return Err(Stopped),
                Moment::AfterHeaders => 0,
                Moment::MidBody => reply.length() / 2,
            };
            return Ok(cut(reply, part, Step::Break));
        }
        Effect::Truncate(bytes) => {
            let part = bytes.unwrap_or(reply.length() / 2);
            return Ok(cut(reply, part, Step::Send(Bytes::new())));
        }
        Effect::Endless => return Ok(endless(reply)),
        Effect::Drip { bytes, every } => return Ok(dripping(reply, *bytes, *every)),
    }
    Ok(reply.send())
}

/// Announces the whole body, sends a part of it and ends.
fn cut(mut reply: Reply, part: usize, end: Step) -> Response<ReplyBody> {
    let whole = whole(&mut reply);
    // At least one byte is owed, or the body would not be cut.
    let announced = whole.len().max(part.saturating_add(1));
    reply.headers.insert(header::CONTENT_LENGTH, announced.into());
    let sent = whole.slice(..part.min(whole.len()));
    reply.with_body(Script::new([Step::Send(sent), Step::Pause(BEFORE_THE_BREAK), end]))
}

fn endless(mut reply: Reply) -> Response<ReplyBody> {
    let whole = whole(&mut reply);
    let blanks = Bytes::from(vec![b' '; 8_192]);
    reply.with_body(Script::new([Step::Send(whole), Step::Forever(blanks)]))
}

fn dripping(mut reply: Reply, bytes: usize, every: Duration) -> Response<ReplyBody> {
    let mut rest = whole(&mut reply);
    reply.headers.insert(header::CONTENT_LENGTH, rest.len().into());
    let mut steps = Vec::new();
    while !rest.is_empty() {
        steps.push(Step::Send(rest.split_to(bytes.min(rest.len()))));
        steps.push(Step::Pause(every));
    }
    steps.pop();
    reply.with_body(Script::new(steps))
}

fn whole(reply: &mut Reply) -> Bytes {
    std::mem::take(&mut reply.pieces).concat().into()
}
