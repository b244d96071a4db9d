//! Short ASCII text held in place, so that the names that requests carry cost no allocation.

use arrayvec::ArrayString;

/// At most `N` ASCII bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Inline<const N: usize>(ArrayString<N>);

impl<const N: usize> Inline<N> {
    /// Holds `text` when it fits and each of its bytes is `allowed` (which must be ASCII).
    pub(super) fn new(text: &str, allowed: impl Fn(u8) -> bool) -> Option<Self> {
        let fits = text.bytes().all(|byte| byte.is_ascii() && allowed(byte));
        ArrayString::from(text).ok().filter(|_| fits).map(Self)
    }

    /// The text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes the traits that every plain (not patient) name shares.
macro_rules! plain_name {
    ($name:ident, $not:ident, $expected:literal) => {
        #[doc = concat!("Why a text was refused as a [`", stringify!($name), "`].")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        #[error($expected)]
        pub struct $not;

        impl $name {
            /// The text as it was read.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.pad(self.as_str())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(out, "{}({})", stringify!($name), self.as_str())
            }
        }
    };
}

pub(super) use plain_name;
