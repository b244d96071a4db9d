//! Stage 2: the request target. The ODS form or the proxy form becomes one [`Target`], and nothing
//! after this stage knows which it was, except to tell a caller what it got wrong (gp-connect 2).

use std::fmt;

use crate::{
    interaction::{Capability, InteractionId, Verb, path},
    names::{OdsCode, ServiceRoot},
    rejection::Reason,
};

/// Where a request is meant to go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Target<'r> {
    /// Its verb.
    pub verb: Verb,
    /// The practice named in the path.
    pub practice: OdsCode,
    /// How the practice was named.
    pub form: AddressForm<'r>,
    /// The raw query, without its question mark.
    pub query: Option<&'r str>,
}

/// The two ways to address a practice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AddressForm<'r> {
    /// `/{ODS code}/STU3/1/gpconnect/...`: the gateway finds the service root.
    Ods {
        /// Which service root is meant.
        routing: Routing,
        /// What follows the routing segment.
        path: &'r str,
    },
    /// `/https://{host}/{ODS code}/...`: the service root is spelled out.
    Proxy {
        /// Everything behind `https://`, without the query.
        behind_scheme: &'r str,
    },
}

/// The routing segment of the ODS form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// `gpconnect`: Foundations and Appointments.
    GpConnect,
    /// `gpconnect/structured`.
    Structured,
    /// `gpconnect/documents`.
    Documents,
}

impl Routing {
    /// Whether an interaction of `id` may use this segment.
    pub const fn serves(self, id: InteractionId) -> bool {
        use Capability::{Appointments, Documents, Foundations, Html, Structured};
        match (self, id.row().capability) {
            (Self::GpConnect, Foundations | Appointments | Html)
            | (Self::Structured, Structured)
            | (Self::Documents, Documents) => true,
            // The published path of the structured migrate lacks `structured` (gp-connect 2.3).
            _ => matches!((self, id), (Self::GpConnect, InteractionId::MigrateStructuredRecord)),
        }
    }
}

impl<'r> Target<'r> {
    /// The part of the path in which an interaction's pattern is looked for.
    pub const fn path(&self) -> &'r str {
        match self.form {
            AddressForm::Ods { path, .. } => path,
            AddressForm::Proxy { behind_scheme } => behind_scheme,
        }
    }

    /// Whether `root`, what stands before the FHIR part, is the registered service root byte for
    /// byte. The ODS form names no root, so it always is.
    pub fn names_root(&self, root: &str, registered: &ServiceRoot) -> bool {
        match self.form {
            AddressForm::Ods { .. } => root.is_empty(),
            AddressForm::Proxy { .. } => registered.base().strip_prefix(HTTPS) == Some(root),
        }
    }
}

/// Without path and query, which may name a patient.
impl fmt::Debug for Target<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = shape(self, None);
        write!(out, "Target({} {} {shape})", self.verb.as_str(), self.practice)
    }
}

const HTTPS: &str = "https://";

/// The word of each address form, for logs and metrics.
impl AddressForm<'_> {
    /// `ods` or `proxy`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ods { .. } => "ods",
            Self::Proxy { .. } => "proxy",
        }
    }
}

/// Reads verb and request target.
///
/// # Errors
/// 405 for a verb never carried, 404 for a path that is none of ours, 400 for one that can be
/// read in two ways.
pub fn read<'r>(method: &str, target: &'r str) -> Result<Target<'r>, Reason> {
    let verb = Verb::from_method(method).ok_or(Reason::MethodNotCarried)?;
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    refuse_ambiguity(path)?;
    let path = path.strip_prefix('/').ok_or(Reason::NotAGpConnectPath)?;
    let (practice, form) = match proxy_form(path)? {
        Some(behind_scheme) => proxy_target(behind_scheme)?,
        None => ods_target(path).ok_or(Reason::NotAGpConnectPath)?,
    };
    Ok(Target { verb, practice, form, query })
}

/// Refuses what gateway and provider could read as two different paths.
fn refuse_ambiguity(path: &str) -> Result<(), Reason> {
    if path.contains('\\') {
        return Err(Reason::TargetAmbiguous("it contains a backslash"));
    }
    // As bytes: a search for a character costs more than these short segments are long.
    if path.as_bytes().split(|byte| *byte == b'/').any(is_dot_segment) {
        return Err(Reason::TargetAmbiguous("it contains a \".\" or \"..\" segment"));
    }
    Ok(())
}

