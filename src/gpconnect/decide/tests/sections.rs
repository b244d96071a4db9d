//! The specification, section by section, as far as it binds the decision.

use super::*;
use crate::{
    interaction::{Release, Verb},
    policy::Practice,
};

/// A request of the transparent consumer for any interaction, good unless changed.
pub(super) fn request(id: InteractionId, target: &str) -> Given {
    let row = id.row();
    let scope = row.scope.as_str();
    let given = Given::good()
        .target(row.verb.as_str(), target)
        .set("Ssp-InteractionID", id.urn())
        .set("Authorization", &token(|claims| claims["requested_scope"] = scope.into()));
    match row.verb {
        Verb::Get => given,
        Verb::Post | Verb::Put => given
            .set("Content-Type", "application/fhir+json;charset=utf-8")
            .set("If-Match", "W/\"1\""),
    }
}

fn forwarded(given: &Given) -> Result<String, &'static str> {
    match given.decide().outcome {
        Ok(permit) => {
            let endpoint = forward::endpoint(&permit, &given.policy).unwrap();
            Ok(forward::target(&permit, endpoint, forward::Connection::Direct))
        }
        Err(refused) => Err(refused.reason.word()),
    }
}

/// gp-connect 2.2: the service root is compared byte for byte, the boundary falls on a slash, and
/// the client never says where to connect.
#[test]
fn the_service_root_is_compared_as_text() {
    let registered_with_slash = |practice: &mut Practice, _: &mut Vec<Consumer>| {
        let root = crate::names::ServiceRoot::as_registered(&format!("{ROOT}/")).unwrap();
        practice
            .endpoints
            .set(Capability::Foundations, Endpoint { service_root: root, ..endpoint(ROOT) });
    };
    let path = "/A20047/STU3/1/gpconnect/fhir/Patient/17";
    for (name, target, expected) in [
        ("as registered", format!("/{ROOT}/Patient/17"), Ok(path.to_owned())),
        ("folded", format!("/https:/gp.example{path}"), Ok(path.to_owned())),
        ("a port", format!("/https://gp.example:443{path}"), Err("endpoint_varies")),
        ("an address", format!("/https://10.2.3.4{path}"), Err("endpoint_varies")),
        ("a host in capitals", format!("/https://GP.example{path}"), Err("endpoint_varies")),
        ("a dot behind the host", format!("/https://gp.example.{path}"), Err("endpoint_varies")),
        ("two slashes", format!("/{ROOT}//Patient/17"), Err("endpoint_varies")),
        ("more than the root", format!("/{ROOT}/structured/Patient/17"), Err("endpoint_varies")),
        (
            "less than the root",
            format!("/{}/Patient/17", ROOT.strip_suffix("/fhir").unwrap()),
            Err("endpoint_varies"),
        ),
        ("not on a slash", format!("/{ROOT}x/Patient/17"), Err("endpoint_varies")),
        ("no root at all", "/https://gp.example/A20047/Patient/17".into(), Err("endpoint_varies")),
    ] {
        let given = Given::good().target("GET", &target);
        assert_eq!(forwarded(&given), expected, "{name}");
        let given = Given { policy: policy(registered_with_slash), ..given };
        assert_eq!(forwarded(&given), expected, "{name}, registered with a slash at the end");
    }
    let given = Given::good().target("GET", &format!("/https://10.2.3.4{path}"));
    let given = Given { policy: policy(registered_with_slash), ..given };
    let text = given.decide().outcome.unwrap_err().reason.diagnostics();
    let expected =
        format!("ENDPOINT_{ROOT}/_CPAID_unknown_VARIES_FROM_TARGETURL_https://10.2.3.4{path}");
    assert_eq!(text, expected, "the directory's value as it is");
}

