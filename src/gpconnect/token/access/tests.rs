//! Claims of access tokens, right and wrong, and what is told of them.

use serde_json::{Value, json};

use super::*;
use crate::{
    decide::tests::consumer,
    facts::UnixSeconds,
    policy::{Consumer, Mode, Policy},
    rejection::Reason,
    token::Observed,
};

const NOW: i64 = 1_795_420_900;
const CERTIFICATE: [u8; 32] = [7; 32];
const HASH: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

fn path(text: &str) -> ClaimPath {
    text.parse().unwrap()
}

/// An issuer of this confirmation, whose tokens live for at most half an hour.
pub(crate) fn issuer(confirmation: Confirmation) -> Issuer {
    Issuer {
        name: "trust".into(),
        issuer: "https://id.rxx01.example/".into(),
        audiences: vec!["https://gateway.example/".into(), "gpconnect".into()],
        confirmation,
        longest: 1_800,
        mapping: ClaimMapping {
            user_id: path("sub"),
            family_name: path("name.family"),
            given_name: path("name.given"),
            prefix: Some(path("name.prefix")),
            sds_user_id: Some(path("sds_id")),
            role: Some(path("roles.0.code")),
            organisation: path("https://id.rxx01.example/ods"),
            device: Some(path("device")),
        },
    }
}

/// What a consumer is registered with that may send tokens of the first issuer.
pub(crate) fn terms() -> AccessTerms {
    AccessTerms {
        issuers: vec![IssuerIndex(0)],
        iss: "https://epr.rxx01.example/".into(),
        organisation_name: "Example Hospital".into(),
        device_model: "Example EPR".into(),
        device_version: "9.2".into(),
    }
}

/// Claims that are right.
pub(crate) fn claims() -> Value {
    json!({
        "iss": "https://id.rxx01.example/",
        "aud": ["other", "gpconnect"],
        "sub": "u-4471",
        "iat": NOW - 100,
        "nbf": NOW - 100,
        "exp": NOW + 200,
        "jti": "0e6a2c1f-4c1b-4c62-9a53-5b6a1d1f9e70",
        "cnf": { "x5t#S256": HASH },
        "name": { "family": "Kaur", "given": "Asha", "prefix": "Dr" },
        "sds_id": "555000111222",
        "roles": [{ "code": "555000333444" }],
        "https://id.rxx01.example/ods": "RXX01",
        "device": "WARD-7",
    })
}

/// A token whose signature is right.
pub(crate) fn token(claims: &Value) -> AccessToken {
    AccessToken {
        issuer: IssuerIndex(0),
        claims: Payload::from_json(claims.to_string().into_bytes()),
    }
}

fn sender(issuers: Vec<IssuerIndex>) -> Consumer {
    Consumer {
        access: Some(Box::new(AccessTerms { issuers, ..terms() })),
        ..consumer("200000000359", Mode::Transparent)
    }
}

struct Judged {
    texts: Vec<String>,
    user: Option<User>,
    observed: Observed,
}

fn judged(
    token: &AccessToken,
    confirmation: Confirmation,
    certificate: Option<[u8; 32]>,
) -> Judged {
    let policy = Policy::default().with_issuers(vec![issuer(confirmation)]);
    let sender = sender(vec![IssuerIndex(0)]);
    let terms = Terms {
        now: UnixSeconds(NOW),
        certificate: certificate.as_ref(),
        sender: Some(&sender),
        policy: &policy,
    };
    let mut faults = Vec::new();
    let Checked { user, is_right, observed } = check(token, &terms, &mut faults);
    assert_eq!(is_right, faults.is_empty());
    assert!(user.is_some() || !is_right, "a good token names its user");
    Judged { texts: faults.iter().map(Reason::diagnostics).collect(), user, observed }
}

fn changed(change: impl FnOnce(&mut Value)) -> Judged {
    let mut claims = claims();
    change(&mut claims);
    judged(&token(&claims), Confirmation::Required, Some(CERTIFICATE))
}

