//! Where an exchange's trace begins, and which headers tell the provider of it.

use http::Method;
use pingora::{Error, Result, http::RequestHeader};

use super::exchange::Exchange;
use crate::{
    config::Upstream,
    traces::{self, Asked, By, Leg, Phases, Trace},
};

impl Exchange {
    /// Decides whether the request gets spans. Without a collector there is nothing to decide.
    pub(super) fn begin_trace(&mut self, head: &RequestHeader, by: By) {
        if let Some(traces) = &self.traces {
            let asked = Asked { verb: verb(&head.method), by };
            self.trace = traces.begin(&head.headers, asked, self.random, &self.snapshot.sampling);
        }
    }

    /// Begins a step of asking the upstream.
    pub(super) fn ask_upstream(&mut self, leg: Leg) {
        let Some(phases) = self.trace.phases() else { return };
        let upstream = self.outgoing.as_ref().map(|outgoing| outgoing.upstream);
        let upstream = upstream.and_then(|index| self.snapshot.upstream(index));
        let verb = self.permit.as_ref().map(|permit| permit.interaction().row().verb.as_str());
        if let Some((upstream, verb)) = upstream.zip(verb) {
            phases.enter(leg.of(asked(upstream, verb, self.tries.saturating_sub(1))));
        }
    }

    /// Ends the step that failed.
    pub(super) fn fail_phase(&mut self, fault: &Error) {
        if let Some(phases) = self.trace.phases() {
            fail(phases, fault);
        }
    }
}

/// Who is asked, as spans tell it.
pub(super) fn asked<'u>(
    upstream: &'u Upstream,
    verb: &'static str,
    resent: u8,
) -> traces::Upstream<'u> {
    let (host, port) = (upstream.address.host(), upstream.address.port());
    traces::Upstream { verb, host, port, resent }
}

/// Ends a step with the engine's word for what went wrong.
pub(super) fn fail(phases: &mut Phases, fault: &Error) {
    phases.fail(fault.etype().as_str());
}

/// Tells the provider of the step that waits for it. Where there is none, what the caller says is
/// passed on; what has no form is not.
///
/// # Errors
/// None that a header of ours brings about.
pub(super) fn forward(trace: &Trace, head: &mut RequestHeader) -> Result<()> {
    for name in trace.refused() {
        head.remove_header(&name);
    }
    match trace.traceparent() {
        Some(parent) => head.insert_header("traceparent", parent),
        None => Ok(()),
    }
}

/// The verb, as far as HTTP knows it: others are a caller's own text.
fn verb(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "",
    }
}
