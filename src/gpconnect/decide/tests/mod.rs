//! Whole requests through the decision: what passes, what decides when several things are wrong.

mod access;
mod patients;
mod report_only;
mod sections;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::*;
use crate::{
    facts::{Fields, UnixSeconds},
    forward,
    interaction::{Capability, InteractionSet},
    policy::{Agreement, Consumer, Enablement, Endpoint, Endpoints, Mode, Practice, UpstreamIndex},
    report_only::ReportOnly,
    switched_off::{Switched, SwitchedOff},
    token::TokenTerms,
};

const NOW: i64 = 1_795_420_900;
const TRACE: &str = "629ea9ba-a077-4d99-b289-7a9b19fd4e03";
const PATIENT: &str = "urn:nhs:names:services:gpconnect:fhir:rest:read:patient-1";
const ROOT: &str = "https://gp.example/A20047/STU3/1/gpconnect/fhir";

fn endpoint(root: &str) -> Endpoint {
    Endpoint {
        service_root: root.parse().unwrap(),
        asid: "918999198993".parse().unwrap(),
        party_key: "A20047-821452".parse().unwrap(),
        cpa_id: None,
        interactions: InteractionSet::of_1_2_7(),
        upstream: UpstreamIndex(0),
    }
}

/// A consumer that may ask all of 1.2.7, held to every check.
pub(crate) fn consumer(asid: &str, mode: Mode) -> Consumer {
    Consumer {
        asid: asid.parse().unwrap(),
        organisation: "RXX01".parse().unwrap(),
        organisation_name: "Northern Hospital".into(),
        party_key: None,
        host_names: vec![],
        interactions: InteractionSet::of_1_2_7(),
        mode,
        report_only: ReportOnly::default(),
        token: TokenTerms::default(),
        access: None,
        single_issue: false,
    }
}

/// One practice with everything on; a transparent and an assisted consumer of one organisation.
fn policy(change: impl FnOnce(&mut Practice, &mut Vec<Consumer>)) -> Policy {
    let mut endpoints = Endpoints::default();
    endpoints.set(Capability::Foundations, endpoint(ROOT));
    endpoints.set(Capability::Appointments, endpoint(ROOT));
    endpoints.set(
        Capability::Structured,
        endpoint("https://gp.example/A20047/STU3/1/gpconnect/structured/fhir"),
    );
    let capabilities = [Capability::Appointments, Capability::Structured].into_iter().collect();
    let mut practice = Practice {
        ods_code: "A20047".parse().unwrap(),
        name: "The Avenue Surgery".into(),
        endpoints,
        enablement: Enablement { gp_connect: true, capabilities, ..Enablement::default() },
    };
    let mut consumers =
        vec![consumer("200000000359", Mode::Transparent), consumer("200000000360", Mode::Assist)];
    change(&mut practice, &mut consumers);
    let agreement = Agreement {
        consumer: "RXX01".parse().unwrap(),
        practice: PracticeIndex(0),
        capabilities: Capability::ALL.into_iter().collect(),
    };
    Policy::new(vec![practice], consumers, [agreement], InteractionSet::of_1_2_7())
}

fn token(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut claims = serde_json::json!({
        "iss": "https://epr.rxx01.example/", "sub": "u-1", "aud": ROOT,
        "iat": NOW - 100, "exp": NOW + 200,
        "reason_for_request": "directcare", "requested_scope": "patient/*.read",
        "requesting_device": {"resourceType": "Device", "model": "EPR", "version": "1",
            "identifier": [{"system": "s", "value": "v"}]},
        "requesting_organization": {"resourceType": "Organization", "name": "Example Hospital",
            "identifier": [{"system": "https://fhir.nhs.uk/Id/ods-organization-code",
                "value": "RXX01"}]},
        "requesting_practitioner": {"resourceType": "Practitioner", "id": "u-1",
            "name": [{"family": "Kaur", "given": ["Asha"]}],
            "identifier": [{"system": "https://fhir.nhs.uk/Id/sds-user-id", "value": "UNK"}]}
    });
    change(&mut claims);
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.")
}

/// A request for the decision, good unless changed.
struct Given {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    candidates: Vec<ConsumerIndex>,
    policy: Policy,
}

impl Given {
    fn good() -> Self {
        let headers = [
            ("Ssp-TraceID", TRACE),
            ("Ssp-From", "200000000359"),
            ("Ssp-To", "918999198993"),
            ("Ssp-InteractionID", PATIENT),
        ];
        let mut headers: Vec<_> =
            headers.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        headers.push(("Authorization", token(|_| {})));
        Self {
            method: "GET",
            target: format!("/{ROOT}/Patient/17?a=1&a=2"),
            headers,
            candidates: vec![ConsumerIndex(0), ConsumerIndex(1)],
            policy: policy(|_, _| {}),
        }
    }

