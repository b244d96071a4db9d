//! What an operator wrote, typed. Consumed when the snapshot is built: no request sees it.

use std::{borrow::Cow, fmt, net::SocketAddr, path::PathBuf, time::Duration};

use gpconnect::{
    caching::{Extent, Lifetime, Subject},
    forward::Connection,
    interaction::InteractionSet,
    names::{Asid, HostName},
    policy::Confirmation,
    rejection::Wording,
};

use super::{
    admin::Admin,
    authority::{ServerName, UpstreamAddress},
    finding::{Listed, Located},
    identity::Identity,
    issuers::IssuerSettings,
    terminator::{ListenerTerminator, UnixSocket},
    tls::{ListenerTls, TlsFile, UpstreamTls},
    traces::Traces,
    witness::Witness,
};

/// All of gateway.toml, with environment and defaults applied.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The process as a whole.
    pub server: Server,
    /// Where consumers connect to; at least one.
    pub listeners: Vec<Listener>,
    /// Where metrics and health are read.
    pub observe: Observe,
    /// Where operations ask and give orders.
    pub admin: Admin,
    /// The file with their tokens.
    pub admin_tokens: Option<TlsFile>,
    /// How the systems of practices are reached.
    pub upstreams: Vec<Upstream>,
    /// Whose access tokens are believed.
    pub issuers: Vec<IssuerSettings>,
    /// Whether NHS numbers must pass their check digit.
    pub check_nhs_numbers: bool,
    /// How refusals are written.
    pub wording: Wording,
    /// What a request may be.
    pub limits: Limits,
    /// How long anything is waited for.
    pub timeouts: Timeouts,
    /// What is kept in memory.
    pub cache: Cache,
    /// As whom the gateway asks of its own accord; none: it does not.
    pub identity: Option<Identity>,
    /// The log.
    pub log: Log,
    /// The journal.
    pub audit: Audit,
    /// Spans of requests.
    pub traces: Traces,
}

/// What is needed to read and check the directory, also when other settings are wrong.
#[derive(Clone, Debug)]
pub struct Known {
    /// The directory files, as they are to be opened.
    pub files: Vec<Listed<PathBuf>>,
    /// The names of upstreams in their order.
    pub upstreams: Vec<String>,
    /// The issuers of access tokens in their order.
    pub issuers: Vec<KnownIssuer>,
    /// The consumer systems that listeners name, each with the path of its key.
    pub everyone: Vec<(String, Located<Asid>)>,
    /// The consumer system that the gateway itself is, with the path of its key.
    pub identity: Option<(String, Located<Asid>)>,
    /// The interactions that this gateway carries.
    pub carried: InteractionSet,
    /// Whether the file could be read to its end: else more may be named there.
    pub whole: bool,
}

/// What the directory needs to know of an issuer of access tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownIssuer {
    /// Its name.
    pub name: String,
    /// Whether its tokens are bound to the client certificate.
    pub confirmation: Confirmation,
}

/// The process as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// Threads that carry requests.
    pub threads: usize,
    /// How long a stopping gateway still takes requests, while it says that it is not ready.
    pub notice: Duration,
    /// How long a stopping gateway lets requests finish.
    pub drain: Duration,
}

/// Where consumers connect to.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name in logs and metrics.
    pub name: String,
    /// Where to listen.
    pub address: ListenAt,
    /// What a request's `Host` may say.
    pub server_names: Vec<ServerName>,
    /// How callers prove who they are.
    pub access: Access,
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAt {
    /// At an address of the network.
    Address(SocketAddr),
    /// At a Unix socket.
    Socket(UnixSocket),
}

impl fmt::Display for ListenAt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(out),
            Self::Socket(socket) => socket.path.display().fmt(out),
        }
    }
}

/// How callers of a listener prove who they are.
#[derive(Clone, Debug)]
pub enum Access {
    /// By their certificates.
    Tls(Box<ListenerTls>),
    /// By their certificates, of which a terminator of TLS tells.
    BehindTerminator(Box<ListenerTerminator>),
    /// Not at all: every caller is taken for these consumer systems. Plain HTTP at a loopback
    /// address: the reader allows no other.
    InsecureEveryoneIs(Vec<Asid>),
}

/// Where metrics and health are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observe {
    /// Where to listen.
    pub address: SocketAddr,
}

/// How some systems of practices are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// The host and port to connect to.
    pub address: UpstreamAddress,
    /// What is there.
    pub connection: Connection,
    /// How TLS is spoken; none for plain HTTP, which the reader allows only when told so.
    pub tls: Option<Box<UpstreamTls>>,
}

