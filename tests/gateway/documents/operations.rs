//! docs/operations.md.

use std::fs;

use tempfile::TempDir;

use super::{Page, Shell, repository};
use crate::harness::interactions as all;
use crate::harness::{Mode, World};
use crate::ports::own_address;
use crate::tls::{Pki, quoted};

#[tokio::test(flavor = "multi_thread")]
async fn operations_explain_purge_and_rehearse() {
    let pki = Pki::new();
    let world = World::start(|plan| plan.settings = "[cache]\n".into()).await;
    let metadata = world.call(Mode::Assist, &all::READ_METADATA, "metadata");
    assert_eq!(world.send(metadata).await.status, 200);
    let folder = world.gateway.folder();
    let case = repository("tests/cases/explain/good-ods-form/request.http");
    fs::copy(case, folder.join("request.http")).unwrap();
    let mut shell = Shell::new(folder);
    shell.calls("FOLDER", folder.join("audit").to_str().unwrap());
    let mut page = Page::open("docs/operations.md", shell);
    // Of a consumer of another estate: it would be refused here, and is told why.
    page.ends("gpconnect-gateway explain", 1, &["to mend", "Refused with"]);
    let traces = page.shows("toml", "[traces]");
    page.runs("gpconnect-gateway cache purge FOLDER --practice", &["\"answers\": 1"]);
    page.runs("gpconnect-gateway cache purge FOLDER --interaction", &["\"answers\": 0"]);
    page.runs("gpconnect-gateway cache purge FOLDER --all", &["\"answers\": 0"]);

    let next_proxy = page.shows("toml", "[[upstream]]");
    // The simulator writes its practices there: not over those of the gateway at work.
    assert!(page.shell().run("mkdir rehearsal; cd rehearsal").status.success());
    page.shell().calls("127.0.0.1:19000", own_address().to_string());
    let proxy = own_address().to_string();
    page.shell().calls("127.0.0.1:19443", &proxy);
    page.stays("gpconnect-gateway simulate --listen", "practices at");
    page.stays("gpconnect-gateway simulate --as proxy", "127.0.0.1");
    page.runs("curl -X PUT", &[]);

    let terminator = page.shows("haproxy", "frontend consumers");
    let shipped = fs::read_to_string(repository("deploy/haproxy-terminator.cfg")).unwrap();
    for line in terminator.lines().filter(|line| !line.is_empty()) {
        assert!(shipped.lines().any(|it| it.starts_with(line)), "{line}");
    }
    let behind = page.shows("toml", "[[listener]]");
    page.end();
    are_taken(&pki, &next_proxy, &[behind, traces].join("\n"));
}

/// A configuration of the two parts is one that `check` has nothing against.
fn are_taken(pki: &Pki, next_proxy: &str, behind: &str) {
    let folder = TempDir::with_prefix("gpconnect-operations-").unwrap();
    let directory = "[directory]\nfiles = [\"practices.toml\", \"consumers.toml\"]\n\n";
    let mut text = [directory, behind, next_proxy].join("\n");
    for (written, here) in [
        ("gateway.pem", "gateway.pem"),
        ("gateway.key", "gateway.key"),
        ("consumers-ca.pem", "authorities.pem"),
        ("national-ca.pem", "authorities.pem"),
        ("consumers-ca.crl", "consumers.crl"),
        ("national-ca.crl", "consumers.crl"),
    ] {
        text = text.replace(&format!("\"{written}\""), &quoted(&pki.file(here)));
    }
    let print = ["3F"; 32].join(":");
    text = text.replace("3F:A1:...", &print);
    let estate = crate::harness::Plan::default();
    fs::write(folder.path().join("consumers.toml"), &estate.consumers).unwrap();
    let practices = estate.estate().directory_toml("national", "everyone");
    fs::write(folder.path().join("practices.toml"), practices).unwrap();
    fs::write(folder.path().join("gateway.toml"), text).unwrap();
    gpconnect_gateway::audit::keys::make(&folder.path().join("audit-keys"), "test.example/audit")
        .unwrap();
    let output = Shell::new(folder.path()).run("gpconnect-gateway check --config gateway.toml");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("0 mistakes"), "{said}");
}
