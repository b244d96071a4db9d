//! Links in real answers: of each file of the corpus (see [`crate::bytes`]) nothing but its links
//! changes, however it is cut into parts. Held against a second way to do it, which reads the document
//! as a whole.

use gpconnect::links::{Links, Rewriter};
use gpconnect::media::Format;

use crate::bytes::corpus;

const ROOT: &str = "https://gp.example/A20047/STU3/1/gpconnect/fhir";
const GATEWAY: &str = "https://gateway.example/A20047/STU3/1/gpconnect/fhir";
const IN_JSON: [&str; 4] = ["\"fullUrl\"", "\"url\"", "\"reference\"", "\"location\""];
const IN_XML: [&str; 4] =
    ["<fullUrl value=\"", "<url value=\"", "<reference value=\"", "<location value=\""];

/// The document with `start` at the beginning of every link's value.
fn with(document: &str, format: Format, start: &str) -> String {
    let (mut out, mut rest) = (String::new(), document);
    while let Some(place) = rest.find(['"', '<']) {
        let (before, here) = rest.split_at(place);
        let value = match format {
            Format::Json => json_value(here),
            Format::Xml => IN_XML.iter().find_map(|begin| here.strip_prefix(begin)),
        };
        let (name, behind) = here.split_at(value.map_or(1, |value| here.len() - value.len()));
        out.extend([before, name, if value.is_some() { start } else { "" }]);
        rest = behind;
    }
    out + rest
}

/// What is behind `"reference" : "`.
fn json_value(text: &str) -> Option<&str> {
    let behind = IN_JSON.iter().find_map(|name| text.strip_prefix(name))?;
    behind.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')
}

fn rewritten(body: &[u8], format: Format, parts: &mut dyn FnMut() -> usize) -> Vec<u8> {
    let root = ROOT.parse().unwrap();
    let mut rewriter = Rewriter::new(Links::new([(&root, GATEWAY.to_owned())]), format);
    let (mut out, mut rest) = (Vec::new(), body);
    while !rest.is_empty() {
        let (part, behind) = rest.split_at(parts().clamp(1, rest.len()));
        rewriter.push(part, &mut out);
        rest = behind;
    }
    rewriter.end(&mut out);
    out
}

/// gp-connect 4.3.
#[test]
fn links_of_the_corpus_are_all_that_changes() {
    let (mut links, mut seed) = (0, 7_usize);
    for payload in corpus() {
        let format = if payload.name.ends_with(".xml") { Format::Xml } else { Format::Json };
        let Ok(document) = std::str::from_utf8(&payload.bytes) else { continue };
        let sent = with(document, format, &format!("{ROOT}/"));
        let expected = with(document, format, &format!("{GATEWAY}/"));
        links += expected.matches(GATEWAY).count();
        // Byte by byte, in parts that cut nearly every root, in those of a network, and at random.
        for most in [1, 31, 1_448, 65_536] {
            if most == 1 && sent.len() > 100_000 {
                continue;
            }
            let mut length = || {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (seed >> 33) % most + 1
            };
            let out = rewritten(sent.as_bytes(), format, &mut length);
            // Not compared by a macro that would print megabytes.
            assert!(out == expected.as_bytes(), "{} in parts of up to {most}", payload.name);
        }
        let plain = rewritten(document.as_bytes(), format, &mut || 4_093);
        assert!(plain == payload.bytes, "{}: what leads elsewhere stays", payload.name);
    }
    assert!(links > 10_000 || corpus().is_empty(), "{links} links");
}

#[test]
fn the_second_way_finds_links_and_nothing_else() {
    for (format, document, expected) in [
        (Format::Json, r#"{"url" : "a","reference":"b"}"#, r#"{"url" : ">a","reference":">b"}"#),
        (Format::Json, r#"["url", "a", {"urls":"b","url":["c"]}]"#, ""),
        (Format::Json, r#"{"div":"\"url\": \"a\""}"#, ""),
        (
            Format::Xml,
            r#"<a><url value="b"/><extension url="c"/></a>"#,
            r#"<a><url value=">b"/><extension url="c"/></a>"#,
        ),
    ] {
        let expected = if expected.is_empty() { document } else { expected };
        assert_eq!(with(document, format, ">"), expected);
    }
}
