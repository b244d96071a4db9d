//! The FHIR resources in a token, as far as they matter: read without keeping what does not.
//!
//! Which FHIR version a token has to be in depends on the interaction, so either is read, and what
//! is odd is noted with the version in which it is not.

use std::borrow::Cow;

use serde::de::{MapAccess, SeqAccess};

use super::{
    elements::{
        BOTH, DEVICE, Element, HUMAN_NAME, IDENTIFIER, NEITHER, ORGANIZATION, PRACTITIONER, find,
    },
    fault::{CallersName, ElementFault, ResourceFault, Within},
    given::{Given, Text},
    identifiers::Identifiers,
    json::{At, First, Json, Reader, Value, each_member, members},
};
use crate::contract::Claim;

/// Writes a structure of which some elements matter: each with its name and how it is read.
macro_rules! structure {
    ($(#[$doc:meta])* $name:ident, $table:ident, $within:expr, {
        $($(#[$field_doc:meta])* $field:ident: $type:ty = $read:ident($element:literal),)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $name<'t> {
            $($(#[$field_doc])* pub $field: Given<$type>,)*
        }

        impl<'t> Json<'t> for $name<'t> {
            fn from_object<A: MapAccess<'t>>(
                object: A,
                at: At<'_>,
                place: &mut Given<Self>,
            ) -> Result<(), A::Error> {
                let mut read = Self::default();
                let within: fn(&mut Reader) -> Within = $within;
                each_element(object, at, $table, within, |mut here| {
                    match here.value.name {
                        $($element => here.$read($element, &mut read.$field),)*
                        _ => here.value.pass(),
                    }
                })?;
                *place = Given::Value(read);
                Ok(())
            }
        }
    };
}

structure! {
    /// `requesting_device`.
    Device, DEVICE, |reader| reader.enter_claim(Claim::RequestingDevice), {
        /// What it says it is.
        resource_type: Text<'t> = any("resourceType"),
        /// Its ids.
        identifier: Identifiers<'t> = identifiers("identifier"),
        /// Its product name.
        model: Text<'t> = text("model"),
        /// Its product version.
        version: Text<'t> = text("version"),
        /// Its logical id, which 0.x wants.
        id: Text<'t> = text("id"),
    }
}

structure! {
    /// `requesting_organization`.
    Organization, ORGANIZATION, |reader| reader.enter_claim(Claim::RequestingOrganization), {
        /// What it says it is.
        resource_type: Text<'t> = any("resourceType"),
        /// Its ids, the ODS code among them.
        identifier: Identifiers<'t> = identifiers("identifier"),
        /// Its name.
        name: Text<'t> = text("name"),
        /// Its logical id, which 0.x wants.
        id: Text<'t> = text("id"),
    }
}

structure! {
    /// `requesting_practitioner`.
    Practitioner, PRACTITIONER, |reader| reader.enter_claim(Claim::RequestingPractitioner), {
        /// What it says it is.
        resource_type: Text<'t> = any("resourceType"),
        /// The user's id, equal to `sub`.
        id: Text<'t> = text("id"),
        /// The user's ids: SDS user, role profile, local.
        identifier: Identifiers<'t> = identifiers("identifier"),
        /// The user's name: a list in STU3, one in DSTU2.
        name: OneOrMany<HumanName<'t>> = names("name"),
    }
}

structure! {
    /// A name of a [`Practitioner`].
    HumanName, HUMAN_NAME, |reader| Within::Name(reader.place), {
        /// Family name: one text in STU3, a list in DSTU2.
        family: OneOrMany<Text<'t>> = family("family"),
        /// Given names.
        given: First<Text<'t>> = texts("given"),
        /// Titles.
        prefix: First<Text<'t>> = texts("prefix"),
    }
}

structure! {
    /// An identifier of a resource.
    Identifier, IDENTIFIER, |reader| Within::Identifier(reader.place), {
        /// What kind of id.
        system: Text<'t> = text("system"),
        /// The id.
        value: Text<'t> = text("value"),
    }
}

/// `requested_record` of 0.x, of which only the type is looked at.
#[derive(Debug, Default)]
pub struct Record<'t> {
    /// What it says it is.
    pub resource_type: Given<Text<'t>>,
}

impl<'t> Json<'t> for Record<'t> {
    fn from_object<A: MapAccess<'t>>(
        object: A,
        at: At<'_>,
        place: &mut Given<Self>,
    ) -> Result<(), A::Error> {
        let mut read = Self::default();
        each_member(object, at, |mut value| match value.name {
            "resourceType" => value.read(&mut read.resource_type),
            _ => value.pass(),
        })?;
        *place = Given::Value(read);
        Ok(())
    }
}

