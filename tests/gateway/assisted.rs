//! What consumers in assist mode get of an answer that others get as it is: links that lead through
//! the gateway, gzip, and errors that are FHIR.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::json;

use crate::exposition::Exposition;
use crate::harness::call::{Form, root};
use crate::harness::client::{Answer, Pieces};
use crate::harness::interactions::{GET_STRUCTURED_RECORD, READ_LOCATION, READ_PATIENT};
use crate::harness::provider::AnyBody;
use crate::harness::{Call, Mode, Provider, World};

fn answer(builder: http::response::Builder, body: Vec<Bytes>, length: bool) -> Response<AnyBody> {
    builder.body(Pieces::new(body, length).boxed_unsync()).unwrap()
}

fn zipped(body: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(body).unwrap();
    gzip.finish().unwrap()
}

fn unzipped(body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(body).read_to_end(&mut plain).unwrap();
    plain
}

/// A bundle that refers to the provider by its own address, in one of the two syntaxes, over 1 kB.
fn bundle(root: &str, xml: bool) -> String {
    let filler = "text that is long enough to be worth some compression; ".repeat(40);
    if xml {
        return format!(
            "<Bundle><link><url value=\"{root}/Location?a=1&amp;b=2\"/></link><entry>\
             <fullUrl value='{root}/Location/1'/><!-- {filler} --><text>{root}</text></entry>\
             <url value=\"https://other.example/x\"/></Bundle>"
        );
    }
    json!({
        "resourceType": "Bundle",
        "link": [{"relation": "self", "url": format!("{root}/Location?a=1")}],
        "entry": [{"fullUrl": format!("{root}/Location/1"), "text": filler, "note": root}],
        "managingOrganization": {"reference": format!("{root}/Organization/1")},
        "other": {"url": "https://other.example/x"},
    })
    .to_string()
}

struct Way {
    name: &'static str,
    xml: bool,
    /// Whether the provider compresses.
    by_provider: bool,
    length: bool,
    accepts: &'static str,
    /// Whether what arrives is compressed.
    arrives: bool,
}

#[rustfmt::skip]
const WAYS: [Way; 6] = [
    Way { name: "JSON",                    xml: false, by_provider: false, length: true,  accepts: "identity", arrives: false },
    Way { name: "XML in chunks",           xml: true,  by_provider: false, length: false, accepts: "br",       arrives: false },
    Way { name: "JSON, gzip asked for",    xml: false, by_provider: false, length: true,  accepts: "gzip",     arrives: true },
    Way { name: "XML, gzip asked for",     xml: true,  by_provider: false, length: false, accepts: "x, *",     arrives: true },
    Way { name: "JSON, gzip by provider",  xml: false, by_provider: true,  length: true,  accepts: "gzip",     arrives: true },
    Way { name: "XML, gzip by provider",   xml: true,  by_provider: true,  length: false, accepts: "gzip",     arrives: true },
];

async fn asked(mode: Mode, form: Form, way: &Way) -> (Answer, String, String) {
    let (xml, by_provider, length) = (way.xml, way.by_provider, way.length);
    let provider = Provider::start(move |request: &Request<()>| {
        let host = request.headers().get("host").unwrap().to_str().unwrap();
        let path = request.uri().path().split("/Location").next().unwrap();
        let body = bundle(&format!("https://{host}{path}"), xml).into_bytes();
        let body = if by_provider { zipped(&body) } else { body };
        let syntax = if xml { "xml" } else { "json" };
        let mut head = Response::builder()
            .header("Content-Type", format!("application/fhir+{syntax};charset=utf-8"))
            .header("Content-MD5", "x")
            .header("ETag", "W/\"7\"");
        if by_provider {
            head = head.header("Content-Encoding", "gzip");
        }
        let parts = body.chunks(7).map(Bytes::copy_from_slice).collect();
        answer(head, parts, length)
    })
    .await;
    let world = World::start(|plan| plan.upstream = Some(provider.address)).await;
    let call = Call::new(mode, form, world.practice(0), &READ_LOCATION, "Location/1");
    let (asked, _) = call.target.split_once("/Location/1").unwrap();
    let gateway = format!("http://{}{asked}", call.header("Host").unwrap());
    let practice = root(world.practice(0), &READ_LOCATION).to_owned();
    (world.send(call.with("Accept-Encoding", way.accepts)).await, practice, gateway)
}

