//! The claims as they were sent.

use serde::de::MapAccess;

use super::{
    container::Payload,
    fault::{ElementFault, Part, ResourceFault},
    json::{At, Given, Json, Odd, Reader, Text, members, read as read_json},
    resource::{Device, Organization, Practitioner, Record},
};
use crate::rejection::Reason;

/// What a token says. Each claim is read for itself, so that one fault does not hide another.
#[derive(Debug, Default)]
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
