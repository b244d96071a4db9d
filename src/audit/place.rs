//! Where a record stands in the journal.

use std::{fmt, str::FromStr};

/// An epoch and a place in it: prints as `3/1204`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// Its number within the epoch, from 0, without gaps.
    pub seq: u64,
}

/// Why a text is no [`Place`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an epoch and a number in it, as in 3/1204")]
pub struct NotAPlace;

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.epoch, self.seq)
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let (epoch, seq) = text.split_once('/').ok_or(NotAPlace)?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<u64>().ok()).flatten().ok_or(NotAPlace)
        };
        Ok(Self { epoch: number(epoch)?, seq: number(seq)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_prints_as_it_is_read() {
        let place = Place { epoch: 3, seq: 1_204 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in ["", "3", "3/", "/4", "3/-1", "3/+1", "a/1", "1/2/3", "1/99999999999999999999"]
        {
            assert_eq!(text.parse::<Place>(), Err(NotAPlace), "{text}");
        }
    }
}
