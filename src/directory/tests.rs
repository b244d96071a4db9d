//! What directory files come to: endpoints, switches, agreements; and that the reader takes every
//! key of the table. What is wrong with them stands under `tests/cases/config`.

use gpconnect::{
    interaction::{Capability, InteractionId, InteractionSet},
    names::{Asid, OdsCode},
    policy::{AccessTerms, Confirmation, IssuerIndex, Mode, Policy, UpstreamIndex},
};

use jiff::civil::date;

use super::{DIRECTORY, Directory};
use crate::config::{Document, Known, KnownIssuer, Located, Notebook, Section};

fn issuer(name: &str, confirmation: Confirmation) -> KnownIssuer {
    KnownIssuer { name: name.into(), confirmation }
}

fn known() -> Known {
    Known {
        files: Vec::new(),
        upstreams: vec![String::from("south"), String::from("north")],
        issuers: vec![
            issuer("trust", Confirmation::Required),
            issuer("region", Confirmation::WhenPresent),
        ],
        everyone: Vec::new(),
        identity: None,
        carried: InteractionSet::of_1_2_7().iter().chain([InteractionId::ReadBinary]).collect(),
        whole: true,
    }
}

fn read(texts: &[&str]) -> (Directory, String, String) {
    let notebook = Notebook::default();
    let documents: Vec<_> =
        texts.iter().map(|text| Document::parse("d.toml", text, &notebook)).collect();
    let directory = Directory::read(&documents, true, &known(), date(2026, 11, 25), &notebook);
    let (mistakes, warnings) = notebook.into_findings();
    (directory, mistakes.to_string(), warnings.to_string())
}

fn policy(texts: &[&str]) -> Policy {
    let (directory, mistakes, warnings) = read(texts);
    assert_eq!((mistakes.as_str(), warnings.as_str()), ("", ""));
    let agreements = directory.agreements.pairs(&directory.organisations).collect::<Vec<_>>();
    Policy::new(directory.practices, directory.consumers, agreements, known().carried)
}

const ORGANISATIONS: &str = r#"
    organisation = [
        { ods_code = "A20047", name = "The Avenue Surgery" },
        { ods_code = "B83617", name = "Harbour Street Medical Centre" },
        { ods_code = "RXX01", name = "Northern Hospital" },
        { ods_code = "RYY02", name = "Night Call 111" },
    ]
"#;

const SYSTEMS: &str = r#"
    [[provider]]
    organisation = "A20047"
    asid = "918999198993"
    party_key = "A20047-821452"
    cpa_id = "S20001A000182"
    upstream = "north"
    service_roots.foundations = "https://gp.example/A20047/STU3/1/gpconnect"
    service_roots.structured = "https://gp.example/A20047/STU3/1/gpconnect/structured"

    [[provider]]
    organisation = "A20047"
    asid = "918999198994"
    party_key = "A20047-821453"
    upstream = "south"
    service_roots.documents = "https://gp.example/A20047/STU3/1/gpconnect/documents"
    interactions = ["documents:fhir:rest:read:binary-1"]

    [[provider]]
    organisation = "B83617"
    asid = "918999198995"
    party_key = "B83617-821454"
    upstream = "south"
    service_roots.foundations = "https://gp.example/B83617/STU3/1/gpconnect"
    interactions = ["fhir:rest:read:patient-1", "fhir:rest:search:patient-1"]

    [[consumer]]
    asid = "200000000359"
    organisation = "RXX01"
    host_name = "epr.rxx01.example"
    interactions = ["1.2.7", "documents:fhir:rest:read:binary-1"]

    [[consumer]]
    asid = "200000000360"
    organisation = "RYY02"
    host_name = "booking.ryy02.example"
    mode = "assist"
    interactions = ["fhir:rest:search:slot-1"]
"#;

const RULES: &str = r#"
    [[group]]
    name = "all"
    members = ["group:harbour", "A20047"]

    [[group]]
    name = "harbour"
    members = ["B83617"]

    [[agreement]]
    reference = "DSA-1"
    consumers = ["RXX01", "RYY02"]
    practices = ["group:all"]
    capabilities = ["foundations"]

    [[agreement]]
    reference = "DSA-2"
    consumers = ["RXX01"]
    practices = ["A20047"]
    capabilities = ["structured", "documents"]

    [[enablement]]
    practices = ["A20047"]
    gp_connect = true
    capabilities = ["structured"]

    [[enablement]]
    practices = ["group:harbour"]
