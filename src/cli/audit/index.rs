//! `audit index`: brings the index up to date that searches use.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use crate::{
    audit::search::{Fault, Index, QUIET},
    cli::{
        Ended,
        output::{complain, counted, print},
    },
};

/// Bring the index of the journal up to date, so that the next search is quick.
///
/// Searches do this by themselves. The index is made of the journal's segments and may be removed at
/// any time. It holds hashes and places, nobody's name or number.
///
/// Exit code: 0 when it is up to date, 2 when it can't be made.
///
/// Example: gpconnect-gateway audit index /var/lib/gpconnect-gateway/audit
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The journal's folder.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    #[command(flatten)]
    place: IndexPlace,
    /// Take in segments also that may still be written: for a copy that was just made.
    #[arg(long)]
    all: bool,
}

/// Where the index is.
#[derive(Debug, Default, Args)]
pub(super) struct IndexPlace {
    /// The folder of the index, when it is not "index" within the journal's.
    #[arg(long, value_name = "FOLDER")]
    index: Option<PathBuf>,
}

impl IndexPlace {
    pub(super) fn of(&self, journal: &std::path::Path) -> PathBuf {
        self.index.clone().unwrap_or_else(|| journal.join("index"))
    }
}

pub(super) fn run(arguments: &Arguments) -> Ended {
    let folder = arguments.place.of(&arguments.folder);
    let quiet = if arguments.all { Duration::ZERO } else { QUIET };
    let brought = Index::bring(&folder, &arguments.folder, quiet);
    let caught = brought.caught;
    match brought.fault {
        None => {
            let read = counted(caught.segments, "segment");
            let mut text = format!("Indexed {} records in {read}.", caught.records);
            if caught.left > 0 {
                let left = counted(caught.left, "segment");
                text.push_str(&format!(" {left} may still be written; searches read them."));
            }
            print(format!("{text}\n").as_bytes(), Ended::Done)
        }
        Some(fault) => {
            complain(format!("{}: {fault}", folder.display()));
            Ended::Unable
        }
    }
}

/// Opens the index for a search, and makes it when it is worth it. Says what is wrong: the search then
/// reads what the index does not know.
pub(super) fn open(place: &IndexPlace, journal: &std::path::Path) -> Option<Index> {
    let folder = place.of(journal);
    let brought = Index::bring(&folder, journal, QUIET);
    if let Some(fault) = brought.fault {
        let why = match fault {
            Fault::Io(fault) => format!("can't be used: {fault}; name another with --index"),
            Fault::Missing | Fault::Damaged(_) | Fault::Unclean | Fault::Busy => fault.to_string(),
        };
        let folder = folder.display();
        complain(format!("The index in {folder}: {why}. What it lacks is read in full."));
    }
    brought.index
}
