//! What is wrong with a file of keys, certificates or revocations.

use std::fmt;

use crate::config::TlsFile;

/// One thing that is wrong with a file, and what to do.
#[derive(Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub file: TlsFile,
    /// What is wrong and what to do, as it may follow the file's name.
    pub problem: String,
}

impl Fault {
    pub(super) fn new(file: &TlsFile, problem: impl Into<String>) -> Self {
        Self { file: file.clone(), problem: problem.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.file.path.display(), self.problem)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {self}", self.file.key)
    }
}

/// Both, or everything that is wrong with either.
pub(super) fn both<A, B>(
    first: Result<A, Vec<Fault>>,
    second: Result<B, Vec<Fault>>,
) -> Result<(A, B), Vec<Fault>> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(mut faults), Err(more)) => {
            faults.extend(more);
            Err(faults)
        }
        (Err(faults), Ok(_)) | (Ok(_), Err(faults)) => Err(faults),
    }
}
