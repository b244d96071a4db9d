//! What may be written, as data: the one source of defaults, ranges, JSON Schema and suggestions.

use std::time::Duration;

/// A key that may stand in a file.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// What holds when it is absent.
    pub absent: Absent,
    /// What it means, for people.
    pub meaning: &'static str,
}

/// What holds when a key is absent.
#[derive(Clone, Copy, Debug)]
pub enum Absent {
    /// It must be written; with an example of its value, in TOML.
    Mistake(&'static str),
    /// This value, in TOML.
    Default(&'static str),
    /// What this says.
    Means(&'static str),
}

/// What a value must be.
#[derive(Debug)]
pub enum Kind {
    /// Text of a form.
    Text(Form),
    /// One of these words.
    Word(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// `true`, and it says why one must say so.
    Consent(&'static str),
    /// A whole number within a range.
    Number(u64, u64),
    /// A number of bytes within a range: an integer, or text as in `"64 KiB"`.
    Size(u64, u64),
    /// Text as in `"250ms"`, `"10s"`, `"5m"`, `"1h"` or `"30d"`, within a range.
    Time(Duration, Duration),
    /// A list of texts; `true` when it may be empty.
    List(Form, bool),
    /// A table: `[name]`, or `name = { ... }`.
    Table(&'static [Key]),
    /// Tables: `[[name]]`.
    Tables(&'static [Key]),
}

/// The form of a text, for people and for the schema.
#[derive(Debug)]
pub struct Form {
    /// What it is, as in "an ODS code".
    pub what: &'static str,
    /// A regular expression that good texts match (the reader may be stricter).
    pub pattern: &'static str,
    /// Good texts, where there are only so many: for suggestions.
    pub known: fn() -> Vec<&'static str>,
}

impl Form {
    /// Any text that is not empty.
    pub const TEXT: Self = Self::new("text", "\\S");

    /// A form.
    pub const fn new(what: &'static str, pattern: &'static str) -> Self {
        Self { what, pattern, known: Vec::new }
    }

    /// A form that only `known` texts have.
    pub const fn known(
        what: &'static str,
        pattern: &'static str,
        known: fn() -> Vec<&'static str>,
    ) -> Self {
        Self { what, pattern, known }
    }
}

impl Key {
    /// A key that must be written; `example` is a value in TOML.
    pub const fn required(
        name: &'static str,
        kind: Kind,
        example: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind, absent: Absent::Mistake(example), meaning }
    }

    /// A key with a default, given in TOML.
    pub const fn default(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind, absent: Absent::Default(default), meaning }
    }

    /// A key that may be left out, which then `means` something.
    pub const fn optional(
        name: &'static str,
        kind: Kind,
        means: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { name, kind, absent: Absent::Means(means), meaning }
    }

    /// A `[section]`.
    pub const fn table(name: &'static str, keys: &'static [Self], meaning: &'static str) -> Self {
        let absent = Absent::Means("its defaults");
        Self { name, kind: Kind::Table(keys), absent, meaning }
    }

    /// A list of `[[section]]`.
    pub const fn tables(name: &'static str, keys: &'static [Self], meaning: &'static str) -> Self {
        Self { name, kind: Kind::Tables(keys), absent: Absent::Means("none"), meaning }
    }
}
