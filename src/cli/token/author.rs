//! Who a token speaks for, and the token that says so (GP Connect, cross-organisation audit).

use clap::Args;
pub(crate) use gpconnect::token::mint::{Purpose, compact, header, reason_of, scope_of};
use gpconnect::{interaction::Capability, names::OdsCode, token::mint};
use serde_json::Value;

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

/// The claims in the order of the specification.
pub(crate) fn claims(author: &Author, purpose: &Purpose) -> Value {
    let author = mint::Author {
        iss: &author.iss,
        user: &author.user,
        family: &author.family,
        given: &author.given,
        prefix: None,
        sds_user_id: &author.sds_user_id,
        role_profile: &author.role_profile,
        organisation: &author.organisation,
        organisation_name: &author.organisation_name,
        device_id: &author.device_id,
        device_model: &author.device_model,
        device_version: &author.device_version,
    };
    mint::claims(&author, purpose)
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
