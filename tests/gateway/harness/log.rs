//! The lines that a gateway has written, and waiting for one.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::thread;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use super::DEADLINE;

/// All lines so far: JSON objects from standard output; anything else stands here as a string.
#[derive(Clone)]
pub(crate) struct Log(Arc<watch::Sender<Vec<Value>>>);

impl Log {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Vec::new())))
    }

    /// Reads a stream to its end, on a thread of its own.
    pub(crate) fn read(&self, stream: impl Read + Send + 'static) {
        let log = Arc::clone(&self.0);
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                log.send_modify(|lines| lines.push(line));
            }
        });
    }

    /// The lines so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.0.borrow().clone()
    }

    /// The first line that is meant, as soon as it is there. `what` is for the failure's text.
    pub(crate) async fn wait_for(&self, what: &str, meant: impl Fn(&Value) -> bool) -> Value {
        self.wait_behind(0, what, meant).await
    }

    /// The first such line after that many others.
    pub(crate) async fn wait_behind(
        &self,
        skipped: usize,
        what: &str,
        meant: impl Fn(&Value) -> bool,
    ) -> Value {
        let found = |lines: &[Value]| lines.iter().skip(skipped).find(|line| meant(line)).cloned();
        let lines = self.wait_until(what, |lines| found(lines).is_some()).await;
        found(&lines).expect("it was there")
    }

    /// All lines, as soon as they are enough.
    pub(crate) async fn wait_until(
        &self,
        what: &str,
        enough: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let mut lines = self.0.subscribe();
        let there = timeout(DEADLINE, lines.wait_for(|lines| enough(lines))).await;
        let there = there.ok().and_then(Result::ok).map(|lines| lines.clone());
        there.unwrap_or_else(|| panic!("no log line: {what}; the log is {:#?}", self.lines()))
    }
}

/// Whether a line's message begins so.
pub(crate) fn says(line: &Value, message: &str) -> bool {
    line["message"].as_str().is_some_and(|text| text.starts_with(message))
}
