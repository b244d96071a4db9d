//! What each claim of a token says, what the specification wants, and whether it is right.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gpconnect::{contract::Claim, interaction::InteractionId, rejection::Reason};
use serde::Serialize;
use serde_json::{Map, Value};

use super::judge::{check, claim_of, open};
use crate::cli::{aliases, moment};

/// A token as it is explained.
#[derive(Debug, Serialize)]
pub(super) struct Explained {
    /// Whether no check found anything.
    pub(super) right: bool,
    /// The moment that it was judged at, in UTC.
    at: Option<String>,
    /// The token as a whole, then claim by claim.
    pub(super) claims: Vec<Row>,
}

/// A claim.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) claim: String,
    pub(super) value: String,
    pub(super) wanted: String,
    #[serde(flatten)]
    pub(super) tested: Tested,
}

/// Whether a claim is right.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "faults", rename_all = "snake_case")]
pub(super) enum Tested {
    Right,
    Wrong(Vec<String>),
    /// Not a claim that GP Connect knows.
    Ignored,
}

impl Explained {
    /// How many faults there are.
    pub(super) fn faults(&self) -> usize {
        let faults = |row: &Row| match &row.tested {
            Tested::Wrong(faults) => faults.len(),
            Tested::Right | Tested::Ignored => 0,
        };
        self.claims.iter().map(faults).sum()
    }
}

const CONTAINER: &str = "the token itself";

#[rustfmt::skip]
const WANTED: &[(&str, &str)] = &[
    ("iss",                     "the consumer's URL"),
    ("sub",                     "the user's id, as in requesting_practitioner.id"),
    ("aud",                     "the practice's service root; through the gateway, any URL with the practice's ODS code as a segment"),
    ("iat",                     "whole seconds since 1970 UTC; at most 300 s ahead"),
    ("exp",                     "exactly iat + 300; ends without grace"),
    ("reason_for_request",      "directcare"),
    ("requested_scope",         "what the interaction wants: patient/*.read, patient/*.write or organization/*.read"),
    ("requesting_device",       "a Device: identifier[0] with system and value, model, version"),
    ("requesting_organization", "an Organization: name, and its ODS code as an identifier"),
    ("requesting_practitioner", "a Practitioner: id, name[0].family and .given[0], an identifier of sds-user-id (UNK without a smartcard)"),
];

/// Judges `text`, a token without its scheme, at `now`, for `interaction` if it is known.
pub(super) fn explain(text: &str, now: i64, interaction: Option<InteractionId>) -> Explained {
    let (payload, mut faults) = open(text);
    faults.extend(payload.as_ref().map(|it| check(it, now, interaction)).unwrap_or_default());
    let parsed = payload.and_then(|payload| serde_json::from_slice(payload.bytes()).ok());
    let claims: Option<Map<String, Value>> = parsed;
    let mut rows = vec![container(text, &faults)];
    if let Some(claims) = &claims {
        let wanted = wanted(interaction);
        let is_known = |name: &str| wanted.iter().any(|(known, _)| *known == name);
        rows.extend(wanted.iter().map(|(claim, it)| known(claim, it, claims, &faults, now)));
        rows.extend(claims.iter().filter(|(name, _)| !is_known(name)).map(unknown));
    }
    let right = rows.iter().all(|row| !matches!(row.tested, Tested::Wrong(_)));
    Explained { right, at: moment::utc(now), claims: rows }
}

/// The texts of the faults of `claim`, without its name before each.
fn verdict(claim: Option<&str>, faults: &[Reason]) -> Tested {
    let of_claim = faults.iter().filter(|fault| claim_of(fault) == claim);
    let prefix = format!("JWT claim {}", claim.unwrap_or_default());
    let text = |fault: &Reason| {
        let text = fault.diagnostics();
        text.strip_prefix(&prefix).unwrap_or(&text).trim_start().to_owned()
    };
    let texts: Vec<_> = of_claim.map(text).collect();
    if texts.is_empty() { Tested::Right } else { Tested::Wrong(texts) }
}

fn container(text: &str, faults: &[Reason]) -> Row {
    let header = text.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).ok();
    let header = header.and_then(|bytes| String::from_utf8(bytes).ok());
    let header = header.map_or_else(String::new, |header| format!("\nheader {header}"));
    Row {
        claim: CONTAINER.into(),
        value: format!("{} characters, {} dots{header}", text.len(), text.matches('.').count()),
        wanted:
            "header {\"alg\":\"none\",\"typ\":\"JWT\"}, the claims, no signature: it ends in a dot"
                .into(),
        tested: verdict(None, faults),
    }
}

