//! What arrived: the facts of one request that the decision may look at.

use std::fmt;

use crate::{
    policy::ConsumerIndex,
    token::access::{AccessFault, AccessToken},
};

/// A moment, in whole seconds since 1970 UTC, as tokens count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixSeconds(pub i64);

/// One request as the decision sees it. Time and randomness are facts too. It has no `Debug`: it
/// holds all that a caller wrote.
#[derive(Clone, Copy)]
pub struct RequestFacts<'r> {
    /// The method as it was sent.
    pub method: &'r str,
    /// The request target in origin form, path and query, as it was sent.
    pub target: &'r str,
    /// The header fields that matter.
    pub fields: &'r Fields<'r>,
    /// The systems that the caller may be, by its certificate or by its listener.
    pub candidates: &'r [ConsumerIndex],
    /// The SHA-256 of the certificate that the caller came with.
    pub certificate: Option<&'r [u8; 32]>,
    /// What became of the access token whose signature was checked. It has to be there when one of
    /// the candidates sends access tokens and this request has one.
    pub access: Option<&'r Result<AccessToken, AccessFault>>,
    /// When it arrived.
    pub now: UnixSeconds,
    /// Sixteen random bytes of its own: a trace id, should it lack one.
    pub random: [u8; 16],
    /// The longest `Authorization` header that is read, in bytes.
    pub token_limit: usize,
}

/// How often a single-valued header stood in the head.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Field<'r> {
    /// Not at all.
    #[default]
    Absent,
    /// Once.
    One(&'r [u8]),
    /// Several times.
    Many,
}

/// Without the value, which may be a token.
impl fmt::Debug for Field<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => out.write_str("Absent"),
            Self::One(value) => write!(out, "One({} bytes)", value.len()),
            Self::Many => out.write_str("Many"),
        }
    }
}

impl<'r> Field<'r> {
    fn add(&mut self, value: &'r [u8]) {
        *self = if *self == Self::Absent { Self::One(value) } else { Self::Many };
    }

    /// The only value, when it is text.
    pub fn text(self) -> Option<&'r str> {
        match self {
            Self::One(value) => str::from_utf8(value).ok(),
            Self::Absent | Self::Many => None,
        }
    }
}

/// The header fields that the decision looks at, gathered in one pass over the head.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<'r> {
    /// `Ssp-TraceID`.
    pub trace_id: Field<'r>,
    /// `Ssp-From`.
    pub from: Field<'r>,
    /// `Ssp-To`.
    pub to: Field<'r>,
    /// `Ssp-InteractionID`.
    pub interaction_id: Field<'r>,
    /// `Authorization`.
    pub authorization: Field<'r>,
    /// `If-Match`.
    pub if_match: Field<'r>,
    /// `Content-Type`.
    pub content_type: Field<'r>,
    /// `Content-Encoding`.
    pub content_encoding: Field<'r>,
    /// `Accept`, which may be repeated.
    pub accept: Accept<'r>,
}

/// The values of `Accept`. Several stand for one list (RFC 9110, 5.3); no client sends more than
/// these.
#[derive(Clone, Copy, Default)]
pub struct Accept<'r>([Option<&'r [u8]>; 4]);

impl<'r> Accept<'r> {
    fn add(&mut self, value: &'r [u8]) {
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = Some(value);
        }
    }

    /// The values that are text, in their order.
    pub fn texts(&self) -> impl Iterator<Item = &'r str> {
        self.0.into_iter().flatten().filter_map(|value| str::from_utf8(value).ok())
    }
}

/// Without the values.
impl fmt::Debug for Accept<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Accept({} values)", self.0.iter().flatten().count())
    }
}

impl<'r> Fields<'r> {
    /// Takes note of one header; those that do not matter are passed over.
    pub fn note(&mut self, name: &str, value: &'r [u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let field = match name.len() {
            6 if is("Ssp-To") => &mut self.to,
            6 if is("Accept") => {
                self.accept.add(value);
                return;
            }
            8 if is("Ssp-From") => &mut self.from,
            8 if is("If-Match") => &mut self.if_match,
            11 if is("Ssp-TraceID") => &mut self.trace_id,
            12 if is("Content-Type") => &mut self.content_type,
            13 if is("Authorization") => &mut self.authorization,
            16 if is("Content-Encoding") => &mut self.content_encoding,
            17 if is("Ssp-InteractionID") => &mut self.interaction_id,
            _ => return,
        };
        field.add(value);
    }

    /// Gathers the fields of a whole head.
    pub fn gather(head: impl IntoIterator<Item = (&'r str, &'r [u8])>) -> Self {
        let mut fields = Self::default();
        head.into_iter().for_each(|(name, value)| fields.note(name, value));
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gp-connect 4.1: header names are case insensitive.
    #[test]
    fn fields_are_gathered_whatever_their_case() {
        let fields = Fields::gather([
            ("ssp-interactionid", b"urn".as_slice()),
            ("SSP-TRACEID", b"t"),
            ("Ssp-To", b"1"),
            ("ssp-to", b"2"),
            ("Accept", b"first"),
            ("Accept", b"second"),
            ("X-Other", b"x"),
        ]);
        assert_eq!(fields.interaction_id.text(), Some("urn"));
        assert_eq!(fields.trace_id, Field::One(b"t"));
        assert_eq!(fields.to, Field::Many);
        assert_eq!(fields.from, Field::Absent);
        assert_eq!(fields.accept.texts().collect::<Vec<_>>(), ["first", "second"]);
    }
}
