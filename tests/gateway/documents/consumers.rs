//! docs/consumers.md: both sides of setting up a consumer.

use std::fs;
use std::sync::Arc;

use gpconnect_gateway::simulator::{self, Estate, Settings};
use openssl::hash::MessageDigest;
use openssl::x509::X509;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::{Page, Shell};
use crate::harness::process::Gateway;
use crate::pages::AUTHORITY;
use crate::tokens;

const GATEWAY: &str = "[directory]
files = [\"practices.toml\", \"consumers.toml\", \"enablement.toml\"]

[observe]
address = \"127.0.0.1:0\"

[[listener]]
name = \"consumers\"
address = \"127.0.0.1:0\"
server_names = [\"localhost:1\"]

[listener.tls]
certificate = \"gateway.pem\"
key = \"gateway.key\"
client_authorities = [\"consumers-ca.pem\"]
revocation_lists = [\"consumers-ca.crl\"]

[[upstream]]
name = \"simulator\"
address = \"UPSTREAM\"
insecure_plain_http = true

";

const ENABLEMENT: &str = "[[enablement]]
practices = [\"A20047\"]
gp_connect = true
capabilities = [\"appointments\", \"structured\"]
";

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_comes_from_nothing_to_its_first_answer() {
    let folder = TempDir::with_prefix("gpconnect-consumer-").unwrap();
    let file = |name: &str| folder.path().join(name);
    let mut page = Page::open("docs/consumers.md", Shell::new(folder.path()));
    page.runs("openssl req -new", &[]);
    page.runs("chmod 0600 epr.key", &[]);
    // The two authorities do their part.
    let sign = "authority consumers-ca; sign consumers-ca epr.csr epr.pem\n\
                authority gateway-ca; issue gateway-ca localhost gateway";
    assert!(page.shell().run(&format!("{AUTHORITY}\n{sign}")).status.success());

    let estate = Arc::new(Estate::generate(1, 3));
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = simulator::start(Settings::new(Arc::clone(&estate)), upstream).unwrap();
    fs::write(file("practices.toml"), estate.directory_toml("simulator", "everyone")).unwrap();
    let registered = page.shows("toml", "# consumers.toml");
    fs::write(file("consumers.toml"), &registered).unwrap();
    fs::write(file("enablement.toml"), ENABLEMENT).unwrap();
    let (issuer, key) = tokens::trust(folder.path());
    let settings = GATEWAY.replace("UPSTREAM", &simulator.local_addr().to_string()) + &issuer;
    fs::write(file("gateway.toml"), settings).unwrap();

    let desk = folder.path().to_owned();
    let gateway = Gateway::start(folder, 1, &[]).await;
    let port = gateway.listeners["consumers"].port();
    let loaded = gateway
        .reload("gateway.toml", |text| {
            text.replace("localhost:1\"", &format!("localhost:{port}\""))
        })
        .await;
    assert_eq!(loaded["level"], "INFO", "{loaded}");
    page.shell().calls("https://gateway.example:8443", format!("https://localhost:{port}"));
    page.shell().calls("918999198993", estate.practices()[0].asid.to_string());
    page.runs("gpconnect-gateway request", &["200 OK", "CapabilityStatement"]);

    // The same system, registered for access tokens.
    let (organisation, _) = registered.split_once("[[consumer]]").unwrap();
    let (_, agreement) = registered.split_once("[[agreement]]").unwrap();
    let system = page.shows("toml", "[[consumer]]");
    let registered = format!("{organisation}{system}\n[[agreement]]{agreement}");
    let loaded = gateway.reload("consumers.toml", |_| registered).await;
    assert_eq!(loaded["level"], "INFO", "{loaded}");
    let certificate = X509::from_pem(fs::read_to_string(desk.join("epr.pem")).unwrap().as_bytes());
    let hash = certificate.unwrap().digest(MessageDigest::sha256()).unwrap();
    let token = tokens::access_token(&key, "200000000359", &hash);
    fs::write(desk.join("token.jwt"), token).unwrap();
    page.runs("gpconnect-gateway request", &["200 OK", "CapabilityStatement"]);
    page.end();
}
