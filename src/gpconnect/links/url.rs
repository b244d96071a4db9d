//! Whether a URL stands under a service root.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::names::ServiceRoot;

/// A service root and the gateway's address for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    root: ServiceRoot,
    /// How much of the root is scheme, host and port, where letters of either case are equal
    /// (RFC 3986, 6.2.2.1).
    origin: usize,
    /// Fit to stand in JSON and XML: what would need an escape is percent-encoded.
    gateway: Box<str>,
}

/// What the beginning of a value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The root, and behind it nothing or a path, query or fragment. It takes so many bytes.
    Root(usize),
    /// Anything else.
    Other,
    /// It is too short to tell.
    Unknown,
}

/// What stands next in a value, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A byte of its text.
    Byte(u8),
    /// Its end.
    End,
    /// Something that no URL of ours has: what it stands for does not matter.
    Strange,
}

/// What would need an escape in JSON or XML.
const UNFIT: &AsciiSet = &CONTROLS.add(b'"').add(b'<').add(b'&').add(b'\\');

const DEFAULT_PORT: &[u8] = b":443";

impl Pair {
    pub(super) fn new(root: &ServiceRoot, gateway: &str) -> Self {
        let origin = root.base().len() - root.path().len();
        let gateway = utf8_percent_encode(gateway, UNFIT).to_string();
        Self { root: root.clone(), origin, gateway: gateway.into() }
    }

    pub(super) fn root_length(&self) -> usize {
        self.root.base().len()
    }

    /// The path of the root, which its URLs have as it is, up to escapes.
    pub(super) fn path(&self) -> &str {
        self.root.path()
    }

    /// How far it stands behind the beginning of the root.
    pub(super) const fn path_at(&self) -> usize {
        self.origin
    }

    /// How far the path may stand behind the beginning of a URL without escapes.
    pub(super) const fn path_at_most(&self) -> usize {
        self.origin + DEFAULT_PORT.len()
    }

    pub(super) fn gateway(&self) -> &str {
        &self.gateway
    }

    /// Reads what `next` gives. When it gives no more and `whole` is
    /// not set, the value may go on.
    pub(super) fn find(&self, mut next: Reading<'_>, whole: bool) -> Found {
        let root = self.root.base().as_bytes();
        // Nearly all are written so.
        if let Some(mut rest) = next.past(root) {
            return until(rest.at, rest.next(), whole);
        }
        let short = if whole { Found::Other } else { Found::Unknown };
        let (origin, path) = root.split_at_checked(self.origin).unwrap_or((root, &[]));
        let mut behind = 0;
        let mut read = |expected: &[u8], folded: bool, next: &mut Reading<'_>| {
            for byte in expected {
                let Some((found, place)) = next.next() else { return Some(short) };
                behind = place;
                let same = matches!(found, Next::Byte(found) if found == *byte
                    || folded && found.eq_ignore_ascii_case(byte));
                if !same {
                    return Some(Found::Other);
                }
            }
            None
        };
        if let Some(found) = read(origin, true, &mut next) {
            return found;
        }
        if next.clone().next().is_some_and(|(next, _)| next == Next::Byte(b':'))
            && let Some(found) = read(DEFAULT_PORT, false, &mut next)
        {
            return found;
        }
        if let Some(found) = read(path, false, &mut next) {
            return found;
        }
        until(behind, next.next(), whole)
    }
}

/// Whether the root that reaches to `behind` ends there.
const fn until(behind: usize, next: Option<(Next, usize)>, whole: bool) -> Found {
    match next {
        Some((Next::End | Next::Byte(b'/' | b'?' | b'#'), _)) => Found::Root(behind),
        Some(_) => Found::Other,
        None if whole => Found::Root(behind),
        None => Found::Unknown,
    }
}

/// What stands at the beginning of a text, and how many bytes that takes; none when more of it is
/// needed. Each syntax has its own escapes.
pub(super) type Step = fn(&[u8]) -> Option<(Next, usize)>;

/// A text as its syntax means it: what stands in it, each with the place behind it.
#[derive(Clone)]
pub(super) struct Reading<'r> {
    text: &'r [u8],
    at: usize,
    step: Step,
}

impl<'r> Reading<'r> {
    pub(super) const fn new(text: &'r [u8], step: Step) -> Self {
        Self { text, at: 0, step }
    }

    /// What stands behind `literal`, which has nothing that an escape begins with, when it is written as
    /// it is.
    fn past(&self, literal: &[u8]) -> Option<Self> {
        let rest = self.text.get(self.at..)?;
        rest.starts_with(literal).then(|| Self { at: self.at + literal.len(), ..*self })
    }
}

impl Iterator for Reading<'_> {
    type Item = (Next, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let (next, length) = (self.step)(self.text.get(self.at..)?)?;
        self.at += length;
        Some((next, self.at))
    }
}

/// A text without escapes.
pub(super) fn plain(text: &[u8]) -> Option<(Next, usize)> {
    Some((Next::Byte(*text.first()?), 1))
}
