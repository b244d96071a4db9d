//! Signed access tokens: exactly the requests with a good one reach the provider, each with a GP
//! Connect token that the gateway made; no access token ever leaves.

mod attacks;
mod issuer;
mod minted;
mod rotation;

use std::path::{Path, PathBuf};

use gpconnect_gateway::tls::issue::{Issued, Order};
use openssl::hash::MessageDigest;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use uuid::Uuid;

use issuer::{Key, Kind, encode, jwks, signed};

use crate::ambiguity::upstream::{Arrived, Upstream};
use crate::harness::interactions::READ_PATIENT;
use crate::harness::{Call, Interaction, Mode, ORGANISATION, World};
use crate::refusals::contract;
use crate::tls::{Client, Pki, now};
use crate::wire::{Reply, Wire};

/// The system that sends access tokens, and one of the same certificate that does not.
pub(crate) const WARDS: &str = "200000000361";
const CLINIC: &str = "200000000362";
const HOST: &str = "wards.rxx01.example";

const TRUST: &str = "https://id.rxx01.example/";
/// An issuer that the gateway knows, but not of this consumer.
const REGION: &str = "https://id.region.example/";
const AUDIENCE: &str = "https://gateway.example/gpconnect";

/// A gateway that takes access tokens, before a provider that notes every byte.
struct Bench {
    world: World,
    pki: Pki,
    upstream: Upstream,
    keys: Keys,
    /// The caller's certificate.
    issued: Issued,
    folder: TempDir,
}

/// The keys of the trust; the region has one of its own.
struct Keys {
    rsa: Key,
    p256: Key,
    p384: Key,
    ed25519: Key,
    region: Key,
}

impl Keys {
    fn new() -> Self {
        Self {
            rsa: Key::new("rsa-1", Kind::Rsa),
            p256: Key::new("p256-1", Kind::P256),
            p384: Key::new("p384-1", Kind::P384),
            ed25519: Key::new("ed-1", Kind::Ed25519),
            region: Key::new("region-1", Kind::P256),
        }
    }

    fn of_trust(&self) -> [&Key; 4] {
        [&self.rsa, &self.p256, &self.p384, &self.ed25519]
    }
}

impl Bench {
    async fn start() -> Self {
        let (pki, upstream, keys) = (Pki::new(), Upstream::start().await, Keys::new());
        let folder = TempDir::with_prefix("gpconnect-keys-").unwrap();
        let file = |name: &str, text: String| -> PathBuf {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let trust = file("trust.jwks", jwks(&keys.of_trust()));
        let region = file("region.jwks", jwks(&[&keys.region]));
        let sections = [
            section("trust", TRUST, &trust, ""),
            section("region", REGION, &region, "cnf = \"optional\"\n"),
        ];
        let settings = [pki.listener(""), sections.concat()].concat();
        let address = upstream.address;
        let world = World::start(|plan| {
            plan.settings = settings;
            plan.upstream = Some(address);
            plan.consumers.push_str(&consumers());
        })
        .await;
        let issued = pki.issue(&Order::new(HOST));
        Self { world, pki, upstream, keys, issued, folder }
    }

    async fn connect(&self, issued: &Issued) -> Wire<SslStream<TcpStream>> {
        let address = self.world.gateway.listeners["secure"];
        Wire::over(Client::new(address, &self.pki, Some(issued)).try_connect().await.unwrap())
    }

    /// Good claims: made at this second for the holder of this certificate.
    fn claims(&self, issued: &Issued) -> Value {
        claims_of(WARDS, &issued.certificate.digest(MessageDigest::sha256()).unwrap())
    }

    /// A good access token.
    fn token(&self) -> String {
        signed(&self.keys.rsa, "RS256", &self.claims(&self.issued))
    }

    /// A call of the system that sends access tokens.
    fn call(&self, interaction: &Interaction, path: &str, token: &str) -> Call {
        let call = self.world.call(Mode::Transparent, interaction, path);
        call.with("Ssp-From", WARDS)
            .with("Ssp-TraceID", &Uuid::new_v4().to_string())
            .with("Authorization", &format!("Bearer {token}"))
    }

    /// The same to read a patient.
    fn read(&self, token: &str) -> Call {
        self.call(&READ_PATIENT, "Patient/1", token)
    }

    /// Requests that have arrived since this was last asked.
    fn arrived(&self) -> Vec<crate::ambiguity::upstream::Request> {
        let requests = self.upstream.arrived().into_iter().filter_map(|arrived| match arrived {
            Arrived::Request(request) => Some(request),
            Arrived::Connection => None,
            Arrived::Other(why, bytes) => panic!("{why}: {bytes}"),
        });
        requests.collect()
    }

    /// The log's line of a call.
    async fn line(&self, name: &str, call: &Call) -> Value {
        let trace_id = call.header("Ssp-TraceID").unwrap();
        self.world.gateway.log.wait_for(name, |line| line["trace_id"] == trace_id).await
    }

    /// Sends a call that is to be refused with this word: nothing reaches the provider.
    async fn is_refused<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
        &self,
        name: &str,
        wire: &mut Wire<S>,
        call: &Call,
        word: &str,
    ) -> Reply {
        let reply = wire.exchange(call).await;
        assert_eq!(self.arrived(), [], "{name}");
        let line = self.line(name, call).await;
        assert_eq!(line["fault"], word, "{name}: {line}");
        assert_eq!(reply.status, contract::of(word).status, "{name}: {reply:?}");
        reply
    }
}

