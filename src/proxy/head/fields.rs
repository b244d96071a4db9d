//! The check of the header fields: each that identifies or frames a message stands once, under its
//! own name and in one form.

use gpconnect::rejection::Reason;
use memchr::memchr;

use super::{PLAIN, Rules, TOKEN, all, are, certificate, classes};
use crate::proxy::framing::{Body, Chunks};

const fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 127)
}

/// What was seen of the headers that may stand only once.
#[derive(Default)]
pub(super) struct Seen<'h> {
    pub(super) host: Option<&'h [u8]>,
    once: u32,
    length: usize,
    /// Names in `Connection`, over all such headers.
    nominated: usize,
    /// Headers of the `Ssp-` family that are not known here.
    others: Vec<&'h [u8]>,
}

impl Seen<'_> {
    /// What follows the head.
    pub(super) fn body(&self) -> Body {
        if self.once & TRANSFER_ENCODING == 0 {
            Body::Length(self.length)
        } else {
            Body::Chunks(Chunks::default())
        }
    }
}

/// The headers that identify or frame a message: each at most once.
const ONCE: [&str; 13] = [
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Ssp-TraceID",
    "Ssp-From",
    "Ssp-To",
    "Ssp-InteractionID",
    "Authorization",
    "Content-Type",
    "Content-Encoding",
    "If-Match",
    "If-None-Match",
    "Expect",
];
/// Their places from the length to the interaction: those that frame a message or say whose it is
/// have no blanks around their values, but the one behind the colon.
const BARE: std::ops::RangeInclusive<u32> = 1..=6;
const CONTENT_LENGTH: u32 = 1 << 1;
const TRANSFER_ENCODING: u32 = 1 << 2;

/// Checks one line, without its CRLF.
pub(super) fn check_header<'h>(
    line: &'h [u8],
    seen: &mut Seen<'h>,
    rules: &Rules<'_>,
) -> Result<(), Reason> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Reason::HeadMalformed("a header line is folded"));
    }
    let Some(colon) = memchr(b':', line) else {
        return Err(Reason::HeadMalformed("a header line has no colon"));
    };
    let name = line.get(..colon).unwrap_or_default();
    let value = line.get(colon + 1..).unwrap_or_default();
    let name_is = classes(name);
    if name.is_empty() || name_is & TOKEN == 0 {
        return Err(Reason::HeadMalformed("a header name is not a token"));
    }
    if !all(value, is_value) {
        return Err(Reason::HeadMalformed("a header value has control characters"));
    }
    if name_is & PLAIN == 0 {
        refuse_alias(name)?;
    }
    let (bare, value) = (value.strip_prefix(b" ").unwrap_or(value), value.trim_ascii());
    let known = ONCE.iter().zip(0..).find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
    if let Some((known, place)) = known {
        if seen.once >> place & 1 == 1 {
            return Err(Reason::HeaderRepeated(known));
        }
        seen.once |= 1 << place;
        if BARE.contains(&place) && bare != value {
            return Err(Reason::HeadMalformed(
                "a length, coding or Ssp- header has blanks around its value",
            ));
        }
        return check_known(known, value, seen, rules);
    }
    match name.first() {
        Some(b'C' | b'c') if name.eq_ignore_ascii_case(b"Connection") => {
            check_connection(value, seen)
        }
        Some(b'X' | b'x') => {
            refuse_override(name)?;
            certificate::refuse(name, rules.told)
        }
        Some(b'S' | b's') if is_ssp(name) => note_other(name, seen),
        _ => certificate::refuse(name, rules.told),
    }
}

fn is_ssp(name: &[u8]) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"Ssp-"))
}

/// An `Ssp-` header of the future stands at most once too.
fn note_other<'h>(name: &'h [u8], seen: &mut Seen<'h>) -> Result<(), Reason> {
    if seen.others.iter().any(|other| other.eq_ignore_ascii_case(name)) {
        return Err(Reason::HeaderRepeated("An Ssp-"));
    }
    seen.others.push(name);
    Ok(())
}

