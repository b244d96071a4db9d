//! Fetches a key set over https.

use openssl::ssl::SslConnector;
use thiserror::Error;

use super::key_set::{KeySet, NotAKeySet};
use crate::{
    config::KeysUrl,
    https::{self, NoAnswer},
};

/// The most bytes of a key set.
const MOST_BYTES: usize = 1 << 20;

/// Why keys could not be fetched.
#[derive(Debug, Error)]
pub(super) enum NotFetched {
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("the answer {0}")]
    NotAKeySet(#[from] NotAKeySet),
}

/// Fetches the key set behind `url`, whose certificate must be one that `connector` accepts.
pub(super) async fn fetch(url: &KeysUrl, connector: &SslConnector) -> Result<KeySet, NotFetched> {
    let accept = "application/jwk-set+json, application/json";
    let bytes = https::get(url, connector, accept, MOST_BYTES).await?;
    Ok(KeySet::read(&bytes)?)
}
