//! Who a caller says it is, against its certificate, its token, and what it said a moment ago.

use gpconnect_gateway::tls::issue::{Issued, Order};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Decoy;
use crate::ambiguity::upstream::{Arrived, Request, Upstream};
use crate::harness::call::{host_and_path, root};
use crate::harness::interactions::{BOOK_APPOINTMENT, READ_PATIENT};
use crate::harness::{Call, Interaction, Mode, ORGANISATION, Plan, World, token};
use crate::refusals::contract;
use crate::tls::{Client, Pki};
use crate::wire::Wire;

/// Another organisation and its system, with the rights of the others.
const NEIGHBOURS: &str = "RXX02";
const NEIGHBOUR: &str = "200000000361";
const NEIGHBOURS_HOST: &str = "epr.rxx02.example";

const OWN: &str = Mode::Transparent.asid();
const SECOND: &str = Mode::Assist.asid();

/// A gateway that wants certificates, before a provider that notes every byte.
struct Bench {
    world: World,
    pki: Pki,
    upstream: Upstream,
}

/// One request: who its headers, and who its token say is calling, and for which practice.
#[derive(Clone, Copy)]
struct Said {
    from: &'static str,
    organisation: &'static str,
    /// The places of the practices in the path, in `Ssp-To` and in `aud`.
    path: usize,
    to: usize,
    audience: usize,
}

const fn said(from: &'static str, organisation: &'static str) -> Said {
    Said { from, organisation, path: 0, to: 0, audience: 0 }
}

/// The same of one's own system and organisation, for these practices.
const fn between(path: usize, to: usize, audience: usize) -> Said {
    Said { path, to, audience, ..said(OWN, ORGANISATION) }
}

impl Bench {
    async fn start() -> Self {
        let (pki, upstream) = (Pki::new(), Upstream::start().await);
        let (listener, address) = (pki.listener(""), upstream.address);
        let world = World::start(|plan| {
            plan.settings = listener;
            plan.upstream = Some(address);
            plan.consumers = with_neighbours(plan);
        })
        .await;
        Self { world, pki, upstream }
    }

    /// A certificate of these hosts.
    fn certificate(&self, hosts: &[&str]) -> Issued {
        let dns_names = hosts.iter().map(|host| (*host).to_owned()).collect();
        self.pki.issue(&Order { dns_names, ..Order::new(hosts[0]) })
    }

    async fn connect(
        &self,
        issued: &Issued,
    ) -> Wire<tokio_openssl::SslStream<tokio::net::TcpStream>> {
        let address = self.world.gateway.listeners["secure"];
        Wire::over(Client::new(address, &self.pki, Some(issued)).try_connect().await.unwrap())
    }

    fn call(&self, said: Said, interaction: &Interaction, path: &str) -> Call {
        let mut call = self.world.call(Mode::Transparent, interaction, path);
        let (_, root_of_path) = host_and_path(self.world.practice(said.path), interaction);
        call.target = format!("/{root_of_path}/{path}");
        let audience = root(self.world.practice(said.audience), interaction);
        let mut claims = token::claims(interaction.scope, audience);
        claims["requesting_organization"]["identifier"][0]["value"] = json!(said.organisation);
        call.with("Ssp-TraceID", &Uuid::new_v4().to_string())
            .with("Ssp-From", said.from)
            .with("Ssp-To", &self.world.practice(said.to).asid.to_string())
            .claiming(&claims)
    }

    /// Sends a call. It arrives exactly as it is, or is refused with this word and does not.
    async fn send<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
        &self,
        name: &str,
        wire: &mut Wire<S>,
        call: &Call,
        refusal: Option<&str>,
    ) {
        let reply = wire.exchange(call).await;
        let arrived = self.upstream.arrived();
        let Some(word) = refusal else {
            assert_eq!(reply.status, 200, "{name}: {reply:?}");
            let host = host_and_path(self.world.practice(0), &READ_PATIENT).0;
            let expected = [Arrived::Request(Request::canonical(call, host, "https"))];
            // Who comes while the engine still watches a kept connection gets a new one.
            let arrived: Vec<_> =
                arrived.into_iter().filter(|one| *one != Arrived::Connection).collect();
            assert_eq!(arrived, expected, "{name}");
            return;
        };
        assert_eq!(arrived, [], "{name}");
        assert_eq!(reply.status, contract::of(word).status, "{name}: {reply:?}");
        let trace_id = call.header("Ssp-TraceID").unwrap();
        let line = |line: &Value| line["trace_id"] == trace_id;
        let line = self.world.gateway.log.wait_for(name, line).await;
        assert_eq!(line["fault"], word, "{name}");
    }
}

