//! Heads that two parsers could read in two ways, and odd ones that they could not.

use super::check::all_are_refused;
use super::region;
use super::{Case, base};
use crate::harness::{HOST, Mode, World};
use crate::wire::{self, Wire};

/// The bytes of a good request with `old` in place of `new`, once.
fn changed(world: &World, old: &str, new: &str) -> Vec<u8> {
    let text = String::from_utf8(wire::bytes(&base(world))).unwrap();
    assert!(text.contains(old), "{old:?} in {text}");
    text.replacen(old, new, 1).into_bytes()
}

/// The same with one more header line, CRLF included.
pub(super) fn with_line(world: &World, line: &str) -> Vec<u8> {
    changed(world, "\r\n\r\n", &format!("\r\n{line}\r\n"))
}

#[tokio::test]
async fn request_lines() {
    let world = region::start("").await;
    let target = base(&world).target;
    let old = format!("GET {target} HTTP/1.1\r\n");
    let mut cases = Vec::new();
    for (name, new, says) in [
        ("HTTP/1.0", format!("GET {target} HTTP/1.0\r\n"), "not HTTP/1.1"),
        ("HTTP/0.9", format!("GET {target}\r\n"), "method, target and version"),
        ("HTTP/2.0", format!("GET {target} HTTP/2.0\r\n"), "not HTTP/1.1"),
        ("HTTP/1.2", format!("GET {target} HTTP/1.2\r\n"), "not HTTP/1.1"),
        ("version in lower case", format!("GET {target} http/1.1\r\n"), "not HTTP/1.1"),
        ("two blanks", format!("GET  {target} HTTP/1.1\r\n"), "method, target and version"),
        ("a blank in front", format!(" GET {target} HTTP/1.1\r\n"), "method, target and version"),
        ("a blank behind", format!("GET {target} HTTP/1.1 \r\n"), "method, target and version"),
        (
            "a blank in the target",
            format!("GET {target} x HTTP/1.1\r\n"),
            "method, target and version",
        ),
        ("a tab for a blank", format!("GET\t{target}\tHTTP/1.1\r\n"), "method, target and version"),
        ("no method", format!(" {target} HTTP/1.1\r\n"), "method"),
        (
            "a long method",
            format!("{} {target} HTTP/1.1\r\n", "A".repeat(21)),
            "method is not a token",
        ),
        ("a method with a colon", format!("G:T {target} HTTP/1.1\r\n"), "method is not a token"),
        ("an empty line in front", format!("\r\n{old}"), "empty line"),
        ("a fragment", format!("GET {target}#x HTTP/1.1\r\n"), "percent-encoded"),
        ("a quote", format!("GET {target}\" HTTP/1.1\r\n"), "percent-encoded"),
        ("angles", format!("GET {target}<x> HTTP/1.1\r\n"), "percent-encoded"),
        ("a backtick", format!("GET {target}` HTTP/1.1\r\n"), "percent-encoded"),
        ("not ASCII", format!("GET {target}é HTTP/1.1\r\n"), "percent-encoded"),
        ("a control byte", format!("GET {target}\u{1} HTTP/1.1\r\n"), "percent-encoded"),
        ("a nul", format!("GET {target}\0 HTTP/1.1\r\n"), "percent-encoded"),
        ("a bare CR", format!("GET {target}\rx HTTP/1.1\r\n"), ""),
        (
            "no slash in front",
            "GET A20047/STU3/1/gpconnect/Patient HTTP/1.1\r\n".to_owned(),
            "neither a path",
        ),
        ("a host alone", format!("GET {HOST} HTTP/1.1\r\n"), "neither a path"),
        ("another scheme", format!("GET ftp://{HOST}{target} HTTP/1.1\r\n"), "neither a path"),
        ("scheme in capitals", format!("GET HTTP://{HOST}{target} HTTP/1.1\r\n"), "neither a path"),
        ("a URL without a host", format!("GET http://{target} HTTP/1.1\r\n"), "neither a path"),
        ("a URL without a path", format!("GET http://{HOST} HTTP/1.1\r\n"), "neither a path"),
        (
            "a URL of another host",
            format!("GET http://evil.example{target} HTTP/1.1\r\n"),
            "two hosts",
        ),
        ("a URL with a user", format!("GET http://u@{HOST}{target} HTTP/1.1\r\n"), "two hosts"),
        ("a URL with a port", format!("GET http://{HOST}:80{target} HTTP/1.1\r\n"), "two hosts"),
    ] {
        let case = Case::of(name, base(&world), "head_malformed").says(says).closes();
        cases.push(case.raw(changed(&world, &old, &new)));
    }
    all_are_refused(&world, cases).await;
}

#[tokio::test]
async fn another_protocol() {
    let world = region::start("").await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    let case = Case::of("preface", base(&world), "http2_not_offered").closes();
    all_are_refused(&world, vec![case.says("HTTP/1.1").raw(preface)]).await;
}

