//! Reads JSON once, front to back, into borrowed values.
//!
//! Every value is read for itself, so that one of a wrong kind does not end the reading of the
//! others. What two parsers could read in two ways ends it: a name that stands twice in an object,
//! at any level, and values in each other deeper than any token needs.

mod names;
mod reader;

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use self::names::{Name, Others};
pub(super) use self::reader::{At, Odd, Reader};
use super::{
    fault::{CallersName, Found, TokenFault},
    given::{Given, Text},
};

/// What a JSON value must be to become `Self`. Each kind of value is of another kind unless it says
/// otherwise.
pub(super) trait Json<'t>: Sized {
    /// From a string.
    fn from_text(text: Cow<'t, str>) -> Given<Self> {
        Given::Other(Found::text(&text))
    }

    /// From a whole number.
    fn from_number(_: i64) -> Given<Self> {
        Given::Other(Found::Number)
    }

    /// From a list. Into a place, because these are large and moving them would cost more than
    /// reading them.
    fn from_list<A: SeqAccess<'t>>(
        list: A,
        at: At<'_>,
        place: &mut Given<Self>,
    ) -> Result<(), A::Error> {
        *place = Given::Other(Found::List);
        pass_list(list, at)
    }

    /// From an object.
    fn from_object<A: MapAccess<'t>>(
        object: A,
        at: At<'_>,
        place: &mut Given<Self>,
    ) -> Result<(), A::Error> {
        *place = Given::Other(Found::Object);
        pass_object(object, at)
    }
}

/// An object that is read for its syntax, its depth and its names only.
#[derive(Debug, PartialEq)]
pub(super) struct Object;

impl<'t> Json<'t> for Object {
    fn from_object<A: MapAccess<'t>>(
        object: A,
        at: At<'_>,
        place: &mut Given<Self>,
    ) -> Result<(), A::Error> {
        *place = Given::Value(Self);
        pass_object(object, at)
    }
}

/// A value that is read so.
struct Passed;

impl<'t> Json<'t> for Passed {
    fn from_text(_: Cow<'t, str>) -> Given<Self> {
        Given::Value(Self)
    }
}

fn pass_list<'t, A: SeqAccess<'t>>(mut list: A, mut at: At<'_>) -> Result<(), A::Error> {
    let mut passed = Given::<Passed>::Missing;
    while list.next_element_seed(Any { at: at.here(), place: &mut passed })?.is_some() {}
    Ok(())
}

fn pass_object<'t, A: MapAccess<'t>>(object: A, at: At<'_>) -> Result<(), A::Error> {
    each_member(object, at, |mut value| value.pass())
}

impl<'t> Json<'t> for Text<'t> {
    fn from_text(text: Cow<'t, str>) -> Given<Self> {
        Given::Value(Self(text))
    }
}

impl Json<'_> for i64 {
    fn from_number(number: i64) -> Given<Self> {
        Given::Value(number)
    }
}

/// The first entry of a list. Of a list with an entry of another kind nothing counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct First<T> {
    /// The entry; missing in an empty list.
    pub first: Given<T>,
}

impl<'t, T: Json<'t>> Json<'t> for First<T> {
    fn from_list<A: SeqAccess<'t>>(
        list: A,
        at: At<'_>,
        place: &mut Given<Self>,
    ) -> Result<(), A::Error> {
        let mut first = Given::Missing;
        let whole = entries(list, at, |entry| {
            if matches!(first, Given::Missing) {
                first = Given::Value(entry);
            }
        })?;
        *place = if whole { Given::Value(Self { first }) } else { Given::Other(Found::MixedList) };
        Ok(())
    }
}

/// Hands out the entries of a list and tells whether all were of the right kind. Nulls are passed
/// over: FHIR writes them where a companion list has an extension.
pub(super) fn entries<'t, T: Json<'t>, A: SeqAccess<'t>>(
    mut list: A,
    mut at: At<'_>,
    mut each: impl FnMut(T),
) -> Result<bool, A::Error> {
    let mut whole = true;
    for place in 0.. {
        at.reader.place = place;
        let mut entry = Given::Missing;
        if list.next_element_seed(Any { at: at.here(), place: &mut entry })?.is_none() {
            break;
        }
        match entry {
            Given::Value(entry) => each(entry),
            Given::Missing | Given::Null => {}
            Given::Other(_) => whole = false,
        }
    }
    Ok(whole)
}

