//! Mistakes and warnings, where they stand, and the notebook that collects them all.

use std::{cell::RefCell, error, fmt};

use serde::Serialize;

/// Where something was written: a line of a file, or an environment variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    source: u32,
    line: u32,
}

impl Place {
    /// Another line of the same source.
    pub(super) const fn with_line(self, line: u32) -> Self {
        Self { line, ..self }
    }
}

/// A value together with where it was written.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// An item of a list, together with where it was written.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// Its place in the list as it was written, from 0.
    pub position: usize,
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// Something that somebody wrote settings into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A file, under the name by which it was opened.
    File(String),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name) | Self::Variable(name) => out.pad(name),
        }
    }
}

/// One mistake or one warning: prints as `{file}:{line}: {key}: {what is wrong and what to do}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file or the variable.
    #[serde(flatten)]
    pub origin: Origin,
    /// The line in the file, from 1; none when the whole file is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The path of the key, as in `provider[2].service_roots.foundations`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:", self.origin)?;
        if let Some(line) = self.line {
            write!(out, "{line}:")?;
        }
        if let Some(key) = &self.key {
            write!(out, " {key}:")?;
        }
        write!(out, " {}", self.message)
    }
}

macro_rules! findings {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub struct $name(Vec<Finding>);

        impl $name {
            /// Each of them, in the order of files and lines.
            pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
                self.0.iter()
            }

            /// How many there are.
            pub fn len(&self) -> usize {
                self.0.len()
            }

            /// Adds what was found elsewhere.
            pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
                self.0.extend(findings);
            }

            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.iter().try_for_each(|finding| writeln!(out, "{finding}"))
            }
        }
    };
}

findings!(Mistakes, "What keeps a configuration from being used; prints one line each.");
findings!(Warnings, "What an operator should know about a usable configuration; one line each.");

impl error::Error for Mistakes {}

/// Collects what is wrong, so that ten mistakes are mended in one round.
#[derive(Debug, Default)]
pub struct Notebook {
    origins: RefCell<Vec<Origin>>,
    mistakes: RefCell<Vec<(Place, Finding)>>,
    warnings: RefCell<Vec<(Place, Finding)>>,
}

/// With more mistakes than this, no more suggestions are looked for: each costs a walk over all
/// names.
const MISTAKES_WITH_SUGGESTIONS: usize = 200;

impl Notebook {
    /// Registers a file or a variable; its findings come after those of earlier ones.
    pub(super) fn open(&self, origin: Origin) -> Place {
        let mut origins = self.origins.borrow_mut();
        origins.push(origin);
        Place { source: u32::try_from(origins.len() - 1).unwrap_or(u32::MAX), line: 0 }
    }

    /// Notes that the value of `key` can't be used.
    pub fn mistake(&self, place: Place, key: impl Into<String>, message: impl Into<String>) {
        let finding = self.finding(place, Some(key.into()), message.into());
        self.mistakes.borrow_mut().push((place, finding));
    }

    /// Notes that a line of a file can't be read.
    pub(super) fn unreadable(&self, place: Place, message: impl Into<String>) {
        let finding = self.finding(place, None, message.into());
        self.mistakes.borrow_mut().push((place, finding));
    }

    /// Notes that a whole file can't be read.
    pub fn unreadable_file(&self, name: impl Into<String>, message: impl Into<String>) {
        let place = self.open(Origin::File(name.into()));
        self.unreadable(place, message);
    }

    /// Notes what is allowed but should be known.
    pub fn warn(&self, place: Place, key: impl Into<String>, message: impl Into<String>) {
        let finding = self.finding(place, Some(key.into()), message.into());
        self.warnings.borrow_mut().push((place, finding));
    }

    fn finding(&self, place: Place, key: Option<String>, message: String) -> Finding {
        let origins = self.origins.borrow();
        let origin = origins.get(place.source as usize).cloned();
        let origin = origin.unwrap_or_else(|| Origin::File(String::from("?")));
        Finding { origin, line: (place.line > 0).then_some(place.line), key, message }
    }

    /// The place as a text within a message: `config/practices.toml:3`.
    pub fn name(&self, place: Place) -> String {
        let finding = self.finding(place, None, String::new());
        match finding.line {
            Some(line) => format!("{}:{line}", finding.origin),
            None => finding.origin.to_string(),
        }
    }

    /// Whether nothing stands against using what was read.
    pub fn is_clean(&self) -> bool {
        self.mistakes.borrow().is_empty()
    }

    /// `; did you mean "...?"` when one of `known` resembles `word`, else nothing.
    pub fn suggestion<'a>(&self, word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
        if self.mistakes.borrow().len() > MISTAKES_WITH_SUGGESTIONS {
            return String::new();
        }
        let close = |name: &'a str| {
            let distance = strsim::damerau_levenshtein(word, name);
            (distance <= (word.len().max(name.len()) / 3).max(1)).then_some((distance, name))
        };
        let nearest = known.into_iter().filter_map(close).min();
        nearest.map(|(_, name)| format!("; did you mean {name:?}?")).unwrap_or_default()
    }

    /// Everything that was noted, in the order of files and lines.
    pub fn into_findings(self) -> (Mistakes, Warnings) {
        let sorted = |findings: RefCell<Vec<(Place, Finding)>>| {
            let mut findings = findings.into_inner();
            findings.sort_by(|a, b| (a.0, &a.1.key).cmp(&(b.0, &b.1.key)));
            findings.dedup();
            findings.into_iter().map(|(_, finding)| finding).collect()
        };
        (Mistakes(sorted(self.mistakes)), Warnings(sorted(self.warnings)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_print_in_the_order_of_sources_and_lines() {
        let notebook = Notebook::default();
        let first = notebook.open(Origin::File(String::from("config/a.toml")));
        let second = notebook.open(Origin::Variable(String::from("GPCG__SERVER__THREADS")));
        notebook.mistake(second, "server.threads", "found \"x\", expected a whole number");
        notebook.mistake(first.with_line(9), "provider[1].asid", "is missing");
        notebook.mistake(first.with_line(10), "provider[2].asid", "is missing");
        notebook.unreadable(first, "is a directory");
        let (mistakes, warnings) = notebook.into_findings();
        let expected = "config/a.toml: is a directory\n\
                        config/a.toml:9: provider[1].asid: is missing\n\
                        config/a.toml:10: provider[2].asid: is missing\n\
                        GPCG__SERVER__THREADS: server.threads: found \"x\", expected a whole number\n";
        assert_eq!(mistakes.to_string(), expected);
        assert!(warnings.is_empty());
        let json = serde_json::to_value(&mistakes).unwrap();
        assert_eq!(json[1]["file"], "config/a.toml");
        assert_eq!(json[1]["line"], 9);
        assert_eq!(json[3]["variable"], "GPCG__SERVER__THREADS");
    }

    #[test]
    fn only_what_resembles_is_suggested() {
        let notebook = Notebook::default();
        for (word, expected) in [
            ("thredas", "; did you mean \"threads\"?"),
            ("drian", "; did you mean \"drain\"?"),
            ("listener", ""),
            ("", ""),
        ] {
            assert_eq!(notebook.suggestion(word, ["threads", "drain"]), expected, "{word}");
        }
    }
}