#[tokio::test]
async fn header_lines() {
    let world = region::start("").await;
    let bare = String::from_utf8(wire::bytes(&base(&world))).unwrap().replace("\r\n", "\n");
    let mut lines = vec![
        ("every line in a bare LF", bare.into_bytes(), "bare LF"),
        ("one line in a bare LF", with_line(&world, "X-One: 1\nX-Two: 2\r\n"), "bare LF"),
        ("the end in a bare LF", changed(&world, "\r\n\r\n", "\r\n\n"), "bare LF"),
    ];
    for (name, line, says) in [
        ("folded with a blank", "X-One: 1\r\n more\r\n", "folded"),
        ("folded with a tab", "X-One: 1\r\n\tmore\r\n", "folded"),
        ("a folded identity", "X-One: 1\r\n Ssp-From: 200000000361\r\n", "folded"),
        ("a blank before the colon", "X-One : 1\r\n", "not a token"),
        ("a tab before the colon", "X-One\t: 1\r\n", "not a token"),
        ("an identity and a blank", "Ssp-From : 200000000361\r\n", "not a token"),
        ("no colon", "X-One\r\n", "no colon"),
        ("no name", ": 1\r\n", "not a token"),
        ("a name with a slash", "X/One: 1\r\n", "not a token"),
        ("a name not ASCII", "X-É: 1\r\n", "not a token"),
        ("a nul", "X-One: a\0b\r\n", "control"),
        ("a control byte", "X-One: a\u{1}b\r\n", "control"),
        ("delete", "X-One: a\u{7f}b\r\n", "control"),
        ("a bare CR", "X-One: a\rSsp-From: 200000000361\r\n", "control"),
        ("alias of the sender", "Ssp_From: 200000000361\r\n", "_"),
        ("alias in lower case", "ssp_interactionid: x\r\n", "_"),
        ("alias of the length", "Content_Length: 5\r\n", "_"),
        ("alias of the version", "If_Match: x\r\n", "_"),
        ("alias of the coding", "Transfer_Encoding: chunked\r\n", "_"),
        ("both lengths", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "both"),
        ("both lengths, turned", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "both"),
        ("length signed", "Content-Length: +5\r\n", "not a number"),
        ("length negative", "Content-Length: -5\r\n", "not a number"),
        ("length in a list", "Content-Length: 5, 5\r\n", "not a number"),
        ("length hexadecimal", "Content-Length: 0x5\r\n", "not a number"),
        ("length empty", "Content-Length:\r\n", "not a number"),
        ("length of a fraction", "Content-Length: 5.0\r\n", "not a number"),
        ("length beyond numbers", "Content-Length: 99999999999999999999\r\n", "not a number"),
        ("coding gzip", "Transfer-Encoding: gzip\r\n", "chunked"),
        ("coding twice", "Transfer-Encoding: chunked, chunked\r\n", "chunked"),
        ("coding identity", "Transfer-Encoding: identity\r\n", "chunked"),
        ("coding quoted", "Transfer-Encoding: \"chunked\"\r\n", "chunked"),
        ("coding with a parameter", "Transfer-Encoding: chunked;x=1\r\n", "chunked"),
        ("another expectation", "Expect: 200-ok\r\n", "Expect"),
        ("Connection: Ssp-From", "Connection: Ssp-From\r\n", "Connection"),
        ("Connection: close, ssp-to", "Connection: close, ssp-to\r\n", "Connection"),
        ("Connection: Authorization", "Connection: keep-alive,Authorization\r\n", "Connection"),
        ("Connection: Host", "Connection: Host\r\n", "Connection"),
        ("Connection: Content-Type", "Connection: x , Content-Type\r\n", "Connection"),
        ("Connection: If-Match", "Connection: If-Match\r\n", "Connection"),
        ("Connection: Accept-Encoding", "Connection: Accept-Encoding\r\n", "Connection"),
        ("Connection: Transfer-Encoding", "Connection: Transfer-Encoding\r\n", "Connection"),
        ("a second Connection", "Connection: close\r\nConnection: Ssp-From\r\n", "Connection"),
    ] {
        lines.push((name, with_line(&world, &format!("{line}\r\n")), says));
    }
    let of = |(name, bytes, says): (&str, Vec<u8>, &'static str)| {
        Case::of(name, base(&world), "head_malformed").says(says).closes().raw(bytes)
    };
    all_are_refused(&world, lines.into_iter().map(of).collect()).await;
}

