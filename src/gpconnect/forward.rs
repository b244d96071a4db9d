//! What the outgoing request must look like, and what is added to the answer.

use std::net::{Ipv4Addr, SocketAddr};

use crate::{
    decide::Permit,
    interaction::Capability,
    links::Links,
    names::ServiceRoot,
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
    target_of(permit.fhir_request(), endpoint, connection)
}

/// The request target for `request`, which follows the service root.
pub fn target_of(request: &str, endpoint: &Endpoint, connection: Connection) -> String {
    let (slash, root) = root(endpoint, connection);
    [slash, root, "/", request].concat()
}

/// Whether the target that `arrived` is the one to send, as it mostly is: the usual service root
/// repeats the ODS form.
pub fn is_target(
    arrived: &str,
    permit: &Permit,
    endpoint: &Endpoint,
    connection: Connection,
) -> bool {
    let (slash, root) = root(endpoint, connection);
    let behind = arrived.strip_prefix(slash).and_then(|rest| rest.strip_prefix(root));
    behind.and_then(|rest| rest.strip_prefix('/')) == Some(permit.fhir_request())
}

fn root(endpoint: &Endpoint, connection: Connection) -> (&'static str, &str) {
    match connection {
        Connection::Direct => ("", endpoint.service_root.path()),
        Connection::Proxy => ("/", endpoint.service_root.base()),
    }
}

/// The URL of the request without its query: for error texts of the proxy's vocabulary.
pub fn url(permit: &Permit, endpoint: &Endpoint) -> String {
    let path = permit.fhir_request().split('?').next().unwrap_or_default();
    [endpoint.service_root.base(), path].join("/")
}

/// What the service roots of a permit's practice are called by the consumer, in the form in which it
/// asked: `arrived` is its request target, `origin` the scheme and host that it was sent to.
pub fn links(permit: &Permit, arrived: &str, origin: &str, policy: &Policy) -> Links {
    let Some(practice) = policy.practice(permit.practice()) else { return Links::default() };
    let before = arrived.strip_suffix(permit.fhir_request());
    let Some(asked) = before.and_then(|before| before.strip_suffix('/')) else {
        return Links::default();
    };
    let capability = permit.interaction().row().capability;
    let mut named: Vec<(&ServiceRoot, String)> = Vec::new();
    if let Some(endpoint) = practice.endpoints.of(capability) {
        named.push((&endpoint.service_root, [origin, asked].concat()));
    }
    for (capability, Endpoint { service_root: root, .. }) in practice.endpoints.iter() {
        if named.iter().all(|(known, _)| known.base() != root.base()) {
            let path = match asked.strip_prefix("/http") {
                Some(_) => ["/", root.base()].concat(),
                None => ods_path(asked, capability),
            };
            named.push((root, [origin, &path].concat()));
        }
    }
    Links::new(named)
}

/// The ODS form of the service root for `capability` at the practice, and of the version, that
/// `asked` is for.
fn ods_path(asked: &str, capability: Capability) -> String {
    let mut path: String = asked.split_inclusive('/').take(4).collect();
    path.push_str(match capability {
        Capability::Structured => "gpconnect/structured/fhir",
        Capability::Documents => "gpconnect/documents/fhir",
        Capability::Foundations | Capability::Appointments | Capability::Html => "gpconnect/fhir",
    });
    path
}

/// The `Forwarded` element of this hop (RFC 7239): IPv6 bracketed and quoted, our own address
/// hidden behind an obfuscated name.
pub fn forwarded(client: Option<SocketAddr>, host: &str, scheme: &str) -> String {
    let mut element = String::with_capacity(96 + host.len());
    element.push_str("by=_gpconnect-gateway;for=");
    match client {
        Some(SocketAddr::V4(address)) => push_ipv4(&mut element, *address.ip()),
        Some(SocketAddr::V6(address)) => {
            element.extend(["\"[", &address.ip().to_string(), "]\""]);
        }
        None => element.push_str("unknown"),
    }
    // A port makes the host no token, so it is quoted.
    let quote = if host.contains(':') { "\"" } else { "" };
    element.extend([";host=", quote, host, quote, ";proto=", scheme]);
    element
}

/// As it prints, but without the formatting machinery: each request passes here.
fn push_ipv4(text: &mut String, address: Ipv4Addr) {
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            text.push('.');
        }
        let digits = [octet / 100, octet / 10 % 10, octet % 10];
        let leading = digits.iter().take(2).take_while(|digit| **digit == 0).count();
        text.extend(digits.iter().skip(leading).map(|digit| char::from(b'0' + digit)));
    }
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

    proptest::proptest! {
        #[test]
        fn addresses_are_pushed_as_they_print(address: Ipv4Addr) {
            let mut text = String::new();
            push_ipv4(&mut text, address);
            proptest::prop_assert_eq!(text, address.to_string());
        }
    }
}
