//! Whether `aud` points to the practice.
//!
//! The specification wants the service root there, but its own example lacks the routing segment,
//! and consumers that use the ODS form can't know it: their own URL of the gateway will stand
//! there. What every form shares is the practice's code as a path segment (D3).

use crate::names::ServiceRoot;

/// How closely a consumer's `aud` has to point to the practice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AudiencePolicy {
    /// It only has to be there.
    Off,
    /// The practice's ODS code is a path segment.
    #[default]
    Ods,
    /// It begins as the service root does, up to ODS code and versions.
    Prefix,
    /// It is the service root.
    Exact,
}

impl AudiencePolicy {
    /// The words of the setting.
    pub const WORDS: &'static [&'static str] = &["off", "ods", "prefix", "exact"];

    /// The policy of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "off" => Some(Self::Off),
            "ods" => Some(Self::Ods),
            "prefix" => Some(Self::Prefix),
            "exact" => Some(Self::Exact),
            _ => None,
        }
    }

    /// Whether `found` is close enough.
    pub const fn accepts(self, found: AudienceMatch) -> bool {
        use AudienceMatch::{Elsewhere, Exact, Fixed, Prefix};
        match self {
            Self::Off => true,
            Self::Ods => !matches!(found, Elsewhere),
            Self::Prefix => matches!(found, Prefix | Exact | Fixed),
            Self::Exact => matches!(found, Exact | Fixed),
        }
    }
}

/// How closely `aud` points to the practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudienceMatch {
    /// Not at all.
    Elsewhere,
    /// The ODS code is a path segment.
    OdsCode,
    /// It begins as the service root does, up to ODS code and versions.
    Prefix,
    /// It is the service root.
    Exact,
    /// It is the one text that 0.x knows.
    Fixed,
}

impl AudienceMatch {
    /// The word for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::OdsCode => "ods",
            Self::Prefix => "prefix",
            Self::Exact => "exact",
            Self::Fixed => "fixed",
        }
    }

    /// Compares.
    pub fn of(audience: &str, root: &ServiceRoot, fixed: Option<&str>) -> Self {
        if audience == root.as_str() {
            return Self::Exact;
        }
        if fixed == Some(audience) {
            return Self::Fixed;
        }
        if begins_alike(audience, root.as_str()) {
            return Self::Prefix;
        }
        let code = root.ods_code();
        if audience.split('/').any(|segment| segment == code.as_str()) {
            return Self::OdsCode;
        }
        Self::Elsewhere
    }
}

/// Whether both have the same scheme, host, ODS code and versions: the first six segments.
fn begins_alike(audience: &str, root: &str) -> bool {
    const SEGMENTS: usize = 6;
    let (mut audience, mut root) = (audience.split('/'), root.split('/'));
    (0..SEGMENTS).all(|_| {
        let wanted = root.next();
        wanted.is_some() && audience.next() == wanted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gp-connect 7.2, D3: exact, else the prefix up to `/{ODS}/STU3/1`, else the ODS code.
    #[test]
    fn the_closest_match_is_found() {
        use AudienceMatch::{Elsewhere, Exact, Fixed, OdsCode, Prefix};
        let root = "https://gp.example/A20047/STU3/1/gpconnect".parse().unwrap();
        for (name, audience, expected) in [
            ("service root", "https://gp.example/A20047/STU3/1/gpconnect", Exact),
            ("no routing segment", "https://gp.example/A20047/STU3/1", Prefix),
            ("other routing segment", "https://gp.example/A20047/STU3/1/structured", Prefix),
            ("a slash more", "https://gp.example/A20047/STU3/1/gpconnect/", Prefix),
            ("other version", "https://gp.example/A20047/STU3/11/gpconnect", OdsCode),
            ("the gateway's own", "https://gateway.example/A20047/STU3/1/gpconnect", OdsCode),
            ("with a port", "https://gp.example:443/A20047/STU3/1/gpconnect", OdsCode),
            ("code at the end", "https://gp.example/A20047", OdsCode),
            ("another practice", "https://gp.example/B20047/STU3/1/gpconnect", Elsewhere),
            ("code in a word", "https://gp.example/XA20047/STU3/1", Elsewhere),
            ("code in lower case", "https://gp.example/a20047/STU3/1", Elsewhere),
            ("0.x", "https://authorize.fhir.nhs.net/token", Fixed),
            ("empty", "", Elsewhere),
        ] {
            let fixed = Some("https://authorize.fhir.nhs.net/token");
            assert_eq!(AudienceMatch::of(audience, &root, fixed), expected, "{name}");
        }
    }

    /// gp-connect 7.2, D3: `aud_policy` is off, ods, prefix or exact.
    #[test]
    fn a_policy_takes_what_is_at_least_as_close() {
        use AudienceMatch::{Elsewhere, Exact, Fixed, OdsCode, Prefix};
        for (word, accepted) in [
            ("off", vec![Elsewhere, OdsCode, Prefix, Exact, Fixed]),
            ("ods", vec![OdsCode, Prefix, Exact, Fixed]),
            ("prefix", vec![Prefix, Exact, Fixed]),
            ("exact", vec![Exact, Fixed]),
        ] {
            let policy = AudiencePolicy::from_word(word).unwrap();
            for found in [Elsewhere, OdsCode, Prefix, Exact, Fixed] {
                let name = found.as_str();
                assert_eq!(policy.accepts(found), accepted.contains(&found), "{word}: {name}");
            }
        }
        assert_eq!(AudiencePolicy::default(), AudiencePolicy::Ods);
        assert!(AudiencePolicy::WORDS.iter().all(|word| AudiencePolicy::from_word(word).is_some()));
    }
}
