//! Behind a terminator of TLS: who may tell of callers, and what becomes of what it tells. What
//! counts is what the practices saw: exactly the requests that were to be let in, and nothing of
//! anybody's certificate.

mod callers;
mod fields;
mod haproxy;
mod renewal;
mod socket;
mod terminators;

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gpconnect_gateway::simulator::Arrival;
use gpconnect_gateway::tls::issue::{Issued, Order};
use openssl::hash::MessageDigest;
use openssl::x509::X509Ref;
use uuid::Uuid;

use crate::harness::interactions::READ_PATIENT;
use crate::harness::{Answer, Call, Connection, HOST, Mode, World};
use crate::refusals::contract;
use crate::tls::{Client, Pki, quoted};

const CERTIFICATE: &str = "Client-Cert";
const CHAIN: &str = "Client-Cert-Chain";

/// A world with one more listener, `behind`, everything that its certificates come from, and its
/// terminator's own.
struct Behind {
    world: World,
    pki: Pki,
    terminator: Issued,
}

impl Behind {
    async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts it with what `settings` adds to gateway.toml.
    async fn start_with(settings: &str) -> Self {
        let pki = Pki::new();
        // Its authority is nobody's business: the fingerprint is what counts.
        let terminator = pki.gateways.issue(&Order::new("terminator.example")).unwrap();
        let listener = listener(&pki, &[&terminator.certificate]) + settings;
        let world = World::start(|plan| plan.settings = listener).await;
        Self { world, pki, terminator }
    }

    fn address(&self) -> SocketAddr {
        self.world.gateway.listeners["behind"]
    }

    /// A connection of the terminator.
    async fn connect(&self) -> Connection {
        Client::new(self.address(), &self.pki, Some(&self.terminator)).connect().await
    }

    /// A good call of one of the consumers, of whose certificate nothing is told.
    fn call(&self, mode: Mode) -> Call {
        let trace_id = Uuid::new_v4().to_string();
        self.world.call(mode, &READ_PATIENT, "Patient/1").with("Ssp-TraceID", &trace_id)
    }

    /// The same with this certificate.
    fn told(&self, mode: Mode, caller: &Issued) -> Call {
        self.call(mode).with(CERTIFICATE, &field(&caller.certificate))
    }

    /// The trace ids of the requests that the practices have seen since this was last asked, none of
    /// which has anything of a certificate.
    fn seen(&self) -> Vec<String> {
        let look = |arrival: Arrival| {
            for (name, value) in &arrival.headers {
                let text = format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()));
                assert!(!text.to_lowercase().contains("cert"), "{text}");
                assert!(!text.contains("MII"), "{text}");
            }
            arrival.headers["Ssp-TraceID"].to_str().unwrap().to_owned()
        };
        self.world.arrivals().into_iter().map(look).collect()
    }
}

/// The section of a listener that these certificates may tell at.
pub(crate) fn listener(pki: &Pki, terminators: &[&X509Ref]) -> String {
    let pins: Vec<_> = terminators.iter().map(|one| format!("\"{}\"", sha256(one))).collect();
    format!(
        "[[listener]]\nname = \"behind\"\naddress = \"127.0.0.1:0\"\n\
         server_names = [\"{HOST}\"]\n\n[listener.behind_terminator]\ncertificate = {}\nkey = {}\n\
         terminators = [{}]\n{}\n",
        quoted(&pki.file("gateway.pem")),
        quoted(&pki.file("gateway.key")),
        pins.join(", "),
        authorities(pki),
    )
}

fn authorities(pki: &Pki) -> String {
    format!(
        "client_authorities = [{}]\nrevocation_lists = [{}]\n",
        quoted(&pki.file("authorities.pem")),
        quoted(&pki.file("consumers.crl")),
    )
}

fn sha256(certificate: &X509Ref) -> String {
    let digest = certificate.digest(MessageDigest::sha256()).unwrap();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A certificate as RFC 9440 writes it.
pub(crate) fn field(certificate: &X509Ref) -> String {
    bytes(&certificate.to_der().unwrap())
}

fn bytes(bytes: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(bytes))
}

fn chain(certificates: &[&X509Ref]) -> String {
    certificates.iter().map(|one| field(one)).collect::<Vec<_>>().join(", ")
}

fn trace_id(call: &Call) -> String {
    call.header("Ssp-TraceID").unwrap().to_owned()
}

/// Checks that an answer is this refusal, with a part of its text, as on any listener with TLS.
fn is_refused(answer: &Answer, word: &str, text: &str, name: &str) {
    let row = contract::of(word);
    assert_eq!(answer.status, row.status, "{name}: {answer:?}");
    let issue = &answer.json()["issue"][0];
    assert_eq!(issue["code"], row.issue, "{name}");
    let diagnostics = issue["diagnostics"].as_str().unwrap();
    assert!(diagnostics.contains(text), "{name}: {diagnostics}");
    assert!(!answer.header("Strict-Transport-Security").is_empty(), "{name}: {answer:?}");
}

/// The same of a connection, which is closed behind it.
async fn refuses(connection: &mut Connection, call: Call, word: &str, text: &str, name: &str) {
    let again = call.clone();
    let answer = connection.send(call).await;
    is_refused(&answer, word, text, name);
    assert_eq!(answer.header("Connection"), "close", "{name}");
    let again = connection.try_send(again).await;
    assert!(again.is_err(), "{name}: the connection stayed open: {again:?}");
}
