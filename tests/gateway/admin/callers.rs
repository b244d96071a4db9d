//! Who may call, and who is turned away.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use gpconnect_gateway::snapshot::{Roles, make_token};
use serde_json::json;
use tempfile::TempDir;

use super::description;
use super::office::{address, ask, call, fault, order, own_uid, send, socket};
use super::{calls, journal};
use crate::audit::journal::Journal;
use crate::harness::{Answer, Call, Connection, World};
use crate::tls::quoted;

/// The socket is for its owner; what a browser would send for a page is refused, and so is what is no
/// call. gp-connect 12.
#[tokio::test]
async fn no_page_and_no_stranger_is_let_in() {
    let mut world = World::start(|_| {}).await;
    assert_eq!(fs::symlink_metadata(socket(&world)).unwrap().mode() & 0o777, 0o600);
    let reload = || order("POST", "/v1/reload", &json!({}));
    let without = |name: &str| {
        let mut call = reload();
        call.headers.retain(|(header, _)| header != name);
        call
    };
    let turned_away = [
        ("no host", 421, "host_not_served", without("Host")),
        ("rebound", 421, "host_not_served", reload().with("Host", "evil.example")),
        ("origin", 403, "cross_site", reload().with("Origin", "https://evil.example")),
        ("a page of its own", 403, "cross_site", reload().with("Sec-Fetch-Site", "same-origin")),
        ("cookie", 400, "cookie_sent", reload().with("Cookie", "a=b")),
    ];
    let on_record = [
        ("a form", 415, "no_json", reload().with("Content-Type", "text/plain")),
        ("no type", 415, "no_json", without("Content-Type")),
        ("another path", 404, "path_unknown", order("POST", "/v1/9000000009", &json!({}))),
        ("another method", 405, "method_not_allowed", call("GET", "/v1/reload")),
        ("no JSON", 400, "body_invalid", Call { body: vec!["{".into()], ..reload() }),
        ("unknown", 400, "body_invalid", order("POST", "/v1/reload", &json!({"x": 1}))),
    ];
    for (name, status, word, call) in turned_away.iter().chain(&on_record).cloned() {
        let answer = ask(&world, call).await;
        assert_eq!((answer.status, &*fault(&answer)), (status, word), "{name}");
    }
    let method = ask(&world, call("GET", "/v1/reload")).await;
    assert_eq!(method.header("Allow"), "POST");

    let journal = journal(&mut world).await;
    let refused: Vec<_> = journal.of("refusal").map(|record| record["fault"].clone()).collect();
    assert_eq!(refused, turned_away.map(|(_, _, word, _)| json!(word)));
    let mut words: Vec<_> = on_record.iter().map(|(_, _, word, _)| json!(word)).collect();
    words.push(json!("method_not_allowed"));
    let told: Vec<_> = calls(&journal).iter().map(|told| told[3].clone()).collect();
    assert_eq!(told, words);
    let text = format!("{:?}{:?}", journal.records, world.gateway.log.lines());
    assert!(!text.contains("9000000009") && !text.contains("evil"), "what was sent stays out");
}

/// A process of another user is told no, whatever the socket's mode, and that it came is on record.
#[tokio::test]
async fn a_process_of_another_user_is_refused() {
    let folder = TempDir::with_prefix("gpconnect-socket-").unwrap();
    let path = folder.path().join("admin.sock");
    let settings = format!("[admin]\nsocket = {}\nsocket_uids = [\"4294967294\"]\n", quoted(&path));
    let mut world = World::start(|plan| plan.settings = settings).await;
    for target in ["/v1/status", "/v1/reload"] {
        let answer = send(&path, call("GET", target)).await;
        assert_eq!((answer.status, &*fault(&answer)), (403, "user_not_allowed"));
    }
    assert_eq!(ask(&world, call("GET", "/v1/status")).await.status, 200, "the other socket");
    let journal = journal(&mut world).await;
    let own = own_uid(&world);
    let refused: Vec<_> = journal.of("refusal").collect();
    assert_eq!(refused.len(), 2);
    for record in refused {
        assert_eq!((&record["principal"], &record["status"]), (&json!(own), &json!(403)));
    }
    assert!(!path.exists(), "it goes with its gateway");
}

/// A gateway with the API at an address, for holders of tokens.
pub(super) struct Desk {
    pub(super) world: World,
    pub(super) address: SocketAddr,
    /// The file of tokens.
    path: PathBuf,
    _folder: TempDir,
}

