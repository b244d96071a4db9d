//! One immutable [`Snapshot`] of everything that requests look up, behind an atomic pointer.
//!
//! [`check`] reads gateway.toml, the environment and the directory files, and builds a snapshot
//! when nothing is wrong. [`Current`] holds the one in use; a reload builds the next one aside and
//! swaps the pointer, or leaves everything as it was and says why. A request takes one reference
//! when it arrives and keeps it to its end.

mod changes;
mod current;
mod identity;
mod load;
mod lookup;
mod secure;
mod switches;
#[cfg(test)]
mod tests;
mod tokens;

use std::{fs, path::PathBuf, sync::Arc, time::SystemTime};

use gpconnect::{
    names::OdsCode,
    policy::{ConsumerIndex, Policy, UpstreamIndex},
    rejection::Wording,
};

use crate::{
    config::{
        Admin, Audit, Cache, Collector, Key, Limits, ListenAt, Log, Observe, Sampling, Server,
        ServerName, Timeouts, Upstream,
    },
    directory::Organisation,
    issuers::Issuers,
    telemetry::InUse,
    tls::{ClientTls, ServerTls, TerminatorTls},
};

pub use changes::{Changes, moved};
pub use current::{Current, kept_switches};
pub use identity::Identity;
#[cfg(test)]
pub(crate) use load::check_on;
pub use load::{Check, check};
pub use lookup::{Asker, EndpointFound, Found, PracticeFound, SystemFound, lookup};
pub use switches::{Switch, Switchable, SwitchableText, Switches};
pub use tokens::{Holder, Role, Roles, Tokens, make as make_token};

/// Everything that requests look up; never changed, only replaced.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Counts snapshots since the start, from 1.
    pub generation: u64,
    /// Practices, consumers, agreements, switches.
    pub policy: Policy,
    /// How practices are reached; an [`UpstreamIndex`] is a place in it.
    pub upstreams: Vec<Upstream>,
    /// Beside each of them its TLS, where it has any.
    pub upstream_tls: Vec<Option<Arc<ClientTls>>>,
    /// What requests at each listener are judged by, in the order of [`Startup::listeners`].
    pub listeners: Vec<Entrance>,
    /// Whose access tokens are believed, in the order of the policy's issuers.
    pub issuers: Issuers,
    /// How refusals are written.
    pub wording: Wording,
    /// What a request may be.
    pub limits: Limits,
    /// How long anything is waited for.
    pub timeouts: Timeouts,
    /// What is kept in memory.
    pub cache: Cache,
    /// As whom the gateway asks of its own accord; none: it does not.
    pub identity: Option<Arc<Identity>>,
    /// Of which requests spans are made.
    pub sampling: Sampling,
    /// Every organisation with its name.
    pub organisations: Vec<Organisation>,
    /// Who may call the admin API over TCP.
    pub tokens: Tokens,
    /// What is fixed when the process starts.
    pub startup: Startup,
    /// When it was built.
    pub loaded_at: SystemTime,
    /// The files that it was built from, gateway.toml first.
    pub sources: Vec<PathBuf>,
}

impl Snapshot {
    /// How TLS is spoken to an endpoint; none where it is not.
    pub fn upstream_tls(&self, index: UpstreamIndex) -> Option<&Arc<ClientTls>> {
        self.upstream_tls.get(index.0 as usize)?.as_ref()
    }

    /// How an endpoint is reached.
    pub fn upstream(&self, index: UpstreamIndex) -> Option<&Upstream> {
        self.upstreams.get(index.0 as usize)
    }

    /// What requests at the listener of this place are judged by.
    pub fn entrance(&self, listener: usize) -> Option<&Entrance> {
        self.listeners.get(listener)
    }

    /// What metrics tell of it. It looks at files: not for a thread that carries requests.
    pub fn in_use(&self) -> InUse<'_> {
        let changed = |file: &PathBuf| fs::metadata(file).and_then(|file| file.modified()).ok();
        InUse {
            generation: self.generation,
            policy: &self.policy,
            upstreams: &self.upstreams,
            limits: self.limits,
            directory_changed: self.sources.iter().skip(1).filter_map(changed).max(),
        }
    }

    /// An organisation by its code.
    pub fn organisation(&self, ods_code: OdsCode) -> Option<&Organisation> {
        self.organisations.iter().find(|organisation| organisation.ods_code == ods_code)
    }
}

/// What requests at a listener are judged by; a reload may change it.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// The listener's name.
    pub name: String,
    /// What `Host` may say.
    pub server_names: Vec<ServerName>,
    /// How callers prove who they are.
    pub access: Access,
}

/// How callers of a listener prove who they are.
#[derive(Clone, Debug)]
pub enum Access {
    /// By their certificates.
    Tls(Arc<ServerTls>),
    /// By their certificates, of which a terminator of TLS tells.
    BehindTerminator(Arc<TerminatorTls>),
    /// Not at all: every caller may be any of these consumer systems.
    InsecureEveryoneIs(Vec<ConsumerIndex>),
}

impl Access {
    /// Whether callers come over TLS, be it with a terminator.
    pub const fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(_) | Self::BehindTerminator(_))
    }

    /// Whether a terminator of TLS tells of callers' certificates.
    pub const fn is_behind_terminator(&self) -> bool {
        matches!(self, Self::BehindTerminator(_))
    }

    /// What a running listener can't change into another of.
    fn kind(&self) -> &'static str {
        match self {
            Self::Tls(_) => "tls",
            Self::BehindTerminator(tls) if tls.current().speaks_tls() => "terminator",
            Self::BehindTerminator(_) => "socket",
            Self::InsecureEveryoneIs(_) => "plain",
        }
    }
}

/// What is fixed when the process starts: a change needs a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Startup {
    /// Threads and drain.
    pub server: Server,
    /// Each listener.
    pub listeners: Vec<Bound>,
    /// Where metrics and health are read.
    pub observe: Observe,
    /// Where operations ask and give orders.
    pub admin: Admin,
    /// The log.
    pub log: Log,
    /// The journal.
    pub audit: Audit,
    /// What answers in memory may take.
    pub cache_bytes: usize,
    /// Who takes spans.
    pub collector: Option<Collector>,
}

/// What is fixed of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: ListenAt,
    /// Whether callers come over TLS, be it with a terminator.
    pub secure: bool,
    /// Whether a terminator of TLS tells of their certificates.
    pub behind_terminator: bool,
}

/// The JSON Schema of gateway.toml, and of directory files.
pub fn schemas() -> [(&'static str, serde_json::Value); 2] {
    let schema = |name, title, keys: &[Key]| (name, crate::config::schema(title, keys));
    [
        schema("gateway", "gateway.toml of gpconnect-gateway", crate::config::GATEWAY),
        schema("directory", "A directory file of gpconnect-gateway", crate::directory::DIRECTORY),
    ]
}
