//! What is written of a request. It is encoded on the request's own thread, into a part that
//! everybody may read and one that is sealed; the writer puts the record's place before both.
//!
//! Whatever a caller wrote stands in the sealed part: path, query, claims, a trace id that is no
//! UUID. The other part holds what is registered, words of ours, numbers, and keyed hashes.

use std::{
    net::IpAddr,
    sync::OnceLock,
    time::{Duration, Instant, SystemTime},
};

use gpconnect::{
    decide::Filled,
    interaction::InteractionId,
    names::{Asid, OdsCode, TokenId, TraceId},
    patients::{Known, Patients},
    rejection::Reason,
    token::{Item, Said},
};

use super::{
    keys::{Keys, SearchKey, Subject},
    sealed::{self, digits},
};
use crate::telemetry::{Object, Own, Record};

/// The version of the schema that records are written in (`docs/audit.md`).
pub const VERSION: u64 = 1;

/// The JSON Schema (2020-12) of that version.
pub const SCHEMA: &str = include_str!("record.schema.json");

/// A record without its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// Members of a JSON object, without its braces.
    pub(super) clear: Vec<u8>,
    /// A whole JSON object that is to be sealed, or nothing.
    pub(super) sealed: Vec<u8>,
}

/// A request, as far as it is known when it is let pass or refused. It has no `Debug`: it holds all
/// that a caller wrote.
pub struct Request<'r> {
    /// When its head was complete.
    pub at: SystemTime,
    /// Its trace id: sent, or our own.
    pub trace_id: TraceId,
    /// The trace id as it was sent, when that is another.
    pub sent_trace_id: Option<&'r str>,
    /// The listener that it came through; empty where the gateway asks itself.
    pub listener: &'r str,
    /// What the gateway asks for of its own accord, where it does.
    pub own: Option<Own>,
    /// The caller's address.
    pub client: Option<IpAddr>,
    /// The caller's certificate, when it has an accepted one.
    pub certificate: Option<Certificate<'r>>,
    /// `ods` or `proxy`.
    pub form: Option<&'static str>,
    /// The consumer system and its organisation.
    pub consumer: Option<(Asid, OdsCode)>,
    /// The practice.
    pub practice: Option<OdsCode>,
    /// The practice's system that is asked, and its service root.
    pub provider: Option<(Asid, &'r str)>,
    /// The interaction.
    pub interaction: Option<InteractionId>,
    /// The verb, as it was sent.
    pub verb: &'r str,
    /// Path and query: behind the service root where that is known, else as they were sent.
    pub path: &'r str,
    /// `Ssp-From`, `Ssp-To` and `Ssp-InteractionID` as they were sent, of one that is refused: what is
    /// wrong with it may be one of them.
    pub sent: [Option<&'r str>; 3],
    /// What was filled in for the consumer.
    pub filled: Filled,
    /// What is wrong with it but only reported.
    pub reported: &'r [Reason],
    /// Whom query and body name.
    pub patients: &'r Patients,
    /// The issuer of its access token, and that token's id.
    pub access: (Option<&'r str>, Option<TokenId>),
    /// What its token says.
    pub said: Option<&'r Said>,
    /// The snapshot that decided it.
    pub generation: u64,
    /// How old the directory was by which it was decided.
    pub directory_age: Duration,
}

/// A client certificate.
#[derive(Clone, Copy)]
pub struct Certificate<'c> {
    /// Whose it is.
    pub subject: &'c str,
    /// Its serial number in hexadecimal.
    pub serial: &'c str,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// The microseconds since this process first asked: they show what a changed clock hides.
fn monotonic() -> u128 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_micros()
}

/// The record of a request that is let pass, before anything of it is sent.
pub fn intent(request: &Request<'_>, key: &SearchKey) -> Body {
    let mut clear = begun(request.at);
    describe(request, key, &mut clear);
    // That of a refusal says so at its end.
    let (issuer, token_id) = &request.access;
    issuer.iter().for_each(|name| clear.text("issuer", name));
    token_id.iter().for_each(|id| clear.word("jti", id.as_str()));
    Body { clear: clear.into_members(), sealed: sealed::of(request) }
}

/// The record of how a request ended that was let pass.
pub fn outcome(record: &Record<'_>, service_root: &str, known: &[Known], key: &SearchKey) -> Body {
    let mut clear = begun(SystemTime::now());
    record.trace_id.iter().for_each(|id| clear.word("trace_id", id.as_str()));
    ended(record, &mut clear);
    let mut sealed = Vec::new();
    if !known.is_empty() {
        let mut told = Object::with_room(128);
        learned(service_root, known, key, &mut clear, &mut told);
        sealed = told.into_line();
        sealed.pop();
    }
    Body { clear: clear.into_members(), sealed }
}

/// Which patient has which id at a provider, as an answer told it: as keyed hashes, and in full.
fn learned(
    service_root: &str,
    known: &[Known],
    key: &SearchKey,
    clear: &mut Object,
    sealed: &mut Object,
) {
    let pairs =
        || known.iter().flat_map(|known| known.numbers.iter().map(move |number| (known, number)));
    clear.objects("learned", pairs(), |to, (known, number)| {
        to.word("nhs_number", &key.hash(Subject::NhsNumber, &[digits(number)]));
        to.word(
            "resource",
            &key.hash(Subject::Resource, &[service_root, "/Patient/", known.id.expose()]),
        );
    });
    sealed.objects("learned", pairs(), |to, (known, number)| {
        to.text("nhs_number", digits(number));
        to.text("resource", &[service_root, "/Patient/", known.id.expose()].concat());
    });
}

/// The record of a request that was not let pass.
pub fn refusal(request: &Request<'_>, record: &Record<'_>, key: &SearchKey) -> Body {
    let mut clear = begun(request.at);
    describe(request, key, &mut clear);
    ended(record, &mut clear);
    Body { clear: clear.into_members(), sealed: sealed::of(request) }
}

/// The record of a refusal before there was a request to speak of, of a caller that is known.
pub fn refusal_at_front(record: &Record<'_>, certificate: Certificate<'_>) -> Body {
    let mut clear = begun(record.at);
    record.trace_id.iter().for_each(|id| clear.word("trace_id", id.as_str()));
    clear.text("listener", record.listener);
    record.client.iter().for_each(|client| clear.address("client", *client));
    certificate.write(&mut clear);
    ended(record, &mut clear);
    Body { clear: clear.into_members(), sealed: Vec::new() }
}

/// The record of something that happened to the gateway itself.
pub fn event(note: &str) -> Body {
    let mut clear = begun(SystemTime::now());
    clear.text("note", note);
    Body { clear: clear.into_members(), sealed: Vec::new() }
}

/// The record of keys that hold from now on: those of which everybody may know.
pub(super) fn keys(changed: &[&str], keys: &Keys) -> Body {
    let mut clear = begun(SystemTime::now());
    clear.texts("changed", changed.iter().copied());
    keys.public_key().iter().for_each(|key| clear.text("signing_key", key));
    clear.texts("recipients", keys.recipients().iter().map(String::as_str));
    Body { clear: clear.into_members(), sealed: Vec::new() }
}

pub(super) fn begun(at: SystemTime) -> Object {
    let mut clear = Object::with_room(1_024);
    clear.exact_moment("time", at);
    clear.number("monotonic_us", monotonic());
    clear
}

fn describe(request: &Request<'_>, key: &SearchKey, clear: &mut Object) {
    clear.word("trace_id", request.trace_id.as_str());
    match request.own {
        Some(own) => clear.word("own", own.as_str()),
        None => clear.text("listener", request.listener),
    }
    request.client.iter().for_each(|client| clear.address("client", *client));
    request.certificate.iter().for_each(|certificate| certificate.write(clear));
    if let Some((asid, organisation)) = &request.consumer {
        clear.word("consumer", asid.as_str());
        clear.word("organisation", organisation.as_str());
    }
    request.practice.iter().for_each(|code| clear.word("practice", code.as_str()));
    if let Some((asid, service_root)) = &request.provider {
        clear.word("provider", asid.as_str());
        clear.text("service_root", service_root);
    }
    request.interaction.iter().for_each(|id| clear.word("interaction", id.short()));
    request.form.iter().for_each(|form| clear.word("form", form));
    clear.texts("filled", request.filled.names());
    clear.texts("reported", request.reported.iter().map(|reason| reason.check().name()));
    clear.word("patients", request.patients.word());
    clear.nested("hashes", |hashes| hash(request, key, hashes));
    clear.number("generation", request.generation);
    clear.number("directory_age_s", request.directory_age.as_secs());
}

/// The keyed hashes by which the record is found.
fn hash(request: &Request<'_>, key: &SearchKey, hashes: &mut Object) {
    let patients = request.patients.iter();
    let numbers: Vec<_> =
        patients.map(|patient| key.hash(Subject::NhsNumber, &[digits(patient)])).collect();
    hashes.texts(Subject::NhsNumber.word(), numbers.iter().map(String::as_str));
    if let Some(((_, root), resource)) = request.provider.zip(resource(request.path)) {
        hashes.word(Subject::Resource.word(), &key.hash(Subject::Resource, &[root, "/", resource]));
    }
    if let Some(user) = request.said.and_then(|said| said.text(Item::Sub)) {
        hashes.word(Subject::User.word(), &key.hash(Subject::User, &[user]));
    }
}

/// `Patient/17` of `Patient/17?x`: the one resource that a path names.
fn resource(path: &str) -> Option<&str> {
    let path = path.split('?').next()?;
    let (kind, id) = path.split_once('/')?;
    let good = !kind.is_empty() && !kind.starts_with('$') && !id.is_empty() && !id.contains('/');
    good.then_some(path)
}

fn ended(record: &Record<'_>, clear: &mut Object) {
    clear.word("result", record.result().as_str());
    match record.status {
        Some(status) => clear.number("status", status),
        None => clear.null("status"),
    }
    record.fault.iter().for_each(|fault| clear.word("fault", fault));
    record.note.iter().for_each(|note| clear.text("note", note));
    clear.word("origin", record.origin.as_str());
    record.next_proxy.iter().for_each(|name| clear.text("next_proxy", name));
    record.cache.iter().for_each(|how| clear.word("cache", how.as_str()));
    record.issuer.iter().for_each(|name| clear.text("issuer", name));
    record.token.token_id.iter().for_each(|id| clear.word("jti", id.as_str()));
    clear.milliseconds("duration_ms", record.duration);
    record.upstream.iter().for_each(|time| clear.milliseconds("upstream_ms", *time));
    if record.tries > 0 {
        clear.number("tries", record.tries);
    }
    clear.number("received_bytes", record.received);
    clear.number("sent_bytes", record.sent);
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' - 10 + value });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl Certificate<'_> {
    fn write(&self, clear: &mut Object) {
        clear.nested("certificate", |clear| {
            clear.text("subject", self.subject);
            clear.text("serial", self.serial);
            clear.word("sha256", &hex(&self.sha256));
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use gpconnect::{
        patients::Patient,
        token::{self, Payload},
    };
    use serde_json::{Value, json};

    use super::*;

    fn key() -> SearchKey {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let text = format!("AUDIT-SEARCH-KEY-1+{}", STANDARD.encode([7; 32]));
        SearchKey::read(&text).unwrap()
    }

    fn parsed(members: &[u8]) -> Value {
        let text = format!("{{{}}}", str::from_utf8(members).unwrap());
        serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{fault} in {text}"))
    }

    fn with_request<T>(test: impl FnOnce(&Request<'_>) -> T) -> T {
        let number = "9000000009".parse().unwrap();
        let payload = Payload::from_json(
            json!({
                "sub": "user 9000000017", "iss": "https://epr.example/9000000025",
                "requesting_practitioner": {
                    "id": "17", "name": [{"family": "Jones", "given": ["Ann"], "prefix": ["Dr"]}],
                    "identifier": [
                        {"system": "https://fhir.nhs.uk/Id/sds-user-id", "value": "UUID-1"},
                        {"system": "https://fhir.nhs.uk/Id/sds-role-profile-id", "value": "R8000"},
                    ],
                },
                "requesting_device": {"model": "EPR", "identifier": [{"system": "s", "value": "d"}]},
            })
            .to_string()
            .into_bytes(),
        );
        test(&Request {
            at: UNIX_EPOCH + Duration::from_micros(1_795_420_900_123_456),
            trace_id: "629ea9ba-a077-4d99-b289-7a9b19fd4e03".parse().unwrap(),
            sent_trace_id: Some("trace \"x\""),
            listener: "consumers",
            own: None,
            client: "192.0.2.7".parse().ok(),
            certificate: Some(Certificate { subject: "CN=a", serial: "1F", sha256: [171; 32] }),
            form: Some("ods"),
            consumer: "200000000359".parse().ok().zip("RXX01".parse().ok()),
            practice: "A20047".parse().ok(),
            provider: Some(("990000000101".parse().unwrap(), "https://gp.example/A20047/fhir")),
            interaction: Some(InteractionId::ReadPatient),
            verb: "GET",
            path: "Patient/17?x=9000000033",
            sent: [None; 3],
            filled: Filled { to: true, ..Filled::default() },
            reported: &[],
            patients: &Patients::One(Patient::Number(number)),
            access: (None, None),
            said: Some(&Said::of(&token::read(&payload).unwrap())),
            generation: 4,
            directory_age: Duration::from_secs(61),
        })
    }

    /// gp-connect 12.
    #[test]
    fn what_a_caller_wrote_is_sealed() {
        let body = with_request(|request| intent(request, &key()));
        let clear = String::from_utf8(body.clear.clone()).unwrap();
        for secret in [
            "9000000009",
            "9000000017",
            "9000000025",
            "9000000033",
            "Jones",
            "UUID-1",
            "R8000",
            "trace \\\"x",
            "Patient/17",
            "epr.ex",
        ] {
            assert!(!clear.contains(secret), "{secret} in {clear}");
        }
        let clear = parsed(&body.clear);
        assert_eq!(clear["time"], "2026-11-23T08:01:40.123456Z");
        assert_eq!(clear["certificate"]["sha256"].as_str().unwrap(), "ab".repeat(32));
        assert_eq!(clear["filled"], json!(["Ssp-To"]));
        assert_eq!(clear["directory_age_s"], 61);
        let root = "https://gp.example/A20047/fhir";
        assert_eq!(
            clear["hashes"],
            json!({
                "nhs_number": [key().hash(Subject::NhsNumber, &["9000000009"])],
                "resource": key().hash(Subject::Resource, &[root, "/", "Patient/17"]),
                "user": key().hash(Subject::User, &["user 9000000017"]),
            })
        );
        let sealed = sealed::opened(serde_json::from_slice(&body.sealed).unwrap());
        assert_eq!(
            sealed,
            json!({
                "verb": "GET", "path": "Patient/17?x=9000000033", "sent_trace_id": "trace \"x\"",
                "patients": ["9000000009"],
                "user": {"sub": "user 9000000017", "id": "17", "family": "Jones", "given": "Ann",
                    "prefix": "Dr", "sds_user_id": "UUID-1", "role_profile": "R8000", "smartcard": true},
                "device": {"model": "EPR", "system": "s", "id": "d"},
                "iss": "https://epr.example/9000000025", "authority": "same as user",
            })
        );
    }

    #[test]
    fn one_resource_has_a_hash() {
        for (path, expected) in [
            ("Patient/17", Some("Patient/17")),
            ("Patient/17?a=b/c", Some("Patient/17")),
            ("Patient/17/Appointment", None),
            ("Patient?identifier=x", None),
            ("Patient/", None),
            ("/17", None),
            ("$gpc.x/1", None),
        ] {
            assert_eq!(resource(path), expected, "{path}");
        }
    }
}
