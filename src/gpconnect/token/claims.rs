//! The claims as they were sent.

use std::fmt;

use serde::de::MapAccess;

use super::{
    container::Payload,
    fault::{ElementFault, Part, ResourceFault},
    given::{Given, Text},
    json::{At, Json, Odd, Reader, members, read as read_json},
    resource::{Device, Organization, Practitioner, Record},
};
use crate::rejection::Reason;

/// What a token says. Each claim is read for itself, so that one fault does not hide another.
#[derive(Default)]
pub struct Claims<'t> {
    /// Who made the token.
    pub iss: Given<Text<'t>>,
    /// The user's id.
    pub sub: Given<Text<'t>>,
    /// Whom it is for: the service root.
    pub aud: Given<Text<'t>>,
    /// When it was made, in seconds since 1970 UTC.
    pub iat: Given<i64>,
    /// When it ends, in seconds since 1970 UTC.
    pub exp: Given<i64>,
    /// Why the record is asked for.
    pub reason_for_request: Given<Text<'t>>,
    /// What it may be used for.
    pub requested_scope: Given<Text<'t>>,
    /// The end user's device or system.
    pub device: Given<Device<'t>>,
    /// The organisation that the user sits in.
    pub organization: Given<Organization<'t>>,
    /// The user.
    pub practitioner: Given<Practitioner<'t>>,
    /// Whose record is asked for: in 0.x only, elsewhere ignored (D4).
    pub record: Given<Record<'t>>,
    /// Whether the token ends in a dot, as it has to (D2).
    pub ends_in_dot: bool,
    /// Elements that some FHIR version does not have.
    pub(super) elements: Vec<Odd<ElementFault>>,
    /// Elements of a wrong type.
    pub(super) shapes: Vec<Odd<ResourceFault>>,
}

/// Without what they say: also a number may be a patient's.
impl fmt::Debug for Claims<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Claims")
            .field("iss", &self.iss)
            .field("sub", &self.sub)
            .field("aud", &self.aud)
            .finish_non_exhaustive()
    }
}

const NAMES: [&str; 11] = [
    "iss",
    "sub",
    "aud",
    "iat",
    "exp",
    "reason_for_request",
    "requested_scope",
    "requesting_device",
    "requesting_organization",
    "requesting_practitioner",
    "requested_record",
];

impl<'t> Json<'t> for Claims<'t> {
    fn from_object<A: MapAccess<'t>>(
        object: A,
        at: At<'_>,
        place: &mut Given<Self>,
    ) -> Result<(), A::Error> {
        let mut claims = Self::default();
        let find = |name: &str| Some((NAMES.iter().position(|known| *known == name)?, ()));
        members(object, at, find, |_, mut claim| match claim.name {
            "iss" => claim.read(&mut claims.iss),
            "sub" => claim.read(&mut claims.sub),
            "aud" => claim.read(&mut claims.aud),
            "iat" => claim.read(&mut claims.iat),
            "exp" => claim.read(&mut claims.exp),
            "reason_for_request" => claim.read(&mut claims.reason_for_request),
            "requested_scope" => claim.read(&mut claims.requested_scope),
            "requesting_device" => claim.read(&mut claims.device),
            "requesting_organization" => claim.read(&mut claims.organization),
            "requesting_practitioner" => claim.read(&mut claims.practitioner),
            "requested_record" => claim.read(&mut claims.record),
            // Not a claim of GP Connect: accepted, and kept in the token for the audit.
            _ => claim.pass(),
        })?;
        *place = Given::Value(claims);
        Ok(())
    }
}

/// Reads the claims.
///
/// # Errors
/// 400 when they are no JSON object, name anything twice, or nest too deep.
pub fn read(payload: &Payload) -> Result<Claims<'_>, Reason> {
    let mut reader = Reader::new(Part::Claims);
    let mut claims: Claims<'_> =
        read_json(payload.bytes(), &mut reader).map_err(Reason::TokenMalformed)?;
    (claims.elements, claims.shapes) = (reader.elements, reader.shapes);
    claims.ends_in_dot = payload.ends_in_dot();
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// A text as JSON may spell it: as it is, or with every letter escaped.
    fn spelled(text: &str, escaped: bool) -> String {
        if !escaped {
            return json!(text).to_string();
        }
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        format!("\"{units}\"")
    }

    fn printed(text: &Given<Text<'_>>) -> Value {
        text.value().map(|text| json!(text.expose())).unwrap_or_default()
    }

    proptest! {
        /// gp-connect 7.2: printing what was read gives the claims that were sent, however they
        /// were spelled.
        #[test]
        fn what_is_read_is_what_was_sent(
            sent in proptest::collection::vec(".{1,12}", 8),
            times: (i64, i64),
            escaped: bool,
        ) {
            let [iss, sub, aud, model, organisation, family, given, user] =
                <&[String; 8]>::try_from(sent.as_slice()).unwrap().each_ref();
            let text = |text: &str| spelled(text, escaped);
            let system = text("https://fhir.nhs.uk/Id/sds-user-id");
            let json = format!(
                r#"{{"iss":{},"sub":{},"aud":{},"iat":{},"exp":{},"requesting_device":{{"model":{}}},
                "requesting_organization":{{"name":{}}},"requesting_practitioner":{{
                "name":[{{"family":{},"given":[{}]}}],"identifier":[{{"value":{},"system":{system}}}]}}}}"#,
                text(iss), text(sub), text(aud), times.0, times.1, text(model),
                text(organisation), text(family), text(given), text(user),
            );
            let payload = Payload::from_json(json.into_bytes());
            let claims = read(&payload).unwrap();
            prop_assert_eq!(printed(&claims.iss), json!(iss));
            prop_assert_eq!(printed(&claims.sub), json!(sub));
            prop_assert_eq!(printed(&claims.aud), json!(aud));
            prop_assert_eq!(claims.iat, Given::Value(times.0));
            prop_assert_eq!(claims.exp, Given::Value(times.1));
            prop_assert_eq!(printed(&claims.device.value().unwrap().model), json!(model));
            let name = &claims.organization.value().unwrap().name;
            prop_assert_eq!(printed(name), json!(organisation));
            let practitioner = claims.practitioner.value().unwrap();
            let name = practitioner.name.value().unwrap().first.value().unwrap();
            prop_assert_eq!(printed(&name.family.value().unwrap().first), json!(family));
            prop_assert_eq!(printed(&name.given.value().unwrap().first), json!(given));
            let identifier = practitioner.identifier.value().unwrap();
            let first = identifier.first().value().unwrap();
            prop_assert_eq!(printed(&first.value), json!(user));
            let found = identifier.of(&["https://fhir.nhs.uk/Id/sds-user-id"]);
            prop_assert!(user.trim().is_empty() || found == Ok(user.as_str()));
            // Nothing of it shows when it is printed for people.
            let debug = format!("{claims:?} {payload:?}");
            let is_told = |text: &&String| text.len() > 9 && debug.contains(text.as_str());
            prop_assert_eq!(sent.iter().find(is_told), None);
            let number = times.0.to_string();
            prop_assert!(number.len() < 9 || !debug.contains(&number));
        }
    }
}
