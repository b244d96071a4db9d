//! Where checkpoints go: beside the journal, and to places that leave this machine. A thread of its
//! own writes them, because a disk of another machine may hang, and the journal must not.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
};

use tracing::{info, warn};

use super::segment;
use crate::{config::Audit, telemetry::Telemetry};

/// Checkpoints that may wait. One that finds no room is left out: the next one says more.
const ROOM: usize = 8;

/// A signed checkpoint on its way.
struct Sheet {
    epoch: u64,
    /// Its place in the order of all that this process signed.
    number: u64,
    note: String,
}

/// The thread that publishes.
pub(super) struct Witness {
    sheets: Option<SyncSender<Sheet>>,
    thread: Option<JoinHandle<()>>,
    signed: u64,
    witnessed: Arc<AtomicU64>,
}

impl Witness {
    pub(super) fn start(settings: &Audit, telemetry: Arc<Telemetry>) -> io::Result<Self> {
        let (sheets, receiver) = mpsc::sync_channel(ROOM);
        let witnessed = Arc::new(AtomicU64::new(0));
        let publisher = Publisher {
            local: settings.directory.clone(),
            foreign: settings.checkpoints.clone(),
            logged: settings.log_checkpoints,
            witnessed: Arc::clone(&witnessed),
            telemetry,
            failing: [false; 2],
        };
        let thread = thread::Builder::new()
            .name("audit checkpoints".into())
            .spawn(move || publisher.run(&receiver))?;
        Ok(Self { sheets: Some(sheets), thread: Some(thread), signed: 0, witnessed })
    }

    /// Sends a signed checkpoint on its way; false when too many wait.
    pub(super) fn publish(&mut self, epoch: u64, note: String) -> bool {
        let sheet = Sheet { epoch, number: self.signed + 1, note };
        let sent = self.sheets.as_ref().is_some_and(|sheets| sheets.try_send(sheet).is_ok());
        self.signed += u64::from(sent);
        sent
    }

    /// Whether all that was signed has left this machine.
    pub(super) fn is_level(&self) -> bool {
        self.witnessed.load(Ordering::Acquire) >= self.signed
    }

    /// Waits until what was sent is published.
    pub(super) fn finish(&mut self) {
        self.sheets = None;
        // A panic of the thread was reported by the panic hook already.
        self.thread.take().map(JoinHandle::join).transpose().unwrap_or_default();
    }
}

struct Publisher {
    local: PathBuf,
    foreign: Option<PathBuf>,
    logged: bool,
    witnessed: Arc<AtomicU64>,
    telemetry: Arc<Telemetry>,
    /// Whether each of the two places failed last time: told once.
    failing: [bool; 2],
}

impl Publisher {
    fn run(mut self, sheets: &Receiver<Sheet>) {
        while let Ok(sheet) = sheets.recv() {
            let local = append(&self.local, &sheet);
            self.tell(0, "local", &self.local.clone(), local);
            let mut witnessed = false;
            if let Some(foreign) = self.foreign.clone() {
                let written = append(&foreign, &sheet);
                witnessed |= written.is_ok();
                self.tell(1, "foreign", &foreign, written);
            }
            if self.logged {
                let checkpoint = sheet.note.trim_end();
                info!(checkpoint, "audit checkpoint");
                witnessed = true;
            }
            if witnessed {
                self.witnessed.store(sheet.number, Ordering::Release);
            }
        }
    }

    fn tell(&mut self, place: usize, word: &str, folder: &Path, written: io::Result<()>) {
        let failing = self.failing.get_mut(place);
        let before = failing.map(|failing| std::mem::replace(failing, written.is_err()));
        if let Err(fault) = written {
            self.telemetry.metrics.audit.unpublished.with_label_values(&[word]).inc();
            if before == Some(false) {
                let folder = folder.display();
                warn!(%folder, %fault, "audit checkpoints can't be written there");
            }
        }
    }
}

fn append(folder: &Path, sheet: &Sheet) -> io::Result<()> {
    let path = folder.join(segment::checkpoints_name(sheet.epoch));
    let is_new = !fs::exists(&path)?;
    let mut file = File::options().append(true).create(true).mode(0o600).open(&path)?;
    file.write_all(format!("{}\n", sheet.note).as_bytes())?;
    file.sync_data()?;
    if is_new { File::open(folder)?.sync_all() } else { Ok(()) }
}
