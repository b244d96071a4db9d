//! The journal of every access: no request reaches a provider unless its intent is on disk, and no
//! record can be removed or changed without that showing. It has no switch.
//!
//! A request's own thread encodes its [`record`] and puts it into the [`queue`]; the one thread of
//! the [`writer`] gives records their place in an [`epoch`] and makes them durable together. An epoch
//! is a tree ([`tree`]) over lines in files ([`segment`], [`lines`]), of which signed [`checkpoint`]s
//! leave the machine ([`witness`]). Room for the ends of requests is kept when the disk is full ([`reserve`]). Closed segments are compressed ([`seal`]), and removed when they
//! are not to be kept ([`retention`]). [`verify`] needs nothing but the files and a public key. What a
//! caller wrote is encrypted with a key that only others can open ([`age`]); [`keys`] are files.
//!
//! `docs/audit.md` describes the format and what it holds against whom.

pub mod age;
mod call;
pub mod checkpoint;
mod epoch;
mod home;
pub mod keys;
pub mod lines;
pub mod note;
mod place;
mod publish;
mod queue;
pub mod read;
pub mod record;
mod recovery;
mod refusals;
mod reserve;
mod retention;
mod seal;
mod sealed;
pub mod search;
pub mod segment;
pub mod signpost;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod verify;
mod waking;
mod witness;
mod writer;

use std::{
    fmt, fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use arc_swap::ArcSwap;
use gpconnect::{names::Asid, patients::Known};
use tokio::{runtime::Handle, sync::oneshot};
use tracing::{error, info};

pub use call::{Call, Stranger};
pub use place::{NotAPlace, Place};
pub use publish::faults as faults_of_witnesses;

use crate::{
    config::Audit,
    telemetry::{Health, Record, Telemetry},
};
use epoch::{Epoch, Start};
use keys::{KeyFault, Keys};
use queue::{Entry, Queue};
use record::{Certificate, Request};
use recovery::Found;
use refusals::{Caller, Flooding};
use reserve::Reserve;
use retention::Rule;
use seal::Sealer;
use segment::{End, Previous};
use witness::Witness;
use writer::{Beside, Writer};

/// Why there is no journal, and therefore no gateway.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// Its folder can't be written.
    #[error("audit.directory: {}: {fault}; the journal must be writable", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        fault: io::Error,
    },
    /// A key can't be used.
    #[error("{}", keys(.0))]
    Keys(Vec<KeyFault>),
    /// The system has no threads to give.
    #[error("can't start threads: {0}")]
    Threads(io::Error),
}

fn keys(faults: &[KeyFault]) -> String {
    let lines = faults.iter().map(|fault| format!("{}: {fault}", fault.key));
    lines.collect::<Vec<_>>().join("\n")
}

/// The journal at work.
pub struct Journal {
    queue: Arc<Queue>,
    keys: Arc<ArcSwap<Keys>>,
    flooding: Flooding,
    /// The epoch that it began with.
    first_epoch: u64,
    tickets: AtomicU64,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Journal({} waiting)", self.queue.len())
    }
}

/// An intent: whoever has one owes its outcome.
#[derive(Debug)]
pub struct Ticket(u64);

/// Tells whether an intent is durable.
#[derive(Debug)]
pub struct Durable(oneshot::Receiver<bool>);

impl Durable {
    /// Waits until the intent is durable, or can't be made so: then false.
    pub async fn wait(self) -> bool {
        self.0.await.unwrap_or(false)
    }
}

