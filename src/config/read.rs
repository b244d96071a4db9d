//! From the tree of gateway.toml to [`Settings`], with the rules that span several keys.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    thread,
};

use gpconnect::{
    caching::Lifetime,
    forward::Connection,
    interaction::{InteractionId, InteractionSet},
    rejection::{BearerErrors, CodingSystem, Wording},
};

use super::{
    admin::{AdminRead, admin},
    authority::UpstreamAddress,
    environment::Environment,
    finding::{Listed, Notebook},
    identity::{IdentityRead, gateway},
    issuers::issuers,
    label::{FileName, Label},
    listeners::{Listeners, listeners},
    node::Document,
    reference::GATEWAY,
    section::Section,
    settings::{
        Audit, Cache, Known, Limits, Log, LogFormat, Observe, Server, Settings, Timeouts, Upstream,
    },
    tls::upstream_tls,
    traces::traces,
    unique::{Unique, bound_address, clash, distinct, unique},
    witness::witnesses,
};

/// Reads gateway.toml, which lies in `folder`, with `environment` laid over it. Settings come back
/// only when all of them could be read; mistakes are in `notebook` then or not.
pub fn read(
    mut document: Document<'_>,
    environment: &Environment,
    folder: &Path,
    notebook: &Notebook,
) -> (Option<Settings>, Known) {
    environment.lay_over(&mut document, GATEWAY, notebook);
    if document.is_whole() {
        return Section::read(&document, GATEWAY, notebook, |root| all(root, folder, notebook));
    }
    // What was made of a broken file is good enough to go on to the files that it names, not to
    // complain about.
    let unheard = Notebook::default();
    let (_, known) =
        Section::read(&document, GATEWAY, &unheard, |root| all(root, folder, &unheard));
    (None, Known { whole: false, ..known })
}

fn all(root: &Section<'_>, folder: &Path, notebook: &Notebook) -> (Option<Settings>, Known) {
    let server = root.table("server", server).flatten();
    let files = root.table("directory", |section| files(section, folder)).unwrap_or_default();
    let Listeners { listeners, addresses: mut bound, mut sockets, everyone } =
        listeners(root, folder, notebook);
    let observe = root.table("observe", bound_address).flatten();
    bound.extend(observe.clone());
    let AdminRead { admin, tokens, address, socket } =
        root.table("admin", |section| admin(section, folder)).unwrap_or_default();
    sockets.extend(socket);
    bound.extend(address);
    distinct(&sockets, notebook, |a, b| a == b, "one socket serves one purpose");
    distinct(&bound, notebook, |a, b| clash(*a, *b), "one address and port serve one purpose");
    let (upstreams, names) = upstreams(root, folder, &bound, notebook);
    let (issuers, known_issuers) = issuers(root, folder, notebook);
    let carried = root.table("interactions", carried).unwrap_or_default();
    let check_nhs_numbers = root.table("checks", |section| section.flag("nhs_number")).flatten();
    let wording = root.table("refusals", wording).flatten();
    let limits = root.table("limits", limits).flatten();
    let timeouts = root.table("timeouts", timeouts).flatten();
    let cache = root.table("cache", |section| cache(section, root.has("cache"))).flatten();
    let IdentityRead { identity, known: own } =
        root.table("gateway", |section| gateway(section, cache)).unwrap_or_default();
    let log = root.table("log", |section| log(section, folder)).flatten();
    let audit = root.table("audit", |section| audit(section, folder, notebook)).flatten();
    let traces = root.table("traces", |section| traces(section, folder, root.has("traces")));
    let traces = traces.flatten();
    let known = Known {
        files,
        upstreams: names,
        issuers: known_issuers,
        everyone,
        identity: own,
        carried,
        whole: true,
    };
    let settings = || {
        let observe = Observe { address: observe?.value.value };
        let (limits, timeouts) = (limits?, timeouts?);
        Some(Settings {
            server: server?,
            listeners,
            observe,
            admin: admin?,
            admin_tokens: tokens,
            upstreams,
            issuers,
            check_nhs_numbers: check_nhs_numbers?,
            wording: wording?,
            limits,
            timeouts,
            cache: cache?,
            identity,
            log: log?,
            audit: audit?,
            traces: traces?,
        })
    };
    (settings(), known)
}

fn server(section: &Section<'_>) -> Option<Server> {
    const MOST: usize = 16;
    let written = section.number("threads");
    let processors = || thread::available_parallelism().map_or(1, |count| count.get().min(MOST));
    let threads = written.unwrap_or_else(processors);
    let (notice, drain) = (section.time("notice"), section.time("drain"));
    Some(Server { threads, notice: notice?, drain: drain? })
}

