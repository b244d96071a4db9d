//! The names of an object.

use std::{borrow::Cow, fmt, marker::PhantomData};

use foldhash::fast::RandomState;
use hashbrown::HashSet;
use serde::de::{Deserialize, Deserializer, Visitor};

/// Names that are not known: a short list, then a set, so that a token full of them costs no more
/// than its length.
#[derive(Default)]
pub(super) struct Others<'t> {
    few: Vec<Cow<'t, str>>,
    many: Option<HashSet<Cow<'t, str>, RandomState>>,
}

impl<'t> Others<'t> {
    const FEW: usize = 8;

    /// Adds a name; gives it back if it is there already.
    pub(super) fn insert(&mut self, name: Cow<'t, str>) -> Result<(), Cow<'t, str>> {
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
pub(super) struct Name<'t>(pub(super) Cow<'t, str>);

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