/// gp-connect 2.1 and 2.3: the interaction chooses the service root; the routing segment has to
/// agree, `/fhir` may follow it, and nothing else.
/// gp-connect 1.
#[test]
fn the_ods_form_names_the_capability() {
    use InteractionId as Id;
    let structured = "Patient/$gpc.getstructuredrecord";
    for (name, id, target, expected) in [
        ("foundations", Id::ReadPatient, "gpconnect/Patient/17".to_owned(), Ok("Patient/17")),
        ("with fhir", Id::ReadPatient, "gpconnect/fhir/Patient/17".into(), Ok("Patient/17")),
        (
            "an id called Patient",
            Id::ReadPatient,
            "gpconnect/Patient/Patient".into(),
            Ok("Patient/Patient"),
        ),
        (
            "structured",
            Id::GetStructuredRecord,
            format!("gpconnect/structured/fhir/{structured}"),
            Ok(structured),
        ),
        (
            "structured under foundations",
            Id::GetStructuredRecord,
            format!("gpconnect/{structured}"),
            Err("interaction_mismatch"),
        ),
        (
            "foundations under structured",
            Id::ReadPatient,
            "gpconnect/structured/Patient/17".into(),
            Err("interaction_mismatch"),
        ),
        (
            "a segment between",
            Id::ReadPatient,
            "gpconnect/fhir/x/Patient/17".into(),
            Err("interaction_mismatch"),
        ),
        ("another version", Id::ReadPatient, "x/Patient/17".into(), Err("not_a_gp_connect_path")),
    ] {
        let given = request(id, &format!("/A20047/STU3/1/{target}"));
        let path = forwarded(&given);
        let fhir = path.as_ref().map(|path| path.split_once("/fhir/").unwrap().1);
        assert_eq!(fhir.map_err(|word| *word), expected, "{name}");
    }
}

/// gp-connect 2.4: what breaks naive code leaves as it arrived.
#[test]
fn path_and_query_leave_byte_for_byte() {
    use InteractionId as Id;
    for (name, id, rest) in [
        ("a dollar", Id::GetStructuredRecord, "structured/Patient/$gpc.getstructuredrecord"),
        (
            "a dollar, encoded",
            Id::GetStructuredRecord,
            "structured/Patient/%24gpc.getstructuredrecord",
        ),
        ("a raw pipe", Id::SearchPatient, "Patient?identifier=https://x/Id|9000000009"),
        ("an encoded pipe", Id::SearchPatient, "Patient?identifier=https://x/Id%7C9000000009"),
        ("a plus", Id::SearchSlot, "Slot?start=ge2019-03-29T12:00:00+00:00"),
        ("a plus in the format", Id::SearchSlot, "Slot?_format=application/fhir+json"),
        ("a colon in a name", Id::SearchSlot, "Slot?_include:recurse=a&_include%3Arecurse=b"),
        ("repeated names", Id::SearchPatientAppointments, "Patient/1/Appointment?start=a&start=b"),
        ("an unknown parameter", Id::SearchSlot, "Slot?unknown=1&&=&x"),
        ("an empty query", Id::SearchSlot, "Slot?"),
        ("a question mark in the query", Id::SearchSlot, "Slot?a=?"),
        ("encoded slashes in the query", Id::SearchSlot, "Slot?a=%2F..%2f%2e"),
    ] {
        let given = request(id, &format!("/A20047/STU3/1/gpconnect/{rest}"));
        let path = forwarded(&given).unwrap();
        let sent = rest.strip_prefix("structured/").unwrap_or(rest);
        assert_eq!(path.split_once("/fhir/").unwrap().1, sent, "{name}");
    }
    for (name, path) in [
        ("an encoded slash", "Patient/1%2F2"),
        ("a blank, encoded", "Patient/1%202"),
        ("a parameter", "Patient/17;x=1"),
        ("65 characters", &format!("Patient/{}", "a".repeat(65))),
    ] {
        let given =
            request(InteractionId::ReadPatient, &format!("/A20047/STU3/1/gpconnect/{path}"));
        assert_eq!(forwarded(&given), Err("interaction_mismatch"), "{name}");
    }
}

