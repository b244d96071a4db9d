//! What a request says of caches: whether it takes an answer from memory, and how old a one
//! (RFC 9111, 5.2.1).

use std::time::Duration;

/// What kind of answer a request takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
    /// Any that the gateway finds good.
    #[default]
    Any,
    /// One at most this old.
    Younger(Duration),
    /// One that the provider gives, or confirms, now.
    New,
}

/// What a request that may be answered from memory says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes<'r> {
    /// What kind of answer it takes.
    pub demand: Demand,
    /// The lines of `If-None-Match`.
    pub if_none_match: Vec<&'r str>,
}

impl<'r> Wishes<'r> {
    /// Reads them from a whole head. None when memory is not to be asked at all: `no-store`, or a
    /// condition or a range that is for the provider to judge.
    pub fn read(head: impl Iterator<Item = (&'r str, &'r [u8])>) -> Option<Self> {
        const FOR_PROVIDERS: [&str; 5] =
            ["if-match", "if-modified-since", "if-range", "if-unmodified-since", "range"];
        let mut wishes = Self::default();
        let (mut control, mut pragma) = (None, false);
        for (name, value) in head {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("cache-control") {
                control.get_or_insert(Demand::Any);
                control = Some(strictest(control, directives(value)?));
            } else if is("pragma") {
                pragma |= value.trim_ascii().eq_ignore_ascii_case(b"no-cache");
            } else if is("if-none-match") {
                wishes.if_none_match.extend(str::from_utf8(value));
            } else if FOR_PROVIDERS.iter().any(|name| is(name)) {
                return None;
            }
        }
        // RFC 9111, 5.4: for those that know no Cache-Control.
        let old_fashioned = if pragma { Demand::New } else { Demand::Any };
        wishes.demand = control.unwrap_or(old_fashioned);
        Some(wishes)
    }
}

/// The demand of one `Cache-Control`; none for `no-store`.
fn directives(value: &[u8]) -> Option<Demand> {
    let mut demand = Demand::Any;
    for directive in value.split(|byte| *byte == b',') {
        let directive = str::from_utf8(directive).unwrap_or_default().trim();
        let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
        let is = |known: &str| name.trim().eq_ignore_ascii_case(known);
        if is("no-store") {
            return None;
        } else if is("no-cache") {
            demand = strictest(Some(demand), Demand::New);
        } else if is("max-age") {
            // One that can't be read is taken for the strictest.
            let seconds = argument.trim().trim_matches('"').parse().unwrap_or_default();
            demand = strictest(Some(demand), Demand::Younger(Duration::from_secs(seconds)));
        }
    }
    Some(demand)
}

fn strictest(one: Option<Demand>, other: Demand) -> Demand {
    match (one.unwrap_or_default(), other) {
        (Demand::New, _) | (_, Demand::New) => Demand::New,
        (Demand::Younger(one), Demand::Younger(other)) => Demand::Younger(one.min(other)),
        (Demand::Any, demand) | (demand, Demand::Any) => demand,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn younger(seconds: u64) -> Option<Demand> {
        Some(Demand::Younger(Duration::from_secs(seconds)))
    }

    #[test]
    fn a_request_says_what_it_takes() {
        for (name, head, expected) in [
            ("nothing", &[][..], Some(Demand::Any)),
            ("no-cache", &[("Cache-Control", "no-cache")], Some(Demand::New)),
            ("no-store", &[("cache-control", "max-age=60, No-Store")], None),
            ("an age", &[("Cache-Control", "max-age=60")], younger(60)),
            ("the lower age", &[("Cache-Control", "max-age=60, max-age=5")], younger(5)),
            (
                "in two lines",
                &[("Cache-Control", "max-age=60"), ("Cache-Control", "no-cache")],
                Some(Demand::New),
            ),
            ("an age that can't be read", &[("Cache-Control", "max-age=soon")], younger(0)),
            ("others", &[("Cache-Control", "no-transform, max-stale=60")], Some(Demand::Any)),
            ("old-fashioned", &[("Pragma", "no-cache")], Some(Demand::New)),
            (
                "old-fashioned beside the new",
                &[("Pragma", "no-cache"), ("Cache-Control", "max-age=60")],
                younger(60),
            ),
            ("a range", &[("Range", "bytes=0-1")], None),
            ("the provider's condition", &[("If-Modified-Since", "x")], None),
            ("another header", &[("Accept-Language", "cy")], Some(Demand::Any)),
        ] {
            let head = head.iter().map(|(name, value)| (*name, value.as_bytes()));
            assert_eq!(Wishes::read(head).map(|wishes| wishes.demand), expected, "{name}");
        }
    }

    #[test]
    fn tags_are_kept_as_they_stand() {
        let head = [
            ("If-None-Match", b"W/\"1\"".as_slice()),
            ("if-none-match", b"\xff"),
            ("If-None-Match", b"\"2\""),
        ];
        let wishes = Wishes::read(head.into_iter()).unwrap();
        assert_eq!(wishes.if_none_match, ["W/\"1\"", "\"2\""]);
    }

    proptest::proptest! {
        #[test]
        fn no_header_panics(name in "cache-control|pragma|range", value in ".{0,30}") {
            Wishes::read([(name.as_str(), value.as_bytes())].into_iter());
        }
    }
}
