//! `explain` and the gateway agree: the same bytes, at the same moment, get the answer that was
//! explained, from the certificate to the last issue.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gpconnect_gateway::tls::issue::{Issued, Order};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::ambiguity::upstream::{Arrived, Upstream};
use crate::harness::Mode;
use crate::harness::process::Gateway;
use crate::refusals::region::PATIENT;
use crate::terminator;
use crate::tls::{Client, Pki, faults, host, now};
use crate::wire::{Reply, Wire};

/// The moment that the cases were written for: 2026-11-23T08:01:40Z.
const WRITTEN_FOR: i64 = 1_795_420_900;

/// The consumers of the estate; each is every caller of a plain listener.
const CONSUMERS: [&str; 4] = ["200000000359", "200000000360", "200000000361", "200000000362"];

/// A gateway of the estate that the cases are explained by.
struct Estate {
    gateway: Gateway,
    upstream: Upstream,
    pki: Pki,
    /// What stands before one of its listeners.
    terminator: Issued,
    requests: TempDir,
}

impl Estate {
    async fn start() -> Self {
        let (upstream, pki) = (Upstream::start().await, Pki::new());
        let folder = TempDir::with_prefix("gpconnect-test-").unwrap();
        for name in ["practices.toml", "consumers.toml", "agreements.toml", "gateway.toml"] {
            let text = fs::read_to_string(cases().join("estate").join(name)).unwrap();
            // What issues certificates for the tests of TLS knows this host.
            let text = text.replace("epr.rxx01.example", &host(Mode::Transparent));
            fs::write(folder.path().join(name), text).unwrap();
        }
        let path = folder.path().join("gateway.toml");
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("127.0.0.1:19000", &upstream.address.to_string());
        let mut text = text.replace("127.0.0.1:8080", "127.0.0.1:0");
        text += "\n[observe]\naddress = \"127.0.0.1:0\"\n";
        for asid in CONSUMERS {
            text += &format!(
                "\n[[listener]]\nname = \"{asid}\"\naddress = \"127.0.0.1:0\"\n\
                 server_names = [\"gateway.example\"]\ninsecure_plain_http = true\n\
                 insecure_everyone_is = [\"{asid}\"]\n"
            );
        }
        text += &format!("\n{}", pki.listener(""));
        let strict = pki.listener("refusal = \"handshake\"").replace("\"secure\"", "\"strict\"");
        text += &format!("\n{strict}");
        let terminator = pki.gateways.issue(&Order::new("terminator.example")).unwrap();
        text += &format!("\n{}", terminator::listener(&pki, &[&terminator.certificate]));
        fs::write(&path, text).unwrap();
        let gateway = Gateway::start(folder, CONSUMERS.len() + 4, &[]).await;
        let requests = TempDir::with_prefix("gpconnect-case-").unwrap();
        Self { gateway, upstream, pki, terminator, requests }
    }