/// gp-connect 3 and 5: the id decides, verb and path must agree; where an id belongs and nothing
/// stands it is 404; a verb that GP Connect never carries is 405, one of another interaction 400.
#[test]
fn verb_and_path_are_those_of_the_interaction() {
    use InteractionId as Id;
    let of = |id: Id, method: &'static str, path: &str| {
        let given = request(id, "/").target(method, &format!("/A20047/STU3/1/gpconnect/{path}"));
        let given = given.set("Content-Type", "application/fhir+json");
        forwarded(&given).err()
    };
    for (name, id, method, path, expected) in [
        ("amend", Id::AmendAppointment, "PUT", "Appointment/5", None),
        ("cancel", Id::CancelAppointment, "PUT", "Appointment/5", None),
        ("book", Id::BookAppointment, "POST", "Appointment", None),
        ("no id", Id::ReadAppointment, "GET", "Appointment/", Some("logical_id_missing")),
        (
            "no id to change",
            Id::AmendAppointment,
            "PUT",
            "Appointment/",
            Some("logical_id_missing"),
        ),
        ("a search", Id::ReadAppointment, "GET", "Appointment", Some("interaction_mismatch")),
        (
            "no id in the middle",
            Id::SearchPatientAppointments,
            "GET",
            "Patient//Appointment",
            Some("interaction_mismatch"),
        ),
        ("too much", Id::ReadPatient, "GET", "Patient/17/x", Some("interaction_mismatch")),
        (
            "a history",
            Id::ReadPatient,
            "GET",
            "Patient/17/_history/1",
            Some("interaction_mismatch"),
        ),
        ("another resource", Id::ReadPatient, "GET", "Location/17", Some("interaction_mismatch")),
        ("another case", Id::ReadMetadata, "GET", "Metadata", Some("interaction_mismatch")),
        ("a carried verb", Id::ReadPatient, "PUT", "Patient/17", Some("interaction_mismatch")),
        ("a search by POST", Id::SearchPatient, "POST", "Patient", Some("interaction_mismatch")),
        ("a verb of nobody", Id::ReadPatient, "DELETE", "Patient/17", Some("method_not_carried")),
        ("a patch", Id::AmendAppointment, "PATCH", "Appointment/5", Some("method_not_carried")),
    ] {
        assert_eq!(of(id, method, path), expected, "{name}");
    }
}

/// gp-connect 3: ids are exact; a known one that is not carried is 501, any other 400.
#[test]
fn an_interaction_id_is_exact() {
    let urn = InteractionId::ReadPatient.urn();
    for (name, id, word) in [
        ("in capitals", urn.to_uppercase(), "interaction_unknown"),
        ("padded", format!("{urn} "), "interaction_unknown"),
        ("twice in a list", format!("{urn}, {urn}"), "interaction_unknown"),
        ("without its version", urn.trim_end_matches("-1").to_owned(), "interaction_unknown"),
        ("of another version", urn.replace("-1", "-2"), "interaction_unknown"),
        ("short", InteractionId::ReadPatient.short().to_owned(), "interaction_unknown"),
        ("empty", String::new(), "interaction_unknown"),
        ("a neighbour", InteractionId::ReadBinary.urn().to_owned(), "interaction_not_carried"),
        ("a migration", InteractionId::MigrateBinary.urn().to_owned(), "interaction_not_carried"),
    ] {
        assert_eq!(Given::good().set("Ssp-InteractionID", &id).words()[0], word, "{name}");
    }
}

/// gp-connect 4.1: the four headers have one value each, in their form; names in any case.
#[test]
fn headers_have_one_value_in_their_form() {
    let lower: Vec<_> = Given::good()
        .headers
        .into_iter()
        .map(|(name, value)| (&*name.to_ascii_lowercase().leak(), value))
        .collect();
    let lower = Given { headers: lower, ..Given::good() };
    assert_eq!(lower.words(), [""; 0]);
    for (name, header, value) in [
        ("a list of senders", "Ssp-From", "200000000359, 200000000359"),
        ("eleven digits", "Ssp-From", "20000000035"),
        ("letters", "Ssp-From", "20000000035X"),
        ("padded within", "Ssp-To", "918999198993 "),
        ("digits of another script", "Ssp-To", "٩١٨٩٩٩١٩٨٩٩٣"),
        ("a list of trace ids", "Ssp-TraceID", &format!("{TRACE},{TRACE}")),
        ("a GUID in braces", "Ssp-TraceID", "{629ea9ba-a077-4d99-b289-7a9b19fd4e03}"),
        ("an empty trace id", "Ssp-TraceID", ""),
    ] {
        assert_eq!(Given::good().set(header, value).words(), ["header_invalid"], "{name}");
    }
    for header in ["Ssp-TraceID", "Ssp-From", "Ssp-To", "Ssp-InteractionID"] {
        assert_eq!(Given::good().without(header).words(), ["header_missing"], "{header}");
        let mut twice = Given::good();
        let same = twice.headers.iter().find(|(name, _)| *name == header).cloned().unwrap();
        twice.headers.push(same);
        assert_eq!(twice.words()[0], "header_repeated", "{header}");
    }
}

