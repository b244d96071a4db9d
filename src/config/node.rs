//! What was written, as a tree in which every value knows its line.
//!
//! The tree is ours and not the parser's, so that environment variables can be laid over it.

use std::borrow::Cow;

use toml::{
    Spanned,
    de::{DeInteger, DeValue},
};

use super::finding::{Located, Notebook, Origin, Place};

/// A value and where it stands.
pub(super) type Node<'s> = Located<Value<'s>>;

/// A value as TOML knows it.
#[derive(Clone, Debug)]
pub(super) enum Value<'s> {
    Text(Cow<'s, str>),
    /// Numbers beyond 64 bits are held at their end: every range of ours ends earlier.
    Integer(i64),
    Float,
    Flag(bool),
    Time,
    List(Vec<Node<'s>>),
    Table(Vec<Entry<'s>>),
}

/// A key of a table with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry<'s> {
    pub(super) key: Cow<'s, str>,
    pub(super) place: Place,
    pub(super) node: Node<'s>,
}

impl Value<'_> {
    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// What it is, after "found".
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float => "a number with a fraction",
            Self::Flag(_) => "true or false",
            Self::Time => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Turns byte offsets into places.
pub(super) struct Lines {
    source: Place,
    /// Where each line but the first starts.
    starts: Vec<usize>,
}

impl Lines {
    pub(super) fn of(source: Place, text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { source, starts: ends.map(|(offset, _)| offset + 1).collect() }
    }

    pub(super) fn place(&self, offset: usize) -> Place {
        let before = self.starts.partition_point(|start| *start <= offset);
        self.source.with_line(u32::try_from(before + 1).unwrap_or(u32::MAX))
    }
}

/// A TOML file taken apart.
#[derive(Debug)]
pub struct Document<'s> {
    pub(super) root: Node<'s>,
    /// Whether all of it could be read; else `root` is what could be made of it.
    pub(super) whole: bool,
}

impl<'s> Document<'s> {
    /// Takes `text` apart; what is no TOML goes to `notebook` under the file's `name`.
    pub fn parse(name: &str, text: &'s str, notebook: &Notebook) -> Self {
        let lines = Lines::of(notebook.open(Origin::File(name.to_owned())), text);
        let (table, errors) = toml::de::DeTable::parse_recoverable(text);
        let mut noted = None;
        for error in &errors {
            let place = lines.place(error.span().map_or(0, |span| span.start));
            // What follows on the same line is usually the echo of the first.
            if noted.replace(place) != Some(place) {
                notebook.unreadable(place, advice(error.message()));
            }
        }
        let root = Spanned::new(0..0, DeValue::Table(table.into_inner()));
        Self { root: node(root, &lines), whole: errors.is_empty() }
    }

    /// Whether all of it could be read.
    pub const fn is_whole(&self) -> bool {
        self.whole
    }
}

/// The parser's message with what to do about it.
fn advice(message: &str) -> String {
    let remedy = match message {
        text if text.starts_with("string values must be quoted") => {
            return String::from("is not TOML: text must stand in quotes, as in key = \"value\"");
        }
        text if text.starts_with("duplicate key") => {
            "; each key and each [section] may stand once, a list of sections is written [[section]]"
        }
        text if text.starts_with("cannot extend value") => {
            "; the key before the dot already has a value that is no table"
        }
        text if text.starts_with("recursion limit") => "; it is nested too deeply",
        _ => "",
    };
    format!("is not TOML: {message}{remedy}")
}

/// A value without lines of its own: a default, or one from the environment.
pub(super) fn parse_value(text: &str, place: Place) -> Option<Node<'static>> {
    let value = DeValue::parse(text).ok()?;
    Some(settle(node(value, &Lines::of(place, "")), place))
}

/// The same value, owned, all of it at `place`.
fn settle(node: Node<'_>, place: Place) -> Node<'static> {
    let entry = |entry: Entry<'_>| Entry {
        key: Cow::Owned(entry.key.into_owned()),
        place,
        node: settle(entry.node, place),
    };
    let value = match node.value {
        Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        Value::Integer(number) => Value::Integer(number),
        Value::Float => Value::Float,
        Value::Flag(flag) => Value::Flag(flag),
        Value::Time => Value::Time,
        Value::List(items) => {
            Value::List(items.into_iter().map(|item| settle(item, place)).collect())
        }
        Value::Table(entries) => Value::Table(entries.into_iter().map(entry).collect()),
    };
    Node { value, place }
}

fn node<'s>(spanned: Spanned<DeValue<'s>>, lines: &Lines) -> Node<'s> {
    let place = lines.place(spanned.span().start);
    let value = match spanned.into_inner() {
        DeValue::String(text) => Value::Text(text),
        DeValue::Integer(number) => Value::Integer(integer(&number)),
        DeValue::Float(_) => Value::Float,
        DeValue::Boolean(flag) => Value::Flag(flag),
        DeValue::Datetime(_) => Value::Time,
        DeValue::Array(items) => {
            Value::List(items.into_iter().map(|item| node(item, lines)).collect())
        }
        DeValue::Table(table) => {
            Value::Table(table.into_iter().map(|(key, value)| entry(key, value, lines)).collect())
        }
    };
    Node { value, place }
}

fn entry<'s>(key: Spanned<Cow<'s, str>>, value: Spanned<DeValue<'s>>, lines: &Lines) -> Entry<'s> {
    let place = lines.place(key.span().start);
    Entry { key: key.into_inner(), place, node: node(value, lines) }
}

fn integer(number: &DeInteger<'_>) -> i64 {
    let beyond = if number.as_str().starts_with('-') { i64::MIN } else { i64::MAX };
    i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(beyond)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> String {
        let notebook = Notebook::default();
        Document::parse("a.toml", text, &notebook);
        notebook.into_findings().0.to_string()
    }

    #[test]
    fn what_is_no_toml_is_named_by_line() {
        for (name, text, expected) in [
            ("good", "a = 1\n[b]\nc = [1, 2]\n", ""),
            ("empty", "", ""),
            (
                "no quotes",
                "a = 1\nb = c\n",
                "a.toml:2: is not TOML: text must stand in quotes, as in key = \"value\"\n",
            ),
            (
                "no closing quote",
                "a = \"x",
                "a.toml:1: is not TOML: invalid basic string, expected `\"`\n",
            ),
            ("no value", "\n\na\n", "a.toml:3: is not TOML: key with no value, expected `=`\n"),
            (
                "twice",
                "a = 1\na = 2\n",
                "a.toml:2: is not TOML: duplicate key; each key and each [section] may stand once, a list of sections is written [[section]]\n",
            ),
            (
                "too deep",
                &format!("a = {}", "[".repeat(90)),
                "a.toml:1: is not TOML: cannot recurse further; max recursion depth met\n",
            ),
        ] {
            assert_eq!(mistakes(text), expected, "{name}");
        }
    }

    #[test]
    fn an_integer_beyond_64_bits_is_held_at_its_end() {
        for (text, expected) in [
            ("12", 12),
            ("1_000", 1000),
            ("0x1F", 31),
            ("-3", -3),
            ("99999999999999999999", i64::MAX),
            ("-99999999999999999999", i64::MIN),
        ] {
            let notebook = Notebook::default();
            let place = notebook.open(Origin::Variable(String::new()));
            let value = parse_value(text, place).unwrap().value;
            assert!(matches!(value, Value::Integer(found) if found == expected), "{text}");
        }
    }
}
