//! Reads JSON once, front to back, into borrowed values.
//!
//! Every value is read for itself, so that one of a wrong kind does not end the reading of the
//! others. What two parsers could read in two ways ends it: a name that stands twice in an object,
//! at any level, and values in each other deeper than any token needs.

use std::{borrow::Cow, fmt, marker::PhantomData};

use foldhash::fast::RandomState;
use hashbrown::HashSet;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{
    elements::{NEITHER, Versions},
    fault::{CallersName, ElementFault, Found, Part, ResourceFault, TokenFault},
};
use crate::contract::Claim;

/// A claim or an element as it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Given<T> {
    /// With this value.
    Value(T),
    /// Not sent.
    #[default]
    Missing,
    /// `null`, which counts as missing (gp-connect 7.2).
    Null,
    /// Something of another kind.
    Other(Found),
}

impl<T> Given<T> {
    /// The value, if there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Missing | Self::Null | Self::Other(_) => None,
        }
    }

    pub(super) fn map<U>(self, change: impl FnOnce(Self) -> U) -> Given<U> {
        match self {
            Self::Value(_) => Given::Value(change(self)),
            Self::Missing => Given::Missing,
            Self::Null => Given::Null,
            Self::Other(found) => Given::Other(found),
        }
    }

    /// What is there instead of a value.
    pub(super) const fn instead(&self) -> Option<Found> {
        match self {
            Self::Value(_) => None,
            Self::Missing => Some(Found::Missing),
            Self::Null => Some(Found::Null),
            Self::Other(found) => Some(*found),
        }
    }
}

/// A string, borrowed from the token where it holds no escapes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text<'t>(pub(super) Cow<'t, str>);

/// Without the text: tokens name people.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Text({} bytes)", self.0.len())
    }
}

impl Text<'_> {
    /// The text. Only for what goes to the provider, to the caller itself, or into the journal.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it but blanks.
    pub(super) fn is_blank(&self) -> bool {
        self.0.chars().all(char::is_whitespace)
    }
}

impl Given<Text<'_>> {
    /// The text, unless there is none or nothing but blanks.
    pub fn text(&self) -> Option<&str> {
        self.value().filter(|text| !text.is_blank()).map(Text::expose)
    }

    /// What is there instead of a text.
    pub(super) fn instead_of_text(&self) -> Option<Found> {
        match self {
            Self::Value(text) => text.is_blank().then_some(Found::Empty),
            Self::Missing | Self::Null | Self::Other(_) => self.instead(),
        }
    }
}

/// Lists and objects in each other that a token may have: a claim, a resource, a list, an object of
/// it, and extensions in those.
const MAX_DEPTH: u8 = 16;

/// Values that a token may have, however they are arranged: ten times what one needs, and few
/// enough that the most hostile one is read in a tenth of a millisecond.
const MAX_VALUES: usize = 500;

/// Undeclared elements and odd shapes of one claim that are told singly.
const MAX_ODD: usize = 8;

/// Something in a resource that is no FHIR, unless the version is one of these.
#[derive(Debug)]
pub(super) struct Odd<F> {
    pub(super) claim: Claim,
    pub(super) versions: Versions,
    pub(super) fault: F,
}

/// What is noticed while reading.
#[derive(Debug)]
pub(super) struct Reader {
    part: Part,
    values: usize,
    /// What ended the reading, if it was not the syntax.
    pub(super) broken: Option<TokenFault>,
    /// Elements that FHIR does not have.
    pub(super) elements: Vec<Odd<ElementFault>>,
    /// Elements of a wrong type.
    pub(super) shapes: Vec<Odd<ResourceFault>>,
    /// Which claim the resource that is read stands in.
    pub(super) claim: Claim,
    /// Where in a list the reading is.
    pub(super) place: usize,
}

impl Reader {
    pub(super) const fn new(part: Part) -> Self {
        Self {
            part,
            values: 0,
            broken: None,
            elements: Vec::new(),
            shapes: Vec::new(),
            claim: Claim::RequestingDevice,
            place: 0,
        }
    }

