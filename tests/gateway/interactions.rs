//! Every interaction of GP Connect 1.2.7 through the gateway, in every address form and both modes,
//! looked at from both ends.

use gpconnect_gateway::simulator::{Arrival, Practice};
use http::HeaderMap;
use serde_json::Value;

use crate::harness::call::{TRACE_ID, host_and_path};
use crate::harness::client::sha256;
use crate::harness::interactions::{
    AMEND_APPOINTMENT, BOOK_APPOINTMENT, CANCEL_APPOINTMENT, GET_STRUCTURED_RECORD,
    PATIENT_APPOINTMENTS, READ_APPOINTMENT, READ_LOCATION, READ_METADATA, READ_ORGANIZATION,
    READ_PATIENT, READ_PRACTITIONER, REGISTER_PATIENT, SEARCH_ORGANIZATION, SEARCH_PATIENT,
    SEARCH_PRACTITIONER, SEARCH_SLOT, STRUCTURED_METADATA,
};
use crate::harness::{Answer, Call, Form, HOST, Interaction, Mode, World};
use crate::resources::{
    FREE_SLOTS, NHS_NUMBER, UNREGISTERED, amendment, booking, cancellation, of_type,
    record_question, registration,
};

/// One step of the walk, and what the consumer must get.
pub(crate) struct Row {
    pub(crate) interaction: &'static Interaction,
    pub(crate) path: &'static str,
    body: Body,
    pub(crate) status: u16,
    pub(crate) resource: &'static str,
    pub(crate) etag: &'static str,
}

/// What a step sends.
#[derive(Clone, Copy)]
enum Body {
    None,
    Registration,
    RecordQuestion,
    Booking,
    Amendment,
    Cancellation,
}

const fn row(
    interaction: &'static Interaction,
    path: &'static str,
    body: Body,
    status: u16,
    resource: &'static str,
    etag: &'static str,
) -> Row {
    Row { interaction, path, body, status, resource, etag }
}

/// In the order of the specification; the booked appointment is the practice's second.
#[rustfmt::skip]
pub(crate) const WALK: [Row; 17] = [
    row(&READ_METADATA,         "metadata",                                                              Body::None,           200, "CapabilityStatement", ""),
    row(&SEARCH_PATIENT,        "Patient?identifier=https://fhir.nhs.uk/Id/nhs-number%7C9000000009",     Body::None,           200, "Bundle",              ""),
    row(&READ_PATIENT,          "Patient/1",                                                             Body::None,           200, "Patient",             "W/\"1\""),
    row(&SEARCH_PRACTITIONER,   "Practitioner?identifier=https://fhir.nhs.uk/Id/sds-user-id%7C1",        Body::None,           200, "Bundle",              ""),
    row(&READ_PRACTITIONER,     "Practitioner/1",                                                        Body::None,           200, "Practitioner",        "W/\"1\""),
    row(&SEARCH_ORGANIZATION,   "Organization?identifier=https://fhir.nhs.uk/Id/ods-organization-code|X", Body::None,          200, "Bundle",              ""),
    row(&READ_ORGANIZATION,     "Organization/1",                                                        Body::None,           200, "Organization",        "W/\"1\""),
    row(&READ_LOCATION,         "Location/1",                                                            Body::None,           200, "Location",            "W/\"1\""),
    row(&REGISTER_PATIENT,      "Patient/$gpc.registerpatient",                                          Body::Registration,   200, "Bundle",              ""),
    row(&SEARCH_SLOT,           FREE_SLOTS,                                                              Body::None,           200, "Bundle",              ""),
    row(&BOOK_APPOINTMENT,      "Appointment",                                                           Body::Booking,        201, "Appointment",         "W/\"1\""),
    row(&PATIENT_APPOINTMENTS,  "Patient/1/Appointment?start=ge2026-11-23&start=le2026-12-31",           Body::None,           200, "Bundle",              ""),
    row(&READ_APPOINTMENT,      "Appointment/2",                                                         Body::None,           200, "Appointment",         "W/\"1\""),
    row(&AMEND_APPOINTMENT,     "Appointment/2",                                                         Body::Amendment,      200, "Appointment",         "W/\"2\""),
    row(&CANCEL_APPOINTMENT,    "Appointment/2",                                                         Body::Cancellation,   200, "Appointment",         "W/\"3\""),
    row(&GET_STRUCTURED_RECORD, "Patient/$gpc.getstructuredrecord",                                      Body::RecordQuestion, 200, "Bundle",              ""),
    row(&STRUCTURED_METADATA,   "metadata",                                                              Body::None,           200, "CapabilityStatement", ""),
];

/// How much of the headers a consumer leaves to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Headers {
    All,
    Lean,
}

/// A walk at one practice: what was learnt on the way goes into the next bodies.
struct Walk<'w> {
    world: &'w World,
    practice: &'w Practice,
    mode: Mode,
    form: Form,
    headers: Headers,
    learnt: Learnt,
}

