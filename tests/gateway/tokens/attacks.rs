//! Tokens that nobody should take: exactly the good ones in between reach the provider.

use std::time::Duration;

use openssl::hash::MessageDigest;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::issuer::{Key, Kind, compact, encode, hmac, signed};
use super::{AUDIENCE, Bench, REGION, TRUST};
use crate::harness::Call;
use crate::tls::now;

const REFUSED: &str = "access_token_refused";
const CLAIM: &str = "access_claim";
const MALFORMED: &str = "token_malformed";
const UNBOUND: &str = "access_token_unbound";

/// One token, and the word that it is refused with.
type Case = (String, String, &'static str);

impl Bench {
    /// Sends each token, and a good one behind every few of them.
    async fn refuses(&self, cases: Vec<Case>) {
        let mut wire = self.connect(&self.issued).await;
        for (number, (name, token, word)) in cases.into_iter().enumerate() {
            let call = self.read(&token);
            self.is_refused(&name, &mut wire, &call, word).await;
            if number % 8 == 0 {
                self.still_serves(&name).await;
            }
        }
        self.still_serves("all").await;
    }

    /// A good token is taken, whatever came before it.
    async fn still_serves(&self, name: &str) {
        let mut wire = self.connect(&self.issued).await;
        let call = self.read(&self.token());
        let reply = wire.exchange(&call).await;
        assert_eq!(reply.status, 200, "behind {name}: {reply:?}");
        let arrived = self.arrived();
        assert_eq!(arrived.len(), 1, "behind {name}: {arrived:?}");
    }

    /// The good claims as a text.
    fn text(&self) -> String {
        self.claims(&self.issued).to_string()
    }

    /// A token of this header, well signed by the key on P-256.
    fn with_header(&self, header: &Value) -> String {
        let key = &self.keys.p256;
        compact(&header.to_string(), &self.text(), |input| key.sign("ES256", input))
    }
}

fn header(alg: &str, kid: &str) -> Value {
    json!({ "alg": alg, "typ": "at+jwt", "kid": kid })
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table: one row a token")]
async fn nothing_but_a_signature_of_the_issuer_counts() {
    let bench = Bench::start().await;
    let (keys, text) = (&bench.keys, bench.text());
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |name: &str, token: String| cases.push((name.to_owned(), token, REFUSED));

    for alg in ["none", "None", "nOnE", "NONE", "none ", ""] {
        let header = header(alg, "rsa-1").to_string();
        add(&format!("{alg:?}, unsigned"), compact(&header, &text, |_| Vec::new()));
        let signed = compact(&header, &text, |input| keys.rsa.sign("RS256", input));
        add(&format!("{alg:?}, signed"), signed);
    }
    let pem = keys.rsa.key.public_key_to_pem().unwrap();
    let der = keys.rsa.key.public_key_to_der().unwrap();
    let modulus = keys.rsa.key.rsa().unwrap().n().to_vec();
    let jwk = keys.rsa.jwk().to_string().into_bytes();
    for (name, secret) in [("PEM", pem), ("DER", der), ("modulus", modulus), ("JWK", jwk)] {
        for alg in ["HS256", "RS256"] {
            let header = header(alg, "rsa-1").to_string();
            let token = compact(&header, &text, |input| hmac(&secret, input));
            add(&format!("{alg}: HMAC with the public key as {name}"), token);
        }
    }

    let good = signed(&keys.p256, "ES256", &bench.claims(&bench.issued));
    let (input, signature) = good.rsplit_once('.').unwrap();
    add("stripped", format!("{input}."));
    add("without the last part", input.to_owned());
    add("cut", format!("{input}.{}", signature.split_at(40).0));
    add("longer", format!("{input}.{signature}AAAA"));
    add("padded", format!("{input}.{signature}=="));
    add("bits behind the end", format!("{input}.{}B", signature.split_at(signature.len() - 1).0));
    let es256 = header("ES256", "p256-1").to_string();
    add("zeros", compact(&es256, &text, |_| vec![0; 64]));
    add("ones", compact(&es256, &text, |_| [vec![0; 31], vec![1], vec![0; 31], vec![1]].concat()));
    add("in DER", compact(&es256, &text, |input| keys.p256.sign_in_der(input)));
    let other = bench.claims(&bench.issued).to_string();
    let (signed_header, _) = input.split_once('.').unwrap();
    add("of other claims", format!("{signed_header}.{}.{signature}", encode(other)));

    let stranger = Key::new("p256-1", Kind::P256);
    add("a stranger's", signed(&stranger, "ES256", &bench.claims(&bench.issued)));
    let confused = |kid, alg, key: &Key| {
        compact(&header(alg, kid).to_string(), &text, |input| key.sign(alg, input))
    };
    add("RSA under the name of a curve", confused("p256-1", "RS256", &keys.rsa));
    add("a curve under the name of RSA", confused("rsa-1", "ES256", &keys.p256));
    add("another curve", confused("p384-1", "ES256", &keys.p256));
    add("the region's key", confused("region-1", "ES256", &keys.region));
    add("another hash", compact(&es256, &text, |input| keys.p256.sign("ES384", input)));
    add(
        "PSS for PKCS 1",
        compact(&header("RS256", "rsa-1").to_string(), &text, |input| {
            keys.rsa.sign("PS256", input)
        }),
    );
    add(
        "PKCS 1 for PSS",
        compact(&header("PS256", "rsa-1").to_string(), &text, |input| {
            keys.rsa.sign("RS256", input)
        }),
    );
    for alg in ["ES512", "ES256K", "es256", "A256GCMKW", "dir"] {
        add(alg, bench.with_header(&header(alg, "p256-1")));
    }
    bench.refuses(cases).await;
}

#[tokio::test]
async fn a_header_names_no_key_of_its_own() {
    let bench = Bench::start().await;
    let mut cases: Vec<Case> = Vec::new();
    let long = "k".repeat(4_000);
    for kid in [
        json!("../../../../etc/passwd"),
        json!("/dev/null"),
        json!("x' UNION SELECT 'secret' --"),
        json!("|/usr/bin/id"),
        json!("rsa-1\u{0}"),
        json!("RSA-1"),
        json!(" rsa-1"),
        json!("http://127.0.0.1:9/keys"),
        json!("9000000009"),
        json!(long),
        json!(""),
        json!(1),
        json!(null),
        json!(["p256-1"]),
        json!({ "kid": "p256-1" }),
    ] {
        let mut header = header("ES256", "");
        header["kid"] = kid.clone();
        cases.push((format!("kid {kid:.40}"), bench.with_header(&header), REFUSED));
    }
    let own = Key::new("p256-1", Kind::P256);
    let chain = vec![encode(bench.issued.certificate.to_der().unwrap())];
    for (member, value) in [
        ("jwk", own.jwk()),
        ("jku", json!("https://id.attacker.example/keys")),
        ("x5u", json!("https://id.attacker.example/chain")),
        ("x5c", json!(chain)),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(["b64"])),
    ] {
        let mut header = header("ES256", "p256-1");
        header[member] = value;
        header["b64"] = if member == "crit" { json!(false) } else { json!(true) };
        if member != "crit" {
            header.as_object_mut().unwrap().remove("b64");
        }
        let text = bench.text();
        for (who, key) in [("its own key", &own), ("the issuer's key", &bench.keys.p256)] {
            let token = compact(&header.to_string(), &text, |input| key.sign("ES256", input));
            cases.push((format!("{member} and {who}"), token, REFUSED));
        }
    }
    bench.refuses(cases).await;
}

#[tokio::test]
async fn what_holds_the_claims_is_read_in_one_way_only() {
    let bench = Bench::start().await;
    let (key, text) = (&bench.keys.p256, bench.text());
    let sign = |header: &str, claims: &str| compact(header, claims, |it| key.sign("ES256", it));
    let plain = header("ES256", "p256-1").to_string();
    let good = sign(&plain, &text);
    let parts: Vec<_> = good.split('.').collect();
    let twice = |name: &str, value: &str| text.replacen('{', &format!("{{\"{name}\":{value},"), 1);
    let nested = format!("{}0{}", "[".repeat(40), "]".repeat(40));
    let many = format!("[{}0]", "0,".repeat(2_000));
    let mut cases = vec![
        (
            "encrypted",
            format!("{}.{}.{}.{}.{}", parts[0], parts[1], parts[1], parts[1], parts[2]),
            REFUSED,
        ),
        ("four parts", format!("{good}.{}", parts[2]), REFUSED),
        ("one part", parts[0].to_owned(), REFUSED),
        ("dots", ".".repeat(4_000), REFUSED),
        ("no header", format!(".{}.{}", parts[1], parts[2]), REFUSED),
        ("no claims", format!("{}..{}", parts[0], parts[2]), REFUSED),
        ("a header that is no object", sign("[]", &text), REFUSED),
        ("a header that is no JSON", sign("alg", &text), REFUSED),
        ("a header twice", sign(&plain.replacen('{', "{\"alg\":\"none\",", 1), &text), REFUSED),
        ("a kid twice", sign(&plain.replacen('{', "{\"kid\":\"rsa-1\",", 1), &text), REFUSED),
        (
            "an escaped name twice",
            sign(&plain.replacen('{', "{\"\\u0061lg\":\"none\",", 1), &text),
            REFUSED,
        ),
        ("a token in a token", sign(&plain, &good), REFUSED),
        ("a token as a text", sign(&plain, &json!(good).to_string()), REFUSED),
        ("a list of claims", sign(&plain, &format!("[{text}]")), REFUSED),
        ("nothing signed", sign(&plain, ""), REFUSED),
        ("another issuer twice", sign(&plain, &twice("iss", &json!(REGION).to_string())), REFUSED),
        ("a user twice", sign(&plain, &twice("sub", "\"u-1\"")), REFUSED),
        ("an expiry twice", sign(&plain, &twice("exp", "9999999999")), REFUSED),
        ("an escaped user twice", sign(&plain, &twice("\\u0073ub", "\"u-1\"")), REFUSED),
        ("twice within", sign(&plain, &twice("x", "{\"a\":1,\"a\":1}")), REFUSED),
        ("nested", sign(&plain, &twice("x", &nested)), REFUSED),
        ("many values", sign(&plain, &twice("x", &many)), REFUSED),
    ];
    let padded = format!("{}=.{}.{}", parts[0], parts[1], parts[2]);
    cases.push(("padding", padded, REFUSED));
    let named = |(name, token, word): (&str, String, _)| (name.to_owned(), token, word);
    bench.refuses(cases.into_iter().map(named).collect()).await;
}

type Change = fn(&mut Value);

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table: one row a token")]
async fn claims_hold_for_this_gateway_and_this_moment() {
    let bench = Bench::start().await;
    let at = |claim: &'static str, seconds: i64| {
        let mut claims = bench.claims(&bench.issued);
        claims[claim] = json!(now() + seconds);
        claims
    };
    let changed = |change: Change| {
        let mut claims = bench.claims(&bench.issued);
        change(&mut claims);
        claims
    };
    let cases = vec![
        ("no issuer", changed(|it| it["iss"] = json!(null)), REFUSED),
        ("an unknown issuer", changed(|it| it["iss"] = json!("https://id.rxx01.example")), REFUSED),
        ("an issuer in a list", changed(|it| it["iss"] = json!([TRUST])), REFUSED),
        ("another issuer's name", changed(|it| it["iss"] = json!(REGION)), REFUSED),
        ("another audience", changed(|it| it["aud"] = json!("https://gateway.example/")), CLAIM),
        (
            "the provider as audience",
            changed(|it| it["aud"] = json!("https://gp.example/A20047/STU3/1/gpconnect")),
            CLAIM,
        ),
        ("other audiences", changed(|it| it["aud"] = json!(["a", "b"])), CLAIM),
        ("no audience", changed(|it| it["aud"] = json!(null)), CLAIM),
        ("an audience within", changed(|it| it["aud"] = json!([[AUDIENCE]])), CLAIM),
        (
            "expired",
            changed(|it| {
                it["iat"] = json!(now() - 600);
                it["exp"] = json!(now() - 1);
            }),
            "token_expired",
        ),
        ("no expiry", changed(|it| it["exp"] = json!(null)), CLAIM),
        ("an expiry as text", changed(|it| it["exp"] = json!("9999999999")), CLAIM),
        ("a huge expiry", changed(|it| it["exp"] = json!(1e300)), CLAIM),
        ("too long a life", at("exp", 3_601), CLAIM),
        ("no beginning", changed(|it| it["iat"] = json!(null)), CLAIM),
        (
            "made in the future",
            changed(|it| {
                it["iat"] = json!(now() + 200);
                it["exp"] = json!(now() + 400);
            }),
            CLAIM,
        ),
        ("not yet valid", at("nbf", 200), CLAIM),
        ("no user", changed(|it| it["sub"] = json!("")), CLAIM),
        ("an odd user", changed(|it| it["sub"] = json!({ "id": "u-1" })), CLAIM),
        ("no name", changed(|it| it["family_name"] = json!(null)), CLAIM),
        ("a long name", changed(|it| it["family_name"] = json!("x".repeat(300))), CLAIM),
        ("no organisation", changed(|it| it["org"] = json!(null)), CLAIM),
        (
            "another's organisation",
            changed(|it| it["org"]["ods"] = json!("RYY02")),
            "organisation_mismatch",
        ),
        (
            "a practice's organisation",
            changed(|it| it["org"]["ods"] = json!("A20047")),
            "organisation_mismatch",
        ),
        ("no certificate", changed(|it| it["cnf"] = json!(null)), UNBOUND),
        ("an empty confirmation", changed(|it| it["cnf"] = json!({})), UNBOUND),
        (
            "a key's confirmation",
            changed(|it| it["cnf"] = json!({ "jkt": it["cnf"]["x5t#S256"] })),
            UNBOUND,
        ),
        (
            "a hash in hexadecimal",
            changed(|it| it["cnf"]["x5t#S256"] = json!("00".repeat(32))),
            UNBOUND,
        ),
    ];
    let named = |(name, claims, word): (&str, Value, _)| {
        (name.to_owned(), signed(&bench.keys.ed25519, "EdDSA", &claims), word)
    };
    bench.refuses(cases.into_iter().map(named).collect()).await;
}

