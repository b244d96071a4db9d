//! Whether a journal is whole. It needs the files, a public key, and, against what the owner of the
//! machine could do, checkpoints that had left it; no configuration, and no running gateway.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

use super::{
    checkpoint::{Checkpoint, NotACheckpoint},
    lines::{Lines, Piece},
    note::{self, NotSigned, Verifier},
    place::Place,
    recovery,
    segment::{self, End, Line, Previous, Segment},
    tree::{self, Edge, Hash},
};

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// What is wrong; nothing when the journal is whole.
    pub faults: Vec<Fault>,
    /// What is not wrong but should be known.
    pub notes: Vec<Fault>,
    /// Records that were read.
    pub records: u64,
    /// How many of them checkpoints cover that hold.
    pub covered: u64,
    /// Checkpoints that hold.
    pub checkpoints: u64,
    /// Epochs that were read.
    pub epochs: u64,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// The first record that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// Whether they are not there, with their files: then a removal may explain it.
    #[serde(skip)]
    is_gone: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.epoch, self.from, self.to) {
            (Some(epoch), Some(from), Some(to)) if to > from => {
                write!(out, "records {epoch}/{from} to {epoch}/{to}: ")?;
            }
            (Some(epoch), Some(from), _) => write!(out, "record {epoch}/{from}: ")?,
            (Some(epoch), None, _) => write!(out, "epoch {epoch}: ")?,
            (None, ..) => {}
        }
        out.write_str(&self.what)
    }
}

fn fault(epoch: u64, records: Option<(u64, u64)>, what: impl Into<String>) -> Fault {
    let (from, to) = records.unzip();
    Fault { epoch: Some(epoch), from, to, what: what.into(), is_gone: false }
}

fn gone(epoch: u64, records: Option<(u64, u64)>, what: impl Into<String>) -> Fault {
    Fault { is_gone: true, ..fault(epoch, records, what) }
}

/// Something about no records in particular.
fn other(what: String) -> Fault {
    Fault { epoch: None, from: None, to: None, what, is_gone: false }
}

/// Checks the journal in a folder. `foreign` are texts with checkpoints that had left the machine,
/// each with a name for it.
///
/// # Errors
/// When a file can't be read.
pub fn verify(
    folder: &Path,
    keys: &[Verifier],
    foreign: &[(String, String)],
) -> io::Result<Report> {
    let mut report = Report::default();
    let mut statements = BTreeMap::<u64, Vec<Statement>>::new();
    for (name, text) in foreign {
        collect(name, text, keys, true, &mut statements, &mut report);
    }
    for number in segment::checkpoint_files(folder)? {
        let name = segment::checkpoints_name(number);
        let text = String::from_utf8_lossy(&fs::read(folder.join(&name))?).into_owned();
        collect(&name, &text, keys, false, &mut statements, &mut report);
    }
    // Read behind the checkpoints: a journal that is being written has what they cover.
    let epochs = segment::list(folder)?;
    let mut ends = BTreeMap::<u64, Previous>::new();
    for segments in epochs.values() {
        let head = segments.first().map(recovery::head_of).transpose()?.flatten();
        let told = head.into_iter().flat_map(|head| head.previous);
        ends.extend(told.filter(|told| told.ended != End::Running).map(|told| (told.epoch, told)));
    }
    let known = epochs.keys().chain(statements.keys()).chain(ends.keys()).copied();
    let last = known.max().unwrap_or_default();
    let mut open = Open::default();
    for number in 1..=last {
        let segments = epochs.get(&number).map(Vec::as_slice).unwrap_or_default();
        let statements = statements.remove(&number).unwrap_or_default();
        if segments.is_empty() {
            let signed = statements.iter().any(|statement| statement.said.size > 0);
            if signed || ends.get(&number).is_none_or(|end| end.size != Some(0)) {
                report.faults.push(gone(number, None, "all of its files are missing"));
                open.unread(number, 0, u64::MAX);
            }
            contradictions(number, statements, &mut report);
            continue;
        }
        let walk = Walk::new(number, statements, ends.get(&number), number == last);
        walk.run(segments, &mut open, &mut report)?;
    }
    if let Some(what) = (last == 0).then(|| "there is no journal here".to_owned()) {
        report.faults.push(other(what));
    }
    for intent in open.intents.iter().filter(|intent| intent.epoch < last) {
        let what = "has no outcome";
        report.notes.push(fault(intent.epoch, Some((intent.seq, intent.seq)), what));
    }
    if let Some(before) = open.removed {
        explain(before, &mut report);
    }
    Ok(report)
}

/// A checkpoint that is signed.
struct Statement {
    said: Checkpoint,
    /// It had left the machine: who has the signing key could not change it any more.
    foreign: bool,
}