fn with_neighbours(plan: &Plan) -> String {
    let text = plan.consumers.replace(
        &format!("consumers = [\"{ORGANISATION}\"]"),
        &format!("consumers = [\"{ORGANISATION}\", \"{NEIGHBOURS}\"]"),
    );
    format!(
        "{text}\n[[organisation]]\nods_code = \"{NEIGHBOURS}\"\nname = \"The Hospital Next Door\"\n\n\
         [[consumer]]\nasid = \"{NEIGHBOUR}\"\norganisation = \"{NEIGHBOURS}\"\n\
         host_name = \"{NEIGHBOURS_HOST}\"\nparty_key = \"{NEIGHBOURS}-9200001\"\n\
         mode = \"transparent\"\ninteractions = [\"1.2.7\"]\n"
    )
}

/// One connection, many identities: each request is judged by itself, by the certificate of the
/// connection, whatever the requests before it were.
/// gp-connect 7.6 and 8.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table: one row a request")]
async fn every_request_is_tied_to_its_certificate() {
    let bench = Bench::start().await;
    let (own, second) = (host(Mode::Transparent), host(Mode::Assist));
    let not_caller = Some("sender_not_caller");
    let not_theirs = Some("organisation_mismatch");
    let good = said(OWN, ORGANISATION);
    let theirs = said(NEIGHBOUR, NEIGHBOURS);
    for (certificate, hosts, requests) in [
        (
            "of one system",
            vec![own.as_str()],
            vec![
                ("its own", good, None),
                ("another system of its organisation", said(SECOND, ORGANISATION), not_caller),
                ("another organisation's", theirs, not_caller),
                ("its own again", good, None),
                (
                    "another organisation's, its own token",
                    said(NEIGHBOUR, ORGANISATION),
                    not_caller,
                ),
                ("its own, another organisation's token", said(OWN, NEIGHBOURS), not_theirs),
                ("a practice's token", said(OWN, "A20047"), not_theirs),
                ("nobody's", said("200000009999", ORGANISATION), not_caller),
                ("a practice's system", said("910000000000", ORGANISATION), not_caller),
                ("its own at last", good, None),
            ],
        ),
        (
            "of two systems of one organisation",
            vec![own.as_str(), second.as_str()],
            vec![
                ("the first", good, None),
                ("the second", said(SECOND, ORGANISATION), None),
                ("a third", theirs, not_caller),
                ("the first again", good, None),
                ("the second, another organisation's token", said(SECOND, NEIGHBOURS), not_theirs),
                ("the second again", said(SECOND, ORGANISATION), None),
            ],
        ),
        (
            "of two organisations",
            vec![own.as_str(), NEIGHBOURS_HOST],
            vec![
                ("one", good, None),
                ("the other", theirs, None),
                ("one, with the other's token", said(OWN, NEIGHBOURS), not_theirs),
                ("the other, with one's token", said(NEIGHBOUR, ORGANISATION), not_theirs),
                ("one again", good, None),
                ("a system of neither", said(SECOND, ORGANISATION), not_caller),
            ],
        ),
        (
            "of nobody registered",
            vec!["other.rxx01.example"],
            vec![("any", good, not_caller), ("any again", theirs, not_caller)],
        ),
        (
            "of more than a registered host",
            vec!["x.transparent.rxx01.example", "transparent.rxx01.example.evil.example"],
            vec![("as if it were the host", good, not_caller)],
        ),
    ] {
        let issued = bench.certificate(&hosts);
        let mut wire = bench.connect(&issued).await;
        for (name, said, refusal) in requests {
            let name = format!("a certificate {certificate}: {name}");
            let call = bench.call(said, &READ_PATIENT, "Patient/2");
            bench.send(&name, &mut wire, &call, refusal).await;
        }
    }
}