/// What gateway.toml and consumers.toml need for consumers with access tokens, of an issuer whose keys
/// are put into `folder`.
pub(crate) fn registered(folder: &Path) -> (String, String) {
    (trust(folder).0, consumers())
}

/// The issuer's section of gateway.toml, and its key.
pub(crate) fn trust(folder: &Path) -> (String, Key) {
    let (key, keys) = (Key::new("p256-1", Kind::P256), folder.join("trust.jwks"));
    std::fs::write(&keys, jwks(&[&key])).unwrap();
    (section("trust", TRUST, &keys, ""), key)
}

/// A good access token of that issuer for the system that holds the certificate with this hash.
pub(crate) fn access_token(key: &Key, system: &str, certificate: &[u8]) -> String {
    signed(key, "ES256", &claims_of(system, certificate))
}

/// The order of a certificate for the systems that send access tokens.
pub(crate) fn order() -> Order {
    Order::new(HOST)
}

/// Good claims of a system, bound to the certificate with this hash.
fn claims_of(system: &str, certificate: &[u8]) -> Value {
    let now = now();
    json!({
        "iss": TRUST,
        "aud": AUDIENCE,
        "sub": "u-4471",
        "iat": now,
        "exp": now + 600,
        "jti": Uuid::new_v4().to_string(),
        "client_id": system,
        "cnf": { "x5t#S256": encode(certificate) },
        "family_name": "Kaur",
        "given_name": "Asha",
        "org": { "ods": ORGANISATION },
        "roles": [{ "profile": "555000333444" }],
    })
}

/// An `[[issuer]]` of gateway.toml.
fn section(name: &str, issuer: &str, keys: &Path, more: &str) -> String {
    format!(
        "[[issuer]]\nname = \"{name}\"\nissuer = \"{issuer}\"\naudience = [\"{AUDIENCE}\"]\n\
         jwks_file = {:?}\nalgorithms = [\"RS256\", \"RS384\", \"RS512\", \"PS256\", \"PS384\", \
         \"PS512\", \"ES256\", \"ES384\", \"EdDSA\"]\n{more}\n[issuer.claims]\n\
         role = \"roles.0.profile\"\norganisation = \"org.ods\"\n\n",
        keys.to_str().unwrap(),
    )
}

fn consumers() -> String {
    let common = format!(
        "organisation = \"{ORGANISATION}\"\nhost_name = \"{HOST}\"\ninteractions = [\"1.2.7\"]\n"
    );
    format!(
        "\n[[consumer]]\nasid = \"{WARDS}\"\n{common}token = \"oauth\"\nissuers = [\"trust\"]\n\
         device_model = \"Example EPR\"\ndevice_version = \"9.2\"\n\n\
         [[consumer]]\nasid = \"{CLINIC}\"\n{common}\n"
    )
}
