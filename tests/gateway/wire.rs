//! A connection on which a test decides every byte, and answers read as they were framed.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::harness::{Call, DEADLINE};

/// An answer, byte for byte.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// What stands behind it.
    pub(crate) phrase: String,
    /// Names in lower case, in their order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Every value of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let same = self.headers.iter().filter(|(there, _)| there.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header that stands there at most once; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} stands {} times in {:?}", all.len(), self.headers);
        all.first().copied().unwrap_or_default()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Null for what is no JSON.
    pub(crate) fn json_or_null(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        let read = serde_json::from_slice(&self.body);
        read.unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// How an answer was cut short, when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The connection ended before a head was whole.
    InHead,
    /// The connection ended before the body was.
    InBody,
}

/// A connection to the gateway, whatever it runs over.
pub(crate) struct Wire<S = TcpStream> {
    stream: S,
    unread: Vec<u8>,
}

impl Wire {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    /// Writes piece by piece with a pause behind each, until all is written or `Self` has been
    /// closed by the other side.
    pub(crate) async fn drip(&mut self, bytes: &[u8], every: Duration) {
        for byte in bytes {
            if self.stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            let answered = timeout(every, self.stream.readable()).await;
            if answered.is_ok() {
                return;
            }
            sleep(Duration::ZERO).await;
        }
    }

    /// Closes the sending side once an answer begins or the other side closes, and takes whatever
    /// comes; of status 0 when that is no answer.
    pub(crate) async fn finish_soon(&mut self) -> Reply {
        let begun = timeout(DEADLINE, self.stream.readable()).await;
        begun.expect("an answer or an end").ok();
        self.finish().await;
        let (reply, _) = self.read_any("GET").await;
        self.unread.clear();
        reply
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) const fn over(stream: S) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// Writes; a gateway that has closed already takes no more, which is no fault of it.
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        timeout(DEADLINE, self.stream.write_all(bytes.as_ref())).await.expect("room").ok();
    }

    /// Closes the sending side.
    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.ok();
    }

    /// Reads one whole answer, 1xx ones passed over.
    pub(crate) async fn read(&mut self, verb: &str) -> Reply {
        let (reply, cut) = self.read_any(verb).await;
        assert_eq!(cut, None, "{reply:?}");
        reply
    }

    /// Reads the head of an interim answer, and gives back its status.
    pub(crate) async fn interim(&mut self) -> u16 {
        let head = timeout(DEADLINE, self.read_head()).await.expect("an answer in time");
        head.expect("a head").status
    }

    /// Reads one answer, whole or cut.
    pub(crate) async fn read_any(&mut self, verb: &str) -> (Reply, Option<Cut>) {
        // Bytes may come for ever without being an answer.
        timeout(DEADLINE, self.read_final(verb)).await.expect("an answer in time")
    }

    async fn read_final(&mut self, verb: &str) -> (Reply, Option<Cut>) {
        loop {
            let Some(mut reply) = self.read_head().await else {
                return (Reply::default(), Some(Cut::InHead));
            };
            if reply.status < 200 {
                continue;
            }
            let whole = self.read_body(&mut reply, verb).await;
            return (reply, (!whole).then_some(Cut::InBody));
        }
    }

    /// Sends a call and reads its answer.
    pub(crate) async fn exchange(&mut self, call: &Call) -> Reply {
        self.write(bytes(call)).await;
        self.read(&call.verb).await
    }

    /// What still comes until the gateway closes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.unread)
    }

    async fn read_head(&mut self) -> Option<Reply> {
        let end = loop {
            if let Some(place) = find(&self.unread, b"\r\n\r\n") {
                break place;
            }
            if !self.more().await {
                return None;
            }
        };
        let head: Vec<u8> = self.unread.drain(..end + 4).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let mut line = lines.next().unwrap().splitn(3, ' ').skip(1);
        let status = line.next().unwrap().parse().unwrap();
        let phrase = line.next().unwrap_or_default().to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Some(Reply { status, phrase, headers: lines.map(header).collect(), body: Vec::new() })
    }

    async fn read_body(&mut self, reply: &mut Reply, verb: &str) -> bool {
        if verb == "HEAD" || matches!(reply.status, 204 | 304) {
            return true;
        }
        let length = reply.header("content-length").parse().ok();
        if reply.header("transfer-encoding") == "chunked" {
            assert_eq!(length, None, "an answer framed in two ways: {reply:?}");
            return self.read_chunks(&mut reply.body).await;
        }
        match length {
            Some(length) => self.take(length, &mut reply.body).await,
            None => {
                // Framed by the end of the connection: whole as far as anybody can tell.
                while self.more().await {}
                reply.body = std::mem::take(&mut self.unread);
                true
            }
        }
    }

    async fn read_chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let Some(line) = self.line().await else { return false };
            let length = usize::from_str_radix(&line, 16).unwrap();
            if !self.take(length, body).await || self.line().await.as_deref() != Some("") {
                return false;
            }
            if length == 0 {
                return true;
            }
        }
    }

    async fn line(&mut self) -> Option<String> {
        let end = loop {
            if let Some(place) = find(&self.unread, b"\r\n") {
                break place;
            }
            if !self.more().await {
                return None;
            }
        };
        let line = self.unread.drain(..end + 2).collect();
        Some(String::from_utf8(line).unwrap().trim_end().to_owned())
    }

    /// Moves that many bytes into the body; false when the connection ends before.
    async fn take(&mut self, length: usize, body: &mut Vec<u8>) -> bool {
        while self.unread.len() < length {
            if !self.more().await {
                body.append(&mut self.unread);
                return false;
            }
        }
        body.extend(self.unread.drain(..length));
        true
    }

    /// Reads some bytes; false at the end, which may be a reset.
    async fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let read = timeout(DEADLINE, self.stream.read(&mut buffer)).await;
        let read = read.unwrap_or_else(|_| panic!("nothing came and the connection stayed open"));
        let length = read.unwrap_or(0);
        self.unread.extend_from_slice(&buffer[..length]);
        length > 0
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// A call as it goes over the wire, with the framing that its body needs.
pub(crate) fn bytes(call: &Call) -> Vec<u8> {
    let mut wire = head(call);
    match call.body.as_slice() {
        [] => wire.extend(b"\r\n"),
        [body] => {
            if call.header("Content-Length").is_none() {
                wire.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
            }
            wire.extend(b"\r\n");
            wire.extend(body);
        }
        chunks => {
            wire.extend(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in chunks {
                wire.extend(format!("{:x}\r\n", chunk.len()).bytes());
                wire.extend(chunk);
                wire.extend(b"\r\n");
            }
            wire.extend(b"0\r\n\r\n");
        }
    }
    wire
}

/// Its request line and headers, without the empty line behind them.
pub(crate) fn head(call: &Call) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", call.verb, call.target).into_bytes();
    for (name, value) in &call.headers {
        head.extend(format!("{name}: {value}\r\n").bytes());
    }
    head
}