    /// The start of the text.
    pub(super) const fn top(&mut self) -> At<'_> {
        At { reader: self, depth: 0 }
    }

    /// Counts a value that is about to be read.
    fn count<E: Error>(&mut self) -> Result<(), E> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(self.broken(TokenFault::TooMany(self.part, MAX_VALUES)));
        }
        Ok(())
    }

    fn broken<E: Error>(&mut self, fault: TokenFault) -> E {
        self.broken = Some(fault);
        E::custom("")
    }

    /// Takes note of an element that only `versions` have: the first ones in full, then their
    /// number.
    pub(super) fn note_element(
        &mut self,
        versions: Versions,
        fault: impl FnOnce() -> ElementFault,
    ) {
        let claim = self.claim;
        let same = |odd: &&mut Odd<ElementFault>| odd.claim == claim;
        let Some(last) = self.elements.iter_mut().filter(same).nth(MAX_ODD) else {
            self.elements.push(Odd { claim, versions, fault: fault() });
            return;
        };
        let more = if let ElementFault::More(more) = last.fault { more } else { 1 };
        *last = Odd { claim, versions: NEITHER, fault: ElementFault::More(more + 1) };
    }

    /// Takes note of an element of a wrong type: the first ones in full, then their number.
    pub(super) fn note_shape(&mut self, fault: ResourceFault) {
        let claim = self.claim;
        let same = |odd: &&mut Odd<ResourceFault>| odd.claim == claim;
        let Some(last) = self.shapes.iter_mut().filter(same).nth(MAX_ODD) else {
            self.shapes.push(Odd { claim, versions: NEITHER, fault });
            return;
        };
        let more = if let ResourceFault::MoreShapes(more) = last.fault { more } else { 1 };
        last.fault = ResourceFault::MoreShapes(more + 1);
    }
}

/// Where the reading stands.
#[derive(Debug)]
pub(super) struct At<'r> {
    pub(super) reader: &'r mut Reader,
    depth: u8,
}

impl At<'_> {
    /// The same place for a shorter time.
    pub(super) const fn here(&mut self) -> At<'_> {
        At { reader: self.reader, depth: self.depth }
    }

    fn enter<E: Error>(&mut self) -> Result<(), E> {
        if self.depth == MAX_DEPTH {
            let fault = TokenFault::TooDeep(self.reader.part, MAX_DEPTH);
            return Err(self.reader.broken(fault));
        }
        self.depth += 1;
        Ok(())
    }
}

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

/// A value that is read for its syntax, its depth and its names only.
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
    members(object, at, |_| None, |_: Option<()>, mut value| value.pass())
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

/// Names that are not known: a short list, then a set, so that a token full of them costs no more
/// than its length.
#[derive(Default)]
struct Others<'t> {
    few: Vec<Cow<'t, str>>,
    many: Option<HashSet<Cow<'t, str>, RandomState>>,
}

impl<'t> Others<'t> {
    const FEW: usize = 8;

    /// Adds a name; gives it back if it is there already.
    fn insert(&mut self, name: Cow<'t, str>) -> Result<(), Cow<'t, str>> {
        if self.few.contains(&name) || self.many.as_ref().is_some_and(|many| many.contains(&name)) {
            return Err(name);
        }
        if self.few.len() < Self::FEW {
            self.few.push(name);
        } else {
            self.many.get_or_insert_default().insert(name);
        }
        Ok(())
    }
}

/// A member's name.
struct Name<'t>(Cow<'t, str>);

impl<'de: 't, 't> Deserialize<'de> for Name<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named<'t>(PhantomData<&'t ()>);
        impl<'de: 't, 't> Visitor<'de> for Named<'t> {
            type Value = Name<'t>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'t>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Name<'t>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Named(PhantomData))
    }
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
mod tests {
    use super::*;

    /// Any object at all.
    #[derive(Debug, PartialEq)]
    struct Object;

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

