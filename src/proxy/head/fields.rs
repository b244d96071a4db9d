//! The check of the header fields: each that identifies or frames a message stands once, under its
//! own name and in one form.

use gpconnect::rejection::Reason;
use memchr::memchr;

use super::{Rules, all, is_token};

const fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 127)
}

/// What was seen of the headers that may stand only once.
#[derive(Default)]
pub(super) struct Seen<'h> {
    pub(super) host: Option<&'h [u8]>,
    once: u32,
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
    if name.is_empty() || !all(name, is_token) {
        return Err(Reason::HeadMalformed("a header name is not a token"));
    }
    if !all(value, is_value) {
        return Err(Reason::HeadMalformed("a header value has control characters"));
    }
    if memchr(b'_', name).is_some() {
        refuse_alias(name)?;
    }
    let value = value.trim_ascii();
    let known = ONCE.iter().zip(0..).find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
    if let Some((known, place)) = known {
        if seen.once >> place & 1 == 1 {
            return Err(Reason::HeaderRepeated(known));
        }
        seen.once |= 1 << place;
        return check_known(known, value, seen, rules);
    }
    if name.eq_ignore_ascii_case(b"Connection") { check_connection(value) } else { Ok(()) }
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
            if !digits || value.len() > 12 {
                return Err(Reason::HeadMalformed("its Content-Length is not a number"));
            }
            let length = str::from_utf8(value).ok().and_then(|text| text.parse::<usize>().ok());
            if length.is_none_or(|length| length > rules.limits.body_bytes) {
                return Err(Reason::BodyTooLong { limit: rules.limits.body_bytes });
            }
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

/// Servers that write headers into variables can't tell `Ssp_From` from `Ssp-From`.
fn refuse_alias(name: &[u8]) -> Result<(), Reason> {
    let dashed: Vec<u8> =
        name.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect();
    if is_message_header(&dashed) {
        return Err(Reason::HeadMalformed("a header name has \"_\" where \"-\" belongs"));
    }
    Ok(())
}

/// Hop-by-hop names are dropped as RFC 9110 asks; those of the message itself must not be among
/// them, because the provider would then miss what was checked here.
fn check_connection(value: &[u8]) -> Result<(), Reason> {
    let mut named = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    if named.any(is_message_header) {
        return Err(Reason::HeadMalformed("its Connection header names a header of the message"));
    }
    Ok(())
}

fn is_message_header(name: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 4] = [b"ssp-", b"content-", b"if-", b"accept"];
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
