//! The keys of one issuer, and their renewal.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use openssl::ssl::SslConnector;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};
use tracing::{error, info, warn};

use super::{fetch::fetch, key_set::KeySet};
use crate::{
    config::{IssuerSettings, KeySource, KeysUrl, TlsFile, read_bytes},
    https::{ClientFiles, LIMIT, NoTls, connector},
    telemetry::IssuerMetrics,
    tls::{Expiry, Fault, Material, Renewable, Renewal},
};

/// How often a file is looked at: what changed is in use well within five seconds.
const LOOK: Duration = Duration::from_secs(1);

/// Between two fetches lies at least so much, whatever tokens name: also the wait after one that
/// failed.
const LEAST: Duration = Duration::from_secs(30);

/// The keys of one issuer.
pub struct Keys {
    name: String,
    source: KeySource,
    store: Store,
}

enum Store {
    File(Renewable<KeySet>),
    Url(Fetched),
}

/// Keys that are fetched.
struct Fetched {
    url: KeysUrl,
    connector: SslConnector,
    refresh: Duration,
    keys: ArcSwapOption<KeySet>,
    /// A token asks for it: it names a key that is not there.
    wanted: Notify,
    rounds: watch::Sender<Round>,
}

/// The fetch under way, or the last one.
#[derive(Clone, Copy, Default)]
struct Round {
    begun: Option<Instant>,
    /// How many have ended.
    ended: u64,
    running: bool,
}

impl Round {
    /// Whether a token may have keys fetched now, or wait for those that are being fetched.
    fn is_open(&self) -> bool {
        self.running || self.begun.is_none_or(|begun| begun.elapsed() >= LEAST)
    }
}

impl Material for KeySet {
    type Settings = TlsFile;

    fn files(file: &TlsFile) -> Vec<&TlsFile> {
        vec![file]
    }

    fn load(file: &TlsFile) -> Result<Self, Vec<Fault>> {
        let fault = |problem| vec![Fault { file: file.clone(), problem }];
        let bytes = read_bytes(&file.path).map_err(fault)?;
        Self::read(&bytes).map_err(|problem| fault(problem.to_string()))
    }

    fn expiries(&self) -> &[Expiry] {
        &[]
    }
}

impl Keys {
    /// Opens the files. What is to be fetched is not there yet.
    pub(super) fn open(settings: &IssuerSettings) -> Result<Self, Vec<Fault>> {
        let store = match &settings.keys {
            KeySource::File(file) => Store::File(Renewable::open(file.clone())?),
            KeySource::Url { url, written, authorities, refresh } => {
                Store::Url(Fetched::new(url, authorities.as_ref(), *refresh, written)?)
            }
        };
        let name = settings.issuer.name.clone();
        Ok(Self { name, source: settings.keys.clone(), store })
    }

    /// The issuer's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether they are of the same issuer and come from the same place.
    pub(super) fn are_like(&self, other: &Self) -> bool {
        self.name == other.name && self.source.is_like(&other.source)
    }

    pub(super) fn current(&self) -> Option<Arc<KeySet>> {
        match &self.store {
            Store::File(file) => Some(file.current()),
            Store::Url(fetched) => fetched.keys.load_full(),
        }
    }

    /// What is wrong with single keys of a file.
    pub fn passed_over(&self) -> Vec<(TlsFile, String)> {
        match (&self.source, self.current()) {
            (KeySource::File(file), Some(keys)) => {
                keys.passed_over.iter().map(|one| (file.clone(), one.clone())).collect()
            }
            (KeySource::File(_) | KeySource::Url { .. }, _) => Vec::new(),
        }
    }

    /// Has the keys fetched and waits for them. False when they were fetched a short while ago, or
    /// come from a file.
    pub(super) async fn fetched_anew(&self) -> bool {
        let Store::Url(fetched) = &self.store else { return false };
        let mut rounds = fetched.rounds.subscribe();
        let now = *rounds.borrow_and_update();
        if !now.is_open() {
            return false;
        }
        fetched.wanted.notify_one();
        let ended = rounds.wait_for(|round| round.ended > now.ended);
        matches!(timeout(LIMIT + LOOK, ended).await, Ok(Ok(_)))
    }

    /// Renews the keys for as long as it is polled.
    pub async fn keep(&self, metrics: &IssuerMetrics) {
        match &self.store {
            Store::File(file) => {
                // Those that were there at the start count too.
                self.tell(&file.current(), metrics);
                loop {
                    self.look(file, metrics);
                    sleep(LOOK).await;
                }
            }
            Store::Url(fetched) => loop {
                let good = self.fetch(fetched, metrics).await;
                let next = if good { fetched.refresh } else { LEAST };
                tokio::select! {
                    () = sleep(next) => {}
                    () = fetched.wanted_again() => {}
                }
            },
        }
    }

    fn look(&self, file: &Renewable<KeySet>, metrics: &IssuerMetrics) {
        match file.renew() {
            Renewal::Unchanged => {}
            Renewal::Renewed => self.tell(&file.current(), metrics),
            Renewal::Refused(faults) => {
                for fault in faults {
                    error!(issuer = self.name, "keys refused, what was in use stays: {fault}");
                }
                metrics.failed(&self.name);
            }
        }
    }

    async fn fetch(&self, fetched: &Fetched, metrics: &IssuerMetrics) -> bool {
        fetched.rounds.send_modify(|round| {
            *round = Round { begun: Some(Instant::now()), running: true, ..*round };
        });
        let result = fetch(&fetched.url, &fetched.connector).await;
        let good = match result {
            Ok(keys) => {
                let keys = Arc::new(keys);
                fetched.keys.store(Some(Arc::clone(&keys)));
                self.tell(&keys, metrics);
                true
            }
            Err(why) => {
                let url = &fetched.url;
                let has_keys = fetched.keys.load().is_some();
                let instead = if has_keys { "the last good ones stay" } else { "there are none" };
                error!(issuer = self.name, %url, "keys not fetched, {instead}: {why}");
                metrics.failed(&self.name);
                false
            }
        };
        fetched.rounds.send_modify(|round| {
            *round = Round { running: false, ended: round.ended + 1, ..*round };
        });
        good
    }

    fn tell(&self, keys: &KeySet, metrics: &IssuerMetrics) {
        info!(issuer = self.name, keys = keys.len(), "keys renewed");
        for one in &keys.passed_over {
            warn!(issuer = self.name, "key passed over: {one}");
        }
        metrics.renewed(&self.name, SystemTime::now());
    }
}

impl Fetched {
    fn new(
        url: &KeysUrl,
        authorities: Option<&TlsFile>,
        refresh: Duration,
        at: &TlsFile,
    ) -> Result<Self, Vec<Fault>> {
        let files = ClientFiles {
            authorities: authorities.map(|file| file.path.clone()),
            ..ClientFiles::default()
        };
        let connector = connector(&files).map_err(|error| {
            let problem = match error {
                NoTls::File { problem, .. } => problem,
                NoTls::Unusable(error) => format!("can't be used: {error}"),
            };
            vec![Fault { file: authorities.unwrap_or(at).clone(), problem }]
        })?;
        Ok(Self {
            url: url.clone(),
            connector,
            refresh,
            keys: ArcSwapOption::empty(),
            wanted: Notify::new(),
            rounds: watch::Sender::new(Round::default()),
        })
    }

    /// Ends when a token asks for keys and they may be fetched again.
    async fn wanted_again(&self) {
        loop {
            self.wanted.notified().await;
            if self.rounds.borrow().is_open() {
                return;
            }
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Keys({}, {:?})", self.name, self.source)
    }
}