    fn set(mut self, name: &'static str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    fn target(mut self, method: &'static str, target: &str) -> Self {
        (self.method, self.target) = (method, target.to_owned());
        self
    }

    fn facts<'g>(&'g self, fields: &'g Fields<'g>) -> RequestFacts<'g> {
        RequestFacts {
            method: self.method,
            target: &self.target,
            fields,
            candidates: &self.candidates,
            certificate: None,
            access: None,
            now: UnixSeconds(NOW),
            random: [7; 16],
            token_limit: 16_384,
        }
    }

    fn decide(&self) -> Decision {
        let head = self.headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        let fields = Fields::gather(head);
        decide(&self.facts(&fields), &self.policy)
    }

    fn words(&self) -> Vec<&'static str> {
        match self.decide().outcome {
            Ok(_) => vec![],
            Err(refused) => {
                std::iter::once(&refused.reason).chain(&refused.also).map(Reason::word).collect()
            }
        }
    }
}

/// gp-connect 2.2 and 2.3: both forms lead to the same request, and exactly one slash joins it to the
/// service root.
#[test]
fn both_forms_lead_to_the_same_request() {
    for (name, target) in [
        ("proxy form", format!("/{ROOT}/Patient/17?a=1&a=2")),
        ("folded slashes", format!("/{}/Patient/17?a=1&a=2", ROOT.replace("//", "/"))),
        ("ODS form", "/A20047/STU3/1/gpconnect/Patient/17?a=1&a=2".into()),
        ("ODS form with fhir", "/A20047/STU3/1/gpconnect/fhir/Patient/17?a=1&a=2".into()),
    ] {
        let given = Given::good().target("GET", &target);
        let permit = given.decide().outcome.expect(name);
        let endpoint = forward::endpoint(&permit, &given.policy).unwrap();
        assert_eq!(
            forward::target(&permit, endpoint, forward::Connection::Direct),
            "/A20047/STU3/1/gpconnect/fhir/Patient/17?a=1&a=2",
            "{name}"
        );
        assert_eq!(
            forward::target(&permit, endpoint, forward::Connection::Proxy),
            format!("/{ROOT}/Patient/17?a=1&a=2"),
            "{name}"
        );
        for connection in [forward::Connection::Direct, forward::Connection::Proxy] {
            let sent = forward::target(&permit, endpoint, connection);
            let is_same = forward::is_target(&target, &permit, endpoint, connection);
            assert_eq!(is_same, sent == target, "{name}");
        }
        assert_eq!(forward::url(&permit, endpoint), format!("{ROOT}/Patient/17"), "{name}");
        assert_eq!(permit.filled(), Filled::default(), "{name}");
        assert_eq!(permit.trace_id().as_str(), TRACE, "{name}");
    }
}

