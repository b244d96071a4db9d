//! Links in XML: the `value` attributes of link elements.
//!
//! A `<` begins a tag, except in comments and the like: an attribute's value has it as `&lt;`. So what
//! stands somewhere can be told by walking from the last one.

use memchr::{memchr, memchr2, memchr3, memrchr};

use super::{ELEMENTS, is_element, landmark::Landmarks, url::Next};

/// Longer names than these are none of ours; a prefix counts too.
const LONGEST_NAME: usize = 64;

/// The longest reference to a character that is looked at, as in `&#x0000002F;`.
const LONGEST_REFERENCE: usize = 12;

pub(super) struct Scanner {
    pub(super) landmarks: Landmarks,
    /// Where the part before ended.
    at: At,
    /// The name that is being read: of an element, an attribute, or what follows `<!`.
    name: Vec<u8>,
    /// Whether the tag is that of a link element.
    is_link: bool,
}

#[derive(Clone, Copy)]
enum At {
    /// Between tags.
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
    pub(super) const fn new(landmarks: Landmarks) -> Self {
        Self { landmarks, at: At::Text, name: Vec::new(), is_link: false }
    }

    /// As [`super::Scanner::next`].
    pub(super) fn next(&mut self, part: &[u8], from: usize) -> Option<usize> {
        let mut rest = from;
        loop {
            let text = part.get(rest..).filter(|text| !text.is_empty())?;
            match self.at {
                At::Text => match self.leap(part, rest)? {
                    // What follows it is passed over like a text: neither has a `<`.
                    Leap::Value(value) => return Some(value),
                    Leap::Tag(tag) => {
                        self.begin();
                        rest = tag + 1;
                    }
                },
                At::Value(quote) => {
                    let end = memchr2(quote, b'<', text)?;
                    rest += end + 1;
                    match text.get(end) {
                        Some(b'<') => self.begin(),
                        _ => self.at = At::Tag,
                    }
                }
                At::Name | At::Attribute if text.first().is_some_and(is_plain) => {
                    let length = text.iter().position(|byte| !is_plain(byte));
                    let letters = text.get(..length.unwrap_or(text.len())).unwrap_or_default();
                    let room = LONGEST_NAME.saturating_sub(self.name.len()).min(letters.len());
                    self.name.extend_from_slice(letters.get(..room).unwrap_or_default());
                    rest += letters.len();
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

    /// From a place between tags to the next tag, or what begins like one, that matters: that may have
    /// a link to the provider, that may hide a tag, or that the part ends in.
    fn leap(&mut self, part: &[u8], from: usize) -> Option<Leap> {
        let (mut here, mut floor) = (from, from);
        loop {
            let landmark = self.landmarks.next(part, here);
            let before = part.get(here..landmark).unwrap_or_default();
            let place = memchr3(b'!', b'?', b'&', before).map_or(landmark, |place| here + place);
            let matters = match part.get(place).filter(|_| place < landmark) {
                Some(b'&') => matches!(part.get(place + 1), Some(b'#')),
                Some(_) => part.get(floor..place).is_some_and(|before| before.ends_with(b"<")),
                None => true,
            };
            if matters {
                let url = self.landmarks.url_at(place);
                if let Some(url) = url.filter(|url| is_plain_value(part.get(floor..*url))) {
                    return Some(Leap::Value(url));
                }
                let tag = memrchr(b'<', part.get(floor..place)?).map(|tag| floor + tag);
                if tag.is_some() || place == part.len() {
                    return tag.map(Leap::Tag);
                }
                floor = place;
            }
            here = place + 1;
        }
    }

    fn begin(&mut self) {
        self.name.clear();
        self.at = At::Name;
    }

    fn step(&mut self, byte: u8) {
        self.at = match (self.at, byte) {
            (At::Name | At::Tag | At::Attribute | At::Equals, b'<') => {
                self.name.clear();
                At::Name
            }
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

/// Where a leap ends.
enum Leap {
    /// At the value of a link.
    Value(usize),
    /// At the `<` of a tag.
    Tag(usize),
}

/// Whether the value of a link stands behind `text`, written as nearly all are: with nothing else in its
/// tag before it.
fn is_plain_value(text: Option<&[u8]>) -> bool {
    let Some(text) = text.and_then(|text| text.strip_suffix(b" value=\"")) else { return false };
    ELEMENTS.iter().filter_map(|name| text.strip_suffix(*name)).any(|text| text.ends_with(b"<"))
}

/// What is nothing but a letter of a name, wherever it stands.
const fn is_plain(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric()
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// What stands next in an attribute's value.
pub(super) fn step(raw: &[u8]) -> Option<(Next, usize)> {
    Some(match raw {
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
    })
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
