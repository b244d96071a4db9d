//! The claims that hold a FHIR resource.

use super::{Faults, Terms};
use crate::{
    contract::Claim,
    interaction::{Release, TokenRules},
    rejection::Reason,
    token::{
        Claims, Identifiers, Practitioner,
        elements::{DSTU2, STU3, resource_type},
        fault::{ClaimFault, Found, ResourceFault, Within},
        given::{Given, Text},
    },
};

const TEXT: &str = "a non-empty string";

impl Faults<'_> {
    /// The resource in a claim, if it is one of the right type. Its elements that FHIR does not
    /// have, or not like that, are faults.
    fn resource<'c, 't, T>(
        &mut self,
        claim: Claim,
        given: &'c Given<T>,
        type_of: impl Fn(&T) -> &Given<Text<'t>>,
    ) -> Option<&'c T> {
        let resource = claim.resource();
        if let Given::Other(found) = given {
            let fault = ResourceFault::NotAnObject(*found);
            self.0.push(Reason::ClaimNotResource { claim, resource, fault });
            return None;
        }
        let value = self.value(claim, given)?;
        let given = type_of(value);
        let fault = match given.text() {
            Some(text) if is_type(text, claim) => return Some(value),
            Some(text) => match resource_type(text) {
                Some(found) => {
                    self.0.push(Reason::ClaimMisplaced { claim, found, expected: resource });
                    return None;
                }
                None => ResourceFault::UnknownType(text.chars().count()),
            },
            None => ResourceFault::NoType(given.instead_of_text().unwrap_or(Found::Missing)),
        };
        self.0.push(Reason::ClaimNotResource { claim, resource, fault });
        None
    }

    /// Tells what is no FHIR in a resource.
    fn odd(&mut self, claims: &Claims<'_>, claim: Claim, rules: &TokenRules) {
        let resource = claim.resource();
        for odd in claims.shapes.iter().filter(|odd| odd.claim == claim) {
            self.0.push(Reason::ClaimNotResource { claim, resource, fault: odd.fault });
        }
        let version = match rules.release {
            Release::Stu3 => STU3,
            Release::Dstu2 => DSTU2,
        };
        let elements = claims.elements.iter().filter(|odd| odd.claim == claim);
        for odd in elements.filter(|odd| !odd.versions.contains(version)) {
            self.0.push(Reason::ClaimElement { claim, resource, fault: odd.fault.clone() });
        }
    }

    /// The text of an element that has to be there. What is of another type was told already.
    fn element<'c>(
        &mut self,
        claim: Claim,
        element: &'static str,
        given: &'c Given<Text<'_>>,
    ) -> Option<&'c str> {
        match given.instead_of_text() {
            None => return given.text(),
            Some(_) if matches!(given, Given::Other(_)) => {}
            Some(found) => self.holds(claim, element, found, TEXT),
        }
        None
    }

    /// A structure that has to be there. What is of another type was told already.
    fn structure<'c, T>(
        &mut self,
        claim: Claim,
        element: &'static str,
        given: &'c Given<T>,
        expected: &'static str,
    ) -> Option<&'c T> {
        match given.instead() {
            None => return given.value(),
            Some(_) if matches!(given, Given::Other(_)) => {}
            Some(found) => self.holds(claim, element, found, expected),
        }
        None
    }
}

impl Faults<'_> {
    /// An element that one version has once and another in a list.
    fn shape(
        &mut self,
        claim: Claim,
        within: Within,
        element: &'static str,
        is_list: bool,
        expected: &'static str,
    ) {
        let found = if is_list { Found::List } else { Found::One };
        let fault = ResourceFault::Shape { within, element, found, expected };
        let resource = claim.resource();
        self.0.push(Reason::ClaimNotResource { claim, resource, fault });
    }

    /// A system that is not there, or not once, is a fault of the list; else of its `element`.
    fn identifier(
        &mut self,
        claim: Claim,
        element: &'static str,
        found: Found,
        expected: &'static str,
    ) {
        let of_list = matches!(found, Found::NoIdentifierOf(_) | Found::Conflicting(_));
        self.holds(claim, if of_list { ".identifier" } else { element }, found, expected);
    }

    fn identifiers<'c, 't>(
        &mut self,
        claim: Claim,
        given: &'c Given<Identifiers<'t>>,
    ) -> Option<&'c Identifiers<'t>> {
        self.structure(claim, ".identifier", given, "a list of Identifiers")
    }
}

fn is_type(text: &str, claim: Claim) -> bool {
    text == claim.resource()
        || claim == Claim::RequestedRecord && matches!(text, "Patient" | "Organization")
}

