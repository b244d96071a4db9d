//! One timer for a whole connection. Setting and dropping a timer costs as much as checking a
//! header or two, and a busy connection would do both several times a request, for deadlines that
//! hardly ever pass. This one is left running from wait to wait: it may ring too early for the wait
//! at hand, and is then set again, but never too late.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use pingora::time::sleep;

/// The timer of one connection, used by its one task.
#[derive(Default)]
pub(super) struct Alarm {
    running: Option<Running>,
}

struct Running {
    sleep: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    rings: Instant,
}

impl Alarm {
    /// Ready once `deadline` has passed.
    pub(super) fn poll(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let running = match &mut self.running {
                Some(running) if running.rings <= deadline => running,
                _ => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Poll::Ready(());
                    }
                    self.running.insert(Running { sleep: Box::pin(sleep(left)), rings: deadline })
                }
            };
            ready!(running.sleep.as_mut().poll(context));
            self.running = None;
        }
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.running {
            Some(running) => write!(out, "Alarm at {:?}", running.rings),
            None => out.write_str("Alarm, not set"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    const SHORT: Duration = Duration::from_millis(30);
    const LONG: Duration = Duration::from_secs(60);

    /// Polls it once for a wait of that length.
    async fn is_over(alarm: &mut Alarm, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        poll_fn(|context| Poll::Ready(alarm.poll(deadline, context).is_ready())).await
    }

    #[tokio::test]
    async fn it_rings_when_its_deadline_has_passed_and_not_before() {
        let mut alarm = Alarm::default();
        for (name, earlier) in [
            ("never set", None),
            ("set to later", Some(LONG)),
            ("set to earlier", Some(SHORT / 3)),
            ("set to the same", Some(SHORT)),
        ] {
            if let Some(earlier) = earlier {
                assert!(!is_over(&mut alarm, earlier).await, "{name}");
            }
            let deadline = Instant::now() + SHORT;
            poll_fn(|context| alarm.poll(deadline, context)).await;
            assert!(Instant::now() >= deadline, "{name}");
            assert!(Instant::now() < deadline + LONG, "{name}");
        }
    }

    #[tokio::test]
    async fn a_deadline_that_has_passed_is_over_at_once() {
        let mut alarm = Alarm::default();
        assert!(is_over(&mut alarm, Duration::ZERO).await);
        assert!(!is_over(&mut alarm, LONG).await);
        assert!(is_over(&mut alarm, Duration::ZERO).await);
    }
}
