//! From files and environment to a snapshot, or to everything that is wrong with them.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use gpconnect::{interaction::InteractionSet, names::Asid, policy::Policy};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Serialize;

use super::{
    Access, Bound, Entrance, Identity, Snapshot, Startup,
    secure::{self, Opened, Secure},
    tokens::Tokens,
};
use crate::{
    config::{
        self, Document, Environment, Known, Listener, Mistakes, Notebook, Settings, Warnings,
        read_file,
    },
    directory::Directory,
    issuers::Issuers,
};

/// What there is to say of a configuration.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What keeps it from being used.
    pub mistakes: Mistakes,
    /// What should be known of it.
    pub warnings: Warnings,
    /// The snapshot, when there are no mistakes.
    #[serde(skip)]
    pub snapshot: Option<Snapshot>,
}

/// Reads gateway.toml at `path`, the files that it names, and `environment`; checks all of it.
pub fn check(path: &Path, environment: &Environment) -> Check {
    check_on(Timestamp::now().to_zoned(TimeZone::UTC).date(), path, environment)
}

/// As [`check`], as if it were `today` in UTC.
pub(crate) fn check_on(today: Date, path: &Path, environment: &Environment) -> Check {
    let notebook = Notebook::default();
    let snapshot = load(path, environment, today, &notebook).filter(|_| notebook.is_clean());
    let (mistakes, warnings) = notebook.into_findings();
    Check { mistakes, warnings, snapshot }
}

impl Snapshot {
    /// Builds the first snapshot from gateway.toml at `path`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in any of the files or in the environment.
    pub fn load(path: &Path, environment: &Environment) -> Result<(Self, Warnings), Mistakes> {
        let Check { mistakes, warnings, snapshot } = check(path, environment);
        snapshot.map(|snapshot| (snapshot, warnings)).ok_or(mistakes)
    }
}

fn load(
    path: &Path,
    environment: &Environment,
    today: Date,
    notebook: &Notebook,
) -> Option<Snapshot> {
    let text = read_file(path)
        .map_err(|problem| notebook.unreadable_file(path.display().to_string(), problem))
        .ok()?;
    let document = Document::parse(&path.display().to_string(), &text, notebook);
    let folder = path.parent().unwrap_or(Path::new(""));
    let (settings, known) = config::read(document, environment, folder, notebook);
    let directory = directory(&known, today, notebook);
    let files = known.files.into_iter().map(|file| file.value);
    let sources = [path.to_path_buf()].into_iter().chain(files).collect();
    let settings = settings?;
    let secure = secure::open(&settings, notebook);
    let issuers = secure::issuers(&settings, notebook);
    let tokens = secure::tokens(&settings, notebook);
    secure::collector(&settings, notebook)?;
    Some(build(settings, secure?, (issuers?, tokens?), directory, known.carried, sources))
}

fn directory(known: &Known, today: Date, notebook: &Notebook) -> Directory {
    let texts: Vec<_> = known
        .files
        .iter()
        .filter_map(|file| {
            let name = file.value.display();
            let note = |problem| {
                let key = format!("directory.files[{}]", file.position);
                notebook.mistake(file.place, key, format!("{name} {problem}"));
            };
            read_file(&file.value).map_err(note).ok().map(|text| (name.to_string(), text))
        })
        .collect();
    let documents: Vec<_> =
        texts.iter().map(|(name, text)| Document::parse(name, text, notebook)).collect();
    Directory::read(&documents, texts.len() == known.files.len(), known, today, notebook)
}

fn build(
    settings: Settings,
    secure: Secure,
    (issuers, tokens): (Issuers, Tokens),
    directory: Directory,
    carried: InteractionSet,
    sources: Vec<PathBuf>,
) -> Snapshot {
    // The agreements are only counted out here, not held: they may be millions.
    let Directory { organisations, practices, consumers, agreements } = directory;
    let agreements = agreements.pairs(&organisations);
    let policy = Policy::new(practices, consumers, agreements, carried)
        .with_nhs_numbers_checked(settings.check_nhs_numbers)
        .with_issuers(settings.issuers.into_iter().map(|one| one.issuer).collect());
    let identity = settings.identity.and_then(|own| Identity::new(own, &policy, &organisations));
    let listeners = &settings.listeners;
    Snapshot {
        generation: 1,
        listeners: listeners
            .iter()
            .zip(secure.listeners)
            .map(|(one, tls)| entrance(one, tls, &policy))
            .collect(),
        startup: Startup {
            server: settings.server,
            listeners: listeners.iter().map(bound).collect(),
            observe: settings.observe,
            admin: settings.admin,
            log: settings.log,
            audit: settings.audit,
            cache_bytes: settings.cache.bytes,
            collector: settings.traces.collector,
        },
        policy,
        tokens,
        upstreams: settings.upstreams,
        upstream_tls: secure.upstreams,
        issuers,
        wording: settings.wording,
        limits: settings.limits,
        timeouts: settings.timeouts,
        cache: settings.cache,
        identity,
        sampling: settings.traces.sampling,
        organisations,
        loaded_at: SystemTime::now(),
        sources,
    }
}

fn bound(listener: &Listener) -> Bound {
    let secure = !matches!(listener.access, config::Access::InsecureEveryoneIs(_));
    let behind_terminator = matches!(listener.access, config::Access::BehindTerminator(_));
    let (name, address) = (listener.name.clone(), listener.address.clone());
    Bound { name, address, secure, behind_terminator }
}

fn entrance(listener: &Listener, tls: Option<Opened>, policy: &Policy) -> Entrance {
    let index = |asid: &Asid| policy.find_consumer(*asid).map(|(index, _)| index);
    let everyone = match &listener.access {
        config::Access::InsecureEveryoneIs(asids) => asids.iter().filter_map(index).collect(),
        config::Access::Tls(_) | config::Access::BehindTerminator(_) => Vec::new(),
    };
    Entrance {
        name: listener.name.clone(),
        server_names: listener.server_names.clone(),
        access: match tls {
            Some(Opened::Tls(tls)) => Access::Tls(tls),
            Some(Opened::Terminator(tls)) => Access::BehindTerminator(tls),
            None => Access::InsecureEveryoneIs(everyone),
        },
    }
}
