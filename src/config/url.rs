//! Addresses that the gateway itself asks.

use std::{fmt, net::IpAddr, str::FromStr};

use http::Uri;

/// An https address without user, password or fragment; or http, within this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(Uri);

/// Why a text was refused as a [`Url`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an https address without user, password or \"#\", as in \
     \"https://witness.example/checkpoints\"; http is for addresses of this machine only"
)]
pub struct NotAUrl;

impl Url {
    /// Whether it is https.
    pub fn is_secure(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// The host.
    pub fn host(&self) -> &str {
        self.0.host().unwrap_or_default()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(if self.is_secure() { 443 } else { 80 })
    }

    /// The host, and the port where it is not the usual one.
    pub fn authority(&self) -> &str {
        self.0.authority().map_or("", http::uri::Authority::as_str)
    }

    /// Path and query.
    pub fn path(&self) -> &str {
        self.0.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host().trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl Url {
    /// An address of https, or of http wherever it leads.
    fn of_http(text: &str) -> Option<Self> {
        let url = Self(text.parse::<Uri>().ok()?);
        let authority = url.0.authority().map_or("@", http::uri::Authority::as_str);
        let good = matches!(url.0.scheme_str(), Some("http" | "https"))
            && !text.contains('#')
            && !authority.contains('@')
            && !authority.ends_with(':')
            && url.0.port_u16() != Some(0);
        good.then_some(url)
    }
}

impl FromStr for Url {
    type Err = NotAUrl;

    fn from_str(text: &str) -> Result<Self, NotAUrl> {
        let url = Self::of_http(text).ok_or(NotAUrl)?;
        (url.is_secure() || url.is_loopback()).then_some(url).ok_or(NotAUrl)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The https address of a key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysUrl(Url);

/// Why a text was refused as a [`KeysUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an https address without user, password or \"#\", as in \
     \"https://id.example/keys.json\""
)]
pub struct NotAKeysUrl;

impl FromStr for KeysUrl {
    type Err = NotAKeysUrl;

    fn from_str(text: &str) -> Result<Self, NotAKeysUrl> {
        let url = text.parse::<Url>().ok().filter(Url::is_secure);
        url.map(Self).ok_or(NotAKeysUrl)
    }
}

impl std::ops::Deref for KeysUrl {
    type Target = Url;

    fn deref(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for KeysUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The address of a collector of spans: https, or http wherever it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorUrl(Url);

/// Why a text was refused as a [`CollectorUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an address of https or http without user, password or \"#\", as in \
     \"http://127.0.0.1:4317\""
)]
pub struct NotACollectorUrl;

impl FromStr for CollectorUrl {
    type Err = NotACollectorUrl;

    fn from_str(text: &str) -> Result<Self, NotACollectorUrl> {
        Url::of_http(text).map(Self).ok_or(NotACollectorUrl)
    }
}

impl std::ops::Deref for CollectorUrl {
    type Target = Url;

    fn deref(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for CollectorUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_within_this_machine() {
        for (text, good) in [
            ("https://witness.example/checkpoints?of=1", true),
            ("https://witness.example", true),
            ("http://127.0.0.1:8000/", true),
            ("http://[::1]/x", true),
            ("http://localhost:9/x", true),
            ("http://witness.example/", false),
            ("http://localhost.example/", false),
            ("http://192.0.2.1/", false),
            ("https://user@witness.example/", false),
            ("https://witness.example:0/", false),
            ("https://witness.example/#x", false),
            ("ftp://127.0.0.1/", false),
            ("/checkpoints", false),
            ("", false),
        ] {
            let read = text.parse::<Url>();
            assert_eq!(read.is_ok(), good, "{text}");
            let is_http = text.starts_with("http:") && !text.contains('@');
            assert_eq!(text.parse::<CollectorUrl>().is_ok(), good || is_http, "{text}");
            assert_eq!(
                text.parse::<KeysUrl>().is_ok(),
                good && text.starts_with("https"),
                "{text}"
            );
        }
        let url = "https://[2001:db8::1]/a?b".parse::<Url>().unwrap();
        assert_eq!((url.host(), url.port(), url.path()), ("[2001:db8::1]", 443, "/a?b"));
        assert_eq!("http://127.0.0.1".parse::<Url>().unwrap().port(), 80);
    }
}
