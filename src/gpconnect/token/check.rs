//! Whether the claims are complete, in time, and agree with caller, practice and interaction.

use super::{
    Claims, LIFETIME_SECONDS,
    claims::{Device, Identifier, Organization, Practitioner, Text},
};
use crate::{
    accreditation::Parties, contract::Claim, facts::UnixSeconds, interaction::Scope,
    names::OdsCode, rejection::Reason, sent::Sent,
};

/// How far `iat` may lie ahead of our clock, in seconds (gp-connect 7.3).
const MAX_AHEAD_SECONDS: i64 = 300;

/// The systems that an organisation code may be given in; the second is the spelling of 0.x.
const ODS_SYSTEMS: [&str; 2] = [
    "https://fhir.nhs.uk/Id/ods-organization-code",
    "http://fhir.nhs.net/Id/ods-organization-code",
];
const SDS_USER_SYSTEM: &str = "https://fhir.nhs.uk/Id/sds-user-id";

/// Checks every claim and adds a fault for each that is wrong.
///
/// `scope` is what the interaction wants; `parties` tells whose token it has to be. Where either
/// is not known, what depends on it is not checked.
pub fn check(
    claims: &Claims<'_>,
    now: UnixSeconds,
    scope: Option<Scope>,
    parties: Option<&Parties<'_>>,
    faults: &mut Vec<Reason>,
) {
    let mut note = |fault: Option<Reason>| faults.extend(fault);
    note(non_empty(Claim::Iss, &claims.iss));
    note(non_empty(Claim::Sub, &claims.sub));
    note(audience(&claims.aud, parties.map(|parties| parties.endpoint.service_root.ods_code())));
    note(issued(&claims.iat, now));
    note(lifetime(&claims.iat, &claims.exp));
    note(expiry(&claims.exp, now));
    note(reason_for_request(&claims.reason_for_request));
    note(requested_scope(&claims.requested_scope, scope));
    note(device(&claims.device));
    note(organization(&claims.organization, parties.map(|parties| parties.consumer.organisation)));
    note(practitioner(&claims.practitioner, &claims.sub));
}

const fn missing(claim: Claim) -> Option<Reason> {
    Some(Reason::ClaimMissing(claim))
}

const fn invalid(claim: Claim, fault: &'static str) -> Option<Reason> {
    Some(Reason::ClaimInvalid { claim, fault })
}

fn non_empty(name: Claim, claim: &Sent<Text<'_>>) -> Option<Reason> {
    match claim {
        Sent::Absent => missing(name),
        Sent::Value(text) if text.is_blank() => invalid(name, "is empty"),
        Sent::Value(_) | Sent::Faulty => None,
    }
}

/// Consumers that use the ODS form can't know the service root: their own URL of the gateway will
/// stand there. What every form shares is the practice's code as a path segment (D3).
fn audience(claim: &Sent<Text<'_>>, practice: Option<OdsCode>) -> Option<Reason> {
    let names = |text: &str, code: OdsCode| text.split('/').any(|segment| segment == code.as_str());
    match (claim, practice) {
        (Sent::Value(text), Some(code)) if !text.is_blank() && !names(text.as_str(), code) => {
            invalid(Claim::Aud, "does not name this practice")
        }
        _ => non_empty(Claim::Aud, claim),
    }
}

fn issued(iat: &Sent<i64>, now: UnixSeconds) -> Option<Reason> {
    match iat {
        Sent::Absent => missing(Claim::Iat),
        Sent::Value(iat) if iat.saturating_sub(now.0) > MAX_AHEAD_SECONDS => {
            invalid(Claim::Iat, "lies more than 300 seconds in the future")
        }
        Sent::Value(_) | Sent::Faulty => None,
    }
}

fn lifetime(iat: &Sent<i64>, exp: &Sent<i64>) -> Option<Reason> {
    match (iat, exp) {
        (_, Sent::Absent) => missing(Claim::Exp),
        (Sent::Value(iat), Sent::Value(exp)) if exp.checked_sub(*iat) != Some(LIFETIME_SECONDS) => {
            invalid(Claim::Exp, "is not 300 seconds after iat")
        }
        _ => None,
    }
}

/// "On and after": a token ends at its expiry, without grace.
fn expiry(exp: &Sent<i64>, now: UnixSeconds) -> Option<Reason> {
    match exp {
        Sent::Value(exp) if now.0 >= *exp => Some(Reason::TokenExpired),
        Sent::Value(_) | Sent::Absent | Sent::Faulty => None,
    }
}

fn reason_for_request(claim: &Sent<Text<'_>>) -> Option<Reason> {
    match claim {
        Sent::Absent => missing(Claim::ReasonForRequest),
        Sent::Value(text) if !matches!(text.as_str(), "directcare" | "migration") => {
            invalid(Claim::ReasonForRequest, "is not directcare")
        }
        Sent::Value(_) | Sent::Faulty => None,
    }
}

