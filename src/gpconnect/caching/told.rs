//! How a request fared with the cache, in one word for log, metrics and journal, and as
//! `Cache-Status` for its consumer (RFC 9211).

/// How a request of an interaction that may be kept fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Use {
    /// Answered from memory.
    Hit,
    /// Answered from memory although no longer fresh.
    Stale,
    /// The same; and the provider was asked again as this request.
    Refresh,
    /// The provider was asked as this request, and confirmed what was in memory.
    Revalidated,
    /// The provider was asked as this request.
    Miss,
    /// Answered by what another request asked the provider at that time.
    Shared,
    /// Sent on as if there were no cache.
    Bypass,
}

impl Use {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Hit,
        Self::Stale,
        Self::Refresh,
        Self::Revalidated,
        Self::Miss,
        Self::Shared,
        Self::Bypass,
    ];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Refresh => "refresh",
            Self::Revalidated => "revalidated",
            Self::Miss => "miss",
            Self::Shared => "shared",
            Self::Bypass => "bypass",
        }
    }
}

/// The member of `Cache-Status` for it. `left` are the seconds that what is in memory is still
/// fresh, below zero when it is not; none when nothing was kept.
pub fn status(how: Use, left: Option<i64>) -> String {
    let how = match how {
        Use::Hit | Use::Stale | Use::Refresh => "hit",
        Use::Revalidated => "fwd=stale; fwd-status=304",
        Use::Miss => "fwd=miss",
        Use::Shared => "fwd=miss; collapsed",
        Use::Bypass => "fwd=bypass",
    };
    let stored = if left.is_some() && how != "hit" { "; stored" } else { "" };
    let ttl = left.map(|left| format!("; ttl={left}")).unwrap_or_default();
    ["gpconnect-gateway; ", how, stored, &ttl].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9211, 2.
    #[test]
    fn a_consumer_is_told_how_its_answer_came() {
        for (how, left, expected) in [
            (Use::Hit, Some(600), "gpconnect-gateway; hit; ttl=600"),
            (Use::Stale, Some(-12), "gpconnect-gateway; hit; ttl=-12"),
            (Use::Refresh, Some(0), "gpconnect-gateway; hit; ttl=0"),
            (
                Use::Revalidated,
                Some(900),
                "gpconnect-gateway; fwd=stale; fwd-status=304; stored; ttl=900",
            ),
            (Use::Miss, Some(900), "gpconnect-gateway; fwd=miss; stored; ttl=900"),
            (Use::Miss, None, "gpconnect-gateway; fwd=miss"),
            (Use::Shared, Some(900), "gpconnect-gateway; fwd=miss; collapsed; stored; ttl=900"),
            (Use::Bypass, None, "gpconnect-gateway; fwd=bypass"),
        ] {
            assert_eq!(status(how, left), expected);
        }
    }

    #[test]
    fn words_are_unique() {
        for one in Use::ALL {
            assert_eq!(Use::ALL.iter().filter(|other| other.as_str() == one.as_str()).count(), 1);
        }
    }
}