fn is_dot_segment(segment: &[u8]) -> bool {
    let mut rest = segment;
    let mut dots = 0;
    while let Some(behind) = strip_dot(rest) {
        rest = behind;
        dots += 1;
    }
    // A parameter behind dots (`..;x`) is a dot segment to some servers.
    (1..=2).contains(&dots) && (rest.is_empty() || rest.starts_with(b";"))
}

fn strip_dot(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => Some(rest),
        _ => None,
    }
}

/// What stands behind one of the three spellings of `https://`, if the path begins with one.
fn proxy_form(path: &str) -> Result<Option<&str>, Reason> {
    if let Some(rest) = path.strip_prefix(HTTPS).or_else(|| path.strip_prefix("https:/")) {
        return Ok(Some(rest));
    }
    let Some(encoded) = strip_ignoring_hex_case(path, "https%3A%2F%2F") else {
        return Ok(None);
    };
    let (authority, _) = encoded.split_once('/').unwrap_or((encoded, ""));
    if authority.contains('%') {
        return Err(Reason::TargetAmbiguous(
            "the service root is percent-encoded; send it as /https://{host}/{ODS code}/...",
        ));
    }
    Ok(Some(encoded))
}

fn strip_ignoring_hex_case<'r>(path: &'r str, prefix: &str) -> Option<&'r str> {
    let (head, rest) = path.split_at_checked(prefix.len())?;
    let scheme = "https".len();
    let same = head.get(..scheme) == prefix.get(..scheme) && head.eq_ignore_ascii_case(prefix);
    same.then_some(rest)
}

fn proxy_target(behind_scheme: &str) -> Result<(OdsCode, AddressForm<'_>), Reason> {
    let lower = |needle: &str| {
        let bytes = behind_scheme.as_bytes();
        bytes.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
    };
    if behind_scheme.contains('%') && (lower("%2f") || lower("%2e")) {
        return Err(Reason::TargetAmbiguous("it contains an encoded slash or dot (%2F, %2E)"));
    }
    let mut segments = behind_scheme.split('/');
    let authority = segments.next().unwrap_or_default();
    // Behind an encoded scheme the host was no segment of its own yet.
    let is_dots = is_dot_segment(authority.as_bytes());
    if authority.is_empty() || authority.contains('@') || is_dots {
        return Err(Reason::TargetAmbiguous("it has no plain host after https://"));
    }
    let code = segments.next().and_then(|code| code.parse().ok());
    let practice = code.ok_or(Reason::NotAGpConnectPath)?;
    Ok((practice, AddressForm::Proxy { behind_scheme }))
}

/// `{ODS code}/{STU3|DSTU2}/{major}/gpconnect[/structured|/documents][/fhir]/{FHIR path}`.
fn ods_target(path: &str) -> Option<(OdsCode, AddressForm<'_>)> {
    let (code, rest) = path.split_once('/')?;
    let practice = code.parse().ok()?;
    let (version, rest) = rest.split_once('/')?;
    let (major, rest) = rest.split_once('/')?;
    let is_number = !major.is_empty() && major.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(version, "STU3" | "DSTU2") || !is_number {
        return None;
    }
    let rest = rest.strip_prefix("gpconnect/")?;
    let (routing, rest) = if let Some(rest) = rest.strip_prefix("structured/") {
        (Routing::Structured, rest)
    } else if let Some(rest) = rest.strip_prefix("documents/") {
        (Routing::Documents, rest)
    } else {
        (Routing::GpConnect, rest)
    };
    let path = rest.strip_prefix("fhir/").unwrap_or(rest);
    (!path.is_empty()).then_some((practice, AddressForm::Ods { routing, path }))
}

