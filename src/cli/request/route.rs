//! To whom a request goes, from the options and, where one is given, a configuration's directory.

use gpconnect::{
    interaction::InteractionId,
    names::{OdsCode, ServiceRoot},
};

use super::{arguments::Place, fault::Unsendable};
use crate::{
    cli::{aliases, check, token::author::ods_path},
    snapshot::Snapshot,
};

/// To whom a request goes.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) practice: OdsCode,
    pub(super) service_root: Option<ServiceRoot>,
    pub(super) to_asid: Option<String>,
}

impl Route {
    /// What the options say, completed from the directory.
    pub(super) fn find(place: &Place, interaction: InteractionId) -> Result<Self, Unsendable> {
        let of_root = place.service_root.as_ref().map(ServiceRoot::ods_code);
        let practice = place.practice.or(of_root).ok_or(Unsendable::Missing {
            what: "a request",
            option: "--practice, the ODS code of a practice",
        })?;
        let mut route = Self {
            practice,
            service_root: place.service_root.clone(),
            to_asid: place.to_asid.clone(),
        };
        if place.config.is_some() {
            route.complete(place, interaction)?;
        }
        Ok(route)
    }

    fn complete(&mut self, place: &Place, interaction: InteractionId) -> Result<(), Unsendable> {
        let Some(path) = &place.config else { return Ok(()) };
        let name = || path.display().to_string();
        let check = check::load(path)
            .map_err(|source| Unsendable::ConfigUnopened { path: name(), source })?;
        let snapshot = check.snapshot.ok_or_else(|| Unsendable::ConfigUnusable { path: name() })?;
        let (root, asid) = endpoint(&snapshot, self.practice, interaction).ok_or_else(|| {
            let (practice, what) = (self.practice, aliases::name_of(interaction));
            Unsendable::NotInDirectory { path: name(), practice, what }
        })?;
        self.service_root.get_or_insert(root);
        self.to_asid.get_or_insert(asid);
        Ok(())
    }

    /// The token's audience.
    pub(super) fn aud(&self, place: &Place, interaction: InteractionId) -> String {
        let at_gateway = || {
            let path = ods_path(self.practice, interaction.row().capability);
            format!("{}{path}", place.gateway.url())
        };
        let root = || self.service_root.as_ref().map(ToString::to_string);
        place.aud.clone().or_else(root).unwrap_or_else(at_gateway)
    }
}

fn endpoint(
    snapshot: &Snapshot,
    practice: OdsCode,
    interaction: InteractionId,
) -> Option<(ServiceRoot, String)> {
    let (_, practice) = snapshot.policy.find_practice(practice)?;
    let endpoint = practice.endpoints.of(interaction.row().capability)?;
    Some((endpoint.service_root.clone(), endpoint.asid.to_string()))
}