"#;

fn code(text: &str) -> OdsCode {
    text.parse().unwrap()
}

/// gp-connect 1.
#[test]
fn a_practice_has_an_endpoint_for_each_capability_of_its_systems() {
    let policy = policy(&[ORGANISATIONS, SYSTEMS, RULES]);
    let (_, avenue) = policy.find_practice(code("A20047")).unwrap();
    assert_eq!(avenue.name, "The Avenue Surgery");
    let found: Vec<_> = avenue
        .endpoints
        .iter()
        .map(|(capability, endpoint)| {
            let interactions = endpoint.interactions.iter().count();
            (capability, endpoint.asid.to_string(), endpoint.upstream, interactions)
        })
        .collect();
    let (south, north) = (UpstreamIndex(0), UpstreamIndex(1));
    let expected = [
        (Capability::Foundations, String::from("918999198993"), north, 9),
        (Capability::Structured, String::from("918999198993"), north, 2),
        (Capability::Documents, String::from("918999198994"), south, 1),
    ];
    assert_eq!(found, expected);
    let (_, harbour) = policy.find_practice(code("B83617")).unwrap();
    let foundations = harbour.endpoints.of(Capability::Foundations).unwrap();
    assert!(foundations.interactions.contains(InteractionId::ReadPatient));
    assert!(!foundations.interactions.contains(InteractionId::ReadMetadata));
    assert!(policy.find_practice(code("RXX01")).is_none(), "a consumer is no practice");
}

/// gp-connect 10.
#[test]
fn everything_is_off_that_is_not_switched_on() {
    let policy = policy(&[ORGANISATIONS, SYSTEMS, RULES]);
    let (_, avenue) = policy.find_practice(code("A20047")).unwrap();
    assert!(avenue.enablement.gp_connect);
    assert!(avenue.enablement.capabilities.contains(Capability::Structured));
    assert!(!avenue.enablement.capabilities.contains(Capability::Documents));
    let (_, harbour) = policy.find_practice(code("B83617")).unwrap();
    assert!(!harbour.enablement.gp_connect && harbour.enablement.capabilities.is_empty());
}

/// gp-connect 10.
#[test]
fn agreements_add_up_per_pair_of_organisations() {
    let policy = policy(&[ORGANISATIONS, SYSTEMS, RULES]);
    let consumer = |asid: &str| policy.find_consumer(asid.parse::<Asid>().unwrap()).unwrap();
    let (hospital, as_hospital) = consumer("200000000359");
    let (night, as_night) = consumer("200000000360");
    assert_eq!((as_hospital.mode, as_night.mode), (Mode::Transparent, Mode::Assist));
    assert_eq!(as_hospital.interactions.iter().count(), 18);
    let words = |consumer, practice: &str| {
        let (index, _) = policy.find_practice(code(practice)).unwrap();
        let agreed = policy.agreement(consumer, index);
        agreed.iter().map(Capability::as_str).collect::<Vec<_>>().join(" ")
    };
    for (name, consumer, practice, expected) in [
        ("by two agreements", hospital, "A20047", "foundations structured documents"),
        ("by a group in a group", hospital, "B83617", "foundations"),
        ("by the group only", night, "A20047", "foundations"),
    ] {
        assert_eq!(words(consumer, practice), expected, "{name}");
    }
}

#[test]
fn sections_stand_in_any_file_and_any_order() {
    let forth = policy(&[ORGANISATIONS, SYSTEMS, RULES]);
    let back = policy(&[RULES, SYSTEMS, ORGANISATIONS]);
    let one = policy(&[&[ORGANISATIONS, SYSTEMS, RULES].concat()]);
    for policy in [back, one] {
        assert_eq!(policy.practices().len(), forth.practices().len());
        let (index, _) = policy.find_practice(code("B83617")).unwrap();
        let (night, _) = policy.find_consumer("200000000360".parse().unwrap()).unwrap();
        assert!(policy.agreement(night, index).contains(Capability::Foundations));
    }
}

