//! Consumers that send access tokens: which token is due of whom, and what is made of it.

use serde_json::{Value, json};

use super::*;
use crate::{
    facts::Field,
    policy::{Confirmation, IssuerIndex},
    token::{
        self, Item, Said, Terms,
        access::{
            AccessFault, AccessToken,
            tests::{claims, issuer, terms, token as signed},
        },
    },
};

type Access = Result<AccessToken, AccessFault>;

/// The first consumer sends access tokens; the second one, of the same certificate, does not.
fn given() -> Given {
    let policy = policy(|_, consumers| consumers[0].access = Some(Box::new(terms())));
    let policy = policy.with_issuers(vec![issuer(Confirmation::Required)]);
    Given { policy, ..Given::good() }.set("Authorization", "Bearer e30.e30.c2ln")
}

fn decided(given: &Given, access: Option<&Access>) -> Decision {
    let head = given.headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    let fields = Fields::gather(head);
    let facts = RequestFacts { certificate: Some(&[7; 32]), access, ..given.facts(&fields) };
    decide(&facts, &given.policy)
}

fn words(given: &Given, access: Option<&Access>) -> Vec<&'static str> {
    match decided(given, access).outcome {
        Ok(permit) => vec![if permit.minted().is_some() { "minted" } else { "passed" }],
        Err(refused) => {
            std::iter::once(&refused.reason).chain(&refused.also).map(Reason::word).collect()
        }
    }
}

#[test]
fn what_is_due_is_what_the_sender_is_registered_for() {
    let good = Ok(signed(&claims()));
    let unsigned = Err(AccessFault::Unsigned);
    let other = || given().set("Ssp-From", "200000000360");
    let with = |given: Given, token: &str| given.set("Authorization", token);
    let gp_connect = token(|_| {});
    for (name, given, access, expected) in [
        ("an access token", given(), Some(&good), vec!["minted"]),
        (
            "a GP Connect token instead",
            with(given(), &gp_connect),
            Some(&unsigned),
            vec!["access_token_refused"],
        ),
        ("no token", given().without("Authorization"), None, vec!["header_missing"]),
        ("no bearer", with(given(), "Basic x"), None, vec!["token_malformed"]),
        ("not checked", given(), None, vec!["gateway_fault"]),
        ("the neighbour's token", with(other(), &gp_connect), Some(&unsigned), vec!["passed"]),
        (
            "the neighbour with an access token",
            other(),
            Some(&good),
            vec!["token_malformed", "claim_missing"],
        ),
        ("of nobody, signed", given().without("Ssp-From"), Some(&good), vec!["header_missing"]),
        (
            "of nobody, unsigned",
            with(given(), &gp_connect).without("Ssp-From"),
            Some(&unsigned),
            vec!["header_missing"],
        ),
        (
            "keys out of reach",
            given(),
            Some(&Err(AccessFault::KeysUnavailable(IssuerIndex(0)))),
            vec!["issuer_unavailable"],
        ),
    ] {
        let mut found = words(&given, access);
        found.dedup();
        assert_eq!(found, expected, "{name}");
    }
}

/// All that is wrong is told in one round, also of an access token.
#[test]
fn faults_of_an_access_token_are_told_besides_others() {
    let mut claims = claims();
    claims["aud"] = json!("elsewhere");
    claims["sub"] = json!(null);
    claims["cnf"] = json!(null);
    claims["exp"] = json!(NOW);
    claims["https://id.rxx01.example/ods"] = json!("RYY02");
    let given = given().set("Ssp-TraceID", "x");
    let access = Ok(signed(&claims));
    let found = words(&given, Some(&access));
    assert_eq!(
        found,
        [
            "header_invalid",
            "access_token_unbound",
            "access_claim",
            "access_claim",
            "token_expired",
            "organisation_mismatch"
        ]
    );
}