/// gp-connect 9: of several faults the first in the order of checks decides.
#[test]
#[expect(clippy::too_many_lines, reason = "a table: one row a case")]
fn the_first_stage_with_a_fault_decides() {
    let off =
        |given: Given| Given { policy: policy(|p, _| p.enablement.gp_connect = false), ..given };
    let agreed = |given: Given| Given {
        policy: policy(|_, consumers| consumers[0].organisation = "RYY02".parse().unwrap()),
        ..given
    };
    let fine = Given::good;
    for (name, given, words) in [
        ("nothing wrong", fine(), &[][..]),
        (
            "verb before everything",
            fine().target("HEAD", "/x").without("Ssp-To"),
            &["method_not_carried", "header_missing"],
        ),
        ("no such path", fine().target("GET", "/x"), &["not_a_gp_connect_path"]),
        (
            "header and token",
            fine().without("Ssp-TraceID").set("Authorization", "Bearer x"),
            &["header_missing", "token_malformed"],
        ),
        (
            "all headers",
            Given { headers: vec![], ..fine() },
            &[
                "header_missing",
                "header_missing",
                "header_missing",
                "header_missing",
                "header_missing",
            ],
        ),
        ("unknown interaction", fine().set("Ssp-InteractionID", "urn:x"), &["interaction_unknown"]),
        (
            "neighbour",
            fine().set(
                "Ssp-InteractionID",
                "urn:nhs:names:services:gpconnect:documents:fhir:rest:read:binary-1",
            ),
            &["interaction_not_carried"],
        ),
        (
            "wrong verb",
            fine()
                .target("POST", &format!("/{ROOT}/Patient/17"))
                .set("Content-Type", "application/fhir+json"),
            &["interaction_mismatch"],
        ),
        (
            "wrong case",
            fine().target("GET", &format!("/{ROOT}/patient/17")),
            &["interaction_mismatch"],
        ),
        ("no id", fine().target("GET", &format!("/{ROOT}/Patient/")), &["logical_id_missing"]),
        (
            "structured root for foundations",
            fine().target("GET", "/A20047/STU3/1/gpconnect/structured/Patient/17"),
            &["interaction_mismatch"],
        ),
        ("media type", fine().set("Accept", "image/png"), &["media_type_unsupported"]),
        ("foreign sender", fine().set("Ssp-From", "200000000999"), &["sender_not_caller"]),
        (
            "sender not of this caller",
            Given { candidates: vec![ConsumerIndex(1)], ..fine() },
            &["sender_not_caller"],
        ),
        (
            "unknown practice",
            fine().target("GET", "/B20047/STU3/1/gpconnect/Patient/17"),
            &["practice_unknown"],
        ),
        (
            "unknown practice, proxy form",
            fine().target("GET", "/https://gp.example/B20047/STU3/1/gpconnect/fhir/Patient/17"),
            &["receiver_not_accredited"],
        ),
        ("wrong receiver", fine().set("Ssp-To", "918999198994"), &["receiver_mismatch"]),
        (
            "another host",
            fine().target("GET", "/https://10.2.3.4/A20047/STU3/1/gpconnect/fhir/Patient/17"),
            &["endpoint_varies"],
        ),
        (
            "a port",
            fine().target("GET", "/https://gp.example:443/A20047/STU3/1/gpconnect/fhir/Patient/17"),
            &["endpoint_varies"],
        ),
        (
            "a part of the root",
            fine().target("GET", "/https://gp.example/A20047/STU3/1/gpconnect/Patient/17"),
            &["endpoint_varies"],
        ),
        (
            "two slashes",
            fine().target("GET", &format!("/{ROOT}//Patient/17")),
            &["endpoint_varies"],
        ),
        ("no agreement", agreed(fine()), &["no_agreement", "organisation_mismatch"]),
        (
            "expired",
            fine().set(
                "Authorization",
                &token(|claims| {
                    claims["iat"] = (NOW - 300).into();
                    claims["exp"] = NOW.into();
                }),
            ),
            &["token_expired"],
        ),
        (
            "another organisation",
            fine().set(
                "Authorization",
                &token(|claims| {
                    claims["requesting_organization"]["identifier"][0]["value"] = "RYY02".into();
                }),
            ),
            &["organisation_mismatch"],
        ),
        (
            "another practice's token",
            fine().set(
                "Authorization",
                &token(|claims| {
                    claims["aud"] = "https://gp.example/B20047/STU3/1/gpconnect".into();
                }),
            ),
            &["claim_invalid"],
        ),
        ("switched off", off(fine()), &["gp_connect_disabled"]),
        (
            "token before switches",
            off(fine().set("Authorization", "Bearer x")),
            &["token_malformed"],
        ),
    ] {
        assert_eq!(given.words(), words, "{name}");
    }
}

/// gp-connect 4.1 and 5: amend and cancel send the version that they change (D10).
#[test]
fn a_put_needs_the_version_that_it_changes() {
    let amend = "urn:nhs:names:services:gpconnect:fhir:rest:update:appointment-1";
    let write = token(|claims| claims["requested_scope"] = "patient/*.write".into());
    let given = || {
        Given::good()
            .target("PUT", &format!("/{ROOT}/Appointment/5"))
            .set("Ssp-InteractionID", amend)
            .set("Content-Type", "application/fhir+json;charset=utf-8")
            .set("Authorization", &write)
    };
    assert_eq!(given().set("If-Match", "W/\"1\"").words(), [""; 0]);
    assert_eq!(given().words(), ["header_missing"]);
    assert_eq!(given().set("If-Match", "1").words(), ["header_invalid"]);
}

