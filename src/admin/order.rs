//! The bodies of calls that change something: read strictly, and told to the journal.

use std::{fmt, marker::PhantomData, time::Duration};

use bytes::Bytes;
use gpconnect::{
    interaction::InteractionId,
    names::{Asid, NhsNumber, OdsCode, TraceId},
};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use tokio::time::timeout;

use super::answer::Problem;
use crate::{
    audit::keys::{SearchKey, Subject},
    telemetry::Object,
};

/// The longest body.
const MOST: usize = 16 * 1024;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a body as what it must be.
pub(super) async fn read<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Incoming,
) -> Result<T, Problem> {
    if !is_json(headers) {
        let detail = "expected Content-Type: application/json, without Content-Encoding";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no_json", detail));
    }
    let bytes = whole(body).await?;
    parse(&bytes).map_err(|fault| {
        Problem::bad("body_invalid", format!("the body is not what was expected: {fault}"))
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let read = object(&mut text)?;
    text.end()?;
    Ok(read)
}

/// Reads an object as one: what is derived would take a list of its values too.
pub(super) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    text: D,
) -> Result<T, D::Error> {
    struct Members<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
        type Value = T;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(members))
        }
    }
    text.deserialize_map(Members(PhantomData))
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(header::CONTENT_TYPE).iter();
    let one = all.next().filter(|_| all.next().is_none());
    let text = one.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let text = text.to_ascii_lowercase().replace(' ', "");
    matches!(&*text, "application/json" | "application/json;charset=utf-8")
        && !headers.contains_key(header::CONTENT_ENCODING)
}

async fn whole(body: Incoming) -> Result<Bytes, Problem> {
    let read = timeout(PATIENCE, Limited::new(body, MOST).collect()).await;
    let read = read.map_err(|_late| {
        let detail = format!("the body was not complete after {} s", PATIENCE.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail)
    })?;
    match read {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(fault) if fault.is::<LengthLimitError>() => {
            let detail = format!("expected a body of at most {MOST} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_long", detail))
        }
        Err(_) => Err(Problem::bad("body_broken", "the body ended before it was complete")),
    }
}

/// Takes what a caller still sends that was answered already, so that it can read its answer.
pub(super) async fn discard(body: Incoming) {
    let rest = timeout(Duration::from_secs(1), Limited::new(body, 1 << 20).collect());
    drop(rest.await);
}

/// Why something is done, in words for people: it stands in the journal and in lists for all to read,
/// so it names no patient.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub(super) struct Why(String);

impl Why {
    /// The words, unless they name a patient.
    pub(super) fn text(&self) -> Result<&str, Problem> {
        if names_a_patient(&self.0) {
            let detail = "expected words without an NHS number: all who operate read them";
            return Err(Problem::refused("patient_named", detail));
        }
        Ok(&self.0)
    }
}

impl TryFrom<String> for Why {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let length = text.chars().count();
        if !(1..=200).contains(&length) || text.chars().any(char::is_control) {
            return Err("expected a line of 1 to 200 characters");
        }
        Ok(Self(text))
    }
}

/// Whether ten digits in a row, blanks and hyphens aside, are an NHS number.
fn names_a_patient(text: &str) -> bool {
    let plain: String = text.chars().filter(|letter| !matches!(letter, ' ' | '-')).collect();
    let runs = plain.split(|letter: char| !letter.is_ascii_digit());
    runs.filter(|run| run.len() >= 10).any(|run| {
        let starts = 0..=run.len() - 10;
        starts
            .filter_map(|start| run.get(start..start + 10))
            .any(|it| it.parse::<NhsNumber>().is_ok())
    })
}

/// `POST /v1/reload`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReloadOrder {
    #[serde(default)]
    pub(super) reason: Option<Why>,
}

/// `PUT /v1/log-level`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LevelOrder {
    pub(super) target: String,
    pub(super) level: LevelWord,
    #[serde(default)]
    pub(super) reason: Option<Why>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LevelWord {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<LevelWord> for tracing::Level {
    fn from(word: LevelWord) -> Self {
        match word {
            LevelWord::Error => Self::ERROR,
            LevelWord::Warn => Self::WARN,
            LevelWord::Info => Self::INFO,
            LevelWord::Debug => Self::DEBUG,
            LevelWord::Trace => Self::TRACE,
        }
    }
}

/// `POST /v1/audit/searches`: what is about to be looked for in the journal. All that may name a
/// person is sealed; it has no `Debug`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SearchOrder {
    /// What is done: `search`, `show`, `tail`, `stats`, `explain`.
    command: Option<String>,
    since: Option<String>,
    until: Option<String>,
    practice: Option<String>,
    consumer: Option<String>,
    organisation: Option<String>,
    interaction: Option<String>,
    kind: Option<String>,
    decision: Option<String>,
    result: Option<String>,
    status: Option<String>,
    fault: Option<String>,
    trace_id: Option<String>,
    record: Option<String>,
    nhs_number: Option<String>,
    resource: Option<String>,
    user: Option<String>,
    /// Whether what is sealed is opened.
    opens: bool,
    reason: Option<String>,
}

/// Whether a term is of the form that it must have.
type IsGood = fn(&str) -> bool;

