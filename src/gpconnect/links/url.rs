//! Whether a URL stands under a service root.

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

const DEFAULT_PORT: &[u8] = b":443";

impl Pair {
    pub(super) fn new(root: &ServiceRoot, gateway: &str) -> Self {
        let origin = root.base().len() - root.path().len();
        let gateway = gateway.replace('"', "%22").replace('<', "%3C").replace('&', "%26");
        Self { root: root.clone(), origin, gateway: gateway.replace('\\', "%5C").into() }
    }

    pub(super) fn root_length(&self) -> usize {
        self.root.base().len()
    }

    pub(super) fn gateway(&self) -> &str {
        &self.gateway
    }

    /// Reads what `next` gives, each with the place behind it. When it gives no more and `whole` is
    /// not set, the value may go on.
    pub(super) fn find(
        &self,
        next: impl Iterator<Item = (Next, usize)> + Clone,
        whole: bool,
    ) -> Found {
        let short = if whole { Found::Other } else { Found::Unknown };
        let root = self.root.base().as_bytes();
        let (origin, path) = root.split_at_checked(self.origin).unwrap_or((root, &[]));
        let mut next = next;
        let mut behind = 0;
        let mut read = |expected: &[u8], folded: bool, next: &mut _| {
            for byte in expected {
                let Some((found, place)) = Iterator::next(next) else { return Some(short) };
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
        match next.next() {
            Some((Next::End | Next::Byte(b'/' | b'?' | b'#'), _)) => Found::Root(behind),
            Some(_) => Found::Other,
            None if whole => Found::Root(behind),
            None => Found::Unknown,
        }
    }
}

/// A text without escapes.
pub(super) fn plain(text: &[u8]) -> impl Iterator<Item = (Next, usize)> + Clone {
    text.iter().zip(1..).map(|(byte, behind)| (Next::Byte(*byte), behind))
}
