//! Heads that pass and heads that do not.

use std::sync::LazyLock;

use super::*;
use crate::proxy::framing::Chunks;

fn rules() -> Rules<'static> {
    static NAMES: LazyLock<Vec<ServerName>> =
        LazyLock::new(|| ["gw.example", "localhost:8080"].map(|name| name.parse().unwrap()).into());
    let limits = Limits {
        head_bytes: 1_000,
        headers: 10,
        target_bytes: 200,
        body_bytes: 65_536,
        token_bytes: 1_000,
        connections: 1,
        in_flight: 1,
    };
    Rules { limits, server_names: &NAMES, told: false }
}

/// Scans and checks a head whose lines are given with `\n` for line ends.
fn checked(lines: &str) -> Result<Accepted, Reason> {
    let head = lines.replace('\n', "\r\n");
    let end = Scan::default().end(head.as_bytes(), &rules())?.expect("a whole head");
    assert_eq!(end, head.len());
    check(head.as_bytes(), &rules())
}

fn with(header: &str) -> Result<Accepted, Reason> {
    checked(&format!("GET /a HTTP/1.1\nHost: gw.example\n{header}\n\n"))
}

#[test]
fn ordinary_heads_pass() {
    let chunks = Body::Chunks(Chunks::default());
    let none = Body::Length(0);
    for (name, lines, body) in [
        ("least", "GET /a?b=c|d HTTP/1.1\nHost: gw.example\n\n", none),
        (
            "port and case",
            "POST /a HTTP/1.1\nhost: LOCALHOST:8080\nContent-Length: 5\n\n",
            Body::Length(5),
        ),
        ("chunked", "PUT /a HTTP/1.1\nHost:gw.example\nTransfer-Encoding: Chunked\n\n", chunks),
        (
            "hop-by-hop names",
            "GET /a HTTP/1.1\nHost: gw.example\nConnection: keep-alive, x-y\n\n",
            none,
        ),
        ("proxy form", "GET /https://gp.example/A20047/g/$x HTTP/1.1\nHost: gw.example\n\n", none),
        ("asterisk", "OPTIONS * HTTP/1.1\nHost: gw.example\n\n", none),
        ("obs-text", "GET /a HTTP/1.1\nHost: gw.example\nX: caf\u{e9}\n\n", none),
        ("underscore elsewhere", "GET /a HTTP/1.1\nHost: gw.example\nX_Y: 1\n\n", none),
        (
            "nine nominations",
            "GET /a HTTP/1.1\nHost: gw.example\nConnection: a,b,c,d,e,,f,g,h,i\n\n",
            none,
        ),
        (
            "one of the future",
            "GET /a HTTP/1.1\nHost: gw.example\nSsp-New: 1\nSsp-Newer: 1\n\n",
            none,
        ),
        ("expect", "GET /a HTTP/1.1\nHost: gw.example\nExpect: 100-continue\n\n", none),
    ] {
        assert_eq!(checked(lines), Ok(Accepted { cut: None, body }), "{name}");
    }
}

/// gp-connect 2.2.
#[test]
fn the_absolute_form_is_cut_to_a_path() {
    let lines = "GET http://gw.example/https://gp.example/a HTTP/1.1\nHost: GW.example\n\n";
    assert_eq!(checked(lines), Ok(Accepted { cut: Some(4..21), body: Body::Length(0) }));
    let other = "GET http://other.example/a HTTP/1.1\nHost: gw.example\n\n";
    assert_eq!(checked(other).unwrap_err().word(), "head_malformed");
    for target in ["http://gw.example", "ftp://gw.example/a", "a/b", "http:///a"] {
        let lines = format!("GET {target} HTTP/1.1\nHost: gw.example\n\n");
        assert_eq!(checked(&lines).unwrap_err().word(), "head_malformed", "{target}");
    }
}

