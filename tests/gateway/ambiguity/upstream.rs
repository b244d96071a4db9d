//! A provider that takes a request in one reading only, keeps its connections, and notes every byte
//! that reaches it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::harness::{Call, HOST};
use crate::scripted;

/// What arrived, in its order over all connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// A canonical request.
    Request(Request),
    /// Bytes that are none, and why.
    Other(&'static str, String),
    /// A connection.
    Connection,
}

/// A request in the one form that is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) line: String,
    /// Names in lower case, sorted.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The one form in which a call may arrive that came in under this scheme: an ODS form's, at
    /// the host of this provider.
    pub(crate) fn canonical(call: &Call, provider: &str, scheme: &str) -> Self {
        let body: Vec<u8> = call.body.concat();
        let client = "127.0.0.1";
        let forwarded = format!("by=_gpconnect-gateway;for={client};host={HOST};proto={scheme}");
        let call = call.clone().with("Host", provider).with("Forwarded", &forwarded);
        let call = call.and("Via", "1.1 gpconnect-gateway");
        let lower = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
        let mut headers: Vec<_> = call.headers.into_iter().map(lower).collect();
        if !body.is_empty() {
            headers.push(("content-length".into(), body.len().to_string()));
        }
        headers.sort();
        Self { line: format!("{} {} HTTP/1.1", call.verb, call.target), headers, body }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(there, _)| there == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The provider at work; it ends with this handle.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    accepting: JoinHandle<()>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let arrived = Arc::new(Mutex::default());
        let notes = Arc::clone(&arrived);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(stream, Arc::clone(&notes)));
            }
        });
        Self { address, arrived, accepting }
    }

    /// Everything that has arrived since this was last asked.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        std::mem::take(&mut *self.arrived.lock().unwrap())
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, notes: Arc<Mutex<Vec<Arrived>>>) {
    let note = |arrived| notes.lock().unwrap().push(arrived);
    note(Arrived::Connection);
    let mut unread = Vec::new();
    loop {
        match read(&unread) {
            Read::Whole(request, length) => {
                unread.drain(..length);
                let trace_id = request.header("ssp-traceid").unwrap_or_default();
                let answer = scripted::answer(&format!("{{\"id\":\"{trace_id}\"}}"));
                note(Arrived::Request(request));
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
            }
            Read::Wrong(why) => {
                note(Arrived::Other(why, unread.escape_ascii().to_string()));
                return;
            }
            Read::Partial => {
                if stream.read_buf(&mut unread).await.unwrap_or(0) == 0 {
                    if !unread.is_empty() {
                        note(Arrived::Other("it ends early", unread.escape_ascii().to_string()));
                    }
                    return;
                }
            }
        }
    }
}

enum Read {
    Whole(Request, usize),
    Partial,
    Wrong(&'static str),
}

/// Reads one request from the front of these bytes. It can be read in one way or not at all.
fn read(bytes: &[u8]) -> Read {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Read::Partial;
    };
    let Ok(head) = std::str::from_utf8(&bytes[..end]) else {
        return Read::Wrong("its head is not UTF-8");
    };
    match head_of(head) {
        Err(why) => Read::Wrong(why),
        Ok((mut request, length)) => match bytes.get(end + 4..end + 4 + length) {
            None => Read::Partial,
            Some(body) => {
                request.body = body.to_vec();
                Read::Whole(request, end + 4 + length)
            }
        },
    }
}

/// The head, and the length of the body.
fn head_of(head: &str) -> Result<(Request, usize), &'static str> {
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let parts: Vec<&str> = line.split(' ').collect();
    if !matches!(parts.as_slice(), ["GET" | "POST" | "PUT", target, "HTTP/1.1"] if target.starts_with('/'))
    {
        return Err("its first line is odd");
    }
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or("a header line without \": \"")?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err("an odd header name");
        }
        if value.trim() != value || value.chars().any(char::is_control) {
            return Err("an odd header value");
        }
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    headers.sort();
    let names: BTreeSet<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    if names.len() != headers.len() {
        return Err("a header that is repeated");
    }
    if names.contains("transfer-encoding") || names.contains("connection") {
        return Err("a header that belongs to another connection");
    }
    let request = Request { line, headers, body: Vec::new() };
    if request.header("host").is_none() {
        return Err("no Host");
    }
    let length = match request.header("content-length") {
        None => 0,
        Some(digits) if digits == "0" || !digits.starts_with('0') => {
            digits.parse().or(Err("an odd length"))?
        }
        Some(_) => return Err("an odd length"),
    };
    Ok((request, length))
}
