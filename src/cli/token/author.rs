//! Who a token speaks for, and the token that says so (GP Connect, cross-organisation audit).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use gpconnect::{
    interaction::{Capability, InteractionId, Release, TokenRules},
    names::OdsCode,
};
use serde_json::{Value, json};

const SDS_ROLE: &str = "https://fhir.nhs.uk/Id/sds-role-profile-id";

/// The user, the organisation and the system that a token speaks for.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Who asks (claims of the token)")]
pub(crate) struct Author {
    /// The consumer's own URL: the claim iss, and the start of its own identifier systems.
    #[arg(long, value_name = "URL", default_value = "https://epr.rxx01.example/")]
    pub(crate) iss: String,
    /// The ODS code of the organisation that the user sits in.
    #[arg(long, value_name = "ODS", default_value = "RXX01")]
    pub(crate) organisation: String,
    /// The name of that organisation.
    #[arg(long, value_name = "NAME", default_value = "Example Hospital")]
    pub(crate) organisation_name: String,
    /// The user's id: the claim sub and the practitioner's id.
    #[arg(long, value_name = "ID", default_value = "user-1")]
    user: String,
    /// The user's family name.
    #[arg(long, value_name = "NAME", default_value = "Okafor")]
    family: String,
    /// The user's given name.
    #[arg(long, value_name = "NAME", default_value = "Ada")]
    given: String,
    /// The user's SDS user id; UNK says that there was no smartcard.
    #[arg(long, value_name = "ID", default_value = "UNK")]
    sds_user_id: String,
    /// The user's SDS role profile id; UNK says that there was no smartcard.
    #[arg(long, value_name = "ID", default_value = "UNK")]
    role_profile: String,
    /// The id of the user's device or system.
    #[arg(long, value_name = "ID", default_value = "EPR-1")]
    device_id: String,
    /// The product name of that device or system.
    #[arg(long, value_name = "NAME", default_value = "gpconnect-gateway request")]
    device_model: String,
    /// Its product version.
    #[arg(long, value_name = "TEXT", default_value = env!("CARGO_PKG_VERSION"))]
    device_version: String,
}

/// What one token is for.
#[derive(Clone, Debug)]
pub(crate) struct Purpose {
    pub(crate) aud: String,
    pub(crate) scope: String,
    pub(crate) reason: String,
    /// In seconds since 1970 UTC.
    pub(crate) issued_at: i64,
    /// In seconds.
    pub(crate) lifetime: i64,
    /// Where versions of the specification differ.
    pub(crate) rules: TokenRules,
}

/// The claim `requested_scope` that fits `id`.
pub(crate) fn scope_of(id: InteractionId) -> String {
    let row = id.row();
    match row.token.confidentiality.first() {
        None | Some(&"") => row.scope.as_str().to_owned(),
        Some(behind) => format!("{} {behind}", row.scope.as_str()),
    }
}

/// The claim `reason_for_request` that fits `id`.
pub(crate) fn reason_of(id: InteractionId) -> String {
    id.row().token.reasons.first().copied().unwrap_or_default().to_owned()
}

