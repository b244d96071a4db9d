//! A provider that does exactly what a test tells it to, right or wrong, and notes what arrives.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// One thing that it does in place of a good answer.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends a good answer that names the request it belongs to.
    Good,
    /// Sends these bytes over and over, with a pause behind each time.
    Forever(Vec<u8>, Duration),
    /// Sends them one by one, with a pause behind each.
    Drip(Vec<u8>, Duration),
    /// Says nothing more, and keeps the connection.
    Hang,
    /// Waits until the test says [`Scripted::go_on`].
    Wait,
    /// Closes the connection in order.
    Close,
    /// Resets the connection.
    Reset,
}

impl Step {
    pub(crate) fn send(text: impl AsRef<[u8]>) -> Self {
        Self::Send(text.as_ref().to_vec())
    }
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    /// Over which connection, counted from zero.
    pub(crate) connection: usize,
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Arrived {
    /// The value of a header; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(there, _)| there.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

/// The provider at work; its connections end with it.
pub(crate) struct Scripted {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    arrived: Mutex<Vec<Arrived>>,
    scripts: Mutex<VecDeque<Vec<Step>>>,
    /// How many connections have ended so far.
    ended: watch::Sender<usize>,
    /// How often it was told to go on.
    going_on: watch::Sender<usize>,
    count: watch::Sender<usize>,
}

impl Scripted {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            arrived: Mutex::default(),
            scripts: Mutex::default(),
            ended: watch::Sender::new(0),
            going_on: watch::Sender::new(0),
            count: watch::Sender::new(0),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&accepting);
                tokio::spawn(async move {
                    shared.serve(stream, connection).await;
                    shared.ended.send_modify(|ended| *ended += 1);
                });
            }
        });
        Self { address, shared }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it does when the next request has arrived that has no script yet. Without one a
    /// request gets a good answer.
    pub(crate) fn will(&self, steps: impl IntoIterator<Item = Step>) {
        self.shared.scripts.lock().unwrap().push_back(steps.into_iter().collect());
    }

    /// What it was told to do, and has not begun.
    pub(crate) fn forget(&self) {
        self.shared.scripts.lock().unwrap().clear();
    }

    /// Everything that has arrived since this was last asked.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        std::mem::take(&mut *self.shared.arrived.lock().unwrap())
    }

    /// Lets a script that waits go on.
    pub(crate) fn go_on(&self) {
        self.shared.going_on.send_modify(|times| *times += 1);
    }

    /// Waits until that many requests have arrived since the start.
    pub(crate) async fn has_seen(&self, requests: usize) {
        let mut count = self.shared.count.subscribe();
        let seen = count.wait_for(|count| *count >= requests);
        tokio::time::timeout(crate::harness::DEADLINE, seen).await.expect("a request").unwrap();
    }

    /// Waits until that many connections have ended since the start.
    pub(crate) async fn has_ended(&self, connections: usize) {
        let mut ended = self.shared.ended.subscribe();
        let seen = ended.wait_for(|ended| *ended >= connections);
        tokio::time::timeout(crate::harness::DEADLINE, seen).await.expect("an end").unwrap();
    }
}

impl Shared {
    /// Answers requests until the connection ends.
    async fn serve(&self, mut stream: TcpStream, connection: usize) {
        let mut unread = Vec::new();
        while let Some((head, body)) = request(&mut stream, &mut unread).await {
            let arrived = Arrived { connection, head, body };
            let script = self.scripts.lock().unwrap().pop_front();
            let script = script.unwrap_or_else(|| vec![Step::Good]);
            let good = good(&arrived);
            self.arrived.lock().unwrap().push(arrived);
            self.count.send_modify(|count| *count += 1);
            for step in script {
                let step = if matches!(step, Step::Good) { Step::Send(good.clone()) } else { step };
                if !self.take(&mut stream, step).await {
                    return;
                }
            }
        }
    }

    /// False when the connection has ended.
    async fn take(&self, stream: &mut TcpStream, step: Step) -> bool {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes).await.is_ok(),
            Step::Forever(bytes, every) => {
                while stream.write_all(&bytes).await.is_ok() {
                    sleep(every).await;
                }
                false
            }
            Step::Drip(bytes, every) => {
                for byte in bytes {
                    if stream.write_all(&[byte]).await.is_err() {
                        return false;
                    }
                    sleep(every).await;
                }
                true
            }
            Step::Good => true,
            Step::Hang => {
                // Until the other side closes, or the test ends.
                while stream.read(&mut [0; 1_024]).await.is_ok_and(|read| read > 0) {}
                false
            }
            Step::Wait => {
                let mut going_on = self.going_on.subscribe();
                going_on.changed().await.is_ok()
            }
            Step::Close => {
                stream.shutdown().await.ok();
                false
            }
            Step::Reset => {
                stream.set_zero_linger().ok();
                false
            }
        }
    }
}

/// An answer whose resource has the trace id of its request.
fn good(arrived: &Arrived) -> Vec<u8> {
    let body =
        format!("{{\"resourceType\":\"Patient\",\"id\":\"{}\"}}", arrived.header("Ssp-TraceID"));
    answer(&body)
}

/// A good answer with that body.
pub(crate) fn answer(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json;charset=utf-8\r\n\
         Cache-Control: no-store\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The next request on a connection: its head without the last line, and its body.
async fn request(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let end = loop {
        if let Some(end) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        more(stream, unread).await?;
    };
    let head: Vec<u8> = unread.drain(..end + 4).collect();
    let head = String::from_utf8(head).unwrap().trim_end().to_owned();
    let arrived = Arrived { connection: 0, head, body: Vec::new() };
    let body = if arrived.header("Transfer-Encoding") == "chunked" {
        chunks(stream, unread).await?
    } else {
        let length: usize = arrived.header("Content-Length").parse().unwrap_or(0);
        while unread.len() < length {
            more(stream, unread).await?;
        }
        unread.drain(..length).collect()
    };
    Some((arrived.head, body))
}

async fn chunks(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = unread.windows(2).position(|window| window == b"\r\n") {
                break end;
            }
            more(stream, unread).await?;
        };
        let line: Vec<u8> = unread.drain(..end + 2).collect();
        let length = std::str::from_utf8(&line).ok()?.trim_end();
        let length = usize::from_str_radix(length, 16).ok()?;
        while unread.len() < length + 2 {
            more(stream, unread).await?;
        }
        body.extend(unread.drain(..length));
        unread.drain(..2);
        if length == 0 {
            return Some(body);
        }
    }
}

async fn more(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 16 * 1024];
    let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
    unread.extend_from_slice(&buffer[..read]);
    Some(())
}
