//! Host names as registered in the directory.

use std::{fmt, str::FromStr, sync::Arc};

/// A fully qualified host name in lower case: dot-separated labels of letters, digits and hyphens.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HostName(Arc<str>);

/// Why a text was refused as a [`HostName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a lower-case host name, as in epr.rxx01.example")]
pub struct NotAHostName;

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `label` may stand between two dots of a host name.
fn is_label(label: &str) -> bool {
    let inner =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-');
    (1..=63).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl FromStr for HostName {
    type Err = NotAHostName;

    fn from_str(text: &str) -> Result<Self, NotAHostName> {
        let good = text.len() <= 253 && text.split('.').all(is_label);
        good.then(|| Self(text.into())).ok_or(NotAHostName)
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "HostName({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_lower_case_labels() {
        for (name, text, good) in [
            ("qualified", "epr.rxx01.example", true),
            ("single", "localhost", true),
            ("upper case", "EPR.example", false),
            ("a port", "epr.example:443", false),
            ("an empty label", "epr..example", false),
            ("a trailing dot", "epr.example.", false),
            ("a hyphen first", "-epr.example", false),
            ("a blank", "epr example", false),
            ("empty", "", false),
        ] {
            assert_eq!(text.parse::<HostName>().is_ok(), good, "{name}");
        }
    }
}