impl Upstream {
    /// The host that its certificate must name, for a service root of that host.
    pub fn host<'h>(&'h self, of_root: &'h HostName) -> &'h HostName {
        self.tls.as_ref().and_then(|tls| tls.server_name.as_ref()).unwrap_or(of_root)
    }

    /// What `Host` says towards a proxy there: the host that its certificate names, which may stand
    /// behind an address of numbers, and the port unless that goes without saying.
    pub fn authority(&self) -> Cow<'_, str> {
        let (host, port) = (self.address.host(), self.address.port());
        let Some(tls) = &self.tls else {
            let plain = if port == "80" { host } else { self.address.as_str() };
            return Cow::Borrowed(plain);
        };
        let host = tls.server_name.as_ref().map_or(host, HostName::as_str);
        if port == "443" { host.into() } else { [host, ":", port].concat().into() }
    }
}

/// What a request may be, and how many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The request line and all headers together.
    pub head_bytes: usize,
    /// Header lines.
    pub headers: usize,
    /// The request target.
    pub target_bytes: usize,
    /// The request body.
    pub body_bytes: usize,
    /// The token.
    pub token_bytes: usize,
    /// Connections of all consumers.
    pub connections: usize,
    /// Requests at once.
    pub in_flight: usize,
}

/// How long anything is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A TLS handshake with a consumer.
    pub handshake: Duration,
    /// From the first byte of a request to the end of its headers.
    pub head: Duration,
    /// From the end of a request's headers to the end of its body.
    pub body: Duration,
    /// A consumer's connection without a request.
    pub idle: Duration,
    /// The connection to an upstream.
    pub connect: Duration,
    /// A provider's silence after a query.
    pub query: Duration,
    /// A provider's silence after a command.
    pub command: Duration,
    /// A consumer that takes nothing of its answer.
    pub consumer_stall: Duration,
    /// A request from its first byte to the last byte of its answer.
    pub exchange: Duration,
    /// A connection to an upstream without a request.
    pub upstream_idle: Duration,
}

/// Answers that are kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Whether any are.
    pub enabled: bool,
    /// What all of them may take.
    pub bytes: usize,
    /// The largest that is kept.
    pub entry_bytes: usize,
    /// How long a capability statement is good.
    pub statement: Lifetime,
    /// How long an organisation that was read is good.
    pub organisation: Lifetime,
    /// How long one that was found is good.
    pub search: Lifetime,
    /// How long it is good that none was found.
    pub empty: Duration,
}

impl Cache {
    /// How long an answer is good.
    pub fn lifetime(&self, subject: Subject, extent: Extent) -> Lifetime {
        let full = match subject {
            Subject::Statement => self.statement,
            Subject::Organisation => self.organisation,
            Subject::Search => self.search,
        };
        match extent {
            Extent::Full => full,
            Extent::Nothing => full.of_nothing(self.empty),
        }
    }
}

/// The log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Its form.
    pub format: LogFormat,
    /// Where it goes; none means standard output.
    pub file: Option<PathBuf>,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, else JSON.
    Auto,
    /// One JSON object a line.
    Json,
    /// Pairs of a name and a value.
    Logfmt,
    /// For people.
    Human,
}

/// The journal of every access.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Its folder.
    pub directory: PathBuf,
    /// The file of the key that signs checkpoints.
    pub signing_key: PathBuf,
    /// The file of the key of search hashes.
    pub search_key: PathBuf,
    /// The file of public keys to which identifiers are sealed.
    pub recipients: PathBuf,
    /// The folders for copies of checkpoints.
    pub checkpoints: Vec<PathBuf>,
    /// The places that checkpoints are sent to.
    pub witnesses: Vec<Witness>,
    /// Whether checkpoints are lines of the log.
    pub log_checkpoints: bool,
    /// How large a segment grows.
    pub segment_bytes: usize,
    /// How old a segment grows.
    pub segment_age: Duration,
    /// How much room is kept for the ends of requests.
    pub reserve_bytes: usize,
    /// How long segments are kept; none: for ever.
    pub keep: Option<Duration>,
    /// How much of segments is kept; none: all.
    pub keep_bytes: Option<usize>,
}

impl Audit {
    /// Whether checkpoints leave this machine, as far as the settings say.
    pub const fn is_witnessed(&self) -> bool {
        !self.checkpoints.is_empty() || !self.witnesses.is_empty() || self.log_checkpoints
    }
}