impl Journal {
    /// Opens the journal, tells what became of the epochs before, and begins a new one.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn open(
        settings: &Audit,
        keys: Keys,
        health: Arc<Health>,
        telemetry: Arc<Telemetry>,
    ) -> Result<Self, NotOpened> {
        let faults = faults_of_witnesses(settings);
        if !faults.is_empty() {
            return Err(NotOpened::Keys(faults));
        }
        let folder = &settings.directory;
        let fault = |fault| NotOpened::Folder { folder: folder.clone(), fault };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fault)?;
        let found = recovery::look(folder).map_err(fault)?;
        found.previous.iter().for_each(|previous| tell(folder, previous));
        let shown = telemetry.metrics.audit.reserve_held.clone();
        let mut reserve = Reserve::new(folder.clone(), settings.reserve_bytes as u64, shown);
        let mut epoch = begin(folder, &found, &keys, &mut reserve).map_err(fault)?;
        let first_epoch = epoch.number();
        close_open(&mut epoch, &found.open).map_err(fault)?;
        let witness = Witness::start(settings, &telemetry);
        let witness = witness.map_err(NotOpened::Threads)?;
        let keep_bytes = settings.keep_bytes.and_then(|bytes| u64::try_from(bytes).ok());
        let rule = Rule { keep: settings.keep, keep_bytes };
        let sealer = Sealer::start(folder.clone(), rule, found.removed, Arc::clone(&telemetry));
        let sealer = sealer.map_err(NotOpened::Threads)?;
        let beside = Beside { witness, sealer, reserve };
        let queue = Arc::new(Queue::new());
        let keys = Arc::new(ArcSwap::from_pointee(keys));
        let (shared, wanted) = (Arc::clone(&queue), Arc::clone(&keys));
        let mut writer =
            Writer::new(shared, settings.clone(), wanted, health, telemetry, beside, epoch);
        let flooding = writer.flooding();
        writer.removed = found.removed;
        let writer = thread::Builder::new().name("audit".into()).spawn(move || writer.run());
        let writer = Mutex::new(Some(writer.map_err(NotOpened::Threads)?));
        Ok(Self { queue, keys, flooding, first_epoch, tickets: AtomicU64::new(0), writer })
    }

    /// Names the runtime that carries requests, so that those whose intents are durable go on there
    /// without delay.
    pub fn wake_on(&self, runtime: &Handle) {
        self.queue.waking.on(runtime);
    }

    /// Puts down that a request is about to be sent. None when too much waits already.
    pub fn intend(&self, request: &Request<'_>) -> Option<(Ticket, Durable)> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let (durable, told) = oneshot::channel();
        let body = record::intent(request, &self.keys.load().search);
        let queued = self.queue.push(Entry::Intent { ticket, body, durable });
        queued.then_some((Ticket(ticket), Durable(told)))
    }

    /// Puts down how a request ended, and which patients its answer told of at that service root.
    pub fn outcome(
        &self,
        Ticket(ticket): &Ticket,
        ended: &Record<'_>,
        service_root: &str,
        known: &[Known],
    ) {
        let body = record::outcome(ended, service_root, known, &self.keys.load().search);
        if !self.queue.push(Entry::Outcome { ticket: *ticket, body }) {
            // Its intent will be found without an outcome.
            error!("audit journal has no room for an outcome");
        }
    }

    /// Puts down that a request of a known caller was refused.
    pub fn refused(&self, request: &Request<'_>, ended: &Record<'_>) {
        let caller = match (&request.consumer, &request.certificate) {
            (Some((asid, _)), _) => Caller::Consumer(*asid),
            (None, Some(certificate)) => of_certificate(certificate),
            (None, None) => Caller::from_network(request.client),
        };
        let body = record::refusal(request, ended, &self.keys.load().search);
        self.refuse(caller, ended, Some(body));
    }

    /// Whether a known caller is refused so often that its refusals are only counted: its
    /// connections are to be closed.
    pub fn is_flooded_by(
        &self,
        consumer: Option<Asid>,
        certificate: Option<&Certificate<'_>>,
    ) -> bool {
        let caller = consumer.map(Caller::Consumer).or_else(|| certificate.map(of_certificate));
        caller.is_some_and(|caller| self.flooding.load().contains(&caller))
    }

    /// Puts down a refusal before there was a request. One without a certificate is only counted.
    pub fn refused_at_front(&self, certificate: Option<Certificate<'_>>, ended: &Record<'_>) {
        match certificate {
            Some(certificate) => {
                let body = record::refusal_at_front(ended, certificate);
                self.refuse(of_certificate(&certificate), ended, Some(body));
            }
            None => self.refuse(Caller::from_network(ended.client), ended, None),
        }
    }

    fn refuse(&self, caller: Caller, ended: &Record<'_>, body: Option<record::Body>) {
        let fault = ended.fault.unwrap_or("refused");
        // Where a flood leaves no room, the metrics count it still.
        self.queue.push(Entry::Refusal { caller, fault, body });
    }

    /// Goes over to other keys, of which a record is made; nothing happens when they are the same.
    pub fn renew(&self, keys: Keys) {
        self.keys.store(Arc::new(keys));
    }

    /// Puts down what happened to the gateway itself.
    pub fn event(&self, kind: &'static str, note: &str) {
        let entry = Entry::Event { kind, body: record::event(note), durable: None };
        if !self.queue.push(entry) {
            error!(kind, note, "audit journal has no room for an event");
        }
    }

    /// Writes what waits and ends the epoch. What comes after that is not written.
    pub fn close(&self) {
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A panic of the thread was reported by the panic hook already.
        writer.map(JoinHandle::join).transpose().unwrap_or_default();
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

fn of_certificate(certificate: &Certificate<'_>) -> Caller {
    let [a, b, c, d, e, f, g, h, ..] = certificate.sha256;
    Caller::Certificate([a, b, c, d, e, f, g, h])
}

/// Tells the log how an epoch ended before this start.
fn tell(folder: &Path, previous: &Previous) {
    let (epoch, records) = (previous.epoch, previous.size.unwrap_or_default());
    let folder = folder.display();
    match previous.ended {
        End::Stopped => {}
        End::Running => info!(%folder, epoch, "another gateway is writing this epoch"),
        End::Cut | End::Failed => {
            info!(%folder, epoch, records, "audit journal had not been closed");
        }
    }
}

/// Begins an epoch; where there is no room, in the reserve that a gateway left behind.
fn begin(folder: &Path, found: &Found, keys: &Keys, reserve: &mut Reserve) -> io::Result<Epoch> {
    let start = |reserve| Start {
        folder: folder.to_owned(),
        number: found.next,
        recipients: &keys.recipients,
        previous: found.previous.clone(),
        open: found.open.iter().copied().collect(),
        removed: found.removed,
        reserve,
    };
    match Epoch::begin(start(None)) {
        Err(fault) if reserve::is_full(&fault) && reserve.hold().is_ok() => {
            let begun = Epoch::begin(start(Some(reserve)));
            begun.inspect(|epoch| reserve.become_checkpoints(epoch.number()))
        }
        begun => begun,
    }
}

/// Gives every intent that a gateway left behind its outcome: nobody knows it.
fn close_open(epoch: &mut Epoch, open: &std::collections::BTreeSet<Place>) -> io::Result<()> {
    let mut lines = Vec::new();
    for intent in open {
        epoch.encode("outcome", Some(*intent), &writer::unknown(), &mut lines)?;
    }
    if lines.is_empty() { Ok(()) } else { epoch.write(&lines) }
}
