//! The outgoing request: where it goes and what its head says. It is made from the permit, never
//! from what the engine left of the incoming head.

use std::{borrow::Cow, net::SocketAddr};

use bytes::Bytes;
use gpconnect::{
    Permit, forward,
    forward::Connection,
    headers::{FROM, INTERACTION_ID, TO, TRACE_ID},
    interaction::Kind,
    names::FromCaller,
    policy::UpstreamIndex,
};
use http::{HeaderName, HeaderValue, header};
use pingora::{
    Result,
    http::RequestHeader,
    upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy},
};

use super::{convert, trust::Trusted};
use crate::{config::Timeouts, snapshot::Snapshot};

/// Our name in `Via`, in both directions.
pub(super) const VIA: HeaderValue = HeaderValue::from_static("1.1 gpconnect-gateway");

/// The names of headers that were checked, as maps of headers have them: looking one up by its text
/// would parse it each time.
const TRACE_ID_KEY: HeaderName = HeaderName::from_static("ssp-traceid");
const FROM_KEY: HeaderName = HeaderName::from_static("ssp-from");
const TO_KEY: HeaderName = HeaderName::from_static("ssp-to");
const INTERACTION_ID_KEY: HeaderName = HeaderName::from_static("ssp-interactionid");

/// One request as it is to be sent, whatever the number of tries.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) upstream: UpstreamIndex,
    /// With whom TLS is spoken, where it is.
    pub(super) trusted: Option<Trusted>,
    /// The request target, where it differs from the one that arrived.
    target: Option<FromCaller<String>>,
    host: HeaderValue,
    /// None where nobody is forwarded for.
    forwarded: Option<HeaderValue>,
    /// The length of a body that arrived in chunks.
    length: Option<usize>,
    /// What `Authorization` says in place of an access token.
    token: Option<HeaderValue>,
}

impl Outgoing {
    /// What the permit leads to, with a body of `received` bytes, and with [`forwarded`] where there is
    /// a caller; none when the snapshot lacks it, which it was made from.
    pub(super) fn new(
        permit: &Permit,
        snapshot: &Snapshot,
        head: &RequestHeader,
        received: usize,
        forwarded: Option<HeaderValue>,
    ) -> Option<Self> {
        let endpoint = forward::endpoint(permit, &snapshot.policy)?;
        let upstream = snapshot.upstream(endpoint.upstream)?;
        let host = match upstream.connection {
            Connection::Direct => Cow::Borrowed(endpoint.service_root.authority()),
            Connection::Proxy => upstream.authority(),
        };
        let is_same =
            forward::is_target(convert::target(head), permit, endpoint, upstream.connection);
        let target = (!is_same).then(|| forward::target(permit, endpoint, upstream.connection));
        let trusted = snapshot.upstream_tls(endpoint.upstream).map(|tls| Trusted {
            credentials: tls.current(),
            host: upstream.host(endpoint.service_root.host()).clone(),
        });
        let token = match permit.minted() {
            Some(token) => Some(bearer(token)?),
            None => None,
        };
        Some(Self {
            upstream: endpoint.upstream,
            trusted,
            target: target.map(FromCaller::new),
            host: HeaderValue::from_str(&host).ok()?,
            forwarded,
            length: head.headers.contains_key(header::TRANSFER_ENCODING).then_some(received),
            token,
        })
    }