/// Of an epoch without records checkpoints are left: no two may say different things.
fn contradictions(epoch: u64, mut statements: Vec<Statement>, report: &mut Report) {
    statements.sort_by_key(|statement| statement.said.size);
    let all = || statements.iter().map(|statement| &statement.said);
    let two = all().zip(all().skip(1));
    let two = two.filter(|(one, other)| one.size == other.size && one.root != other.root);
    let what = |size: u64| format!("two checkpoints of its first {size} records differ");
    report.faults.extend(two.map(|(one, _)| fault(epoch, None, what(one.size))));
}

/// What is gone before a point is wrong no more when the journal itself says that it was removed.
fn explain(before: Place, report: &mut Report) {
    let count = report.faults.len();
    report.faults.retain_mut(|fault| {
        let epoch = fault.epoch.unwrap_or_default();
        if !fault.is_gone || epoch > before.epoch {
            return true;
        }
        if epoch == before.epoch {
            let is_over = fault.to.is_some_and(|to| to < before.seq);
            fault.from = fault.from.map(|from| from.max(before.seq));
            return !is_over;
        }
        false
    });
    if report.faults.len() < count {
        let what =
            format!("records before {before} were removed by retention, as the journal says");
        report.notes.push(other(what));
    }
}

/// Takes the checkpoints of a text that hold by themselves.
fn collect(
    name: &str,
    text: &str,
    keys: &[Verifier],
    foreign: bool,
    statements: &mut BTreeMap<u64, Vec<Statement>>,
    report: &mut Report,
) {
    let (notes, rest) = note::split(text);
    for (number, signed) in notes.iter().enumerate() {
        match Checkpoint::open(signed, keys) {
            Ok(said) => {
                statements.entry(said.epoch).or_default().push(Statement { said, foreign });
            }
            Err(NotACheckpoint::NotSigned(NotSigned::Unknown)) if !foreign => {
                let what = format!("{name}: checkpoint {} is of another key", number + 1);
                report.faults.push(other(what));
            }
            Err(why) => {
                let what = format!("{name}: checkpoint {} {why}", number + 1);
                report.faults.push(other(what));
            }
        }
    }
    if !rest.trim().is_empty() {
        let what = format!("{name}: ends in the middle of a checkpoint");
        report.notes.push(other(what));
    }
    if foreign && notes.is_empty() {
        report.faults.push(other(format!("{name}: holds no checkpoint")));
    }
}

/// What one epoch says for those behind it.
#[derive(Default)]
struct Open {
    /// Intents that had no outcome yet.
    intents: BTreeSet<Place>,
    /// All before this was removed by retention.
    removed: Option<Place>,
    /// From which to which record it is not known what there was.
    unread: Vec<(Place, Place)>,
}

impl Open {
    fn unread(&mut self, epoch: u64, from: u64, to: u64) {
        self.unread.push((Place { epoch, seq: from }, Place { epoch, seq: to }));
    }

    /// Takes an outcome for an intent; false when that was not open.
    fn close(&mut self, intent: Place) -> bool {
        self.intents.remove(&intent)
            || self.unread.iter().any(|(from, to)| (*from..=*to).contains(&intent))
    }
}

/// One epoch, record by record.
struct Walk<'w> {
    epoch: u64,
    /// What is to hold of it, by size.
    statements: Vec<Statement>,
    end: Option<&'w Previous>,
    is_last: bool,
    tree: Edge,
    /// Whether `tree` is that of all records before: not behind a gap, until the head of a segment
    /// says what the tree was.
    follows: bool,
    /// The number that the next record should have.
    expected: u64,
    /// The trace of the last record, when that was read.
    trace: Option<String>,
    /// Why the records before the next one could not be read.
    lost: Option<String>,
    /// The last size at which a statement held, and one that had left the machine; and the records
    /// that were read since the former.
    held: u64,
    held_abroad: u64,
    since_held: u64,
    /// The last head of a segment.
    head: u64,
    /// What records since the last statement that held say was removed. Who has not the key could
    /// add a record behind it.
    removed: Option<Place>,
    checked: usize,
}

impl<'w> Walk<'w> {
    fn new(
        epoch: u64,
        mut statements: Vec<Statement>,
        end: Option<&'w Previous>,
        is_last: bool,
    ) -> Self {
        statements.sort_by_key(|statement| statement.said.size);
        Self {
            epoch,
            statements,
            end,
            is_last,
            tree: Edge::default(),
            follows: true,
            expected: 0,
            trace: Some(segment::no_trace()),
            lost: None,
            held: 0,
            held_abroad: 0,
            since_held: 0,
            head: 0,
            removed: None,
            checked: 0,
        }
    }

    /// How many records there are to this point.
    fn size(&self) -> u64 {
        if self.follows { self.tree.size() } else { self.expected }
    }