/// gp-connect 7.2: what is made of an access token passes the check that every other consumer's
/// token has to pass, with the strictest settings.
#[test]
fn a_minted_token_passes_our_own_check() {
    let given = given();
    let access = Ok(signed(&claims()));
    let decision = decided(&given, Some(&access));
    assert_eq!(decision.seen.token.issuer, Some(IssuerIndex(0)));
    let recorded = decision.said.unwrap();
    let permit = decision.outcome.unwrap();
    assert!(!format!("{permit:?}").contains("eyJ"), "{permit:?}");

    let sent = format!("Bearer {}", permit.minted().unwrap());
    let mut faults = Vec::new();
    let payload = token::open(Field::One(sent.as_bytes()), 16_384, &mut faults).unwrap();
    let mut sender = given.policy.consumers()[0].clone();
    sender.token.audience = token::AudiencePolicy::Exact;
    let root = ROOT.parse().unwrap();
    let interaction = Some(permit.interaction());
    let now = UnixSeconds(NOW);
    let terms = Terms { now, interaction, sender: Some(&sender), service_root: Some(&root) };
    let read = token::read(&payload).unwrap();
    token::check(&read, &terms, &mut faults);
    assert_eq!(faults, []);
    assert_eq!(recorded, Said::of(&read), "the journal says what the provider is told");

    let claims: Value = serde_json::from_slice(payload.bytes()).unwrap();
    let expected = json!({
        "iss": "https://epr.rxx01.example/",
        "sub": "u-4471",
        "aud": ROOT,
        "iat": NOW,
        "exp": NOW + 300,
        "reason_for_request": "directcare",
        "requested_scope": "patient/*.read",
        "requesting_device": {
            "resourceType": "Device",
            "identifier": [{ "system": "https://epr.rxx01.example/Id/device", "value": "WARD-7" }],
            "model": "Example EPR",
            "version": "9.2",
        },
        "requesting_organization": {
            "resourceType": "Organization",
            "identifier": [{
                "system": "https://fhir.nhs.uk/Id/ods-organization-code",
                "value": "RXX01",
            }],
            "name": "Example Hospital",
        },
        "requesting_practitioner": {
            "resourceType": "Practitioner",
            "id": "u-4471",
            "identifier": [
                { "system": "https://fhir.nhs.uk/Id/sds-user-id", "value": "555000111222" },
                { "system": "https://fhir.nhs.uk/Id/sds-role-profile-id", "value": "555000333444" },
                { "system": "https://epr.rxx01.example/Id/user", "value": "u-4471" },
            ],
            "name": [{ "family": "Kaur", "given": ["Asha"], "prefix": ["Dr"] }],
        },
    });
    assert_eq!(claims, expected);
}

/// The record of a refusal says who the user was, as far as the token did.
#[test]
fn the_user_of_a_refused_request_is_handed_out_too() {
    for (name, aud, target) in [
        ("another stage refuses it", json!("gpconnect"), "/A20047/STU3/1/gpconnect/Nothing/1"),
        ("another claim refuses it", json!("elsewhere"), "/A20047/STU3/1/gpconnect/Patient/17"),
    ] {
        let mut claims = claims();
        claims["aud"] = aud;
        let access = Ok(signed(&claims));
        let decision = decided(&given().target("GET", target), Some(&access));
        assert!(decision.outcome.is_err(), "{name}");
        let said = decision.said.unwrap();
        assert_eq!(said.text(Item::Sub), Some("u-4471"), "{name}");
        assert_eq!(said.text(Item::Family), Some("Kaur"), "{name}");
    }
    let decision = decided(&given(), Some(&Err(AccessFault::Unsigned)));
    assert!(decision.said.is_none(), "nothing that is not signed is believed");
}

/// gp-connect 7.2: without a smartcard its values are UNK; a device without a name is the system.
#[test]
fn what_an_issuer_does_not_say_is_unknown() {
    let mut claims = claims();
    for absent in ["sds_id", "roles", "device"] {
        claims[absent] = Value::Null;
    }
    let access = Ok(signed(&claims));
    let permit = decided(&given(), Some(&access)).outcome.unwrap();
    let payload = permit.minted().unwrap().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    for (pointer, expected) in [
        ("/requesting_practitioner/identifier/0/value", "UNK"),
        ("/requesting_practitioner/identifier/1/value", "UNK"),
        ("/requesting_device/identifier/0/value", "200000000359"),
    ] {
        assert_eq!(claims.pointer(pointer).unwrap(), expected, "{pointer}");
    }
}