/// gp-connect 6: a format that is none is 415, wherever it is asked for; the body of POST and PUT
/// too, of GET never.
#[test]
fn what_can_not_be_fhir_is_415() {
    use InteractionId as Id;
    let book = || request(Id::BookAppointment, "/A20047/STU3/1/gpconnect/Appointment");
    let read = |query: &str| Given::good().target("GET", &format!("/{ROOT}/Patient/17{query}"));
    let refused = vec!["media_type_unsupported"];
    for (name, given, words) in [
        ("a format", read("?_format=turtle"), refused.clone()),
        ("a format that stands above Accept", read("?_format=xml").set("Accept", "x/y"), vec![]),
        ("Accept", read("").set("Accept", "text/html"), refused.clone()),
        ("the type of a GET", read("").set("Content-Type", "text/plain"), vec![]),
        ("the type of a body", book().set("Content-Type", "text/plain"), refused.clone()),
        ("no type of a body", book().without("Content-Type"), refused),
        ("the old spelling", book().set("Content-Type", "application/xml+fhir"), vec![]),
    ] {
        assert_eq!(given.words(), words, "{name}");
    }
}

/// gp-connect 9 and 10: as each fault is mended the next one in the order decides.
/// gp-connect 3, 4.1 and 7.6.
#[test]
fn mending_one_fault_shows_the_next() {
    let has_no_agreement = |practice: &mut Practice, consumers: &mut Vec<Consumer>| {
        practice.enablement = Enablement::default();
        consumers[0].organisation = "RYY02".parse().unwrap();
    };
    let receives_nothing = |practice: &mut Practice, consumers: &mut Vec<Consumer>| {
        has_no_agreement(practice, consumers);
        let endpoint = Endpoint { interactions: InteractionSet::default(), ..endpoint(ROOT) };
        practice.endpoints.set(Capability::Foundations, endpoint);
    };
    let everything_wrong = policy(|practice, consumers| {
        receives_nothing(practice, consumers);
        consumers[0].interactions = InteractionSet::default();
    });
    let mut given = Given {
        method: "DELETE",
        target: "/https://10.2.3.4/A20047/STU3/1/gpconnect/fhir/Patient/".into(),
        headers: vec![("Accept", "image/png".into()), ("Ssp-From", "200000000999".into())],
        candidates: vec![ConsumerIndex(0)],
        policy: everything_wrong,
    };
    let is_next = |given: &Given, word: &str| assert_eq!(given.words()[0], word);
    is_next(&given, "method_not_carried");
    given.method = "PUT";
    is_next(&given, "header_missing");
    let good = Given::good();
    for (name, value) in &good.headers {
        if !matches!(*name, "Authorization" | "Ssp-From" | "Ssp-To") {
            given = given.set(name, value);
        }
    }
    given = given.set("Ssp-To", "918999198994");
    is_next(&given, "interaction_mismatch");
    given.method = "GET";
    is_next(&given, "logical_id_missing");
    given.target.push_str("17");
    is_next(&given, "media_type_unsupported");
    given = given.without("Accept");
    is_next(&given, "sender_not_caller");
    given = given.set("Ssp-From", "200000000359");
    is_next(&given, "sender_not_accredited");
    given.policy = policy(receives_nothing);
    is_next(&given, "receiver_not_accredited");
    given.policy = policy(has_no_agreement);
    is_next(&given, "receiver_mismatch");
    given = given.set("Ssp-To", "918999198993");
    is_next(&given, "endpoint_varies");
    given.target = format!("/{ROOT}/Patient/17");
    is_next(&given, "no_agreement");
    given.policy = policy(|practice, _| practice.enablement = Enablement::default());
    is_next(&given, "header_missing");
    given = given.set("Authorization", "Bearer x");
    is_next(&given, "token_malformed");
    given = given.set("Authorization", &token(|_| {}));
    is_next(&given, "gp_connect_disabled");
    given.policy = policy(|_, _| {});
    assert_eq!(given.words(), [""; 0]);
}

/// gp-connect 2.2 and 4.1: the receiver is looked for by practice and interaction before `Ssp-To`
/// is compared.
#[test]
fn the_receiver_comes_before_its_asid() {
    let off = |practice: &mut Practice, _: &mut Vec<Consumer>| {
        practice.endpoints = Endpoints::default();
    };
    let given = Given::good().set("Ssp-To", "918999198994");
    assert_eq!(given.words(), ["receiver_mismatch"]);
    let given = Given { policy: policy(off), ..given };
    let refused = given.decide().outcome.unwrap_err();
    assert_eq!(
        refused.reason.diagnostics(),
        "PARTYKEY_INTERACTION_CHECK_FAILED_MESSAGERECEIVER_918999198994"
    );
}

