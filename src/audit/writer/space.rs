//! How much room the journal has. Less and less of it shows in a metric; where it becomes scarce, refusals
//! are only counted; where there is none, requests are refused, and the reserve takes the ends of those that are
//! under way. They are let pass again when there is room for another reserve.

use std::{
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use super::{State, Writer, faults::AGAIN};
use crate::audit::{
    queue::Entry,
    record,
    reserve::{is_full, is_of_reserve},
};

/// How often the space that is left is looked at.
const OFTEN: Duration = Duration::from_secs(5);
/// Below this share of free space, in percent, refusals are only counted.
const SCARCE: u64 = 20;

/// What the writer knows of its room.
#[derive(Default)]
pub(super) struct Space {
    /// Whether refusals are only counted.
    pub(super) is_scarce: bool,
    /// Whether it is on record that the disk is full.
    is_full: bool,
    /// When a reserve can be tried again.
    again: Option<Instant>,
    measured: Option<Instant>,
}

impl Writer {
    /// Whether requests may be let pass: there is an epoch to write, and room for how they end.
    pub(super) const fn lets_pass(&self) -> bool {
        matches!(self.state, State::Open(_)) && self.beside.reserve.is_held()
    }

    /// Sees to it that there is a reserve, and has requests let pass when there is.
    pub(super) fn replenish(&mut self, now: Instant) {
        if !matches!(self.state, State::Open(_)) {
            return;
        }
        if !self.beside.reserve.is_held() {
            if self.space.again.is_some_and(|again| now < again) {
                return;
            }
            self.space.again = Some(now + AGAIN);
            if let Err(fault) = self.beside.reserve.hold() {
                if is_full(&fault) {
                    self.is_full(&fault, now);
                }
                self.refuse(&fault);
                return;
            }
        }
        if !self.lets_pass() {
            return;
        }
        if std::mem::take(&mut self.space.is_full) {
            let body = record::event("there is room again, requests are let pass");
            self.add(Entry::Event { kind: "disk_room", body, durable: None }, now);
        }
        self.let_pass();
    }

    /// Puts down that the disk is full, once.
    pub(super) fn is_full(&mut self, fault: &io::Error, now: Instant) {
        if std::mem::replace(&mut self.space.is_full, true) {
            return;
        }
        self.space.again = Some(now + AGAIN);
        let body = record::event(&format!("requests are refused, there is no room: {fault}"));
        self.add(Entry::Event { kind: "disk_full", body, durable: None }, now);
    }

    /// Measures the room that is left.
    pub(super) fn measure(&mut self, now: Instant) {
        if self.space.measured.is_some_and(|at| now.duration_since(at) < OFTEN) {
            return;
        }
        let Some(free) = free_percent(&self.settings.directory) else { return };
        self.space.measured = Some(now);
        self.space.is_scarce = free < SCARCE;
        self.telemetry.metrics.audit.free.set(free.try_into().unwrap_or(100));
    }
}

/// How much of its space a journal has left, in percent: its space is what it has taken, and what
/// is still free. The reserve is neither.
fn free_percent(folder: &Path) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(folder).ok()?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    let is_taken = |entry: &fs::DirEntry| !entry.file_name().to_str().is_some_and(is_of_reserve);
    let size = |entry: fs::DirEntry| entry.metadata().map_or(0, |about| about.len());
    let taken: u64 = fs::read_dir(folder).ok()?.flatten().filter(is_taken).map(size).sum();
    Some(free.saturating_mul(100) / taken.saturating_add(free).max(1))
}
