//! How what was found in memory, or came of a call, is told to the consumer.

use std::time::Duration;

use bytes::Bytes;
use gpconnect::{
    caching::{self, Freshness, Use},
    rejection::Reason,
};
use http::{HeaderName, header};
use pingora::{Error, Result, http::ResponseHeader, proxy::Session};

use super::{Asked, Told};
use crate::{
    cache::{Entry, Whole},
    proxy::{
        answer::Answer,
        assist::Assisted,
        exchange::Exchange,
        gateway::{DAMAGED, Gateway},
        observe, response,
    },
};

/// Writes it; false when there is nothing to write.
pub(super) async fn tell(
    gateway: &Gateway,
    session: &mut Session,
    exchange: &mut Exchange,
    told: Told,
    asked: &Asked,
) -> Result<bool> {
    let (mut head, body, how) = match told {
        Told::Nothing => {
            exchange.cache = Some(Use::Bypass);
            return Ok(false);
        }
        Told::Fault(reason, how) => {
            exchange.upstream = None;
            return refuse(gateway, session, exchange, &reason, how).await;
        }
        Told::Entry(entry, how) => {
            entry.give();
            let (head, body) = of_entry(&entry, how, &asked.tags)?;
            (head, body, how)
        }
        Told::Whole(whole) => {
            let head = of_whole(&whole)?;
            exchange.look_at_head(&head);
            let told = observe::head_of(&head, Duration::ZERO);
            exchange.copy_error(&head, &told);
            exchange.copy_error_part(&whole.body, true);
            if let Some(reason) = exchange.unreadable(&told) {
                return refuse(gateway, session, exchange, &reason, Use::Miss).await;
            }
            (head, whole.body.clone(), Use::Miss)
        }
    };
    let body = match exchange.is_assisted() {
        true => assisted(gateway, session, exchange, &mut head, body)?,
        false => body,
    };
    response::complete(&mut head, exchange.trace_id(), gateway.secure)?;
    exchange.cache = Some(how);
    exchange.status = Some(head.status.as_u16());
    exchange.sent = body.len();
    let is_bare = body.is_empty();
    session.write_response_header(Box::new(head), is_bare).await?;
    if !is_bare {
        session.write_response_body(Some(body), true).await?;
    }
    Ok(true)
}

async fn refuse(
    gateway: &Gateway,
    session: &mut Session,
    exchange: &mut Exchange,
    reason: &Reason,
    how: Use,
) -> Result<bool> {
    exchange.cache = Some(how);
    let answer = Answer::of(reason.clone(), exchange.trace_id(), exchange.style());
    let answer = answer.over(gateway.secure);
    exchange.note(reason, &answer);
    answer.write(session).await.map(|()| true)
}

/// The body as a consumer in assist mode gets it: what is in memory is as the provider wrote it.
fn assisted(
    gateway: &Gateway,
    session: &Session,
    exchange: &Exchange,
    head: &mut ResponseHeader,
    body: Bytes,
) -> Result<Bytes> {
    let arrived = session.req_header();
    let links = exchange.links(arrived, gateway.secure);
    let Some(mut steps) = Assisted::new(arrived, links, head)? else { return Ok(body) };
    let damaged = |_| Error::explain(DAMAGED, "not the gzip that it says it is").into_up();
    let body = steps.pass(&body, true).map_err(damaged)?;
    head.remove_header(&header::TRANSFER_ENCODING);
    head.insert_header(header::CONTENT_LENGTH, body.len())?;
    Ok(body)
}

/// The head and the body of an answer from memory: 304 when it is fresh and the consumer has it.
fn of_entry(entry: &Entry, how: Use, tags: &[Box<str>]) -> Result<(ResponseHeader, Bytes)> {
    /// What a 304 does not repeat (RFC 9110, 15.4.5).
    const OF_BODY: [HeaderName; 3] =
        [header::CONTENT_TYPE, header::CONTENT_LANGUAGE, header::LAST_MODIFIED];
    let (headers, tag, body) = match entry.kept() {
        Some(kept) => (kept.headers(), kept.tag(), kept.body().clone()),
        None => ([].as_slice(), None, Bytes::new()),
    };
    let lines = tags.iter().map(AsRef::as_ref);
    let is_known = entry.freshness() == Freshness::Fresh && caching::matches(lines, tag);
    let (status, body) = if is_known { (304, Bytes::new()) } else { (200, body) };
    let mut head = ResponseHeader::build(status, Some(headers.len() + 6))?;
    for (name, value) in headers {
        if !(is_known && OF_BODY.contains(name)) {
            head.append_header(name.clone(), value.clone())?;
        }
    }
    if !is_known {
        head.insert_header(header::CONTENT_LENGTH, body.len())?;
    }
    head.insert_header(header::AGE, entry.age().as_secs())?;
    head.append_header("Cache-Status", caching::status(how, Some(entry.left())))?;
    Ok((head, body))
}

/// The head of a provider's own answer, which was read whole.
pub(in crate::proxy) fn of_whole(whole: &Whole) -> Result<ResponseHeader> {
    let mut head = ResponseHeader::build(whole.status, Some(whole.headers.len() + 5))?;
    for (name, value) in &whole.headers {
        head.append_header(name.clone(), value.clone())?;
    }
    head.remove_header(&header::TRANSFER_ENCODING);
    head.remove_header(&header::TRAILER);
    if whole.status != 204 {
        head.insert_header(header::CONTENT_LENGTH, whole.body.len())?;
    }
    head.append_header("Cache-Status", caching::status(Use::Miss, None))?;
    Ok(head)
}