#[tokio::test]
async fn links_lead_through_the_gateway_in_the_form_that_was_used() {
    for (place, way) in WAYS.iter().enumerate() {
        let form = if place % 2 == 0 { Form::Ods } else { Form::Proxy };
        let (answer, practice, gateway) = asked(Mode::Assist, form, way).await;
        let name = way.name;
        let body = if way.arrives { unzipped(&answer.body) } else { answer.body.to_vec() };
        let body = String::from_utf8(body).unwrap();
        let expected =
            bundle(&practice, way.xml).replace(&format!("{practice}/"), &format!("{gateway}/"));
        assert_eq!(body, expected, "{name}");
        assert!(body.contains(&practice), "{name}: what is no link stays");
        assert_eq!(answer.header("etag"), "W/\"7\"", "{name}");
        let coding = if way.arrives { "gzip" } else { "" };
        assert_eq!(answer.header("content-encoding"), coding, "{name}");
        assert_eq!(answer.header("content-md5"), "", "{name}");
        let varies = if way.by_provider { "" } else { "Accept-Encoding" };
        assert_eq!(answer.header("vary"), varies, "{name}");
    }
}

#[tokio::test]
async fn others_get_the_bytes_as_they_are() {
    for way in &WAYS {
        let (answer, practice, _) = asked(Mode::Transparent, Form::Ods, way).await;
        let body = if way.by_provider { unzipped(&answer.body) } else { answer.body.to_vec() };
        assert_eq!(body, bundle(&practice, way.xml).as_bytes(), "{}", way.name);
        assert_eq!(answer.header("content-md5"), "x", "{}", way.name);
        assert_eq!(answer.header("vary"), "", "{}", way.name);
    }
}

/// What does not change by passing: other media types and codings, what may not be transformed, what
/// is too short to be compressed, what has no body.
#[tokio::test]
async fn what_is_not_for_us_to_change_passes() {
    let provider = Provider::start(|request: &Request<()>| {
        let kind = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let body = json!({"id": "x".repeat(if kind == "short" { 10 } else { 2000 })}).to_string();
        let head = Response::builder();
        let head = match kind.as_str() {
            "text" => head.header("Content-Type", "text/plain"),
            "br" => head
                .header("Content-Type", "application/fhir+json")
                .header("Content-Encoding", "br"),
            "twice" => head
                .header("Content-Type", "application/fhir+json")
                .header("Content-Encoding", "gzip, gzip"),
            "private" => head
                .header("Content-Type", "application/fhir+json")
                .header("Cache-Control", "no-store, No-Transform"),
            "none" => head.status(204),
            _ => head.header("Content-Type", "application/fhir+json"),
        };
        let body = if kind == "none" { vec![] } else { vec![Bytes::from(body)] };
        answer(head, body, true)
    })
    .await;
    let world = World::start(|plan| plan.upstream = Some(provider.address)).await;
    for kind in ["text", "br", "twice", "private", "none", "short"] {
        let path = format!("Location/{kind}");
        let call = world.call(Mode::Assist, &READ_LOCATION, &path).with("Accept-Encoding", "gzip");
        let answer = world.send(call).await;
        assert_ne!(answer.header("content-encoding"), "gzip", "{kind}");
        let length = if kind == "short" { 19 } else { 2009 };
        let length = if kind == "none" { 0 } else { length };
        assert_eq!(answer.body.len(), length, "{kind}");
    }
}

#[tokio::test]
async fn a_location_leads_through_the_gateway_and_can_be_followed() {
    let provider = Provider::start(|request: &Request<()>| {
        let host = request.headers().get("host").unwrap().to_str().unwrap();
        let path = request.uri().path();
        let head = Response::builder()
            .header("Content-Type", "application/fhir+json")
            .header("Location", format!("https://{host}{path}/_history/2"))
            .header("Content-Location", "https://other.example/x");
        answer(head, vec![Bytes::from_static(b"{\"resourceType\":\"Location\"}")], true)
    })
    .await;
    let world = World::start(|plan| plan.upstream = Some(provider.address)).await;
    for form in [Form::Ods, Form::Proxy] {
        let call = Call::new(Mode::Assist, form, world.practice(0), &READ_LOCATION, "Location/1");
        let gateway = format!("http://{}", call.header("Host").unwrap());
        let asked = call.target.clone();
        let answer = world.send(call).await;
        let location = answer.header("location");
        assert_eq!(location, format!("{gateway}{asked}/_history/2"));
        assert_eq!(answer.header("content-location"), "https://other.example/x");
        let mut back =
            Call::new(Mode::Assist, form, world.practice(0), &READ_LOCATION, "Location/1");
        back.target = location.strip_prefix(&gateway).unwrap().replace("/_history/2", "");
        assert_eq!(world.send(back).await.status, 200, "{location}");
    }
}

