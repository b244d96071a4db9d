//! What became of a header: present, left out, or present and unreadable.

/// A header as it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sent<T> {
    /// With this value.
    Value(T),
    /// Not sent.
    #[default]
    Absent,
    /// Sent, but unreadable.
    Faulty,
}

impl<T> Sent<T> {
    /// The value, if there is one.
    pub fn value(self) -> Option<T> {
        self.into()
    }

    /// A look at the value, if there is one.
    pub const fn as_value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Faulty => None,
        }
    }

    /// Whether it was left out.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether it was unreadable.
    pub const fn is_faulty(&self) -> bool {
        matches!(self, Self::Faulty)
    }
}

impl<T> From<Sent<T>> for Option<T> {
    fn from(sent: Sent<T>) -> Self {
        match sent {
            Sent::Value(value) => Some(value),
            Sent::Absent | Sent::Faulty => None,
        }
    }
}
