//! The deadline on the head of a provider's answer. The engine's own is for silence, and one who
//! sends a byte now and then, or "100 Continue" for ever, is never silent.
//!
//! The front drives an exchange in one task and sleeps beside it. When the deadline passes before
//! the head is there, it shuts the provider's connection down; the engine meets that as a read error
//! and the caller gets its 504. Connection and sleeper are of one task, so the descriptor is open
//! whenever it is armed.

use std::{
    future::poll_fn,
    os::fd::RawFd,
    pin::pin,
    sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed},
    task::{Poll, ready},
    time::{Duration, Instant},
};

use nix::sys::socket::{Shutdown, shutdown};

use super::alarm::Alarm;

const NONE: RawFd = -1;

/// What front and hooks share of one exchange.
#[derive(Debug)]
pub(super) struct AnswerWatch {
    began: Instant,
    connection: AtomicI32,
    /// In milliseconds since it began.
    due: AtomicU64,
    fired: AtomicBool,
}

impl AnswerWatch {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            connection: AtomicI32::new(NONE),
            due: AtomicU64::new(0),
            fired: AtomicBool::new(false),
        }
    }

    /// A request is about to be sent over `connection`.
    pub(super) fn arm(&self, connection: RawFd, within: Duration) {
        let due = self.began.elapsed() + within;
        self.due.store(due.as_millis().try_into().unwrap_or(u64::MAX), Relaxed);
        self.connection.store(connection, Relaxed);
    }

    /// The head is there, or the connection is about to be closed.
    pub(super) fn disarm(&self) {
        self.connection.store(NONE, Relaxed);
    }

    /// Whether it shut the connection down.
    pub(super) fn has_fired(&self) -> bool {
        self.fired.load(Relaxed)
    }

    /// Drives `exchange` to its end, for at most `limit`; `step` is the shortest deadline that an
    /// answer may have.
    pub(super) async fn over<T>(
        &self,
        alarm: &mut Alarm,
        limit: Duration,
        step: Duration,
        exchange: impl Future<Output = Option<T>>,
    ) -> Option<T> {
        let mut exchange = pin!(exchange);
        let end = self.began + limit;
        let mut look = self.began + step.min(limit);
        poll_fn(|context| {
            if let Poll::Ready(ended) = exchange.as_mut().poll(context) {
                return Poll::Ready(ended);
            }
            loop {
                ready!(alarm.poll(look, context));
                if look >= end {
                    return Poll::Ready(None);
                }
                look = (Instant::now() + self.cut_if_due().unwrap_or(step)).min(end);
            }
        })
        .await
    }

    /// Shuts the connection down when its time is up, else tells when it will be.
    fn cut_if_due(&self) -> Option<Duration> {
        let connection = self.connection.load(Relaxed);
        if connection == NONE {
            return None;
        }
        let due = Duration::from_millis(self.due.load(Relaxed));
        let left = due.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            self.disarm();
            self.fired.store(true, Relaxed);
            // One that the provider closed meanwhile needs no shutting.
            shutdown(connection, Shutdown::Both).unwrap_or_default();
            return None;
        }
        Some(left.max(Duration::from_millis(1)))
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, net::TcpListener, net::TcpStream, os::fd::AsRawFd};

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[tokio::test]
    async fn a_late_head_ends_the_connection_and_not_the_exchange() {
        let (near, mut far) = pair();
        let watch = AnswerWatch::new();
        let exchange = async {
            watch.arm(near.as_raw_fd(), SHORT);
            let read = tokio::task::spawn_blocking(move || far.read(&mut [0])).await.unwrap();
            Some(read.unwrap())
        };
        assert_eq!(watch.over(&mut Alarm::default(), LONG, SHORT, exchange).await, Some(0));
        assert!(watch.has_fired());
    }

    #[tokio::test]
    async fn a_head_in_time_leaves_the_connection_alone() {
        let (near, _far) = pair();
        let watch = AnswerWatch::new();
        let exchange = async {
            watch.arm(near.as_raw_fd(), SHORT);
            watch.disarm();
            tokio::time::sleep(SHORT * 4).await;
            Some(())
        };
        assert_eq!(watch.over(&mut Alarm::default(), LONG, SHORT, exchange).await, Some(()));
        assert!(!watch.has_fired());
    }

    #[tokio::test]
    async fn an_exchange_has_an_end() {
        let watch = AnswerWatch::new();
        let never = std::future::pending::<Option<()>>();
        assert_eq!(watch.over(&mut Alarm::default(), SHORT * 2, SHORT, never).await, None);
    }
}
