//! Opens the files of a configuration. What can't be read is a mistake like any other.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use zeroize::Zeroizing;

/// Larger files are refused before they are held: ten thousand practices are about 8 MB.
const MOST_BYTES: u64 = 256 << 20;

/// The text of a file.
///
/// # Errors
///
/// What is wrong with the file and what to do, as it may follow the file's name in a message.
pub fn read_file(path: &Path) -> Result<String, String> {
    String::from_utf8(read_bytes(path)?)
        .map_err(|error| not_utf8(error.as_bytes(), error.utf8_error().valid_up_to()))
}

/// The text of a file that others must not be able to reach.
///
/// # Errors
///
/// What is wrong with the file and what to do, as it may follow the file's name in a message.
pub fn read_secret(path: &Path) -> Result<Zeroizing<String>, String> {
    let text = Zeroizing::new(read_file(path)?);
    is_private(path)?;
    Ok(text)
}

/// Whether others can't reach a file.
///
/// # Errors
///
/// That they can and what to do, as it may follow the file's name in a message.
pub fn is_private(path: &Path) -> Result<(), String> {
    let mode = fs::metadata(path).map_or(0, |about| about.permissions().mode());
    let reached = || format!("can be reached by others; chmod 600 {}", path.display());
    (mode & 0o027 == 0).then_some(()).ok_or_else(reached)
}

/// The bytes of a file.
///
/// # Errors
///
/// What is wrong with the file and what to do, as it may follow the file's name in a message.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = bytes(path).map_err(|error| why(&error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("is larger than {} MiB; make it smaller", MOST_BYTES >> 20));
    }
    Ok(bytes)
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_utf8(bytes: &[u8], good: usize) -> String {
    let before = bytes.iter().take(good).filter(|byte| **byte == b'\n').count();
    format!("is not UTF-8 in line {}; save it as UTF-8", before + 1)
}

fn why(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        return String::from("does not exist; correct the name, or make the file");
    }
    if error.kind() == io::ErrorKind::PermissionDenied {
        return String::from("may not be read by this user; give it the permission to read");
    }
    if error.kind() == io::ErrorKind::IsADirectory {
        return String::from("is a directory; name a file in it");
    }
    format!("can't be read: {error}")
}