#[test]
fn what_two_parsers_could_read_in_two_ways_is_refused() {
    for (name, header, word) in [
        ("two hosts", "Host: gw.example", "header_repeated"),
        ("two lengths", "Content-Length: 5\nContent-Length: 5", "header_repeated"),
        ("a list of lengths", "Content-Length: 5, 5", "head_malformed"),
        ("a signed length", "Content-Length: +5", "head_malformed"),
        ("an empty length", "Content-Length:", "head_malformed"),
        ("length and chunked", "Content-Length: 5\nTransfer-Encoding: chunked", "head_malformed"),
        ("chunked and length", "Transfer-Encoding: chunked\nContent-Length: 5", "head_malformed"),
        ("gzip, chunked", "Transfer-Encoding: gzip, chunked", "head_malformed"),
        (
            "chunked twice",
            "Transfer-Encoding: chunked\ntransfer-encoding: chunked",
            "header_repeated",
        ),
        ("two senders", "Ssp-From: 1\nssp-from: 1", "header_repeated"),
        ("an aliased sender", "Ssp_From: 1", "head_malformed"),
        ("an aliased length", "Content_Length: 1", "head_malformed"),
        ("another alias", "Ssp.From: 1", "head_malformed"),
        ("two of the future", "Ssp-New: 1\nssp-new: 2", "header_repeated"),
        ("a padded length", "Content-Length:  0", "head_malformed"),
        ("a length before a tab", "Content-Length: 0\t", "head_malformed"),
        ("a length with a zero in front", "Content-Length: 00", "head_malformed"),
        ("a padded coding", "Transfer-Encoding:\tchunked", "head_malformed"),
        ("a padded sender", "Ssp-From: 1 ", "head_malformed"),
        ("a certificate", "Client-Cert: :AA==:", "certificate_claimed"),
        ("a chain", "client-cert-chain: :AA==:", "certificate_claimed"),
        ("an aliased certificate", "Client_Cert: :AA==:", "certificate_claimed"),
        ("a variable's certificate", "SSL_CLIENT_CERT: AA", "certificate_claimed"),
        ("a proxy's certificate", "X.Forwarded_Client-Cert: a", "certificate_claimed"),
        ("a nominated certificate", "Connection: Client-Cert", "head_malformed"),
        ("another method", "X-HTTP-Method-Override: PUT", "head_malformed"),
        ("another target", "x-original-url: /b", "head_malformed"),
        ("nominated in quotes", "Connection: \"close\"", "head_malformed"),
        ("ten nominations", "Connection: a,b,c,d,e\nConnection: f,g,h,i,j", "head_malformed"),
        ("a nominated origin", "Connection: X-Forwarded-For", "head_malformed"),
        ("two tokens", "Authorization: a\nAuthorization: b", "header_repeated"),
        ("nominated sender", "Connection: close, Ssp-From", "head_malformed"),
        ("nominated host", "Connection: host", "head_malformed"),
        ("nominated token", "Connection: AUTHORIZATION", "head_malformed"),
        ("nominated length", "Connection: content-length", "head_malformed"),
        ("a blank before the colon", "Ssp-From : 1", "head_malformed"),
        ("a folded line", "X: a\n b", "head_malformed"),
        ("no colon", "X", "head_malformed"),
        ("no name", ": x", "head_malformed"),
        ("a NUL", "X: a\0b", "head_malformed"),
        ("a bare CR", "X: a\rb", "head_malformed"),
        ("a CR before the last line's end", "X: a\r", "head_malformed"),
        ("encoded body", "Content-Encoding: gzip", "body_encoded"),
        ("a long body", "Content-Length: 65537", "body_too_long"),
        ("another expectation", "Expect: 200-ok", "head_malformed"),
    ] {
        assert_eq!(with(header).map_err(|reason| reason.word()), Err(word), "{name}");
    }
}

