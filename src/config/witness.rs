//! Places that checkpoints of the journal are sent to.

use std::path::{Path, PathBuf};

use super::{
    finding::Notebook,
    label::{FileName, Label},
    section::Section,
    unique::{distinct, unique},
    url::Url,
};

/// A place that takes checkpoints by HTTP POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its name in logs and metrics.
    pub name: String,
    /// Its address.
    pub url: Url,
    /// The authorities of its certificate; those of the system without.
    pub authorities: Option<PathBuf>,
    /// Our own certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The file of the bearer token that it knows us by.
    pub token: Option<PathBuf>,
}

/// Reads each `[[audit.witness]]`; files lie relative to `folder`.
pub(super) fn witnesses(
    audit: &Section<'_>,
    folder: &Path,
    notebook: &Notebook,
) -> Option<Vec<Witness>> {
    let read = audit.tables("witness", |section, _| {
        let name = unique::<Label>(section, "name");
        (name.clone(), witness(section, folder, name.map(|name| name.value.value)))
    });
    let (names, witnesses): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    let names: Vec<_> = names.into_iter().flatten().collect();
    distinct(&names, notebook, |a, b| a == b, "give each witness a name of its own");
    witnesses.into_iter().collect()
}

fn witness(section: &Section<'_>, folder: &Path, name: Option<Label>) -> Option<Witness> {
    let file = |name: &str| section.text::<FileName>(name).map(|file| folder.join(file.value.0));
    let url = section.text::<Url>("url").map(|url| url.value);
    let authorities = file("authorities");
    let (certificate, key) = (file("certificate"), file("key"));
    let token = file("token_file");
    section.both_or_neither("certificate", "key");
    if url.as_ref().is_some_and(|url| !url.is_secure()) {
        for name in ["authorities", "certificate", "key"] {
            if section.has(name) {
                section.mistake(name, "is for https; leave it out beside an address of http");
            }
        }
    }
    let name = name?.to_string();
    Some(Witness { name, url: url?, authorities, certificate: certificate.zip(key), token })
}
