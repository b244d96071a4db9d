//! Response bodies that follow a script: pieces, pauses, and the ways in which a body goes wrong.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// One step of a body.
pub(crate) enum Step {
    /// Sends a piece.
    Send(Bytes),
    /// Waits; what was sent before leaves for the network.
    Pause(Duration),
    /// Sends a piece over and over.
    Forever(Bytes),
    /// Breaks the connection off.
    Break,
}

/// A connection that is broken off on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the simulated provider breaks the connection off, as ordered")]
pub(crate) struct BrokenOff;

/// A body that follows its steps.
pub(crate) struct Script {
    steps: VecDeque<Step>,
    pause: Option<Pin<Box<Sleep>>>,
    /// What is left to send, when the length is to be announced.
    left: Option<u64>,
}

impl Script {
    /// A body of unknown length: sent in chunks, unless a length is announced by header.
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), pause: None, left: None }
    }

    /// A body whose length is known.
    pub(crate) fn exact(pieces: Vec<Bytes>) -> Self {
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        let mut script = Self::new(pieces.into_iter().map(Step::Send));
        script.left = Some(length);
        script
    }

    /// The body for hyper.
    pub(crate) fn boxed(self) -> UnsyncBoxBody<Bytes, BrokenOff> {
        UnsyncBoxBody::new(self)
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                std::task::ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            let Some(step) = self.steps.pop_front() else { return Poll::Ready(None) };
            match step {
                Step::Send(piece) if piece.is_empty() => {}
                Step::Send(piece) => {
                    self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Step::Pause(time) => self.pause = Some(Box::pin(sleep(time))),
                Step::Forever(piece) => {
                    self.steps.push_front(Step::Forever(piece.clone()));
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Step::Break => return Poll::Ready(Some(Err(BrokenOff))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