    /// What is explained of a request.
    fn explain(&self, message: &[u8], options: &[String]) -> Value {
        let request = self.requests.path().join("request.http");
        fs::write(&request, message).unwrap();
        let told = Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"))
            .args(["explain", "--output", "json", "--show-ids", "--config"])
            .arg(self.gateway.folder().join("gateway.toml"))
            .args(options)
            .arg(&request)
            .output()
            .unwrap();
        let read = serde_json::from_slice(&told.stdout);
        read.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&told.stderr)))
    }

    /// What is explained of the request of a caller with that certificate, or without any.
    fn explain_of<'m>(
        &self,
        shown: Option<&Issued>,
        message: &'m [u8],
        listener: &str,
    ) -> Explained<'m> {
        let Some(issued) = shown else {
            return self.explained(message, &["--listener", listener, "--no-certificate"]);
        };
        let file = self.requests.path().join("certificate.pem");
        fs::write(&file, issued.certificate.to_pem().unwrap()).unwrap();
        let file = file.to_str().unwrap();
        self.explained(message, &["--listener", listener, "--certificate", file])
    }

    fn explained<'m>(&self, message: &'m [u8], options: &[&str]) -> Explained<'m> {
        let options = options.iter().map(|option| (*option).to_owned()).collect::<Vec<_>>();
        let value = self.explain(message, &options);
        Explained { message, options, value }
    }

    /// Sends the request as that caller does, or as a terminator that tells of it.
    async fn agrees_on(
        &self,
        name: &str,
        shown: Option<&Issued>,
        explained: &Explained<'_>,
        listener: &str,
    ) {
        let address = self.gateway.listeners[listener];
        let is_told = listener == "behind";
        let identity = if is_told { Some(&self.terminator) } else { shown };
        let Ok(stream) = Client::new(address, &self.pki, identity).try_connect().await else {
            assert_eq!(explained.value["fails_handshake"], true, "{name}");
            return;
        };
        let told = shown.filter(|_| is_told);
        let message = explained.message;
        let message = told.map_or(message.to_vec(), |issued| telling(message, issued));
        self.agrees(name, &message, explained, Wire::over(stream)).await;
    }

    /// Sends the request and compares what comes of it with what was explained.
    async fn agrees<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        name: &str,
        message: &[u8],
        explained: &Explained<'_>,
        mut wire: Wire<S>,
    ) {
        let sent = now();
        wire.write(message).await;
        if name == "body-too-short" {
            // Else the rest of it would be waited for.
            wire.finish().await;
        }
        let (reply, cut) = wire.read_any("GET").await;
        let arrived = self.upstream.arrived();
        let requests = arrived.iter().filter_map(|one| match one {
            Arrived::Request(request) => Some(request),
            Arrived::Connection => None,
            Arrived::Other(..) => panic!("{name}: {one:?}"),
        });
        let requests: Vec<_> = requests.collect();
        let Explained { message, options, value } = explained;
        if value["fails_handshake"] == true {
            assert!(cut.is_some() && requests.is_empty(), "{name}: {reply:?}");
            return;
        }
        assert_eq!(cut, None, "{name}: {reply:?}");
        if value["would_pass"] == true {
            assert_eq!(reply.status, 200, "{name}: {reply:?}");
            assert_eq!(requests.len(), 1, "{name}: {requests:?}");
            let forward = &value["forward"];
            let line = ["method", "target"].map(|part| forward[part].as_str().unwrap()).join(" ");
            // NHS numbers are told by nobody.
            let live = requests[0].line.replace(PATIENT, "(NHS number)");
            assert_eq!(live, format!("{line} HTTP/1.1"), "{name}");
            let told = names(&forward["headers"]);
            let sent: Vec<_> = requests[0].headers.iter().map(|(name, _)| name.clone()).collect();
            assert_eq!(sent, told, "{name}");
            assert_eq!(forward["body_bytes"], requests[0].body.len(), "{name}");
            return;
        }
        assert!(requests.is_empty(), "{name}: {requests:?}");
        // What tells for how long a token has expired is of another second than what was explained before.
        let mut answer = value["answer"].clone();
        let mut seconds = sent..=now();
        while diagnostics(&reply.json_or_null()) != diagnostics(&answer["body"])
            && let Some(second) = seconds.next()
        {
            let at = Timestamp::from_second(second).unwrap().to_string();
            let options = [&options[..], &["--at".to_owned(), at]].concat();
            answer = self.explain(message, &options)["answer"].clone();
        }
        is_as_explained(name, &reply, &answer);
    }
}

/// What was explained of a request, and how.
struct Explained<'m> {
    message: &'m [u8],
    options: Vec<String>,
    value: Value,
}

/// The request with what a terminator adds.
fn telling(message: &[u8], caller: &Issued) -> Vec<u8> {
    let line = message.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let field = format!("Client-Cert: {}\r\n", terminator::field(&caller.certificate));
    [&message[..line], field.as_bytes(), &message[line..]].concat()
}