#[test]
fn a_token_that_is_right_names_its_user() {
    let judged = changed(|_| {});
    assert_eq!(judged.texts, [""; 0]);
    let user = judged.user.unwrap();
    assert_eq!(format!("{user:?}"), "User(6 bytes)", "nobody is printed");
    let expected = User {
        id: "u-4471".into(),
        family: "Kaur".into(),
        given: "Asha".into(),
        prefix: Some("Dr".into()),
        sds_user_id: Some("555000111222".into()),
        role: Some("555000333444".into()),
        device: Some("WARD-7".into()),
    };
    assert!(user == expected);
    assert_eq!(judged.observed.issuer, Some(IssuerIndex(0)));
    let id = judged.observed.token_id.unwrap();
    assert_eq!(id.as_str(), "0e6a2c1f-4c1b-4c62-9a53-5b6a1d1f9e70");
}

type Change = fn(&mut Value);

#[rustfmt::skip]
#[test]
fn each_claim_is_looked_at() {
    const SECONDS: &str = "expected a whole number of seconds since 1970";
    let cases: &[(&str, Change, &[&str])] = &[
        ("another iss", |it| it["iss"] = json!("https://id.rxx01.example"), &["iss names an issuer that the sending system is not registered for"]),
        ("one aud", |it| it["aud"] = json!("https://gateway.example/"), &[]),
        ("another aud", |it| it["aud"] = json!("https://gateway.example"), &["aud names another audience; expected one that this gateway accepts of the issuer"]),
        ("no aud", |it| it["aud"] = json!(null), &["aud is null, which counts as missing; expected a text or a list of texts"]),
        ("an empty aud", |it| it["aud"] = json!([]), &["aud is empty; expected a text or a list of texts"]),
        ("a mixed aud", |it| it["aud"] = json!(["gpconnect", 1]), &["aud is a list; expected a text or a list of texts"]),
        ("the last second", |it| it["exp"] = json!(NOW + 1), &[]),
        ("at expiry", |it| it["exp"] = json!(NOW), &["JWT has expired, 0 seconds ago"]),
        ("no exp", |it| it["exp"] = json!("1795421100"), &["exp is a string of 10 characters; expected a whole number of seconds since 1970"]),
        ("a fraction", |it| it["exp"] = json!(1_795_421_100.5), &["exp is a number; expected a whole number of seconds since 1970"]),
        ("no iat", |it| it["iat"] = json!(null), &["iat is null, which counts as missing; expected a whole number of seconds since 1970"]),
        ("the longest", |it| it["exp"] = json!(NOW - 100 + 1_800), &[]),
        ("too long", |it| it["exp"] = json!(NOW - 100 + 1_801), &["exp is 1801 seconds after iat; expected from 1 to 1800 seconds"]),
        ("for ever", |it| it["exp"] = json!(i64::MAX), &["exp is more than a day after iat; expected from 1 to 1800 seconds"]),
        ("backwards", |it| { it["iat"] = json!(NOW + 60); it["exp"] = json!(NOW + 60); }, &["exp is 0 seconds after iat; expected from 1 to 1800 seconds"]),
        ("made soon", |it| it["iat"] = json!(NOW + 60), &[]),
        ("made later", |it| it["iat"] = json!(NOW + 61), &["iat lies 61 seconds in the future; expected at most 60 seconds"]),
        ("valid soon", |it| it["nbf"] = json!(NOW + 60), &[]),
        ("valid later", |it| it["nbf"] = json!(NOW + 61), &["nbf lies 61 seconds in the future; expected at most 60 seconds"]),
        ("no nbf", |it| it["nbf"] = json!(null), &[]),
        ("an odd nbf", |it| it["nbf"] = json!("now"), &["nbf is a string of 3 characters; expected a whole number of seconds since 1970"]),
        ("no user", |it| it["sub"] = json!(" "), &["sub is empty; expected a text"]),
        ("no name", |it| it["name"] = json!("Kaur"), &["name.family is missing; expected a text", "name.given is missing; expected a text"]),
        ("the longest name", |it| it["name"]["family"] = json!("\u{e9}".repeat(256)), &[]),
        ("too long a name", |it| it["name"]["family"] = json!("x".repeat(257)), &["name.family is a string of 257 characters; expected at most 256 characters"]),
        ("no smartcard", |it| { it["sds_id"] = json!(null); it["roles"] = json!([]); it["device"] = json!(null); }, &[]),
        ("an odd role", |it| it["roles"][0]["code"] = json!(["R8000"]), &["roles.0.code is a list; expected a text"]),
        ("no organisation", |it| it["https://id.rxx01.example/ods"] = json!(null), &["https://id.rxx01.example/ods is null, which counts as missing; expected a text"]),
        ("another's", |it| it["https://id.rxx01.example/ods"] = json!("RYY02"), &["requesting_organization does not match the sending system; expected the ODS code RXX01"]),
        ("in lower case", |it| it["https://id.rxx01.example/ods"] = json!("rxx01"), &["requesting_organization does not match the sending system; expected the ODS code RXX01"]),
    ];
    for (name, change, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|text| match text {
            text if text.starts_with("JWT") || text.starts_with("requesting") => (*text).to_owned(),
            text => format!("Access token's claim {text}"),
        }).collect();
        assert_eq!(changed(change).texts, expected, "{name}");
    }
    assert!(changed(|it| it["exp"] = json!([])).texts[0].ends_with(SECONDS));
    let of_another = changed(|it| it["https://id.rxx01.example/ods"] = json!("RYY02"));
    assert!(of_another.observed.is_of_another_organisation);
    assert!(of_another.user.is_some(), "for the record of the refusal");
}