#[tokio::test]
async fn framing_that_is_repeated() {
    let world = region::start("").await;
    let mut cases = Vec::new();
    for (name, lines) in [
        ("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
        ("the same length twice", "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
        ("two codings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("a coding and another", "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n"),
        ("two hosts", "Host: gateway.example\r\n\r\n"),
        ("another host", "host: evil.example\r\n\r\n"),
    ] {
        let case = Case::of(name, base(&world), "header_repeated").says("repeated").closes();
        cases.push(case.raw(with_line(&world, lines)));
    }
    all_are_refused(&world, cases).await;
}

#[tokio::test]
async fn hosts() {
    let world = region::start("").await;
    let host = format!("Host: {HOST}\r\n");
    let target = base(&world).target;
    let mut cases = Vec::new();
    for (name, line, word) in [
        ("none", "", "header_missing"),
        ("empty", "Host:\r\n", "head_malformed"),
        ("blank", "Host:  \r\n", "head_malformed"),
        ("a list", "Host: gateway.example,evil.example\r\n", "head_malformed"),
        ("two words", "Host: gateway.example evil.example\r\n", "head_malformed"),
        ("foreign", "Host: evil.example\r\n", "host_not_served"),
        ("the provider's", "Host: gp1.sim.example\r\n", "host_not_served"),
        ("with a port", "Host: gateway.example:80\r\n", "host_not_served"),
        ("with a dot", "Host: gateway.example.\r\n", "host_not_served"),
        ("with a user", "Host: u@gateway.example\r\n", "host_not_served"),
        ("longer", "Host: gateway.example.evil.example\r\n", "host_not_served"),
        ("an address", "Host: 127.0.0.1\r\n", "host_not_served"),
    ] {
        let case = Case::of(name, base(&world), word).closes();
        cases.push(case.raw(changed(&world, &host, line)));
    }
    let text = String::from_utf8(changed(&world, &host, "Host: evil.example\r\n")).unwrap();
    let foreign = text.replacen(&target, &format!("http://evil.example{target}"), 1);
    let case = Case::of("a URL of a foreign host", base(&world), "host_not_served").closes();
    cases.push(case.raw(foreign));
    all_are_refused(&world, cases).await;
}

/// A name may be asked for in capitals, and in the absolute form that servers have to accept.
/// gp-connect 2.2.
#[tokio::test]
async fn heads_that_are_odd_and_good() {
    let world = region::start("").await;
    let target = base(&world).target;
    for (name, old, new) in [
        ("a URL", target.as_str(), format!("http://{HOST}{target}")),
        ("a URL of the secure scheme", target.as_str(), format!("https://{HOST}{target}")),
        ("host in capitals", "gateway.example", "GATEWAY.EXAMPLE".to_owned()),
        ("no blank behind a colon", "Host: ", "Host:".to_owned()),
        (
            "blanks around a value",
            "Host: gateway.example",
            "Host: \t gateway.example \t".to_owned(),
        ),
        ("names in capitals", "Ssp-From", "SSP-FROM".to_owned()),
        ("names in lower case", "Authorization", "authorization".to_owned()),
        ("an underscore elsewhere", "Host: ", "X_One: 1\r\nHost: ".to_owned()),
        ("an empty value", "Host: ", "X-One:\r\nHost: ".to_owned()),
        ("a value not ASCII", "Host: ", "X-One: é\r\nHost: ".to_owned()),
        (
            "other names in Connection",
            "Host: ",
            "Connection: keep-alive, X-One\r\nHost: ".to_owned(),
        ),
        ("a raw pipe", "%7C", "|".to_owned()),
    ] {
        let mut wire = Wire::open(world.address(Mode::Transparent)).await;
        wire.write(changed(&world, old, &new)).await;
        let reply = wire.read("GET").await;
        assert_eq!(reply.status, 200, "{name}: {reply:?}");
        let arrivals = world.arrivals();
        assert_eq!(arrivals.len(), 1, "{name}");
        assert!(arrivals[0].target.starts_with("/A20047/STU3/1/gpconnect/fhir/Patient?"), "{name}");
    }
}

/// No byte, wherever it stands, brings the engine's own answer.
/// gp-connect 9.
#[tokio::test]
async fn no_byte_brings_the_engines_page() {
    let world = region::start("").await;
    let good = String::from_utf8(wire::bytes(&base(&world))).unwrap();
    let places = [
        ("method", "GET "),
        ("path", "/Patient"),
        ("query", "?identifier"),
        ("version", " HTTP/1.1"),
        ("line", "Ssp-To"),
        ("value", "910000000000"),
        ("end", "\r\n\r\n"),
    ];
    for (place, mark) in places {
        let at = good.find(mark).unwrap() + mark.len() - 1;
        for byte in 0..=255_u8 {
            let mut bytes = good.clone().into_bytes();
            bytes.insert(at, byte);
            let mut wire = Wire::open(world.address(Mode::Transparent)).await;
            wire.write(&bytes).await;
            wire.finish().await;
            let (reply, _) = wire.read_any("GET").await;
            // A head that never ends is nobody's request: its sender has closed.
            if reply.status == 0 {
                continue;
            }
            assert_eq!(reply.all("server"), [""; 0], "{place}, byte {byte}: {reply:?}");
            assert_ne!(reply.header("ssp-traceid"), "", "{place}, byte {byte}: {reply:?}");
            assert_ne!(reply.body, b"", "{place}, byte {byte}: {reply:?}");
            if reply.status != 200 {
                assert_eq!(
                    reply.json()["resourceType"],
                    "OperationOutcome",
                    "{place}, byte {byte}"
                );
            }
        }
    }
}