fn files(section: &Section<'_>, folder: &Path) -> Vec<Listed<PathBuf>> {
    let written = section.list::<FileName>("files").unwrap_or_default();
    let mut files = Vec::<Listed<PathBuf>>::new();
    for Listed { position, value: FileName(name), place } in written {
        let value = folder.join(&name);
        if files.iter().any(|file| file.value == value) {
            section.mistake("files", format!("names {:?} twice; name it once", name.display()));
        } else {
            files.push(Listed { position, value, place });
        }
    }
    files
}

/// The upstreams, and every name among them, also of those with other mistakes.
fn upstreams(
    root: &Section<'_>,
    folder: &Path,
    bound: &[Unique<SocketAddr>],
    notebook: &Notebook,
) -> (Vec<Upstream>, Vec<String>) {
    let read = root.tables("upstream", |section, _| {
        let name = unique::<Label>(section, "name");
        let upstream = upstream(section, folder, name.clone());
        let own = upstream.as_ref().and_then(|one| bound.iter().find(|own| leads_to(one, own)));
        if let Some(own) = own {
            let (key, place) = (&own.key, notebook.name(own.value.place));
            section.mistake(
                "address",
                format!(
                    "is {key} ({place}), this gateway's own: each request would come back to it; \
                     write where the practices or the next proxy are"
                ),
            );
        }
        (name, upstream)
    });
    let (names, upstreams): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    let names: Vec<_> = names.into_iter().flatten().collect();
    distinct(&names, notebook, |a, b| a == b, "give each upstream a name of its own");
    let names = names.into_iter().map(|name| name.value.value.to_string()).collect();
    (upstreams.into_iter().flatten().collect(), names)
}

/// Whether an upstream is what we ourselves listen at.
fn leads_to(upstream: &Upstream, own: &Unique<SocketAddr>) -> bool {
    let own = own.value.value;
    upstream.address.as_str().parse::<SocketAddr>().is_ok_and(|there| {
        let here = own.ip() == there.ip() || own.ip().is_unspecified() && there.ip().is_loopback();
        here && own.port() == there.port() && own.port() != 0
    })
}

fn upstream(section: &Section<'_>, folder: &Path, name: Option<Unique<Label>>) -> Option<Upstream> {
    let address = section.text::<UpstreamAddress>("address").map(|address| address.value);
    let connection = section.word("connection", |word| match word {
        "direct" => Some(Connection::Direct),
        "proxy" => Some(Connection::Proxy),
        _ => None,
    });
    let tls = if section.has("tls") {
        if section.flag("insecure_plain_http").is_some() {
            section.mistake("insecure_plain_http", "stands beside tls; keep one of the two");
        }
        let read =
            |section: &Section<'_>| upstream_tls(section, folder, address.as_ref(), connection);
        Some(Box::new(section.table("tls", read).flatten()?))
    } else {
        section.consent("insecure_plain_http")?;
        section.warn(
            "insecure_plain_http",
            "INSECURE: plain HTTP to this upstream; who sits between can read and change patient data",
        );
        None
    };
    let name = name?.value.value.to_string();
    Some(Upstream { name, address: address?, connection: connection?, tls })
}

/// An interaction besides those of 1.2.7.
struct Neighbour(InteractionId);

/// Why a text was refused as a [`Neighbour`].
#[derive(thiserror::Error, Debug)]
enum NotANeighbour {
    #[error("expected the id of an interaction, as in \"documents:fhir:rest:read:binary-1\"")]
    Unknown,
    #[error("is of GP Connect 1.2.7 and always carried; leave it out")]
    Of127,
}

impl FromStr for Neighbour {
    type Err = NotANeighbour;

    fn from_str(text: &str) -> Result<Self, NotANeighbour> {
        let id = InteractionId::from_name(text).ok_or(NotANeighbour::Unknown)?;
        (!id.row().in_1_2_7).then_some(Self(id)).ok_or(NotANeighbour::Of127)
    }
}

fn carried(section: &Section<'_>) -> InteractionSet {
    let also = section.list::<Neighbour>("also").unwrap_or_default();
    let also = also.into_iter().map(|located| located.value.0);
    InteractionSet::of_1_2_7().iter().chain(also).collect()
}

