//! What reaches the provider in place of an access token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::issuer::signed;
use super::{Bench, CLINIC, WARDS};
use crate::ambiguity::upstream::Request;
use crate::audit::journal;
use crate::exposition::Exposition;
use crate::harness::call::{host_and_path, root};
use crate::harness::interactions::{BOOK_APPOINTMENT, READ_METADATA, READ_PATIENT};
use crate::harness::{Call, Interaction, token};
use crate::tls::now;

impl Bench {
    /// Checks that a call arrived as it was, but with a token of the gateway's making; gives back
    /// the claims of that.
    fn arrived_minted(&self, name: &str, call: &Call, interaction: &Interaction) -> Value {
        let mut arrived = self.arrived();
        assert_eq!(arrived.len(), 1, "{name}: {arrived:?}");
        let arrived = arrived.remove(0);
        let authorization =
            &arrived.headers.iter().find(|(it, _)| it == "authorization").unwrap().1;
        let sent = call.header("Authorization").unwrap();
        assert!(!format!("{arrived:?}").contains(sent.trim_start_matches("Bearer ")), "{name}");

        let host = host_and_path(self.world.practice(0), interaction).0;
        let expected = call.clone().with("Authorization", authorization);
        assert_eq!(arrived, Request::canonical(&expected, host, "https"), "{name}");

        let parts: Vec<_> = authorization.strip_prefix("Bearer ").unwrap().split('.').collect();
        let [header, claims, ""] = parts[..] else { panic!("{name}: {authorization}") };
        assert_eq!(header, "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", "{name}");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
    }
}

/// gp-connect 7.2: each algorithm, each kind of interaction: the provider gets a fresh token for it,
/// and everything else as it was sent.
#[tokio::test]
async fn the_provider_gets_a_token_of_the_gateway() {
    let bench = Bench::start().await;
    let mut wire = bench.connect(&bench.issued).await;
    let (rsa, keys) = (&bench.keys.rsa, &bench.keys);
    for (key, alg, interaction, path) in [
        (rsa, "RS256", &READ_PATIENT, "Patient/1"),
        (rsa, "RS384", &READ_METADATA, "metadata"),
        (rsa, "RS512", &READ_PATIENT, "Patient/1"),
        (rsa, "PS256", &BOOK_APPOINTMENT, "Appointment"),
        (rsa, "PS384", &READ_PATIENT, "Patient/1"),
        (rsa, "PS512", &READ_PATIENT, "Patient/1"),
        (&keys.p256, "ES256", &READ_PATIENT, "Patient/1?_format=json"),
        (&keys.p384, "ES384", &READ_METADATA, "metadata"),
        (&keys.ed25519, "EdDSA", &READ_PATIENT, "Patient/1"),
    ] {
        let claims = bench.claims(&bench.issued);
        let mut call = bench.call(interaction, path, &signed(key, alg, &claims));
        if interaction.verb == "POST" {
            call = call.json(&json!({ "resourceType": "Appointment" }));
        }
        let before = now();
        let reply = wire.exchange(&call).await;
        assert_eq!(reply.status, 200, "{alg}: {reply:?}");
        let minted = bench.arrived_minted(alg, &call, interaction);
        let iat = minted["iat"].as_i64().unwrap();
        assert!((before..=now()).contains(&iat), "{alg}: {iat}");
        assert_eq!(
            minted,
            expected(interaction.scope, root(bench.world.practice(0), interaction), iat),
            "{alg}"
        );

        // Who it was stands in the log by the token's id, and by nothing else.
        let line = bench.line(alg, &call).await;
        assert_eq!((&line["issuer"], &line["jti"]), (&json!("trust"), &claims["jti"]), "{line}");
        for secret in ["u-4471", "Kaur", "Asha", "555000333444"] {
            assert!(!line.to_string().contains(secret), "{line}");
        }
    }
    let exposition = Exposition::of(&bench.world).await;
    let labels = [("issuer", "trust"), ("result", "proved")];
    assert_eq!(exposition.sum("access_tokens_total", &labels), 9.0);
}

fn expected(scope: &str, root: &str, iat: i64) -> Value {
    let identifier = |system: &str, value: &str| json!({ "system": system, "value": value });
    json!({
        "iss": "https://wards.rxx01.example/",
        "sub": "u-4471",
        "aud": root,
        "iat": iat,
        "exp": iat + 300,
        "reason_for_request": "directcare",
        "requested_scope": scope,
        "requesting_device": {
            "resourceType": "Device",
            "identifier": [identifier("https://wards.rxx01.example/Id/device", WARDS)],
            "model": "Example EPR",
            "version": "9.2",
        },
        "requesting_organization": {
            "resourceType": "Organization",
            "identifier": [identifier("https://fhir.nhs.uk/Id/ods-organization-code", "RXX01")],
            "name": "Example Hospital",
        },
        "requesting_practitioner": {
            "resourceType": "Practitioner",
            "id": "u-4471",
            "identifier": [
                identifier("https://fhir.nhs.uk/Id/sds-user-id", "UNK"),
                identifier("https://fhir.nhs.uk/Id/sds-role-profile-id", "555000333444"),
                identifier("https://wards.rxx01.example/Id/user", "u-4471"),
            ],
            "name": [{ "family": "Kaur", "given": ["Asha"] }],
        },
    })
}

