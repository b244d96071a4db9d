//! Links in XML: the `value` attributes of link elements.

use memchr::memchr;

use super::{is_element, url::Next};

/// Longer names than these are none of ours; a prefix counts too.
const LONGEST_NAME: usize = 64;

/// The longest reference to a character that is looked at, as in `&#x0000002F;`.
const LONGEST_REFERENCE: usize = 12;

/// Where the part before ended.
#[derive(Default)]
pub(super) struct Scanner {
    at: At,
    /// The name that is being read: of an element, an attribute, or what follows `<!`.
    name: Vec<u8>,
    /// Whether the tag is that of a link element.
    is_link: bool,
}

#[derive(Clone, Copy, Default)]
enum At {
    #[default]
    Text,
    /// In the name of a tag.
    Name,
    /// In a tag, behind its name.
    Tag,
    /// In the name of an attribute.
    Attribute,
    /// Behind it.
    Equals,
    /// In an attribute's value.
    Value(u8),
    /// Behind `<!`, where it is open what it is.
    Declaration,
    /// In what ends with so many of this byte and `>`; and how many of it came last.
    Until(u8, usize, usize),
}

impl Scanner {
    /// As [`super::Scanner::next`].
    pub(super) fn next(&mut self, part: &[u8], from: usize) -> Option<usize> {
        let mut rest = from;
        loop {
            let text = part.get(rest..).filter(|text| !text.is_empty())?;
            match self.at {
                At::Text => {
                    rest += memchr(b'<', text)? + 1;
                    self.name.clear();
                    self.at = At::Name;
                }
                At::Value(quote) => {
                    rest += memchr(quote, text)? + 1;
                    self.at = At::Tag;
                }
                At::Name
                | At::Tag
                | At::Attribute
                | At::Equals
                | At::Declaration
                | At::Until(..) => {
                    let was_value = self.is_link && self.name == b"value";
                    self.step(*text.first()?);
                    rest += 1;
                    if was_value && matches!(self.at, At::Value(_)) {
                        return Some(rest);
                    }
                }
            }
        }
    }

    fn step(&mut self, byte: u8) {
        self.at = match (self.at, byte) {
            (At::Name, b'!') if self.name.is_empty() => At::Declaration,
            (At::Name, b'?') if self.name.is_empty() => At::Until(b'?', 1, 0),
            (At::Name | At::Tag | At::Attribute | At::Equals | At::Declaration, b'>') => {
                self.named();
                At::Text
            }
            (At::Name, byte) if is_blank(byte) || (byte == b'/' && !self.name.is_empty()) => {
                self.named();
                At::Tag
            }
            (At::Tag, byte) if is_blank(byte) => At::Tag,
            (At::Attribute | At::Equals, byte) if is_blank(byte) => At::Equals,
            (At::Attribute | At::Equals, b'=') => At::Equals,
            (At::Equals, quote @ (b'"' | b'\'')) => At::Value(quote),
            (At::Tag, byte) => {
                self.name.clear();
                self.letter(byte);
                At::Attribute
            }
            (At::Declaration, byte) => {
                self.letter(byte);
                match self.name.as_slice() {
                    b"--" => At::Until(b'-', 2, 0),
                    b"[CDATA[" => At::Until(b']', 2, 0),
                    _ => At::Declaration,
                }
            }
            (At::Until(_, least, count), b'>') if count >= least => At::Text,
            (At::Until(end, least, count), byte) => {
                At::Until(end, least, if byte == end { count + 1 } else { 0 })
            }
            (at, byte) => {
                self.letter(byte);
                at
            }
        };
    }

    fn letter(&mut self, byte: u8) {
        if self.name.len() < LONGEST_NAME {
            self.name.push(byte);
        }
    }

    /// A tag's name is complete.
    fn named(&mut self) {
        if matches!(self.at, At::Name) {
            let local = self.name.rsplit(|byte| *byte == b':').next().unwrap_or_default();
            self.is_link = is_element(local);
        }
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The attribute's value at the beginning of `raw`, each byte with the place behind it.
pub(super) fn decoded(raw: &[u8]) -> Decoded<'_> {
    Decoded { raw, at: 0 }
}

#[derive(Clone)]
pub(super) struct Decoded<'r> {
    raw: &'r [u8],
    at: usize,
}

impl Iterator for Decoded<'_> {
    type Item = (Next, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let (next, length) = match self.raw.get(self.at..)? {
            [] => return None,
            // No URL has either quote as it stands.
            [b'"' | b'\'', ..] => (Next::End, 1),
            [b'&', reference @ ..] => {
                let seen = reference.get(..LONGEST_REFERENCE).unwrap_or(reference);
                match memchr(b';', seen) {
                    Some(end) => (character(seen.get(..end)?), end + 2),
                    None if seen.len() < LONGEST_REFERENCE => return None,
                    None => (Next::Strange, 1),
                }
            }
            [byte, ..] => (Next::Byte(*byte), 1),
        };
        self.at += length;
        Some((next, self.at))
    }
}

/// What a reference, without `&` and `;`, stands for.
fn character(reference: &[u8]) -> Next {
    let code = match reference {
        [b'#', b'x', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    };
    code.filter(u8::is_ascii).map_or(Next::Strange, Next::Byte)
}

fn number(digits: &[u8], base: u32) -> Option<u8> {
    let text = str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    u8::from_str_radix(text, base).ok()
}