/// The device: an identifier, a model and a version.
pub(super) fn device(claims: &Claims<'_>, rules: &TokenRules, faults: &mut Faults<'_>) {
    const CLAIM: Claim = Claim::RequestingDevice;
    let Some(device) = faults.resource(CLAIM, &claims.device, |it| &it.resource_type) else {
        return;
    };
    faults.odd(claims, CLAIM, rules);
    if rules.resource_ids {
        faults.element(CLAIM, ".id", &device.id);
    }
    if let Some(identifiers) = faults.identifiers(CLAIM, &device.identifier) {
        let first = identifiers.first();
        let expected = "an Identifier with system and value";
        if let Some(first) = faults.structure(CLAIM, ".identifier[0]", first, expected) {
            faults.element(CLAIM, ".identifier[0].system", &first.system);
            faults.element(CLAIM, ".identifier[0].value", &first.value);
        }
    }
    faults.element(CLAIM, ".model", &device.model);
    faults.element(CLAIM, ".version", &device.version);
}

/// The organisation: a name, and the ODS code of the sender. Tells whether it is another's code.
pub(super) fn organization(
    claims: &Claims<'_>,
    terms: &Terms<'_>,
    faults: &mut Faults<'_>,
) -> bool {
    const CLAIM: Claim = Claim::RequestingOrganization;
    let rules = terms.rules();
    let given = &claims.organization;
    let Some(organization) = faults.resource(CLAIM, given, |it| &it.resource_type) else {
        return false;
    };
    faults.odd(claims, CLAIM, rules);
    if rules.resource_ids {
        faults.element(CLAIM, ".id", &organization.id);
    }
    faults.element(CLAIM, ".name", &organization.name);
    let Some(identifiers) = faults.identifiers(CLAIM, &organization.identifier) else {
        return false;
    };
    let code = match identifiers.of(rules.organisation_systems) {
        Ok(code) => code,
        Err(found) => {
            let element = ".identifier of ods-organization-code";
            faults.identifier(CLAIM, element, found, "one, with the organisation's ODS code");
            return false;
        }
    };
    let Some(sender) = terms.sender.filter(|sender| sender.organisation.as_str() != code) else {
        return false;
    };
    if !sender.token.any_organisation {
        faults.0.push(Reason::OrganisationMismatch { expected: sender.organisation });
    }
    true
}

/// The user: an id that is also `sub`, a name, and ids of smartcard and consumer.
pub(super) fn practitioner(claims: &Claims<'_>, rules: &TokenRules, faults: &mut Faults<'_>) {
    const CLAIM: Claim = Claim::RequestingPractitioner;
    let given = &claims.practitioner;
    let Some(practitioner) = faults.resource(CLAIM, given, |it| &it.resource_type) else {
        return;
    };
    let id = faults.element(CLAIM, ".id", &practitioner.id);
    if id.zip(claims.sub.text()).is_some_and(|(id, sub)| id != sub) {
        faults.invalid(Claim::Sub, ClaimFault::NotThePractitioner);
    }
    human_name(practitioner, rules.release, faults);
    faults.odd(claims, CLAIM, rules);
    let Some(identifiers) = faults.identifiers(CLAIM, &practitioner.identifier) else { return };
    // Only the SDS user id is dependable; the others may be absent (gp-connect 7.3).
    if let Err(found) = identifiers.of(rules.user_systems) {
        let element = ".identifier of sds-user-id";
        faults.identifier(CLAIM, element, found, "one, with the user's id or UNK");
    }
    if let Err(found) = identifiers.role_profile() {
        let element = ".identifier of sds-role-profile-id";
        faults.identifier(CLAIM, element, found, "one, with the user's role profile or UNK");
    }
}

/// The first name. In STU3 the names are a list and a family name is a text, in DSTU2 the name is
/// one and its family names are a list.
fn human_name(practitioner: &Practitioner<'_>, release: Release, faults: &mut Faults<'_>) {
    const CLAIM: Claim = Claim::RequestingPractitioner;
    let stu3 = release == Release::Stu3;
    let pick = |in_stu3, in_dstu2| if stu3 { in_stu3 } else { in_dstu2 };
    let name = pick(".name[0]", ".name");
    let expected = "the user's name";
    let Some(names) = faults.structure(CLAIM, ".name", &practitioner.name, expected) else {
        return;
    };
    if names.is_list != stu3 {
        let expected = pick("a list of HumanNames", "one HumanName");
        faults.shape(CLAIM, Within::Resource, "name", names.is_list, expected);
        return;
    }
    let Some(first) = faults.structure(CLAIM, name, &names.first, expected) else { return };
    let path = pick(".name[0].family", ".name.family[0]");
    if let Some(family) = faults.structure(CLAIM, path, &first.family, TEXT) {
        if family.is_list == stu3 {
            let expected = pick("a string", "a list of strings");
            faults.shape(CLAIM, Within::Name(0), "family", family.is_list, expected);
        } else {
            faults.element(CLAIM, path, &family.first);
        }
    }
    let path = pick(".name[0].given[0]", ".name.given[0]");
    if let Some(given) = faults.structure(CLAIM, path, &first.given, TEXT) {
        faults.element(CLAIM, path, &given.first);
    }
}

/// Whose record is asked for: 0.x only, elsewhere ignored (D4).
pub(super) fn record(claims: &Claims<'_>, rules: &TokenRules, faults: &mut Faults<'_>) {
    if rules.requested_record {
        faults.resource(Claim::RequestedRecord, &claims.record, |it| &it.resource_type);
    }
}