/// The path as operators may see it: no ids, no host.
pub fn shape(target: &Target<'_>, id: Option<InteractionId>) -> String {
    let fitting = id.and_then(|id| path::split(target.path(), id).ok());
    match (fitting, target.form) {
        (Some(fitting), _) => path::wire_shape(fitting.path),
        (None, AddressForm::Ods { path, .. }) => path::wire_shape(path),
        (None, AddressForm::Proxy { behind_scheme }) => {
            path::wire_shape(behind_scheme.rsplit('/').next().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_get(target: &str) -> Result<Target<'_>, &'static str> {
        read("GET", target).map_err(|reason| reason.word())
    }

    /// gp-connect 2.2, 2.3 and 2.4: both forms, their spellings, and the raw query.
    #[test]
    fn both_forms_name_a_practice_and_a_path() {
        for (name, target, path, query) in [
            ("ODS form", "/A20047/STU3/1/gpconnect/Patient?a=1&a=2", "Patient", Some("a=1&a=2")),
            ("with fhir", "/A20047/STU3/1/gpconnect/fhir/metadata", "metadata", None),
            (
                "structured",
                "/A20047/STU3/1/gpconnect/structured/fhir/Patient/$gpc.x",
                "Patient/$gpc.x",
                None,
            ),
            (
                "proxy form",
                "/https://gp.example/A20047/STU3/1/gpconnect/Slot?start=ge2026-01-01T00:00:00+00:00",
                "gp.example/A20047/STU3/1/gpconnect/Slot",
                Some("start=ge2026-01-01T00:00:00+00:00"),
            ),
            (
                "folded slashes",
                "/https:/gp.example/A20047/g/Slot",
                "gp.example/A20047/g/Slot",
                None,
            ),
            (
                "encoded scheme",
                "/https%3a%2F%2fgp.example/A20047/g/Slot",
                "gp.example/A20047/g/Slot",
                None,
            ),
            (
                "encoded slash in the query",
                "/A20047/STU3/1/gpconnect/Patient?a=%2F..",
                "Patient",
                Some("a=%2F.."),
            ),
        ] {
            let read = read_get(target).unwrap();
            assert_eq!((read.path(), read.query), (path, query), "{name}");
            assert_eq!(read.practice.as_str(), "A20047", "{name}");
        }
    }

    /// gp-connect 2.2 and 5: what is none of both forms is 404, what can be read in two ways 400, a
    /// verb that GP Connect never carries 405.
    /// gp-connect 2.4, 3 and 16.
    #[test]
    fn other_targets_are_refused() {
        for (name, target, word) in [
            ("root", "/", "not_a_gp_connect_path"),
            ("no slash", "*", "not_a_gp_connect_path"),
            ("lower-case code", "/a20047/STU3/1/gpconnect/Patient", "not_a_gp_connect_path"),
            ("no version", "/A20047/gpconnect/Patient", "not_a_gp_connect_path"),
            ("no FHIR part", "/A20047/STU3/1/gpconnect/", "not_a_gp_connect_path"),
            ("another segment", "/A20047/STU3/1/other/Patient", "not_a_gp_connect_path"),
            ("plain http", "/http://gp.example/A20047/STU3/1/g/Patient", "not_a_gp_connect_path"),
            ("upper-case scheme", "/HTTPS://gp.example/A20047/g/Patient", "not_a_gp_connect_path"),
            ("upper-case encoded", "/HTTPS%3A%2F%2Fgp.example/A20047/g/x", "not_a_gp_connect_path"),
            ("dots", "/A20047/STU3/1/gpconnect/../Patient", "target_ambiguous"),
            ("encoded dots", "/A20047/STU3/1/gpconnect/%2e%2E/Patient", "target_ambiguous"),
            ("mixed dots", "/A20047/STU3/1/gpconnect/.%2e/Patient", "target_ambiguous"),
            ("dots with a parameter", "/A20047/STU3/1/gpconnect/..;/Patient", "target_ambiguous"),
            ("a backslash", "/A20047/STU3/1/gpconnect\\Patient", "target_ambiguous"),
            ("encoded slash", "/https://gp.example/A20047/g%2Fx/Patient", "target_ambiguous"),
            ("encoded root", "/https%3A%2F%2Fgp.example%2FA20047%2Fg/Patient", "target_ambiguous"),
            ("user info", "/https://u@gp.example/A20047/g/Patient", "target_ambiguous"),
            ("three slashes", "/https:///A20047/g/Patient", "target_ambiguous"),
            ("dots for a host", "/https%3A%2F%2F..;x/A20047/g/Patient", "target_ambiguous"),
        ] {
            assert_eq!(read_get(target).unwrap_err(), word, "{name}");
        }
        for method in ["HEAD", "OPTIONS", "TRACE", "PATCH", "DELETE", "get", ""] {
            let read = read(method, "/A20047/STU3/1/gpconnect/Patient");
            assert_eq!(read.unwrap_err().word(), "method_not_carried", "{method}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_target_panics(target in "/?(https?:/{1,3}|https%3A%2F%2F)?[A-Za-z0-9/%.?&=\\\\é@-]{0,60}") {
            if let Ok(read) = read("GET", &target) {
                proptest::prop_assert!(target.contains(read.path()));
                shape(&read, None);
            }
        }
    }
}