fn requested_scope(claim: &Sent<Text<'_>>, wanted: Option<Scope>) -> Option<Reason> {
    match (claim, wanted) {
        (Sent::Absent, _) => missing(Claim::RequestedScope),
        // 1.6 adds the confidentiality behind a blank.
        (Sent::Value(text), Some(wanted))
            if text.as_str().split(' ').next() != Some(wanted.as_str()) =>
        {
            Some(Reason::ScopeMismatch(wanted))
        }
        _ => None,
    }
}

fn is_complete(identifier: &Identifier<'_>) -> bool {
    identifier.system.text().is_some() && identifier.value.text().is_some()
}

fn device(claim: &Sent<Device<'_>>) -> Option<Reason> {
    const NAME: Claim = Claim::RequestingDevice;
    match claim {
        Sent::Absent => missing(NAME),
        Sent::Value(device) if !device.identifier.items().first().is_some_and(is_complete) => {
            invalid(NAME, "lacks an identifier with system and value")
        }
        Sent::Value(device) if device.model.text().is_none() => invalid(NAME, "lacks model"),
        Sent::Value(device) if device.version.text().is_none() => invalid(NAME, "lacks version"),
        Sent::Value(_) | Sent::Faulty => None,
    }
}

fn organization(claim: &Sent<Organization<'_>>, sender: Option<OdsCode>) -> Option<Reason> {
    const NAME: Claim = Claim::RequestingOrganization;
    let organization = match claim {
        Sent::Absent => return missing(NAME),
        Sent::Faulty => return None,
        Sent::Value(organization) => organization,
    };
    let is_ods = |identifier: &&Identifier<'_>| {
        identifier.system.text().is_some_and(|system| ODS_SYSTEMS.contains(&system))
    };
    let identifiers = organization.identifier.items();
    let code = identifiers.iter().find(is_ods).and_then(|identifier| identifier.value.text());
    match (code, sender) {
        (None, _) => invalid(NAME, "lacks an ODS organisation code"),
        (Some(code), Some(sender)) if code != sender.as_str() => Some(Reason::OrganisationMismatch),
        _ if organization.name.text().is_none() => invalid(NAME, "lacks name"),
        _ => None,
    }
}

