//! Issuers of access tokens: whose signature is believed, where its keys are, and what its claims
//! are called.

use std::{path::Path, time::Duration};

use gpconnect::{
    policy::{ClaimMapping, Confirmation, Issuer},
    token::access::{Algorithm, ClaimPath},
};

use super::{
    finding::Notebook,
    label::{Label, Title},
    section::Section,
    settings::KnownIssuer,
    tls::{TlsFile, file},
    unique::{Unique, distinct, unique},
    url::KeysUrl,
};

/// An issuer of access tokens as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSettings {
    /// What the decision has to know.
    pub issuer: Issuer,
    /// How its tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are.
    pub keys: KeySource,
}

/// Where the keys of an issuer are published: a JSON Web Key Set (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In a file.
    File(TlsFile),
    /// At an https address.
    Url {
        /// The address.
        url: KeysUrl,
        /// Where that is written, for mistakes that are no file's; the path is the configuration's folder.
        written: TlsFile,
        /// The authorities of the certificate there; those of the system without.
        authorities: Option<TlsFile>,
        /// How old they become before they are fetched again.
        refresh: Duration,
    },
}

impl KeySource {
    /// Whether keys of the one are those of the other, wherever each is written.
    pub fn is_like(&self, other: &Self) -> bool {
        let path = |file: &Option<TlsFile>| file.as_ref().map(|file| file.path.clone());
        match (self, other) {
            (Self::File(one), Self::File(other)) => one.path == other.path,
            (
                Self::Url { url, authorities, refresh, .. },
                Self::Url { url: other, authorities: others, refresh: again, .. },
            ) => url == other && refresh == again && path(authorities) == path(others),
            (Self::File(_), Self::Url { .. }) | (Self::Url { .. }, Self::File(_)) => false,
        }
    }
}

/// Reads each `[[issuer]]`; files lie relative to `folder`. Beside them what the
/// directory has to know of all of them, also of those with other mistakes.
pub(super) fn issuers(
    root: &Section<'_>,
    folder: &Path,
    notebook: &Notebook,
) -> (Vec<IssuerSettings>, Vec<KnownIssuer>) {
    let read = root.tables("issuer", |section, _| {
        let name = unique::<Label>(section, "name");
        let url = unique::<Title>(section, "issuer");
        let confirmation = section.word("cnf", |word| match word {
            "required" => Some(Confirmation::Required),
            "optional" => Some(Confirmation::WhenPresent),
            _ => None,
        });
        let issuer = issuer(section, folder, name.clone(), url.clone(), confirmation);
        let known = name.clone().map(|name| KnownIssuer {
            name: name.value.value.to_string(),
            confirmation: confirmation.unwrap_or(Confirmation::WhenPresent),
        });
        (issuer, known, name, url)
    });
    let names: Vec<_> = read.iter().filter_map(|(_, _, name, _)| name.clone()).collect();
    let urls: Vec<_> = read.iter().filter_map(|(_, _, _, url)| url.clone()).collect();
    distinct(&names, notebook, |a, b| a == b, "give each issuer a name of its own");
    distinct(&urls, notebook, |a, b| a == b, "write each issuer once");
    let (issuers, known): (Vec<_>, Vec<_>) =
        read.into_iter().map(|(issuer, known, ..)| (issuer, known)).unzip();
    (issuers.into_iter().flatten().collect(), known.into_iter().flatten().collect())
}

fn issuer(
    section: &Section<'_>,
    folder: &Path,
    name: Option<Unique<Label>>,
    url: Option<Unique<Title>>,
    confirmation: Option<Confirmation>,
) -> Option<IssuerSettings> {
    let audiences = section.list::<Title>("audience");
    let algorithms = section.list::<Algorithm>("algorithms");
    let longest = section.time("longest");
    let keys = keys(section, folder);
    let mapping = section.table("claims", mapping).flatten();
    let audiences = audiences?.into_iter().map(|one| one.value.into_text()).collect();
    Some(IssuerSettings {
        issuer: Issuer {
            name: name?.value.value.to_string(),
            issuer: url?.value.value.into_text(),
            audiences,
            confirmation: confirmation?,
            longest: i64::try_from(longest?.as_secs()).ok()?,
            mapping: mapping?,
        },
        algorithms: algorithms?.into_iter().map(|one| one.value).collect(),
        keys: keys?,
    })
}

fn keys(section: &Section<'_>, folder: &Path) -> Option<KeySource> {
    let of_file = file(section, "jwks_file", folder);
    let url = section.text::<KeysUrl>("jwks_url");
    let authorities = file(section, "jwks_authorities", folder);
    let refresh = section.time("jwks_refresh");
    match (section.has("jwks_file"), section.has("jwks_url")) {
        (true, true) => {
            section.mistake("jwks_file", "stands beside jwks_url; keep one of the two");
            None
        }
        (false, false) => {
            section.mistake(
                "jwks_url",
                "is missing, and so is jwks_file; write where the issuer's keys are, as in \
                 jwks_url = \"https://id.example/keys.json\"",
            );
            None
        }
        (true, false) => {
            for name in ["jwks_authorities", "jwks_refresh"] {
                if section.has(name) {
                    section.mistake(name, "is for jwks_url; leave it out beside jwks_file");
                }
            }
            Some(KeySource::File(of_file?))
        }
        (false, true) => {
            let key = section.path("jwks_url");
            let url = url?;
            let written = TlsFile { path: folder.to_path_buf(), key, place: url.place };
            Some(KeySource::Url { url: url.value, written, authorities, refresh: refresh? })
        }
    }
}

fn mapping(section: &Section<'_>) -> Option<ClaimMapping> {
    let path = |name| section.text::<ClaimPath>(name).map(|path| path.value);
    let user_id = path("user_id");
    let family_name = path("family_name");
    let given_name = path("given_name");
    let prefix = path("prefix");
    let sds_user_id = path("sds_user_id");
    let role = path("role");
    let organisation = path("organisation");
    let device = path("device");
    Some(ClaimMapping {
        user_id: user_id?,
        family_name: family_name?,
        given_name: given_name?,
        prefix,
        sds_user_id,
        role,
        organisation: organisation?,
        device,
    })
}
