//! What a caller says of its own trace (W3C Trace Context): `traceparent` and `tracestate`. Neither
//! is believed beyond its form: what has none is not passed on, and nothing of `tracestate` comes
//! into a span, for it may hold anything.

use std::str::FromStr as _;

use http::{HeaderMap, HeaderName};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The name of the header with the caller's span.
pub(super) const PARENT: HeaderName = HeaderName::from_static("traceparent");
/// The name of the header with what further parties add.
pub(super) const STATE: HeaderName = HeaderName::from_static("tracestate");

/// The length of `traceparent` of version 00.
const LENGTH: usize = 55;
/// How long one of a later version may be.
const LONGEST: usize = 128;
/// How long `tracestate` may be, all its lines together: what everybody has to pass on.
const LONGEST_STATE: usize = 512;

/// What a caller says of its trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Caller {
    context: Option<SpanContext>,
    /// Whether there is a `traceparent` without form.
    is_broken: bool,
    /// Whether there is a `tracestate` that is not to be passed on.
    has_bad_state: bool,
}

impl Caller {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(PARENT).iter();
        let (Some(line), another) = (lines.next(), lines.next()) else {
            // Without a parent there is nothing that a state could be of.
            return Self { has_bad_state: headers.contains_key(STATE), ..Self::default() };
        };
        let context = parse(line.as_bytes()).filter(|_| another.is_none());
        let is_broken = context.is_none();
        Self { context, is_broken, has_bad_state: is_broken || !has_form(headers) }
    }

    /// The caller's span, if it names one.
    pub(super) const fn context(&self) -> Option<&SpanContext> {
        self.context.as_ref()
    }

    /// The headers that are not to be passed on.
    pub(super) fn refused(&self) -> impl Iterator<Item = HeaderName> {
        let parent = self.is_broken.then_some(PARENT);
        parent.into_iter().chain(self.has_bad_state.then_some(STATE))
    }

    /// Whether it says nothing, of which nothing need be remembered.
    pub(super) const fn is_silent(&self) -> bool {
        self.context.is_none() && !self.is_broken && !self.has_bad_state
    }
}

/// Trace Context 3.2: version, trace id, parent id and flags in lower hexadecimal digits.
fn parse(line: &[u8]) -> Option<SpanContext> {
    let line = str::from_utf8(line).ok()?;
    let (version, behind) = (line.get(..2)?, line.get(LENGTH..)?);
    let is_whole = if version == "00" { behind.is_empty() } else { behind.starts_with('-') };
    if version == "ff" || line.len() > LONGEST || !(is_whole || behind.is_empty()) {
        return None;
    }
    let mut parts = line.get(..LENGTH)?.split('-');
    let mut part = |length: usize| {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        parts.next().filter(|part| part.len() == length && part.bytes().all(is_digit))
    };
    let (_version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let trace = TraceId::from_hex(trace).ok()?;
    let span = SpanId::from_hex(span).ok()?;
    // Of a later version, too, these two are known: sampled, and random.
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()? & 3);
    let context = SpanContext::new(trace, span, flags, true, TraceState::NONE);
    context.is_valid().then_some(context)
}

/// Whether `tracestate` is what others can read, or absent.
fn has_form(headers: &HeaderMap) -> bool {
    let mut length = 0;
    headers.get_all(STATE).iter().all(|line| {
        length += line.len() + 1;
        let text = line.to_str().ok();
        length <= LONGEST_STATE + 1 && text.is_some_and(|it| TraceState::from_str(it).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn read(lines: &[(&'static str, &str)]) -> Caller {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Caller::read(&headers)
    }

    #[test]
    fn a_parent_is_exactly_of_its_form() {
        let tail = "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        for (name, line, good) in [
            ("sampled", GOOD.to_owned(), true),
            ("not sampled", format!("00{tail}"), true),
            ("unknown flags", GOOD.replace("-01", "-ff"), true),
            ("a later version", format!("cc{tail}"), true),
            ("with more behind it", format!("cc{tail}-what-the-future-brings"), true),
            ("with more stuck to it", format!("cc{tail}.x"), false),
            ("no version", format!("ff{tail}"), false),
            ("more behind the first version", format!("00{tail}-x"), false),
            ("endless", format!("cc{tail}-{}", "0".repeat(5_000)), false),
            ("capitals", GOOD.to_uppercase(), false),
            ("no trace", format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)), false),
            (
                "no span",
                format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", "0".repeat(16)),
                false,
            ),
            ("no digits", GOOD.replace('f', "g"), false),
            ("a sign", GOOD.replace("-4b", "-+b"), false),
            ("underscores", GOOD.replace('-', "_"), false),
            ("cut", GOOD.split_at(54).0.to_owned(), false),
            (
                "shifted",
                "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01".to_owned(),
                false,
            ),
            ("an NHS number", "9434765919".to_owned(), false),
            ("not ASCII", "é".repeat(30), false),
            ("empty", String::new(), false),
        ] {
            let caller = read(&[("traceparent", &line)]);
            assert_eq!(caller.context().is_some(), good, "{name}");
            let refused: Vec<_> = caller.refused().collect();
            assert_eq!(refused.contains(&PARENT), !good, "{name}");
        }
        let context = read(&[("traceparent", GOOD)]).context.unwrap();
        assert!(context.is_sampled() && context.is_remote());
        assert_eq!(context.span_id().to_string(), "00f067aa0ba902b7");
    }

    #[test]
    fn a_state_is_passed_on_behind_its_parent_only() {
        let long = format!("a={}", "x".repeat(200));
        let parent = ("traceparent", GOOD);
        for (name, lines, refused) in [
            ("one", vec![parent, ("tracestate", "a=1,b=2")], vec![]),
            ("two lines", vec![parent, ("tracestate", "a=1"), ("tracestate", "b=2")], vec![]),
            ("empty", vec![parent, ("tracestate", "")], vec![]),
            ("long", vec![parent, ("tracestate", &*long), ("tracestate", &*long)], vec![]),
            (
                "too long",
                vec![parent; 1].into_iter().chain([("tracestate", &*long); 3]).collect(),
                vec![STATE],
            ),
            ("no list", vec![parent, ("tracestate", "9434765919")], vec![STATE]),
            ("not ASCII", vec![parent, ("tracestate", "a=é")], vec![STATE]),
            ("alone", vec![("tracestate", "a=1")], vec![STATE]),
            ("two parents", vec![parent, parent, ("tracestate", "a=1")], vec![PARENT, STATE]),
            (
                "behind a bad parent",
                vec![("traceparent", "x"), ("tracestate", "a=1")],
                vec![PARENT, STATE],
            ),
            ("nothing", vec![], vec![]),
        ] {
            assert_eq!(read(&lines).refused().collect::<Vec<_>>(), refused, "{name}");
        }
        assert!(read(&[]).is_silent());
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_the_same(trace in 1_u128.., span in 1_u64.., sampled: bool) {
            let line = format!("00-{trace:032x}-{span:016x}-0{}", u8::from(sampled));
            let context = parse(line.as_bytes()).unwrap();
            prop_assert_eq!(context.trace_id(), TraceId::from(trace));
            prop_assert_eq!(context.span_id(), SpanId::from(span));
            prop_assert_eq!(context.is_sampled(), sampled);
        }

        #[test]
        fn no_bytes_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&line);
        }

        #[test]
        fn nearly_good_bytes_do_not_panic(line in "[0-9a-f]{2}-[0-9a-f]{30,34}-[0-9a-f]{14,18}-.{0,4}") {
            parse(line.as_bytes());
        }
    }
}
