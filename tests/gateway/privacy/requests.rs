//! Requests with a patient in every place that a caller writes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::numbers::Numbers;
use crate::harness::interactions as all;
use crate::harness::{Call, Form, HOST, Mode, World, token};
use crate::wire;

pub(super) fn good(world: &World) -> Call {
    world.call(Mode::Transparent, &all::SEARCH_PATIENT, "Patient")
}

pub(super) fn command(world: &World) -> Call {
    let call = world.call(Mode::Transparent, &all::AMEND_APPOINTMENT, "Appointment/1");
    call.with("If-Match", "W/\"1\"").json(&json!({"resourceType": "Appointment"}))
}

/// Headers that a caller may write.
const HEADERS: [&str; 36] = [
    "Host",
    "Ssp-TraceID",
    "Ssp-From",
    "Ssp-To",
    "Ssp-InteractionID",
    "Authorization",
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Content-Type",
    "Content-Encoding",
    "Content-Length",
    "Transfer-Encoding",
    "Expect",
    "If-Match",
    "If-None-Match",
    "Prefer",
    "Connection",
    "Upgrade",
    "TE",
    "Trailer",
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "traceparent",
    "tracestate",
    "User-Agent",
    "Referer",
    "Cookie",
    "Origin",
    "From",
    "X-Request-ID",
    "X-Patient",
    "Ssp_From",
    "Proxy-Authorization",
];

/// Every place of a request that a caller writes, planted one by one.
pub(super) fn planted_requests(world: &World, numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    for header in HEADERS {
        for value in [numbers.number(), numbers.word()] {
            requests.push(wire::bytes(&good(world).with(header, &value)));
            requests.push(wire::bytes(&command(world).with(header, &value)));
            requests.push(wire::bytes(&good(world).and(header, &value)));
        }
    }
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = good(world).with("traceparent", parent);
    requests.push(wire::bytes(&traced.and("tracestate", &format!("a={}", numbers.word()))));
    requests.push(wire::bytes(&Call { verb: numbers.word(), ..good(world) }));
    let name = format!("X-{}", numbers.word());
    requests.push(wire::bytes(&good(world).and(&name, "1")));
    let bearer = format!("Bearer {}", numbers.word());
    requests.push(wire::bytes(&good(world).with("Authorization", &bearer)));
    let shaped = format!("00{}", numbers.number());
    requests.push(wire::bytes(&good(world).with("Ssp-To", &shaped)));
    requests.push(wire::bytes(&good(world).with("Ssp-From", &format!("00{}", numbers.number()))));
    requests.extend(planted_targets(world, numbers));
    requests.extend(planted_claims(world, numbers));
    requests.extend(planted_bodies(world, numbers));
    requests.extend(planted_questions(world, numbers));
    requests.extend(planted_heads(world, numbers));
    requests
}

