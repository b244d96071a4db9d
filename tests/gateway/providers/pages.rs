//! What a provider answers passes as it is, if it is an answer at all.

use super::{call, line, others_are_well, scripted, send};
use crate::harness::interactions as all;
use crate::scripted::Step;

/// gp-connect 4.3.
#[tokio::test]
async fn errors_and_pages_of_the_provider_pass_unchanged() {
    let (world, provider) = scripted("").await;
    let page = "<!DOCTYPE html>\n<html><body><h1>Service Unavailable</h1></body></html>\n";
    for (name, status, kind, body) in [
        ("a page of a balancer", "503 Service Unavailable", "text/html; charset=utf-8", page),
        (
            "a page in an old set of characters",
            "500 Oops",
            "text/html;charset=iso-8859-1",
            "\u{e9}",
        ),
        ("nothing at all", "502 Bad Gateway", "text/plain", ""),
        ("a good answer of another type", "200 OK", "text/plain", "{\"resourceType\":\"Patient\"}"),
        ("a challenge", "401 Unauthorized", "application/fhir+json", "{}"),
        ("a status of its own", "299 Odd", "application/fhir+json", "{}"),
        ("its own gateway's timeout", "504 Gateway Timeout", "text/html", page),
        ("a redirection", "302 Found", "text/html", page),
    ] {
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nX-Provider: yes\r\nLocation: https://gp.example/x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        provider.will([Step::send(answer)]);
        let call = call(&world, &all::READ_PATIENT, "Patient/1");
        let reply = send(&world, &call).await;
        assert!(status.starts_with(&reply.status.to_string()), "{name}: {reply:?}");
        assert_eq!(reply.body, body.as_bytes(), "{name}");
        assert_eq!(reply.header("content-type"), kind, "{name}");
        assert_eq!(reply.header("x-provider"), "yes", "{name}");
        assert_eq!(reply.header("location"), "https://gp.example/x", "{name}");
        assert_eq!(reply.header("cache-control"), "no-store", "{name}");
        assert_eq!(reply.header("ssp-traceid"), call.header("Ssp-TraceID").unwrap(), "{name}");
        let line = line(&world, &call, name).await;
        let expected = if reply.status >= 500 { "provider_error" } else { "good" };
        assert_eq!(
            (line["origin"].as_str(), line["result"].as_str()),
            (Some("provider"), Some(expected)),
            "{name}: {line}"
        );
        assert_eq!(line["fault"], serde_json::Value::Null, "{name}");
        assert_eq!(provider.arrived().len(), 1, "{name}");
        others_are_well(&world, name).await;
    }
}
