//! The claims as they were sent.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{MapAccess, value::MapAccessDeserializer},
};

use crate::{
    contract::Claim,
    rejection::Reason,
    sent::{FromJson, Sent},
};

/// What a token says. Each claim is read for itself, so that one fault does not hide another; serde
/// refuses a name that stands twice, which a map would let pass.
#[derive(Debug, Deserialize)]
pub struct Claims<'t> {
    /// Who made the token.
    #[serde(borrow, default)]
    pub iss: Sent<Text<'t>>,
    /// The user's id.
    #[serde(default)]
    pub sub: Sent<Text<'t>>,
    /// Whom it is for: the service root.
    #[serde(default)]
    pub aud: Sent<Text<'t>>,
    /// When it was made, in seconds since 1970 UTC.
    #[serde(default)]
    pub iat: Sent<i64>,
    /// When it ends, in seconds since 1970 UTC.
    #[serde(default)]
    pub exp: Sent<i64>,
    /// Why the record is asked for.
    #[serde(default)]
    pub reason_for_request: Sent<Text<'t>>,
    /// What it may be used for.
    #[serde(default)]
    pub requested_scope: Sent<Text<'t>>,
    /// The end user's device or system.
    #[serde(default, rename = "requesting_device")]
    pub device: Sent<Device<'t>>,
    /// The organisation that the user sits in.
    #[serde(default, rename = "requesting_organization")]
    pub organization: Sent<Organization<'t>>,
    /// The user.
    #[serde(default, rename = "requesting_practitioner")]
    pub practitioner: Sent<Practitioner<'t>>,
}

/// A string, borrowed from the token where it holds no escapes.
#[derive(PartialEq, Eq)]
pub struct Text<'t>(pub(super) Cow<'t, str>);

impl<'de: 't, 't> FromJson<'de> for Text<'t> {
    fn from_text(text: Cow<'de, str>) -> Option<Self> {
        Some(Self(text))
    }
}

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

impl Sent<Text<'_>> {
    /// The text, unless it is absent, faulty or nothing but blanks.
    pub fn text(&self) -> Option<&str> {
        self.as_value().filter(|text| !text.is_blank()).map(Text::as_str)
    }
}

/// Writes a FHIR structure of which only some elements matter. One whose elements have other
/// shapes than these is faulty as a whole.
macro_rules! structure {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "camelCase", bound(deserialize = "'de: 't"))]
        pub struct $name<'t> {
            $($(#[$field_doc])* #[serde(default)] pub $field: Sent<$type>,)*
        }

        impl<'de: 't, 't> FromJson<'de> for $name<'t> {
            fn from_object<A: MapAccess<'de>>(object: A) -> Result<Sent<Self>, A::Error> {
                let read = Self::deserialize(MapAccessDeserializer::new(object))?;
                let faulty = $(read.$field.is_faulty())||*;
                Ok(if faulty { Sent::Faulty } else { Sent::Value(read) })
            }
        }
    };
}

structure! {
    /// An identifier of a FHIR resource.
    Identifier {
        /// What kind of id.
        system: Text<'t>,
        /// The id.
        value: Text<'t>,
    }
}

structure! {
    /// `requesting_device`.
    Device {
        /// What it says it is.
        resource_type: Text<'t>,
        /// Its ids.
        identifier: Vec<Identifier<'t>>,
        /// Its product name.
        model: Text<'t>,
        /// Its product version.
        version: Text<'t>,
    }
}

structure! {
    /// `requesting_organization`.
    Organization {
        /// What it says it is.
        resource_type: Text<'t>,
        /// Its ids, the ODS code among them.
        identifier: Vec<Identifier<'t>>,
        /// Its name.
        name: Text<'t>,
    }
}

structure! {
    /// `requesting_practitioner`.
    Practitioner {
        /// What it says it is.
        resource_type: Text<'t>,
        /// The user's id, equal to `sub`.
        id: Text<'t>,
        /// The user's ids: SDS user, role profile, local.
        identifier: Vec<Identifier<'t>>,
        /// The user's names.
        name: Vec<HumanName<'t>>,
    }
}

structure! {
    /// A name of a [`Practitioner`].
    HumanName {
        /// Family name: one text in STU3.
        family: Text<'t>,
        /// Given names.
        given: Vec<Text<'t>>,
    }
}

/// Reads the claims and adds a fault for each that is malformed.
///
/// # Errors
/// 400 when the payload is no JSON object, or names anything twice.
pub fn read<'t>(payload: &'t [u8], faults: &mut Vec<Reason>) -> Result<Claims<'t>, Reason> {
    let malformed =
        Reason::TokenMalformed("has claims that are not one JSON object, or that repeat a name");
    let Ok(text) = str::from_utf8(payload) else { return Err(malformed) };
    // Serde would take a list for a struct too, by position.
    if !text.trim_start().starts_with('{') {
        return Err(malformed);
    }
    let Ok(mut claims) = serde_json::from_str::<Claims<'t>>(text) else { return Err(malformed) };
    let mut simple = |claim, faulty, fault| {
        if faulty {
            faults.push(Reason::ClaimUnreadable { claim, fault });
        }
    };
    simple(Claim::Iss, claims.iss.is_faulty(), "is not a string");
    simple(Claim::Sub, claims.sub.is_faulty(), "is not a string");
    simple(Claim::Aud, claims.aud.is_faulty(), "is not a string");
    simple(Claim::Iat, claims.iat.is_faulty(), "is not a whole number of seconds");
    simple(Claim::Exp, claims.exp.is_faulty(), "is not a whole number of seconds");
    simple(Claim::ReasonForRequest, claims.reason_for_request.is_faulty(), "is not a string");
    simple(Claim::RequestedScope, claims.requested_scope.is_faulty(), "is not a string");
    check_type(
        &mut claims.device,
        Claim::RequestingDevice,
        "Device",
        |it| &it.resource_type,
        faults,
    );
    let organization = &mut claims.organization;
    check_type(
        organization,
        Claim::RequestingOrganization,
        "Organization",
        |it| &it.resource_type,
        faults,
    );
    let practitioner = &mut claims.practitioner;
    check_type(
        practitioner,
        Claim::RequestingPractitioner,
        "Practitioner",
        |it| &it.resource_type,
        faults,
    );
    Ok(claims)
}

/// Makes a claim faulty that is no resource of type `expected`.
fn check_type<'t, T>(
    claim: &mut Sent<T>,
    name: Claim,
    expected: &'static str,
    resource_type: impl Fn(&T) -> &Sent<Text<'t>>,
    faults: &mut Vec<Reason>,
) where
    T: 't,
{
    let element = match claim {
        Sent::Absent => return,
        Sent::Faulty => "an element has another shape",
        Sent::Value(resource) if resource_type(resource).text() == Some(expected) => return,
        Sent::Value(_) => "resourceType",
    };
    *claim = Sent::Faulty;
    faults.push(Reason::ClaimNotResource { claim: name, resource: expected, element });
}
