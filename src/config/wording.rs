//! How mistakes are worded: what was found, what was expected, what was probably meant.

use std::{fmt::Display, str::FromStr};

use super::{
    finding::Notebook,
    keys::{Form, Key},
    node::Value,
};

/// What to say of a key that nobody may write among `keys`.
pub(super) fn unknown(name: &str, keys: &[Key], notebook: &Notebook) -> String {
    let suggestion = notebook.suggestion(name, keys.iter().map(|key| key.name));
    if suggestion.is_empty() {
        let known: Vec<_> = keys.iter().map(|key| key.name).collect();
        return format!("is no known key; those known here are {}", known.join(", "));
    }
    format!("is no known key{suggestion}")
}

/// What to say of a value that is no text.
pub(super) fn not_text(value: &Value<'_>, form: &Form) -> String {
    let remedy = if let Value::Integer(number) = value {
        format!("; write it in quotes: \"{number}\"")
    } else {
        String::new()
    };
    format!("expected text in quotes ({}), found {}{remedy}", form.what, value.kind())
}

/// What to say of a key that is not there and must be.
pub(super) fn missing(key: &Key, example: &str) -> String {
    format!("is missing; write {} = {example} ({})", key.name, key.meaning)
}

/// What to say of a text that was refused; with the text that was probably meant.
pub(super) fn refusal<T: FromStr>(
    text: &str,
    error: &impl Display,
    form: &Form,
    notebook: &Notebook,
) -> String {
    let error = error.to_string();
    if !error.starts_with("expected") {
        return error;
    }
    let upper = text.trim().to_ascii_uppercase();
    let lower = text.trim().to_ascii_lowercase();
    let meant = [text.trim(), &upper, &lower].into_iter().find(|text| text.parse::<T>().is_ok());
    let suggestion = match meant {
        Some(meant) => format!("; did you mean {meant:?}?"),
        None => notebook.suggestion(text, (form.known)()),
    };
    format!("found {}, {error}{suggestion}", quoted(text))
}

/// The text in quotes, shortened when it is long.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// `"a", "b" or "c"`.
pub(super) fn either(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