/// gp-connect 1.
#[test]
fn a_system_that_provides_and_consumes_has_one_asid_and_one_party_key() {
    let consumer = |asid: &str, organisation: &str, party_key: &str| {
        let rest = "host_name = \"gp.example\"\ninteractions = [\"1.2.7\"]";
        format!(
            "[[consumer]]\nasid = \"{asid}\"\norganisation = \"{organisation}\"\n\
             party_key = \"{party_key}\"\n{rest}\n"
        )
    };
    for (name, text, expected) in [
        ("both", consumer("918999198993", "A20047", "A20047-821452"), None),
        (
            "another party key",
            consumer("918999198993", "A20047", "A20047-821459"),
            Some(
                "consumer[0].party_key: \"918999198993\" is also provider[0] (d.toml:2), with party key A20047-821452",
            ),
        ),
        (
            "another organisation",
            consumer("918999198993", "RXX01", "A20047-821452"),
            Some(
                "consumer[0].asid: \"918999198993\" is also provider[0] (d.toml:2) of another organisation",
            ),
        ),
    ] {
        let (_, mistakes, _) = read(&[ORGANISATIONS, SYSTEMS, &text]);
        assert_eq!(mistakes.is_empty(), expected.is_none(), "{name}: {mistakes}");
        assert!(mistakes.contains(expected.unwrap_or_default()), "{name}: {mistakes}");
    }
}

#[test]
fn nothing_is_unknown_while_a_file_can_not_be_read() {
    let (_, mistakes, warnings) = read(&[SYSTEMS, RULES, "[[organisation]\n"]);
    assert_eq!(mistakes.lines().count(), 1, "{mistakes}");
    assert!(mistakes.starts_with("d.toml:1: is not TOML"), "{mistakes}");
    assert_eq!(warnings, "");
}

#[test]
fn a_group_is_switched_as_far_as_its_members_go() {
    let rules = r#"
        [[group]]
        name = "all"
        members = ["A20047", "B83617"]
        [[enablement]]
        practices = ["group:all"]
        gp_connect = true
        capabilities = ["structured"]
    "#;
    let (directory, mistakes, _) = read(&[ORGANISATIONS, SYSTEMS, rules]);
    assert_eq!(mistakes, "", "one member with structured is enough");
    assert!(directory.practices.iter().all(|practice| practice.enablement.gp_connect));
    let (_, mistakes, _) = read(&[ORGANISATIONS, SYSTEMS, &rules.replace("structured", "html")]);
    assert!(mistakes.contains("no [[provider]] of A20047, B83617 has service_roots.html"));
}

#[test]
fn the_table_of_keys_has_no_word_that_the_core_does_not_know() {
    let provider = DIRECTORY.iter().find(|key| key.name == "provider").unwrap();
    let crate::config::Kind::Tables(keys) = &provider.kind else { panic!() };
    let roots = keys.iter().find(|key| key.name == "service_roots").unwrap();
    let crate::config::Kind::Table(roots) = &roots.kind else { panic!() };
    let names: Vec<_> = roots.iter().map(|key| key.name).collect();
    assert_eq!(names, Capability::ALL.map(Capability::as_str));
}

/// A consumer with these keys besides those that every one has, and what is wrong with it.
fn sending_access_tokens(keys: &str, known: &Known) -> (Option<Box<AccessTerms>>, Vec<String>) {
    let consumer = format!(
        "[[consumer]]\nasid = \"200000000361\"\norganisation = \"RXX01\"\n\
         host_name = \"wards.rxx01.example\"\ninteractions = [\"1.2.7\"]\n{keys}\n"
    );
    let notebook = Notebook::default();
    let documents = [ORGANISATIONS, &consumer].map(|it| Document::parse("d.toml", it, &notebook));
    let mut directory = Directory::read(&documents, true, known, date(2026, 11, 25), &notebook);
    let (mistakes, _) = notebook.into_findings();
    let told = |line: &str| line.split_once(": ").unwrap().1.to_owned();
    let access = directory.consumers.pop().and_then(|consumer| consumer.access);
    (access, mistakes.to_string().lines().map(told).collect())
}

const DEVICE: &str = "device_model = \"Example EPR\"\ndevice_version = \"9.2\"\n";