impl SearchOrder {
    /// What is too long to be a term.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let terms = self.terms().into_iter().map(|(name, value, _)| (name, value));
        let people = self.people().into_iter().map(|(name, value, _)| (name, value));
        let others = [("command", &self.command), ("reason", &self.reason)];
        for (name, value) in terms.chain(people).chain(others) {
            if value.as_ref().is_some_and(|text| !(1..=1_024).contains(&text.chars().count())) {
                let detail = format!("{name}: expected 1 to 1024 characters");
                return Err(Problem::bad("body_invalid", detail));
            }
        }
        Ok(())
    }

    /// What may stand in clear, if it is of the form that it must have.
    fn terms(&self) -> [(&'static str, &Option<String>, IsGood); 13] {
        let is_word: IsGood = |text| {
            let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            text.len() <= 40 && text.bytes().all(is_letter)
        };
        let is_time: IsGood = |text| text.parse::<jiff::Timestamp>().is_ok();
        [
            ("since", &self.since, is_time),
            ("until", &self.until, is_time),
            ("practice", &self.practice, |text| text.parse::<OdsCode>().is_ok()),
            ("consumer", &self.consumer, |text| text.parse::<Asid>().is_ok()),
            ("organisation", &self.organisation, |text| text.parse::<OdsCode>().is_ok()),
            ("interaction", &self.interaction, |text| InteractionId::from_name(text).is_some()),
            ("for_kind", &self.kind, is_word),
            ("for_decision", &self.decision, is_word),
            ("for_result", &self.result, is_word),
            ("for_status", &self.status, |text| text.parse::<u16>().is_ok()),
            ("for_fault", &self.fault, is_word),
            ("for_trace_id", &self.trace_id, |text| text.parse::<TraceId>().is_ok()),
            ("record", &self.record, |text| text.parse::<crate::audit::Place>().is_ok()),
        ]
    }

    /// What names a person.
    const fn people(&self) -> [(&'static str, &Option<String>, Subject); 3] {
        [
            ("nhs_number", &self.nhs_number, Subject::NhsNumber),
            ("resource", &self.resource, Subject::Resource),
            ("user", &self.user, Subject::User),
        ]
    }

    /// Tells the journal. What is not of its form may be anything, and is sealed.
    pub(super) fn write(&self, clear: &mut Object, sealed: &mut Object, key: &SearchKey) {
        let command = self.command.as_deref();
        let known = ["search", "show", "tail", "stats", "explain"];
        clear.word("command", command.filter(|it| known.contains(it)).unwrap_or("other"));
        for (name, value, is_good) in self.terms() {
            match value.as_deref() {
                Some(text) if is_good(text) => clear.text(name, text),
                Some(text) => sealed.text(name, text),
                None => {}
            }
        }
        clear.nested("hashes", |hashes| {
            for (_, value, subject) in self.people() {
                let Some(text) = value else { continue };
                match subject {
                    // As the search itself compares it; a list, as in other records.
                    Subject::NhsNumber => {
                        let hash = key.hash(subject, &[&text.replace([' ', '-'], "")]);
                        hashes.texts(subject.word(), [&*hash]);
                    }
                    Subject::Resource | Subject::User => {
                        hashes.word(subject.word(), &key.hash(subject, &[text]));
                    }
                }
            }
        });
        clear.flag("opens", self.opens);
        for (name, value, _) in self.people() {
            value.iter().for_each(|text| sealed.text(name, text));
        }
        self.reason.iter().for_each(|text| sealed.text("reason", text));
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_reason_names_no_patient() {
        for (text, good) in [
            ("supplier asked, change 4711", true),
            ("call 0113 496 0000 first", true),
            ("for 9000000009", false),
            ("for 900 000 0009.", false),
            ("for 900-000-0009", false),
            ("id 19000000009", false),
            ("", false),
            ("two\nlines", false),
            (&"x".repeat(201), false),
        ] {
            let why = Why::try_from(text.to_owned());
            assert_eq!(why.is_ok_and(|why| why.text().is_ok()), good, "{text}");
        }
    }

    #[test]
    fn what_may_name_a_person_is_sealed() {
        let key = SearchKey::read(&format!("AUDIT-SEARCH-KEY-1+{}", STANDARD.encode([7; 32])));
        let order: SearchOrder = serde_json::from_value(json!({
            "command": "search", "practice": "A20047", "consumer": "9000000017", "fault": "a_b",
            "since": "2026-11-23T08:00:00Z", "kind": "Jones 9000000025",
            "nhs_number": "900 000 0009", "user": "ann@example", "opens": true,
            "reason": "complaint of 9000000033",
        }))
        .unwrap();
        order.check().unwrap();
        let (mut clear, mut sealed) = (Object::with_room(0), Object::with_room(0));
        let key = key.unwrap();
        order.write(&mut clear, &mut sealed, &key);
        let read = |object: Object| serde_json::from_slice::<Value>(&object.into_line()).unwrap();
        assert_eq!(
            read(clear),
            json!({
                "command": "search", "since": "2026-11-23T08:00:00Z", "practice": "A20047",
                "for_fault": "a_b", "hashes": {
                    "nhs_number": [key.hash(Subject::NhsNumber, &["9000000009"])],
                    "user": key.hash(Subject::User, &["ann@example"]),
                },
                "opens": true,
            })
        );
        assert_eq!(
            read(sealed),
            json!({
                "consumer": "9000000017", "for_kind": "Jones 9000000025",
                "nhs_number": "900 000 0009", "user": "ann@example",
                "reason": "complaint of 9000000033",
            })
        );
    }

    #[test]
    fn bodies_are_read_strictly() {
        for (name, text) in [
            ("an unknown member", r#"{"reasons": "x"}"#),
            ("twice", r#"{"reason": "x", "reason": "x"}"#),
            ("a list", "[]"),
            ("more behind it", r"{} {}"),
            ("nothing", ""),
        ] {
            assert!(parse::<ReloadOrder>(text.as_bytes()).is_err(), "{name}");
        }
        assert!(parse::<ReloadOrder>(b" {} ").is_ok());
    }
}
