//! Which interaction a request is, and whether verb and path agree.

use super::{
    FhirPath, InteractionId, TABLE,
    path::{Misfit, split},
};
use crate::{
    policy::Policy,
    rejection::Reason,
    target::{AddressForm, Target, shape},
};

/// An interaction and the part of the path that it explains.
#[derive(Clone, Copy, Debug)]
pub struct Identified<'r> {
    /// Which interaction.
    pub id: InteractionId,
    /// Its FHIR path.
    pub path: FhirPath<'r>,
}

/// Checks that the id that was sent is carried here and fits the request.
///
/// # Errors
/// 501 for a known id that is not carried, 404 for a path that ends where an id belongs, 400 for
/// any other misfit of verb or path.
pub fn identify<'r>(
    target: &Target<'r>,
    id: InteractionId,
    policy: &Policy,
) -> Result<Identified<'r>, Reason> {
    if !policy.carries(id) {
        return Err(Reason::InteractionNotCarried(id));
    }
    let mismatch =
        || Reason::InteractionMismatch { id, verb: target.verb, shape: shape(target, Some(id)) };
    if target.verb != id.row().verb || !routing_serves(target, id) {
        return Err(mismatch());
    }
    match split(target.path(), id) {
        Ok(path) if fills_path(target, &path) => Ok(Identified { id, path }),
        Ok(_) | Err(Misfit::Shape) => Err(mismatch()),
        Err(Misfit::IdMissing) => Err(Reason::LogicalIdMissing(id)),
    }
}

/// Finds the one interaction that verb and path leave, for an assisted consumer that sent no id.
///
/// # Errors
/// 400 when several are left (amend and cancel), 404 when none is.
pub fn derive<'r>(target: &Target<'r>, policy: &Policy) -> Result<Identified<'r>, Reason> {
    let fitting = |id: InteractionId| {
        let identified = identify(target, id, policy).ok()?;
        root_fits(target, &identified, policy).then_some(identified)
    };
    let mut found = TABLE.iter().filter_map(|row| fitting(row.id));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(Reason::InteractionAmbiguous),
        (None, _) => Err(Reason::NotAGpConnectPath),
    }
}

const fn routing_serves(target: &Target<'_>, id: InteractionId) -> bool {
    match target.form {
        AddressForm::Ods { routing, .. } => routing.serves(id),
        AddressForm::Proxy { .. } => true,
    }
}

/// In ODS form nothing may stand between the routing segment and the FHIR part; in proxy form
/// something must, and stage 5 compares it.
fn fills_path(target: &Target<'_>, path: &FhirPath<'_>) -> bool {
    let whole = path.path.len() == target.path().len();
    match target.form {
        AddressForm::Ods { .. } => whole,
        AddressForm::Proxy { .. } => !whole,
    }
}

fn root_fits(target: &Target<'_>, identified: &Identified<'_>, policy: &Policy) -> bool {
    let capability = identified.id.row().capability;
    let practice = policy.find_practice(target.practice);
    match practice.and_then(|(_, practice)| practice.endpoints.of(capability)) {
        Some(endpoint) => target.names_root(identified.path.root, &endpoint.service_root),
        // Without an endpoint stage 5 says what is wrong; in proxy form the root decides.
        None => matches!(target.form, AddressForm::Ods { .. }),
    }
}
