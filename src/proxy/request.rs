//! The outgoing request: where it goes and what its head says. It is made from the permit, never
//! from what the engine left of the incoming head.

use std::net::SocketAddr;

use gpconnect::{
    Permit, forward,
    forward::Connection,
    headers::{FROM, INTERACTION_ID, TO, TRACE_ID},
    interaction::Kind,
    names::FromCaller,
    policy::UpstreamIndex,
};
use http::{HeaderValue, header};
use pingora::{
    Result,
    http::RequestHeader,
    upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy},
};

use crate::{config::Timeouts, snapshot::Snapshot};

/// Our name in `Via`, in both directions.
pub(super) const VIA: &str = "1.1 gpconnect-gateway";

/// One request as it is to be sent, whatever the number of tries.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) upstream: UpstreamIndex,
    target: FromCaller<String>,
    host: HeaderValue,
    forwarded: HeaderValue,
    /// For error texts.
    pub(super) url: FromCaller<String>,
}

impl Outgoing {
    /// What the permit leads to; none when the snapshot lacks it, which it was made from.
    pub(super) fn new(
        permit: &Permit,
        snapshot: &Snapshot,
        client: Option<SocketAddr>,
        head: &RequestHeader,
        secure: bool,
    ) -> Option<Self> {
        let endpoint = forward::endpoint(permit, &snapshot.policy)?;
        let upstream = snapshot.upstream(endpoint.upstream)?;
        let host = match upstream.connection {
            Connection::Direct => endpoint.service_root.authority(),
            Connection::Proxy => upstream.address.as_str(),
        };
        let scheme = if secure { "https" } else { "http" };
        let served = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let forwarded = forward::forwarded(client, served.unwrap_or_default(), scheme);
        Some(Self {
            upstream: endpoint.upstream,
            target: FromCaller::new(forward::target(permit, endpoint, upstream.connection)),
            host: HeaderValue::from_str(host).ok()?,
            forwarded: HeaderValue::from_str(&forwarded).ok()?,
            url: FromCaller::new(forward::url(permit, endpoint)),
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
        head.set_raw_path(self.target.expose().as_bytes())?;
        head.insert_header(header::HOST, self.host.clone())?;
        // Started afresh: what a caller writes there proves nothing (gp-connect 4.2).
        head.insert_header("Forwarded", self.forwarded.clone())?;
        head.append_header("Via", VIA)?;
        // The body is complete, so there is nothing to wait for.
        head.remove_header(&header::EXPECT);
        let filled = permit.filled();
        let mut set = |name: &'static str, filled: bool, value: &str| {
            if filled { head.insert_header(name, value) } else { keep_one(head, arrived, name) }
        };
        set(TRACE_ID, filled.trace_id, permit.trace_id().as_str())?;
        set(FROM, filled.from, permit.from().as_str())?;
        set(TO, filled.to, permit.to().as_str())?;
        set(INTERACTION_ID, filled.interaction_id, permit.interaction().urn())?;
        set("Authorization", false, "")
    }
}

/// Makes sure that a header which was checked leaves exactly once and as it arrived, whatever the
/// engine's removal of hop-by-hop headers did.
fn keep_one(head: &mut RequestHeader, arrived: &RequestHeader, name: &'static str) -> Result<()> {
    let Some(value) = arrived.headers.get(name) else { return Ok(()) };
    let mut present = head.headers.get_all(name).iter();
    if present.next() == Some(value) && present.next().is_none() {
        return Ok(());
    }
    head.insert_header(name, value.clone())
}

/// The connection to ask the engine for, with a deadline on every wait: it sets none itself.
pub(super) fn peer(address: SocketAddr, kind: Kind, timeouts: &Timeouts) -> HttpPeer {
    let mut peer = HttpPeer::new(address, false, String::new());
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