/// Two systems of one certificate, on one connection: each is held to its own kind of token.
#[tokio::test]
async fn a_neighbour_without_an_issuer_sends_its_own_token() {
    let bench = Bench::start().await;
    let mut wire = bench.connect(&bench.issued).await;
    let own = token::bearer(&token::claims(
        "patient/*.read",
        root(bench.world.practice(0), &READ_PATIENT),
    ));
    let own = own.strip_prefix("Bearer ").unwrap();

    let call = bench.read(own).with("Ssp-From", CLINIC);
    assert_eq!(wire.exchange(&call).await.status, 200);
    let host = host_and_path(bench.world.practice(0), &READ_PATIENT).0;
    assert_eq!(bench.arrived(), [Request::canonical(&call, host, "https")], "as it was sent");

    let call = bench.read(&bench.token()).with("Ssp-From", CLINIC);
    let reply = bench.is_refused("a signed token", &mut wire, &call, "token_malformed").await;
    assert!(
        reply.text().contains("access tokens are for systems registered for them"),
        "{reply:?}"
    );

    let reply = bench
        .is_refused("an unsigned token", &mut wire, &bench.read(own), "access_token_refused")
        .await;
    assert!(
        reply
            .text()
            .contains("it is not signed; this system is registered for signed access tokens"),
        "{reply:?}"
    );

    let call = bench.read(&bench.token());
    assert_eq!(wire.exchange(&call).await.status, 200);
    bench.arrived_minted("a signed token", &call, &READ_PATIENT);
}

/// All that is wrong with a token is told in one answer.
#[tokio::test]
async fn faults_of_an_access_token_are_told_together() {
    let bench = Bench::start().await;
    let mut wire = bench.connect(&bench.issued).await;
    let mut claims = bench.claims(&bench.issued);
    claims["aud"] = json!("https://elsewhere.example/");
    claims["family_name"] = json!(7);
    claims["cnf"] = json!(null);
    let call = bench.read(&signed(&bench.keys.rsa, "RS256", &claims)).with("Ssp-TraceID", "x");
    let reply = wire.exchange(&call).await;
    let issues = reply.json()["issue"].clone();
    let told: Vec<_> =
        issues.as_array().unwrap().iter().map(|it| it["diagnostics"].as_str().unwrap()).collect();
    let [trace_id, unbound, aud, family] = told[..] else { panic!("{told:?}") };
    assert!(trace_id.starts_with("Ssp-TraceID header is not valid"), "{told:?}");
    assert!(unbound.contains("cnf.x5t#S256 is missing"), "{told:?}");
    assert!(aud.contains("claim aud names another audience"), "{told:?}");
    assert!(family.contains("claim family_name is a number; expected a text"), "{told:?}");
}

/// Who it was is found in the journal by the user's id, also of a request that was refused; and read
/// by nobody without the reader's key.
/// gp-connect 12.
#[tokio::test]
async fn the_journal_knows_the_user_of_an_access_token() {
    let mut bench = Bench::start().await;
    let mut wire = bench.connect(&bench.issued).await;
    let good = bench.claims(&bench.issued);
    let call = bench.read(&signed(&bench.keys.rsa, "RS256", &good));
    assert_eq!(wire.exchange(&call).await.status, 200);
    bench.arrived_minted("a good one", &call, &READ_PATIENT);
    let mut late = bench.claims(&bench.issued);
    (late["iat"], late["exp"]) = (json!(now() - 600), json!(now() - 1));
    let call = bench.read(&signed(&bench.keys.rsa, "RS256", &late));
    bench.is_refused("expired", &mut wire, &call, "token_expired").await;
    drop(wire);
    assert_eq!(bench.world.gateway.stop().await, Some(0));

    let folder = bench.world.gateway.folder();
    let search = ["--user", "u-4471", "--search-key", "audit-keys/search.key", "-o", "json"];
    let found = journal::command(folder, "search", &search);
    for (kind, claims) in [("intent", &good), ("outcome", &good), ("refusal", &late)] {
        let records = found.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let records: Vec<_> = records.filter(|record| record["kind"] == kind).collect();
        let [record] = &records[..] else { panic!("{kind}: {found}") };
        let told = (&record["issuer"], &record["jti"]);
        assert_eq!(told, (&json!("trust"), &claims["jti"]), "{kind}: {found}");
    }
    assert!(!found.contains("Kaur") && !found.contains("u-4471"), "{found}");
    let reader = ["--reader-key", "audit-keys/reader.key"];
    let opened = journal::command(folder, "search", &[&search[..], &reader[..]].concat());
    for told in ["Kaur", "Asha", "u-4471", "555000333444"] {
        assert!(opened.matches(told).count() >= 2, "{told}: {opened}");
    }
}
