//! Makes GP Connect tokens: for consumers that send an access token, for `request`, and for whoever
//! tries one out. What is made passes [`check`](super::check) by the same rules.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{LIFETIME_SECONDS, identifiers::ROLE_PROFILE};
use crate::{
    facts::UnixSeconds,
    interaction::{InteractionId, Release, TokenRules},
    names::ServiceRoot,
};

/// What a smartcard would say where there is none (gp-connect 7.2).
pub const UNKNOWN: &str = "UNK";

/// The user, the organisation and the system that a token speaks for. It has no `Debug`: it names a
/// person.
#[derive(Clone, Copy)]
pub struct Author<'a> {
    /// The consumer's own URL: the claim `iss`, and the start of its own identifier systems.
    pub iss: &'a str,
    /// The user's id: the claim `sub` and the practitioner's id.
    pub user: &'a str,
    /// The user's family name.
    pub family: &'a str,
    /// The user's given name.
    pub given: &'a str,
    /// What stands before the name.
    pub prefix: Option<&'a str>,
    /// The user's SDS user id, or [`UNKNOWN`].
    pub sds_user_id: &'a str,
    /// The user's SDS role profile id, or [`UNKNOWN`].
    pub role_profile: &'a str,
    /// The ODS code of the organisation that the user sits in.
    pub organisation: &'a str,
    /// The name of that organisation.
    pub organisation_name: &'a str,
    /// The id of the user's device or system.
    pub device_id: &'a str,
    /// Its product name.
    pub device_model: &'a str,
    /// Its product version.
    pub device_version: &'a str,
}

/// What one token is for.
#[derive(Clone, Debug)]
pub struct Purpose {
    /// The claim `aud`.
    pub aud: String,
    /// The claim `requested_scope`.
    pub scope: String,
    /// The claim `reason_for_request`.
    pub reason: String,
    /// In seconds since 1970 UTC.
    pub issued_at: i64,
    /// In seconds.
    pub lifetime: i64,
    /// Where versions of the specification differ.
    pub rules: TokenRules,
}

impl Purpose {
    /// This interaction at the system of this service root, as all checks want it. What is not known
    /// is left empty: such a token is for the record only.
    pub fn of(id: Option<InteractionId>, root: Option<&ServiceRoot>, now: UnixSeconds) -> Self {
        let rules = id.unwrap_or(InteractionId::ReadPatient).row().token;
        let aud = rules.audience.or(root.map(ServiceRoot::as_str)).unwrap_or_default();
        Self {
            aud: aud.to_owned(),
            scope: id.map(scope_of).unwrap_or_default(),
            reason: id.map(reason_of).unwrap_or_default(),
            issued_at: now.0,
            lifetime: LIFETIME_SECONDS,
            rules,
        }
    }
}

/// The claim `requested_scope` that fits `id`.
pub fn scope_of(id: InteractionId) -> String {
    let row = id.row();
    match row.token.confidentiality.first() {
        None | Some(&"") => row.scope.as_str().to_owned(),
        Some(behind) => format!("{} {behind}", row.scope.as_str()),
    }
}

/// The claim `reason_for_request` that fits `id`.
pub fn reason_of(id: InteractionId) -> String {
    id.row().token.reasons.first().copied().unwrap_or_default().to_owned()
}

/// The claims in the order of the specification.
pub fn claims(author: &Author<'_>, purpose: &Purpose) -> Value {
    let rules = &purpose.rules;
    let mut claims = json!({
        "iss": author.iss,
        "sub": author.user,
        "aud": purpose.aud,
        "iat": purpose.issued_at,
        "exp": purpose.issued_at.saturating_add(purpose.lifetime),
        "reason_for_request": purpose.reason,
        "requested_scope": purpose.scope,
        "requesting_device": device(author, rules),
        "requesting_organization": organization(author, rules),
        "requesting_practitioner": practitioner(author, rules),
    });
    if rules.requested_record {
        let kind = if purpose.scope.starts_with("patient") { "Patient" } else { "Organization" };
        add(&mut claims, "requested_record", json!({ "resourceType": kind }));
    }
    claims
}

