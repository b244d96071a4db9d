//! Keys of the journal that are changed while requests come in.

use std::fs;
use std::path::Path;

use gpconnect_gateway::audit::keys;
use tokio::time::timeout;
use uuid::Uuid;

use super::journal;
use super::read;
use crate::harness::log::says;
use crate::harness::{DEADLINE, Mode, World};
use crate::tls::soon;

/// Makes new keys and puts these in place of those in use; what was there is kept beside it.
fn change(folder: &Path, names: &[&str]) {
    let (new, used) = (tempfile::tempdir().unwrap(), folder.join("audit-keys"));
    keys::make(new.path(), "test.example/audit").unwrap();
    let public = |folder: &Path| fs::read_to_string(folder.join("signing.pub")).unwrap();
    let both = public(new.path()) + &public(&used);
    for name in names {
        fs::rename(used.join(name), used.join(format!("{name}.old"))).unwrap();
        fs::copy(new.path().join(name), used.join(name)).unwrap();
    }
    fs::write(used.join("signing.pub"), both).unwrap();
}

/// Twenty times all keys change under load: no request fails, none is lost, and who looks for a
/// patient with all search keys finds all. gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn keys_change_without_a_failed_request() {
    let mut world = World::start(|_| {}).await;
    let folder = world.gateway.folder().to_owned();
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let address = world.address(Mode::Transparent);
    let call = read(&world, "x");
    let (count, mut counted) = tokio::sync::watch::channel(0_usize);
    let load = tokio::spawn(async move {
        let mut connection = crate::harness::Connection::open(address).await;
        while !*stopped.borrow_and_update() {
            let call = call.clone().with("Ssp-TraceID", &Uuid::new_v4().to_string());
            assert_eq!(connection.send(call).await.status, 200);
            count.send_modify(|sent| *sent += 1);
        }
        *count.borrow()
    });
    for turn in 1..=20 {
        change(&folder, &["signing.key", "search.key", "recipients.txt"]);
        let seen = world.gateway.log.lines().len();
        world.gateway.signal("HUP");
        let said = |line: &serde_json::Value| says(line, "audit keys changed");
        let line = world.gateway.log.wait_behind(seen, "the keys changed", said).await;
        assert_eq!(line["changed"], "signing_key, search_key, recipients", "{turn}");
        // So that requests are carried with each of them.
        let before = *counted.borrow();
        let more = counted.wait_for(|sent| *sent > before + 1);
        timeout(DEADLINE, more).await.expect("requests are answered").unwrap();
    }
    stop.send_replace(true);
    let sent: usize = load.await.unwrap();
    assert!(sent > 20, "{sent} requests");
    assert_eq!(world.gateway.stop().await, Some(0));
    let journal = journal::Journal::read(&folder);
    journal.is_whole();
    let count = |kind: &str| journal.of(kind).count();
    assert_eq!((count("intent"), count("outcome"), count("keys")), (sent, sent, 20));
    assert_eq!(count("epoch"), 21);
}

/// Both search keys, the one in use and the one before it, find a patient's records.
#[tokio::test]
async fn a_search_takes_several_keys() {
    let mut world = World::start(|_| {}).await;
    let folder = world.gateway.folder().to_owned();
    let resource = |world: &World| {
        let practice = world.practice(0);
        let (host, root) = crate::harness::call::host_and_path(
            practice,
            &crate::harness::interactions::READ_PATIENT,
        );
        format!("https://{host}/{root}/Patient/1")
    };
    let resource = resource(&world);
    let send = async || {
        let call = read(&world, &Uuid::new_v4().to_string());
        assert_eq!(world.send(call).await.status, 200);
    };
    send().await;
    change(&folder, &["search.key"]);
    world.gateway.signal("HUP");
    world.gateway.log.wait_for("keys", |line| says(line, "audit keys changed")).await;
    send().await;
    assert_eq!(world.gateway.stop().await, Some(0));
    let found = |keys: &[&str]| {
        let keys = keys.iter().flat_map(|key| ["--search-key", key]);
        let asked = ["--resource", &resource, "--kind", "intent", "-o", "json"];
        let arguments: Vec<_> = asked.into_iter().chain(keys).collect();
        let text = journal::command(&folder, "search", &arguments);
        text.matches("\"kind\":\"intent\"").count()
    };
    let (new, old) = ("audit-keys/search.key", "audit-keys/search.key.old");
    assert_eq!((found(&[new]), found(&[old]), found(&[old, new])), (1, 1, 2));
}

/// What is wrong with a key is told, and the old ones stay.
#[tokio::test]
async fn a_key_that_can_t_be_used_changes_nothing() {
    let world = World::start(|_| {}).await;
    let folder = world.gateway.folder().to_owned();
    let used = folder.join("audit-keys");
    for (name, text, expected) in [
        ("recipients.txt", "# nobody\n", "audit.recipients: "),
        ("signing.key", "x\n", "audit.signing_key: "),
        ("search.key", "x\n", "audit.search_key: "),
    ] {
        let good = fs::read(used.join(name)).unwrap();
        fs::write(used.join(name), text).unwrap();
        let seen = world.gateway.log.lines().len();
        world.gateway.signal("HUP");
        let refused = |line: &serde_json::Value| says(line, "reload refused");
        let line = world.gateway.log.wait_behind(seen, "it is refused", refused).await;
        assert!(line["message"].as_str().unwrap().contains(expected), "{line}");
        let answer = world.send(read(&world, &Uuid::new_v4().to_string())).await;
        assert_eq!(answer.status, 200, "{name}");
        fs::write(used.join(name), good).unwrap();
    }
    world.gateway.signal("HUP");
    world.gateway.log.wait_for("all is well", |line| says(line, "configuration reloaded")).await;
    soon("three refusals are on record", async || {
        let journal = journal::Journal::read(&folder);
        journal.of("reload_refused").count() == 3 && journal.of("keys").count() == 0
    })
    .await;
}