/// With these some servers take another method or target for the one in the first line, which is
/// the one that was decided on.
fn refuse_override(name: &[u8]) -> Result<(), Reason> {
    const OVERRIDES: [&[u8]; 5] = [
        b"X-HTTP-Method-Override",
        b"X-HTTP-Method",
        b"X-Method-Override",
        b"X-Original-URL",
        b"X-Rewrite-URL",
    ];
    if OVERRIDES.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        return Err(Reason::HeadMalformed("a header names another method or target"));
    }
    Ok(())
}

fn check_known<'h>(
    name: &'static str,
    value: &'h [u8],
    seen: &mut Seen<'h>,
    rules: &Rules<'_>,
) -> Result<(), Reason> {
    if seen.once & (CONTENT_LENGTH | TRANSFER_ENCODING) == CONTENT_LENGTH | TRANSFER_ENCODING {
        return Err(Reason::HeadMalformed("it has both Content-Length and Transfer-Encoding"));
    }
    match name {
        "Host" => {
            if value.is_empty() || !all(value, |byte| byte > b' ' && byte < 127 && byte != b',') {
                return Err(Reason::HeadMalformed("its Host header names no host"));
            }
            seen.host = Some(value);
        }
        "Content-Length" => {
            let digits = !value.is_empty() && all(value, |byte| byte.is_ascii_digit());
            let padded = value.len() > 1 && value.starts_with(b"0");
            if !digits || padded || value.len() > 12 {
                return Err(Reason::HeadMalformed("its Content-Length is not a number"));
            }
            let length = str::from_utf8(value).ok().and_then(|text| text.parse::<usize>().ok());
            let limit = rules.limits.body_bytes;
            let fits = length.filter(|length| *length <= limit);
            seen.length = fits.ok_or(Reason::BodyTooLong { limit })?;
        }
        "Transfer-Encoding" if !value.eq_ignore_ascii_case(b"chunked") => {
            return Err(Reason::HeadMalformed("its Transfer-Encoding is not \"chunked\""));
        }
        "Content-Encoding" if !value.eq_ignore_ascii_case(b"identity") => {
            return Err(Reason::BodyEncoded);
        }
        "Expect" if !value.eq_ignore_ascii_case(b"100-continue") => {
            return Err(Reason::HeadMalformed("its Expect header is not \"100-continue\""));
        }
        _ => {}
    }
    Ok(())
}

/// Servers that write headers into variables make `_` of whatever is no letter or digit, and can't
/// tell `Ssp_From` or `Ssp.From` from `Ssp-From`.
fn refuse_alias(name: &[u8]) -> Result<(), Reason> {
    let dash = |byte: &u8| if byte.is_ascii_alphanumeric() { *byte } else { b'-' };
    let dashed: Vec<u8> = name.iter().map(dash).collect();
    certificate::refuse(&dashed, false)?;
    if is_message_header(&dashed) {
        return Err(Reason::HeadMalformed(
            "a header name has \"_\" or the like where \"-\" belongs",
        ));
    }
    Ok(())
}

/// As many as the engine takes.
const NOMINATED: usize = 9;

/// Hop-by-hop names are dropped as RFC 9110 asks; those of the message itself must not be among
/// them, because the provider would then miss what was checked here.
fn check_connection(value: &[u8], seen: &mut Seen<'_>) -> Result<(), Reason> {
    let named = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    for name in named.filter(|name| !name.is_empty()) {
        seen.nominated += 1;
        if is_message_header(name) {
            return Err(Reason::HeadMalformed(
                "its Connection header names a header of the message",
            ));
        }
        if !are(name, TOKEN) || seen.nominated > NOMINATED {
            return Err(Reason::HeadMalformed("its Connection header is no short list of names"));
        }
    }
    Ok(())
}

fn is_message_header(name: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 6] =
        [b"ssp-", b"content-", b"if-", b"accept", b"x-forwarded-", b"client-cert"];
    const NAMES: [&[u8]; 8] = [
        b"authorization",
        b"host",
        b"prefer",
        b"forwarded",
        b"via",
        b"traceparent",
        b"tracestate",
        b"transfer-encoding",
    ];
    let starts = |prefix: &&[u8]| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    PREFIXES.iter().any(starts) || NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}
