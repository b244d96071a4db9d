//! The consumer system that the gateway itself is.

use std::sync::Arc;

use gpconnect::{
    facts::UnixSeconds,
    interaction::InteractionId,
    names::{Asid, ServiceRoot},
    policy::{ConsumerIndex, Policy},
    token::mint::{Author, Purpose, UNKNOWN, claims, compact},
};

use crate::{config, directory::Organisation};

/// The consumer system that the gateway is when it asks of its own accord.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its place in the policy.
    pub consumer: ConsumerIndex,
    /// What is written of it.
    pub settings: config::Identity,
    organisation: Organisation,
}

impl Identity {
    /// None when the policy lacks the system; then that was noted where the directory was read.
    pub(super) fn new(
        settings: config::Identity,
        policy: &Policy,
        organisations: &[Organisation],
    ) -> Option<Arc<Self>> {
        let (consumer, system) = policy.find_consumer(settings.asid)?;
        let mut all = organisations.iter();
        let organisation = all.find(|one| one.ods_code == system.organisation)?.clone();
        Some(Arc::new(Self { consumer, settings, organisation }))
    }

    /// Its ASID.
    pub const fn asid(&self) -> Asid {
        self.settings.asid
    }

    /// A token of its own for an interaction at the system of this service root.
    pub fn token(&self, id: InteractionId, root: &ServiceRoot, now: UnixSeconds) -> String {
        let config::Identity { asid, iss, user, device_id, .. } = &self.settings;
        let author = Author {
            iss,
            user: &user.id,
            family: &user.family,
            given: &user.given,
            prefix: user.prefix.as_deref(),
            sds_user_id: user.sds_user_id.as_deref().unwrap_or(UNKNOWN),
            role_profile: user.role_profile.as_deref().unwrap_or(UNKNOWN),
            organisation: self.organisation.ods_code.as_str(),
            organisation_name: &self.organisation.name,
            device_id: device_id.as_deref().unwrap_or(asid.as_str()),
            device_model: env!("CARGO_PKG_NAME"),
            device_version: env!("CARGO_PKG_VERSION"),
        };
        compact(&claims(&author, &Purpose::of(Some(id), Some(root), now)))
    }
}
