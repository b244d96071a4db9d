//! docs/admin.md, over a gateway at work.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use gpconnect_gateway::snapshot::{Roles, make_token};

use super::{Page, Shell};
use crate::admin::office;
use crate::harness::interactions as all;
use crate::harness::{Mode, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_asked_and_told() {
    let folder = tempfile::TempDir::with_prefix("gpconnect-tokens-").unwrap();
    let tokens = folder.path().join("admin-tokens.txt");
    // Somebody is in it already: a file that names nobody is a mistake.
    let (_, line) = make_token(&"desk".parse().unwrap(), Roles::read("read").unwrap()).unwrap();
    fs::write(&tokens, line + "\n").unwrap();
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    let admin = format!(
        "[cache]\n[admin]\naddress = \"127.0.0.1:0\"\ntokens = {tokens:?}\nserver_names = [\"localhost:9091\"]\n"
    );
    let world = World::start(|plan| plan.settings = admin).await;
    for call in [
        world.call(Mode::Assist, &all::READ_METADATA, "metadata"),
        world.call(Mode::Assist, &all::READ_PATIENT, "Patient/1"),
    ] {
        assert_eq!(world.send(call).await.status, 200);
    }
    let journal = world.gateway.folder().join("audit");
    let mut shell = Shell::new(folder.path());
    shell.calls("/var/lib/gpconnect-gateway/audit", journal.to_str().unwrap());
    let socket = "/var/lib/gpconnect-gateway/state/admin-812-3.sock";
    shell.calls(socket, office::socket(&world).to_str().unwrap());
    // What a call says in `Host` stays as it is written.
    let address = office::address(&world).await;
    let to = format!(
        "--connect-to localhost:9091:{}:{} http://localhost:9091",
        address.ip(),
        address.port()
    );
    shell.calls("http://localhost:9091", to);
    shell.calls("FOLDER", journal.to_str().unwrap());
    let mut page = Page::open("docs/admin.md", shell);

    let said = page.runs("gpconnect-gateway admin token", &[]);
    let token = said.trim().to_owned();
    assert!(!token.is_empty() && !token.contains(char::is_whitespace), "{said}");
    assert!(page.shell().run(&format!("export TOKEN={token}")).status.success());
    page.runs("gpconnect-gateway admin status", &["ready", "reserve"]);
    page.runs("gpconnect-gateway admin practices", &["A20047"]);
    page.runs("gpconnect-gateway admin reload", &["2"]);
    page.runs("curl --unix-socket", &["\"ready\":true"]);
    page.runs("curl -H", &["\"practices\":[", "A20047"]);

    page.runs("gpconnect-gateway capabilities FOLDER --capability", &["practice"]);
    page.runs("gpconnect-gateway capabilities FOLDER --practice", &["A20047"]);
    page.runs("gpconnect-gateway capabilities FOLDER --changes", &[]);

    page.runs("gpconnect-gateway switch preview", &["A20047", "200000000359"]);
    let said = page.runs("gpconnect-gateway switch off", &[]);
    page.runs("gpconnect-gateway switch list", &["duty desk", "supplier's outage"]);
    let is_id = |word: &&str| word.len() == 8 && word.bytes().all(|it| it.is_ascii_hexdigit());
    let id = said.split(|it: char| !it.is_ascii_alphanumeric()).find(is_id);
    page.shell().calls("0a1b2c3d", id.unwrap_or_else(|| panic!("no id in {said}")));
    page.runs("gpconnect-gateway switch on", &[]);

    page.runs("gpconnect-gateway conformance FOLDER --side", &[]);
    page.runs("gpconnect-gateway conformance FOLDER --rule", &["organisation"]);
    page.runs("gpconnect-gateway conformance FOLDER --organisation", &[]);
    page.end();
}
