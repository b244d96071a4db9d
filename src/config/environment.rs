//! `GPCG__SECTION__KEY=value`: settings that the environment lays over the file.

use std::{borrow::Cow, ffi::OsString};

use super::{
    credentials,
    finding::{Notebook, Origin, Place},
    keys::{Key, Kind},
    node::{Document, Entry, Node, Value, parse_value},
    wording::unknown,
};

/// What the names of our variables begin with.
const PREFIX: &str = "GPCG__";

/// The variables that are meant for us.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    settings: Vec<(String, Option<String>)>,
    /// Where systemd has put files for us.
    credentials: Option<String>,
}

impl Environment {
    /// Keeps those of ours, in the order of their names.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut ours = Self::default();
        for (name, value) in variables {
            let (name, value) = (name.to_string_lossy().into_owned(), value.into_string().ok());
            if name == credentials::VARIABLE {
                ours.credentials = value;
            } else if name.to_uppercase().starts_with(PREFIX) {
                ours.settings.push((name, value));
            }
        }
        ours.settings.sort();
        ours
    }

    /// Lays the variables over `document`, which may have `keys`, and resolves what it says of
    /// credentials.
    pub(super) fn lay_over(
        &self,
        document: &mut Document<'_>,
        keys: &'static [Key],
        notebook: &Notebook,
    ) {
        for (name, value) in &self.settings {
            let place = notebook.open(Origin::Variable(name.clone()));
            let segments: Vec<_> = name.split("__").skip(1).map(str::to_lowercase).collect();
            let variable =
                Variable { place, path: segments.join("."), value: value.as_deref(), notebook };
            if *name != name.to_uppercase() {
                variable.mistake(format!("must be in upper case; write {}", name.to_uppercase()));
            } else if let Value::Table(entries) = &mut document.root.value {
                variable.set(entries, &segments, keys);
            }
        }
        let directory = self.credentials.as_deref();
        credentials::resolve(&mut document.root, "", directory, notebook);
    }
}

/// A variable on its way to where it belongs.
struct Variable<'a> {
    place: Place,
    path: String,
    value: Option<&'a str>,
    notebook: &'a Notebook,
}

impl Variable<'_> {
    fn mistake(&self, message: impl Into<String>) {
        self.notebook.mistake(self.place, self.path.clone(), message);
    }

    /// Sets what `segments` name within the table of `entries`.
    fn set(&self, entries: &mut Vec<Entry<'_>>, segments: &[String], keys: &'static [Key]) {
        let Some((name, rest)) = segments.split_first() else {
            return self.mistake("names a section; add the key after two underscores");
        };
        let Some(key) = keys.iter().find(|key| key.name == name) else {
            return self.mistake(unknown(name, keys, self.notebook));
        };
        match (&key.kind, rest) {
            (Kind::Table(keys), _) => {
                let table = Value::Table(Vec::new());
                if let Some(Value::Table(entries)) = self.value_under(entries, key, table) {
                    self.set(entries, rest, keys);
                }
            }
            (Kind::Tables(keys), _) => {
                let list = Value::List(Vec::new());
                if let Some(Value::List(items)) = self.value_under(entries, key, list) {
                    self.set_in_list(items, rest, keys);
                }
            }
            (_, []) => {
                if let Some(value) = self.value_of(key) {
                    let node = Node { value, place: self.place };
                    entries.retain(|entry| entry.key != key.name);
                    entries.push(Entry { key: Cow::Borrowed(key.name), place: self.place, node });
                }
            }
            _ => self.mistake(format!("goes on after {name}, which has no keys of its own")),
        }
    }

    /// The value of `key`, which is `new` when there is none. One of another kind than wanted is
    /// the file's mistake and noted when that is read.
    fn value_under<'t, 's>(
        &self,
        entries: &'t mut Vec<Entry<'s>>,
        key: &'static Key,
        new: Value<'s>,
    ) -> Option<&'t mut Value<'s>> {
        if !entries.iter().any(|entry| entry.key == key.name) {
            let node = Node { value: new, place: self.place };
            entries.push(Entry { key: Cow::Borrowed(key.name), place: self.place, node });
        }
        let entry = entries.iter_mut().find(|entry| entry.key == key.name);
        entry.map(|entry| &mut entry.node.value)
    }

    fn set_in_list(&self, items: &mut Vec<Node<'_>>, segments: &[String], keys: &'static [Key]) {
        let place = segments.split_first().map(|(index, rest)| (index.parse::<usize>(), rest));
        let Some((Ok(index), rest)) = place else {
            return self.mistake("needs the place in the list, as in GPCG__LISTENER__0__ADDRESS");
        };
        if index > items.len() {
            return self.mistake(format!("leaves a gap; the next free place is {}", items.len()));
        }
        if index == items.len() {
            items.push(Node { value: Value::Table(Vec::new()), place: self.place });
        }
        if let Some(Value::Table(entries)) = items.get_mut(index).map(|item| &mut item.value) {
            self.set(entries, rest, keys);
        }
    }

    /// The variable's text as a value of the kind that `key` wants.
    fn value_of(&self, key: &Key) -> Option<Value<'static>> {
        let Some(text) = self.value else {
            self.mistake("is not UTF-8; write it in UTF-8");
            return None;
        };
        let typed = || parse_value(text, self.place).map(|node| node.value);
        let value = match key.kind {
            Kind::Flag | Kind::Consent(_) => {
                typed().filter(|value| matches!(value, Value::Flag(_)))
            }
            Kind::Number(..) | Kind::Size(..) => {
                typed().filter(|value| matches!(value, Value::Integer(_)))
            }
            Kind::List(..) if text.starts_with('[') => typed(),
            Kind::List(..) => Some(self.items(text)),
            Kind::Text(_) | Kind::Word(_) | Kind::Time(..) => None,
            Kind::Table(_) | Kind::Tables(_) => None,
        };
        Some(value.unwrap_or_else(|| Value::Text(Cow::Owned(text.to_owned()))))
    }

    /// `a, b` as a list.
    fn items(&self, text: &str) -> Value<'static> {
        let item = |text: &str| Node {
            value: Value::Text(Cow::Owned(text.trim().to_owned())),
            place: self.place,
        };
        let texts = text.split(',').filter(|_| !text.trim().is_empty());
        Value::List(texts.map(item).collect())
    }
}
