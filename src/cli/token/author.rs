//! Who a token speaks for, and the token that says so (GP Connect, cross-organisation audit).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use gpconnect::{interaction::Capability, names::OdsCode};
use serde_json::{Value, json};

const ODS_CODE: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
const SDS_USER: &str = "https://fhir.nhs.uk/Id/sds-user-id";
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
}

/// The claims in the order of the specification.
pub(crate) fn claims(author: &Author, purpose: &Purpose) -> Value {
    json!({
        "iss": author.iss,
        "sub": author.user,
        "aud": purpose.aud,
        "iat": purpose.issued_at,
        "exp": purpose.issued_at.saturating_add(purpose.lifetime),
        "reason_for_request": purpose.reason,
        "requested_scope": purpose.scope,
        "requesting_device": {
            "resourceType": "Device",
            "identifier": [identifier(&author.own("device"), &author.device_id)],
            "model": author.device_model,
            "version": author.device_version,
        },
        "requesting_organization": {
            "resourceType": "Organization",
            "identifier": [identifier(ODS_CODE, &author.organisation)],
            "name": author.organisation_name,
        },
        "requesting_practitioner": {
            "resourceType": "Practitioner",
            "id": author.user,
            "identifier": [
                identifier(SDS_USER, &author.sds_user_id),
                identifier(SDS_ROLE, &author.role_profile),
                identifier(&author.own("user"), &author.user),
            ],
            "name": [{ "family": author.family, "given": [author.given] }],
        },
    })
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
        interaction::InteractionId,
        token,
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
            scope: id.row().scope.as_str().into(),
            reason: "directcare".into(),
            issued_at: NOW,
            lifetime: 300,
        }
    }

    #[test]
    fn a_token_passes_the_checks_of_every_interaction() {
        for id in InteractionId::all() {
            let text = format!("Bearer {}", compact(&claims(&author(), &purpose(id))));
            let payload = token::open(Field::One(text.as_bytes()), 16_384).unwrap();
            let mut faults = Vec::new();
            let claims = token::read(payload.bytes(), &mut faults).unwrap();
            let now = UnixSeconds(NOW + 10);
            token::check(&claims, now, Some(id.row().scope), None, &mut faults);
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
