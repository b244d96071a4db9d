//! The steps of a request that take time, each a span beneath its own.

use std::{fmt::Write as _, sync::Arc};

use http::HeaderValue;
use opentelemetry::{
    Context,
    trace::{SpanContext, Status, TraceContextExt as _},
};
use tracing::{Span, dispatcher::with_default, info_span, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{TARGET, Traces};

/// A step that takes time.
#[derive(Clone, Copy, Debug)]
pub enum Phase<'p> {
    /// Until the intent is durable.
    Audit,
    /// Until memory has an answer or none.
    Cache,
    /// Until there is a connection to the upstream.
    Connect(Upstream<'p>),
    /// From sending the request to the head of the answer.
    Wait(Upstream<'p>),
}

/// The two steps of asking an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// [`Phase::Connect`].
    Connect,
    /// [`Phase::Wait`].
    Wait,
}

impl Leg {
    /// The step towards this upstream.
    pub const fn of(self, upstream: Upstream<'_>) -> Phase<'_> {
        match self {
            Self::Connect => Phase::Connect(upstream),
            Self::Wait => Phase::Wait(upstream),
        }
    }
}

/// Who is asked.
#[derive(Clone, Copy, Debug)]
pub struct Upstream<'p> {
    /// The verb.
    pub verb: &'static str,
    /// The host that is connected to.
    pub host: &'p str,
    /// Its port.
    pub port: &'p str,
    /// Which try this is, from 0.
    pub resent: u8,
}

/// The steps beneath one span; at most one at a time.
#[derive(Debug)]
pub struct Phases {
    traces: Arc<Traces>,
    above: Context,
    current: Option<Span>,
}

impl Phases {
    pub(super) const fn new(traces: Arc<Traces>, above: Context) -> Self {
        Self { traces, above, current: None }
    }

    /// Begins a step; the one before ends.
    pub fn enter(&mut self, phase: Phase<'_>) {
        self.current = None;
        self.current = Some(self.traces.span(phase, self.above.clone()));
    }

    /// Ends the step.
    pub fn end(&mut self) {
        self.current = None;
    }

    /// Ends the step with the status of an answer.
    pub fn answered(&mut self, status: u16) {
        if let Some(span) = self.current.take() {
            span.set_attribute("http.response.status_code", i64::from(status));
            if status >= 400 {
                fail(&span, &status.to_string());
            }
        }
    }

    /// Ends the step because it failed.
    pub fn fail(&mut self, fault: &str) {
        if let Some(span) = self.current.take() {
            fail(&span, fault);
        }
    }

    /// Steps beneath the present one. They may go on when it has ended.
    pub fn beneath(&self) -> Option<Self> {
        let above = self.current.as_ref()?.context();
        Some(Self::new(Arc::clone(&self.traces), above))
    }

    /// What tells the other end of the present step.
    pub fn traceparent(&self) -> Option<HeaderValue> {
        traceparent(self.current.as_ref()?.context().span().span_context())
    }
}

fn fail(span: &Span, fault: &str) {
    span.set_attribute("error.type", fault.to_owned());
    span.set_status(Status::error(""));
}

fn traceparent(context: &SpanContext) -> Option<HeaderValue> {
    let mut line = String::with_capacity(55);
    let (trace, span) = (context.trace_id(), context.span_id());
    // Writing to a String can't fail.
    write!(line, "00-{trace}-{span}-{:02x}", context.trace_flags()).unwrap_or_default();
    HeaderValue::try_from(line).ok()
}

impl Traces {
    /// A span that has begun. It knows what is above it by the context and not by the subscriber, so
    /// that what is above ends when it ends, whatever goes on beneath.
    fn span(&self, phase: Phase<'_>, above: Context) -> Span {
        let port = |text: &str| text.parse::<u16>().unwrap_or_default();
        let span = with_default(&self.dispatch, || match phase {
            Phase::Audit => info_span!(target: TARGET, parent: None, "audit commit"),
            Phase::Cache => info_span!(target: TARGET, parent: None, "cache"),
            Phase::Connect(Upstream { host, port: text, .. }) => info_span!(
                target: TARGET,
                parent: None,
                "upstream connect",
                server.address = host,
                server.port = port(text),
            ),
            Phase::Wait(Upstream { verb, host, port: text, resent }) => info_span!(
                target: TARGET,
                parent: None,
                "upstream wait",
                otel.kind = "client",
                http.request.method = verb,
                server.address = host,
                server.port = port(text),
                http.request.resend_count = (resent > 0).then_some(resent),
            ),
        });
        self.place(&span, above);
        span
    }

    /// Puts a span beneath another, and begins it.
    pub(super) fn place(&self, span: &Span, above: Context) -> Context {
        if let Err(fault) = span.set_parent(above) {
            warn!(%fault, "traces: a span without its parent");
        }
        span.context()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    #[test]
    fn a_parent_is_written_in_its_form() {
        let (trace, span) = (TraceId::from(0xab_u128), SpanId::from(0xcd_u64));
        let context = SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::NONE);
        let expected = "00-000000000000000000000000000000ab-00000000000000cd-01";
        assert_eq!(traceparent(&context).unwrap(), expected);
    }
}
