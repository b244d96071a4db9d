//! What became of a header or a claim: present, left out, or present and unreadable.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A header or a claim as it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sent<T> {
    /// With this value.
    Value(T),
    /// Not sent. A claim that is null counts as missing (gp-connect 7.2).
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

impl<T> Sent<Vec<T>> {
    /// The elements of a list, none when there is no list.
    pub fn items(&self) -> &[T] {
        self.as_value().map(Vec::as_slice).unwrap_or_default()
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

/// What a JSON value must be to become `Self`. Each kind of value is refused unless it says
/// otherwise, so that one claim of a wrong type does not end the reading of the others.
pub(crate) trait FromJson<'de>: Sized {
    /// From a string.
    fn from_text(_: Cow<'de, str>) -> Option<Self> {
        None
    }

    /// From a whole number.
    fn from_number(_: i64) -> Option<Self> {
        None
    }

    /// From a list.
    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Sent<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Sent::Faulty)
    }

    /// From an object.
    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Sent<Self>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Sent::Faulty)
    }
}

impl FromJson<'_> for i64 {
    fn from_number(number: i64) -> Option<Self> {
        Some(number)
    }
}

/// A list is faulty when one of its elements is.
impl<'de, T: FromJson<'de>> FromJson<'de> for Vec<T> {
    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Sent<Self>, A::Error> {
        let mut values = Self::new();
        let mut whole = true;
        while let Some(element) = list.next_element::<Sent<T>>()? {
            match element {
                Sent::Value(value) => values.push(value),
                Sent::Absent | Sent::Faulty => whole = false,
            }
        }
        Ok(if whole { Sent::Value(values) } else { Sent::Faulty })
    }
}

impl<'de, T: FromJson<'de>> Deserialize<'de> for Sent<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData))
    }
}

/// Takes any JSON value.
struct Any<T>(PhantomData<T>);

impl<T> From<Option<T>> for Sent<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Faulty, Self::Value)
    }
}

impl<'de, T: FromJson<'de>> Visitor<'de> for Any<T> {
    type Value = Sent<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Sent<T>, E> {
        Ok(T::from_text(Cow::Borrowed(text)).into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Sent<T>, E> {
        Ok(T::from_text(Cow::Owned(text.to_owned())).into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Sent<T>, E> {
        Ok(T::from_number(number).into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Sent<T>, E> {
        Ok(i64::try_from(number).ok().and_then(T::from_number).into())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Sent<T>, E> {
        Ok(Sent::Faulty)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Sent<T>, E> {
        Ok(Sent::Faulty)
    }

    fn visit_unit<E>(self) -> Result<Sent<T>, E> {
        Ok(Sent::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Sent<T>, A::Error> {
        T::from_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Sent<T>, A::Error> {
        T::from_object(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_json_value_is_taken() {
        let number = |json: &str| serde_json::from_str::<Sent<i64>>(json).unwrap();
        let list = |json: &str| serde_json::from_str::<Sent<Vec<i64>>>(json).unwrap();
        assert_eq!(number("-7"), Sent::Value(-7));
        assert_eq!(number("null"), Sent::Absent);
        for faulty in ["7.5", "9223372036854775808", "\"7\"", "true", "[7]", "{\"a\":{\"b\":[]}}"] {
            assert_eq!(number(faulty), Sent::Faulty, "{faulty}");
        }
        assert_eq!(list("[1,2]"), Sent::Value(vec![1, 2]));
        assert_eq!(list("[]"), Sent::Value(vec![]));
        for faulty in ["[1,\"2\"]", "[1,null]", "1", "{}"] {
            assert_eq!(list(faulty), Sent::Faulty, "{faulty}");
        }
    }
}