    /// How many a later epoch says that there are.
    fn whole_size(&self) -> Option<u64> {
        self.end.and_then(|end| end.size)
    }

    fn run(mut self, segments: &[Segment], open: &mut Open, report: &mut Report) -> io::Result<()> {
        report.epochs += 1;
        self.check_statements(open, report);
        let mut void = 0_u64;
        for segment in segments {
            let mut lines = match Lines::open(segment) {
                Ok(lines) => lines,
                // It was there a moment ago; what follows will say what is missing.
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => continue,
                Err(fault) => return Err(fault),
            };
            if segment.first.seq != self.expected {
                self.jump(
                    segment.first.seq,
                    "the segment that follows begins elsewhere",
                    open,
                    report,
                );
            }
            while let Some(piece) = lines.piece()? {
                match piece {
                    _ if self.whole_size() == Some(self.size()) => void += 1,
                    Piece::Lost(why) => self.lose(why),
                    Piece::Line(line) => self.record(line, segment, open, report),
                    Piece::Torn(_) => self.torn(report),
                }
            }
        }
        if void > 0 {
            let at = self.size();
            let what = "is void: it was not durable when its epoch ended";
            report.notes.push(fault(self.epoch, Some((at, at + void - 1)), what));
        }
        self.finish(open, report);
        Ok(())
    }

    /// Here the tree and the traces break off.
    fn lose(&mut self, why: String) {
        self.lost.get_or_insert(why);
        self.break_off();
        self.trace = None;
    }

    fn break_off(&mut self) {
        self.follows = false;
        self.since_held = 0;
        self.removed = None;
    }

    /// A last line without a line end: it is being written, or was when the gateway was killed.
    fn torn(&self, report: &mut Report) {
        let at = Some((self.expected, self.expected));
        if self.is_last && self.end.is_none() {
            report.notes.push(fault(self.epoch, at, "is not whole: it is being written"));
        } else {
            report.faults.push(fault(self.epoch, at, "is cut off"));
        }
    }

    fn record(&mut self, line: &[u8], segment: &Segment, open: &mut Open, report: &mut Report) {
        let leaf = tree::leaf(line);
        let at = (self.expected, self.expected);
        match Line::read(line) {
            None => {
                let what = "is no record: it was changed, or put there";
                report.faults.push(fault(self.epoch, Some(at), what));
                self.expected += 1;
            }
            Some(read) => {
                self.check_place(&read, open, report);
                self.check_content(line, &read, segment, open, report);
                if read.place.epoch == self.epoch {
                    self.expected = read.place.seq + 1;
                }
            }
        }
        self.trace = Some(segment::trace(&leaf));
        self.tree.push(leaf);
        report.records += 1;
        self.since_held += 1;
        self.check_statements(open, report);
    }

    fn check_place(&mut self, read: &Line<'_>, open: &mut Open, report: &mut Report) {
        let Place { epoch, seq } = read.place;
        let here = Some((self.expected, self.expected));
        if epoch != self.epoch {
            let what = format!("in its place stands {} of another epoch", read.place);
            report.faults.push(fault(self.epoch, here, what));
        } else if seq > self.expected {
            self.jump(seq, "missing", open, report);
        } else if seq < self.expected {
            let what = format!("stands behind {} again, or was moved there", self.expected - 1);
            report.faults.push(fault(self.epoch, Some((seq, seq)), what));
        } else if self.trace.as_deref().is_some_and(|trace| trace != read.before) {
            let before = seq.saturating_sub(1);
            let what = "was changed: the next record has another trace of it";
            report.faults.push(fault(self.epoch, Some((before, before)), what));
        }
        if let Some(why) = self.lost.take() {
            let what =
                format!("its file is damaged before this record, but none is missing: {why}");
            report.faults.push(fault(self.epoch, here, what));
        }
    }

    fn jump(&mut self, to: u64, what: &str, open: &mut Open, report: &mut Report) {
        if to > self.expected {
            let records = Some((self.expected, to - 1));
            let what = match self.lost.take() {
                Some(why) => fault(self.epoch, records, format!("lost: {why}")),
                None if what == "missing" => fault(self.epoch, records, what),
                None => gone(self.epoch, records, "missing: their segment is gone"),
            };
            report.faults.push(what);
            open.unread(self.epoch, self.expected, to - 1);
            self.trace = None;
            self.break_off();
        } else {
            report.faults.push(fault(self.epoch, Some((to, to)), what));
        }
        self.expected = to;
    }

