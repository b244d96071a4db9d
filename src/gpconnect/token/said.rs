//! What a token says of who asks, and for what: the few texts of it that outlive the decision,
//! because the journal keeps them.

use std::fmt;

use super::{Claims, Identifiers};

const ODS_CODE: [&str; 2] = [
    "https://fhir.nhs.uk/Id/ods-organization-code",
    "http://fhir.nhs.net/Id/ods-organization-code",
];
const USER_ID: [&str; 2] =
    ["https://fhir.nhs.uk/Id/sds-user-id", "http://fhir.nhs.net/sds-user-id"];

/// One of those texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Who made the token.
    Iss,
    /// The user's id.
    Sub,
    /// Why the record is asked for.
    Reason,
    /// What the token may be used for.
    Scope,
    /// The id of the practitioner, which is the user's.
    UserId,
    /// The user's family name.
    Family,
    /// The user's first given name.
    Given,
    /// The user's first title.
    Prefix,
    /// The user's id in the national directory.
    SdsUserId,
    /// The role that the user had, where there is a smartcard.
    RoleProfile,
    /// The user's id at the consumer.
    LocalId,
    /// The name of the user's organisation.
    OrganisationName,
    /// Its ODS code.
    OdsCode,
    /// The device's product name.
    DeviceModel,
    /// Its product version.
    DeviceVersion,
    /// The system of its first id.
    DeviceSystem,
    /// Its first id.
    DeviceId,
}

const ITEMS: usize = Item::DeviceId as usize + 1;

/// Most tokens say less than this.
const ROOM: usize = 384;

/// What one token says. In one piece: there is one for each request.
#[derive(Default, PartialEq, Eq)]
pub struct Said {
    text: String,
    /// Where each item begins and ends. What is not said, or blank, has no length.
    places: [(usize, usize); ITEMS],
}

/// Without the texts: they name people.
impl fmt::Debug for Said {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Said({} bytes)", self.text.len())
    }
}

impl Said {
    /// What these claims say.
    pub fn of(claims: &Claims<'_>) -> Self {
        let mut said = Self { text: String::with_capacity(ROOM), ..Self::default() };
        said.note(Item::Iss, claims.iss.text());
        said.note(Item::Sub, claims.sub.text());
        said.note(Item::Reason, claims.reason_for_request.text());
        said.note(Item::Scope, claims.requested_scope.text());
        if let Some(user) = claims.practitioner.value() {
            said.note(Item::UserId, user.id.text());
            if let Some(name) = user.name.value().and_then(|names| names.first.value()) {
                let text = |given: Option<_>| given.and_then(super::Given::text);
                said.note(Item::Family, text(name.family.value().map(|family| &family.first)));
                said.note(Item::Given, text(name.given.value().map(|given| &given.first)));
                said.note(Item::Prefix, text(name.prefix.value().map(|prefix| &prefix.first)));
            }
            if let Some(ids) = user.identifier.value() {
                said.note(Item::SdsUserId, ids.of(&USER_ID).ok());
                said.note(Item::RoleProfile, ids.role_profile().ok().flatten());
                said.note(Item::LocalId, ids.local());
            }
        }
        if let Some(organisation) = claims.organization.value() {
            let ids = organisation.identifier.value();
            said.note(Item::OrganisationName, organisation.name.text());
            said.note(Item::OdsCode, ids.and_then(|ids| ids.of(&ODS_CODE).ok()));
        }
        if let Some(device) = claims.device.value() {
            let id = device.identifier.value().map(Identifiers::first);
            let id = id.and_then(super::Given::value);
            said.note(Item::DeviceModel, device.model.text());
            said.note(Item::DeviceVersion, device.version.text());
            said.note(Item::DeviceSystem, id.and_then(|id| id.system.text()));
            said.note(Item::DeviceId, id.and_then(|id| id.value.text()));
        }
        said
    }

    /// The text of an item, when it is said. Only for the journal.
    pub fn text(&self, item: Item) -> Option<&str> {
        let (start, end) = *self.places.get(item as usize)?;
        self.text.get(start..end).filter(|text| !text.is_empty())
    }

    fn note(&mut self, item: Item, text: Option<&str>) {
        let start = self.text.len();
        self.text.push_str(text.unwrap_or_default());
        if let Some(place) = self.places.get_mut(item as usize) {
            *place = (start, self.text.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::token::{Payload, read};

    fn said(claims: &serde_json::Value) -> Said {
        let payload = Payload::from_json(claims.to_string().into_bytes());
        Said::of(&read(&payload).unwrap())
    }

    /// gp-connect 12: user, organisation and device, each as the token says it.
    #[test]
    fn each_item_is_what_its_claim_says() {
        let id = |system: &str, value: &str| json!({"system": system, "value": value});
        let claims = json!({
            "iss": "the issuer", "sub": "the user", "reason_for_request": "directcare",
            "requested_scope": "patient/*.read",
            "requesting_practitioner": {
                "id": "17",
                "name": [{"family": "Jones", "given": ["Ann", "Bea"], "prefix": ["Dr"]}],
                "identifier": [
                    id("mine", "L-1"), id(USER_ID[0], "U-1"),
                    id("https://fhir.nhs.uk/Id/sds-role-profile-id", "R-1"),
                ],
            },
            "requesting_organization": {
                "name": "Hospital \u{e9}", "identifier": [id(ODS_CODE[1], "RXX01")],
            },
            "requesting_device": {
                "model": "EPR", "version": "9", "identifier": [id("s", "d"), id("t", "e")],
            },
        });
        let said = said(&claims);
        for (item, expected) in [
            (Item::Iss, "the issuer"),
            (Item::Sub, "the user"),
            (Item::Reason, "directcare"),
            (Item::Scope, "patient/*.read"),
            (Item::UserId, "17"),
            (Item::Family, "Jones"),
            (Item::Given, "Ann"),
            (Item::Prefix, "Dr"),
            (Item::SdsUserId, "U-1"),
            (Item::RoleProfile, "R-1"),
            (Item::LocalId, "L-1"),
            (Item::OrganisationName, "Hospital \u{e9}"),
            (Item::OdsCode, "RXX01"),
            (Item::DeviceModel, "EPR"),
            (Item::DeviceVersion, "9"),
            (Item::DeviceSystem, "s"),
            (Item::DeviceId, "d"),
        ] {
            assert_eq!(said.text(item), Some(expected), "{item:?}");
        }
        assert!(!format!("{said:?}").contains("Jones"));
    }

    #[test]
    fn what_is_not_said_is_none() {
        for (name, claims) in [
            ("nothing", json!({})),
            ("null", json!({"sub": null, "requesting_practitioner": null})),
            ("blanks", json!({"sub": " ", "requesting_practitioner": {"id": "\t"}})),
            ("other kinds", json!({"sub": 1, "requesting_practitioner": {"name": "Jones"}})),
            ("empty lists", json!({"requesting_practitioner": {"name": [], "identifier": []}})),
        ] {
            assert_eq!(said(&claims), Said { text: String::new(), ..Said::default() }, "{name}");
        }
        assert_eq!(Said::default().text(Item::DeviceId), None);
    }
}