/// The claims that count, each with what belongs there: for `interaction`, if it is known.
fn wanted(interaction: Option<InteractionId>) -> Vec<(&'static str, String)> {
    let mut wanted: Vec<_> = WANTED.iter().map(|(claim, it)| (*claim, (*it).to_owned())).collect();
    let Some(id) = interaction else { return wanted };
    let (row, name) = (id.row(), aliases::name_of(id));
    let scopes = row.token.confidentiality.iter();
    let scopes = scopes.map(|behind| format!("{} {behind}", row.scope.as_str()).trim().to_owned());
    for (claim, it) in &mut wanted {
        match *claim {
            "aud" => it.extend(row.token.audience.iter().map(|fixed| format!("; or {fixed}"))),
            "reason_for_request" => *it = row.token.reasons.join(" or "),
            "requested_scope" => {
                *it = format!("{}, for {name}", scopes.clone().collect::<Vec<_>>().join(" or "));
            }
            _ => {}
        }
    }
    if row.token.requested_record {
        let it = "a Patient or an Organization: whose record is asked for";
        wanted.push((Claim::RequestedRecord.as_str(), it.to_owned()));
    }
    wanted
}

fn known(
    claim: &str,
    wanted: &str,
    claims: &Map<String, Value>,
    faults: &[Reason],
    now: i64,
) -> Row {
    let value = claims.get(claim).map_or_else(|| String::from("(missing)"), spelled);
    let seconds = claims.get(claim).and_then(Value::as_i64);
    let value = match seconds.filter(|_| matches!(claim, "iat" | "exp")) {
        Some(seconds) => time(seconds, now),
        None => value,
    };
    Row { claim: claim.into(), value, wanted: wanted.into(), tested: verdict(Some(claim), faults) }
}

fn unknown((name, value): (&String, &Value)) -> Row {
    Row {
        claim: name.clone(),
        value: spelled(value),
        wanted: "nothing: not a claim of this interaction".into(),
        tested: Tested::Ignored,
    }
}

fn time(seconds: i64, now: i64) -> String {
    let utc = moment::utc(seconds).unwrap_or_else(|| String::from("beyond the calendar"));
    format!("{seconds}\n{utc}\n{}", moment::relative(seconds, now))
}

/// A value as lines: a text as it is, a resource as one line an element.
fn spelled(value: &Value) -> String {
    let mut lines = Vec::new();
    flatten(value, "", &mut lines);
    lines.join("\n")
}

