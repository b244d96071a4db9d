//! TOML and environment to typed [`Settings`], with every mistake named by file, line, key and fix,
//! all of them at once.
//!
//! A file becomes a [`Document`], a tree in which each value knows its line. The [`Environment`] is
//! laid over it. A [`Section`] then reads one table of the tree by the table of [`keys`], which is
//! the one source of defaults, ranges, suggestions and JSON Schema, and notes what is wrong in the
//! [`Notebook`]. The directory reads its files by the same means.
//!
//! [`read`] gives settings whenever they can be made; whether they may be used is the notebook's to
//! say, when all rooms have written into it.

mod admin;
mod authority;
mod credentials;
mod environment;
mod file;
mod finding;
mod identity;
mod issuers;
mod keys;
mod label;
mod listeners;
mod node;
mod read;
mod reference;
mod schema;
mod section;
mod settings;
mod terminator;
#[cfg(test)]
mod tests;
mod tls;
mod traces;
mod unique;
mod units;
mod url;
mod witness;
mod wording;

pub use admin::{Admin, AdminAddress};
pub use authority::{NotAServerName, NotAnUpstreamAddress, ServerName, UpstreamAddress};
pub use environment::Environment;
pub use file::{is_private, read_bytes, read_file, read_secret};
pub use finding::{Finding, Listed, Located, Mistakes, Notebook, Origin, Place, Warnings};
pub use identity::{Identity, User};
pub use issuers::{IssuerSettings, KeySource};
pub use keys::{Absent, Form, Key, Kind};
pub use label::{Label, NotALabel, NotATitle, Title};
pub use node::Document;
pub use read::read;
pub use reference::GATEWAY;
pub use schema::schema;
pub use section::Section;
pub use settings::{
    Access, Audit, Cache, Known, KnownIssuer, Limits, ListenAt, Listener, Log, LogFormat, Observe,
    Server, Settings, Timeouts, Upstream,
};
pub use terminator::{Fingerprint, ListenerTerminator, NotAFingerprint, Pinned, UnixSocket};
pub use tls::{ListenerTls, Profile, Refusal, TlsFile, UpstreamTls, Version};
pub use traces::{Collector, NotARatio, Protocol, Ratio, Sampling, Traces};
pub use url::{CollectorUrl, KeysUrl, NotACollectorUrl, NotAKeysUrl, NotAUrl, Url};
pub use witness::Witness;
