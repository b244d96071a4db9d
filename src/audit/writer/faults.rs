//! What happens when the journal can't be written any further: its epoch ends, requests are refused, and
//! another epoch begins as soon as it can.

use std::{
    io,
    time::{Duration, Instant},
};

use tracing::{error, info};

use super::{State, Writer};
use crate::audit::{
    checkpoint::Checkpoint,
    epoch::{Epoch, Start},
    home::Home,
    place::Place,
    recovery,
    reserve::is_full,
    segment::{self, End, Previous},
    tree::Edge,
};

/// How often it is tried whether the journal can be written again.
pub(super) const AGAIN: Duration = Duration::from_millis(200);
/// How often it is looked whether its files are still there.
const OFTEN: Duration = Duration::from_millis(200);

/// How the journal stands with its folder, and with requests.
pub(super) struct Standing {
    home: Home,
    /// When its files were looked at.
    looked: Option<Instant>,
    /// Whether it was told that requests are refused.
    is_refusing: bool,
    /// Whether it was told that another folder is in its place.
    is_away: bool,
}

impl Standing {
    pub(super) const fn new(home: Home) -> Self {
        Self { home, looked: None, is_refusing: false, is_away: false }
    }
}

impl Writer {
    /// Looks whether the files that are written are those that others see: who removes a file, or
    /// puts another folder in its place, does not disturb whoever has it open.
    pub(super) fn watch(&mut self, now: Instant) {
        if self.standing.looked.is_some_and(|at| now.duration_since(at) < OFTEN) {
            return;
        }
        self.standing.looked = Some(now);
        let State::Open(epoch) = &self.state else { return };
        if let Err(fault) = epoch.look() {
            let durable = epoch.tree().clone();
            self.fail(&durable, &fault);
        } else {
            self.beside.reserve.look();
        }
    }

    /// Ends the epoch at its last durable record. On a full disk another begins in the reserve.
    pub(super) fn fail(&mut self, durable: &Edge, fault: &io::Error) {
        let State::Open(epoch) = &self.state else { return };
        let number = epoch.number();
        let previous = Previous::of(number, End::Failed, durable, Some(fault.to_string()));
        self.sign(&Checkpoint::of(number, durable));
        let now = Instant::now();
        self.state =
            State::Broken { next: number + 1, previous: vec![previous], again: now + AGAIN };
        self.refuse(fault);
        if !is_full(fault) || !self.beside.reserve.is_held() || self.begin(true).is_err() {
            self.beside.reserve.let_go();
            return;
        }
        self.resting_since = Some(now);
        self.is_full(fault, now);
    }

    /// Has no request let pass.
    pub(super) fn refuse(&mut self, fault: &io::Error) {
        self.health.audit(false);
        self.telemetry.metrics.audit.writable.set(0);
        if std::mem::replace(&mut self.standing.is_refusing, true) {
            return;
        }
        self.telemetry.metrics.audit.faults.inc();
        let folder = self.settings.directory.display();
        if is_full(fault) {
            let needed = self.beside.reserve.size();
            error!(
                %folder,
                %fault,
                needed,
                "the disk of the audit journal is full, requests are refused until so many bytes are \
                 free: remove what else is on it, or enlarge it"
            );
        } else {
            error!(%folder, %fault, "audit journal can't be written, requests are refused");
        }
    }

    /// Has requests let pass again.
    pub(super) fn let_pass(&mut self) {
        if std::mem::take(&mut self.standing.is_refusing) {
            self.standing.is_away = false;
            info!("audit journal can be written again");
            self.health.audit(true);
            self.telemetry.metrics.audit.writable.set(1);
        }
    }

    /// Tries to begin a new epoch.
    pub(super) fn resume(&mut self, now: Instant) {
        let State::Broken { next, again, .. } = &self.state else { return };
        if now < *again {
            return;
        }
        let is_there = self.standing.home.is_there(next.saturating_sub(1));
        if matches!(is_there, Ok(true)) && self.begin_anywhere().is_ok() {
            self.standing.home.settle();
            self.resting_since = (!self.batch.is_empty()).then_some(now);
            return;
        }
        let is_away = match is_there {
            Ok(is_there) => !is_there,
            Err(fault) => fault.kind() == io::ErrorKind::NotFound,
        };
        if is_away && !std::mem::replace(&mut self.standing.is_away, true) {
            let folder = self.settings.directory.display();
            error!(
                %folder,
                "the audit journal is gone from its folder: mount its disk, or put the folder back; \
                 who wants to begin a new journal there starts the gateway again"
            );
        }
        if let State::Broken { again, .. } = &mut self.state {
            *again = now + AGAIN;
        }
    }

    /// Begins a new epoch; where there is no room, in a reserve that was let go.
    fn begin_anywhere(&mut self) -> io::Result<()> {
        let begun = self.begin(false).or_else(|fault| {
            if is_full(&fault) && self.beside.reserve.hold().is_ok() {
                return self.begin(true);
            }
            Err(fault)
        });
        begun.inspect_err(|_| self.beside.reserve.let_go())
    }

    /// Begins a new epoch, in the reserve if that is to be spent.
    fn begin(&mut self, spends: bool) -> io::Result<()> {
        let State::Broken { next, previous, .. } = &mut self.state else { return Ok(()) };
        let folder = &self.settings.directory;
        let mut number = *next;
        let begun = loop {
            // Another gateway may have begun one meanwhile, which says itself how it ends.
            number = segment::list(folder)
                .and_then(|epochs| recovery::next_epoch(folder, &epochs))
                .map_or(number, |free| free.max(number));
            let begun = Epoch::begin(Start {
                folder: folder.clone(),
                number,
                recipients: &self.keys.recipients,
                previous: previous.clone(),
                open: self.open.values().copied().collect(),
                removed: self.removed,
                reserve: spends.then_some(&mut self.beside.reserve),
            });
            match begun {
                Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => number += 1,
                begun => break begun,
            }
        };
        match begun {
            Ok(epoch) => {
                if spends {
                    self.beside.reserve.become_checkpoints(number);
                }
                self.state = State::Open(Box::new(epoch));
                self.beside.sealer.wake();
                Ok(())
            }
            Err(fault) => {
                // What was left of a file is named, so that nobody takes it for a lost epoch.
                let path = segment::name(Place { epoch: number, seq: 0 });
                if folder.join(path).exists() {
                    let nothing = Edge::default();
                    previous.push(Previous::of(number, End::Failed, &nothing, None));
                    *next = number + 1;
                }
                Err(fault)
            }
        }
    }
}
