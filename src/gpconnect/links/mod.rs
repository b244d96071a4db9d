//! Stage 13, for consumers in assist mode: provider URLs in answers become gateway URLs, so that
//! whoever follows one comes back through the gateway (gp-connect 2, D13).
//!
//! An answer is rewritten as it passes, part by part. Only the values that FHIR means as links are
//! looked at ([`ELEMENTS`]), and only what stands under one of the practice's service roots changes:
//! every other byte leaves as it came. What is held back between two parts is shorter than the longest
//! service root written with escapes.
//!
//! An answer has some thousand texts and tags for each link, so they are not read one after the other.
//! A search leaps to what no link is without: the path that the service roots begin with, or an escape
//! that could hide it. What stands before it then tells whether it is in the value of a link. A scanner
//! walks byte by byte only where a part begins, and through what a leap led to.

mod json;
mod landmark;
mod url;
mod xml;

#[cfg(test)]
mod tests;

use crate::{media::Format, names::ServiceRoot};
use landmark::Landmarks;
use url::{Found, Pair, Reading, Step};

/// The elements whose values are links: `Bundle.entry.fullUrl`, `Bundle.link.url` and
/// `Attachment.url`, references, and the locations of a transaction's answer.
const ELEMENTS: [&[u8]; 4] = [b"fullUrl", b"url", b"reference", b"location"];

fn is_element(name: &[u8]) -> bool {
    ELEMENTS.contains(&name)
}

/// Which provider URLs become which gateway URLs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links(Vec<Pair>);

impl Links {
    /// Each service root with the gateway's address for it, which has no slash at its end either.
    pub fn new<'r>(roots: impl IntoIterator<Item = (&'r ServiceRoot, String)>) -> Self {
        let mut pairs: Vec<Pair> =
            roots.into_iter().map(|(root, gateway)| Pair::new(root, &gateway)).collect();
        // A root may be the beginning of another one.
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.root_length()));
        Self(pairs)
    }

    /// Whether there is nothing to rewrite.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The gateway's URL for `url`, the whole value of a `Location`; none where it leads elsewhere.
    pub fn of_url(&self, url: &str) -> Option<String> {
        let find = |pair: &Pair| match pair.find(Reading::new(url.as_bytes(), url::plain), true) {
            Found::Root(length) => Some([pair.gateway(), url.get(length..)?].concat()),
            Found::Other | Found::Unknown => None,
        };
        self.0.iter().find_map(find)
    }

    /// Whether `value`, as far as it is there, is one of them.
    fn find(&self, value: &[u8], step: Step) -> Verdict<'_> {
        for pair in &self.0 {
            match pair.find(Reading::new(value, step), false) {
                Found::Root(length) => return Verdict::Link(length, pair.gateway()),
                Found::Unknown => return Verdict::Unknown,
                Found::Other => {}
            }
        }
        Verdict::Other
    }
}

/// What is known of a value from its beginning.
enum Verdict<'l> {
    /// It stands under a service root, which is so many bytes long as it is written there.
    Link(usize, &'l str),
    Other,
    /// More of it is needed.
    Unknown,
}

enum Scanner {
    Json(json::Scanner),
    Xml(xml::Scanner),
}

impl Scanner {
    fn new(format: Format, landmarks: Landmarks) -> Self {
        match format {
            Format::Json => Self::Json(json::Scanner::new(landmarks)),
            Format::Xml => Self::Xml(xml::Scanner::new(landmarks)),
        }
    }

    /// Another part comes.
    fn begin(&mut self) {
        match self {
            Self::Json(scanner) => scanner.begin(),
            Self::Xml(scanner) => scanner.landmarks.begin(),
        }
    }

    /// The place behind the opening quote of the next link's value, at or behind `from`. None
    /// when there is no further one in `part`.
    fn next(&mut self, part: &[u8], from: usize) -> Option<usize> {
        match self {
            Self::Json(scanner) => scanner.next(part, from),
            Self::Xml(scanner) => scanner.next(part, from),
        }
    }

    const fn step(&self) -> Step {
        match self {
            Self::Json(_) => json::step,
            Self::Xml(_) => xml::step,
        }
    }
}

/// Rewrites one answer.
pub struct Rewriter {
    links: Links,
    scanner: Scanner,
    /// The beginning of a value that may be under a service root, if the last part ended in one.
    held: Option<Vec<u8>>,
}

/// Without what it holds, which is a provider's text.
impl std::fmt::Debug for Rewriter {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = self.held.as_ref().map_or(0, Vec::len);
        write!(out, "Rewriter({held} held)")
    }
}

impl Rewriter {
    /// For a body in `format`.
    pub fn new(links: Links, format: Format) -> Self {
        let scanner = Scanner::new(format, Landmarks::of(&links.0));
        Self { links, scanner, held: None }
    }

    /// Takes the next part of the body and writes to `out` what can leave.
    pub fn push(&mut self, part: &[u8], out: &mut Vec<u8>) {
        match self.held.take() {
            None => self.rewrite(part, false, out),
            Some(mut held) => {
                held.extend_from_slice(part);
                self.rewrite(&held, true, out);
            }
        }
    }

    /// Writes what was held back: the body is at its end, in the middle of a value or not.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held.take().unwrap_or_default());
    }

    /// Rewrites `part`; `in_value` says that it begins with the value of a link.
    fn rewrite(&mut self, part: &[u8], in_value: bool, out: &mut Vec<u8>) {
        // A gateway's address may be longer than a provider's.
        out.reserve(part.len() + part.len() / 16);
        self.scanner.begin();
        let mut written = 0;
        let mut value = if in_value { Some(0) } else { self.scanner.next(part, 0) };
        while let Some(start) = value {
            let text = part.get(start..).unwrap_or_default();
            let mut behind = start;
            match self.links.find(text, self.scanner.step()) {
                Verdict::Link(length, gateway) => {
                    behind += length;
                    out.extend_from_slice(part.get(written..start).unwrap_or_default());
                    out.extend_from_slice(gateway.as_bytes());
                    written = behind;
                }
                Verdict::Other => {}
                Verdict::Unknown => {
                    out.extend_from_slice(part.get(written..start).unwrap_or_default());
                    self.held = Some(text.to_vec());
                    return;
                }
            }
            value = self.scanner.next(part, behind);
        }
        out.extend_from_slice(part.get(written..).unwrap_or_default());
    }
}
