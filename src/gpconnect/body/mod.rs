//! Stage 9: which patients the request body names, read from JSON and XML alike (gp-connect 6, 19).
//!
//! The provider reads the same bytes with a parser of its own, so this reader has to find what any
//! parser would. It is strict about what could be read in two ways - names that stand twice, an
//! encoding other than UTF-8, entities - and calls such a body unreadable; about the rest it is
//! generous: every object or element that holds a `system` and a `value` counts, at any depth and
//! under whatever name or namespace.
//!
//! Its cost grows with the body only: no recursion beyond [`DEEPEST`], nothing is expanded, nothing
//! is compared pairwise.

mod json;
mod xml;

use crate::{facts::Field, media::Format, patients::Patients};

/// How deep objects, lists or elements may stand in each other. FHIR needs a third of it.
const DEEPEST: usize = 64;

/// Why a body can't be read.
type Unreadable = &'static str;

const EMPTY: Unreadable = "it is empty";
const NOT_UTF_8: Unreadable = "it is not UTF-8";
const OTHER_CHARSET: Unreadable = "its charset is not utf-8";
const NO_FORMAT: Unreadable = "it is neither a JSON object nor an XML element";
const TOO_DEEP: Unreadable = "it is nested too deeply";
const REPEATED: Unreadable = "a name stands twice where it may stand once";
const OTHER_CASE: Unreadable = "\"system\" or \"value\" is written in capitals";
const NOT_TEXT: Unreadable = "the system or value of an identifier is not text";

/// The patients that a whole body names. Its format is that of `content_type`, or where that names
/// none the one that its first character shows: one for which both are possible does not exist.
pub fn read(body: &[u8], content_type: Field<'_>) -> Patients {
    read_as(body, content_type).unwrap_or_else(Patients::Unreadable)
}

fn read_as(body: &[u8], content_type: Field<'_>) -> Result<Patients, Unreadable> {
    let content_type = content_type.text();
    if content_type.is_some_and(|text| charsets(text).any(|charset| !is_utf_8(charset))) {
        return Err(OTHER_CHARSET);
    }
    let Ok(text) = str::from_utf8(body) else { return Err(NOT_UTF_8) };
    // Some clients write a byte order mark; whoever reads UTF-8 skips it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.trim_ascii_start().as_bytes().first();
    let shown = match first {
        Some(b'{') => Format::Json,
        Some(b'<') => Format::Xml,
        Some(_) => return Err(NO_FORMAT),
        None => return Err(EMPTY),
    };
    let found = match content_type.and_then(Format::of_media_type).unwrap_or(shown) {
        Format::Json => json::read(text),
        Format::Xml => xml::read(text),
    };
    found.map(Patients::from)
}

/// Each `charset` parameter of a media type. Cutting at every `;` finds all that any reader could.
fn charsets(content_type: &str) -> impl Iterator<Item = &str> {
    content_type.split(';').skip(1).filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    })
}

/// Whether an encoding's name means UTF-8, or its part that is ASCII.
fn is_utf_8(name: &str) -> bool {
    let name = name.trim().trim_matches(['"', '\'']);
    ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The two parts of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    System,
    Value,
}

impl Part {
    /// Which part is called `name`. Case matters in FHIR, but not to every parser: a name that
    /// differs in case only could be read by one and passed over by another.
    fn named(name: &str) -> Result<Option<Self>, Unreadable> {
        let (part, exact) = match name.len() {
            5 => (Self::Value, "value"),
            6 => (Self::System, "system"),
            _ => return Ok(None),
        };
        if name == exact {
            Ok(Some(part))
        } else if name.eq_ignore_ascii_case(exact) {
            Err(OTHER_CASE)
        } else {
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests;