/// A stolen token is of no use with another certificate, however good; nor is the region's, of which
/// this consumer is not registered to send any.
#[tokio::test]
async fn a_token_is_good_for_its_holder_only() {
    let bench = Bench::start().await;
    let second = bench.pki.issue(&gpconnect_gateway::tls::issue::Order::new(super::HOST));
    assert_ne!(
        *second.certificate.digest(MessageDigest::sha256()).unwrap(),
        *bench.issued.certificate.digest(MessageDigest::sha256()).unwrap()
    );
    let mut wire = bench.connect(&second).await;
    let stolen = bench.read(&bench.token());
    bench.is_refused("another certificate", &mut wire, &stolen, UNBOUND).await;
    let own = bench.read(&signed(&bench.keys.rsa, "RS256", &bench.claims(&second)));
    assert_eq!(wire.exchange(&own).await.status, 200);
    assert_eq!(bench.arrived().len(), 1);

    let mut claims = bench.claims(&second);
    claims["iss"] = json!(REGION);
    let call = bench.read(&signed(&bench.keys.region, "ES256", &claims));
    bench.is_refused("the region's", &mut wire, &call, CLAIM).await;
}

/// A token may be used again and again, and not once at its expiry.
#[tokio::test]
async fn no_token_is_replayed_past_its_expiry() {
    let bench = Bench::start().await;
    // A slow machine needs longer for several requests.
    for seconds in [3, 10, 25] {
        if replayed(&bench, seconds).await > 1 {
            return;
        }
    }
    panic!("not taken twice within twenty-five seconds");
}

