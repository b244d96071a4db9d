//! Service roots: the base URL of one capability at one practice (gp-connect 2.1).

use std::{fmt, str::FromStr, sync::Arc};

use super::{HostName, OdsCode};

/// `https://{host}[:{port}]/{ODS code}/{STU3|DSTU2}/{major}/{routing segment...}`. Compared byte for
/// byte; never derived, always taken from the directory.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServiceRoot {
    text: Arc<str>,
    authority: (usize, usize),
    host: HostName,
    ods_code: OdsCode,
}

/// Why a text was refused as a [`ServiceRoot`]; each says what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAServiceRoot {
    /// Does not start with `https://`.
    #[error("does not start with \"https://\"; write the provider's full https address")]
    Scheme,
    /// The host is no host name, or the port is no number.
    #[error("has no valid host name after \"https://\"; write it in lower case, as in gp.example")]
    Authority,
    /// The first path segment is no ODS code.
    #[error("has no ODS code after the host; write https://{{host}}/{{ODS code}}/STU3/1/...")]
    OdsCode,
    /// The FHIR version or the GP Connect major version is missing.
    #[error("lacks the versions; write /STU3/1/ (or /DSTU2/0/) after the ODS code")]
    Versions,
    /// Ends in a slash.
    #[error("ends in \"/\"; write it without the last \"/\"")]
    TrailingSlash,
    /// No routing segment, an empty one, or one with other than `A-Z a-z 0-9 - . _ ~`.
    #[error("needs a routing segment of letters, digits, \"-\", \".\", \"_\" after the versions")]
    RoutingSegment,
}

impl ServiceRoot {
    /// A service root as a directory has it. It should not, but may end in a slash there
    /// (gp-connect 2.1); that slash then is the one between root and request.
    ///
    /// # Errors
    /// As for a text without that slash.
    pub fn as_registered(text: &str) -> Result<Self, NotAServiceRoot> {
        let base = text.strip_suffix('/').unwrap_or(text);
        Ok(Self { text: text.into(), ..base.parse()? })
    }

    /// The whole text, as it is registered.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What a slash and the request follow.
    pub fn base(&self) -> &str {
        self.text.strip_suffix('/').unwrap_or(&self.text)
    }

    /// Host and, where there is one, port.
    pub fn authority(&self) -> &str {
        self.text.get(self.authority.0..self.authority.1).unwrap_or_default()
    }

    /// The host alone: what the provider's certificate must name.
    pub const fn host(&self) -> &HostName {
        &self.host
    }

    /// The path of the base, from the slash before the ODS code on.
    pub fn path(&self) -> &str {
        self.base().get(self.authority.1..).unwrap_or_default()
    }

    /// The practice whose root this is.
    pub fn ods_code(&self) -> OdsCode {
        self.ods_code
    }
}

/// The host of an authority that is one.
fn host(authority: &str) -> Option<HostName> {
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port > 0);
    host.parse().ok().filter(|_| is_port)
}

fn is_routing_segment(segment: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    !segment.is_empty() && !matches!(segment, "." | "..") && segment.bytes().all(allowed)
}

impl FromStr for ServiceRoot {
    type Err = NotAServiceRoot;

    fn from_str(text: &str) -> Result<Self, NotAServiceRoot> {
        use NotAServiceRoot as Not;
        const SCHEME: &str = "https://";
        let rest = text.strip_prefix(SCHEME).ok_or(Not::Scheme)?;
        let (authority, path) = rest.split_once('/').ok_or(Not::OdsCode)?;
        let host = host(authority).ok_or(Not::Authority)?;
        if path.ends_with('/') {
            return Err(Not::TrailingSlash);
        }
        let mut segments = path.split('/');
        let ods_code = segments.next().and_then(|code| code.parse().ok()).ok_or(Not::OdsCode)?;
        let fhir_version = segments.next().unwrap_or_default();
        let major = segments.next().unwrap_or_default();
        let is_number = !major.is_empty() && major.bytes().all(|byte| byte.is_ascii_digit());
        if !matches!(fhir_version, "STU3" | "DSTU2") || !is_number {
            return Err(Not::Versions);
        }
        let mut routing = segments.peekable();
        if routing.peek().is_none() || !routing.all(is_routing_segment) {
            return Err(Not::RoutingSegment);
        }
        let authority = (SCHEME.len(), SCHEME.len() + authority.len());
        Ok(Self { text: text.into(), authority, host, ods_code })
    }
}

