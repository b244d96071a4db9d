//! Issuers of access tokens: their keys, and whether a signature was made with one of them.
//!
//! [`Issuers`] finds the issuer that a token names and the key that it names of that issuer, and
//! verifies. [`Keys`] are those of one issuer: of a file, which is read again when it changes, or of
//! an https address, from which they are fetched every few minutes and when a token names a key
//! that is not among them. What a token says beside its issuer is for the decision.

mod fetch;
mod key_set;
mod keys;
mod provider;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use gpconnect::{
    policy::IssuerIndex,
    token::access::{AccessFault, AccessToken, Algorithm, Opened, open},
};

pub use keys::Keys;

use crate::{config::IssuerSettings, tls::Fault};

/// All issuers, in the order of the policy.
#[derive(Clone, Debug, Default)]
pub struct Issuers(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    issuer: String,
    algorithms: Vec<Algorithm>,
    keys: Arc<Keys>,
}

impl Issuers {
    /// Opens the files that `settings` name. Nothing is fetched yet.
    ///
    /// # Errors
    /// Everything that is wrong with any of the files.
    pub fn open(settings: &[IssuerSettings]) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut entries = Vec::new();
        for one in settings {
            match Keys::open(one) {
                Ok(keys) => entries.push(Entry {
                    issuer: one.issuer.issuer.clone(),
                    algorithms: one.algorithms.clone(),
                    keys: Arc::new(keys),
                }),
                Err(fault) => faults.extend(fault),
            }
        }
        if faults.is_empty() { Ok(Self(entries)) } else { Err(faults) }
    }

    /// Goes on with the keys of `old` wherever they come from the same place: a reload must not
    /// forget what was fetched.
    pub fn adopt(&mut self, old: &Self) {
        for entry in &mut self.0 {
            if let Some(same) = old.0.iter().find(|old| old.keys.are_like(&entry.keys)) {
                entry.keys = Arc::clone(&same.keys);
            }
        }
    }

    /// The keys of each issuer.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<Keys>> {
        self.0.iter().map(|entry| &entry.keys)
    }

    /// Finds out whose signature a token has. It may wait for keys to be fetched, when the token
    /// names one that is not known.
    ///
    /// # Errors
    /// When the token has not been proved to be of an issuer.
    pub async fn verify(&self, token: &str) -> Result<AccessToken, AccessFault> {
        let opened = open(token.as_bytes())?;
        let (index, entry) = self.find(opened.issuer()?.expose())?;
        if !entry.algorithms.contains(&opened.algorithm) {
            return Err(AccessFault::AlgorithmNotAllowed(index));
        }
        let missing = match entry.prove(index, &opened) {
            Ok(()) => return Ok(opened.proved(index)),
            Err(fault) => fault,
        };
        let is_of_keys =
            matches!(missing, AccessFault::KeyUnknown(_) | AccessFault::KeysUnavailable(_));
        if !is_of_keys || !entry.keys.fetched_anew().await {
            return Err(missing);
        }
        entry.prove(index, &opened).map(|()| opened.proved(index))
    }

    fn find(&self, iss: &str) -> Result<(IssuerIndex, &Entry), AccessFault> {
        let mut all = (0..).map(IssuerIndex).zip(&self.0);
        all.find(|(_, entry)| entry.issuer == iss).ok_or(AccessFault::IssuerUnknown)
    }
}

impl Entry {
    fn prove(&self, index: IssuerIndex, opened: &Opened<'_>) -> Result<(), AccessFault> {
        let keys = self.keys.current().ok_or(AccessFault::KeysUnavailable(index))?;
        let key = keys.find(opened.kid.as_deref(), opened.algorithm);
        let key = key.ok_or(AccessFault::KeyUnknown(index))?;
        let good = provider::is_signature(opened, key);
        good.then_some(()).ok_or(AccessFault::SignatureWrong(index))
    }
}
