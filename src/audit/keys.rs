//! The keys of a journal, each in a file of its own: what signs checkpoints, what makes the hashes
//! that records are searched by, and whom the identifiers in records are sealed to.

use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use openssl::rand::rand_bytes;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    age::{Identity, Recipient},
    note::Signer,
};
use crate::config::{Audit, is_private, read_file};

/// What stands before the bytes of a search key in its file.
const SEARCH: &str = "AUDIT-SEARCH-KEY-1+";

/// Everything that a journal writes with.
#[derive(Debug)]
pub struct Keys {
    /// Signs checkpoints.
    pub signer: Signer,
    /// Makes the hashes that records are searched by.
    pub search: SearchKey,
    /// Whom identifiers are sealed to; at least one.
    pub recipients: Vec<Recipient>,
}

/// Something wrong with the file of a key.
#[derive(Debug, thiserror::Error)]
#[error("{} {problem}", path.display())]
pub struct KeyFault {
    /// The name of the setting that names it.
    pub key: String,
    /// The file.
    pub path: PathBuf,
    /// What is wrong and what to do.
    pub problem: String,
}

/// Makes the hashes that records are searched by. Whoever holds it can find out by trying whose
/// records they are, so it stays with the gateway and those who may search.
#[derive(Clone)]
pub struct SearchKey(Hmac<Sha256>);

impl fmt::Debug for SearchKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SearchKey")
    }
}

/// What a hash stands for: the same text as something else has another hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An NHS number.
    NhsNumber,
    /// A resource of a provider: its service root, `/`, type, `/`, logical id.
    Resource,
    /// The id of a user.
    User,
}

impl Subject {
    /// The word within the hash, and in records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NhsNumber => "nhs_number",
            Self::Resource => "resource",
            Self::User => "user",
        }
    }
}

impl SearchKey {
    /// Reads a key from the text of its file; none when it is no such key.
    pub fn read(text: &str) -> Option<Self> {
        let secret = Zeroizing::new(STANDARD.decode(text.trim().strip_prefix(SEARCH)?).ok()?);
        let secret: Zeroizing<[u8; 32]> = Zeroizing::new(secret.as_slice().try_into().ok()?);
        Some(Self(Hmac::new_from_slice(&*secret).ok()?))
    }

    /// Whether both make the same hashes.
    fn is_like(&self, other: &Self) -> bool {
        let hash = |key: &Self| key.hash(Subject::User, &[]);
        hash(self) == hash(other)
    }

    /// The hash of a text, in base64 without padding.
    pub fn hash(&self, subject: Subject, text: &[&str]) -> String {
        let mut mac = self.0.clone().chain_update(subject.word()).chain_update([0]);
        text.iter().for_each(|part| mac.update(part.as_bytes()));
        let hash = mac.finalize().into_bytes();
        // Half of it tells a hundred million people apart, and is half the size in each record.
        let (half, _) = hash.split_at(16);
        base64_simd::STANDARD_NO_PAD.encode_to_string(half)
    }
}

impl Keys {
    /// Opens the files that the settings name.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn open(settings: &Audit) -> Result<Self, Vec<KeyFault>> {
        let mut faults = Vec::new();
        let mut note = |key: &'static str, path: &Path, problem: String| {
            faults.push(KeyFault { key: key.to_owned(), path: path.to_owned(), problem });
        };
        let signer = secret(&settings.signing_key).and_then(|text| {
            Signer::read(&text).map_err(|fault| format!("holds no signing key: {fault}"))
        });
        let signer =
            signer.map_err(|why| note("audit.signing_key", &settings.signing_key, why)).ok();
        let search = secret(&settings.search_key).and_then(|text| {
            SearchKey::read(&text).ok_or_else(|| format!("holds no search key, {SEARCH}<base64>"))
        });
        let search = search.map_err(|why| note("audit.search_key", &settings.search_key, why)).ok();
        let recipients = recipients(&settings.recipients)
            .map_err(|why| note("audit.recipients", &settings.recipients, why))
            .ok();
        match (signer, search, recipients) {
            (Some(signer), Some(search), Some(recipients)) => {
                Ok(Self { signer, search, recipients })
            }
            _ => Err(faults),
        }
    }
}

/// The names of the keys' settings, behind `audit.`.
pub(super) const SIGNING_KEY: &str = "signing_key";
const SEARCH_KEY: &str = "search_key";
const RECIPIENTS: &str = "recipients";

impl Keys {
    /// What others would be: the names of settings.
    pub(super) fn differences(&self, other: &Self) -> Vec<&'static str> {
        [
            (SIGNING_KEY, self.public_key() == other.public_key()),
            (SEARCH_KEY, self.search.is_like(&other.search)),
            (RECIPIENTS, self.recipients() == other.recipients()),
        ]
        .into_iter()
        .filter_map(|(name, same)| (!same).then_some(name))
        .collect()
    }

    /// What checks signatures, as a file of public keys holds it.
    pub(super) fn public_key(&self) -> Option<String> {
        self.signer.verifier().ok().map(|key| key.to_string())
    }

    /// Whom identifiers are sealed to, each once.
    pub(super) fn recipients(&self) -> BTreeSet<String> {
        self.recipients.iter().map(Recipient::to_string).collect()
    }
}