#[test]
fn a_token_is_bound_to_the_certificate() {
    const OTHER: &str = "cnf.x5t#S256 is the hash of another one";
    const WITHOUT: &str = "the request came without one";
    const EXPECTED: &str = "expected the SHA-256 of the certificate in base64url";
    let short = HASH.strip_prefix("B").unwrap();
    for (name, cnf, certificate, required, when_present) in [
        ("bound", json!({ "x5t#S256": HASH }), Some([7; 32]), "", ""),
        ("to another", json!({ "x5t#S256": HASH }), Some([8; 32]), OTHER, OTHER),
        ("without a certificate", json!({ "x5t#S256": HASH }), None, WITHOUT, WITHOUT),
        ("not bound", json!(null), Some([7; 32]), "missing", ""),
        ("not bound, without a certificate", json!(null), None, "missing", ""),
        ("to a key", json!({ "jkt": "x" }), Some([7; 32]), "missing", "missing"),
        ("no object", json!(HASH), Some([7; 32]), "missing", "missing"),
        ("too short", json!({ "x5t#S256": short }), Some([7; 32]), "of 42", "of 42"),
        ("padded", json!({ "x5t#S256": format!("{HASH}=") }), Some([7; 32]), "of 44", "of 44"),
        ("a list", json!({ "x5t#S256": [HASH] }), Some([7; 32]), "a list", "a list"),
    ] {
        for (confirmation, expected) in
            [(Confirmation::Required, required), (Confirmation::WhenPresent, when_present)]
        {
            let mut claims = claims();
            claims["cnf"] = cnf.clone();
            let texts = judged(&token(&claims), confirmation, certificate).texts;
            let expected: Vec<_> = match expected {
                "" => vec![],
                OTHER | WITHOUT => vec![expected.to_owned()],
                found if found.starts_with("of") => {
                    vec![format!("cnf.x5t#S256 is a string {found} characters; {EXPECTED}")]
                }
                found => vec![format!("cnf.x5t#S256 is {found}; {EXPECTED}")],
            };
            let start = "Access token is not bound to the client certificate: ";
            let expected: Vec<_> = expected.iter().map(|text| format!("{start}{text}")).collect();
            assert_eq!(texts, expected, "{name}, {confirmation:?}");
        }
    }
}