    fn check_content(
        &mut self,
        line: &[u8],
        read: &Line<'_>,
        segment: &Segment,
        open: &mut Open,
        report: &mut Report,
    ) {
        let here = Some((read.place.seq, read.place.seq));
        match (read.kind, read.intent) {
            ("intent", _) => {
                open.intents.insert(read.place);
            }
            ("outcome", Some(intent)) if !open.close(intent) => {
                let what = format!("is the outcome of {intent}, which is no open intent");
                report.faults.push(fault(self.epoch, here, what));
            }
            ("removed", _) => self.removed = self.removed.max(recovery::removed(line)),
            ("epoch" | "segment", _) => {
                let head = recovery::head(line);
                let edge = head.as_ref().and_then(|head| head.tree(read.place.seq));
                self.check_edge(edge, read.place.seq, open, report);
                self.removed = self.removed.max(head.as_ref().and_then(recovery::removed_by_head));
                if read.place != segment.first {
                    let what = "begins a segment, but not the one that it stands in";
                    report.faults.push(fault(self.epoch, here, what));
                }
            }
            _ => {}
        }
    }

    /// Goes on with the tree that the head of a segment says there was before it. If that is not so,
    /// no checkpoint behind it holds.
    fn check_edge(&mut self, edge: Option<Edge>, at: u64, open: &mut Open, report: &mut Report) {
        let Some(edge) = edge else {
            let what = "begins a segment, but does not say behind which records";
            report.faults.push(fault(self.epoch, Some((at, at)), what));
            return;
        };
        if self.follows && edge != self.tree {
            let from = self.head.max(self.held).min(at.saturating_sub(1));
            let what = "are not what the segment behind them says: something here was changed";
            report.faults.push(fault(self.epoch, Some((from, at.saturating_sub(1))), what));
            self.break_off();
        }
        if !self.follows {
            self.tree = edge;
            self.follows = true;
            self.check_statements(open, report);
        }
        self.head = at;
    }

    /// Holds the tree against what was signed of it at this size.
    fn check_statements(&mut self, open: &mut Open, report: &mut Report) {
        let size = self.size();
        let mut root = None::<Hash>;
        while let Some(Statement { said, foreign }) = self.statements.get(self.checked)
            && said.size <= size
        {
            self.checked += 1;
            if !self.follows || said.size < size {
                // It is of a tree that can't be had again: records of it are missing.
                continue;
            }
            if *root.get_or_insert_with(|| self.tree.root()) == said.root {
                report.checkpoints += 1;
                if *foreign {
                    self.held_abroad = size;
                }
                self.hold(size, open, report);
            } else {
                // Against one that had left the machine, those that had not prove nothing.
                let from = if *foreign { self.held_abroad } else { self.held };
                let records = (from, size.saturating_sub(1).max(from));
                let what = "are not what a checkpoint was signed for: something here was changed";
                report.faults.push(fault(self.epoch, Some(records), what));
                self.break_off();
            }
        }
    }

    fn hold(&mut self, size: u64, open: &mut Open, report: &mut Report) {
        self.held = size;
        open.removed = open.removed.max(self.removed);
        report.covered += std::mem::take(&mut self.since_held);
    }

    fn finish(mut self, open: &mut Open, report: &mut Report) {
        let (size, whole_size) = (self.size(), self.whole_size());
        let signed = self.statements.last().map_or(0, |last| last.said.size);
        let told = whole_size.unwrap_or_default();
        let absent = signed.max(told).checked_sub(1).filter(|last| *last >= size);
        if absent.is_some() || self.lost.is_some() {
            open.unread(self.epoch, size, u64::MAX);
        }
        match (self.lost.take(), absent) {
            (Some(why), Some(last)) => {
                let what = format!("lost: {why}");
                report.faults.push(fault(self.epoch, Some((size, last)), what));
            }
            (Some(why), None) => {
                let what = format!("lost, with what followed it in its segment: {why}");
                report.faults.push(fault(self.epoch, Some((size, size)), what));
            }
            (None, Some(last)) if signed >= told => {
                let what = "missing: a checkpoint covers them; the end was cut off, or an older \
                            copy put back";
                report.faults.push(gone(self.epoch, Some((size, last)), what));
            }
            (None, Some(last)) => {
                let what = "missing: a later epoch says that they are there";
                report.faults.push(gone(self.epoch, Some((size, last)), what));
            }
            (None, None) => {}
        }
        let Some((end, whole_size)) = self.end.zip(whole_size) else {
            if !self.is_last {
                let what = "no later epoch says how it ended: it may still be written";
                report.notes.push(fault(self.epoch, None, what));
            }
            return;
        };
        if !self.follows || size < whole_size {
            return;
        }
        let root = end.root.as_ref().and_then(|root| STANDARD.decode(root).ok());
        if root.is_none_or(|root| root != self.tree.root()) {
            report.faults.push(fault(self.epoch, None, "is not what a later epoch says of it"));
        } else {
            // What a later epoch says is covered by that epoch's checkpoints.
            report.covered += self.since_held;
        }
    }
}
