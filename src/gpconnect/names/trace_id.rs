//! `Ssp-TraceID`, which joins log, trace, audit and the provider's own log.

use std::{fmt, str::FromStr};

use arrayvec::ArrayString;

/// A trace id in UUID form, kept as it was sent. A text of any other form never gets this type,
/// because it might hold anything, a patient's number among others (D9).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(ArrayString<36>);

/// Why a text was refused as a [`TraceId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a UUID, as in 629ea9ba-a077-4d99-b289-7a9b19fd4e03")]
pub struct NotATraceId;

impl TraceId {
    /// A trace id from sixteen random bytes (RFC 9562, version 4).
    pub fn from_random(random: [u8; 16]) -> Self {
        let mut bytes = random;
        let [.., _, _, _, _, _, _, version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
        *version = *version & 0x0f | 0x40;
        *variant = *variant & 0x3f | 0x80;
        let mut nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
        let mut text = ArrayString::new();
        for place in 0..36 {
            let nibble = if matches!(place, 8 | 13 | 18 | 23) { None } else { nibbles.next() };
            text.push(nibble.and_then(|nibble| char::from_digit(nibble.into(), 16)).unwrap_or('-'));
        }
        Self(text)
    }

    /// The text as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TraceId {
    type Err = NotATraceId;

    fn from_str(text: &str) -> Result<Self, NotATraceId> {
        let fits = text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        let text = ArrayString::from(text).or(Err(NotATraceId))?;
        (fits && text.is_full()).then_some(Self(text)).ok_or(NotATraceId)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TraceId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gp-connect 4.1: a trace id is a UUID (D9).
    #[test]
    fn a_trace_id_is_a_uuid() {
        for (name, text, good) in [
            ("lower case", "629ea9ba-a077-4d99-b289-7a9b19fd4e03", true),
            ("upper case", "629EA9BA-A077-4D99-B289-7A9B19FD4E03", true),
            ("no hyphens", "629ea9baa0774d99b2897a9b19fd4e03", false),
            ("braces", "{629ea9ba-a077-4d99-b289-7a9b19fd4e03}", false),
            ("a letter too far", "629ea9bg-a077-4d99-b289-7a9b19fd4e03", false),
            ("a word", "trace-1", false),
            ("empty", "", false),
        ] {
            assert_eq!(text.parse::<TraceId>().is_ok(), good, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_made_trace_id_is_a_version_4_uuid(random: [u8; 16]) {
            let text = TraceId::from_random(random).to_string();
            proptest::prop_assert!(text.parse::<TraceId>().is_ok());
            proptest::prop_assert_eq!(text.as_bytes()[14], b'4');
            proptest::prop_assert!(b"89ab".contains(&text.as_bytes()[19]));
        }
    }
}
