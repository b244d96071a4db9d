//! What no URL under a service root is without, unless it is written with escapes.

use memchr::memmem::Finder;

use super::url::Pair;

/// As much of a path as can be searched for in one go, and is rare enough.
const LENGTH: usize = 24;

/// The path that all service roots begin with: the practice's code and the version at least, for they are
/// those of one practice.
pub(super) struct Landmarks {
    path: Finder<'static>,
    /// How far it stands behind the beginning of a URL as nearly all are written,
    usual: usize,
    /// and of any without escapes, at most.
    within: usize,
    /// How long a service root is, at most.
    longest: usize,
    /// The next one in the part, as far as that is known.
    next: Option<usize>,
}

impl Landmarks {
    pub(super) fn of(pairs: &[Pair]) -> Self {
        let paths = || pairs.iter().map(|pair| pair.path().as_bytes());
        let common = paths().reduce(|one, other| {
            let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
            one.get(..same).unwrap_or_default()
        });
        let common = common.unwrap_or_default();
        let within = pairs.iter().map(Pair::path_at_most).max().unwrap_or_default();
        let longest = paths().map(<[u8]>::len).max().unwrap_or_default() + within;
        Self {
            path: Finder::new(common.get(..LENGTH).unwrap_or(common)).into_owned(),
            usual: pairs.first().map(Pair::path_at).unwrap_or_default(),
            within,
            longest,
            next: None,
        }
    }

    /// Where the URL begins whose path is at `place`, if it is written as nearly all are.
    pub(super) const fn url_at(&self, place: usize) -> Option<usize> {
        place.checked_sub(self.usual)
    }

    /// As [`Landmarks::within`].
    pub(super) const fn within(&self) -> usize {
        self.within
    }

    pub(super) const fn longest(&self) -> usize {
        self.longest
    }

    /// Another part comes.
    pub(super) const fn begin(&mut self) {
        self.next = None;
    }

    /// The next one in `part` at or behind `from`, or the end of it.
    pub(super) fn next(&mut self, part: &[u8], from: usize) -> usize {
        match self.next {
            Some(next) if next >= from => next,
            Some(_) | None => {
                let rest = part.get(from..).unwrap_or_default();
                let next = self.path.find(rest).map_or(part.len(), |place| from + place);
                self.next = Some(next);
                next
            }
        }
    }
}