#[test]
fn a_consumer_is_registered_for_access_tokens() {
    let keys = format!("token = \"oauth\"\nissuers = [\"region\", \"trust\"]\n{DEVICE}");
    let (access, mistakes) = sending_access_tokens(&keys, &known());
    assert_eq!(mistakes, [""; 0]);
    let expected = AccessTerms {
        issuers: vec![IssuerIndex(1), IssuerIndex(0)],
        iss: "https://wards.rxx01.example/".into(),
        organisation_name: "Northern Hospital".into(),
        device_model: "Example EPR".into(),
        device_version: "9.2".into(),
    };
    assert_eq!(access.as_deref(), Some(&expected));
    let (access, mistakes) = sending_access_tokens("token = \"gpconnect\"", &known());
    assert_eq!((access, mistakes), (None, vec![]));
}

#[rustfmt::skip]
#[test]
fn what_does_not_fit_a_kind_of_token_is_told() {
    const OAUTH: &str = "token = \"oauth\"\nissuers = [\"trust\"]\n";
    let with = |more: &str| format!("{OAUTH}{DEVICE}{more}");
    for (name, keys, expected) in [
        ("no issuer", format!("token = \"oauth\"\n{DEVICE}"), "consumer[0].issuers: is missing; write the [[issuer]] whose tokens it sends, as in issuers = [\"trust\"]"),
        ("nothing in the list", format!("token = \"oauth\"\nissuers = []\n{DEVICE}"), "consumer[0].issuers: is empty; name at least one: the name of an [[issuer]] in gateway.toml"),
        ("misspelt", format!("token = \"oauth\"\nissuers = [\"trsut\"]\n{DEVICE}"), "consumer[0].issuers[0]: no [[issuer]] in gateway.toml has name \"trsut\"; did you mean \"trust\"?"),
        ("twice", format!("token = \"oauth\"\nissuers = [\"trust\", \"trust\"]\n{DEVICE}"), "consumer[0].issuers[1]: \"trust\" stands there twice"),
        ("no version", format!("{OAUTH}device_model = \"Example EPR\""), "consumer[0].device_version: is missing; write what requesting_device is to say, as in device_version = \"9.2\""),
        ("another word", "token = \"oauth2\"".into(), "consumer[0].token: found \"oauth2\", expected \"gpconnect\" or \"oauth\"; did you mean \"oauth\"?"),
        ("issuers without it", "issuers = [\"trust\"]".into(), "consumer[0].issuers: is for token = \"oauth\"; write that too, or leave this out"),
        ("about its own tokens", with("aud_policy = \"exact\""), "consumer[0].aud_policy: is about GP Connect tokens of its own; with token = \"oauth\" the gateway makes them, so leave it out"),
        ("any organisation", with("insecure_token_of_any_organisation = true"), "consumer[0].insecure_token_of_any_organisation: is about GP Connect tokens of its own; with token = \"oauth\" the gateway makes them, so leave it out"),
    ] {
        assert_eq!(sending_access_tokens(&keys, &known()).1, [expected], "{name}");
    }
    let unread = Known { whole: false, issuers: vec![], ..known() };
    assert_eq!(sending_access_tokens(&with(""), &unread).1, [""; 0], "it may be named there");
}

/// A caller of a plain listener has no certificate that a token could be bound to.
#[test]
fn bound_tokens_need_a_listener_with_tls() {
    let notebook = Notebook::default();
    let document = Document::parse("gateway.toml", "", &notebook);
    let place = Section::read(&document, DIRECTORY, &notebook, Section::place);
    let everyone = vec![(
        String::from("listener[0].insecure_everyone_is[0]"),
        Located { value: "200000000361".parse().unwrap(), place },
    )];
    let known = Known { everyone, ..known() };
    for (issuers, is_told) in [("\"trust\"", true), ("\"trust\", \"region\"", false)] {
        let keys = format!("token = \"oauth\"\nissuers = [{issuers}]\n{DEVICE}");
        let (_, mistakes) = sending_access_tokens(&keys, &known);
        let told = mistakes.iter().filter(|told| told.contains("bind them")).count();
        assert_eq!((told == 1, mistakes.len()), (is_told, usize::from(is_told)), "{mistakes:?}");
    }
}
