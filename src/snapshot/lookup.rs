//! What is known of one organisation, for `directory lookup`.

use gpconnect::{
    interaction::{Capability, CapabilitySet, InteractionId, InteractionSet},
    names::OdsCode,
    policy::{Consumer, ConsumerIndex, Endpoint, Mode, Practice, PracticeIndex},
};
use serde::Serialize;

use super::Snapshot;

/// An organisation and everything under its code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its code.
    pub ods_code: String,
    /// Its name.
    pub name: String,
    /// What it is as a practice.
    pub practice: Option<PracticeFound>,
    /// Its consumer systems.
    pub consumers: Vec<SystemFound>,
}

/// A practice: where it is reached, what is switched on, who may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PracticeFound {
    /// Whether GP Connect is on.
    pub gp_connect: bool,
    /// The capabilities that are on, if GP Connect is.
    pub enabled: Vec<&'static str>,
    /// Its endpoints.
    pub endpoints: Vec<EndpointFound>,
    /// The organisations with an agreement.
    pub askers: Vec<Asker>,
}

/// The endpoint of one capability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndpointFound {
    /// The capability.
    pub capability: &'static str,
    /// Its registered base URL.
    pub service_root: String,
    /// The receiving system.
    pub asid: String,
    /// Its message handling server.
    pub party_key: String,
    /// Its contract id.
    pub cpa_id: Option<String>,
    /// The upstream's name.
    pub upstream: String,
    /// Where the upstream is.
    pub address: String,
    /// Whether it is the system itself or a further proxy.
    pub connection: &'static str,
    /// What it is accredited to receive.
    pub interactions: Vec<&'static str>,
}

/// An organisation that may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asker {
    /// Its code.
    pub ods_code: String,
    /// For what.
    pub capabilities: Vec<&'static str>,
}

/// A consumer system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SystemFound {
    /// Its ASID.
    pub asid: String,
    /// `transparent` or `assist`.
    pub mode: &'static str,
    /// `gpconnect` or `oauth`: what it sends in `Authorization`.
    pub token: &'static str,
    /// The issuers of its access tokens.
    pub issuers: Vec<String>,
    /// The host names in its certificate.
    pub host_names: Vec<String>,
    /// What it is accredited to send.
    pub interactions: Vec<&'static str>,
    /// How many practices it has an agreement with.
    pub practices: usize,
}

/// Everything that `snapshot` knows of the organisation of this code.
pub fn lookup(snapshot: &Snapshot, ods_code: OdsCode) -> Option<Found> {
    let organisation = snapshot.organisation(ods_code)?;
    let practice = snapshot.policy.find_practice(ods_code);
    Some(Found {
        ods_code: ods_code.to_string(),
        name: organisation.name.clone(),
        practice: practice.map(|(index, practice)| practice_found(snapshot, index, practice)),
        consumers: consumers(snapshot)
            .filter(|(_, consumer)| consumer.organisation == ods_code)
            .map(|(index, consumer)| system(snapshot, index, consumer))
            .collect(),
    })
}

fn consumers(snapshot: &Snapshot) -> impl Iterator<Item = (ConsumerIndex, &Consumer)> {
    let consumers = snapshot.policy.consumers().iter();
    (0..).map(ConsumerIndex).zip(consumers)
}

fn practice_found(snapshot: &Snapshot, index: PracticeIndex, practice: &Practice) -> PracticeFound {
    let endpoints = practice.endpoints.iter();
    PracticeFound {
        gp_connect: practice.enablement.gp_connect,
        enabled: words(practice.enablement.capabilities),
        endpoints: endpoints.map(|(capability, it)| endpoint(snapshot, capability, it)).collect(),
        askers: askers(snapshot, index),
    }
}

fn endpoint(snapshot: &Snapshot, capability: Capability, endpoint: &Endpoint) -> EndpointFound {
    let upstream = snapshot.upstream(endpoint.upstream);
    EndpointFound {
        capability: capability.as_str(),
        service_root: endpoint.service_root.to_string(),
        asid: endpoint.asid.to_string(),
        party_key: endpoint.party_key.to_string(),
        cpa_id: endpoint.cpa_id.map(|id| id.to_string()),
        upstream: upstream.map(|upstream| upstream.name.clone()).unwrap_or_default(),
        address: upstream.map(|upstream| upstream.address.to_string()).unwrap_or_default(),
        connection: upstream.map(|upstream| upstream.connection.as_str()).unwrap_or_default(),
        interactions: ids(endpoint.interactions),
    }
}

/// Each organisation once: its systems share its agreements.
fn askers(snapshot: &Snapshot, practice: PracticeIndex) -> Vec<Asker> {
    let mut askers = Vec::<Asker>::new();
    for (index, consumer) in consumers(snapshot) {
        let capabilities = snapshot.policy.agreement(index, practice);
        let ods_code = consumer.organisation.to_string();
        if !capabilities.is_empty() && !askers.iter().any(|asker| asker.ods_code == ods_code) {
            askers.push(Asker { ods_code, capabilities: words(capabilities) });
        }
    }
    askers
}

fn system(snapshot: &Snapshot, index: ConsumerIndex, consumer: &Consumer) -> SystemFound {
    let practices = (0..).map(PracticeIndex).take(snapshot.policy.practices().len());
    let agreed = |practice: &PracticeIndex| !snapshot.policy.agreement(index, *practice).is_empty();
    let access = consumer.access.as_deref();
    let issuers = access.map(|terms| terms.issuers.as_slice()).unwrap_or_default();
    let issuers = issuers.iter().filter_map(|index| snapshot.policy.issuer(*index));
    SystemFound {
        asid: consumer.asid.to_string(),
        mode: match consumer.mode {
            Mode::Transparent => "transparent",
            Mode::Assist => "assist",
        },
        token: if access.is_some() { "oauth" } else { "gpconnect" },
        issuers: issuers.map(|issuer| issuer.name.clone()).collect(),
        host_names: consumer.host_names.iter().map(ToString::to_string).collect(),
        interactions: ids(consumer.interactions),
        practices: practices.filter(agreed).count(),
    }
}

fn words(capabilities: CapabilitySet) -> Vec<&'static str> {
    capabilities.iter().map(Capability::as_str).collect()
}

fn ids(interactions: InteractionSet) -> Vec<&'static str> {
    interactions.iter().map(InteractionId::short).collect()
}
