//! The trace of one request, from the decision whether there is one to its end.

use std::{mem, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    trace::{
        Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _,
    },
};
use tracing::{Span, dispatcher::with_default, info_span};

use super::{
    TARGET, Traces,
    attributes::{attributes, is_error, name},
    caller::Caller,
    phase::{Phase, Phases},
};
use crate::telemetry::{Record, SpanIds};

/// What spans tell of a request that its record does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The verb, if it is one that is known.
    pub verb: &'static str,
    /// Who asked.
    pub by: By,
}

/// Who asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// Somebody in plain HTTP.
    #[default]
    Plain,
    /// Somebody over TLS.
    Tls,
    /// The gateway itself: nobody's request was received.
    Ourselves,
}

impl By {
    const fn kind(self) -> SpanKind {
        match self {
            Self::Plain | Self::Tls => SpanKind::Server,
            Self::Ourselves => SpanKind::Internal,
        }
    }
}

/// The trace of one request; without any content when there is none.
#[derive(Debug, Default)]
pub struct Trace {
    asked: Asked,
    /// What the caller says of its own, if anything.
    caller: Option<Box<Caller>>,
    chosen: Option<Box<Chosen>>,
}

/// A request that was chosen to have spans.
#[derive(Debug)]
struct Chosen {
    own: Span,
    context: Context,
    phases: Phases,
}

impl Trace {
    pub(super) fn begin(traces: &Arc<Traces>, caller: Caller, asked: Asked) -> Self {
        let kind = asked.by.kind();
        let own = with_default(
            &traces.dispatch,
            || info_span!(target: TARGET, parent: None, "request", otel.kind = ?kind),
        );
        let context = traces.place(&own, above(&caller));
        let phases = Phases::new(Arc::clone(traces), context.clone());
        let chosen = Some(Box::new(Chosen { own, context, phases }));
        Self { chosen, ..Self::leave_out(caller, asked) }
    }

    pub(super) fn leave_out(caller: Caller, asked: Asked) -> Self {
        let caller = (!caller.is_silent()).then(|| Box::new(caller));
        Self { asked, caller, chosen: None }
    }

    /// The steps of a request that was chosen.
    pub fn phases(&mut self) -> Option<&mut Phases> {
        self.chosen.as_mut().map(|chosen| &mut chosen.phases)
    }

    /// Begins a step.
    pub fn enter(&mut self, phase: Phase<'_>) {
        self.phases().into_iter().for_each(|phases| phases.enter(phase));
    }

    /// Steps beneath the present one of a request that was chosen.
    pub fn beneath(&self) -> Option<Phases> {
        self.chosen.as_ref()?.phases.beneath()
    }

    /// The headers of the caller that are not to be passed on.
    pub fn refused(&self) -> impl Iterator<Item = HeaderName> {
        self.caller.iter().flat_map(|caller| caller.refused())
    }

    /// What tells the provider of the step that waits for it, in place of what the caller says.
    pub fn traceparent(&self) -> Option<HeaderValue> {
        self.chosen.as_ref()?.phases.traceparent()
    }

    /// Ends it with what became of the request; says which span tells of that. One that was not
    /// chosen has one only if it failed, or took at least `slow`.
    pub fn end(&mut self, traces: &Traces, record: &Record<'_>, slow: Duration) -> Option<SpanIds> {
        let Self { asked, caller, chosen } = mem::take(self);
        if let Some(chosen) = chosen {
            return Some(chosen.end(record, asked));
        }
        let is_worth_it = record.fault.is_some() || is_error(record) || record.duration >= slow;
        if !is_worth_it {
            return None;
        }
        if !traces.afterwards.take(super::AFTERWARDS_PER_SECOND) {
            traces.telemetry.metrics.traces.limited.inc();
            return None;
        }
        let above = caller.map(|caller| above(&caller)).unwrap_or_default();
        Some(traces.afterwards(record, asked, &above))
    }
}

impl Chosen {
    fn end(mut self, record: &Record<'_>, asked: Asked) -> SpanIds {
        match record.fault {
            Some(fault) => self.phases.fail(fault),
            None => self.phases.end(),
        }
        let span = self.context.span();
        span.update_name(name(record, asked));
        span.set_attributes(attributes(record, asked));
        span.set_status(status(record));
        let ids = ids(span.span_context());
        // It ends here: none of what was beneath it holds it open.
        drop(self.own);
        ids
    }
}

impl Traces {
    /// One span for a request that is over.
    fn afterwards(&self, record: &Record<'_>, asked: Asked, above: &Context) -> SpanIds {
        let builder = SpanBuilder::from_name(name(record, asked))
            .with_kind(asked.by.kind())
            .with_start_time(record.at)
            .with_attributes(attributes(record, asked));
        let mut span = self.tracer.build_with_context(builder, above);
        span.set_status(status(record));
        span.end_with_timestamp(record.at + record.duration);
        ids(span.span_context())
    }
}

/// What a request's own span is beneath: the caller's.
fn above(caller: &Caller) -> Context {
    match caller.context() {
        Some(context) => Context::new().with_remote_span_context(context.clone()),
        None => Context::new(),
    }
}

fn status(record: &Record<'_>) -> Status {
    match is_error(record) {
        true => Status::error(record.fault.unwrap_or_default()),
        false => Status::Unset,
    }
}

fn ids(context: &SpanContext) -> SpanIds {
    SpanIds {
        trace: u128::from_be_bytes(context.trace_id().to_bytes()),
        span: u64::from_be_bytes(context.span_id().to_bytes()),
    }
}
