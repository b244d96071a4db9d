//! What a request's own span says: the semantic conventions for HTTP servers, and `gpconnect.*` in
//! the words of the log line. `url.path` and `url.query`, `user_agent.original` and the like are left
//! out: they may name a patient. `http.route` says what of the path is the same for all.

use opentelemetry::{KeyValue, Value};

use super::trace::{Asked, By};
use crate::telemetry::Record;

/// Whether the request failed as its caller sees it: 500 and more, or no answer.
pub(super) fn is_error(record: &Record<'_>) -> bool {
    record.status.is_none_or(|status| status >= 500)
}

/// What the path is like, for known interactions.
fn route(record: &Record<'_>) -> Option<String> {
    Some(["/", record.interaction?.row().path].concat())
}

/// Verb and route.
pub(super) fn name(record: &Record<'_>, asked: Asked) -> String {
    match route(record) {
        Some(route) => [verb(asked, "HTTP"), " ", &route].concat(),
        None => verb(asked, "HTTP").to_owned(),
    }
}

/// The verb, or a word for one that is not known.
fn verb(asked: Asked, other: &'static str) -> &'static str {
    if asked.verb.is_empty() { other } else { asked.verb }
}

/// All of it.
pub(super) fn attributes(record: &Record<'_>, asked: Asked) -> Vec<KeyValue> {
    let mut all = Vec::with_capacity(24);
    let mut put = |name: &'static str, value: Option<Value>| {
        all.extend(value.map(|value| KeyValue::new(name, value)));
    };
    let word = |word: &'static str| Some(Value::from(word));
    let number = |number: usize| Some(Value::from(i64::try_from(number).unwrap_or(i64::MAX)));
    put("http.request.method", word(verb(asked, "_OTHER")));
    put("http.route", route(record).map(Value::from));
    put("http.response.status_code", record.status.map(|status| i64::from(status).into()));
    let scheme = match asked.by {
        By::Plain => Some("http"),
        By::Tls => Some("https"),
        By::Ourselves => None,
    };
    if let Some(scheme) = scheme {
        put("url.scheme", word(scheme));
        put("network.protocol.name", word("http"));
        put("network.protocol.version", word("1.1"));
        put("gpconnect.listener", Some(record.listener.to_owned().into()));
    }
    put("client.address", record.client.map(|client| client.to_string().into()));
    put("http.request.body.size", number(record.received));
    put("http.response.body.size", number(record.sent));
    if is_error(record) {
        let status = record.status.map(|status| status.to_string().into());
        put("error.type", record.fault.map(Value::from).or(status).or_else(|| word("_OTHER")));
    }
    put("gpconnect.result", word(record.result().as_str()));
    put("gpconnect.fault", record.fault.map(Value::from));
    put("gpconnect.interaction", record.interaction.map(|id| id.short().into()));
    put("gpconnect.consumer", record.consumer.map(|asid| asid.to_string().into()));
    put("gpconnect.organisation", record.organisation.map(|code| code.to_string().into()));
    put("gpconnect.practice", record.practice.map(|(_, code)| code.to_string().into()));
    put("gpconnect.trace_id", record.trace_id.map(|id| id.to_string().into()));
    put("gpconnect.origin", word(record.origin.as_str()));
    put("gpconnect.next_proxy", record.next_proxy.map(|name| name.to_owned().into()));
    put("gpconnect.cache", record.cache.map(|how| how.as_str().into()));
    put("gpconnect.tries", (record.tries > 1).then(|| i64::from(record.tries).into()));
    put("gpconnect.own", record.own.map(|own| own.as_str().into()));
    put("gpconnect.generation", i64::try_from(record.generation).ok().map(Value::from));
    all
}
