//! Calls the admin API of a gateway at work on this machine, found by what its
//! journal's folder says.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};

use crate::audit::signpost;

/// How long an answer is waited for: a reload reads thousands of practices.
const PATIENCE: Duration = Duration::from_secs(150);
/// The longest answer: ten thousand practices are a few megabytes.
const MOST: u64 = 64 << 20;

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// What the gateway says was wrong.
    pub(crate) fn detail(&self) -> String {
        let text = self.body.get("detail").and_then(Value::as_str);
        text.map_or_else(|| format!("status {}", self.status), str::to_owned)
    }
}

/// Calls the gateway at work on the journal in `folder`: the one that began last, if there are two.
/// None when there is no gateway.
///
/// # Errors
/// What is in the way, for people.
pub(crate) fn call(
    folder: &Path,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Option<Answer>, String> {
    let name = folder.display();
    let sockets = signpost::sockets(folder).map_err(|fault| format!("{name}: {fault}"))?;
    for socket in sockets {
        let fault = |fault| format!("{}: {fault}", socket.display());
        match UnixStream::connect(&socket) {
            Ok(stream) => return ask(stream, method, path, body).map(Some).map_err(fault),
            // One that a gateway left behind, or that went in this moment.
            Err(fault)
                if matches!(
                    fault.kind(),
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
                ) => {}
            Err(why) => return Err(fault(why)),
        }
    }
    Ok(None)
}

fn ask(
    mut stream: UnixStream,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> io::Result<Answer> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    if let Some(body) = body {
        let body = body.to_string();
        let length = body.len();
        text.push_str(&format!(
            "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
    } else {
        text.push_str("\r\n");
    }
    stream.write_all(text.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let whole = text.split_once("\r\n\r\n").and_then(|(head, body)| {
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, body: serde_json::from_str(body).ok()? })
    });
    whole.ok_or_else(|| io::Error::other("the answer broke off; was the gateway stopped?"))
}

/// The members of an object that are there.
pub(crate) fn members<const N: usize>(all: [(&str, Option<String>); N]) -> Value {
    let there = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    Value::Object(there.collect())
}
