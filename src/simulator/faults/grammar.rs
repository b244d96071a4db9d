//! Faults as text and as JSON.

use std::fmt;
use std::str::FromStr;

use gpconnect::interaction::InteractionId;
use serde_json::{Map, Value};

use super::latency::{spelled, time};
use super::{Effect, Fault, Moment};
use crate::simulator::fhir::outcome::Code;
use crate::simulator::proxy::Word;

/// Why a text is no [`Fault`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAFault {
    /// An item with a name that no item has.
    #[error("{0:?} is no item of a fault; see the documentation of Fault")]
    UnknownItem(String),
    /// An item whose value is not understood.
    #[error("{0:?} has a value that is not understood")]
    BadValue(String),
    /// A second effect: the two would hide each other.
    #[error("{0:?} is a second effect; order two faults instead")]
    SecondEffect(String),
    /// Neither a latency nor an effect.
    #[error("neither a latency nor an effect is given")]
    Nothing,
    /// JSON that is neither a fault nor a list of faults.
    #[error("expected a fault as an object or as text, or a list of them")]
    NotJson,
}

impl FromStr for Fault {
    type Err = NotAFault;

    fn from_str(text: &str) -> Result<Self, NotAFault> {
        let items = text.split(';').map(str::trim).filter(|item| !item.is_empty());
        Self::of_items(items.map(|item| {
            let (name, value) = item.split_once('=').unwrap_or((item, ""));
            (name.trim().to_owned(), value.trim().to_owned())
        }))
    }
}

impl Fault {
    /// Reads one fault or a list of them from JSON.
    ///
    /// # Errors
    /// What the first fault that can't be read says.
    pub fn list_from_json(json: &Value) -> Result<Vec<Self>, NotAFault> {
        match json {
            Value::Array(faults) => faults.iter().map(Self::from_json).collect(),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => Self::from_json(json).map(|fault| vec![fault]),
        }
    }

    fn from_json(json: &Value) -> Result<Self, NotAFault> {
        if let Some(text) = json.as_str() {
            return text.parse();
        }
        let members = json.as_object().ok_or(NotAFault::NotJson)?;
        // `"endless": false` is as good as absent.
        let items = members.iter().filter(|(_, value)| **value != Value::Bool(false));
        let mut pairs = Vec::new();
        for (name, value) in items {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Bool(_) => String::new(),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    return Err(NotAFault::BadValue(name.clone()));
                }
            };
            pairs.push((name.clone(), value));
        }
        Self::of_items(pairs.into_iter())
    }

    /// The fault as JSON, in the form that is read.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        for (name, value) in self.items() {
            let number = value.parse::<u64>().map(Value::from);
            let value = match (name, number) {
                ("status" | "count", Ok(number)) => number,
                ("endless" | "truncate", _) if value.is_empty() => Value::Bool(true),
                (_, _) => Value::String(value),
            };
            members.insert(name.into(), value);
        }
        Value::Object(members)
    }

    fn of_items(items: impl Iterator<Item = (String, String)>) -> Result<Self, NotAFault> {
        let mut fault =
            Self { latency: None, effect: None, probability: None, count: None, interaction: None };
        let mut empty_body = false;
        for (name, value) in items {
            let bad = || NotAFault::BadValue(name.clone());
            match name.as_str() {
                "latency" => fault.latency = Some(value.parse().or(Err(bad()))?),
                "probability" => fault.probability = Some(share(&value).ok_or_else(bad)?),
                "count" => fault.count = Some(value.parse().or(Err(bad()))?),
                "interaction" => {
                    let interaction = InteractionId::from_name(&value);
                    fault.interaction = Some(interaction.ok_or_else(bad)?);
                }
                "body" => empty_body = value == "empty" || (value != "html" && Err(bad())?),
                _ => {
                    let effect = effect(&name, &value)?;
                    if fault.effect.replace(effect).is_some() {
                        return Err(NotAFault::SecondEffect(name));
                    }
                }
            }
        }
        if let (Some(Effect::Status { html, .. }), true) = (&mut fault.effect, empty_body) {
            *html = false;
        }
        if fault.latency.is_none() && fault.effect.is_none() {
            return Err(NotAFault::Nothing);
        }
        Ok(fault)
    }

    /// The items in a fixed order.
    fn items(&self) -> Vec<(&'static str, String)> {
        let mut items = Vec::new();
        if let Some(latency) = self.latency {
            items.push(("latency", latency.to_string()));
        }
        if let Some(effect) = &self.effect {
            items.push(effect.item());
            if matches!(effect, Effect::Status { html: false, .. }) {
                items.push(("body", "empty".into()));
            }
        }
        items.extend(self.probability.map(|share| ("probability", share.to_string())));
        items.extend(self.count.map(|count| ("count", count.to_string())));
        items.extend(self.interaction.map(|id| ("interaction", id.short().to_owned())));
        items
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = self.items().into_iter().map(|(name, value)| {
            if value.is_empty() { name.to_owned() } else { format!("{name}={value}") }
        });
        formatter.write_str(&items.collect::<Vec<_>>().join(";"))
    }
}

