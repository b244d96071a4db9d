//! GP Connect tokens of a consumer's own making, so that the product does not check its own work.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::ORGANISATION;

/// Good claims: made at this second, for a practice's service root.
pub(crate) fn claims(scope: &str, service_root: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    json!({
        "iss": "https://epr.rxx01.example/",
        "sub": "u-1",
        "aud": service_root,
        "iat": now,
        "exp": now + 300,
        "reason_for_request": "directcare",
        "requested_scope": scope,
        "requesting_device": {
            "resourceType": "Device",
            "identifier": [{"system": "https://epr.rxx01.example/devices", "value": "d-1"}],
            "model": "Example EPR",
            "version": "1.0"
        },
        "requesting_organization": {
            "resourceType": "Organization",
            "identifier": [{
                "system": "https://fhir.nhs.uk/Id/ods-organization-code",
                "value": ORGANISATION
            }],
            "name": "Example Hospital"
        },
        "requesting_practitioner": {
            "resourceType": "Practitioner",
            "id": "u-1",
            "identifier": [
                {"system": "https://fhir.nhs.uk/Id/sds-user-id", "value": "111222333444"},
                {"system": "https://fhir.nhs.uk/Id/sds-role-profile-id", "value": "444555666777"},
                {"system": "https://epr.rxx01.example/users", "value": "u-1"}
            ],
            "name": [{"family": "Kaur", "given": ["Asha"], "prefix": ["Dr"]}]
        }
    })
}

/// The value of `Authorization` for these claims, unsigned as the specification wants it.
pub(crate) fn bearer(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("Bearer {}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(claims))
}