/// The text of a file that others must not be able to reach.
///
/// # Errors
/// What is wrong with the file and what to do, as it may follow the file's name.
pub fn secret(path: &Path) -> Result<Zeroizing<String>, String> {
    let text = Zeroizing::new(read_file(path).map_err(|problem| {
        format!("{problem}; gpconnect-gateway audit keys makes the keys of a journal")
    })?);
    is_private(path)?;
    Ok(text)
}

fn recipients(path: &Path) -> Result<Vec<Recipient>, String> {
    let text = read_file(path).map_err(|problem| {
        format!("{problem}; gpconnect-gateway audit keys makes the keys of a journal")
    })?;
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let keys = keys.map(|(number, line)| {
        line.parse::<Recipient>().map_err(|fault| format!("has no key in line {number}: {fault}"))
    });
    let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err("names nobody; write the public key of the security team, age1...".into());
    }
    Ok(keys)
}

/// The files that [`make`] writes.
pub const FILES: [&str; 5] =
    ["signing.key", "signing.pub", "search.key", "recipients.txt", "reader.key"];

/// Makes the keys of a journal of that name, in a folder that holds none yet.
///
/// # Errors
/// When a file is there already or can't be written.
pub fn make(folder: &Path, name: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let signing = Signer::generate(name)?;
    let signer = Signer::read(&signing).map_err(io::Error::other)?;
    let mut search = Zeroizing::new([0; 32]);
    rand_bytes(&mut *search)?;
    let search = Zeroizing::new(format!("{SEARCH}{}", STANDARD.encode(*search)));
    let (reader, recipient) = Identity::generate()?;
    let public = signer.verifier()?.to_string();
    let texts: [(&str, u32); 5] = [
        (&signing, 0o600),
        (&public, 0o644),
        (&search, 0o600),
        (&recipient.to_string(), 0o644),
        (&reader, 0o600),
    ];
    for (name, (text, mode)) in FILES.iter().zip(texts) {
        let mut options = File::options();
        let mut file = options.write(true).create_new(true).mode(mode).open(folder.join(name))?;
        file.write_all(format!("{text}\n").as_bytes())?;
        file.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn settings(folder: &Path) -> Audit {
        Audit {
            directory: folder.join("audit"),
            signing_key: folder.join("signing.key"),
            search_key: folder.join("search.key"),
            recipients: folder.join("recipients.txt"),
            ..Audit::default()
        }
    }

    #[test]
    fn what_is_made_can_be_opened() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), "gateway.example/audit").unwrap();
        let keys = Keys::open(&settings(folder.path())).unwrap();
        assert_eq!(keys.signer.name(), "gateway.example/audit");
        assert_eq!(keys.recipients.len(), 1);
        assert!(make(folder.path(), "other").is_err(), "no key is written over");
        let reader = secret(&folder.path().join("reader.key")).unwrap();
        let sealed = super::super::age::seal(b"x", &keys.recipients).unwrap();
        assert_eq!(*reader.parse::<Identity>().unwrap().open(&sealed).unwrap(), b"x");
    }

    #[test]
    fn each_file_that_is_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), "a.example").unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::set_permissions(file("signing.key"), fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(file("search.key"), "x").unwrap();
        fs::write(file("recipients.txt"), "# nobody\n\nage1\n").unwrap();
        let faults = Keys::open(&settings(folder.path())).unwrap_err();
        let texts: Vec<_> = faults.iter().map(|fault| format!("{} {fault}", fault.key)).collect();
        for (text, parts) in texts.iter().zip([
            ["audit.signing_key", "chmod 600"],
            ["audit.search_key", "holds no search key"],
            ["audit.recipients", "no key in line 3"],
        ]) {
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
        assert_eq!(texts.len(), 3);
    }

    #[test]
    fn hashes_differ_by_key_and_by_what_they_are_of() {
        let read = |letter: u8| {
            let text = format!("{SEARCH}{}\n", STANDARD.encode([letter; 32]));
            SearchKey::read(&text).unwrap()
        };
        let (one, other) = (read(1), read(2));
        let hash = one.hash(Subject::NhsNumber, &["9000000009"]);
        assert_eq!(hash.len(), 22);
        assert_eq!(hash, one.hash(Subject::NhsNumber, &["90000", "00009"]));
        assert_ne!(hash, one.hash(Subject::User, &["9000000009"]));
        assert_ne!(hash, other.hash(Subject::NhsNumber, &["9000000009"]));
        assert!(SearchKey::read("AUDIT-SEARCH-KEY-1+AAAA").is_none());
    }
}
