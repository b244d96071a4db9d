//! What the outgoing request must look like, and what is added to the answer.

use crate::{
    decide::Permit,
    policy::{Endpoint, Policy},
};

/// How an upstream is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connection {
    /// We are the provider's proxy: origin form, the provider's own host.
    #[default]
    Direct,
    /// Another proxy comes next: the request keeps the proxy form.
    Proxy,
}

impl Connection {
    /// The word for configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Proxy => "proxy",
        }
    }
}

/// The endpoint that a permit leads to.
pub fn endpoint<'p>(permit: &Permit, policy: &'p Policy) -> Option<&'p Endpoint> {
    let practice = policy.practice(permit.practice())?;
    practice.endpoints.of(permit.interaction().row().capability)
}

/// The request target to send. Path and query are the bytes that arrived; exactly one slash joins
/// them to the service root.
pub fn target(permit: &Permit, endpoint: &Endpoint, connection: Connection) -> String {
    let root = &endpoint.service_root;
    match connection {
        Connection::Direct => [root.path(), permit.fhir_request()].join("/"),
        Connection::Proxy => ["", root.base(), permit.fhir_request()].join("/"),
    }
}

/// The URL of the request without its query: for error texts of the proxy's vocabulary.
pub fn url(permit: &Permit, endpoint: &Endpoint) -> String {
    let path = permit.fhir_request().split('?').next().unwrap_or_default();
    [endpoint.service_root.base(), path].join("/")
}

/// The `Forwarded` element of this hop (RFC 7239): IPv6 bracketed and quoted, our own address
/// hidden behind an obfuscated name.
pub fn forwarded(client: Option<std::net::SocketAddr>, host: &str, scheme: &str) -> String {
    let client = match client {
        Some(std::net::SocketAddr::V4(address)) => address.ip().to_string(),
        Some(std::net::SocketAddr::V6(address)) => format!("\"[{}]\"", address.ip()),
        None => "unknown".to_owned(),
    };
    // A port makes the host no token, so it is quoted.
    let quote = if host.contains(':') { "\"" } else { "" };
    format!("by=_gpconnect-gateway;for={client};host={quote}{host}{quote};proto={scheme}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gp-connect 4.2: `Forwarded` (RFC 7239) discloses what the hop hides, IPv6 in brackets and quotes.
    #[test]
    fn forwarded_names_the_client() {
        for (name, client, host, expected) in [
            ("IPv4", "192.0.2.7:5123", "gw.example", "for=192.0.2.7;host=gw.example;proto=https"),
            (
                "IPv6",
                "[2001:db8::1]:5123",
                "gw.example:443",
                "for=\"[2001:db8::1]\";host=\"gw.example:443\";proto=https",
            ),
        ] {
            let element = forwarded(client.parse().ok(), host, "https");
            assert_eq!(element, format!("by=_gpconnect-gateway;{expected}"), "{name}");
        }
        assert!(forwarded(None, "h", "http").contains("for=unknown"));
    }
}
