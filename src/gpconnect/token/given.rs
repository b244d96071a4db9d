//! A claim or an element as it was sent, and a text of it.

use std::{borrow::Cow, fmt};

use super::fault::Found;

/// A claim or an element as it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Given<T> {
    /// With this value.
    Value(T),
    /// Not sent.
    #[default]
    Missing,
    /// `null`, which counts as missing (gp-connect 7.2).
    Null,
    /// Something of another kind.
    Other(Found),
}

impl<T> Given<T> {
    /// The value, if there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Missing | Self::Null | Self::Other(_) => None,
        }
    }

    pub(super) fn map<U>(self, change: impl FnOnce(Self) -> U) -> Given<U> {
        match self {
            Self::Value(_) => Given::Value(change(self)),
            Self::Missing => Given::Missing,
            Self::Null => Given::Null,
            Self::Other(found) => Given::Other(found),
        }
    }

    /// What is there instead of a value.
    pub(super) const fn instead(&self) -> Option<Found> {
        match self {
            Self::Value(_) => None,
            Self::Missing => Some(Found::Missing),
            Self::Null => Some(Found::Null),
            Self::Other(found) => Some(*found),
        }
    }
}

/// A string, borrowed from the token where it holds no escapes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text<'t>(pub(super) Cow<'t, str>);

/// Without the text: tokens name people.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Text({} bytes)", self.0.len())
    }
}

impl Text<'_> {
    /// The text. Only for what goes to the provider, to the caller itself, or into the journal.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it but blanks.
    pub(super) fn is_blank(&self) -> bool {
        self.0.chars().all(char::is_whitespace)
    }
}

impl Given<Text<'_>> {
    /// The text, unless there is none or nothing but blanks.
    pub fn text(&self) -> Option<&str> {
        self.value().filter(|text| !text.is_blank()).map(Text::expose)
    }

    /// What is there instead of a text.
    pub(super) fn instead_of_text(&self) -> Option<Found> {
        match self {
            Self::Value(text) => text.is_blank().then_some(Found::Empty),
            Self::Missing | Self::Null | Self::Other(_) => self.instead(),
        }
    }
}
