//! No answer crosses to a question that it does not answer, whatever a consumer or a provider
//! writes.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::BodyExt;

use super::{cached, good, organisation, read, reply, send, trace_id};
use crate::harness::interactions::{self as all, Interaction};
use crate::harness::provider::AnyBody;
use crate::harness::{Call, Connection, Form, Mode, Provider, World};

/// A provider that answers each request with all that it was sent, as an organisation that could
/// well be kept, and asks for it to be kept for ever.
async fn echoing(settings: &str) -> (World, Provider, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let provider = Provider::start(move |request: &Request<()>| echo(request, &notes)).await;
    let world = World::start(|plan| {
        plan.upstream = Some(provider.address);
        plan.settings = format!("[cache]\n{settings}");
    })
    .await;
    (world, provider, seen)
}

fn echo(request: &Request<()>, notes: &Mutex<Vec<String>>) -> Response<AnyBody> {
    let mut text = format!("{} {}", request.method(), request.uri());
    for (name, value) in request.headers() {
        text.push_str(&format!("\n{name}: {}", value.to_str().unwrap()));
    }
    notes.lock().unwrap().push(text.clone());
    let is_xml = text.contains("accept: application/fhir+xml");
    let body = if is_xml {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        format!("<Organization><x>{text}</x></Organization>")
    } else {
        serde_json::json!({"resourceType": "Organization", "x": text}).to_string()
    };
    let format = if is_xml { "xml" } else { "json" };
    Response::builder()
        .header("Content-Type", format!("application/fhir+{format};charset=utf-8"))
        .header("Cache-Control", "public, max-age=31536000, immutable")
        .header("Expires", "Thu, 31 Dec 2099 23:59:59 GMT")
        .header("Vary", "Accept")
        .body(http_body_util::Full::from(body).boxed_unsync())
        .unwrap()
}