/// The claims in the order of the specification.
pub(crate) fn claims(author: &Author, purpose: &Purpose) -> Value {
    let rules = &purpose.rules;
    let system = |systems: &[&'static str]| systems.first().copied().unwrap_or_default();
    let mut device = json!({
        "resourceType": "Device",
        "identifier": [identifier(&author.own("device"), &author.device_id)],
        "model": author.device_model,
        "version": author.device_version,
    });
    let mut organization = json!({
        "resourceType": "Organization",
        "identifier": [identifier(system(rules.organisation_systems), &author.organisation)],
        "name": author.organisation_name,
    });
    if rules.resource_ids {
        add(&mut device, "id", json!(author.device_id));
        add(&mut organization, "id", json!(author.organisation));
    }
    let name = match rules.release {
        Release::Stu3 => json!([{ "family": author.family, "given": [author.given] }]),
        Release::Dstu2 => json!({ "family": [author.family], "given": [author.given] }),
    };
    let mut claims = json!({
        "iss": author.iss,
        "sub": author.user,
        "aud": purpose.aud,
        "iat": purpose.issued_at,
        "exp": purpose.issued_at.saturating_add(purpose.lifetime),
        "reason_for_request": purpose.reason,
        "requested_scope": purpose.scope,
        "requesting_device": device,
        "requesting_organization": organization,
        "requesting_practitioner": {
            "resourceType": "Practitioner",
            "id": author.user,
            "identifier": [
                identifier(system(rules.user_systems), &author.sds_user_id),
                identifier(SDS_ROLE, &author.role_profile),
                identifier(&author.own("user"), &author.user),
            ],
            "name": name,
        },
    });
    if rules.requested_record {
        let kind = if purpose.scope.starts_with("patient") { "Patient" } else { "Organization" };
        add(&mut claims, "requested_record", json!({ "resourceType": kind }));
    }
    claims
}

fn add(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value);
    }
}

fn identifier(system: &str, value: &str) -> Value {
    json!({ "system": system, "value": value })
}

impl Author {
    /// An identifier system of the consumer's own.
    fn own(&self, kind: &str) -> String {
        format!("{}/Id/{kind}", self.iss.trim_end_matches('/'))
    }
}

/// What stands before the claims: unsecured, so nothing follows the last dot.
pub(crate) fn header() -> Value {
    json!({ "alg": "none", "typ": "JWT" })
}

/// The compact form, with its final dot.
pub(crate) fn compact(claims: &Value) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}.", encode(&header()), encode(claims))
}

/// The path of a practice in the ODS form, as far as the FHIR request.
pub(crate) fn ods_path(practice: OdsCode, capability: Capability) -> String {
    let behind = match capability {
        Capability::Foundations | Capability::Appointments | Capability::Html => "",
        Capability::Structured => "/structured",
        Capability::Documents => "/documents",
    };
    format!("/{practice}/STU3/1/gpconnect{behind}")
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser;
    use gpconnect::{
        facts::{Field, UnixSeconds},
        token::{self, Terms},
    };

    use super::*;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        author: Author,
    }

    /// The author that the defaults make.
    pub(crate) fn author() -> Author {
        Only::parse_from(["test"]).author
    }

    const NOW: i64 = 1_795_420_800;

    fn purpose(id: InteractionId) -> Purpose {
        let root = ods_path("A20047".parse().unwrap(), id.row().capability);
        Purpose {
            aud: format!("http://localhost:8080{root}"),
            scope: scope_of(id),
            reason: reason_of(id),
            issued_at: NOW,
            lifetime: 300,
            rules: id.row().token,
        }
    }

    #[test]
    fn a_token_passes_the_checks_of_every_interaction() {
        for id in InteractionId::all() {
            let text = format!("Bearer {}", compact(&claims(&author(), &purpose(id))));
            let mut faults = Vec::new();
            let payload = token::open(Field::One(text.as_bytes()), 16_384, &mut faults).unwrap();
            let root = "https://gp.example/A20047/STU3/1/gpconnect".parse().unwrap();
            let terms = Terms {
                now: UnixSeconds(NOW + 10),
                interaction: Some(id),
                sender: None,
                service_root: Some(&root),
            };
            token::check(&token::read(&payload).unwrap(), &terms, &mut faults);
            assert_eq!(faults, [], "{}", id.short());
        }
    }

    #[test]
    fn a_token_keeps_the_usual_header_and_ends_in_a_dot() {
        let token = compact(&json!({}));
        assert_eq!(token, "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.");
    }

    #[test]
    fn each_capability_has_its_path() {
        let practice = "A20047".parse().unwrap();
        for (capability, expected) in [
            (Capability::Appointments, "/A20047/STU3/1/gpconnect"),
            (Capability::Structured, "/A20047/STU3/1/gpconnect/structured"),
            (Capability::Documents, "/A20047/STU3/1/gpconnect/documents"),
        ] {
            assert_eq!(ods_path(practice, capability), expected);
        }
    }
}
