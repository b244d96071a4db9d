//! What would go to the provider.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use gpconnect::{
    Permit,
    forward::endpoint,
    headers::{FROM, INTERACTION_ID, TO, TRACE_ID},
    names::TraceId,
};

use super::{
    answer::NEW_UUID,
    case::Place,
    report::{Forward, Origin, Sent},
    source::value_of,
};
use crate::proxy::rehearsal::Arrived;

/// Documentation's own address (RFC 5737) stands for the caller's.
const CALLER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 50_000);

/// The headers whose values name nobody.
const SHOWN: [&str; 19] = [
    "Accept",
    "Accept-Charset",
    "Accept-Encoding",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Forwarded",
    "Host",
    "If-Match",
    "If-None-Match",
    "Prefer",
    "Transfer-Encoding",
    "User-Agent",
    "Via",
    "traceparent",
    TRACE_ID,
    FROM,
    TO,
    INTERACTION_ID,
];

/// The outgoing request for `permit`.
pub(super) fn forward(
    permit: &Permit,
    arrived: &Arrived,
    body_bytes: usize,
    place: &Place<'_>,
) -> Option<Forward> {
    let snapshot = place.snapshot;
    let upstream = snapshot.upstream(endpoint(permit, &snapshot.policy)?.upstream)?;
    let head = arrived.outgoing(permit, snapshot, Some(CALLER))?;
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let first = String::from_utf8_lossy(lines.next()?).into_owned();
    let mut words = first.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    Some(Forward {
        upstream: upstream.name.clone(),
        address: upstream.address.to_string(),
        connection: upstream.connection.as_str(),
        method: place.hide.plain(method),
        target: place.hide.target(target),
        headers: lines.filter_map(|line| sent(line, permit, arrived, place)).collect(),
        body_bytes,
    })
}

fn sent(line: &[u8], permit: &Permit, arrived: &Arrived, place: &Place<'_>) -> Option<Sent> {
    let colon = memchr::memchr(b':', line)?;
    let name = String::from_utf8_lossy(line.get(..colon)?).into_owned();
    let value = String::from_utf8_lossy(value_of(line, &name)?).into_owned();
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    let filled = permit.filled();
    let filled_in = is(TRACE_ID) && filled.trace_id
        || is(FROM) && filled.from
        || is(TO) && filled.to
        || is(INTERACTION_ID) && filled.interaction_id;
    let origin = match arrived.values(&name) {
        _ if filled_in => Origin::FilledIn,
        values if values.is_empty() => Origin::Added,
        values if values.contains(&value.as_bytes()) => Origin::Sent,
        _ => Origin::Changed,
    };
    let own = TraceId::from_random(place.random);
    let value = if is("Authorization") {
        hidden_token(&value)
    } else if value == own.as_str() {
        NEW_UUID.to_owned()
    } else if is(TRACE_ID) && value.parse::<TraceId>().is_err() {
        place.hide.value(&value)
    } else if SHOWN.iter().any(|known| is(known)) {
        place.hide.plain(&value)
    } else {
        place.hide.value(&value)
    };
    Some(Sent { name: place.hide.plain(&name), value, origin })
}

/// A token is long, and says who asked.
fn hidden_token(value: &str) -> String {
    let scheme = value.split_once(' ').map_or("", |(scheme, _)| scheme);
    format!("{scheme} ... ({} characters)", value.len())
}