fn planted_targets(world: &World, numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let root = world.practice(0).service_root.to_string();
    let mut targets = Vec::new();
    for form in [Form::Ods, Form::Proxy, Form::Folded, Form::Escaped] {
        let of = |path: &str| {
            Call::new(Mode::Transparent, form, world.practice(0), &all::READ_PATIENT, path).target
        };
        let whole = of("Patient/1");
        for place in 1..whole.split('/').count() {
            let mut segments: Vec<String> = whole.split('/').map(str::to_owned).collect();
            segments[place] = numbers.number();
            targets.push(segments.join("/"));
            segments[place] = numbers.word();
            targets.push(segments.join("/"));
        }
        for path in [
            format!("Patient/{}", numbers.number()),
            format!("Patient/{}?x={}", numbers.word(), numbers.word()),
            format!("Patient?identifier=https://fhir.nhs.uk/Id/nhs-number%7C{}", numbers.number()),
            format!("Patient?identifier=https://fhir.nhs.uk/Id/nhs-number|{}", numbers.number()),
            format!("Patient?{}={}", numbers.word(), numbers.word()),
            format!("Patient?_format={}", numbers.word()),
            format!("{}/{}", numbers.word(), numbers.word()),
            format!("Patient/{}/Appointment", numbers.number()),
            format!("Patient/$gpc.{}", numbers.word()),
            format!("../{}", numbers.word()),
            format!("{}%2F{}", numbers.word(), numbers.word()),
            format!("Patient/1#{}", numbers.word()),
        ] {
            targets.push(of(&path));
        }
    }
    let host = numbers.number();
    targets.push(
        root.replace("https://gp1.sim.example", &format!("/https://{host}.example")) + "/Patient/1",
    );
    targets.push(root.replace("https://", &format!("/https://{}@", numbers.word())) + "/Patient/1");
    targets.push(
        root.replace("sim.example", &format!("sim.example:{}", numbers.number()))
            .replace("https", "/https")
            + "/Patient/1",
    );
    targets.push(format!("http://{}/x", numbers.word()));
    targets.push(format!("http://{HOST}/{}", numbers.word()));
    targets.push(numbers.word());
    let sent = |target: String| {
        ["GET", "PUT", "DELETE"].map(|verb| {
            let call = if verb == "PUT" { command(world) } else { good(world) };
            let interaction = all::READ_PATIENT.urn();
            let call = Call { verb: verb.into(), target: target.clone(), ..call };
            let call =
                if verb == "GET" { call.with("Ssp-InteractionID", &interaction) } else { call };
            wire::bytes(&call)
        })
    };
    targets.into_iter().flat_map(sent).collect()
}

/// Each claim, replaced and added to, and everything within the three resources.
pub(super) fn planted_claims(world: &World, numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let claims = token::claims("patient/*.read", world.practice(0).service_root.as_str());
    let mut places = Vec::new();
    collect(&claims, "", &mut places);
    assert!(places.len() > 30);
    let mut requests = Vec::new();
    for place in places {
        for value in [
            json!(numbers.number()),
            json!(numbers.word()),
            json!([numbers.word()]),
            json!({numbers.word(): numbers.word()}),
        ] {
            let mut claims = claims.clone();
            *claims.pointer_mut(&place).unwrap() = value;
            requests.push(wire::bytes(&good(world).claiming(&claims)));
        }
    }
    let mut claims = claims;
    claims[numbers.word()] = json!(numbers.number());
    requests.push(wire::bytes(&good(world).claiming(&claims)));
    for text in [
        format!("{{\"{}\":", numbers.word()),
        format!("{{\"iss\":\"{}\",\"iss\":\"{}\"}}", numbers.word(), numbers.word()),
        numbers.word(),
    ] {
        let bearer =
            format!("Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", URL_SAFE_NO_PAD.encode(text));
        requests.push(wire::bytes(&good(world).with("Authorization", &bearer)));
    }
    for header in [format!("{{\"alg\":\"{}\"}}", numbers.word()), numbers.word()] {
        let bearer = format!("Bearer {}.e30.", URL_SAFE_NO_PAD.encode(header));
        requests.push(wire::bytes(&good(world).with("Authorization", &bearer)));
    }
    requests
}

/// The places of every value in some JSON.
fn collect(value: &Value, place: &str, places: &mut Vec<String>) {
    if !place.is_empty() {
        places.push(place.to_owned());
    }
    if let Some(object) = value.as_object() {
        object.iter().for_each(|(name, inner)| collect(inner, &format!("{place}/{name}"), places));
    } else if let Some(list) = value.as_array() {
        list.iter()
            .enumerate()
            .for_each(|(at, inner)| collect(inner, &format!("{place}/{at}"), places));
    }
}