/// What the issues of an outcome say.
fn diagnostics(outcome: &Value) -> Vec<&Value> {
    outcome["issue"].as_array().into_iter().flatten().map(|issue| &issue["diagnostics"]).collect()
}

fn names(headers: &Value) -> Vec<String> {
    let headers = headers.as_array().unwrap().iter();
    let mut names: Vec<_> =
        headers.map(|one| one["name"].as_str().unwrap().to_ascii_lowercase()).collect();
    names.sort();
    names
}

/// Status, headers and body, byte for byte as far as both can know them.
fn is_as_explained(name: &str, reply: &Reply, answer: &Value) {
    assert_eq!(answer["status"], reply.status, "{name}: {reply:?}");
    assert_eq!(answer["phrase"], reply.phrase, "{name}: {reply:?}");
    for pair in answer["headers"].as_array().unwrap() {
        let (header, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        let found = reply.header(header);
        if value == "(a new UUID)" {
            assert_eq!(found.len(), 36, "{name}: {header}: {found}");
        } else {
            assert_eq!(found, value, "{name}: {header}");
        }
    }
    if answer["body"].is_string() {
        assert_eq!(answer["body"], reply.text(), "{name}");
        return;
    }
    let live = reply.json();
    let issues = answer["issues"].as_array().unwrap();
    assert_eq!(live["issue"].as_array().unwrap().len(), issues.len(), "{name}: {live}");
    for (live, told) in live["issue"].as_array().unwrap().iter().zip(issues) {
        assert_eq!(live["code"], told["code"], "{name}");
        assert_eq!(live["details"]["coding"][0]["code"], told["details"], "{name}");
        assert_eq!(live["diagnostics"], told["diagnostics"], "{name}");
    }
    let mut told = answer["body"].clone();
    // An outcome in the proxy's vocabulary has an id, each its own.
    if let Some(id) = told.get_mut("id") {
        assert_eq!(live["id"].as_str().map(str::len), Some(36), "{name}");
        *id = live["id"].clone();
    }
    assert_eq!(live, told, "{name}");
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/explain")
}

/// The cases of `explain` that a live gateway can be asked too.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_explained_is_what_is_answered() {
    let estate = Estate::start().await;
    let mut folders: Vec<_> =
        fs::read_dir(cases()).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let mut asked = 0;
    for folder in folders {
        let Ok(file) = fs::read(folder.join("request.http")) else { continue };
        let options = fs::read_to_string(folder.join("options.txt")).unwrap_or_default();
        let words: Vec<_> = options.split_whitespace().collect();
        // A curl command is no bytes; certificates have a test of their own.
        if file.starts_with(b"curl") || words.contains(&"--listener") {
            continue;
        }
        let asid = words.iter().skip_while(|word| **word != "--as").nth(1);
        let asid = asid.copied().unwrap_or(CONSUMERS[0]);
        let name = folder.file_name().unwrap().to_str().unwrap();
        let message = of_today(&on_the_wire(&file));
        // Behind the next proxy there is nobody to answer.
        if name == "good-next-proxy" {
            continue;
        }
        let explained = estate.explained(&message, &["--listener", asid]);
        let wire = Wire::open(estate.gateway.listeners[asid]).await;
        estate.agrees(name, &message, &explained, wire).await;
        asked += 1;
    }
    assert!(asked >= 45, "only {asked} cases");
}