/// gp-connect 1 and 10: a practice may have several systems; the receiver is the one that is
/// registered for the interaction, never another with the same ODS code.
#[test]
fn the_receiver_is_the_system_of_the_capability() {
    let records = "https://records.example/A20047/STU3/1/gpconnect/structured";
    let two_systems = |practice: &mut Practice, consumers: &mut Vec<Consumer>| {
        let system = Endpoint { asid: "918999198995".parse().unwrap(), ..endpoint(records) };
        practice.endpoints.set(Capability::Structured, system);
        // The practice's own consumer system.
        let own = Consumer {
            organisation: "A20047".parse().unwrap(),
            ..consumer("918999198996", Mode::Transparent)
        };
        consumers.push(own);
    };
    let structured = format!("/{records}/Patient/$gpc.getstructuredrecord");
    for (name, id, target, to, words) in [
        ("structured", InteractionId::GetStructuredRecord, &structured, "918999198995", vec![]),
        (
            "that of another capability",
            InteractionId::GetStructuredRecord,
            &structured,
            "918999198993",
            vec!["receiver_mismatch"],
        ),
        (
            "a consumer system of the practice",
            InteractionId::GetStructuredRecord,
            &structured,
            "918999198996",
            vec!["receiver_mismatch"],
        ),
        (
            "the root of another capability",
            InteractionId::GetStructuredRecord,
            &format!("/{ROOT}/Patient/$gpc.getstructuredrecord"),
            "918999198995",
            vec!["endpoint_varies"],
        ),
        (
            "foundations",
            InteractionId::ReadPatient,
            &format!("/{ROOT}/Patient/17"),
            "918999198993",
            vec![],
        ),
    ] {
        let given = request(id, target).set("Ssp-To", to);
        assert_eq!(Given { policy: policy(two_systems), ..given }.words(), words, "{name}");
    }
}

/// gp-connect 10: an agreement is for a capability; what none allows is refused.
#[test]
fn an_agreement_is_for_a_capability() {
    let practice = |capabilities: &[Capability]| {
        let policy = policy(|_, _| {});
        let agreement = Agreement {
            consumer: "RXX01".parse().unwrap(),
            practice: PracticeIndex(0),
            capabilities: capabilities.iter().copied().collect(),
        };
        let (practices, consumers) = (policy.practices().to_vec(), policy.consumers().to_vec());
        Policy::new(practices, consumers, [agreement], InteractionSet::of_1_2_7())
    };
    let slots = || request(InteractionId::SearchSlot, "/A20047/STU3/1/gpconnect/Slot");
    let words = |given: Given, capabilities: &[Capability]| {
        Given { policy: practice(capabilities), ..given }.words()
    };
    use Capability::{Appointments, Foundations};
    assert_eq!(words(slots(), &[Appointments]), [""; 0]);
    assert_eq!(words(slots(), &[Foundations]), ["no_agreement"]);
    assert_eq!(words(Given::good(), &[Foundations]), [""; 0]);
    assert_eq!(words(Given::good(), &[Appointments]), ["no_agreement"]);
    assert_eq!(words(Given::good(), &[]), ["no_agreement"]);
}

/// The practice with every capability and every interaction, its switches as given.
fn carrying_all(enablement: Enablement) -> Policy {
    let policy = policy(|practice, consumers| {
        practice.enablement = enablement;
        for capability in Capability::ALL {
            let root = format!("https://gp.example/A20047/STU3/1/{}", capability.as_str());
            let all = InteractionId::all().collect();
            let endpoint = Endpoint { interactions: all, ..endpoint(&root) };
            practice.endpoints.set(capability, endpoint);
        }
        consumers[0].interactions = InteractionId::all().collect();
    });
    let agreement = Agreement {
        consumer: "RXX01".parse().unwrap(),
        practice: PracticeIndex(0),
        capabilities: Capability::ALL.into_iter().collect(),
    };
    let (practices, consumers) = (policy.practices().to_vec(), policy.consumers().to_vec());
    Policy::new(practices, consumers, [agreement], InteractionId::all().collect())
}

/// A good request for any interaction, neighbours included, in proxy form.
fn of_any_version(id: InteractionId, enablement: Enablement) -> Given {
    let row = id.row();
    let (capability, path) = (row.capability.as_str(), row.path.replace("{id}", "17"));
    let suffix = row.token.confidentiality.last().unwrap();
    let scope = [row.scope.as_str(), suffix].join(" ").trim_end().to_owned();
    let target = format!("/https://gp.example/A20047/STU3/1/{capability}/{path}");
    let given = request(id, &target).set(
        "Authorization",
        &token(|claims| {
            claims["requested_scope"] = scope.into();
            claims["reason_for_request"] = row.token.reasons[0].into();
            if row.token.release == Release::Dstu2 {
                as_in_0_7(claims);
            }
        }),
    );
    Given { policy: carrying_all(enablement), ..given }
}

