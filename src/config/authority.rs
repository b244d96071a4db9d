//! `host` and `host:port` as settings name them.

use std::{
    fmt,
    net::{Ipv6Addr, SocketAddr},
    str::FromStr,
};

use gpconnect::names::HostName;

/// A name under which a listener is called: what `Host` must say, with the port where there is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerName(Box<str>);

/// Why a text was refused as a [`ServerName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected host or host:port in lower case, as in \"gateway.example\" or \"localhost:8080\""
)]
pub struct NotAServerName;

impl ServerName {
    /// The text, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ServerName {
    /// The host alone.
    pub fn host(&self) -> &str {
        split(&self.0).map_or(&*self.0, |(host, _)| host)
    }
}

impl FromStr for ServerName {
    type Err = NotAServerName;

    fn from_str(text: &str) -> Result<Self, NotAServerName> {
        let good = match split(text) {
            Some((host, port)) => is_host(host) && is_port(port),
            None => is_host(text),
        };
        good.then(|| Self(text.into())).ok_or(NotAServerName)
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

/// Where an upstream is connected to: a host name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamAddress(Box<str>);

/// Why a text was refused as an [`UpstreamAddress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected host:port, as in \"gp.example:443\" or \"127.0.0.1:19000\"")]
pub struct NotAnUpstreamAddress;

impl UpstreamAddress {
    /// The text, `host:port`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl UpstreamAddress {
    /// The host alone.
    pub fn host(&self) -> &str {
        split(&self.0).map_or(&*self.0, |(host, _)| host)
    }

    /// The port alone.
    pub fn port(&self) -> &str {
        split(&self.0).map_or("", |(_, port)| port)
    }
}

impl FromStr for UpstreamAddress {
    type Err = NotAnUpstreamAddress;

    fn from_str(text: &str) -> Result<Self, NotAnUpstreamAddress> {
        let good = split(text).is_some_and(|(host, port)| is_host(host) && is_port(port));
        good.then(|| Self(text.into())).ok_or(NotAnUpstreamAddress)
    }
}

impl fmt::Display for UpstreamAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

/// An address to listen at.
#[derive(Clone, Copy)]
pub(super) struct ListenAddress(pub(super) SocketAddr);

/// Why a text was refused as a [`ListenAddress`].
#[derive(thiserror::Error, Debug)]
#[error("expected an IP address and a port, as in \"127.0.0.1:8080\" or \"[::1]:8080\"")]
pub(super) struct NotAListenAddress;

impl FromStr for ListenAddress {
    type Err = NotAListenAddress;

    fn from_str(text: &str) -> Result<Self, NotAListenAddress> {
        text.parse().map(Self).or(Err(NotAListenAddress))
    }
}

/// Host and port, where there is a port; the colons of `[::1]` are the host's.
fn split(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'))
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<HostName>().is_ok(),
    }
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_host_and_perhaps_a_port() {
        for (text, as_name, as_address) in [
            ("gateway.example", true, false),
            ("localhost:8080", true, true),
            ("127.0.0.1:8080", true, true),
            ("[::1]:8080", true, true),
            ("[::1]", true, false),
            ("::1", false, false),
            ("::1:8080", false, false),
            ("Gateway.example", false, false),
            ("https://gateway.example", false, false),
            ("gateway.example/", false, false),
            ("gateway.example:0", false, false),
            ("gateway.example:65536", false, false),
            ("gateway.example:+80", false, false),
            ("gateway.example:", false, false),
            (":80", false, false),
            ("", false, false),
        ] {
            assert_eq!(text.parse::<ServerName>().is_ok(), as_name, "{text}");
            assert_eq!(text.parse::<UpstreamAddress>().is_ok(), as_address, "{text}");
        }
    }
}