fn practitioner(claim: &Sent<Practitioner<'_>>, sub: &Sent<Text<'_>>) -> Option<Reason> {
    const NAME: Claim = Claim::RequestingPractitioner;
    let practitioner = match claim {
        Sent::Absent => return missing(NAME),
        Sent::Faulty => return None,
        Sent::Value(practitioner) => practitioner,
    };
    let Some(id) = practitioner.id.text() else {
        return invalid(NAME, "lacks id");
    };
    if matches!(sub, Sent::Value(sub) if sub.as_str() != id) {
        return invalid(Claim::Sub, "is not the id of requesting_practitioner");
    }
    let name = practitioner.name.items().first();
    if name.and_then(|name| name.family.text()).is_none() {
        return invalid(NAME, "lacks name[0].family");
    }
    if name.and_then(|name| name.given.items().first()).is_none_or(Text::is_blank) {
        return invalid(NAME, "lacks name[0].given[0]");
    }
    let is_user = |identifier: &Identifier<'_>| {
        identifier.system.text() == Some(SDS_USER_SYSTEM) && is_complete(identifier)
    };
    if !practitioner.identifier.items().iter().any(is_user) {
        return invalid(NAME, "lacks an identifier with system https://fhir.nhs.uk/Id/sds-user-id");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::claims;

    const NOW: UnixSeconds = UnixSeconds(1_795_420_900);

    /// A good token made 100 s ago, with `old` replaced by `new`.
    fn changed(old: &str, new: &str) -> Vec<String> {
        let good = r#"{"iss":"https://epr.rxx01.example/","sub":"u-1","iat":1795420800,"exp":1795421100,
            "aud":"https://gp.example/A20047/STU3/1/gpconnect","reason_for_request":"directcare",
            "requested_scope":"patient/*.read",
            "requesting_device":{"resourceType":"Device","identifier":[{"system":"s","value":"v"}],
                "model":"EPR","version":"1"},
            "requesting_organization":{"resourceType":"Organization","name":"Example Hospital",
                "identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"RXX01"}]},
            "requesting_practitioner":{"resourceType":"Practitioner","id":"u-1",
                "name":[{"family":"Kaur","given":["Asha"]}],
                "identifier":[{"system":"https://fhir.nhs.uk/Id/sds-user-id","value":"UNK"}]}}"#;
        assert!(good.contains(old), "{old}");
        let text = good.replacen(old, new, 1);
        let mut faults = Vec::new();
        match claims::read(text.as_bytes(), &mut faults) {
            Ok(claims) => check(&claims, NOW, Some(Scope::PatientRead), None, &mut faults),
            Err(fault) => faults.push(fault),
        }
        faults.iter().map(Reason::diagnostics).collect()
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table: one row a case")]
    fn each_claim_is_told_by_name() {
        for (name, old, new, expected) in [
            ("good", "", "", vec![]),
            (
                "a list",
                "{\"iss\"",
                "[\"iss\"",
                vec![
                    "Authorization header is not valid: the token has claims that are not one JSON object, or that repeat a name",
                ],
            ),
            ("unknown claim", "{\"iss\"", "{\"x\":1,\"iss\"", vec![]),
            (
                "iss null",
                "\"https://epr.rxx01.example/\"",
                "null",
                vec!["JWT claim iss is missing"],
            ),
            ("iss empty", "https://epr.rxx01.example/", "", vec!["JWT claim iss is empty"]),
            (
                "iss number",
                "\"https://epr.rxx01.example/\"",
                "7",
                vec!["JWT claim iss is not a string"],
            ),
            (
                "iss twice",
                "{\"iss\"",
                "{\"iss\":\"\",\"iss\"",
                vec![
                    "Authorization header is not valid: the token has claims that are not one JSON object, or that repeat a name",
                ],
            ),
            (
                "not JSON",
                "{\"iss\"",
                "\"iss\"",
                vec![
                    "Authorization header is not valid: the token has claims that are not one JSON object, or that repeat a name",
                ],
            ),
            (
                "sub other",
                "\"sub\":\"u-1\"",
                "\"sub\":\"u-2\"",
                vec!["JWT claim sub is not the id of requesting_practitioner"],
            ),
            (
                "299 seconds",
                "1795421100",
                "1795421099",
                vec!["JWT claim exp is not 300 seconds after iat"],
            ),
            (
                "301 seconds",
                "1795421100",
                "1795421101",
                vec!["JWT claim exp is not 300 seconds after iat"],
            ),
            (
                "negative exp",
                "1795421100",
                "-1",
                vec!["JWT claim exp is not 300 seconds after iat", "JWT has expired"],
            ),
            (
                "exp a fraction",
                "1795421100",
                "1795421100.5",
                vec!["JWT claim exp is not a whole number of seconds"],
            ),
            ("no exp", "\"exp\":1795421100,", "", vec!["JWT claim exp is missing"]),
            (
                "overflow",
                "1795420800",
                "-9223372036854775808",
                vec!["JWT claim exp is not 300 seconds after iat"],
            ),
            (
                "reason",
                "directcare",
                "research",
                vec!["JWT claim reason_for_request is not directcare"],
            ),
            (
                "scope",
                "patient/*.read",
                "patient/*.write",
                vec![
                    "JWT claim requested_scope does not fit the interaction; expected patient/*.read",
                ],
            ),
            (
                "device type",
                "Device",
                "Banana",
                vec!["JWT claim requesting_device is not a valid Device: resourceType"],
            ),
            (
                "device without version",
                ",\"version\":\"1\"}",
                "}",
                vec!["JWT claim requesting_device lacks version"],
            ),
            (
                "old organisation system",
                "https://fhir.nhs.uk/Id/ods",
                "http://fhir.nhs.net/Id/ods",
                vec![],
            ),
            (
                "no organisation name",
                "\"Example Hospital\"",
                "null",
                vec!["JWT claim requesting_organization lacks name"],
            ),
            (
                "family as a list",
                "\"Kaur\"",
                "[\"Kaur\"]",
                vec![
                    "JWT claim requesting_practitioner is not a valid Practitioner: an element has another shape",
                ],
            ),
            (
                "no user id",
                "sds-user-id",
                "other",
                vec![
                    "JWT claim requesting_practitioner lacks an identifier with system https://fhir.nhs.uk/Id/sds-user-id",
                ],
            ),
        ] {
            assert_eq!(changed(old, new), expected, "{name}");
        }
    }

    #[test]
    fn a_token_lives_until_its_expiry() {
        for (name, exp, now, lives) in [
            ("the last second", 1_000, 999, true),
            ("at expiry", 1_000, 1_000, false),
            ("long before", 1_300, 1_000, true),
        ] {
            assert_eq!(expiry(&Sent::Value(exp), UnixSeconds(now)).is_none(), lives, "{name}");
        }
    }

    #[test]
    fn a_clock_may_be_five_minutes_ahead() {
        for (name, iat, good) in [
            ("200 s ahead", 1_200, true),
            ("300 s ahead", 1_300, true),
            ("301 s ahead", 1_301, false),
            ("far ahead", i64::MAX, false),
            ("behind", i64::MIN, true),
        ] {
            assert_eq!(issued(&Sent::Value(iat), UnixSeconds(1_000)).is_none(), good, "{name}");
        }
    }

    #[test]
    fn the_audience_names_the_practice() {
        let practice = Some("A20047".parse().unwrap());
        for (name, aud, good) in [
            ("service root", "https://gp.example/A20047/STU3/1/gpconnect", true),
            ("the gateway's own", "https://gateway.example/A20047/STU3/1/gpconnect", true),
            ("code at the end", "https://gp.example/A20047", true),
            ("another practice", "https://gp.example/B20047/STU3/1/gpconnect", false),
            ("code in a word", "https://gp.example/XA20047/STU3", false),
            ("empty", "", false),
        ] {
            let claim = Sent::Value(Text(aud.into()));
            assert_eq!(audience(&claim, practice).is_none(), good, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_payload_panics(payload: Vec<u8>) {
            let mut faults = Vec::new();
            if let Ok(claims) = claims::read(&payload, &mut faults) {
                check(&claims, NOW, Some(Scope::PatientRead), None, &mut faults);
            }
        }
    }
}