fn share(text: &str) -> Option<f64> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share))
}

fn effect(name: &str, value: &str) -> Result<Effect, NotAFault> {
    let effect = match name {
        "status" => value
            .parse()
            .ok()
            .filter(|status| (200..=599).contains(status))
            .map(|status| Effect::Status { status, html: true }),
        "outcome" => Code::named(value).map(Effect::Outcome),
        "proxy" => Word::named(value).map(Effect::Proxy),
        "reset" => moment(value).map(Effect::Reset),
        "truncate" if value.is_empty() => Some(Effect::Truncate(None)),
        "truncate" => value.parse().ok().map(|bytes| Effect::Truncate(Some(bytes))),
        "content-type" => value.parse().ok().map(Effect::ContentType),
        "endless" => value.is_empty().then_some(Effect::Endless),
        "drip" => drip(value),
        _ => return Err(NotAFault::UnknownItem(name.chars().take(64).collect())),
    };
    effect.ok_or_else(|| NotAFault::BadValue(name.to_owned()))
}

fn moment(word: &str) -> Option<Moment> {
    [Moment::BeforeHeaders, Moment::AfterHeaders, Moment::MidBody]
        .into_iter()
        .find(|moment| moment.word() == word)
}

fn drip(value: &str) -> Option<Effect> {
    let (bytes, every) = value.split_once('/')?;
    let bytes = bytes.parse().ok().filter(|bytes| *bytes > 0)?;
    Some(Effect::Drip { bytes, every: time(every)? })
}

impl Moment {
    const fn word(self) -> &'static str {
        match self {
            Self::BeforeHeaders => "before-headers",
            Self::AfterHeaders => "after-headers",
            Self::MidBody => "mid-body",
        }
    }
}

impl Effect {
    fn item(&self) -> (&'static str, String) {
        match self {
            Self::Status { status, .. } => ("status", status.to_string()),
            Self::Outcome(code) => ("outcome", code.word().to_owned()),
            Self::Proxy(word) => ("proxy", word.spelling().to_owned()),
            Self::Reset(moment) => ("reset", moment.word().to_owned()),
            Self::Truncate(bytes) => {
                ("truncate", bytes.map_or_else(String::new, |bytes| bytes.to_string()))
            }
            Self::ContentType(kind) => {
                ("content-type", kind.to_str().unwrap_or_default().to_owned())
            }
            Self::Endless => ("endless", String::new()),
            Self::Drip { bytes, every } => ("drip", format!("{bytes}/{}", spelled(*every))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_printed_is_read_again() {
        for text in [
            "latency=200ms",
            "latency=lognormal:120ms:0.5;status=503",
            "status=502;body=empty;probability=0.1;count=3",
            "outcome=ACCESS_DENIED;interaction=fhir:rest:read:patient-1",
            "proxy=agreement",
            "latency=9s;proxy=timeout",
            "reset=before-headers",
            "reset=after-headers",
            "reset=mid-body",
            "truncate",
            "truncate=100",
            "content-type=text/html",
            "endless",
            "drip=10/50ms",
        ] {
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string(), text);
            assert_eq!(Fault::list_from_json(&fault.to_json()), Ok(vec![fault]), "{text}");
        }
    }

    #[test]
    fn what_is_no_fault_says_why() {
        use NotAFault::{BadValue, Nothing, SecondEffect, UnknownItem};
        for (text, why) in [
            ("", Nothing),
            ("count=3", Nothing),
            ("statsu=503", UnknownItem("statsu".into())),
            ("status=99", BadValue("status".into())),
            ("status=503;endless", SecondEffect("endless".into())),
            ("latency=fast", BadValue("latency".into())),
            ("probability=2;endless", BadValue("probability".into())),
            ("interaction=x;endless", BadValue("interaction".into())),
            ("outcome=ODD", BadValue("outcome".into())),
            ("reset=later", BadValue("reset".into())),
            ("proxy=no", BadValue("proxy".into())),
            ("drip=0/1s", BadValue("drip".into())),
            ("status=503;body=pdf", BadValue("body".into())),
            ("content-type=a\nb", BadValue("content-type".into())),
        ] {
            assert_eq!(text.parse::<Fault>(), Err(why), "{text}");
        }
    }

    #[test]
    fn json_is_an_object_a_text_or_a_list() {
        let fault = |text: &str| text.parse::<Fault>().unwrap();
        for (name, json, faults) in [
            ("object", json!({"status": 503, "count": 2}), vec![fault("status=503;count=2")]),
            ("text", json!("endless"), vec![fault("endless")]),
            ("truth", json!({"endless": true, "truncate": false}), vec![fault("endless")]),
            (
                "list",
                json!(["endless", {"truncate": 9}]),
                vec![fault("endless"), fault("truncate=9")],
            ),
            ("empty list", json!([]), vec![]),
        ] {
            assert_eq!(Fault::list_from_json(&json), Ok(faults), "{name}");
        }
        for json in [json!(null), json!(7), json!([[]]), json!({"status": [503]}), json!({})] {
            assert!(Fault::list_from_json(&json).is_err(), "{json}");
        }
    }
}