/// gp-connect 4.2: enrichment adds what is absent and leaves one choice, never more.
#[test]
fn an_assisted_consumer_may_leave_headers_out() {
    let alone = |given: Given| Given { candidates: vec![ConsumerIndex(1)], ..given };
    let bare = || {
        let given = alone(Given::good().target("GET", "/A20047/STU3/1/gpconnect/Patient/17"));
        given
            .without("Ssp-TraceID")
            .without("Ssp-From")
            .without("Ssp-To")
            .without("Ssp-InteractionID")
    };
    let permit = bare().decide().outcome.unwrap();
    assert_eq!(permit.interaction(), InteractionId::ReadPatient);
    assert_eq!((permit.from().as_str(), permit.to().as_str()), ("200000000360", "918999198993"));
    assert_eq!(permit.trace_id(), TraceId::from_random([7; 16]));
    assert_eq!(
        permit.filled(),
        Filled { trace_id: true, from: true, to: true, interaction_id: true }
    );

    let proxy = bare().target("GET", &format!("/{ROOT}/metadata"));
    let scope = token(|claims| claims["requested_scope"] = "organization/*.read".into());
    let permit = proxy.set("Authorization", &scope).decide().outcome.unwrap();
    assert_eq!(
        permit.interaction(),
        InteractionId::ReadMetadata,
        "the root tells the statements apart"
    );

    let put =
        bare().target("PUT", "/A20047/STU3/1/gpconnect/Appointment/5").set("If-Match", "W/\"1\"");
    let put = put.set("Content-Type", "application/fhir+json");
    assert_eq!(put.words(), ["interaction_ambiguous"], "amend or cancel");
    let two = Given { candidates: vec![ConsumerIndex(0), ConsumerIndex(1)], ..bare() };
    assert_eq!(two.words()[0], "header_missing", "two systems are left");
    let transparent = Given { candidates: vec![ConsumerIndex(0)], ..bare() };
    assert_eq!(transparent.words(), ["header_missing"; 4]);
}

/// gp-connect 10: everything is off unless switched on; the Foundations statement is answered all the
/// same, the structured one obeys.
#[test]
fn everything_is_off_unless_switched_on() {
    let none = || policy(|practice, _| practice.enablement = Enablement::default());
    let on = |gp_connect| {
        policy(move |practice, _| {
            practice.enablement = Enablement { gp_connect, ..Enablement::default() };
        })
    };
    let scope = token(|claims| claims["requested_scope"] = "organization/*.read".into());
    let metadata = || {
        Given::good()
            .target("GET", &format!("/{ROOT}/metadata"))
            .set("Ssp-InteractionID", InteractionId::ReadMetadata.urn())
            .set("Authorization", &scope)
    };
    let slots = || {
        Given::good()
            .target("GET", &format!("/{ROOT}/Slot"))
            .set("Ssp-InteractionID", InteractionId::SearchSlot.urn())
            .set("Authorization", &scope)
    };
    let statement = || {
        Given::good()
            .target("GET", "/A20047/STU3/1/gpconnect/structured/metadata")
            .set("Ssp-InteractionID", InteractionId::ReadStructuredMetadata.urn())
            .set("Authorization", &scope)
    };
    let with = |given: Given, policy| Given { policy, ..given }.words();
    assert_eq!(with(metadata(), none()), [""; 0], "always answered");
    assert_eq!(with(Given::good(), none()), ["gp_connect_disabled"]);
    assert_eq!(with(Given::good(), on(true)), [""; 0], "foundations follow the whole");
    assert_eq!(with(slots(), on(true)), ["capability_disabled"]);
    assert_eq!(with(statement(), on(true)), ["capability_disabled"]);
    assert_eq!(statement().words(), [""; 0]);
}

/// What operations have switched off is refused whatever the practice has switched on; where both have
/// it off, the practice's own word stands.
#[test]
fn what_operations_switched_off_is_refused() {
    let off = |on: bool, switched| {
        let mut off = SwitchedOff::default();
        off.add(switched);
        policy(|practice, _| practice.enablement.gp_connect = on).with_switched_off(off)
    };
    let words = |policy| Given { policy, ..Given::good() }.words();
    let own = Switched::Practice(PracticeIndex(0));
    assert_eq!(words(off(true, own)), ["switched_off"]);
    assert_eq!(words(off(false, own)), ["gp_connect_disabled"]);
    assert_eq!(words(off(true, Switched::Practice(PracticeIndex(9)))), [""; 0]);
    assert_eq!(
        words(off(true, Switched::Interaction(InteractionId::ReadPatient))),
        ["switched_off"]
    );
}

proptest::proptest! {
    #[test]
    fn no_request_panics_and_none_passes_by_luck(
        target in "/[A-Za-z0-9/:.%$?=&-]{0,80}", from in "[0-9]{0,13}", token in ".{0,80}"
    ) {
        let given = Given::good().target("GET", &target).set("Ssp-From", &from);
        let given = given.set("Authorization", &format!("Bearer {token}"));
        proptest::prop_assert!(given.decide().outcome.is_err());
    }
}