/// Certificates of every fault, good ones of one system, two and none, and no certificate.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_explained_of_a_certificate_is_what_is_answered() {
    let estate = Estate::start().await;
    let of = |hosts: &[&str]| {
        let dns_names = hosts.iter().map(|host| (*host).to_owned()).collect();
        Some(estate.pki.issue(&Order { dns_names, ..Order::new(hosts[0]) }))
    };
    let own = host(Mode::Transparent);
    let mut certificates: Vec<(&str, Option<Issued>)> = vec![
        ("good", of(&[&own])),
        ("of two organisations", of(&[&own, "booking.ryy02.example"])),
        ("of another system", of(&["booking.ryy02.example"])),
        ("of nobody", of(&["x.rxx01.example"])),
    ];
    let bad = faults(&estate.pki).into_iter();
    certificates.extend(bad.map(|(name, issued, _)| (name, issued)));
    revocations_count(&estate).await;
    let (mut refused, mut missing) = (0, Vec::new());
    for (name, issued) in &certificates {
        for case in ["good-ods-form", "token-of-another-organisation", "header-twice"] {
            let file_of_case = fs::read(cases().join(case).join("request.http")).unwrap();
            let message = of_today(&on_the_wire(&file_of_case));
            for listener in ["secure", "strict", "behind"] {
                let name = format!("{name}, {case}, {listener}");
                let explained = estate.explain_of(issued.as_ref(), &message, listener);
                let certificate = &explained.value["caller"]["certificate"];
                refused += usize::from(!certificate["refused"].is_null());
                if issued.is_none() {
                    missing.push(explained.value["answer"]["status"].as_u64());
                }
                estate.agrees_on(&name, issued.as_ref(), &explained, listener).await;
            }
        }
    }
    assert_eq!(refused, (certificates.len() - 5) * 9);
    // A terminator's head that is refused tells of nobody.
    let answered =
        [Some(496), None, Some(496), Some(496), None, Some(496), Some(496), None, Some(400)];
    assert_eq!(missing, answered);
}

/// Waits until all listeners go by the list that names a revoked one.
async fn revocations_count(estate: &Estate) {
    crate::tls::soon("all are renewed", async || {
        let answer = observe(estate).await;
        let renewed = answer.lines().filter(|line| {
            line.starts_with("gpconnect_gateway_tls_renewals_total") && line.contains("renewed")
        });
        renewed.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() >= 3.0
    })
    .await;
}

async fn observe(estate: &Estate) -> String {
    let mut wire = Wire::open(estate.gateway.observe).await;
    wire.write("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    wire.read("GET").await.text().to_owned()
}

/// What a file by hand is on the wire; one with line ends of its own is that already.
fn on_the_wire(file: &[u8]) -> Vec<u8> {
    if file.windows(2).any(|pair| pair == b"\r\n") {
        return file.to_vec();
    }
    let split = file.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match split {
        Some(place) => (&file[..=place], &file[place + 2..]),
        None => (file, &[][..]),
    };
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    let head = String::from_utf8(head.to_vec()).unwrap();
    let mut wire = head.trim_end_matches('\n').replace('\n', "\r\n") + "\r\n";
    let lower = wire.to_ascii_lowercase();
    let is_framed = lower.contains("content-length:") || lower.contains("transfer-encoding:");
    if !body.is_empty() && !is_framed {
        wire += &format!("Content-Length: {}\r\n", body.len());
    }
    [wire.as_bytes(), b"\r\n", body].concat()
}

/// The same with the moments of its token as far from this one as they were from that of the case.
fn of_today(message: &[u8]) -> Vec<u8> {
    let later = now() - WRITTEN_FOR;
    let Ok(text) = std::str::from_utf8(message) else { return message.to_vec() };
    let Some(payload) = text.split("Bearer ").nth(1).and_then(|token| token.split('.').nth(1))
    else {
        return message.to_vec();
    };
    let decoded = URL_SAFE_NO_PAD.decode(payload).ok();
    let Some(mut claims) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return message.to_vec();
    };
    for name in ["iat", "exp"] {
        let Some((_, behind)) = claims.split_once(&format!("\"{name}\":")) else { continue };
        let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
        let Ok(moment) = digits.parse::<i64>() else { continue };
        let (old, new) = (format!("\"{name}\":{digits}"), moment + later);
        claims = claims.replacen(&old, &format!("\"{name}\":{new}"), 1);
    }
    text.replacen(payload, &URL_SAFE_NO_PAD.encode(claims), 1).into_bytes()
}
