//! Names and texts that operators make up.

use std::{fmt, path::PathBuf, str::FromStr};

/// A name for a listener, an upstream or a group: 1 to 64 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Box<str>);

/// Why a text was refused as a [`Label`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a name of 1 to 64 letters, digits, \"-\" and \"_\", as in \"north-2\"")]
pub struct NotALabel;

impl Label {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = NotALabel;

    fn from_str(text: &str) -> Result<Self, NotALabel> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let good = (1..=64).contains(&text.len()) && text.bytes().all(allowed);
        good.then(|| Self(text.into())).ok_or(NotALabel)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

/// A line of text for people, such as a practice's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title(String);

/// Why a text was refused as a [`Title`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a line of 1 to 200 characters, without tabs or other control characters")]
pub struct NotATitle;

impl Title {
    /// The text.
    pub fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Display for Title {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

impl FromStr for Title {
    type Err = NotATitle;

    fn from_str(text: &str) -> Result<Self, NotATitle> {
        let good = !text.trim().is_empty()
            && text.chars().count() <= 200
            && !text.chars().any(char::is_control);
        good.then(|| Self(text.to_owned())).ok_or(NotATitle)
    }
}

/// The name of a file.
#[derive(Clone, Debug)]
pub(super) struct FileName(pub(super) PathBuf);

/// Why a text was refused as a file name.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("expected the name of a file, as in \"practices.toml\"")]
pub(super) struct NotAFileName;

impl FromStr for FileName {
    type Err = NotAFileName;

    fn from_str(text: &str) -> Result<Self, NotAFileName> {
        let good = !text.trim().is_empty() && !text.chars().any(char::is_control);
        good.then(|| Self(PathBuf::from(text))).ok_or(NotAFileName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_letters_digits_and_hyphens() {
        for (name, text, good) in [
            ("common", "north-supplier_2", true),
            ("the longest", &"x".repeat(64), true),
            ("too long", &"x".repeat(65), false),
            ("empty", "", false),
            ("a blank", "north supplier", false),
            ("a colon", "group:north", false),
            ("not ASCII", "nörd", false),
        ] {
            assert_eq!(text.parse::<Label>().is_ok(), good, "{name}");
        }
    }

    #[test]
    fn a_title_is_one_line() {
        for (name, text, good) in [
            ("common", "The Avenue Surgery", true),
            ("not ASCII", "Meddygfa Tŷ Mawr", true),
            ("blank", "  ", false),
            ("empty", "", false),
            ("two lines", "a\nb", false),
            ("too long", &"x".repeat(201), false),
        ] {
            assert_eq!(text.parse::<Title>().is_ok(), good, "{name}");
        }
    }
}