#[tokio::test]
async fn errors_of_a_provider_become_fhir_with_their_status() {
    let provider = Provider::start(|request: &Request<()>| {
        let kind = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let (status, format, body): (u16, &str, &'static str) = match kind.as_str() {
            "page" => (503, "text/html", "<html>9000000009 is away</html>"),
            "plain" => (404, "text/plain", "no such thing"),
            "empty" => (500, "application/fhir+json", ""),
            "json" => (403, "application/json", "{\"error\":\"no\"}"),
            _ => (422, "application/fhir+json", "{\"resourceType\":\"OperationOutcome\"}"),
        };
        let head = Response::builder().status(status).header("Content-Type", format);
        let body = if body.is_empty() { vec![] } else { vec![Bytes::from_static(body.as_bytes())] };
        answer(head, body, true)
    })
    .await;
    let world = World::start(|plan| plan.upstream = Some(provider.address)).await;
    for (kind, status, wrapped) in [
        ("page", 503, true),
        ("plain", 404, true),
        ("empty", 500, true),
        // It may be FHIR that is called by a common name.
        ("json", 403, false),
        ("outcome", 422, false),
    ] {
        let path = format!("Patient/{kind}");
        let answer = world.send(world.call(Mode::Assist, &READ_PATIENT, &path)).await;
        assert_eq!(answer.status, status, "{kind}");
        assert_eq!(answer.header("cache-control"), "no-store", "{kind}");
        if wrapped {
            let issue = &answer.json()["issue"][0];
            assert_eq!(
                issue["diagnostics"],
                format!("Provider answered {status} without an OperationOutcome"),
                "{kind}"
            );
            assert_eq!(answer.header("content-type"), "application/fhir+json;charset=utf-8");
            assert!(!answer.text().contains("9000000009"), "{kind}");
        }
        let as_it_is = world.send(world.call(Mode::Transparent, &READ_PATIENT, &path)).await;
        assert_eq!(as_it_is.status, status, "{kind}");
        assert!(!as_it_is.text().contains("Provider answered"), "{kind}");
    }
    let code = world.practice(0).ods_code.to_string();
    let broken = [("organisation", &*code), ("rule", "answer_is_fhir"), ("side", "practices")];
    // What passes as it is and is no OperationOutcome counts as well.
    Exposition::once(&world, "eight errors are no FHIR, and some became it", |page| {
        page.sum("conformance_total", &broken) == 8.0
            && page.sum("requests_total", &[("fault", "answer_not_fhir")]) > 0.0
    })
    .await;
}

/// A body that is not what it says it is does not end as if it were whole: it is cut, or answered 502
/// where nothing of it had left.
#[tokio::test]
async fn damaged_gzip_is_not_taken_for_whole() {
    let provider = Provider::start(|request: &Request<()>| {
        let kind = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let mut body = zipped(bundle("https://x.example", false).as_bytes());
        match kind.as_str() {
            "flipped" => {
                let place = body.len() - 6;
                body[place] ^= 1;
            }
            "short" => body.truncate(body.len() - 20),
            _ => body = b"no gzip at all, though it says so".to_vec(),
        }
        let head = Response::builder()
            .header("Content-Type", "application/fhir+json")
            .header("Content-Encoding", "gzip");
        answer(head, vec![Bytes::from(body)], true)
    })
    .await;
    let world = World::start(|plan| plan.upstream = Some(provider.address)).await;
    for kind in ["flipped", "short", "none"] {
        let call = world.call(Mode::Assist, &READ_LOCATION, &format!("Location/{kind}"));
        let mut connection = world.connect(Mode::Assist).await;
        let answer = connection.try_send(call.with("Accept-Encoding", "gzip")).await;
        let told = answer.is_err() || answer.is_ok_and(|answer| answer.status == 502);
        assert!(told, "{kind} ended cleanly");
    }
    let labels = [("fault", "upstream_invalid")];
    let is_counted = |page: &Exposition| page.sum("requests_total", &labels) > 0.0;
    Exposition::once(&world, "it is counted", is_counted).await;
}

/// Memory does not grow with an answer that is unpacked and packed again.
#[tokio::test]
async fn a_long_answer_streams_through_gzip() {
    let provider = Provider::start(|_| {
        let many = vec![Bytes::from("\"text\": \"a\",".repeat(5000)); 400];
        let body = zipped(&many.concat());
        let head = Response::builder()
            .header("Content-Type", "application/fhir+json")
            .header("Content-Encoding", "gzip");
        answer(head, body.chunks(9000).map(Bytes::copy_from_slice).collect(), false)
    })
    .await;
    let world = World::start(|plan| plan.upstream = Some(provider.address)).await;
    let call = world.call(Mode::Assist, &GET_STRUCTURED_RECORD, "Patient/$gpc.getstructuredrecord");
    let call =
        call.json(&crate::resources::record_question("9000000009")).with("Accept-Encoding", "gzip");
    let answer = world.send(call).await;
    assert_eq!(unzipped(&answer.body).len(), 400 * 5000 * 12);
}
