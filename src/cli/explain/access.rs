//! Access tokens without their signatures: the keys are a running gateway's. A token that could be
//! an issuer's is taken at its word, and so is its caller where no certificate of it is given.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gpconnect::{
    facts::Fields,
    policy::IssuerIndex,
    token::{
        Payload,
        access::{AccessFault, AccessToken, open},
        bearer,
    },
};
use serde_json::Value;

use super::case::Place;

/// What a request says of its access token.
pub(super) struct Unproved {
    /// The token, as if its signature were right.
    pub(super) token: Result<AccessToken, AccessFault>,
    /// The SHA-256 of the caller's certificate, or of the one that the token says it was given to; at
    /// a listener without TLS none.
    pub(super) certificate: Option<[u8; 32]>,
}

/// Reads the access token of a request, where one of the caller's systems sends such.
pub(super) fn unproved(fields: &Fields<'_>, limit: usize, place: &Place<'_>) -> Option<Unproved> {
    if !place.systems().any(|system| system.access.is_some()) {
        return None;
    }
    let token = open(bearer(fields.authorization, limit).ok()?);
    let token = token.and_then(|opened| {
        let issuer = named(opened.issuer()?.expose(), place)?;
        Ok(opened.proved(issuer))
    });
    let proof = place.caller.proof.as_ref().map(|proof| proof.examined.certificate.sha256);
    let said = token.as_ref().ok().filter(|_| place.is_secure());
    let certificate = proof.or_else(|| said.map(|token| hash(&token.claims)));
    Some(Unproved { token, certificate })
}

/// The issuer of this URL.
fn named(iss: &str, place: &Place<'_>) -> Result<IssuerIndex, AccessFault> {
    let mut issuers = (0..).map(IssuerIndex).zip(place.snapshot.policy.issuers());
    let found = issuers.find(|(_, issuer)| iss == issuer.issuer);
    found.map(|(index, _)| index).ok_or(AccessFault::IssuerUnknown)
}

/// The hash in `cnf`. Where there is none, that is told whatever this says.
fn hash(claims: &Payload) -> [u8; 32] {
    let claims: Value = serde_json::from_slice(claims.bytes()).unwrap_or_default();
    let text = claims.pointer("/cnf/x5t#S256").and_then(Value::as_str);
    let bytes = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default()
}