fn device(author: &Author<'_>, rules: &TokenRules) -> Value {
    let mut device = json!({
        "resourceType": "Device",
        "identifier": [identifier(&own(author, "device"), author.device_id)],
        "model": author.device_model,
        "version": author.device_version,
    });
    if rules.resource_ids {
        add(&mut device, "id", json!(author.device_id));
    }
    device
}

fn organization(author: &Author<'_>, rules: &TokenRules) -> Value {
    let mut organization = json!({
        "resourceType": "Organization",
        "identifier": [identifier(first(rules.organisation_systems), author.organisation)],
        "name": author.organisation_name,
    });
    if rules.resource_ids {
        add(&mut organization, "id", json!(author.organisation));
    }
    organization
}

fn practitioner(author: &Author<'_>, rules: &TokenRules) -> Value {
    let mut name = match rules.release {
        Release::Stu3 => json!({ "family": author.family, "given": [author.given] }),
        Release::Dstu2 => json!({ "family": [author.family], "given": [author.given] }),
    };
    if let Some(prefix) = author.prefix {
        add(&mut name, "prefix", json!([prefix]));
    }
    json!({
        "resourceType": "Practitioner",
        "id": author.user,
        "identifier": [
            identifier(first(rules.user_systems), author.sds_user_id),
            identifier(ROLE_PROFILE, author.role_profile),
            identifier(&own(author, "user"), author.user),
        ],
        "name": if rules.release == Release::Stu3 { json!([name]) } else { name },
    })
}

fn add(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value);
    }
}

fn identifier(system: &str, value: &str) -> Value {
    json!({ "system": system, "value": value })
}

fn first(systems: &[&'static str]) -> &'static str {
    systems.first().copied().unwrap_or_default()
}

/// An identifier system of the consumer's own.
fn own(author: &Author<'_>, kind: &str) -> String {
    format!("{}/Id/{kind}", author.iss.trim_end_matches('/'))
}

/// What stands before the claims: unsecured, so nothing follows the last dot.
pub fn header() -> Value {
    json!({ "alg": "none", "typ": "JWT" })
}

/// The compact form, with its final dot.
pub fn compact(claims: &Value) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode_to_string(part.to_string());
    format!("{}.{}.", encode(&header()), encode(claims))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        facts::Field,
        rejection::Reason,
        token::{Terms, check, open, read},
    };

    const NOW: UnixSeconds = UnixSeconds(1_795_420_800);

    /// What our own stage 7 finds wrong with a token.
    fn faults(token: &str, id: InteractionId, root: &ServiceRoot) -> Vec<Reason> {
        let value = format!("Bearer {token}");
        let mut faults = Vec::new();
        let payload = open(Field::One(value.as_bytes()), 65_536, &mut faults).unwrap();
        let service_root = Some(root);
        let terms = Terms { now: NOW, interaction: Some(id), sender: None, service_root };
        check(&read(&payload).unwrap(), &terms, &mut faults);
        faults
    }

    #[test]
    fn a_token_keeps_the_usual_header_and_ends_in_a_dot() {
        assert_eq!(compact(&json!({})), "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.");
    }

    proptest! {
        /// gp-connect 7.2: whoever the user is, what is made is what every check wants.
        #[test]
        fn what_is_made_passes_the_checks_of_every_interaction(
            texts in proptest::collection::vec("\\PC{0,20}[^\\s\\pC]\\PC{0,20}", 9),
            prefix in proptest::option::of("\\PC{0,8}[^\\s\\pC]"),
            root in "https://[a-z]{1,8}\\.example/[A-Z][0-9]{5}/STU3/1/gpconnect(/[a-z]{1,8})?",
        ) {
            let [iss, user, family, given, sds_user_id, role_profile, device_id, model, version] =
                <&[String; 9]>::try_from(texts.as_slice()).unwrap().each_ref();
            let author = Author {
                iss, user, family, given, prefix: prefix.as_deref(), sds_user_id, role_profile,
                organisation: "RXX01", organisation_name: "Example Hospital",
                device_id, device_model: model, device_version: version,
            };
            let root = root.parse().unwrap();
            for id in InteractionId::all() {
                let purpose = Purpose::of(Some(id), Some(&root), NOW);
                let token = compact(&claims(&author, &purpose));
                prop_assert_eq!(faults(&token, id, &root), [], "{}", id.short());
            }
        }
    }
}
