//! Consumer systems that send access tokens: their issuers, and what the tokens that the gateway
//! makes of them say of the system.

use gpconnect::{
    names::HostName,
    policy::{AccessTerms, Confirmation, IssuerIndex},
};

use super::{
    records::{ConsumerRecord, Spot},
    registry::{Registry, or_add},
};
use crate::config::{Known, Label, Listed, Located, Section, Title};

/// What a `[[consumer]]` says of the access tokens that it sends.
pub(super) struct AccessRecord {
    issuers: Option<Vec<Listed<Label>>>,
    device_model: Option<Located<Title>>,
    device_version: Option<Located<Title>>,
}

/// Keys that only those have who send access tokens, with what they are for.
const NEEDED: [(&str, &str); 3] = [
    ("issuers", "the [[issuer]] whose tokens it sends, as in issuers = [\"trust\"]"),
    ("device_model", "what requesting_device is to say, as in device_model = \"Example EPR\""),
    ("device_version", "what requesting_device is to say, as in device_version = \"9.2\""),
];
/// Keys about GP Connect tokens that a consumer makes itself.
const OF_GP_CONNECT: [&str; 3] =
    ["aud_policy", "token_without_final_dot", "insecure_token_of_any_organisation"];

/// Reads the keys, where the consumer sends access tokens. Notes those that its kind of token lacks
/// or does not have.
pub(super) fn record(section: &Section<'_>) -> Option<AccessRecord> {
    let is_access = section.word("token", |word| Some(word == "oauth")).unwrap_or_default();
    let record = AccessRecord {
        issuers: section.list("issuers"),
        device_model: section.text("device_model"),
        device_version: section.text("device_version"),
    };
    for (key, purpose) in NEEDED {
        match (is_access, section.has(key)) {
            (true, false) => section.mistake(key, format!("is missing; write {purpose}")),
            (false, true) => {
                section.mistake(key, "is for token = \"oauth\"; write that too, or leave this out")
            }
            (true, true) | (false, false) => {}
        }
    }
    for key in OF_GP_CONNECT.into_iter().filter(|key| is_access && section.has(key)) {
        let message = "is about GP Connect tokens of its own; with token = \"oauth\" the gateway \
                       makes them, so leave it out";
        section.mistake(key, message);
    }
    is_access.then_some(record)
}

/// What the decision needs to know of it, with the issuers that gateway.toml has.
pub(super) fn terms(
    record: &ConsumerRecord,
    organisation: &str,
    registry: &Registry<'_>,
    known: &Known,
) -> Option<AccessTerms> {
    let access = record.access.as_ref()?;
    let issuers = issuers(access.issuers.as_ref()?, record.spot, registry, known);
    let text = |title: &Option<Located<Title>>| Some(title.as_ref()?.value.clone().into_text());
    Some(AccessTerms {
        issuers,
        iss: url(&record.host_name.as_ref()?.value),
        organisation_name: organisation.to_owned(),
        device_model: text(&access.device_model)?,
        device_version: text(&access.device_version)?,
    })
}

/// The consumer's own URL, as far as its registration knows one.
fn url(host: &HostName) -> String {
    format!("https://{host}/")
}

fn issuers(
    names: &[Listed<Label>],
    spot: Spot,
    registry: &Registry<'_>,
    known: &Known,
) -> Vec<IssuerIndex> {
    let notebook = registry.notebook;
    let mut found = Vec::new();
    for name in names {
        let path = || format!("{}[{}]", spot.key("issuers"), name.position);
        let text = name.value.as_str();
        let mut all = known.issuers.iter();
        match all.position(|issuer| issuer.name == text).and_then(|at| u32::try_from(at).ok()) {
            Some(index) if found.contains(&IssuerIndex(index)) => {
                let message = format!("\"{text}\" stands there twice");
                notebook.mistake(name.place, path(), message);
            }
            Some(index) => found.push(IssuerIndex(index)),
            None if known.whole => {
                let names = known.issuers.iter().map(|issuer| issuer.name.as_str());
                let suggestion = or_add(notebook.suggestion(text, names), None, notebook);
                let message =
                    format!("no [[issuer]] in gateway.toml has name \"{text}\"{suggestion}");
                notebook.mistake(name.place, path(), message);
            }
            None => {}
        }
    }
    found
}

/// Whether no token of these issuers is good without a client certificate.
pub(super) fn needs_certificate(terms: &AccessTerms, known: &Known) -> bool {
    let issuer = |index: &IssuerIndex| known.issuers.get(index.0 as usize);
    let mut issuers = terms.issuers.iter().filter_map(issuer);
    issuers.all(|issuer| issuer.confirmation == Confirmation::Required)
}
