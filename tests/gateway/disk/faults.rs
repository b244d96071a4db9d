//! System calls that fail: a small library, compiled from `faults.c` beside this, that a gateway is
//! started with. The gateway itself knows nothing of it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// What fails of what is done to a journal's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    /// Writes.
    Write,
    /// Writes, after half of the bytes.
    HalfWrite,
    /// Making durable.
    Sync,
    /// The same, once; after that it seems to work, but what was written before is gone.
    SyncOnce,
    /// Making durable, which seems to work: the file system gives up meanwhile, is read-only, and what
    /// was written is gone.
    SyncLies,
    /// Making files.
    Create,
    /// Nothing, but making durable never ends.
    Hang,
}

impl Fault {
    const fn letter(self) -> &'static [u8] {
        match self {
            Self::Nothing => b"-",
            Self::Write => b"w",
            Self::HalfWrite => b"s",
            Self::Sync => b"f",
            Self::SyncOnce => b"o",
            Self::SyncLies => b"l",
            Self::Create => b"c",
            Self::Hang => b"h",
        }
    }
}

/// Faults for the files of one folder.
pub(crate) struct Faults {
    made: TempDir,
    /// Where the journal is to be.
    pub(crate) folder: TempDir,
}

impl Faults {
    /// Compiles the library.
    pub(crate) fn new() -> Self {
        let made = TempDir::with_prefix("gpconnect-faults-").unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway/disk/faults.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([&made.path().join("faults.so"), &source])
            .arg("-ldl")
            .status()
            .expect("a C compiler");
        assert!(compiled.success(), "faults.c");
        let faults = Self { made, folder: TempDir::with_prefix("gpconnect-disk-").unwrap() };
        faults.set(Fault::Nothing);
        faults
    }

    /// From now on this fails.
    pub(crate) fn set(&self, fault: Fault) {
        // Into the same file, which is mapped and must not become shorter.
        let path = self.made.path().join("fault");
        let file = File::options().write(true).create(true).truncate(false).open(path).unwrap();
        file.write_all_at(fault.letter(), 0).unwrap();
    }

    /// What the gateway's environment must have.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        vec![
            ("LD_PRELOAD".into(), text(&self.made.path().join("faults.so"))),
            ("FAULTS".into(), text(&self.made.path().join("fault"))),
            ("FAULTS_IN".into(), text(self.folder.path())),
        ]
    }
}