/// How often a token of so many seconds is taken, which ends with them.
async fn replayed(bench: &Bench, seconds: i64) -> usize {
    let mut wire = bench.connect(&bench.issued).await;
    let mut claims = bench.claims(&bench.issued);
    let exp = now() + seconds;
    claims["exp"] = json!(exp);
    let token = signed(&bench.keys.rsa, "RS256", &claims);
    let mut taken = 0;
    loop {
        let begun = now();
        let call = bench.read(&token);
        let reply = wire.exchange(&call).await;
        let arrived = bench.arrived().len();
        match reply.status {
            200 => {
                assert!(begun < exp, "taken at {begun}, expired at {exp}");
                taken += 1;
                assert_eq!(arrived, 1);
            }
            status => {
                assert_eq!((status, arrived), (400, 0), "{reply:?}");
                assert!(now() >= exp, "refused at {begun} before {exp}: {reply:?}");
                let line = bench.line("the replay", &call).await;
                assert_eq!(line["fault"], "token_expired", "{line}");
                return taken;
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn one_request_has_one_token() {
    let bench = Bench::start().await;
    let (good, other) = (bench.token(), bench.token());
    let bearer = |token: &str| format!("Bearer {token}");
    let twice = |first: &str, second: &str| -> Call {
        bench.read(&good).with("Authorization", first).and("Authorization", second)
    };
    for (name, call, word) in [
        ("twice the same", twice(&bearer(&good), &bearer(&good)), "header_repeated"),
        ("two good ones", twice(&bearer(&good), &bearer(&other)), "header_repeated"),
        ("a bad one behind", twice(&bearer(&good), "Bearer x"), "header_repeated"),
        ("a list", bench.read(&format!("{good}, Bearer {other}")), REFUSED),
        ("two blanks", bench.read(&format!(" {good}")), REFUSED),
        (
            "another scheme",
            bench.read(&good).with("Authorization", &format!("DPoP {good}")),
            MALFORMED,
        ),
        ("no scheme", bench.read(&good).with("Authorization", &good), MALFORMED),
        ("none", bench.read(&good).without("Authorization"), "header_missing"),
        ("too long", bench.read(&format!("{good}{}", "A".repeat(17_000))), MALFORMED),
        (
            "in the query",
            {
                let mut call = bench.read(&good).without("Authorization");
                call.target.push_str(&format!("?access_token={good}"));
                call
            },
            "header_missing",
        ),
    ] {
        // A repeated header ends the connection.
        let mut wire = bench.connect(&bench.issued).await;
        bench.is_refused(name, &mut wire, &call, word).await;
    }
    bench.still_serves("all").await;
}
