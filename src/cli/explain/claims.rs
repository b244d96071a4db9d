//! What the checks of stage 7 looked at. The claims name people: most are told by their length.

use gpconnect::{
    contract::{Check, Stage},
    names::OdsCode,
};
use serde_json::Value;

use super::{
    case::Case,
    looks::{Look, RAN, saw},
};
use crate::cli::moment;

/// Whether `check` is made of the kind of token that is due: access tokens have checks of their own,
/// and GP Connect tokens too.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are made of GP Connect tokens")]
pub(super) fn is_made(check: Check, is_access_token_due: bool) -> bool {
    match check {
        _ if check.stage() != Stage::Token => true,
        Check::AccessToken
        | Check::IssuerKeys
        | Check::AccessTokenBinding
        | Check::AccessTokenClaims => is_access_token_due,
        Check::Authorization | Check::Expiry | Check::OrganisationIsSenders => true,
        _ => !is_access_token_due,
    }
}

/// What a check of the token looked at.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are about one claim or none")]
pub(super) fn look(check: Check, case: &Case<'_, '_, '_>) -> Look {
    if check == Check::Authorization {
        return match case.head.fields.authorization.text() {
            Some(text) => saw(format!("{} characters", text.len())),
            None => RAN,
        };
    }
    if case.fails(Check::Authorization) {
        return Look::Lacks("an Authorization header");
    }
    if case.is_access_token_due() {
        return access_token(check, case);
    }
    if check == Check::TokenForm {
        return RAN;
    }
    if case.examination.claims().is_none() {
        return Look::Lacks("a token that can be read");
    }
    match check {
        Check::Lifetime | Check::Expiry | Check::IssuedAt => time(check, case),
        Check::Scope if case.examination.identified.is_none() => Look::Lacks("an interaction"),
        Check::OrganisationIsSenders if case.examination.parties.is_none() => {
            Look::Lacks("a sender, see stage 5")
        }
        _ => value(check, case),
    }
}

/// What a check of an access token looked at. Keys and certificates are a running gateway's.
fn access_token(check: Check, case: &Case<'_, '_, '_>) -> Look {
    let place = case.place;
    let untold = place.is_secure() && place.caller.proof.is_none() && case.claim("/cnf").is_some();
    match (check, case.issuer()) {
        (Check::AccessToken | Check::IssuerKeys, Some(_)) => Look::Live,
        (Check::AccessToken, None) => RAN,
        (_, None) => Look::Lacks("an access token of a known issuer"),
        (Check::AccessTokenBinding, Some(_)) if untold => Look::Live,
        (Check::AccessTokenClaims, Some(issuer)) => saw(format!("issuer {}", issuer.name)),
        (Check::Expiry, Some(_)) => time(check, case),
        (Check::OrganisationIsSenders, Some(issuer)) => {
            let claims = case.claims.as_ref();
            let code = claims.and_then(|claims| issuer.mapping.organisation.find(claims));
            match code.and_then(Value::as_str).and_then(|text| text.parse::<OdsCode>().ok()) {
                Some(code) => saw(code.to_string()),
                None => RAN,
            }
        }
        (_, Some(_)) => RAN,
    }
}

/// The claim that a check is about.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are about several")]
const fn claim_of(check: Check) -> Option<(&'static str, &'static str)> {
    Some(match check {
        Check::Issuer => ("/iss", "iss"),
        Check::Subject => ("/sub", "sub"),
        Check::Audience => ("/aud", "aud"),
        Check::ReasonForRequest => ("/reason_for_request", "reason_for_request"),
        Check::Scope => ("/requested_scope", "requested_scope"),
        Check::RequestingDevice => ("/requesting_device", "requesting_device"),
        Check::RequestingOrganization | Check::OrganisationIsSenders => {
            ("/requesting_organization", "requesting_organization")
        }
        Check::RequestingPractitioner => ("/requesting_practitioner", "requesting_practitioner"),
        _ => return None,
    })
}

fn value(check: Check, case: &Case<'_, '_, '_>) -> Look {
    let Some((path, name)) = claim_of(check) else { return RAN };
    let Some(value) = case.claim(path) else { return Look::Lacks(name) };
    match (check, value) {
        (Check::OrganisationIsSenders | Check::RequestingOrganization, value) => {
            match ods_code(value) {
                Some(code) => saw(match case.examination.sender {
                    Some((_, sender)) if check == Check::OrganisationIsSenders => {
                        format!("{code} in the token; the sender is of {}", sender.organisation)
                    }
                    Some(_) | None => code.to_string(),
                }),
                None => RAN,
            }
        }
        // Words of the specification, where they are such.
        (Check::ReasonForRequest | Check::Scope, Value::String(text)) if is_known(text) => {
            saw(text.as_str())
        }
        (Check::Audience, Value::String(text)) => {
            let practice = case.examination.parties.as_ref().filter(|_| !case.fails(check));
            let code = practice.map(|parties| parties.endpoint.service_root.ods_code());
            let same = code.map(|code| format!(": {code}, as Ssp-To")).unwrap_or_default();
            saw(format!("{}{same}", case.place.hide.value(text)))
        }
        (_, Value::String(text)) => saw(case.place.hide.value(text)),
        _ => RAN,
    }
}

fn is_known(text: &str) -> bool {
    const WORDS: [&str; 6] = [
        "directcare",
        "migration",
        "patient/*.read",
        "patient/*.write",
        "organization/*.read",
        "organization/*.write",
    ];
    WORDS.contains(&text)
}

/// The organisation's code, which names no person.
fn ods_code(organisation: &Value) -> Option<OdsCode> {
    let identifiers = organisation.get("identifier")?.as_array()?;
    let values = identifiers.iter().filter_map(|one| one.get("value")?.as_str());
    values.filter_map(|text| text.parse().ok()).next()
}

/// Times are told as people read them.
fn time(check: Check, case: &Case<'_, '_, '_>) -> Look {
    let seconds = |path| case.claim(path).and_then(Value::as_i64);
    let now = case.place.now;
    let told = |name: &str, at: i64| {
        let utc = moment::utc(at).unwrap_or_else(|| String::from("beyond the calendar"));
        saw(format!("{name} {utc}, {}", moment::relative(at, now)))
    };
    match (check, seconds("/iat"), seconds("/exp")) {
        (Check::IssuedAt, Some(iat), _) => told("iat", iat),
        (Check::IssuedAt, None, _) => Look::Lacks("iat"),
        (Check::Expiry, _, Some(exp)) => told("exp", exp),
        (_, _, None) => Look::Lacks("exp"),
        (_, None, Some(_)) => Look::Lacks("iat"),
        (_, Some(iat), Some(exp)) => {
            let apart = exp.saturating_sub(iat);
            let sign = if apart < 0 { "-" } else { "+" };
            saw(format!("exp is iat {sign} {} s", apart.unsigned_abs()))
        }
    }
}
