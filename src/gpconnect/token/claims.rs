//! The claims as they were sent.

use std::{borrow::Cow, fmt};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{headers::Sent, rejection::Reason};

/// What a token says. Each claim is read on its own, so that one fault does not hide another.
#[derive(Debug)]
pub struct Claims<'t> {
    /// Who made the token.
    pub iss: Sent<Text<'t>>,
    /// The user's id.
    pub sub: Sent<Text<'t>>,
    /// Whom it is for: the service root.
    pub aud: Sent<Text<'t>>,
    /// When it was made, in seconds since 1970 UTC.
    pub iat: Sent<i64>,
    /// When it ends, in seconds since 1970 UTC.
    pub exp: Sent<i64>,
    /// Why the record is asked for.
    pub reason_for_request: Sent<Text<'t>>,
    /// What it may be used for.
    pub requested_scope: Sent<Text<'t>>,
    /// The end user's device or system.
    pub device: Sent<Device<'t>>,
    /// The organisation that the user sits in.
    pub organization: Sent<Organization<'t>>,
    /// The user.
    pub practitioner: Sent<Practitioner<'t>>,
}

/// A string that borrows from the token where it holds no escapes. Serde lends to a `Cow` only when
/// it is the field's own type, not inside an `Option`.
#[derive(Deserialize, PartialEq, Eq)]
pub struct Text<'t>(#[serde(borrow)] pub(super) Cow<'t, str>);

/// Without the text: tokens name people.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Text({} bytes)", self.0.len())
    }
}

impl Text<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it but blanks.
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

/// An identifier of a FHIR resource.
#[derive(Debug, Deserialize)]
pub struct Identifier<'t> {
    /// What kind of id.
    #[serde(borrow)]
    pub system: Option<Text<'t>>,
    /// The id.
    pub value: Option<Text<'t>>,
}

/// `requesting_device`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device<'t> {
    #[serde(borrow)]
    resource_type: Option<Text<'t>>,
    /// Its ids.
    #[serde(default)]
    pub identifier: Vec<Identifier<'t>>,
    /// Its product name.
    pub model: Option<Text<'t>>,
    /// Its product version.
    pub version: Option<Text<'t>>,
}

/// `requesting_organization`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Organization<'t> {
    #[serde(borrow)]
    resource_type: Option<Text<'t>>,
    /// Its ids, the ODS code among them.
    #[serde(default)]
    pub identifier: Vec<Identifier<'t>>,
    /// Its name.
    pub name: Option<Text<'t>>,
}

/// `requesting_practitioner`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Practitioner<'t> {
    #[serde(borrow)]
    resource_type: Option<Text<'t>>,
    /// The user's id, equal to `sub`.
    pub id: Option<Text<'t>>,
    /// The user's ids: SDS user, role profile, local.
    #[serde(default)]
    pub identifier: Vec<Identifier<'t>>,
    /// The user's names.
    #[serde(default)]
    pub name: Vec<HumanName<'t>>,
}

/// A name of a [`Practitioner`].
#[derive(Debug, Deserialize)]
pub struct HumanName<'t> {
    /// Family name: one text in STU3.
    #[serde(borrow)]
    pub family: Option<Text<'t>>,
    /// Given names.
    #[serde(default)]
    pub given: Vec<Text<'t>>,
}

/// The claims unread. serde refuses duplicate names here, which a map would let pass.
#[derive(Deserialize)]
struct Unread<'t> {
    #[serde(borrow)]
    iss: Option<&'t RawValue>,
    #[serde(borrow)]
    sub: Option<&'t RawValue>,
    #[serde(borrow)]
    aud: Option<&'t RawValue>,
    #[serde(borrow)]
    iat: Option<&'t RawValue>,
    #[serde(borrow)]
    exp: Option<&'t RawValue>,
    #[serde(borrow)]
    reason_for_request: Option<&'t RawValue>,
    #[serde(borrow)]
    requested_scope: Option<&'t RawValue>,
    #[serde(borrow)]
    requesting_device: Option<&'t RawValue>,
    #[serde(borrow)]
    requesting_organization: Option<&'t RawValue>,
    #[serde(borrow)]
    requesting_practitioner: Option<&'t RawValue>,
}

/// Reads the claims and adds a fault for each that is malformed.
///
/// # Errors
/// 400 when the payload is no JSON object, or names a claim twice.
pub fn read<'t>(payload: &'t [u8], faults: &mut Vec<Reason>) -> Result<Claims<'t>, Reason> {
    let unread: Unread<'t> = serde_json::from_slice(payload).or(Err(Reason::TokenMalformed(
        "has claims that are not one JSON object, or that repeat a name",
    )))?;
    let mut text = |name, value| simple(name, value, "is not a string", faults);
    let (iss, sub, aud) =
        (text("iss", unread.iss), text("sub", unread.sub), text("aud", unread.aud));
    let reason_for_request = text("reason_for_request", unread.reason_for_request);
    let requested_scope = text("requested_scope", unread.requested_scope);
    let mut number = |name, value| simple(name, value, "is not a whole number of seconds", faults);
    let (iat, exp) = (number("iat", unread.iat), number("exp", unread.exp));
    Ok(Claims {
        iss,
        sub,
        aud,
        iat,
        exp,
        reason_for_request,
        requested_scope,
        device: resource(unread.requesting_device, faults),
        organization: resource(unread.requesting_organization, faults),
        practitioner: resource(unread.requesting_practitioner, faults),
    })
}

fn simple<'t, T: Deserialize<'t>>(
    name: &'static str,
    value: Option<&'t RawValue>,
    fault: &'static str,
    faults: &mut Vec<Reason>,
) -> Sent<T> {
    let Some(value) = value else { return Sent::Absent };
    match serde_json::from_str(value.get()) {
        Ok(value) => Sent::Value(value),
        Err(_) => {
            faults.push(Reason::ClaimInvalid { name, fault });
            Sent::Faulty
        }
    }
}

/// A FHIR resource that a claim must be.
trait Resource<'t>: Deserialize<'t> {
    const CLAIM: &'static str;
    const TYPE: &'static str;
    fn resource_type(&self) -> Option<&str>;
}

macro_rules! resource {
    ($name:ident, $claim:literal) => {
        impl<'t> Resource<'t> for $name<'t> {
            const CLAIM: &'static str = $claim;
            const TYPE: &'static str = stringify!($name);

            fn resource_type(&self) -> Option<&str> {
                self.resource_type.as_ref().map(Text::as_str)
            }
        }
    };
}

resource!(Device, "requesting_device");
resource!(Organization, "requesting_organization");
resource!(Practitioner, "requesting_practitioner");

fn resource<'t, T: Resource<'t>>(value: Option<&'t RawValue>, faults: &mut Vec<Reason>) -> Sent<T> {
    let Some(value) = value else { return Sent::Absent };
    let fault = match serde_json::from_str::<T>(value.get()) {
        Ok(resource) if resource.resource_type() == Some(T::TYPE) => return Sent::Value(resource),
        Ok(_) => "resourceType",
        Err(_) => "an element has another shape",
    };
    faults.push(Reason::ClaimNotResource { name: T::CLAIM, resource: T::TYPE, element: fault });
    Sent::Faulty
}