#[test]
fn an_issuer_of_others_is_refused() {
    let policy = Policy::default().with_issuers(vec![
        Issuer { issuer: "https://id.ryy02.example/".into(), ..issuer(Confirmation::Required) },
        issuer(Confirmation::Required),
    ]);
    let token = AccessToken { issuer: IssuerIndex(1), ..token(&claims()) };
    let texts = |issuers: Vec<IssuerIndex>| {
        let sender = sender(issuers);
        let (now, certificate) = (UnixSeconds(NOW), Some(&CERTIFICATE));
        let terms = Terms { now, certificate, sender: Some(&sender), policy: &policy };
        let mut faults = Vec::new();
        check(&token, &terms, &mut faults);
        faults.iter().map(Reason::diagnostics).collect::<Vec<_>>()
    };
    let of_others = "Access token's claim iss names an issuer that the sending system is not \
                     registered for";
    assert_eq!(texts(vec![IssuerIndex(1)]), [""; 0]);
    assert_eq!(texts(vec![IssuerIndex(0), IssuerIndex(1)]), [""; 0]);
    assert_eq!(texts(vec![IssuerIndex(0)]), [of_others]);
}

#[test]
fn claims_are_read_in_one_way_only() {
    let nested = format!("{}{}", "[".repeat(16), "]".repeat(16));
    let many = format!("{{\"x\":[{}0]}}", "0,".repeat(500));
    let good = claims().to_string();
    let twice = good.replacen('{', r#"{"sub":"u-1","#, 1);
    let twice_within = good.replacen(r#""cnf":{"#, r#""cnf":{"x5t#S256":"x","#, 1);
    for (name, text, expected) in [
        (
            "twice",
            twice,
            "the token's claims have sub twice in one object; expected each name once",
        ),
        (
            "twice within",
            twice_within,
            "the token's claims have (a name of 8 characters) twice in one object; expected each \
             name once",
        ),
        ("a list", "[]".into(), "the token's claims are a list; expected one JSON object"),
        ("two", "{}{}".into(), "the token's claims are not JSON from character 3 on"),
        (
            "nested",
            format!("{{\"x\":{nested}}}"),
            "the token's claims are nested too deep; expected at most 16 lists and objects in each other",
        ),
        ("many", many, "the token's claims have too many values; expected at most 500"),
    ] {
        let claims = Payload::from_json(text.into_bytes());
        let token = AccessToken { issuer: IssuerIndex(0), claims };
        let judged = judged(&token, Confirmation::Required, Some(CERTIFICATE));
        let expected = format!("Authorization header is not valid: {expected}");
        assert_eq!(judged.texts, [expected], "{name}");
    }
}

#[test]
fn only_an_id_that_can_name_nobody_is_noticed() {
    for (id, noticed) in [("a-1", true), ("9000000009", false), ("a b", false)] {
        let judged = changed(|it| it["jti"] = json!(id));
        assert_eq!(judged.observed.token_id.is_some(), noticed, "{id}");
        assert_eq!(judged.texts, [""; 0], "{id}");
    }
}

proptest::proptest! {
    #[test]
    fn no_claims_panic(text in "\\PC{0,80}", name in "[a-z.]{1,9}", value in "[\\[\\]{}0-9\",:a-z]{0,24}") {
        let mut made = claims().to_string();
        made.truncate(made.len() - 1);
        for json in [text, format!("{made},\"{name}\":{value}}}")] {
            let token = AccessToken {
                issuer: IssuerIndex(0),
                claims: Payload::from_json(json.into_bytes()),
            };
            judged(&token, Confirmation::Required, Some(CERTIFICATE));
        }
    }
}
