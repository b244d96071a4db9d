//! Text that a caller wrote and that may name a patient: paths, queries, claims.

use std::fmt;

/// A value that never prints itself: `Debug` shows its length only, and there is no `Display`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FromCaller<T>(T);

impl<T> FromCaller<T> {
    /// Wraps it.
    pub const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T: AsRef<str>> FromCaller<T> {
    /// The text. Only for what goes to the provider, to the caller itself, or into the journal.
    pub fn expose(&self) -> &str {
        self.0.as_ref()
    }
}

impl<T: AsRef<str>> fmt::Debug for FromCaller<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "[{} bytes from the caller]", self.expose().len())
    }
}

impl From<String> for FromCaller<Box<str>> {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for FromCaller<Box<str>> {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_wrote_never_prints_itself() {
        let text = FromCaller::new("Patient/9000000009");
        assert_eq!(format!("{text:?}"), "[18 bytes from the caller]");
        assert_eq!(text.expose(), "Patient/9000000009");
    }
}