/// What the answers of a walk told, for the bodies that follow.
#[derive(Default)]
pub(crate) struct Learnt {
    slot: Value,
    appointment: Value,
}

impl Learnt {
    pub(crate) fn from(&mut self, row: &Row, answer: &Answer) {
        let body = answer.json();
        if row.interaction.id == SEARCH_SLOT.id {
            self.slot = of_type(&body, "Slot")[0].clone();
        } else if row.resource == "Appointment" {
            self.appointment = body;
        }
    }
}

impl Row {
    /// The call with this step's body.
    pub(crate) fn body_of(&self, call: Call, learnt: &Learnt) -> Call {
        match self.body {
            Body::None => call,
            Body::Registration => call.json(&registration(UNREGISTERED)),
            Body::RecordQuestion => call.json(&record_question(NHS_NUMBER)),
            Body::Booking => call.json(&booking(&learnt.slot)),
            Body::Amendment => {
                call.json(&amendment(&learnt.appointment, "é")).and("If-Match", "W/\"1\"")
            }
            Body::Cancellation => {
                call.json(&cancellation(&learnt.appointment)).and("If-Match", "W/\"2\"")
            }
        }
    }
}

impl Walk<'_> {
    fn call(&self, row: &Row) -> Call {
        let call = Call::new(self.mode, self.form, self.practice, row.interaction, row.path)
            .and("Forwarded", "for=192.0.2.1;by=192.0.2.2")
            .and("Via", "1.1 example-epr")
            .and("Connection", "keep-alive, X-Hop")
            .and("Keep-Alive", "timeout=9")
            .and("X-Hop", "ends here")
            .and("X-Consumer", "stays \"as it\" is")
            .and("X-Consumer", "and where it is");
        let call = row.body_of(call, &self.learnt);
        let twins = [&AMEND_APPOINTMENT, &CANCEL_APPOINTMENT];
        match self.headers {
            Headers::All => call,
            Headers::Lean if twins.iter().any(|twin| twin.id == row.interaction.id) => call.lean(),
            Headers::Lean => call.lean().without("Ssp-InteractionID"),
        }
    }

    async fn step(&mut self, row: &Row) {
        let name =
            format!("{:?} {:?} {:?} {}", self.mode, self.form, self.headers, row.interaction.id);
        let call = self.call(row);
        let answer = self.world.send(call.clone()).await;
        let arrivals = self.world.arrivals();
        assert_eq!(arrivals.len(), 1, "{name}: {answer:?}");
        let expected = expected_headers(&call, self.practice, row.interaction, &arrivals[0]);
        check_arrival(&name, &call, &arrivals[0], &expected);
        let (host, root) = host_and_path(self.practice, row.interaction);
        assert_eq!(arrivals[0].target, format!("/{root}/{}", row.path), "{name}");
        assert_eq!(all(&arrivals[0].headers, "host"), [host], "{name}");
        check_answer(&name, row, &answer, all(&arrivals[0].headers, "ssp-traceid")[0]);
        // A body whose links may change on its way has no length beforehand.
        let (header, value) = match self.mode {
            Mode::Transparent => ("content-length", answer.body.len().to_string()),
            Mode::Assist => ("transfer-encoding", "chunked".to_owned()),
        };
        assert_eq!(answer.header(header), value, "{name}: {header}");
        self.learnt.from(row, &answer);
    }
}

/// All values of a header.
fn all<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

/// What identifies the call at the provider: as it was sent, or as the directory knows it.
fn expected_headers(
    call: &Call,
    practice: &Practice,
    interaction: &Interaction,
    arrival: &Arrival,
) -> Vec<(&'static str, String)> {
    let sent = |name: &str| call.header(name).map(ToOwned::to_owned);
    let made = all(&arrival.headers, "ssp-traceid").concat();
    vec![
        ("ssp-traceid", sent("Ssp-TraceID").unwrap_or(made)),
        ("ssp-from", sent("Ssp-From").unwrap_or(call.mode.asid().to_owned())),
        ("ssp-to", sent("Ssp-To").unwrap_or(practice.asid.to_string())),
        ("ssp-interactionid", sent("Ssp-InteractionID").unwrap_or(interaction.urn())),
        ("authorization", sent("Authorization").unwrap()),
        ("accept", sent("Accept").unwrap()),
        ("forwarded", format!("by=_gpconnect-gateway;for=127.0.0.1;host={HOST};proto=http")),
    ]
}

