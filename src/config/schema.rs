//! The JSON Schema of a file, made from its table of keys: for editors, and for the curious.

use serde_json::{Map, Value, json};

use super::keys::{Absent, Form, Key, Kind};

/// The JSON Schema (2020-12) of a file that may have `keys`.
pub fn schema(title: &str, keys: &[Key]) -> Value {
    let mut schema = table(keys);
    if let Value::Object(fields) = &mut schema {
        fields.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        fields.insert("title".into(), title.into());
    }
    schema
}

fn table(keys: &[Key]) -> Value {
    let required: Vec<_> = keys.iter().filter(|key| is_required(key)).map(|key| key.name).collect();
    let properties: Map<_, _> =
        keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

const fn is_required(key: &Key) -> bool {
    matches!(key.absent, Absent::Mistake(_))
}

fn property(key: &Key) -> Value {
    let mut schema = value(&key.kind);
    if let Value::Object(fields) = &mut schema {
        fields.insert("description".into(), description(key).into());
        if let Some(default) = default(key) {
            fields.insert("default".into(), default);
        }
    }
    schema
}

fn description(key: &Key) -> String {
    match key.absent {
        Absent::Means(means) if !matches!(key.kind, Kind::Table(_) | Kind::Tables(_)) => {
            format!("{} When absent: {means}.", key.meaning)
        }
        Absent::Mistake(_) | Absent::Default(_) | Absent::Means(_) => key.meaning.to_owned(),
    }
}

fn default(key: &Key) -> Option<Value> {
    let Absent::Default(text) = key.absent else {
        return None;
    };
    // The TOML of our defaults (strings, integers, empty lists) is JSON too.
    serde_json::from_str(text).ok()
}

fn value(kind: &Kind) -> Value {
    match kind {
        Kind::Text(form) => text(form),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Consent(_) => json!({ "const": true }),
        Kind::Number(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Size(least, most) => json!({ "oneOf": [
            { "type": "integer", "minimum": least, "maximum": most },
            { "type": "string", "pattern": "^[0-9]+ *(KiB|MiB)?$" },
        ] }),
        Kind::Time(..) => json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" }),
        Kind::List(form, may_be_empty) => {
            json!({ "type": "array", "items": text(form), "minItems": u8::from(!may_be_empty) })
        }
        Kind::Table(keys) => table(keys),
        Kind::Tables(keys) => json!({ "type": "array", "items": table(keys) }),
    }
}

fn text(form: &Form) -> Value {
    json!({ "type": "string", "pattern": form.pattern })
}
