//! The check of a raw request head: what two parsers could read in two ways is refused here, before
//! the engine's parser sees it and repairs it (design, "Refuse, don't repair").
//!
//! Pure functions over bytes; [`super::front`] reads and answers.

use std::ops::Range;

use bytes::BytesMut;
use gpconnect::{contract::Header, rejection::Reason};
use memchr::memchr;

use self::fields::{Seen, check_header};
use super::framing::Body;
use crate::{
    config::{Limits, ServerName},
    snapshot::Entrance,
};

mod certificate;
mod fields;

/// What an accepted head may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'s> {
    /// How long, and how many headers.
    pub(super) limits: Limits,
    /// What `Host` may say.
    pub(super) server_names: &'s [ServerName],
    /// Whether a terminator of TLS tells of callers' certificates.
    pub(super) told: bool,
}

impl<'s> Rules<'s> {
    /// Those of a listener.
    pub(super) fn of(limits: Limits, entrance: &'s Entrance) -> Self {
        let told = entrance.access.is_behind_terminator();
        Self { limits, server_names: &entrance.server_names, told }
    }
}

/// Finds the end of a head as its bytes arrive, line by line.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Where the line begins whose end was not seen yet.
    line: usize,
    lines: usize,
}

impl Scan {
    /// The length of the head, once all of it is in `buffer`. Call it again with the same bytes and
    /// more.
    ///
    /// # Errors
    /// As soon as the head can't become one that is accepted.
    pub(super) fn end(
        &mut self,
        buffer: &[u8],
        rules: &Rules<'_>,
    ) -> Result<Option<usize>, Reason> {
        while let Some(length) = buffer.get(self.line..).and_then(|rest| memchr(b'\n', rest)) {
            let feed = self.line + length;
            let line = buffer.get(self.line..feed).unwrap_or_default();
            let Some((b'\r', content)) = line.split_last() else {
                return Err(Reason::HeadMalformed("a line ends in a bare LF"));
            };
            if content.is_empty() && self.lines == 0 {
                return Err(Reason::HeadMalformed("it begins with an empty line"));
            }
            if content.is_empty() {
                let end = feed + 1;
                return if end > rules.limits.head_bytes {
                    Err(too_long(rules))
                } else {
                    Ok(Some(end))
                };
            }
            self.lines += 1;
            if self.lines > rules.limits.headers + 1 {
                return Err(Reason::TooManyHeaders { limit: rules.limits.headers });
            }
            self.line = feed + 1;
        }
        // The method and the version stand around the target.
        if self.lines == 0 && buffer.len() > rules.limits.target_bytes + 32 {
            return Err(Reason::TargetTooLong { limit: rules.limits.target_bytes });
        }
        if buffer.len() > rules.limits.head_bytes {
            return Err(too_long(rules));
        }
        Ok(None)
    }
}

const fn too_long(rules: &Rules<'_>) -> Reason {
    Reason::HeadTooLong { limit: rules.limits.head_bytes }
}

/// An accepted head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// The `http://{authority}` of an absolute-form target, to be cut out: what is handed on is
    /// origin form.
    pub(super) cut: Option<Range<usize>>,
    /// What follows it.
    pub(super) body: Body,
}

impl Accepted {
    /// Cuts the authority out of `bytes`, which begin with the head: what follows it moves up to
    /// where the target begins.
    pub(super) fn into_origin_form(self, bytes: &mut BytesMut) {
        if let Some(cut) = self.cut {
            let behind = bytes.split_off(cut.end);
            bytes.truncate(cut.start);
            bytes.unsplit(behind);
        }
    }
}

/// Checks a whole head, which ends in an empty line.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn check(head: &[u8], rules: &Rules<'_>) -> Result<Accepted, Reason> {
    let lines = head.strip_suffix(b"\r\n").unwrap_or(head);
    let (request_line, mut rest) = cut_line(lines);
    let cut = check_request_line(request_line, rules)?;
    let mut seen = Seen::default();
    while !rest.is_empty() {
        let (line, behind) = cut_line(rest);
        check_header(line, &mut seen, rules)?;
        rest = behind;
    }
    let host = seen.host.ok_or(Reason::HeaderMissing(Header::Host))?;
    if let Some(range) = &cut {
        let authority = head.get(range.clone()).unwrap_or_default();
        let authority = authority.get(authority_start(authority)..).unwrap_or_default();
        if !authority.eq_ignore_ascii_case(host) {
            return Err(Reason::HeadMalformed("its target and its Host header name two hosts"));
        }
    }
    let served = |name: &ServerName| name.as_str().as_bytes().eq_ignore_ascii_case(host);
    if !rules.server_names.iter().any(served) {
        return Err(Reason::HostNotServed);
    }
    Ok(Accepted { cut, body: seen.body() })
}