/// Operations about patients: clear, about several, and with no single reading.
fn planted_questions(world: &World, numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let (json, xml) = ("application/fhir+json", "application/fhir+xml");
    let system = "https://fhir.nhs.uk/Id/nhs-number";
    let mut requests = Vec::new();
    for turn in 0..4 {
        let mut name = || if turn % 2 == 0 { numbers.number() } else { numbers.word() };
        let object = |value: &str| format!("{{\"system\":\"{system}\",\"value\":\"{value}\"}}");
        let element =
            |value: &str| format!("<a><system value='{system}'/><value value='{value}'/></a>");
        let (one, two) = (object(&name()), object(&name()));
        for (kind, body) in [
            (json, one.clone()),
            (json, format!("{{\"a\":[{one},{two}]}}")),
            (json, one.replace("\"value\"", &format!("\"value\":\"{}\",\"value\"", name()))),
            (json, format!("{one}{two}")),
            (json, format!("{{\"{}\":1", name())),
            (xml, element(&name())),
            (xml, format!("<b>{}{}</b>", element(&name()), element(&name()))),
            (xml, format!("<!DOCTYPE {0} [<!ENTITY {0} '{1}'>]><a>&{0};</a>", name(), name())),
            (xml, format!("<{}>", name())),
        ] {
            for query in ["".to_owned(), format!("?identifier={system}|{}", name())] {
                let question = &all::GET_STRUCTURED_RECORD;
                let path = format!("Patient/$gpc.getstructuredrecord{query}");
                let call = world.call(Mode::Transparent, question, &path);
                requests.push(wire::bytes(&call.with("Content-Type", kind).bytes(body.clone())));
            }
        }
        let get = good(world).with("Content-Type", json).bytes(two);
        requests.push(wire::bytes(&get));
    }
    requests
}

fn planted_bodies(world: &World, numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    let nhs = "https://fhir.nhs.uk/Id/nhs-number";
    for body in [
        format!("{{\"identifier\":[{{\"system\":\"{nhs}\",\"value\":\"{}\"}}]}}", numbers.number()),
        format!("{{\"{}\":\"{}\"", numbers.word(), numbers.word()),
        format!("<Patient><id value=\"{}\"/></Patient>", numbers.word()),
        numbers.word().repeat(5_000),
    ] {
        let long = command(world).bytes(body.clone());
        requests.push(wire::bytes(&long.clone().with("Ssp-From", "999999999999")));
        requests.push(wire::bytes(&long.clone().with("Content-Type", "text/plain")));
        requests.push(wire::bytes(&long));
        let head = String::from_utf8(wire::head(&command(world))).unwrap();
        // A chunk whose length is a word, one that is longer than it says, one that breaks off.
        for chunked in
            [format!("{body}\r\n"), format!("1\r\n{body}\r\n0\r\n\r\n"), format!("fffff\r\n{body}")]
        {
            requests
                .push(format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunked}").into_bytes());
        }
        requests.push(
            format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n1;{}\r\nx\r\n0\r\nX-{}: {}\r\n\r\n",
                numbers.word(),
                numbers.word(),
                numbers.word()
            )
            .into_bytes(),
        );
    }
    requests
}

fn planted_heads(world: &World, numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let line = |first: String| {
        let head = String::from_utf8(wire::bytes(&good(world))).unwrap();
        let (_, rest) = head.split_once("\r\n").unwrap();
        format!("{first}\r\n{rest}").into_bytes()
    };
    let mut requests = vec![
        line(format!("{} / HTTP/1.1", numbers.word())),
        line(format!("GET /{} HTTP/1.0", numbers.word())),
        line(format!("GET / {}", numbers.word())),
        line(format!("{} {} {}", numbers.word(), numbers.word(), numbers.word())),
        line(numbers.word()),
        line(format!("GET /{} x HTTP/1.1", numbers.word())),
        line(format!("CONNECT {}:443 HTTP/1.1", numbers.word())),
        numbers.word().into_bytes(),
        format!("GET /{}", numbers.word().repeat(1_000)).into_bytes(),
    ];
    for header in [
        format!("{}\r\n", numbers.word()),
        format!("X One: {}\r\n", numbers.word()),
        format!("X-One: 1\r\n {}\r\n", numbers.word()),
        format!("X-One: {}\0\r\n", numbers.word()),
        format!("X-One: {}\nX-Two: 2\r\n", numbers.word()),
        format!("X-One: {}\r\n", numbers.word().repeat(3_000)),
        format!("Ssp-From: {}\r\nSsp-From: {}\r\n", numbers.word(), numbers.word()),
    ] {
        let head = String::from_utf8(wire::bytes(&good(world))).unwrap();
        requests.push(head.replacen("\r\n\r\n", &format!("\r\n{header}\r\n"), 1).into_bytes());
    }
    requests
}
