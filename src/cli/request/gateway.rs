//! The gateway's address.

use std::str::FromStr;

use http::Uri;

/// Where requests are sent: `http://{host}[:{port}]`, or the same with `https`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gateway {
    /// Whether it is reached over TLS.
    pub(super) secure: bool,
    /// What stands behind `http://`.
    pub(super) authority: String,
    pub(super) host: String,
    pub(super) port: u16,
}

/// Why a text was refused as a [`Gateway`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAGateway {
    /// Some other text.
    #[error("expected https://host:port or http://host:port, as in https://localhost:8080")]
    Url,
    /// Something behind host and port.
    #[error("has a path or query of its own; expected https://host:port alone")]
    Path,
}

impl Gateway {
    /// Its URL, without a slash at the end.
    pub(super) fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }
}

impl FromStr for Gateway {
    type Err = NotAGateway;

    fn from_str(text: &str) -> Result<Self, NotAGateway> {
        let uri: Uri = text.parse().or(Err(NotAGateway::Url))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) | None => return Err(NotAGateway::Url),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(NotAGateway::Path);
        }
        let authority = uri.authority().ok_or(NotAGateway::Url)?;
        let has_user = authority.as_str().contains('@');
        if authority.host().is_empty() || has_user {
            return Err(NotAGateway::Url);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        Ok(Self {
            secure,
            authority: authority.to_string(),
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_a_host_and_a_port() {
        for (name, text, expected) in [
            ("common", "http://localhost:8080", Ok(("localhost", 8080))),
            ("a slash at the end", "http://localhost:8080/", Ok(("localhost", 8080))),
            ("no port", "http://gateway.example", Ok(("gateway.example", 80))),
            ("IPv6", "http://[::1]:8080", Ok(("::1", 8080))),
            ("TLS", "https://localhost:8443", Ok(("localhost", 8443))),
            ("TLS, no port", "https://gateway.example", Ok(("gateway.example", 443))),
            ("another scheme", "ftp://localhost", Err(NotAGateway::Url)),
            ("a path", "http://localhost/A20047", Err(NotAGateway::Path)),
            ("no scheme", "localhost:8080", Err(NotAGateway::Url)),
            ("user info", "http://u@localhost", Err(NotAGateway::Url)),
            ("a file", "gateway.toml", Err(NotAGateway::Url)),
            ("empty", "", Err(NotAGateway::Url)),
        ] {
            let gateway = text.parse::<Gateway>();
            let parts = gateway.as_ref().map(|it| (it.host.as_str(), it.port));
            assert_eq!(parts.map_err(|fault| *fault), expected, "{name}");
        }
    }
}
