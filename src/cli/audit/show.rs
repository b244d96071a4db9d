//! `audit show` and `audit tail`: single records, and the last ones.

use std::{collections::VecDeque, io, path::PathBuf, thread, time::Duration};

use clap::Args;
use serde_json::Value;

use super::{
    forms::{lines, table},
    shown::{Fault, Found, Why, ended, opener},
};
use crate::{
    audit::{Place, read, segment::Line},
    cli::{
        Ended,
        output::{Output, complain, print},
    },
};

/// Where the journal is, and how its records are shown.
#[derive(Debug, Args)]
struct Shown {
    /// The journal's folder.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The private key of somebody to whom the journal is sealed: shows patients and users too.
    #[arg(long, value_name = "FILE")]
    reader_key: Option<PathBuf>,
    /// The form of records; JSON has one a line.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
    #[command(flatten)]
    why: Why,
}

impl Shown {
    fn announce(&self, command: &str, record: Option<Place>) -> Result<(), Fault> {
        let record = record.map(|place| place.to_string());
        let opens = self.reader_key.is_some();
        self.why.announce(&self.folder, command, opens, [("record", record)])
    }
}

/// Show one record of the journal.
///
/// Exit code: 0 when it is there, 1 when it is not, 2 when the journal can't be read.
///
/// Example: gpconnect-gateway audit show /var/lib/gpconnect-gateway/audit 3/1204 --reader-key reader.key
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    shown: Shown,
    /// The record: its epoch and its number in it.
    #[arg(value_name = "EPOCH/SEQ")]
    place: Place,
}

/// Show the last records of the journal.
///
/// Exit code: 0, or 2 when the journal can't be read.
///
/// Example: gpconnect-gateway audit tail /var/lib/gpconnect-gateway/audit --follow
#[derive(Debug, Args)]
pub(crate) struct TailArguments {
    #[command(flatten)]
    shown: Shown,
    /// How many.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    lines: usize,
    /// Wait for more.
    #[arg(short, long)]
    follow: bool,
}

/// Calls `keep` with each record from `from` on, and gives those that it keeps, at most the last
/// `most`, until it says enough.
fn scan(
    shown: &Shown,
    from: Place,
    most: usize,
    mut keep: impl FnMut(&Line<'_>, &Value) -> Keep,
) -> Result<VecDeque<Found>, Fault> {
    let mut opener = shown.reader_key.as_deref().map(opener).transpose()?;
    let mut found = VecDeque::<Found>::new();
    let each = |line: &Line<'_>, bytes: &[u8]| {
        if let Some(opener) = opener.as_mut().filter(|_| matches!(line.kind, "epoch" | "segment")) {
            opener.take_key(bytes);
        }
        if line.place < from {
            return Ok(true);
        }
        let record = serde_json::from_slice(bytes).map_err(io::Error::from)?;
        let keep = keep(line, &record);
        if keep != Keep::Not {
            let opened = opener.as_ref().and_then(|opener| opener.open(line.place, &record));
            found.push_back(Found { place: line.place, record, opened });
            if found.len() > most {
                found.pop_front();
            }
        }
        Ok(keep != Keep::Last)
    };
    let read = read::each_from(&shown.folder, from, each);
    for lost in read.map_err(|fault| format!("{}: {fault}", shown.folder.display()))? {
        complain(format!("Records from {} on can't be read: {}", lost.from, lost.why));
    }
    Ok(found)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Not,
    This,
    Last,
}

pub(super) fn show(arguments: &ShowArguments) -> Ended {
    let this = |line: &Line<'_>, _: &Value| {
        if line.place == arguments.place { Keep::Last } else { Keep::Not }
    };
    let told = arguments.shown.announce("show", Some(arguments.place));
    let found = told.and_then(|()| scan(&arguments.shown, arguments.place, 1, this));
    ended(found.map(|found| match found.front() {
        None => {
            complain(format!("{}: there is no such record", arguments.place));
            Ended::No
        }
        Some(found) if arguments.shown.output == Output::Human => {
            let text = serde_json::to_string_pretty(&found.whole()).unwrap_or_default();
            print(format!("{text}\n").as_bytes(), Ended::Done)
        }
        Some(found) => print(lines([found]).as_bytes(), Ended::Done),
    }))
}

pub(super) fn tail(arguments: &TailArguments) -> Ended {
    ended(try_tail(arguments))
}

fn try_tail(arguments: &TailArguments) -> Result<Ended, Fault> {
    arguments.shown.announce("tail", None)?;
    let folder = &arguments.shown.folder;
    let count = u64::try_from(arguments.lines).unwrap_or(u64::MAX);
    let from = read::before_last(folder, count);
    let mut from = from.map_err(|fault| format!("{}: {fault}", folder.display()))?;
    let mut most = arguments.lines;
    loop {
        let mut last = None::<Place>;
        let found = scan(&arguments.shown, from, most, |line, _| {
            last = Some(line.place);
            Keep::This
        })?;
        from = last.map_or(from, |last| Place { seq: last.seq + 1, ..last });
        most = usize::MAX;
        if !found.is_empty() {
            let text = match arguments.shown.output {
                Output::Human => table(&found),
                Output::Json => lines(&found),
            };
            if print(text.as_bytes(), Ended::Done) == Ended::Unable {
                return Ok(Ended::Unable);
            }
        }
        if !arguments.follow {
            return Ok(Ended::Done);
        }
        thread::sleep(Duration::from_millis(500));
    }
}