/// The value of a member that was just named.
pub(super) struct Value<'v, 'r, A> {
    object: &'v mut A,
    pub(super) at: At<'r>,
    /// The name.
    pub(super) name: &'v str,
}

impl<'t, A: MapAccess<'t>> Value<'_, '_, A> {
    /// Reads it.
    pub(super) fn read<T: Json<'t>>(&mut self, place: &mut Given<T>) -> Result<(), A::Error> {
        self.object.next_value_seed(Any { at: self.at.here(), place })
    }

    /// Reads it for its syntax only.
    pub(super) fn pass(&mut self) -> Result<(), A::Error> {
        self.read::<Passed>(&mut Given::Missing)
    }
}

/// Hands out the members of an object, each with what `find` knows of its name: a number below 64
/// and a fact.
pub(super) fn members<'t, A: MapAccess<'t>, K>(
    mut object: A,
    mut at: At<'_>,
    find: impl Fn(&str) -> Option<(usize, K)>,
    mut each: impl FnMut(Option<K>, Value<'_, '_, A>) -> Result<(), A::Error>,
) -> Result<(), A::Error> {
    let mut known: u64 = 0;
    let mut others = Others::default();
    while let Some(Name(name)) = object.next_key::<Name<'t>>()? {
        let value = Value { object: &mut object, at: at.here(), name: &name };
        let twice = match find(&name) {
            Some((number, fact)) => {
                each(Some(fact), value)?;
                let bit = 1 << (number & 63);
                let was_there = known & bit != 0;
                known |= bit;
                was_there.then_some(name)
            }
            None => {
                each(None, value)?;
                others.insert(name).err()
            }
        };
        if let Some(name) = twice {
            let fault = TokenFault::NameTwice(at.reader.part, CallersName::new(&name));
            return Err(at.reader.broken(fault));
        }
    }
    Ok(())
}

/// Hands out the members of an object of which no name is known beforehand.
pub(super) fn each_member<'t, A: MapAccess<'t>>(
    object: A,
    at: At<'_>,
    mut each: impl FnMut(Value<'_, '_, A>) -> Result<(), A::Error>,
) -> Result<(), A::Error> {
    members(object, at, |_| None, |_: Option<()>, member| each(member))
}

/// Takes any JSON value and puts it into its place.
struct Any<'r, 'p, T> {
    at: At<'r>,
    place: &'p mut Given<T>,
}

impl<'t, T: Json<'t>> DeserializeSeed<'t> for Any<'_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        self.at.reader.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'t, T: Json<'t>> Visitor<'t> for Any<'_, '_, T> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'t str) -> Result<(), E> {
        *self.place = T::from_text(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        *self.place = T::from_text(Cow::Owned(text.to_owned()));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        *self.place = T::from_number(number);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        *self.place = i64::try_from(number).map_or(Given::Other(Found::Number), T::from_number);
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        *self.place = Given::Other(Found::Number);
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        *self.place = Given::Other(Found::Flag);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        *self.place = Given::Null;
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, list: A) -> Result<(), A::Error> {
        self.at.enter()?;
        T::from_list(list, self.at, self.place)
    }

    fn visit_map<A: MapAccess<'t>>(mut self, object: A) -> Result<(), A::Error> {
        self.at.enter()?;
        T::from_object(object, self.at, self.place)
    }
}

/// Reads the JSON text of `reader`'s part, which has to be one object.
///
/// # Errors
/// What is wrong with it as a whole.
pub(super) fn read<'t, T: Json<'t>>(bytes: &'t [u8], reader: &mut Reader) -> Result<T, TokenFault> {
    let part = reader.part;
    let Ok(text) = str::from_utf8(bytes) else { return Err(TokenFault::NotText(part)) };
    let mut json = serde_json::Deserializer::from_str(text);
    let mut given = Given::Missing;
    let read = Any { at: reader.top(), place: &mut given }.deserialize(&mut json);
    if let Err(error) = read.and_then(|()| json.end()) {
        let broken = reader.broken.take();
        return Err(broken.unwrap_or_else(|| TokenFault::NotJson(part, column(text, &error))));
    }
    match given {
        Given::Value(value) => Ok(value),
        Given::Missing | Given::Null | Given::Other(_) => {
            Err(TokenFault::NotAnObject(part, given.instead().unwrap_or(Found::Missing)))
        }
    }
}

/// Which character of the whole text the parser stumbled over, counted from 1.
fn column(text: &str, error: &serde_json::Error) -> usize {
    let before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    before.map(str::len).sum::<usize>() + error.column()
}

#[cfg(test)]
mod tests;
