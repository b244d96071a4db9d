//! Where log lines go: a bounded queue without locks, emptied by a thread of its own, so that a
//! slow terminal or disk never holds up a request. When it is full, lines are dropped and counted.

use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam_queue::ArrayQueue;

use super::logfmt;

/// Lines that may wait: some 30 MB.
const CAPACITY: usize = 65_536;
/// How long the thread rests when nothing waits. Waking it for each line would cost the request
/// path a system call a line.
const REST: Duration = Duration::from_millis(10);
/// Lines are written together up to this size.
const BATCH_BYTES: usize = 256 * 1024;

/// The writing end; clones share one queue.
#[derive(Clone)]
pub struct LogSink {
    shared: Arc<Shared>,
}

struct Shared {
    lines: ArrayQueue<Vec<u8>>,
    closing: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for LogSink {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "LogSink({} lines waiting)", self.shared.lines.len())
    }
}

impl LogSink {
    /// Starts the thread that writes to `output`.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            lines: ArrayQueue::new(CAPACITY),
            closing: AtomicBool::new(false),
            thread: Mutex::new(None),
        });
        let sink = Self { shared };
        let work = Arc::clone(&sink.shared);
        let handle = thread::Builder::new().name("log".into()).spawn(move || work.run(output))?;
        *sink.shared.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        Ok(sink)
    }

    /// Queues one line, which ends in a line end; false when the queue is full.
    pub fn write(&self, line: Vec<u8>) -> bool {
        self.shared.lines.push(line).is_ok()
    }

    /// Writes what waits and ends the thread.
    pub fn close(&self) {
        self.shared.closing.store(true, Ordering::Release);
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            thread.thread().unpark();
            // A panic in the thread was reported by the panic hook already.
            thread.join().unwrap_or_default();
        }
    }
}

impl Shared {
    fn run(&self, mut output: impl Write) {
        let mut batch = Vec::with_capacity(BATCH_BYTES);
        loop {
            // Read first, so that what was queued before closing is written below.
            let closing = self.closing.load(Ordering::Acquire);
            while batch.len() < BATCH_BYTES
                && let Some(line) = self.lines.pop()
            {
                batch.extend_from_slice(&line);
            }
            if batch.is_empty() {
                if closing {
                    return;
                }
                thread::park_timeout(REST);
                continue;
            }
            // A log that can't be written has no other place to say so; requests go on.
            output.write_all(&batch).and_then(|()| output.flush()).unwrap_or_default();
            batch.clear();
        }
    }
}

/// Lets the events of the program itself go into the same queue.
#[derive(Clone, Debug)]
pub struct SinkWriter {
    /// Where they go.
    pub sink: LogSink,
    /// Whether they come as JSON and are to be pairs.
    pub logfmt: bool,
}

impl Write for SinkWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A full queue drops the event; it must not end the program.
        self.sink.write(if self.logfmt { logfmt::line(line) } else { line.to_vec() });
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_in_order_before_it_closes() {
        let memory = Memory::default();
        let sink = LogSink::start(memory.clone()).unwrap();
        let lines: Vec<_> = (0..5_000).map(|number| format!("line {number}\n")).collect();
        lines.iter().for_each(|line| assert!(sink.write(line.clone().into_bytes())));
        sink.close();
        sink.close();
        assert_eq!(String::from_utf8(memory.0.lock().unwrap().clone()).unwrap(), lines.concat());
    }
}