fn flatten(value: &Value, path: &str, lines: &mut Vec<String>) {
    let label = if path.is_empty() { String::new() } else { format!("{path}: ") };
    match value {
        Value::Object(members) if !members.is_empty() => {
            let dot = if path.is_empty() { "" } else { "." };
            members.iter().for_each(|(name, it)| flatten(it, &format!("{path}{dot}{name}"), lines));
        }
        Value::Array(items) if !items.is_empty() => {
            let items = items.iter().enumerate();
            items.for_each(|(place, it)| flatten(it, &format!("{path}[{place}]"), lines));
        }
        Value::String(text) => lines.push(format!("{label}{text}")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            lines.push(format!("{label}{value}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::token::author::{self, Purpose};

    const NOW: i64 = 1_795_420_800;

    fn claims() -> Value {
        let purpose = Purpose {
            aud: "https://gp.example/A20047/STU3/1/gpconnect".into(),
            scope: "patient/*.read".into(),
            reason: "directcare".into(),
            issued_at: NOW,
            lifetime: 300,
            rules: InteractionId::ReadPatient.row().token,
        };
        author::claims(&author::tests::author(), &purpose)
    }

    /// The wrong rows, each with its faults.
    fn wrong(explained: &Explained) -> Vec<(&str, String)> {
        let rows = explained.claims.iter();
        let faulty = rows.filter_map(|row| match &row.tested {
            Tested::Wrong(faults) => Some((row.claim.as_str(), faults.join("; "))),
            Tested::Right | Tested::Ignored => None,
        });
        faulty.collect()
    }

    #[test]
    fn a_good_token_is_right() {
        let token = author::compact(&claims());
        let explained = explain(&token, NOW + 250, Some(InteractionId::ReadPatient));
        assert_eq!(wrong(&explained), []);
        assert!(explained.right && explained.faults() == 0);
        let exp = explained.claims.iter().find(|row| row.claim == "exp").unwrap();
        assert_eq!(exp.value, "1795421100\n2026-11-23T08:05:00Z\nin 50 s");
    }

    #[test]
    fn a_broken_claim_is_named() {
        type Change = fn(&mut Value);
        let cases: [(&str, Change, &str, &str); 9] = [
            ("no iss", |it| it["iss"] = Value::Null, "iss", "counts as missing"),
            ("another user", |it| it["sub"] = json!("x"), "sub", "is not the id"),
            ("no audience", |it| it["aud"] = json!(""), "aud", "is empty"),
            ("a text as time", |it| it["iat"] = json!("1"), "iat", "whole number"),
            ("too short", |it| it["exp"] = json!(NOW + 299), "exp", "300 seconds"),
            (
                "a foreign reason",
                |it| it["reason_for_request"] = json!("x"),
                "reason_for_request",
                "directcare",
            ),
            (
                "an unknown scope",
                |it| it["requested_scope"] = json!("x"),
                "requested_scope",
                "does not fit",
            ),
            (
                "no model",
                |it| it["requesting_device"]["model"] = Value::Null,
                "requesting_device",
                ".model is null",
            ),
            (
                "a patient",
                |it| it["requesting_practitioner"]["resourceType"] = json!("Patient"),
                "requesting_practitioner",
                "is a FHIR Patient",
            ),
        ];
        for (name, change, claim, fault) in cases {
            let mut claims = claims();
            change(&mut claims);
            let explained = explain(&author::compact(&claims), NOW, None);
            let wrong = wrong(&explained);
            assert_eq!(wrong.len(), 1, "{name}: {wrong:?}");
            assert!(wrong[0].0 == claim && wrong[0].1.contains(fault), "{name}: {wrong:?}");
            assert!(!explained.right, "{name}");
        }
    }

    #[test]
    fn time_and_interaction_are_judged() {
        let token = author::compact(&claims());
        let late = explain(&token, NOW + 300, None);
        assert_eq!(wrong(&late), [("exp", "JWT has expired, 0 seconds ago".into())]);
        let early = explain(&token, NOW - 301, None);
        assert_eq!(wrong(&early)[0].0, "iat");
        let other = explain(&token, NOW, Some(InteractionId::BookAppointment));
        assert!(wrong(&other)[0].1.contains("patient/*.write"), "{:?}", wrong(&other));
    }

    #[test]
    fn a_broken_container_still_shows_its_claims() {
        let token = author::compact(&claims());
        let (undotted, _) = token.split_at(token.len() - 1);
        for (name, text, fault, rows) in [
            ("no last dot", undotted.to_owned(), "ends in a dot", 11),
            ("signed", format!("{token}c2ln"), "signature", 11),
            ("no token", "hello".into(), "1 part", 1),
            ("no JSON", "e30.aGVsbG8.".into(), "not JSON", 1),
            ("not ASCII", "é.é.é".into(), "signature", 1),
        ] {
            let explained = explain(&text, NOW, None);
            let wrong = wrong(&explained);
            assert!(wrong[0].0 == CONTAINER && wrong[0].1.contains(fault), "{name}: {wrong:?}");
            assert_eq!(explained.claims.len(), rows, "{name}");
        }
    }

    #[test]
    fn other_claims_are_shown_and_ignored() {
        let mut claims = claims();
        claims["requested_record"] = json!({ "resourceType": "Patient" });
        let explained = explain(&author::compact(&claims), NOW, None);
        let row = explained.claims.last().unwrap();
        assert_eq!((row.claim.as_str(), &row.tested), ("requested_record", &Tested::Ignored));
        assert_eq!(row.value, "resourceType: Patient");
        assert!(explained.right);
    }

    #[test]
    fn a_neighbour_has_claims_of_its_own() {
        let rows = |claims: &Value, id| {
            let explained = explain(&author::compact(claims), NOW, Some(id));
            let wanted = |row: &Row| (row.claim.clone(), row.wanted.clone());
            let wrong = wrong(&explained).into_iter().map(|(claim, _)| claim.to_owned()).collect();
            (explained.claims.iter().map(wanted).collect::<Vec<_>>(), wrong)
        };
        let (wanted, wrong): (_, Vec<_>) = rows(&claims(), InteractionId::GetCareRecord);
        let record = "a Patient or an Organization: whose record is asked for";
        assert_eq!(wanted.last().unwrap(), &("requested_record".into(), record.into()));
        assert!(wrong.contains(&"requested_record".to_owned()), "{wrong:?}");

        let (wanted, wrong): (_, Vec<_>) = rows(&claims(), InteractionId::MigrateBinary);
        let scope = wanted.iter().find(|(claim, _)| claim == "requested_scope").unwrap();
        assert!(scope.1.starts_with("patient/*.read conf/R, for "), "{scope:?}");
        assert_eq!(wrong, ["reason_for_request", "requested_scope"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[A-Za-z0-9._-]{0,60}|\\PC{0,30}") {
            explain(&text, NOW, None);
        }
    }
}
