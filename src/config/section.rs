//! Reads the keys of one table. It notes every mistake and goes on, and at the end it notes the
//! keys that nobody may write.

use std::{borrow::Cow, cell::Cell, fmt::Display, str::FromStr, time::Duration};

use super::{
    finding::{Listed, Located, Notebook, Place},
    keys::{Absent, Form, Key, Kind},
    node::{Document, Entry, Node, Value, parse_value},
    units,
    wording::{either, missing, not_text, quoted, refusal, unknown},
};

/// A table that is being read. What can't be read is noted and comes back as `None`, like what is
/// absent: whoever builds something of it asks the notebook at the end.
pub struct Section<'a> {
    keys: &'static [Key],
    entries: &'a [Entry<'a>],
    path: String,
    place: Place,
    notebook: &'a Notebook,
    /// A bit for each of `keys` that was asked for.
    asked: Cell<u64>,
}

impl<'a> Section<'a> {
    /// Reads a whole document, which may have `keys`.
    pub fn read<T>(
        document: &'a Document<'a>,
        keys: &'static [Key],
        notebook: &'a Notebook,
        read: impl FnOnce(&Self) -> T,
    ) -> T {
        let place = document.root.place;
        let root = Self { path: String::new(), ..Self::of(&document.root, keys, notebook, place) };
        root.finish(read)
    }

    fn of(node: &'a Node<'a>, keys: &'static [Key], notebook: &'a Notebook, place: Place) -> Self {
        let entries =
            if let Value::Table(entries) = &node.value { entries.as_slice() } else { &[] };
        Self { keys, entries, path: String::new(), place, notebook, asked: Cell::new(0) }
    }

    /// Reads, then notes what is written and was not asked for.
    fn finish<T>(&self, read: impl FnOnce(&Self) -> T) -> T {
        let result = read(self);
        for entry in self.entries {
            let position = self.keys.iter().position(|key| key.name == entry.key);
            if position.is_none_or(|position| self.asked.get() >> position & 1 == 0) {
                self.notebook.mistake(
                    entry.place,
                    self.path(&entry.key),
                    unknown(&entry.key, self.keys, self.notebook),
                );
            }
        }
        result
    }

    /// Where the table starts.
    pub const fn place(&self) -> Place {
        self.place
    }

    /// The full path of one of its keys.
    pub fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Where a key is written, or else where the table starts.
    pub fn place_of(&self, name: &str) -> Place {
        self.entry(name).map_or(self.place, |entry| entry.place)
    }

    /// Whether a key is written.
    pub fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// Notes that a key's value can't be used.
    pub fn mistake(&self, name: &str, message: impl Into<String>) {
        self.notebook.mistake(self.place_of(name), self.path(name), message);
    }

    /// Notes that the table as a whole can't be used.
    pub fn mistake_here(&self, message: impl Into<String>) {
        self.notebook.mistake(self.place, self.path.clone(), message);
    }

    /// Notes what is allowed but should be known of a key.
    pub fn warn(&self, name: &str, message: impl Into<String>) {
        self.notebook.warn(self.place_of(name), self.path(name), message);
    }

    /// Notes a key that is written without the one that it needs.
    pub fn both_or_neither(&self, name: &str, other: &str) {
        for (one, other) in [(name, other), (other, name)] {
            if self.has(one) && !self.has(other) {
                self.mistake(one, format!("stands without {other}; write both, or neither"));
            }
        }
    }

    fn entry(&self, name: &str) -> Option<&'a Entry<'a>> {
        self.entries.iter().find(|entry| entry.key == name)
    }

