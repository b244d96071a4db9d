//! What the proxy checks before it asks a practice, in its order (gp-connect 9).

use gpconnect::interaction::Capability;
use gpconnect::names::{Asid, ServiceRoot};
use http::request::Parts;
use http::{HeaderMap, header};

use super::{Proxy, Word};
use crate::simulator::estate::{Estate, Practice};
use crate::simulator::fhir::outcome::{Code, Refusal};
use crate::simulator::wire::{check_headers, route};

/// A request that may go on.
pub(super) struct Checked<'e, 'r> {
    pub(super) practice: &'e Practice,
    pub(super) root: &'e ServiceRoot,
    /// What follows the service root, with its slash and its query.
    pub(super) request: &'r str,
}

/// Why it may not.
pub(super) enum Refused {
    /// In the words that practices use too.
    AsPractices(Refusal),
    /// In the proxy's own.
    OfItsOwn(Word),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::AsPractices(refusal)
    }
}

impl From<Word> for Refused {
    fn from(word: Word) -> Self {
        Self::OfItsOwn(word)
    }
}

pub(super) fn check<'e, 'r>(
    proxy: &Proxy,
    estate: &'e Estate,
    head: &'r Parts,
    body: &[u8],
) -> Result<Checked<'e, 'r>, Refused> {
    if !["GET", "POST", "PUT"].contains(&head.method.as_str()) {
        return Err(Word::Method.into());
    }
    let target = head.uri.path_and_query().map_or("", |whole| whole.as_str());
    let named = target.strip_prefix('/').filter(|rest| rest.starts_with("https://"));
    let named = named.ok_or_else(|| Code::NoRecordFound.because("Not a GP Connect resource"))?;
    check_headers(&head.headers)?;
    let interaction = route::named(&head.headers)
        .ok_or_else(|| Code::BadRequest.because("Ssp-InteractionID is not known"))?;
    if !body.is_empty() && !is_fhir(&head.headers) {
        return Err(Word::MediaType.into());
    }
    let sender = asid(&head.headers, "ssp-from").ok_or(Word::Sender)?;
    if !proxy.senders.is_empty() && !proxy.senders.contains(&sender) {
        return Err(Word::Sender.into());
    }
    let practice = route::practice(head.uri.path()).and_then(|code| estate.practice(code));
    let practice = practice.ok_or(Word::Receiver)?;
    let root = practice.root(interaction.row().capability).ok_or(Word::Receiver)?;
    if asid(&head.headers, "ssp-to") != Some(practice.asid) {
        let why = "Ssp-To does not match the receiving system";
        return Err(Code::BadRequest.because(why).into());
    }
    let request = named.strip_prefix(root.base()).filter(|rest| rest.starts_with('/'));
    Ok(Checked { practice, root, request: request.ok_or(Word::Endpoint)? })
}

fn asid(headers: &HeaderMap, name: &str) -> Option<Asid> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

fn is_fhir(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.contains("fhir+json") || kind.contains("fhir+xml"))
}

impl Practice {
    /// Where a capability is served, if it is.
    pub(super) const fn root(&self, capability: Capability) -> Option<&ServiceRoot> {
        match capability {
            Capability::Foundations | Capability::Appointments => Some(&self.service_root),
            Capability::Structured => Some(&self.structured_root),
            Capability::Documents | Capability::Html => None,
        }
    }
}