#[test]
fn request_lines_are_checked() {
    for (name, line, word) in [
        ("HTTP/1.0", "GET /a HTTP/1.0", "head_malformed"),
        ("HTTP/2", "PRI * HTTP/2.0", "http2_not_offered"),
        ("no version", "GET /a", "head_malformed"),
        ("a tunnel", "CONNECT gp.example:443 HTTP/1.1", "method_not_carried"),
        ("two blanks", "GET  /a HTTP/1.1", "head_malformed"),
        ("a blank in the target", "GET /a b HTTP/1.1", "head_malformed"),
        ("a quote", "GET /a\"b HTTP/1.1", "head_malformed"),
        ("a fragment", "GET /a#b HTTP/1.1", "head_malformed"),
        ("not ASCII", "GET /é HTTP/1.1", "head_malformed"),
        ("a tab", "GET\t/a HTTP/1.1", "head_malformed"),
        ("not a token", "G(T /a HTTP/1.1", "head_malformed"),
    ] {
        let lines = format!("{line}\nHost: gw.example\n\n");
        assert_eq!(checked(&lines).map_err(|reason| reason.word()), Err(word), "{name}");
    }
    let long = format!("GET /{} HTTP/1.1\nHost: gw.example\n\n", "a".repeat(200));
    assert_eq!(checked(&long).unwrap_err(), Reason::TargetTooLong { limit: 200 });
}

#[test]
fn the_host_must_be_served() {
    for (name, lines, word) in [
        ("none", "GET /a HTTP/1.1\nX: 1\n\n", "header_missing"),
        ("empty", "GET /a HTTP/1.1\nHost:\n\n", "head_malformed"),
        ("a list", "GET /a HTTP/1.1\nHost: gw.example,x\n\n", "head_malformed"),
        ("foreign", "GET /a HTTP/1.1\nHost: other.example\n\n", "host_not_served"),
        ("another port", "GET /a HTTP/1.1\nHost: gw.example:81\n\n", "host_not_served"),
    ] {
        assert_eq!(checked(lines).map_err(|reason| reason.word()), Err(word), "{name}");
    }
}

#[test]
fn a_head_ends_before_it_grows_too_large() {
    let end = |bytes: &[u8]| Scan::default().end(bytes, &rules());
    assert_eq!(end(b"GET /a HTTP/1.1\r\nHost: x\r\n"), Ok(None));
    assert_eq!(end(b"GET /a HTTP/1.1\r\n\r\nbody"), Ok(Some(19)));
    assert_eq!(end(b"GET /a HTTP/1.1\nHost: x\n\n").unwrap_err().word(), "head_malformed");
    assert_eq!(end(b"\r\nGET /a HTTP/1.1\r\n\r\n").unwrap_err().word(), "head_malformed");
    assert_eq!(end(&[b'a'; 300]).unwrap_err().word(), "target_too_long");
    let long = [b"GET /a HTTP/1.1\r\nX: ".to_vec(), vec![b'a'; 1_000]].concat();
    assert_eq!(end(&long).unwrap_err().word(), "head_too_long");
    let many = format!("GET /a HTTP/1.1\r\n{}", "X: y\r\n".repeat(11));
    assert_eq!(end(many.as_bytes()).unwrap_err().word(), "too_many_headers");
}

proptest::proptest! {
    #[test]
    fn any_bytes_in_any_pieces_read_the_same(
        bytes in proptest::collection::vec(proptest::prelude::prop_oneof![
            proptest::prelude::Just(b'\r'), proptest::prelude::Just(b'\n'),
            proptest::prelude::Just(b':'), proptest::prelude::any::<u8>()], 0..200),
        cut in 0_usize..200
    ) {
        let whole = Scan::default().end(&bytes, &rules());
        let mut pieces = Scan::default();
        let first = pieces.end(&bytes[..cut.min(bytes.len())], &rules());
        let second = if matches!(first, Ok(None)) { pieces.end(&bytes, &rules()) } else { first };
        proptest::prop_assert_eq!(&second, &whole);
        if let Ok(Some(end)) = whole {
            check(&bytes[..end], &rules()).map(drop).unwrap_or_default();
        }
    }
}
