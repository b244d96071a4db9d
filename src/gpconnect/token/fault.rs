//! What can be wrong with a token: which claim, what was there, what was expected.
//!
//! What was there is told by kind and size, never by its text: tokens name people. The one thing
//! that is repeated is the name of an element that FHIR does not have, and that only to the caller.

use std::{borrow::Cow, fmt};

mod claim;
mod container;
mod resource;

pub use claim::{ClaimFault, ScopeFault, ScopeFound};
pub use container::{Part, TokenFault};
pub use resource::{ElementFault, ResourceFault, Within};

use crate::names::FromCaller;

/// What stood where something else belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Missing,
    /// `null`, which counts as nothing (gp-connect 7.2).
    Null,
    /// A string or a list with nothing in it.
    Empty,
    /// A string of this many characters.
    Text(usize),
    /// A number that is not whole, or a whole one where something else belongs.
    Number,
    /// `true` or `false`.
    Flag,
    /// Not a list.
    One,
    /// A list.
    List,
    /// A list with an entry that does not belong there.
    MixedList,
    /// An object.
    Object,
    /// A FHIR resource of this type.
    Resource(&'static str),
    /// A list of identifiers, none of this system.
    NoIdentifierOf(&'static str),
    /// A list of identifiers, two different ones of this system.
    Conflicting(&'static str),
}

impl Found {
    /// The kind and size of a string.
    pub fn text(text: &str) -> Self {
        if text.trim().is_empty() { Self::Empty } else { Self::Text(text.chars().count()) }
    }
}

/// What follows "is".
impl fmt::Display for Found {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => out.write_str("missing"),
            Self::Null => out.write_str("null, which counts as missing"),
            Self::Empty => out.write_str("empty"),
            Self::Text(length) => write!(out, "a string of {}", Characters(*length)),
            Self::Number => out.write_str("a number"),
            Self::Flag => out.write_str("true or false"),
            Self::One => out.write_str("not a list"),
            Self::List => out.write_str("a list"),
            Self::MixedList => out.write_str("a list with something else in it"),
            Self::Object => out.write_str("an object"),
            Self::Resource(kind) => write!(out, "a resource of type {kind}"),
            Self::NoIdentifierOf(system) => write!(out, "a list without the system {system}"),
            Self::Conflicting(system) => {
                write!(out, "a list with two different values of the system {system}")
            }
        }
    }
}

/// A length in words.
struct Characters(usize);

impl fmt::Display for Characters {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.0 == 1 { "" } else { "s" };
        write!(out, "{} character{s}", self.0)
    }
}

/// A name in the JSON that a caller wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallersName {
    length: usize,
    plain: Option<FromCaller<Box<str>>>,
}

impl CallersName {
    /// Keeps a name that may be repeated: short, of letters, digits and `_`, and with too few
    /// digits to be a patient's number.
    pub(super) fn new(name: &str) -> Self {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let digits = name.bytes().filter(u8::is_ascii_digit).count();
        let plain = (1..=64).contains(&name.len()) && name.bytes().all(allowed) && digits < 6;
        Self { length: name.chars().count(), plain: plain.then(|| name.into()) }
    }

    /// The name as its caller may see it.
    fn told(&self) -> Cow<'_, str> {
        self.plain.as_ref().map_or_else(|| self.hidden().into(), |name| name.expose().into())
    }

    /// Its length only, for logs.
    fn hidden(&self) -> String {
        format!("(a name of {})", Characters(self.length))
    }
}

/// A number of seconds for people. More than a day is not told exactly: nobody needs it, and a
/// claim may hold any number, a patient's among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub i64);

pub(super) const DAY: i64 = 86_400;

impl fmt::Display for Seconds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => out.write_str("1 second"),
            seconds if seconds > DAY => out.write_str("more than a day"),
            seconds if seconds < -DAY => out.write_str("minus more than a day"),
            seconds => write!(out, "{seconds} seconds"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_more_than_a_day_is_not_told_exactly() {
        for (seconds, told) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (-5, "-5 seconds"),
            (86_400, "86400 seconds"),
            (86_401, "more than a day"),
            (9_000_000_009, "more than a day"),
            (-86_401, "minus more than a day"),
            (i64::MIN, "minus more than a day"),
        ] {
            assert_eq!(Seconds(seconds).to_string(), told);
        }
    }
}
