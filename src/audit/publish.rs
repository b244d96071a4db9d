//! The kinds of places that checkpoints go to: a folder, the log, an address that takes them by
//! HTTP POST. Files of keys are read again every minute, and after each failure: they may be renewed
//! while the gateway runs.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use openssl::ssl::SslConnector;
use tokio::runtime::{Builder, Runtime};
use tracing::info;

use super::{keys::KeyFault, segment};
use crate::{
    config::{Audit, Witness, read_secret},
    https::{self, ClientFiles},
};

/// What a checkpoint is said to be, as c2sp.org/tlog-tiles has it served.
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// How old what was read of files becomes.
const READ_AGAIN: Duration = Duration::from_secs(60);
/// How long a place is left alone after a first failure, and at most.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A signed checkpoint on its way.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub(super) epoch: u64,
    /// When it was signed: a number that grows with each.
    pub(super) stamp: u64,
    pub(super) note: String,
}

/// A place that checkpoints go to.
pub(super) enum Outlet {
    /// The journal's own folder.
    Journal(PathBuf),
    Folder(PathBuf),
    Log,
    Post(Box<Post>),
}

impl Outlet {
    /// The places that checkpoints leave this machine by, each with its name in metrics.
    ///
    /// # Errors
    /// When the system has no means for a runtime.
    pub(super) fn foreign(settings: &Audit) -> io::Result<Vec<(String, Self)>> {
        let folders = settings.checkpoints.iter().enumerate();
        let folders = folders
            .map(|(index, folder)| (format!("checkpoints[{index}]"), Self::Folder(folder.clone())));
        let log = settings.log_checkpoints.then(|| (String::from("log"), Self::Log));
        let mut outlets: Vec<_> = folders.chain(log).collect();
        for witness in &settings.witnesses {
            let post = Post::new(witness.clone())?;
            outlets.push((format!("witness.{}", witness.name), Self::Post(Box::new(post))));
        }
        Ok(outlets)
    }

    /// Brings a checkpoint there.
    ///
    /// # Errors
    /// What went wrong.
    pub(super) fn put(&mut self, sheet: &Sheet) -> Result<(), String> {
        let unwritten = |folder: &Path, fault: io::Error| {
            format!("can't be written: {fault}; {}", folder.display())
        };
        match self {
            Self::Journal(folder) => {
                beside_segments(folder, sheet).map_err(|fault| unwritten(folder, fault))
            }
            Self::Folder(folder) => append(folder, sheet).map_err(|fault| unwritten(folder, fault)),
            Self::Log => {
                info!(checkpoint = sheet.note.trim_end(), "audit checkpoint");
                Ok(())
            }
            Self::Post(post) => post.send(&sheet.note),
        }
    }

    /// How long it is left alone after so many failures one behind the other.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        match (self, failures) {
            (_, 0) => Duration::ZERO,
            (Self::Journal(_) | Self::Folder(_) | Self::Log, _) => PAUSE,
            (Self::Post(_), _) => (PAUSE * (1 << failures.min(7) >> 1)).min(LONGEST_PAUSE),
        }
    }
}

/// Checkpoints stand beside what they cover, and in no other folder that is in its place.
fn beside_segments(folder: &Path, sheet: &Sheet) -> io::Result<()> {
    let is_begun = fs::exists(folder.join(segment::checkpoints_name(sheet.epoch)))?;
    if !is_begun && !segment::list(folder)?.contains_key(&sheet.epoch) {
        let what = format!("there is no segment of epoch {}", sheet.epoch);
        return Err(io::Error::new(io::ErrorKind::NotFound, what));
    }
    append(folder, sheet)
}

fn append(folder: &Path, sheet: &Sheet) -> io::Result<()> {
    let path = folder.join(segment::checkpoints_name(sheet.epoch));
    let is_new = !fs::exists(&path)?;
    let mut file = File::options().append(true).create(true).mode(0o600).open(&path)?;
    all_or_nothing(&mut file, |file| {
        file.write_all(format!("{}\n", sheet.note).as_bytes())?;
        file.sync_data()
    })?;
    if is_new { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Takes back what was written before the fault: a checkpoint's half would be read as the beginning
/// of the next one.
fn all_or_nothing(
    file: &mut File,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let before = file.metadata()?.len();
    write(file).or_else(|fault| file.set_len(before).and(Err(fault)))
}

/// An address that takes checkpoints, and what was made of its files.
pub(super) struct Post {
    settings: Witness,
    runtime: Runtime,
    credentials: Option<(Credentials, Instant)>,
}

/// What proves us to a witness, and it to us.
struct Credentials {
    connector: Option<SslConnector>,
    headers: HeaderMap,
}

impl Post {
    fn new(settings: Witness) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { settings, runtime, credentials: None })
    }

    fn send(&mut self, note: &str) -> Result<(), String> {
        let kept = self.credentials.take().filter(|(_, read)| read.elapsed() < READ_AGAIN);
        let (credentials, read) = match kept {
            Some(kept) => kept,
            None => {
                let opened = Credentials::open(&self.settings);
                (
                    opened.map_err(|(_, path, why)| format!("{} {why}", path.display()))?,
                    Instant::now(),
                )
            }
        };
        let body = Bytes::copy_from_slice(note.as_bytes());
        let (connector, headers) = (credentials.connector.as_ref(), credentials.headers.clone());
        let posted = https::post(&self.settings.url, connector, headers, body);
        self.runtime
            .block_on(posted)
            .map_err(|fault| format!("can't be sent to {}: {fault}", self.settings.url))?;
        self.credentials = Some((credentials, read));
        Ok(())
    }
}

/// A setting of a witness, its file, and what is wrong with that.
type Fault = (&'static str, PathBuf, String);

impl Credentials {
    fn open(settings: &Witness) -> Result<Self, Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        if let Some(path) = &settings.token {
            let fault = |why: String| ("token_file", path.clone(), why);
            let token = read_secret(path).map_err(fault)?;
            let mut bearer = HeaderValue::try_from(["Bearer ", token.trim()].concat())
                .ok()
                .filter(|_| is_token(token.trim()))
                .ok_or_else(|| fault("holds no bearer token; write it on one line".into()))?;
            bearer.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, bearer);
        }
        let connector = settings.url.is_secure().then(|| connector(settings)).transpose()?;
        Ok(Self { connector, headers })
    }
}

/// RFC 6750, 2.1.
fn is_token(text: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    !text.is_empty() && text.bytes().all(is_good)
}

fn connector(settings: &Witness) -> Result<SslConnector, Fault> {
    let (certificate, key) = settings.certificate.clone().unzip();
    let files = ClientFiles { certificate, key, authorities: settings.authorities.clone() };
    files.open()
}

/// What is wrong with the files of witnesses.
pub fn faults(settings: &Audit) -> Vec<KeyFault> {
    let all = settings.witnesses.iter().enumerate();
    let fault = |(index, witness): (usize, &Witness)| {
        let (name, path, problem) = Credentials::open(witness).err()?;
        Some(KeyFault { key: format!("audit.witness[{index}].{name}"), path, problem })
    };
    all.filter_map(fault).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn half_a_checkpoint_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints");
        let mut file = File::options().append(true).create(true).open(&path).unwrap();
        all_or_nothing(&mut file, |file| file.write_all(b"one\n")).unwrap();
        let fault = all_or_nothing(&mut file, |file| {
            file.write_all(b"tw")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(fault.unwrap_err().kind(), io::ErrorKind::StorageFull);
        all_or_nothing(&mut file, |file| file.write_all(b"two\n")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }
}