fn check_arrival(name: &str, call: &Call, arrival: &Arrival, expected: &[(&'static str, String)]) {
    assert_eq!(arrival.method.as_str(), call.verb, "{name}");
    for (header, value) in expected {
        assert_eq!(all(&arrival.headers, header), [value], "{name}: {header}");
    }
    assert_eq!(made_up_of(&all(&arrival.headers, "ssp-traceid").concat()), [8, 4, 4, 4, 12]);
    let own = all(&arrival.headers, "x-consumer");
    assert_eq!(own, ["stays \"as it\" is", "and where it is"], "{name}");
    let via = all(&arrival.headers, "via").join(", ");
    assert_eq!(via, "1.1 example-epr, 1.1 gpconnect-gateway", "{name}");
    for header in [
        "connection",
        "expect",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-hop",
    ] {
        assert!(!arrival.headers.contains_key(header), "{name}: {header} arrived");
    }
    let body = call.body.concat();
    assert_eq!(arrival.body_sha256(), sha256(&body), "{name}");
    for header in ["content-type", "if-match"] {
        let sent: Vec<&str> = call.header(header).into_iter().collect();
        assert_eq!(all(&arrival.headers, header), sent, "{name}: {header}");
    }
    if !body.is_empty() {
        assert_eq!(all(&arrival.headers, "content-length"), [body.len().to_string()], "{name}");
    }
}

/// The lengths of the hexadecimal groups of a UUID.
fn made_up_of(uuid: &str) -> Vec<usize> {
    assert!(uuid.chars().all(|letter| letter == '-' || letter.is_ascii_hexdigit()), "{uuid}");
    uuid.split('-').map(str::len).collect()
}

fn check_answer(name: &str, row: &Row, answer: &Answer, trace_id: &str) {
    assert_eq!(answer.status, row.status, "{name}: {answer:?}");
    for (header, value) in [
        ("content-type", "application/fhir+json;charset=utf-8"),
        ("cache-control", "no-store"),
        ("ssp-traceid", trace_id),
        ("via", "1.1 gpconnect-gateway"),
        ("etag", row.etag),
    ] {
        assert_eq!(answer.header(header), value, "{name}: {header}");
    }
    assert_eq!(answer.json()["resourceType"], row.resource, "{name}");
}

/// gp-connect 1, 4.1 and 4.2.
#[tokio::test]
async fn every_interaction_passes_in_every_form_and_mode() {
    let world = World::start(|plan| plan.practices = 12).await;
    let mut place = 0;
    for form in [Form::Ods, Form::Proxy, Form::Folded, Form::Escaped] {
        for (mode, headers) in [
            (Mode::Transparent, Headers::All),
            (Mode::Assist, Headers::All),
            (Mode::Assist, Headers::Lean),
        ] {
            // Each walk has a practice of its own: it registers and books.
            let practice = world.practice(place);
            let learnt = Learnt::default();
            let mut walk = Walk { world: &world, practice, mode, form, headers, learnt };
            for row in &WALK {
                walk.step(row).await;
            }
            place += 1;
        }
    }
    let carried = |line: &&Value| line["message"] == "request" && line["origin"] == "provider";
    let all_written = |lines: &[Value]| lines.iter().filter(carried).count() == place * WALK.len();
    let lines = world.gateway.log.wait_until("one for each request", all_written).await;
    for number in [NHS_NUMBER, UNREGISTERED] {
        let told = lines.iter().find(|line| line.to_string().contains(number));
        assert_eq!(told, None, "a patient in the log");
    }
    let metrics = world.metrics().await;
    for row in &WALK {
        let known = format!("interaction=\"{}\"", row.interaction.id);
        assert!(metrics.contains(&known), "{known} in {metrics}");
    }
    // The simulated practices keep every rule, but for a machine that is too slow for them.
    let is_broken =
        |line: &&str| line.contains("conformance_total{") && !line.contains("rule=\"time_");
    assert_eq!(metrics.lines().find(is_broken), None);
}

/// gp-connect 4.2.
#[tokio::test]
async fn what_assist_fills_in_is_what_the_directory_says_and_nothing_that_was_sent_changes() {
    let world = World::start(|_| {}).await;
    for left_out in ["Ssp-TraceID", "Ssp-From", "Ssp-To", "Ssp-InteractionID"] {
        let whole = world.call(Mode::Assist, &READ_PATIENT, "Patient/1");
        let answer = world.send(whole.clone().without(left_out)).await;
        assert_eq!(answer.status, 200, "{left_out}: {answer:?}");
        let arrivals = world.arrivals();
        for name in ["Ssp-TraceID", "Ssp-From", "Ssp-To", "Ssp-InteractionID"] {
            let there = all(&arrivals[0].headers, name);
            if (name, left_out) == ("Ssp-TraceID", "Ssp-TraceID") {
                assert_ne!(there, [TRACE_ID]);
                assert_eq!(answer.header("ssp-traceid"), there[0]);
            } else {
                assert_eq!(there, [whole.header(name).unwrap()], "{name} without {left_out}");
            }
        }
        let strict = world.call(Mode::Transparent, &READ_PATIENT, "Patient/1").without(left_out);
        assert_eq!(world.send(strict).await.status, 400, "{left_out}");
        assert!(world.arrivals().is_empty(), "{left_out}");
    }
}
