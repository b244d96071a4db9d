//! The identifiers of a resource, sorted by what they identify.

use serde::de::SeqAccess;

use super::{
    fault::Found,
    given::{Given, Text},
    json::{At, Json, entries},
    resource::Identifier,
};

/// The system of a role profile: the role that the user had, where there is a smartcard.
pub(super) const ROLE_PROFILE: &str = "https://fhir.nhs.uk/Id/sds-role-profile-id";

/// The systems that a token is searched for. The interaction decides which of them count.
const SYSTEMS: [&str; 5] = [
    "https://fhir.nhs.uk/Id/ods-organization-code",
    "https://fhir.nhs.uk/Id/sds-user-id",
    ROLE_PROFILE,
    "http://fhir.nhs.net/Id/ods-organization-code",
    "http://fhir.nhs.net/sds-user-id",
];

/// The identifiers of a resource, in any order.
#[derive(Clone, Debug, Default)]
pub struct Identifiers<'t> {
    first: Given<Identifier<'t>>,
    /// The first one of a system that is none of [`SYSTEMS`]: the consumer's own.
    local: Option<Given<Text<'t>>>,
    known: [Option<Given<Text<'t>>>; SYSTEMS.len()],
    /// A bit for each of [`SYSTEMS`] that stands there with different values.
    conflicting: u8,
}

impl<'t> Identifiers<'t> {
    /// The first one, of whatever system: that of a device.
    pub const fn first(&self) -> &Given<Identifier<'t>> {
        &self.first
    }

    /// The value of the first system among `systems` that stands there.
    ///
    /// # Errors
    /// What is there instead: no such system, a system without a value, or several values.
    pub fn of(&self, systems: &[&'static str]) -> Result<&str, Found> {
        let known = || SYSTEMS.iter().zip(&self.known).enumerate();
        let mut found = None;
        for system in systems {
            let Some((number, (_, Some(value)))) = known().find(|(_, (name, _))| *name == system)
            else {
                continue;
            };
            let value =
                value.text().ok_or_else(|| value.instead_of_text().unwrap_or(Found::Missing))?;
            if self.conflicting >> number & 1 == 1 || found.is_some_and(|found| found != value) {
                return Err(Found::Conflicting(system));
            }
            found = Some(value);
        }
        found.ok_or(Found::NoIdentifierOf(systems.first().copied().unwrap_or_default()))
    }

    /// The role profile, if there is one.
    ///
    /// # Errors
    /// What is there instead of its value, or several values.
    pub fn role_profile(&self) -> Result<Option<&str>, Found> {
        match self.of(&[ROLE_PROFILE]) {
            Ok(value) => Ok(Some(value)),
            Err(Found::NoIdentifierOf(_)) => Ok(None),
            Err(found) => Err(found),
        }
    }

    /// The value of the first identifier with a system of the consumer's own.
    pub fn local(&self) -> Option<&str> {
        self.local.as_ref().and_then(Given::text)
    }

    fn add(&mut self, identifier: Identifier<'t>) {
        if self.first.value().is_none() {
            self.first = Given::Value(identifier.clone());
        }
        let Identifier { system, value } = identifier;
        let system = system.text();
        let Some(number) = SYSTEMS.iter().position(|known| system == Some(known)) else {
            self.local.get_or_insert(value);
            return;
        };
        match self.known.get_mut(number) {
            Some(Some(known)) if *known != value => self.conflicting |= 1 << number,
            Some(known) => *known = Some(value),
            None => {}
        }
    }
}

impl<'t> Json<'t> for Identifiers<'t> {
    fn from_list<A: SeqAccess<'t>>(
        list: A,
        at: At<'_>,
        place: &mut Given<Self>,
    ) -> Result<(), A::Error> {
        let mut identifiers = Self::default();
        let whole = entries(list, at, |identifier| identifiers.add(identifier))?;
        *place = if whole { Given::Value(identifiers) } else { Given::Other(Found::MixedList) };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interaction::TABLE;

    #[test]
    fn every_system_of_the_interactions_is_searched_for() {
        for row in TABLE {
            for system in row.token.organisation_systems.iter().chain(row.token.user_systems) {
                assert!(SYSTEMS.contains(system), "{}: {system}", row.urn);
            }
        }
    }
}