/// Up to the next CRLF, and what follows it. The last line stands without its own.
fn cut_line(lines: &[u8]) -> (&[u8], &[u8]) {
    let Some(end) = memchr(b'\n', lines) else { return (lines, &[]) };
    let line = lines.get(..end).unwrap_or_default();
    (line.strip_suffix(b"\r").unwrap_or(line), lines.get(end + 1..).unwrap_or_default())
}

/// One folds over all bytes instead of stopping at the first bad one: the compiler vectorises it.
fn all(bytes: &[u8], allowed: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |good, byte| good & allowed(*byte))
}

/// What a byte may be part of: a bit each.
const TOKEN: u8 = 1;
/// A header name without the marks that some servers take for one another.
const PLAIN: u8 = 1 << 1;
/// Visible ASCII without what URI parsers disagree on. A raw pipe occurs in identifiers.
const TARGET: u8 = 1 << 2;

#[expect(clippy::indexing_slicing, reason = "the compiler evaluates it, and tells")]
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = b'!';
    while byte < 127 {
        let plain = byte.is_ascii_alphanumeric() || byte == b'-';
        let marks = matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+');
        let more = matches!(byte, b'.' | b'^' | b'_' | b'`' | b'|' | b'~');
        let token = if plain || marks || more { TOKEN } else { 0 };
        let target = if matches!(byte, b'"' | b'<' | b'>' | b'`' | b'#') { 0 } else { TARGET };
        classes[byte as usize] = token | target | if plain { PLAIN } else { 0 };
        byte += 1;
    }
    classes
};

/// What all of `bytes` may be part of.
fn classes(bytes: &[u8]) -> u8 {
    let class = |byte: &u8| CLASSES.get(usize::from(*byte)).copied().unwrap_or_default();
    bytes.iter().fold(u8::MAX, |common, byte| common & class(byte))
}

fn are(bytes: &[u8], class: u8) -> bool {
    classes(bytes) & class != 0
}

fn check_request_line(line: &[u8], rules: &Rules<'_>) -> Result<Option<Range<usize>>, Reason> {
    if line.starts_with(b"PRI * HTTP/2") {
        return Err(Reason::Http2NotOffered);
    }
    let Some((method, target, version)) = three_parts(line) else {
        return Err(Reason::HeadMalformed("its first line is not method, target and version"));
    };
    if method.is_empty() || method.len() > 20 || !are(method, TOKEN) {
        return Err(Reason::HeadMalformed("its method is not a token"));
    }
    if method == b"CONNECT" {
        return Err(Reason::MethodNotCarried);
    }
    if version != b"HTTP/1.1" {
        return Err(Reason::HeadMalformed("its version is not HTTP/1.1"));
    }
    if target.len() > rules.limits.target_bytes {
        return Err(Reason::TargetTooLong { limit: rules.limits.target_bytes });
    }
    if target.is_empty() || !are(target, TARGET) {
        return Err(Reason::HeadMalformed(
            "its target has characters that must be percent-encoded",
        ));
    }
    let start = method.len() + 1;
    match target.first() {
        Some(b'/' | b'*') => Ok(None),
        _ => absolute_form(target).map(|length| Some(start..start + length)),
    }
}

/// What stands around two blanks.
fn three_parts(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let cut = |line| {
        let (before, behind) = <[u8]>::split_at_checked(line, memchr(b' ', line)?)?;
        Some((before, behind.get(1..)?))
    };
    let (first, rest) = cut(line)?;
    let (second, third) = cut(rest)?;
    memchr(b' ', third).is_none().then_some((first, second, third))
}

/// The length of `http[s]://{authority}` in front of the path.
fn absolute_form(target: &[u8]) -> Result<usize, Reason> {
    let start = authority_start(target);
    let rest = target.get(start..).unwrap_or_default();
    match memchr(b'/', rest) {
        Some(length) if start > 0 && length > 0 => Ok(start + length),
        _ => Err(Reason::HeadMalformed("its target is neither a path nor an http URL with a path")),
    }
}

fn authority_start(target: &[u8]) -> usize {
    let schemes = [b"http://".as_slice(), b"https://".as_slice()];
    schemes.iter().find(|scheme| target.starts_with(scheme)).map_or(0, |scheme| scheme.len())
}

#[cfg(test)]
mod tests;