/// What the token of 0.7 has instead.
fn as_in_0_7(claims: &mut serde_json::Value) {
    claims["aud"] = "https://authorize.fhir.nhs.net/token".into();
    claims["requesting_device"]["id"] = "1".into();
    claims["requesting_organization"]["id"] = "1".into();
    claims["requesting_organization"]["identifier"][0]["system"] =
        "http://fhir.nhs.net/Id/ods-organization-code".into();
    claims["requesting_practitioner"]["name"] =
        serde_json::json!({"family": ["Kaur"], "given": ["Asha"]});
    claims["requesting_practitioner"]["identifier"][0]["system"] =
        "http://fhir.nhs.net/sds-user-id".into();
    claims["requested_record"] = serde_json::json!({"resourceType": "Patient",
        "identifier": [{"system": "http://fhir.nhs.net/Id/nhs-number", "value": "9000000009"}]});
}

/// gp-connect 10 and 17: which switch an interaction obeys is data. The Foundations statement is
/// always answered, 1.6 migrations ignore switches, Foundations follow GP Connect as a whole (D18),
/// every other one has a switch of its own, the structured statement too.
#[test]
fn each_interaction_obeys_its_switch() {
    use InteractionId as Id;
    let off = Enablement::default();
    let on = Enablement { gp_connect: true, ..off };
    let structured = [Capability::Structured].into_iter().collect();
    let only_structured = Enablement { capabilities: structured, ..on };
    let whole_off = Enablement { gp_connect: false, ..only_structured };
    for id in Id::all() {
        let words = |enablement| of_any_version(id, enablement).words();
        let never =
            matches!(id, Id::ReadMetadata | Id::MigrateBinary | Id::MigrateStructuredRecord);
        let (whole, own) = (vec!["gp_connect_disabled"], vec!["capability_disabled"]);
        let capability = id.row().capability;
        let expected = match capability {
            _ if never => [vec![], vec![], vec![], vec![]],
            Capability::Foundations => [whole.clone(), whole, vec![], vec![]],
            Capability::Structured => [whole.clone(), whole, own, vec![]],
            Capability::Appointments | Capability::Documents | Capability::Html => {
                [whole.clone(), whole, own.clone(), own]
            }
        };
        let found = [off, whole_off, on, only_structured].map(words);
        assert_eq!(found, expected, "{}", id.short());
    }
}

/// gp-connect 3 and 17: interactions of other versions are known, and carried where configured.
#[test]
fn neighbours_are_carried_where_configured() {
    let capabilities = Capability::ALL.into_iter().collect();
    let on = Enablement { gp_connect: true, capabilities, ..Enablement::default() };
    for id in InteractionId::all() {
        let given = of_any_version(id, on);
        assert_eq!(given.words(), [""; 0], "{}", id.short());
        let carried = InteractionSet::of_1_2_7();
        let (practices, consumers) =
            (given.policy.practices().to_vec(), given.policy.consumers().to_vec());
        let given = Given { policy: Policy::new(practices, consumers, [], carried), ..given };
        let word = if id.row().in_1_2_7 { "no_agreement" } else { "interaction_not_carried" };
        assert_eq!(given.words()[0], word, "{}", id.short());
    }
}

/// gp-connect 2.3: the published path of the structured migration lacks `structured`.
#[test]
fn the_structured_migration_is_spared_its_segment() {
    let capabilities = Capability::ALL.into_iter().collect();
    let on = Enablement { gp_connect: true, capabilities, ..Enablement::default() };
    for (path, words) in [
        ("gpconnect/Patient/$gpc.migratestructuredrecord", vec![]),
        ("gpconnect/structured/Patient/$gpc.migratestructuredrecord", vec![]),
        ("gpconnect/documents/Patient/$gpc.migratestructuredrecord", vec!["interaction_mismatch"]),
    ] {
        let given = of_any_version(InteractionId::MigrateStructuredRecord, on);
        let given = given.target("POST", &format!("/A20047/STU3/1/{path}"));
        assert_eq!(given.words(), words, "{path}");
    }
}