    fn key(&self, name: &str) -> Option<&'static Key> {
        let position = self.keys.iter().position(|key| key.name == name);
        if let Some(position) = position {
            self.asked.set(self.asked.get() | 1 << position);
        } else {
            self.mistake(name, "is read but not in the table of keys: a fault of this program");
        }
        self.keys.get(position?)
    }

    /// Takes note that a key is known, where its value is not looked at.
    pub fn ask(&self, name: &str) {
        self.key(name);
    }

    /// The value of a key: as written, or its default.
    fn node(&self, name: &str) -> Option<(&'static Key, Cow<'a, Node<'a>>)> {
        let key = self.key(name)?;
        if let Some(entry) = self.entry(name) {
            return Some((key, Cow::Borrowed(&entry.node)));
        }
        match key.absent {
            Absent::Default(text) => Some((key, Cow::Owned(parse_value(text, self.place)?))),
            Absent::Means(_) => None,
            Absent::Mistake(example) => {
                self.mistake(name, missing(key, example));
                None
            }
        }
    }

    /// A text of a form.
    pub fn text<T: FromStr<Err: Display>>(&self, name: &str) -> Option<Located<T>> {
        let (key, node) = self.node(name)?;
        let (Kind::Text(form) | Kind::List(form, _)) = &key.kind else {
            return None;
        };
        self.parse(self.path(name), &node, form)
    }

    /// A list of texts of a form; those that can't be read are noted and left out.
    pub fn list<T: FromStr<Err: Display>>(&self, name: &str) -> Option<Vec<Listed<T>>> {
        let (key, node) = self.node(name)?;
        let Kind::List(form, may_be_empty) = &key.kind else {
            return None;
        };
        let path = self.path(name);
        let Value::List(items) = &node.value else {
            let found = node.value.kind();
            self.notebook.mistake(
                node.place,
                path,
                format!("expected a list, found {found}; write {name} = [\"...\", \"...\"]"),
            );
            return None;
        };
        if items.is_empty() && !may_be_empty {
            self.mistake(name, format!("is empty; name at least one: {}", form.what));
        }
        let item = |(position, item): (usize, &Node<'_>)| {
            let Located { value, place } = self.parse(format!("{path}[{position}]"), item, form)?;
            Some(Listed { position, value, place })
        };
        Some(items.iter().enumerate().filter_map(item).collect())
    }

    fn parse<T: FromStr<Err: Display>>(
        &self,
        path: String,
        node: &Node<'_>,
        form: &Form,
    ) -> Option<Located<T>> {
        let message = match node.value.text().map(|text| (text, text.parse::<T>())) {
            Some((_, Ok(value))) => return Some(Located { value, place: node.place }),
            Some((text, Err(error))) => refusal::<T>(text, &error, form, self.notebook),
            None => not_text(&node.value, form),
        };
        self.notebook.mistake(node.place, path, message);
        None
    }

    /// One of the words of the key's table, as `of` understands it.
    pub fn word<T>(&self, name: &str, of: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let (key, node) = self.node(name)?;
        let Kind::Word(words) = &key.kind else {
            return None;
        };
        let Some(text) = node.value.text() else {
            let found = node.value.kind();
            self.mistake(name, format!("expected {}, found {found}", either(words)));
            return None;
        };
        if words.contains(&text) {
            return of(text);
        }
        let suggestion = self.notebook.suggestion(text, words.iter().copied());
        let message = format!("found {}, expected {}{suggestion}", quoted(text), either(words));
        self.mistake(name, message);
        None
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &str) -> Option<bool> {
        let (_, node) = self.node(name)?;
        if let Value::Flag(flag) = node.value {
            return Some(flag);
        }
        let found = node.value.kind();
        let remedy = match node.value.text() {
            Some(word @ ("true" | "false")) => format!("; write {word} without quotes"),
            _ => String::new(),
        };
        self.mistake(name, format!("expected true or false, found {found}{remedy}"));
        None
    }

    /// `true`, without which there is nothing.
    pub fn consent(&self, name: &str) -> Option<()> {
        let key = self.key(name)?;
        let Kind::Consent(why) = key.kind else {
            return None;
        };
        match self.entry(name).map(|entry| &entry.node.value) {
            Some(Value::Flag(true)) => return Some(()),
            None => self.mistake(name, format!("is missing; {why}")),
            Some(Value::Flag(false)) => self.mistake(name, format!("is false; {why}")),
            Some(other) => {
                self.mistake(name, format!("expected true, found {}; {why}", other.kind()))
            }
        }
        None
    }

    /// A whole number or a number of bytes.
    pub fn number(&self, name: &str) -> Option<usize> {
        let (key, node) = self.node(name)?;
        let (Kind::Number(least, most) | Kind::Size(least, most)) = key.kind else { return None };
        let is_size = matches!(key.kind, Kind::Size(..));
        let (number, found) = match (&node.value, node.value.text()) {
            (Value::Integer(i64::MIN | i64::MAX), _) => (None, String::from("a huge number")),
            (Value::Integer(number), _) => (u64::try_from(*number).ok(), number.to_string()),
            (_, Some(text)) if is_size => (units::size(text), quoted(text)),
            (_, Some(text)) => (None, format!("the string {}", quoted(text))),
            (other, None) => (None, other.kind().to_owned()),
        };
        let number = number.filter(|number| (least..=most).contains(number));
        let number = number.and_then(|number| usize::try_from(number).ok());
        if number.is_none() {
            let what = if is_size { "a number of bytes" } else { "a whole number" };
            let or = if is_size { ", or text as in \"64 KiB\"" } else { "" };
            let expected = format!("expected {what} from {least} to {most}{or}");
            self.mistake(name, format!("found {found}, {expected}"));
        }
        number
    }

    /// A duration.
    pub fn time(&self, name: &str) -> Option<Duration> {
        let (key, node) = self.node(name)?;
        let Kind::Time(least, most) = key.kind else {
            return None;
        };
        let (duration, found) = match (&node.value, node.value.text()) {
            (_, Some(text)) => (units::duration(text), quoted(text)),
            (Value::Integer(number), None) => (None, format!("{number} without a unit")),
            (other, None) => (None, other.kind().to_owned()),
        };
        let within = duration.filter(|duration| (least..=most).contains(duration));
        if within.is_none() {
            let (least, most) = (units::print_duration(least), units::print_duration(most));
            let expected = match duration {
                Some(_) => format!("expected a duration from {least} to {most}"),
                None => String::from(
                    "expected a whole number and a unit (ms, s, m, h or d), as in \"10s\"",
                ),
            };
            self.mistake(name, format!("found {found}, {expected}"));
        }
        within
    }

    /// The `[name]` under this table; read without entries when it is absent and may be.
    pub fn table<T>(&self, name: &str, read: impl FnOnce(&Section<'_>) -> T) -> Option<T> {
        let key = self.key(name)?;
        let Kind::Table(keys) = key.kind else {
            return None;
        };
        let path = self.path(name);
        let notebook = self.notebook;
        let section = match (self.entry(name), key.absent) {
            (Some(Entry { node, .. }), _) => {
                if !matches!(node.value, Value::Table(_)) {
                    let found = node.value.kind();
                    self.mistake(
                        name,
                        format!("expected one table, found {found}; write [{path}]"),
                    );
                    return None;
                }
                Self::of(node, keys, notebook, node.place)
            }
            (None, Absent::Mistake(example)) => {
                self.mistake(name, missing(key, example));
                return None;
            }
            (None, Absent::Default(_) | Absent::Means(_)) => {
                Section { keys, entries: &[], path: String::new(), asked: Cell::new(0), ..*self }
            }
        };
        Some(Section { path, ..section }.finish(read))
    }

    /// Each `[[name]]` under this table, with its place in the list.
    pub fn tables<T>(&self, name: &str, read: impl Fn(&Section<'_>, usize) -> T) -> Vec<T> {
        let Some(key) = self.key(name) else {
            return Vec::new();
        };
        let (Kind::Tables(keys), Some(entry)) = (&key.kind, self.entry(name)) else {
            return Vec::new();
        };
        let path = self.path(name);
        let Value::List(items) = &entry.node.value else {
            let found = entry.node.value.kind();
            self.mistake(
                name,
                format!("expected a list of tables, found {found}; write [[{path}]]"),
            );
            return Vec::new();
        };
        let each = |(index, node): (usize, &'a Node<'a>)| {
            let path = format!("{path}[{index}]");
            if !matches!(node.value, Value::Table(_)) {
                let found = node.value.kind();
                let message = format!("expected a table, found {found}; write [[{name}]]");
                self.notebook.mistake(node.place, path, message);
                return None;
            }
            let section = Self::of(node, keys, self.notebook, node.place);
            Some(Section { path, ..section }.finish(|section| read(section, index)))
        };
        items.iter().enumerate().filter_map(each).collect()
    }
}