    /// Writes target and headers into the engine's copy of the incoming head, from which it has
    /// already removed what belongs to the incoming connection.
    pub(super) fn write(
        &self,
        permit: &Permit,
        arrived: &RequestHeader,
        head: &mut RequestHeader,
    ) -> Result<()> {
        if let Some(target) = &self.target {
            head.set_raw_path(target.expose().as_bytes())?;
        }
        head.insert_header(header::HOST, self.host.clone())?;
        // Started afresh: what a caller writes there proves nothing (gp-connect 4.2).
        head.remove_header(&header::FORWARDED);
        if let Some(forwarded) = &self.forwarded {
            head.insert_header("Forwarded", forwarded.clone())?;
        }
        head.append_header("Via", VIA)?;
        // The body is complete, so there is nothing to wait for.
        head.remove_header(&header::EXPECT);
        if let Some(length) = self.length {
            head.insert_header(header::CONTENT_LENGTH, length)?;
        }
        let filled = permit.filled();
        let mut set = |name: &'static str, key: &HeaderName, filled: bool, value: &str| {
            if filled {
                head.insert_header(name, value)
            } else {
                keep_one(head, arrived, name, key)
            }
        };
        set(TRACE_ID, &TRACE_ID_KEY, filled.trace_id, permit.trace_id().as_str())?;
        set(FROM, &FROM_KEY, filled.from, permit.from().as_str())?;
        set(TO, &TO_KEY, filled.to, permit.to().as_str())?;
        let urn = permit.interaction().urn();
        set(INTERACTION_ID, &INTERACTION_ID_KEY, filled.interaction_id, urn)?;
        match &self.token {
            // The access token ends here: it is for this gateway only.
            Some(token) => head.insert_header("Authorization", token.clone()),
            None => set("Authorization", &header::AUTHORIZATION, false, ""),
        }
    }
}

/// What `Forwarded` says of the caller.
pub(super) fn forwarded(
    client: Option<SocketAddr>,
    arrived: &RequestHeader,
    secure: bool,
) -> Option<HeaderValue> {
    let scheme = if secure { "https" } else { "http" };
    let served = arrived.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let element = forward::forwarded(client, served.unwrap_or_default(), scheme);
    // The front let no other host pass than one that can stand here.
    HeaderValue::from_maybe_shared(Bytes::from(element)).ok()
}

/// The value of `Authorization` with this token, which no log shows.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&["Bearer ", token].concat()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Makes sure that a header which was checked leaves exactly once and as it arrived, whatever the
/// engine's removal of hop-by-hop headers did. `key` is `name` as maps of headers have it.
fn keep_one(
    head: &mut RequestHeader,
    arrived: &RequestHeader,
    name: &'static str,
    key: &HeaderName,
) -> Result<()> {
    let Some(value) = arrived.headers.get(key) else { return Ok(()) };
    let mut present = head.headers.get_all(key).iter();
    if present.next() == Some(value) && present.next().is_none() {
        return Ok(());
    }
    head.insert_header(name, value.clone())
}

/// The connection to ask the engine for, with a deadline on every wait: it sets none itself.
pub(super) fn peer(
    address: SocketAddr,
    trusted: Option<&Trusted>,
    kind: Kind,
    timeouts: &Timeouts,
) -> HttpPeer {
    let name = trusted.map(|trusted| trusted.host.to_string()).unwrap_or_default();
    let mut peer = HttpPeer::new(address, trusted.is_some(), name);
    if let Some(trusted) = trusted {
        trusted.secure(&mut peer);
    }
    let options = &mut peer.options;
    options.connection_timeout = Some(timeouts.connect);
    options.total_connection_timeout = Some(timeouts.connect);
    let answer = answer_timeout(kind, timeouts);
    options.read_timeout = Some(answer);
    options.write_timeout = Some(answer);
    options.idle_timeout = Some(timeouts.upstream_idle);
    options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
    peer
}

/// The longest silence of a provider.
pub(super) const fn answer_timeout(kind: Kind, timeouts: &Timeouts) -> std::time::Duration {
    match kind {
        Kind::Command => timeouts.command,
        Kind::Query => timeouts.query,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_names_of_the_headers() {
        for (name, key) in [
            (TRACE_ID, TRACE_ID_KEY),
            (FROM, FROM_KEY),
            (TO, TO_KEY),
            (INTERACTION_ID, INTERACTION_ID_KEY),
        ] {
            assert!(key.as_str().eq_ignore_ascii_case(name), "{name}");
        }
    }
}