fn wording(section: &Section<'_>) -> Option<Wording> {
    let bearer_errors = section.word("bearer_errors", |word| match word {
        "gpconnect" => Some(BearerErrors::GpConnect),
        "rfc6750" => Some(BearerErrors::Rfc6750),
        _ => None,
    });
    let coding_system = section.word("error_coding_system", |word| match word {
        "valueset" => Some(CodingSystem::ValueSet),
        "codesystem" => Some(CodingSystem::CodeSystem),
        _ => None,
    });
    Some(Wording { bearer_errors: bearer_errors?, coding_system: coding_system? })
}

fn limits(section: &Section<'_>) -> Option<Limits> {
    let head_bytes = section.number("head_bytes");
    let headers = section.number("headers");
    let target_bytes = section.number("target_bytes");
    let body_bytes = section.number("body_bytes");
    let token_bytes = section.number("token_bytes");
    let connections = section.number("connections");
    let in_flight = section.number("in_flight");
    Some(Limits {
        head_bytes: head_bytes?,
        headers: headers?,
        target_bytes: target_bytes?,
        body_bytes: body_bytes?,
        token_bytes: token_bytes?,
        connections: connections?,
        in_flight: in_flight?,
    })
}

fn timeouts(section: &Section<'_>) -> Option<Timeouts> {
    let handshake = section.time("handshake");
    let head = section.time("head");
    let body = section.time("body");
    let idle = section.time("idle");
    let connect = section.time("connect");
    let query = section.time("query");
    let command = section.time("command");
    let consumer_stall = section.time("consumer_stall");
    let exchange = section.time("exchange");
    let upstream_idle = section.time("upstream_idle");
    Some(Timeouts {
        handshake: handshake?,
        head: head?,
        body: body?,
        idle: idle?,
        connect: connect?,
        query: query?,
        command: command?,
        consumer_stall: consumer_stall?,
        exchange: exchange?,
        upstream_idle: upstream_idle?,
    })
}

/// Without the section nothing is kept.
fn cache(section: &Section<'_>, is_there: bool) -> Option<Cache> {
    let enabled = section.flag("enabled");
    let bytes = section.number("bytes");
    let entry_bytes = section.number("entry_bytes");
    let lifetime = |[fresh, stale, failing]: [&str; 3]| {
        let (fresh, stale) = (section.time(fresh), section.time(stale));
        let failing = section.time(failing);
        Some(Lifetime::new(fresh?, stale?, failing?))
    };
    let statement = lifetime(["statement_fresh", "statement_stale", "statement_if_error"]);
    let organisation =
        lifetime(["organisation_fresh", "organisation_stale", "organisation_if_error"]);
    let search = lifetime(["search_fresh", "search_stale", "search_if_error"]);
    let empty = section.time("search_empty");
    Some(Cache {
        enabled: enabled? && is_there,
        bytes: bytes?,
        entry_bytes: entry_bytes?,
        statement: statement?,
        organisation: organisation?,
        search: search?,
        empty: empty?,
    })
}

fn log(section: &Section<'_>, folder: &Path) -> Option<Log> {
    let file = section.text::<FileName>("file").map(|file| folder.join(file.value.0));
    let format = section.word("format", |word| match word {
        "auto" => Some(LogFormat::Auto),
        "json" => Some(LogFormat::Json),
        "logfmt" => Some(LogFormat::Logfmt),
        "human" => Some(LogFormat::Human),
        _ => None,
    });
    Some(Log { format: format?, file })
}

fn audit(section: &Section<'_>, folder: &Path, notebook: &Notebook) -> Option<Audit> {
    let file = |name: &str| section.text::<FileName>(name).map(|file| folder.join(file.value.0));
    let directory = file("directory");
    let signing_key = file("signing_key");
    let search_key = file("search_key");
    let recipients = file("recipients");
    let checkpoints = section.list::<FileName>("checkpoints").unwrap_or_default();
    let witnesses = witnesses(section, folder, notebook);
    let log_checkpoints = section.flag("log_checkpoints");
    let segment_bytes = section.number("segment_bytes");
    let segment_age = section.time("segment_age");
    let reserve_bytes = section.number("reserve_bytes");
    let keep = section.time("keep");
    let keep_bytes = section.number("keep_bytes");
    Some(Audit {
        directory: directory?,
        signing_key: signing_key?,
        search_key: search_key?,
        recipients: recipients?,
        checkpoints: checkpoints.into_iter().map(|place| folder.join(place.value.0)).collect(),
        witnesses: witnesses?,
        log_checkpoints: log_checkpoints?,
        segment_bytes: segment_bytes?,
        segment_age: segment_age?,
        reserve_bytes: reserve_bytes?,
        keep,
        keep_bytes,
    })
}
