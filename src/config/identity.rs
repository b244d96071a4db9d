//! `[gateway.identity]`: as which consumer system the gateway asks of its own accord.

use std::time::Duration;

use gpconnect::names::Asid;

use super::{finding::Located, label::Title, section::Section, settings::Cache};

/// The consumer system that the gateway is when it asks of its own accord, what it asks, and how
/// much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its ASID, which is that of a registered consumer.
    pub asid: Asid,
    /// Its URL: who makes its tokens.
    pub iss: String,
    /// The person who answers for it.
    pub user: User,
    /// The id of the device; none: its ASID.
    pub device_id: Option<String>,
    /// Whether answers that consumers ask for are asked for anew before they are stale.
    pub refresh: bool,
    /// How old what is known of a capability statement gets before it is asked for; none: it is not.
    pub crawl_every: Option<Duration>,
    /// How many requests it sends in a minute at most.
    pub requests_per_minute: u32,
}

/// A person: tokens name no other users (gp-connect 7.2).
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The user's id.
    pub id: String,
    /// The user's family name.
    pub family: String,
    /// The user's given name.
    pub given: String,
    /// What stands before the name.
    pub prefix: Option<String>,
    /// The user's SDS user id.
    pub sds_user_id: Option<String>,
    /// The user's SDS role profile id.
    pub role_profile: Option<String>,
}

/// Without the name.
impl std::fmt::Debug for User {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("User")
    }
}

/// What was read of it.
#[derive(Default)]
pub(super) struct IdentityRead {
    /// It, when nothing is wrong with it.
    pub(super) identity: Option<Identity>,
    /// Its ASID with the path of the key, for the directory.
    pub(super) known: Option<(String, Located<Asid>)>,
}

/// Reads `[gateway]`, which needs the cache.
pub(super) fn gateway(section: &Section<'_>, cache: Option<Cache>) -> IdentityRead {
    if !section.has("identity") {
        return IdentityRead::default();
    }
    section.table("identity", |section| identity(section, cache)).unwrap_or_default()
}

fn identity(section: &Section<'_>, cache: Option<Cache>) -> IdentityRead {
    let asid = section.text::<Asid>("asid");
    let text = |name| section.text::<Title>(name).map(|text| text.value.into_text());
    let iss = text("iss");
    let (id, family, given) = (text("user_id"), text("family_name"), text("given_name"));
    let prefix = text("prefix");
    let (sds_user_id, role_profile) = (text("sds_user_id"), text("role_profile"));
    let device_id = text("device_id");
    let (refresh, crawl) = (section.flag("refresh"), section.flag("crawl"));
    let crawl_every = section.time("crawl_every");
    let requests = section.number("requests_per_minute");
    if cache.is_some_and(|cache| !cache.enabled) {
        section.mistake_here(
            "asks for what is kept in memory, and nothing is; add [cache], or leave this section out",
        );
    }
    if (refresh, crawl) == (Some(false), Some(false)) {
        section.mistake("refresh", "is false as crawl is: nothing is left to ask; set one to true");
    }
    let known = asid
        .as_ref()
        .map(|asid| (section.path("asid"), Located { value: asid.value, place: asid.place }));
    let user = || {
        Some(User { id: id?, family: family?, given: given?, prefix, sds_user_id, role_profile })
    };
    let identity = || {
        Some(Identity {
            asid: asid?.value,
            iss: iss?,
            user: user()?,
            device_id,
            refresh: refresh?,
            crawl_every: if crawl? { Some(crawl_every?) } else { None },
            requests_per_minute: u32::try_from(requests?).ok()?,
        })
    };
    IdentityRead { identity: identity(), known }
}
