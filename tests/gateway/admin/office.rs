//! The admin API as a caller sees it: at a socket, or at an address.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::UnixStream;

use super::description;
use crate::harness::log::says;
use crate::harness::{Answer, Call, Connection, Mode, World};

/// The socket of the gateway's own user.
pub(crate) fn socket(world: &World) -> PathBuf {
    sockets(world).pop().expect("a socket")
}

/// Those of all gateways that share the folder.
pub(crate) fn sockets(world: &World) -> Vec<PathBuf> {
    let found = std::fs::read_dir(world.gateway.folder().join("state")).unwrap();
    let found = found.map(|entry| entry.unwrap().path());
    found.filter(|path| path.extension().is_some_and(|it| it == "sock")).collect()
}

/// The address of the API.
pub(crate) async fn address(world: &World) -> std::net::SocketAddr {
    let is_address = |line: &Value| {
        says(line, "admin API")
            && line["address"].as_str().unwrap().parse::<std::net::SocketAddr>().is_ok()
    };
    let line = world.gateway.log.wait_for("the address of the admin API", is_address).await;
    line["address"].as_str().unwrap().parse().unwrap()
}

/// Who we are to it.
pub(crate) fn own_uid(world: &World) -> String {
    format!("uid:{}", std::fs::metadata(world.gateway.folder()).unwrap().uid())
}

/// A call that is right until a test changes it.
pub(crate) fn call(verb: &str, target: &str) -> Call {
    Call {
        mode: Mode::Assist,
        verb: verb.into(),
        target: target.into(),
        headers: vec![("Host".into(), "localhost".into())],
        body: Vec::new(),
    }
}

/// A call with a body.
pub(crate) fn order(verb: &str, target: &str, body: &Value) -> Call {
    let call = call(verb, target).with("Content-Type", "application/json");
    Call { body: vec![body.to_string().into()], ..call }
}

/// A switch as `POST /v1/switches` takes it.
pub(crate) fn off(what: &Value, seconds: i64) -> Call {
    let until = Timestamp::now() + SignedDuration::from_secs(seconds);
    let body = json!({
        "off": what, "reason": "supplier's outage", "owner": "duty desk", "until": until.to_string(),
    });
    order("POST", "/v1/switches", &body)
}

/// The end of the switch with this id.
pub(crate) fn on(id: &Value) -> Call {
    let path = format!("/v1/switches/{}/on", id.as_str().unwrap());
    order("POST", &path, &json!({"reason": "outage is over"}))
}

/// Sends it to a socket.
pub(crate) async fn send(path: &Path, call: Call) -> Answer {
    let mut connection = Connection::over(UnixStream::connect(path).await.unwrap()).await;
    let answer = connection.send(call.clone()).await;
    description::holds(&call, &answer);
    answer
}

/// Sends it to the socket of the gateway's own user.
pub(crate) async fn ask(world: &World, call: Call) -> Answer {
    send(&socket(world), call).await
}

/// What was wrong with a call, after a look at the rest of the answer.
pub(crate) fn fault(answer: &Answer) -> String {
    assert_eq!(answer.header("Cache-Control"), "no-store");
    if answer.status < 300 {
        assert_eq!(answer.header("Content-Type"), "application/json");
        return String::new();
    }
    assert_eq!(answer.header("Content-Type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], json!(answer.status));
    for member in ["title", "detail"] {
        assert!(!problem[member].as_str().unwrap().is_empty(), "{problem}");
    }
    problem["fault"].as_str().unwrap().to_owned()
}
