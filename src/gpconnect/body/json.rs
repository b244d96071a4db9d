//! The reader of JSON bodies.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use super::{DEEPEST, NOT_TEXT, Part, REPEATED, TOO_DEEP, Unreadable};
use crate::patients::{Found, is_nhs_number_system};

const NOT_JSON: Unreadable = "it is not JSON";

/// Finds the patients in a JSON document.
///
/// # Errors
/// For what is not one well-formed value, and for what parsers read differently.
pub(super) fn read(text: &str) -> Result<Found, Unreadable> {
    let mut walk = Walk::default();
    let mut parser = serde_json::Deserializer::from_str(text);
    let read = Node(&mut walk).deserialize(&mut parser).and_then(|_| parser.end());
    match read {
        Ok(()) => Ok(walk.found),
        Err(_) => Err(walk.fault.unwrap_or(NOT_JSON)),
    }
}

#[derive(Default)]
struct Walk<'d> {
    found: Found,
    depth: usize,
    /// The names of all open objects, the innermost object's last.
    names: Vec<Cow<'d, str>>,
    /// Why the walk was broken off.
    fault: Option<Unreadable>,
}

impl<'d> Walk<'d> {
    fn stop<T, E: Error>(&mut self, fault: Unreadable) -> Result<T, E> {
        self.fault = Some(fault);
        Err(E::custom(fault))
    }

    fn enter<E: Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > DEEPEST { self.stop(TOO_DEEP) } else { Ok(()) }
    }

    /// Ends an object whose names stand behind the first `outer` ones. Sorting finds what stands
    /// twice in far less time than comparing each with each would take.
    fn leave_object<E: Error>(&mut self, outer: usize) -> Result<(), E> {
        let names = self.names.get_mut(outer..).unwrap_or_default();
        names.sort_unstable();
        if names.windows(2).any(|pair| matches!(pair, [one, next] if one == next)) {
            return self.stop(REPEATED);
        }
        self.names.truncate(outer);
        self.depth -= 1;
        Ok(())
    }

    /// Takes note of an object's `system` and `value`.
    fn note<E: Error>(&mut self, system: Scalar<'d>, value: Scalar<'d>) -> Result<(), E> {
        let Scalar::Text(system) = system else {
            return if matches!(system, Scalar::Null) { Ok(()) } else { self.stop(NOT_TEXT) };
        };
        if !is_nhs_number_system(&system) {
            return Ok(());
        }
        match value {
            Scalar::Null => {}
            Scalar::Text(text) => self.found.note(&text),
            // Lenient parsers take its digits for text.
            Scalar::Whole(number) => self.found.note(&number.to_string()),
            Scalar::Other => return self.stop(NOT_TEXT),
        }
        Ok(())
    }
}

/// What a value is, as far as an identifier may hold it.
enum Scalar<'d> {
    Text(Cow<'d, str>),
    Whole(u64),
    /// Null counts as absent.
    Null,
    Other,
}

/// Any value, with all that is in it.
struct Node<'w, 'd>(&'w mut Walk<'d>);

impl<'d> DeserializeSeed<'d> for Node<'_, 'd> {
    type Value = Scalar<'d>;

    fn deserialize<D: Deserializer<'d>>(self, parser: D) -> Result<Scalar<'d>, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'d> Visitor<'d> for Node<'_, 'd> {
    type Value = Scalar<'d>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'d str) -> Result<Scalar<'d>, E> {
        Ok(Scalar::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'d>, E> {
        Ok(Scalar::Text(text.to_owned().into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar<'d>, E> {
        Ok(Scalar::Whole(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Scalar<'d>, E> {
        Ok(Scalar::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar<'d>, E> {
        Ok(Scalar::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar<'d>, E> {
        Ok(Scalar::Other)
    }

    fn visit_unit<E>(self) -> Result<Scalar<'d>, E> {
        Ok(Scalar::Null)
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut list: A) -> Result<Scalar<'d>, A::Error> {
        self.0.enter()?;
        while list.next_element_seed(Node(self.0))?.is_some() {}
        self.0.depth -= 1;
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'d>>(self, mut object: A) -> Result<Scalar<'d>, A::Error> {
        let walk = self.0;
        walk.enter()?;
        let outer = walk.names.len();
        let (mut system, mut value) = (Scalar::Null, Scalar::Null);
        while let Some(name) = object.next_key_seed(Name)? {
            let part = match Part::named(&name) {
                Ok(part) => part,
                Err(fault) => return walk.stop(fault),
            };
            let read = object.next_value_seed(Node(walk))?;
            match part {
                Some(Part::System) => system = read,
                Some(Part::Value) => value = read,
                None => {}
            }
            walk.names.push(name);
        }
        walk.leave_object(outer)?;
        walk.note(system, value)?;
        Ok(Scalar::Other)
    }
}

/// The name of a member, borrowed where it holds no escapes.
struct Name;

impl<'d> DeserializeSeed<'d> for Name {
    type Value = Cow<'d, str>;

    fn deserialize<D: Deserializer<'d>>(self, parser: D) -> Result<Cow<'d, str>, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<'d> Visitor<'d> for Name {
    type Value = Cow<'d, str>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, text: &'d str) -> Result<Cow<'d, str>, E> {
        Ok(text.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'d, str>, E> {
        Ok(text.to_owned().into())
    }
}