/// What a consumer sends besides the question does not reach the provider, and so no answer that
/// others get.
/// gp-connect 13.
#[tokio::test]
async fn an_attacker_s_headers_shape_nobody_s_answer() {
    let (world, _provider, seen) = echoing("").await;
    for (number, (name, value)) in [
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-For", "6.6.6.6"),
        ("Forwarded", "for=evil;host=evil.example"),
        ("Via", "1.1 evil"),
        ("Cookie", "session=evil"),
        ("Origin", "https://evil.example"),
        ("Referer", "https://evil.example"),
        ("User-Agent", "evil"),
        ("Accept-Language", "evil"),
        ("Accept-Charset", "evil"),
        ("Accept-Encoding", "evil"),
        ("Prefer", "respond-evil"),
        ("Content-Type", "application/fhir+json; evil=1"),
        ("If-None-Match", "\"evil\""),
        ("Cache-Control", "max-age=99999, evil"),
        ("Accept", "application/fhir+json;evil=1"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = number.to_string();
        let attack = read(&world, Mode::Assist, &id).without(name).and(name, value);
        send(&world, number, attack, "miss").await;
        let victim = send(&world, 100 + number, read(&world, Mode::Transparent, &id), "hit").await;
        assert!(!victim.text().to_lowercase().contains("evil"), "{name}: {}", victim.text());
        assert!(!victim.text().contains("6.6.6.6"), "{name}: {}", victim.text());
        assert_eq!(victim.header("Ssp-TraceID"), trace_id(100 + number), "{name}");
    }
    assert_eq!(seen.lock().unwrap().len(), 16);
}

/// Each spelling of format and query either is the same question, or is asked apart.
/// gp-connect 6 and 13.
#[tokio::test]
async fn spellings_never_cross() {
    let (world, _provider, seen) = echoing("").await;
    let code =
        |code: &str| format!("identifier=https://fhir.nhs.uk/Id/ods-organization-code|{code}");
    let (a, b) = (code("RZZ01"), code("RZZ02"));
    let queries = [
        (format!("{a}&_format=xml"), "xml"),
        (format!("{a}&_format=application%2Ffhir%2Bxml"), "xml"),
        (format!("_format=text/xml&{a}"), "xml"),
        (format!("{a}&_format=json"), "json"),
        (format!("{a}&%5fformat=xml"), "json"),
        (format!("{a}&_format=json&_format=xml"), "json"),
        (format!("{a}&_format=xml&_format=json"), "xml"),
        (format!("{a}&_FORMAT=xml"), "json"),
        (format!("{a}&{b}"), "json"),
        (format!("{b}&{a}"), "json"),
        (format!("{a},RZZ02"), "json"),
        (format!("{a}&identifier="), "json"),
        (format!("{a};identifier=x"), "json"),
        (format!("{a}%26{b}"), "json"),
        (format!("{a}%00"), "json"),
        (a.replace("identifier", "IDENTIFIER"), "json"),
        (a.replace("RZZ01", "rzz01"), "json"),
        (a.clone(), "json"),
        (b, "json"),
    ];
    let mut bypassed = BTreeSet::new();
    for (number, (query, format)) in queries.iter().enumerate() {
        let path = format!("Organization?{query}");
        let call = |mode| world.call(mode, &all::SEARCH_ORGANIZATION, &path);
        for (round, mode) in Mode::BOTH.into_iter().enumerate() {
            let id = trace_id(number * 10 + round);
            let answer = world.send(call(mode).with("Ssp-TraceID", &id)).await;
            let text = answer.text();
            assert_eq!(answer.status, 200, "{query}: {text}");
            assert!(!text.contains("RZZ02") || query.contains("RZZ02"), "{query}: {text}");
            assert!(!text.contains("RZZ01") || query.contains("RZZ01"), "{query}: {text}");
            if is_bypassed(&answer) {
                bypassed.insert(query.as_str());
            }
            let is_xml = answer.header("Content-Type").contains("xml");
            // Which of two formats counts, and what an unknown one means, is the provider's to say.
            let is_plain = query.matches("ormat").count() < 2;
            assert!(!is_plain || is_xml == (*format == "xml") || is_bypassed(&answer), "{query}");
        }
    }
    // Only questions were asked in our own words; the others went out as they came.
    let asked: BTreeSet<_> = seen.lock().unwrap().iter().map(|text| first_line(text)).collect();
    assert!(bypassed.len() > 8);
    for query in &bypassed {
        assert!(asked.iter().any(|line| line.ends_with(query)), "{query} in {asked:#?}");
    }
}

fn is_bypassed(answer: &crate::harness::Answer) -> bool {
    answer.header("Cache-Status").ends_with("fwd=bypass")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The four forms of one address are one question; practices and interactions are not.
/// gp-connect 2.2 and 13.
#[tokio::test]
async fn one_question_has_one_answer_however_it_is_addressed() {
    let (world, provider) = cached("").await;
    let call = |place: usize, form| {
        let practice = world.practice(place);
        Call::new(Mode::Transparent, form, practice, &all::READ_ORGANIZATION, "Organization/17")
    };
    provider.will([good(1)]);
    send(&world, 1, call(0, Form::Ods), "miss").await;
    for (number, form) in [Form::Proxy, Form::Folded, Form::Escaped].into_iter().enumerate() {
        let answer = send(&world, number + 2, call(0, form), "hit").await;
        assert_eq!(answer.text(), organisation(1));
    }
    provider.will([good(2)]);
    let other = send(&world, 9, call(1, Form::Ods), "miss").await;
    assert_eq!(other.text(), organisation(2));
    assert_eq!(provider.arrived().len(), 2);
}

/// Who is assisted and who is not get the same bytes, each with headers of its own; the provider is
/// asked as the first of them.
/// gp-connect 13.
#[tokio::test]
async fn modes_share_bytes_and_nothing_else() {
    for [first, second] in [Mode::BOTH, [Mode::Assist, Mode::Transparent]] {
        let (world, provider) = cached("").await;
        provider.will([good(1)]);
        let lean =
            |call: Call| if call.mode == Mode::Assist { call.without("Ssp-To") } else { call };
        let one = send(&world, 1, lean(read(&world, first, "17")), "miss").await;
        let other = send(&world, 2, lean(read(&world, second, "17")), "hit").await;
        assert_eq!(
            (one.text(), other.text()),
            (organisation(1).as_str(), organisation(1).as_str())
        );
        let ids = (one.header("Ssp-TraceID"), other.header("Ssp-TraceID"));
        assert_eq!(ids, (trace_id(1), trace_id(2)));
        let arrived = provider.arrived();
        assert_eq!(arrived.len(), 1);
        assert_eq!(arrived[0].header("Ssp-From"), first.asid());
        assert_eq!(arrived[0].header("Ssp-To"), world.practice(0).asid.as_str());
        assert_eq!(arrived[0].header("Ssp-TraceID"), trace_id(1));
        assert!(arrived[0].header("Authorization").starts_with("Bearer "));
        assert!(arrived[0].header("Forwarded").contains("for=127.0.0.1"));
        assert_eq!(arrived[0].header("Via"), "1.1 gpconnect-gateway");
        assert_eq!(arrived[0].header("Accept"), "application/fhir+json");
    }
}

/// What is in memory is as the provider wrote it: links are led back on the way to those who are
/// assisted, and to nobody else.
/// gp-connect 13.
#[tokio::test]
async fn links_are_led_back_for_those_who_are_assisted_only() {
    for [first, second] in [Mode::BOTH, [Mode::Assist, Mode::Transparent]] {
        let (world, provider) = cached("").await;
        let root = crate::harness::call::root(world.practice(0), &all::READ_ORGANIZATION);
        let reference = format!("{root}/Organization/18");
        let body = serde_json::json!({
            "resourceType": "Organization", "partOf": {"reference": reference.as_str()},
        })
        .to_string();
        provider.will([reply("200 OK", super::JSON, &body)]);
        for (number, (mode, how)) in [(first, "miss"), (second, "hit")].into_iter().enumerate() {
            let answer = send(&world, number, read(&world, mode, "17"), how).await;
            let is_same = answer.text() == body;
            assert_eq!(is_same, mode == Mode::Transparent, "{mode:?}: {}", answer.text());
            assert_eq!(answer.text().contains(&reference), is_same, "{mode:?}");
            assert_eq!(answer.header("Content-Length"), answer.body.len().to_string());
        }
        assert_eq!(provider.arrived().len(), 1);
    }
}

/// Everything that can be configured, as far as it goes.
const ALL_THERE_IS: &str = "\
    statement_fresh = \"1h\"\nstatement_stale = \"1h\"\nstatement_if_error = \"24h\"\n\
    organisation_fresh = \"1h\"\norganisation_stale = \"1h\"\norganisation_if_error = \"24h\"\n\
    search_fresh = \"1h\"\nsearch_stale = \"1h\"\nsearch_if_error = \"24h\"\nsearch_empty = \"5m\"\n";

/// Whatever is configured, and whatever the provider's headers ask for: what may hold a patient is
/// asked for each time.
/// gp-connect 13.
#[tokio::test]
async fn nothing_with_a_patient_is_ever_kept() {
    for settings in ["", ALL_THERE_IS] {
        let (world, _provider, seen) = echoing(settings).await;
        let mut number = 0;
        for (interaction, path) in not_kept() {
            for round in 1..=2 {
                number += 1;
                let mut call = world.call(Mode::Transparent, interaction, path);
                if interaction.verb != "GET" {
                    call = call.json(&serde_json::json!({"resourceType": "Parameters"}));
                }
                if interaction.verb == "PUT" {
                    call = call.with("If-Match", "W/\"1\"");
                }
                let answer = send(&world, number, call, "").await;
                assert_eq!(answer.header("Cache-Status"), "", "{path}");
                assert_eq!(answer.header("Age"), "", "{path}");
                assert_eq!(seen.lock().unwrap().len(), round, "{path}: asked for each time");
            }
            seen.lock().unwrap().clear();
        }
        let metrics = crate::exposition::Exposition::of(&world).await;
        assert_eq!(metrics.sum("cache_entries", &[]), 0.0);
        assert_eq!(metrics.sum("cache_requests_total", &[]), 0.0);
    }
}

/// Who calls by one name of the gateway shapes nobody's links who calls by another.
/// gp-connect 13.
#[tokio::test]
async fn a_host_that_is_served_shapes_its_own_links_only() {
    let names = ["one.example", "two.example", "one.example"];
    let provider = crate::scripted::Scripted::start().await;
    let world = World::start(|plan| {
        plan.upstream = Some(provider.address());
        plan.settings = format!(
            "[[listener]]\nname = \"many\"\naddress = \"127.0.0.1:0\"\n\
             server_names = [\"one.example\", \"two.example\"]\ninsecure_plain_http = true\n\
             insecure_everyone_is = [\"{}\"]\n\n[cache]\n",
            Mode::Assist.asid()
        );
    })
    .await;
    let root = crate::harness::call::root(world.practice(0), &all::READ_ORGANIZATION);
    let body = serde_json::json!({
        "resourceType": "Organization", "partOf": {"reference": format!("{root}/Organization/18")},
    });
    provider.will([reply("200 OK", super::JSON, &body.to_string())]);
    for (number, name) in names.into_iter().enumerate() {
        let call = read(&world, Mode::Assist, "17").with("Host", name);
        let mut connection = Connection::open(world.gateway.listeners["many"]).await;
        let answer = connection.send(call.with("Ssp-TraceID", &trace_id(number))).await;
        let how = if number == 0 { "miss" } else { "hit" };
        assert_eq!(super::fared(&world, &trace_id(number)).await, how, "{name}");
        let link = answer.json()["partOf"]["reference"].as_str().unwrap().to_owned();
        assert!(link.starts_with(&format!("http://{name}/A20047/")), "{name}: {link}");
    }
    assert_eq!(provider.arrived().len(), 1);
}

/// All interactions of 1.2.7 but the four that may be kept.
fn not_kept() -> [(&'static Interaction, &'static str); 13] {
    [
        (&all::READ_PATIENT, "Patient/17"),
        (&all::SEARCH_PATIENT, "Patient?identifier=https://fhir.nhs.uk/Id/nhs-number%7C9000000009"),
        (&all::READ_PRACTITIONER, "Practitioner/17"),
        (
            &all::SEARCH_PRACTITIONER,
            "Practitioner?identifier=https://fhir.nhs.uk/Id/sds-user-id%7C1",
        ),
        (&all::READ_LOCATION, "Location/17"),
        (&all::REGISTER_PATIENT, "Patient/$gpc.registerpatient"),
        (&all::SEARCH_SLOT, "Slot?start=ge2026-11-23&end=le2026-11-24&status=free"),
        (&all::BOOK_APPOINTMENT, "Appointment"),
        (
            &all::PATIENT_APPOINTMENTS,
            "Patient/17/Appointment?start=ge2026-11-23&start=le2026-11-24",
        ),
        (&all::READ_APPOINTMENT, "Appointment/17"),
        (&all::AMEND_APPOINTMENT, "Appointment/17"),
        (&all::CANCEL_APPOINTMENT, "Appointment/17"),
        (&all::GET_STRUCTURED_RECORD, "Patient/$gpc.getstructuredrecord"),
    ]
}

/// Without `[cache]`, or with it switched off, nothing is kept and nothing is said of it.
#[tokio::test]
async fn nothing_is_kept_unless_an_operator_says_so() {
    for settings in ["", "[cache]\nenabled = false\n"] {
        let provider = crate::scripted::Scripted::start().await;
        let world = World::start(|plan| {
            plan.upstream = Some(provider.address());
            plan.settings = settings.into();
        })
        .await;
        for number in 1..=2 {
            provider.will([reply("200 OK", super::JSON, &organisation(number))]);
            let answer = send(&world, number, read(&world, Mode::Transparent, "17"), "").await;
            assert_eq!(answer.text(), organisation(number));
            assert_eq!(answer.header("Cache-Status"), "");
        }
        assert_eq!(provider.arrived().len(), 2);
    }
}