/// Hands out the elements of a structure, and notes those that it does not have.
fn each_element<'t, A: MapAccess<'t>>(
    object: A,
    at: At<'_>,
    table: &'static [Element],
    within: fn(&mut Reader) -> Within,
    mut each: impl FnMut(Here<'_, '_, A>) -> Result<(), A::Error>,
) -> Result<(), A::Error> {
    let within = within(at.reader);
    members(
        object,
        at,
        |name| find(table, name),
        |versions, value| {
            let versions = versions.unwrap_or(NEITHER);
            if versions != BOTH {
                let name = value.name;
                let undeclared = || ElementFault::Undeclared(within, CallersName::new(name));
                value.at.reader.note_element(versions, undeclared);
            }
            each(Here { value, within })
        },
    )
}

/// An element that is about to be read.
struct Here<'v, 'r, A> {
    value: Value<'v, 'r, A>,
    within: Within,
}

impl<'t, A: MapAccess<'t>> Here<'_, '_, A> {
    fn any<T: Json<'t>>(&mut self, _: &'static str, place: &mut Given<T>) -> Result<(), A::Error> {
        self.value.read(place)
    }

    /// Reads it, and notes when it is of another kind than `expected`.
    fn of_kind<T: Json<'t>>(
        &mut self,
        element: &'static str,
        expected: &'static str,
        place: &mut Given<T>,
    ) -> Result<(), A::Error> {
        self.value.read(place)?;
        if let Given::Other(found) = *place {
            let within = self.within;
            let shape = ResourceFault::Shape { within, element, found, expected };
            self.value.at.reader.note_shape(shape);
        }
        Ok(())
    }

    fn text(&mut self, element: &'static str, place: &mut Given<Text<'t>>) -> Result<(), A::Error> {
        self.of_kind(element, "a string", place)
    }

    fn texts(
        &mut self,
        element: &'static str,
        place: &mut Given<First<Text<'t>>>,
    ) -> Result<(), A::Error> {
        self.of_kind(element, "a list of strings", place)
    }

    fn family(
        &mut self,
        element: &'static str,
        place: &mut Given<OneOrMany<Text<'t>>>,
    ) -> Result<(), A::Error> {
        self.of_kind(element, "a string", place)
    }

    fn names(
        &mut self,
        element: &'static str,
        place: &mut Given<OneOrMany<HumanName<'t>>>,
    ) -> Result<(), A::Error> {
        self.of_kind(element, "a list of HumanNames", place)
    }

    fn identifiers(
        &mut self,
        element: &'static str,
        place: &mut Given<Identifiers<'t>>,
    ) -> Result<(), A::Error> {
        self.of_kind(element, "a list of Identifiers", place)
    }
}

impl Reader {
    fn enter_claim(&mut self, claim: Claim) -> Within {
        self.claim = claim;
        Within::Resource
    }
}

/// What one FHIR version has once and another in a list.
#[derive(Clone, Debug)]
pub struct OneOrMany<T> {
    /// The value; the first of a list.
    pub first: Given<T>,
    /// Whether it stands in a list.
    pub is_list: bool,
}

impl<'t, T: Json<'t>> Json<'t> for OneOrMany<T> {
    fn from_text(text: Cow<'t, str>) -> Given<Self> {
        T::from_text(text).map(|first| Self { first, is_list: false })
    }

    fn from_object<A: MapAccess<'t>>(
        object: A,
        at: At<'_>,
        place: &mut Given<Self>,
    ) -> Result<(), A::Error> {
        let mut one = Given::Missing;
        T::from_object(object, at, &mut one)?;
        *place = one.map(|first| Self { first, is_list: false });
        Ok(())
    }

    fn from_list<A: SeqAccess<'t>>(
        list: A,
        at: At<'_>,
        place: &mut Given<Self>,
    ) -> Result<(), A::Error> {
        let mut many = Given::Missing;
        First::<T>::from_list(list, at, &mut many)?;
        *place = match many {
            Given::Value(First { first }) => Given::Value(Self { first, is_list: true }),
            Given::Missing => Given::Missing,
            Given::Null => Given::Null,
            Given::Other(found) => Given::Other(found),
        };
        Ok(())
    }
}
