//! The sealed part of a request's record: what its caller wrote. It is half of the record, so its
//! members have names of one letter there; whoever opens it gets those of `docs/audit.md`.

use gpconnect::{
    patients::{Patient, Patients},
    token::Item,
};
use serde_json::{Map, Value};

use super::record::Request;
use crate::telemetry::Object;

/// A member: where it stands when it is opened, and what it is called as long as it is not. A letter
/// is never given to another member.
type Name = (&'static str, &'static str);

const VERB: Name = ("verb", "v");
const PATH: Name = ("path", "p");
const TRACE_ID: Name = ("sent_trace_id", "t");
const SENT: [Name; 3] = [("sent.from", "F"), ("sent.to", "T"), ("sent.interaction", "I")];
const PATIENTS: Name = ("patients", "n");
const UNREADABLE: Name = ("patients_unreadable", "N");

/// What the journal keeps of a token: who the user is, of which organisation, at which device.
const SAID: [(Name, Item); 17] = [
    (("user.sub", "s"), Item::Sub),
    (("user.id", "i"), Item::UserId),
    (("user.family", "f"), Item::Family),
    (("user.given", "g"), Item::Given),
    (("user.prefix", "x"), Item::Prefix),
    (("user.sds_user_id", "u"), Item::SdsUserId),
    (("user.role_profile", "r"), Item::RoleProfile),
    (("user.local_id", "l"), Item::LocalId),
    (("user_organisation.name", "o"), Item::OrganisationName),
    (("user_organisation.ods_code", "c"), Item::OdsCode),
    (("device.model", "d"), Item::DeviceModel),
    (("device.version", "D"), Item::DeviceVersion),
    (("device.system", "m"), Item::DeviceSystem),
    (("device.id", "e"), Item::DeviceId),
    (("iss", "a"), Item::Iss),
    (("reason", "w"), Item::Reason),
    (("scope", "S"), Item::Scope),
];

/// What only those may read to whom the journal is sealed.
pub(super) fn of(request: &Request<'_>) -> Vec<u8> {
    let mut sealed = Object::with_room(512);
    sealed.text(VERB.1, request.verb);
    sealed.text(PATH.1, request.path);
    request.sent_trace_id.iter().for_each(|sent| sealed.text(TRACE_ID.1, sent));
    for ((_, name), value) in SENT.into_iter().zip(request.sent) {
        value.iter().for_each(|value| sealed.text(name, value));
    }
    sealed.texts(PATIENTS.1, request.patients.iter().map(digits));
    if let Patients::Unreadable(why) = request.patients {
        sealed.text(UNREADABLE.1, why);
    }
    if let Some(said) = request.said {
        for ((_, name), item) in SAID {
            said.text(item).iter().for_each(|text| sealed.text(name, text));
        }
    }
    let mut text = sealed.into_line();
    text.pop();
    text
}

/// What was sealed, with the names that people know, and with what follows from it.
pub(super) fn opened(sealed: Value) -> Value {
    let Value::Object(members) = sealed else { return sealed };
    let mut opened = Map::new();
    for (letter, value) in members {
        let name = name_of(&letter).unwrap_or(&letter);
        match name.split_once('.') {
            Some((of, name)) => {
                let of = opened.entry(of).or_insert_with(|| Map::new().into());
                of.as_object_mut().into_iter().for_each(|of| {
                    of.insert(name.to_owned(), value.clone());
                });
            }
            None => {
                opened.insert(name.to_owned(), value);
            }
        }
    }
    if let Some(user) = opened.get_mut("user").and_then(Value::as_object_mut) {
        // A role profile is of a smartcard (gp-connect 7.2).
        user.insert("smartcard".into(), user.contains_key("role_profile").into());
        // The token can name no other (gp-connect 12).
        opened.insert("authority".into(), "same as user".into());
    }
    opened.into()
}

/// What a letter stands for; none for the whole names of records that are of no request.
fn name_of(letter: &str) -> Option<&'static str> {
    let alone = [VERB, PATH, TRACE_ID, PATIENTS, UNREADABLE].into_iter();
    let names = alone.chain(SENT).chain(SAID.into_iter().map(|(name, _)| name));
    names.into_iter().find_map(|(name, short)| (short == letter).then_some(name))
}

/// An NHS number, or what was sent in its place.
pub(super) fn digits(patient: &Patient) -> &str {
    match patient {
        Patient::Number(number) => number.digits(),
        Patient::Other(text) => text.expose(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn each_member_has_a_letter_of_its_own() {
        let alone = [VERB, PATH, TRACE_ID, PATIENTS, UNREADABLE].into_iter();
        let all: Vec<_> = alone.chain(SENT).chain(SAID.map(|(name, _)| name)).collect();
        let letters: BTreeSet<_> = all.iter().map(|(_, letter)| letter).collect();
        assert_eq!(letters.len(), all.len());
        assert!(all.iter().all(|(name, letter)| name_of(letter) == Some(name)));
        let document = include_str!("../../docs/audit.md");
        for (name, letter) in all {
            assert!(document.contains(&format!("| `{letter}` | `{name}` |")), "{letter}: {name}");
        }
    }

    #[test]
    fn names_that_are_whole_stay() {
        for sealed in [json!({"reason": "a complaint", "Z": 1}), json!([1]), json!({})] {
            assert_eq!(opened(sealed.clone()), sealed);
        }
        let opened = opened(json!({"s": "10019", "w": "directcare"}));
        let user = json!({"sub": "10019", "smartcard": false});
        let whole = json!({"user": user, "reason": "directcare", "authority": "same as user"});
        assert_eq!(opened, whole);
    }
}