impl Desk {
    pub(super) async fn start(lines: &[&str]) -> Self {
        let folder = TempDir::with_prefix("gpconnect-tokens-").unwrap();
        let path = folder.path().join("tokens.txt");
        write(&path, lines);
        let settings = format!(
            "[admin]\naddress = \"127.0.0.1:0\"\nserver_names = [\"admin.example\"]\ntokens = {}\n",
            quoted(&path)
        );
        let world = World::start(|plan| plan.settings = settings).await;
        let address = address(&world).await;
        Self { world, address, path, _folder: folder }
    }

    pub(super) async fn ask(&self, call: Call, token: &str) -> Answer {
        let call = call.with("Host", "admin.example");
        let bearer = format!("Bearer {token}");
        let call = if token.is_empty() { call } else { call.with("Authorization", &bearer) };
        self.send(call).await
    }

    async fn send(&self, call: Call) -> Answer {
        let answer = Connection::open(self.address).await.send(call.clone()).await;
        description::holds(&call, &answer);
        answer
    }
}

fn write(path: &Path, lines: &[&str]) {
    fs::write(path, lines.join("\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A token and its line.
pub(super) fn make(name: &str, roles: &str) -> (String, String) {
    make_token(&name.parse().unwrap(), Roles::read(roles).unwrap()).unwrap()
}

/// How many refusals of a kind were counted.
fn counted(journal: &Journal, word: &str) -> u64 {
    let of = journal.of("refusals").filter(|record| record["fault"] == word);
    of.map(|record| record["count"].as_u64().unwrap()).sum()
}

/// At an address a token says who calls and what for; no token is written anywhere.
#[tokio::test]
async fn tokens_say_who_calls_in_which_role() {
    let ((reader, first), (operator, second)) = (make("wall", "read"), make("desk", "operate"));
    let (auditor, third) = make("audit-team", "audit");
    let mut desk = Desk::start(&[&first, &second, &third]).await;
    let status = || call("GET", "/v1/status");
    let reload = || order("POST", "/v1/reload", &json!({}));
    let purge = || order("POST", "/v1/cache/purge", &json!({"all": true}));
    let search = || order("POST", "/v1/audit/searches", &json!({}));
    let guess = format!("gpcg_{}", "A".repeat(43));
    for (name, call, token, expected, word) in [
        ("nobody", status(), "", 401, "token_refused"),
        ("a guess", status(), &*guess, 401, "token_refused"),
        ("reads", status(), &reader, 200, ""),
        ("reads, orders", reload(), &reader, 403, "role_missing"),
        ("reads, purges", purge(), &reader, 403, "role_missing"),
        ("reads, searches", search(), &reader, 403, "role_missing"),
        ("operates", reload(), &operator, 200, ""),
        ("operates, purges", purge(), &operator, 200, ""),
        ("operates, reads", status(), &operator, 200, ""),
        ("operates, searches", search(), &operator, 403, "role_missing"),
        ("audits", search(), &auditor, 201, ""),
        ("audits, purges", purge(), &auditor, 403, "role_missing"),
        ("audits, reads", status(), &auditor, 403, "role_missing"),
    ] {
        let answer = desk.ask(call, token).await;
        assert_eq!((answer.status, &*fault(&answer)), (expected, word), "{name}");
        assert_eq!(answer.header("WWW-Authenticate").is_empty(), expected != 401, "{name}");
    }
    let journal = journal(&mut desk.world).await;
    let of = |name: &str| journal.of("admin").filter(|it| it["principal"] == name).count();
    assert_eq!((of("token:wall"), of("token:desk"), of("token:audit-team")), (4, 6, 3));
    assert_eq!(journal.only("search")["client"], "127.0.0.1");
    assert_eq!(counted(&journal, "token_refused"), 2);
    let text = format!("{:?}{:?}", journal.records, desk.world.gateway.log.lines());
    for token in [reader, operator, auditor] {
        assert!(!text.contains(token.strip_prefix("gpcg_").unwrap()), "{text}");
    }
}

/// A name that was made to point here is not served, and who is taken out of the file is out.
#[tokio::test]
async fn a_token_is_good_under_the_right_name_until_it_is_taken_out() {
    let ((reader, first), (operator, second)) = (make("wall", "read"), make("desk", "operate"));
    let mut desk = Desk::start(&[&first, &second]).await;
    let status = || call("GET", "/v1/status");
    let rebound = status().with("Authorization", &format!("Bearer {reader}"));
    let answer = Connection::open(desk.address).await.send(rebound).await;
    assert_eq!((answer.status, &*fault(&answer)), (421, "host_not_served"));
    assert_eq!(desk.ask(status(), &reader).await.status, 200);
    write(&desk.path, &[&second]);
    let reload = order("POST", "/v1/reload", &json!({}));
    assert_eq!(desk.ask(reload, &operator).await.status, 200);
    assert_eq!(desk.ask(status(), &reader).await.status, 401);
    let journal = journal(&mut desk.world).await;
    let turned_away = ["host_not_served", "token_refused"].map(|word| counted(&journal, word));
    assert_eq!(turned_away, [1, 1]);
}

/// A page that somebody was led to reaches nothing, even if it knew a token, and whatever name it has
/// made point here. gp-connect 12.
#[tokio::test]
async fn no_page_gives_orders_with_a_token() {
    let ((operator, first), (reader, second)) = (make("desk", "operate"), make("wall", "read"));
    let mut desk = Desk::start(&[&first, &second]).await;
    let bearer = format!("Bearer {operator}");
    let good = |path: &str, body: &serde_json::Value| {
        order("POST", path, body).with("Host", "admin.example").with("Authorization", &bearer)
    };
    let orders = [good("/v1/reload", &json!({})), good("/v1/cache/purge", &json!({"all": true}))];
    let address = desk.address.to_string();
    let names = ["evil.example", "admin.example.evil.example", "evil.admin.example", "", &*address];
    let rebound = names.map(|host| (421, "host_not_served", "Host", host));
    let of_page = [
        (403, "cross_site", "Origin", "https://evil.example"),
        (403, "cross_site", "Origin", "http://admin.example"),
        (403, "cross_site", "Origin", "null"),
        (403, "cross_site", "Referer", "https://evil.example/page"),
        (403, "cross_site", "Sec-Fetch-Site", "cross-site"),
        (403, "cross_site", "Sec-Fetch-Site", "same-origin"),
        (400, "cookie_sent", "Cookie", "session=1"),
        (401, "token_refused", "Authorization", "Basic YTpi"),
        (415, "no_json", "Content-Type", "application/x-www-form-urlencoded"),
        (415, "no_json", "Content-Type", "multipart/form-data; boundary=x"),
        (415, "no_json", "Content-Type", "text/plain"),
        (415, "no_json", "Content-Type", "application/json, text/plain"),
        (415, "no_json", "Content-Encoding", "gzip"),
    ];
    for (status, word, name, value) in rebound.into_iter().chain(of_page) {
        for order in &orders {
            let answer = desk.send(order.clone().with(name, value)).await;
            assert_eq!((answer.status, &*fault(&answer)), (status, word), "{name}: {value}");
            assert!(answer.header("Access-Control-Allow-Origin").is_empty(), "{answer:?}");
        }
    }
    // A browser asks first whether it may; two hosts are two readings.
    let asks_first = Call { verb: "OPTIONS".into(), ..orders[0].clone() };
    let asks_first = asks_first.with("Origin", "https://evil.example");
    let two_hosts = orders[0].clone().and("Host", "evil.example");
    let elsewhere = Call { target: "http://evil.example/v1/reload".into(), ..orders[0].clone() };
    for (name, call, status, word) in [
        ("asks first", asks_first, 403, "cross_site"),
        ("two hosts", two_hosts, 421, "host_not_served"),
        ("a target elsewhere", elsewhere, 421, "host_not_served"),
    ] {
        let answer = Connection::open(desk.address).await.send(call).await;
        assert_eq!((answer.status, &*fault(&answer)), (status, word), "{name}");
    }
    for order in orders {
        assert_eq!(desk.ask(order, &reader).await.status, 403, "a role is not enough");
    }
    let status = desk.ask(call("GET", "/v1/status"), &reader).await.json();
    assert_eq!(status["generation"], 1, "nothing was reloaded");
    let journal = journal(&mut desk.world).await;
    assert_eq!(journal.of("reload").count(), 0);
    let followed = journal.of("admin").filter(|record| record["status"] == 200);
    assert_eq!(followed.count(), 1, "the look at the status");
    let turned_away = ["host_not_served", "cross_site", "cookie_sent", "token_refused"];
    assert_eq!(turned_away.map(|word| counted(&journal, word)), [12, 13, 2, 2]);
}
