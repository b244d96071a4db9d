//! A bounded copy of an error's body as it passes: to tell whose the error is, and what it breaks.

use std::{borrow::Cow, io::Read as _};

use flate2::read::GzDecoder;
use gpconnect::observe::Head;
use http::{HeaderMap, StatusCode, header};
use pingora::http::ResponseHeader;

use super::{convert::texts, exchange::Exchange, observe};

/// How much of an error is read: an OperationOutcome is some hundred bytes.
pub(super) const MOST: usize = 16 * 1024;

/// What there is of an error's body, up to [`MOST`].
pub(super) struct ErrorCopy {
    body: Vec<u8>,
    is_zipped: bool,
    is_longer: bool,
    is_at_end: bool,
}

/// Without the body.
impl std::fmt::Debug for ErrorCopy {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "ErrorCopy({} bytes)", self.body.len())
    }
}

impl ErrorCopy {
    /// Of what follows `head`; none of what is no error, or is compressed in a way that is not read
    /// here.
    pub(super) fn of(head: &ResponseHeader) -> Option<Box<Self>> {
        if head.status < StatusCode::BAD_REQUEST {
            return None;
        }
        let is_zipped = is_zipped(&head.headers)?;
        let body = Vec::new();
        Some(Box::new(Self { body, is_zipped, is_longer: false, is_at_end: false }))
    }

    /// Takes the next part; at its `end` there is no further one.
    pub(super) fn add(&mut self, part: &[u8], end: bool) {
        let room = MOST - self.body.len();
        self.is_longer |= part.len() > room;
        self.body.extend_from_slice(part.get(..room).unwrap_or(part));
        self.is_at_end = end;
    }

    /// Its text, as far as it is there and can be read.
    pub(super) fn beginning(&self) -> Cow<'_, [u8]> {
        if self.is_zipped { self.unzipped().0.into() } else { self.body.as_slice().into() }
    }

    /// Its text; none when that is longer than errors are, or could not be read to its end.
    pub(super) fn whole(&self) -> Option<Cow<'_, [u8]>> {
        if !self.is_at_end || self.is_longer {
            return None;
        }
        if !self.is_zipped {
            return Some(self.body.as_slice().into());
        }
        let (text, is_whole) = self.unzipped();
        is_whole.then(|| text.into())
    }

    /// And whether that is all.
    fn unzipped(&self) -> (Vec<u8>, bool) {
        let mut text = Vec::new();
        let most = u64::try_from(MOST).unwrap_or(u64::MAX);
        let read = GzDecoder::new(self.body.as_slice()).take(most).read_to_end(&mut text);
        let is_whole = read.is_ok() && text.len() < MOST;
        (text, is_whole)
    }
}

/// Whether a body is compressed; none when it is in a way that is not read here.
fn is_zipped(headers: &HeaderMap) -> Option<bool> {
    let mut codings = texts(headers, &header::CONTENT_ENCODING);
    match (codings.next().map(str::trim), codings.next()) {
        (None, _) => Some(false),
        (Some(only), None) if only.eq_ignore_ascii_case("identity") => Some(false),
        (Some(only), None) if only.eq_ignore_ascii_case("gzip") => Some(true),
        (Some(_), _) => None,
    }
}

impl Exchange {
    /// Begins a copy of the body behind `head`, if that is an error that is looked at: one that says it
    /// is FHIR, or one from behind a next proxy.
    pub(super) fn copy_error(&mut self, head: &ResponseHeader, told: &Head<'_>) {
        let is_looked_at = || observe::readable(told).is_some() || self.next_proxy().is_some();
        self.error = ErrorCopy::of(head).filter(|_| is_looked_at());
    }

    /// Copies a part of an error.
    pub(super) fn copy_error_part(&mut self, part: &[u8], end: bool) {
        if let Some(error) = &mut self.error {
            error.add(part, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn copy(coding: Option<&str>, parts: &[(&[u8], bool)]) -> Box<ErrorCopy> {
        let mut head = ResponseHeader::build(404, None).unwrap();
        if let Some(coding) = coding {
            head.append_header("Content-Encoding", coding).unwrap();
        }
        let mut copy = ErrorCopy::of(&head).unwrap();
        parts.iter().for_each(|(part, end)| copy.add(part, *end));
        copy
    }

    fn zipped(text: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn a_copy_is_bounded_and_whole_at_its_end() {
        let (most, gzip) = (vec![b' '; MOST], zipped(b"error"));
        let (cut, long) = (&gzip[..gzip.len() - 9], zipped(&vec![b' '; MOST]));
        for (name, coding, parts, beginning, whole) in [
            ("in parts", None, &[(&b"er"[..], false), (b"ror", true)][..], 5, Some(5)),
            ("not at its end", None, &[(b"error", false)], 5, None),
            ("empty", None, &[(b"", true)], 0, Some(0)),
            ("the longest", None, &[(&most, false), (b"", true)], MOST, Some(MOST)),
            ("one more", None, &[(&most, false), (b"x", true)], MOST, None),
            ("twice as long", None, &[(&most, false), (&most, true)], MOST, None),
            ("compressed", Some("gzip"), &[(&gzip, true)], 5, Some(5)),
            ("compressed and cut", Some("gzip"), &[(cut, true)], 4, None),
            ("long when opened", Some("gzip"), &[(&long, true)], MOST, None),
            ("not what it says", Some("gzip"), &[(b"error", true)], 0, None),
        ] {
            let copy = copy(coding, parts);
            if name != "compressed and cut" {
                assert_eq!(copy.beginning().len(), beginning, "{name}");
            }
            assert_eq!(copy.whole().map(|text| text.len()), whole, "{name}");
        }
        assert!(!format!("{:?}", copy(None, &[(b"secret", true)])).contains("secret"));
        let head = ResponseHeader::build(200, None).unwrap();
        assert!(ErrorCopy::of(&head).is_none(), "no error");
    }
}