/// `aud`, `Ssp-To` and the path name one practice.
/// gp-connect 7.2 and 7.6.
#[tokio::test]
async fn audience_receiver_and_path_name_one_practice() {
    let bench = Bench::start().await;
    let issued = bench.certificate(&[&host(Mode::Transparent)]);
    let mut wire = bench.connect(&issued).await;
    for (name, said, refusal) in [
        ("all the same", between(0, 0, 0), None),
        ("a token for another practice", between(0, 0, 1), Some("claim_invalid")),
        ("another receiver", between(0, 1, 0), Some("receiver_mismatch")),
        ("another path", between(1, 0, 0), Some("receiver_mismatch")),
        ("another receiver and token", between(0, 1, 1), Some("receiver_mismatch")),
        ("another path and receiver", between(1, 1, 0), Some("claim_invalid")),
        ("all the same again", between(0, 0, 0), None),
    ] {
        let call = bench.call(said, &READ_PATIENT, "Patient/2");
        bench.send(name, &mut wire, &call, refusal).await;
    }
}

/// What a token or a body names is never fetched.
#[tokio::test]
async fn nothing_that_a_request_names_is_fetched() {
    let bench = Bench::start().await;
    let decoy = Decoy::start().await;
    let url = format!("http://127.0.0.1:{}/", decoy.port);
    let issued = bench.certificate(&[&host(Mode::Transparent)]);
    let mut wire = bench.connect(&issued).await;
    let audience = root(bench.world.practice(0), &READ_PATIENT).to_owned();
    for claim in ["iss", "sub", "jku", "x5u", "jti", "cnf"] {
        let mut claims = token::claims(READ_PATIENT.scope, &audience);
        claims[claim] = json!(url);
        if claim == "sub" {
            claims["requesting_practitioner"]["id"] = json!(url);
        }
        let read = bench.call(said(OWN, ORGANISATION), &READ_PATIENT, "Patient/2");
        bench.send(claim, &mut wire, &read.claiming(&claims), None).await;
    }
    let mut claims = token::claims(READ_PATIENT.scope, &url);
    claims["aud"] = json!(url);
    let read = bench.call(said(OWN, ORGANISATION), &READ_PATIENT, "Patient/2").claiming(&claims);
    bench.send("aud", &mut wire, &read, Some("claim_invalid")).await;
    let body = json!({
        "resourceType": "Appointment",
        "implicitRules": url,
        "contained": [{"resourceType": "Binary", "id": url}],
        "participant": [{"actor": {"reference": format!("{url}Patient/1")}}]
    });
    let book = bench.call(said(OWN, ORGANISATION), &BOOK_APPOINTMENT, "Appointment").json(&body);
    bench.send("a body", &mut wire, &book, None).await;
    decoy.is_untouched().await;
}

/// The log names the connection's other end, whatever the caller wrote of it, in answers and in
/// refusals.
/// gp-connect 4.2.
#[tokio::test]
async fn the_log_names_the_true_client() {
    let bench = Bench::start().await;
    let issued = bench.certificate(&[&host(Mode::Transparent)]);
    let mut wire = bench.connect(&issued).await;
    for (name, from, refusal) in
        [("good", OWN, None), ("refused", NEIGHBOUR, Some("sender_not_caller"))]
    {
        let call = bench.call(said(from, ORGANISATION), &READ_PATIENT, "Patient/2");
        let forged = call.clone().and("Forwarded", "for=192.0.2.1;proto=http");
        let status = refusal.map_or(200, |word| contract::of(word).status);
        assert_eq!(wire.exchange(&forged).await.status, status, "{name}");
        let trace_id = call.header("Ssp-TraceID").unwrap();
        let line = |line: &Value| line["trace_id"] == trace_id;
        let line = bench.world.gateway.log.wait_for(name, line).await;
        assert_eq!(line["client"], "127.0.0.1", "{name}: {line}");
        assert_eq!(line["fault"].as_str(), refusal, "{name}: {line}");
        assert!(!line.to_string().contains("192.0.2.1"), "{name}: {line}");
    }
}

fn host(mode: Mode) -> String {
    format!("{}.rxx01.example", mode.word())
}
