//! Links in JSON: the texts that follow the name of a link element.

use memchr::{memchr, memchr2};

use super::{is_element, url::Next};

/// The longest name of a link element with each of its letters as `\u0066`.
const LONGEST_NAME: usize = 9 * 6;

/// Where the part before ended.
#[derive(Default)]
pub(super) struct Scanner {
    at: At,
    /// The text that a part ended in, as long as it may be a name.
    name: Vec<u8>,
}

#[derive(Clone, Copy, Default)]
enum At {
    /// Between texts.
    #[default]
    Between,
    /// Behind a text that is the name of a link element if a colon follows.
    Named,
    /// Behind that colon.
    Colon,
    /// In a text that may turn out to be such a name.
    Text {
        /// Whether a backslash came last.
        escaped: bool,
    },
    /// In the value of a link, or in a text too long for a name.
    Value {
        /// Whether a backslash came last.
        escaped: bool,
    },
}

impl Scanner {
    /// As [`super::Scanner::next`].
    pub(super) fn next(&mut self, part: &[u8], from: usize) -> Option<usize> {
        let mut rest = from;
        loop {
            let text = part.get(rest..).filter(|text| !text.is_empty())?;
            match self.at {
                At::Between => {
                    // Nothing between two texts matters here.
                    rest += memchr(b'"', text)? + 1;
                    self.open();
                }
                At::Named | At::Colon => {
                    rest += 1;
                    match (self.at, text.first()) {
                        (_, Some(b' ' | b'\t' | b'\n' | b'\r')) => {}
                        (At::Named, Some(b':')) => self.at = At::Colon,
                        (At::Colon, Some(b'"')) => {
                            self.at = At::Value { escaped: false };
                            return Some(rest);
                        }
                        (_, Some(b'"')) => self.open(),
                        _ => self.at = At::Between,
                    }
                }
                At::Text { escaped } => rest += self.text(text, escaped),
                At::Value { escaped } => {
                    let (length, end) = text_end(text, escaped);
                    rest += length;
                    self.at = match end {
                        End::Quote => At::Between,
                        End::Part { escaped } => At::Value { escaped },
                    };
                }
            }
        }
    }

    fn open(&mut self) {
        self.at = At::Text { escaped: false };
        self.name.clear();
    }

    /// Passes over a text that may be a name; gives what it took of `text`.
    fn text(&mut self, text: &[u8], escaped: bool) -> usize {
        let (length, end) = text_end(text, escaped);
        let content = text.get(..length).unwrap_or_default();
        match end {
            End::Quote => {
                let content = content.strip_suffix(b"\"").unwrap_or(content);
                let is_name = if self.name.is_empty() {
                    is_name(content)
                } else {
                    self.name.extend_from_slice(content);
                    is_name(&self.name)
                };
                self.at = if is_name { At::Named } else { At::Between };
            }
            End::Part { escaped } if self.name.len() + content.len() <= LONGEST_NAME => {
                self.name.extend_from_slice(content);
                self.at = At::Text { escaped };
            }
            End::Part { escaped } => self.at = At::Value { escaped },
        }
        length
    }
}

fn is_name(raw: &[u8]) -> bool {
    if raw.len() > LONGEST_NAME {
        return false;
    }
    if memchr(b'\\', raw).is_none() {
        return is_element(raw);
    }
    let letter = |(next, _)| match next {
        Next::Byte(byte) => byte,
        // No name has this.
        Next::End | Next::Strange => b'"',
    };
    is_element(&decoded(raw).map(letter).collect::<Vec<_>>())
}

enum End {
    Quote,
    Part { escaped: bool },
}

/// How much of `text` belongs to the text that it begins in, its closing quote included.
fn text_end(text: &[u8], escaped: bool) -> (usize, End) {
    let mut at = usize::from(escaped);
    loop {
        let rest = text.get(at..).unwrap_or_default();
        match memchr2(b'"', b'\\', rest) {
            None => return (text.len(), End::Part { escaped: false }),
            Some(place) if rest.get(place) == Some(&b'"') => return (at + place + 1, End::Quote),
            // Whatever an escape is, the byte behind its backslash ends no text.
            Some(place) if at + place + 1 == text.len() => {
                return (text.len(), End::Part { escaped: true });
            }
            Some(place) => at += place + 2,
        }
    }
}

/// The text at the beginning of `raw`, each byte with the place behind it.
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
            [] | [b'\\'] => return None,
            [b'"', ..] => (Next::End, 1),
            [b'\\', b'u', digits @ ..] => match digits.first_chunk::<4>() {
                Some(digits) => (unicode(digits), 6),
                // The digits that are there decide nothing: more follow, or the end of it all.
                None => return None,
            },
            [b'\\', b'/', ..] => (Next::Byte(b'/'), 2),
            [b'\\', _, ..] => (Next::Strange, 2),
            [byte, ..] => (Next::Byte(*byte), 1),
        };
        self.at += length;
        Some((next, self.at))
    }
}

fn unicode(digits: &[u8; 4]) -> Next {
    let text = str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'));
    let code = text.and_then(|text| u8::from_str_radix(text, 16).ok());
    code.filter(u8::is_ascii).map_or(Next::Strange, Next::Byte)
}
