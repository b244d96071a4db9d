//! Where in the claims of an access token something stands.

use std::{fmt, str::FromStr};

use serde_json::Value;

/// The way to one claim: its name, or names and places in lists joined by dots, as in
/// `cnf.x5t#S256` or `roles.0.code`. A name that is a URL is one name, whatever dots it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Box<str>);

/// Why a text was refused as a [`ClaimPath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a claim, or up to 8 names joined by dots, as in \"role.code\"")]
pub struct NotAClaimPath;

impl ClaimPath {
    /// Names in each other that are followed.
    const MOST_NAMES: usize = 8;

    /// The text as it was read.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands there.
    pub fn find<'c>(&self, claims: &'c Value) -> Option<&'c Value> {
        names(&self.0).try_fold(claims, |value, name| match value {
            Value::Object(members) => members.get(name),
            Value::Array(entries) => entries.get(name.parse::<usize>().ok()?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
    }
}

/// The names along the way.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let most = if text.contains("://") { 1 } else { usize::MAX };
    text.splitn(most, '.')
}

impl FromStr for ClaimPath {
    type Err = NotAClaimPath;

    fn from_str(text: &str) -> Result<Self, NotAClaimPath> {
        let good = text.len() <= 256
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && names(text).all(|name| !name.is_empty())
            && names(text).count() <= Self::MOST_NAMES;
        good.then(|| Self(text.into())).ok_or(NotAClaimPath)
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_is_names_joined_by_dots() {
        for (name, text, good) in [
            ("a name", "sub", true),
            ("names", "cnf.x5t#S256", true),
            ("a URL", "https://epr.example/claims/ods", true),
            ("the most", "a.b.c.d.e.f.g.h", true),
            ("one more", "a.b.c.d.e.f.g.h.i", false),
            ("the longest", &"x".repeat(256), true),
            ("too long", &"x".repeat(257), false),
            ("empty", "", false),
            ("no name between", "a..b", false),
            ("no last name", "a.", false),
            ("a blank", "family name", false),
            ("not ASCII", "r\u{f4}le", false),
        ] {
            assert_eq!(text.parse::<ClaimPath>().is_ok(), good, "{name}");
        }
    }

    #[test]
    fn a_path_leads_to_one_claim() {
        let claims = json!({
            "sub": "u-1",
            "roles": [{ "code": "R8000", "0": "x" }, null],
            "by": { "0": "name" },
            "https://epr.example/ods": "RXX01",
            "a.b": "never",
        });
        for (path, expected) in [
            ("sub", Some(json!("u-1"))),
            ("roles.0.code", Some(json!("R8000"))),
            ("roles.1", Some(json!(null))),
            ("roles.2", None),
            ("roles.code", None),
            ("roles.-1", None),
            ("by.0", Some(json!("name"))),
            ("https://epr.example/ods", Some(json!("RXX01"))),
            ("sub.x", None),
            ("a.b", None),
            ("other", None),
        ] {
            let path: ClaimPath = path.parse().unwrap();
            assert_eq!(path.find(&claims), expected.as_ref(), "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_path_prints_as_it_was_read(text in "[ -~]{0,40}") {
            if let Ok(path) = text.parse::<ClaimPath>() {
                proptest::prop_assert_eq!(path.to_string(), text);
            }
        }
    }
}