    fn fault(text: &str) -> Option<TokenFault> {
        read::<Object>(text.as_bytes(), &mut Reader::new(Part::Claims)).err()
    }

    /// gp-connect 7.1: a JSON object without duplicate names, at any level; nesting is bound.
    #[test]
    fn what_two_parsers_could_read_in_two_ways_is_refused() {
        use Part::Claims;
        let nested = |lists: usize| format!("{{\"a\":{}{}}}", "[".repeat(lists), "]".repeat(lists));
        for (name, text, expected) in [
            ("good", r#"{"a":1,"b":[{"a":1},{"a":2}]} "#.into(), None),
            (
                "twice",
                r#"{"ab":1,"ab":1}"#.into(),
                Some(TokenFault::NameTwice(Claims, CallersName::new("ab"))),
            ),
            (
                "once escaped",
                r#"{"ab":1,"\u0061b":1}"#.into(),
                Some(TokenFault::NameTwice(Claims, CallersName::new("ab"))),
            ),
            (
                "inside",
                r#"{"a":[{"b":{"c":1,"c":2}}]}"#.into(),
                Some(TokenFault::NameTwice(Claims, CallersName::new("c"))),
            ),
            (
                "without a letter",
                r#"{"":1,"":1}"#.into(),
                Some(TokenFault::NameTwice(Claims, CallersName::new(""))),
            ),
            ("other case", r#"{"a":1,"A":1}"#.into(), None),
            ("15 lists", nested(15), None),
            ("16 lists", nested(16), Some(TokenFault::TooDeep(Claims, 16))),
            ("12,000 lists", "[".repeat(12_000), Some(TokenFault::TooDeep(Claims, 16))),
            ("500 values", format!("{{\"a\":[{}0]}}", "0,".repeat(497)), None),
            (
                "501 values",
                format!("{{\"a\":[{}0]}}", "0,".repeat(498)),
                Some(TokenFault::TooMany(Claims, 500)),
            ),
            ("nothing", String::new(), Some(TokenFault::NotJson(Claims, 0))),
            ("more behind", "{}x".into(), Some(TokenFault::NotJson(Claims, 3))),
            ("broken off", "{\n\"a\":".into(), Some(TokenFault::NotJson(Claims, 6))),
            ("a list", "[]".into(), Some(TokenFault::NotAnObject(Claims, Found::List))),
            ("null", "null".into(), Some(TokenFault::NotAnObject(Claims, Found::Null))),
            ("a string", "\"ab\"".into(), Some(TokenFault::NotAnObject(Claims, Found::Text(2)))),
        ] {
            assert_eq!(fault(&text), expected, "{name}");
        }
        let reader = &mut Reader::new(Claims);
        assert_eq!(read::<Object>(b"{\"\xff\":1}", reader), Err(TokenFault::NotText(Claims)));
    }

    /// gp-connect 7.1: also a name that is the same as one of many.
    #[test]
    fn a_name_is_seen_twice_among_many() {
        let object = |last: usize| {
            let names: Vec<_> =
                (0..400).chain([last]).map(|name| format!("\"n{name}\":0")).collect();
            format!("{{{}}}", names.join(","))
        };
        assert_eq!(fault(&object(400)), None);
        for twice in [0, 7, 8, 9, 399] {
            assert!(matches!(fault(&object(twice)), Some(TokenFault::NameTwice(..))), "{twice}");
        }
    }

    proptest::proptest! {
        /// gp-connect 7.1: what the whole parser takes, and no other text, is read.
        #[test]
        fn json_is_what_serde_takes(text in r#"[{}\[\],:"a0 ]{0,16}"#) {
            let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
            let read = fault(&text);
            let twice = matches!(read, Some(TokenFault::NameTwice(..)));
            proptest::prop_assert!(twice || read.is_none() == is_object.is_ok(), "{text}: {read:?}");
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let read = read::<Object>(&bytes, &mut Reader::new(Part::Header));
            let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
            proptest::prop_assert!(read.is_err() || is_object);
        }
    }
}