impl fmt::Display for ServiceRoot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.text)
    }
}

impl fmt::Debug for ServiceRoot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ServiceRoot({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gp-connect 2.1: the parts of a service root, without a slash at the end.
    #[test]
    fn a_service_root_has_its_parts_in_order() {
        use NotAServiceRoot as Not;
        for (name, text, expected) in [
            ("common", "https://gp.example/A20047/STU3/1/gpconnect", Ok(())),
            ("with a port", "https://gp.example:8443/A20047/STU3/1/gpconnect/fhir", Ok(())),
            ("0.7", "https://gp.example/A20047/DSTU2/0/gpc", Ok(())),
            ("plain", "http://gp.example/A20047/STU3/1/gpconnect", Err(Not::Scheme)),
            ("upper-case scheme", "HTTPS://gp.example/A20047/STU3/1/g", Err(Not::Scheme)),
            ("user info", "https://u@gp.example/A20047/STU3/1/g", Err(Not::Authority)),
            ("port 0", "https://gp.example:0/A20047/STU3/1/g", Err(Not::Authority)),
            ("no host", "https:///A20047/STU3/1/g", Err(Not::Authority)),
            ("no code", "https://gp.example", Err(Not::OdsCode)),
            ("lower-case code", "https://gp.example/a20047/STU3/1/g", Err(Not::OdsCode)),
            ("no versions", "https://gp.example/A20047/gpconnect", Err(Not::Versions)),
            ("no routing segment", "https://gp.example/A20047/STU3/1", Err(Not::RoutingSegment)),
            ("a slash at the end", "https://gp.example/A20047/STU3/1/g/", Err(Not::TrailingSlash)),
            ("two slashes", "https://gp.example/A20047/STU3/1//g", Err(Not::RoutingSegment)),
            ("dots", "https://gp.example/A20047/STU3/1/../g", Err(Not::RoutingSegment)),
            ("a query", "https://gp.example/A20047/STU3/1/g?x", Err(Not::RoutingSegment)),
        ] {
            assert_eq!(text.parse::<ServiceRoot>().map(|_| ()), expected, "{name}");
        }
    }

    #[test]
    fn a_service_root_knows_its_parts() {
        let root: ServiceRoot = "https://gp.example:8443/A20047/STU3/1/gpconnect".parse().unwrap();
        assert_eq!(root.authority(), "gp.example:8443");
        assert_eq!(root.path(), "/A20047/STU3/1/gpconnect");
        assert_eq!(root.ods_code().as_str(), "A20047");
    }

    /// gp-connect 2.1 and 2.2: a slash at the end of a record is the boundary, nothing else is
    /// normalised.
    #[test]
    fn a_registered_slash_at_the_end_is_the_boundary() {
        let text = "https://gp.example/A20047/STU3/1/gpconnect/";
        let root = ServiceRoot::as_registered(text).unwrap();
        assert_eq!(root.as_str(), text);
        assert_eq!(root.base(), "https://gp.example/A20047/STU3/1/gpconnect");
        assert_eq!(root.path(), "/A20047/STU3/1/gpconnect");
        let plain = ServiceRoot::as_registered(root.base()).unwrap();
        assert_eq!(plain, root.base().parse().unwrap());
        assert!(ServiceRoot::as_registered(&format!("{text}/")).is_err(), "one slash only");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(https://)?[a-zA-Z0-9./:é-]{0,60}") {
            if let Ok(root) = text.parse::<ServiceRoot>() {
                proptest::prop_assert_eq!(root.as_str(), text);
            }
        }
    }
}
