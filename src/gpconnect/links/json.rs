//! Links in JSON: the texts that follow the name of a link element.
//!
//! No text has a quote as it stands. So where a name of ours stands between two, then a colon and another
//! quote, that one opens the value of a link: were it the end of a text, the name would be between texts.
//! What stands right before a place is enough to tell.

use memchr::{memchr, memchr_iter, memchr2, memrchr};

use super::{
    ELEMENTS, is_element,
    landmark::Landmarks,
    url::{Next, Reading},
};

/// The longest name of a link element with each of its letters as `\u0066`.
const LONGEST_NAME: usize = 9 * 6;

pub(super) struct Scanner {
    pub(super) landmarks: Landmarks,
    at: At,
    /// The text that a part ended in, as long as it may be a name.
    name: Vec<u8>,
}

/// Where the part before ended, or how this one is gone through.
#[derive(Clone, Copy)]
enum At {
    /// Between texts.
    Between,
    /// Behind a text.
    Behind {
        /// Whether it is the name of a link element if a colon follows.
        name: bool,
    },
    /// Behind a colon behind a text.
    Colon {
        /// Whether that is the name of a link element.
        link: bool,
    },
    /// In a text that may turn out to be such a name.
    Text {
        /// Whether a backslash came last.
        escaped: bool,
    },
    /// In a value, or in a text too long for a name.
    Value {
        /// Whether a backslash came last.
        escaped: bool,
    },
    /// Anywhere: it leaps to the end of the part.
    Aloft(Flight),
}

#[derive(Clone, Copy)]
struct Flight {
    /// Where it began, between texts, with nothing before that matters.
    from: usize,
    /// The last place of which it is known
    known: usize,
    /// whether it is in a text. It is behind no backslash.
    inside: bool,
}

impl Scanner {
    pub(super) const fn new(landmarks: Landmarks) -> Self {
        Self { landmarks, at: At::Between, name: Vec::new() }
    }

    /// Another part comes.
    pub(super) const fn begin(&mut self) {
        self.landmarks.begin();
        // The part before ended in the value that it was told of.
        if let At::Aloft(_) = self.at {
            self.at = At::Value { escaped: false };
        }
    }

    /// As [`super::Scanner::next`].
    pub(super) fn next(&mut self, part: &[u8], from: usize) -> Option<usize> {
        let mut rest = from;
        loop {
            let text = part.get(rest..).filter(|text| !text.is_empty())?;
            match self.at {
                At::Between => {
                    let flight = Flight { from: rest, known: rest, inside: false };
                    return self.leap(part, rest, flight);
                }
                At::Aloft(flight) => return self.leap(part, rest, flight),
                At::Behind { name } => {
                    rest += 1;
                    match text.first() {
                        Some(b' ' | b'\t' | b'\n' | b'\r') => {}
                        Some(b':') => self.at = At::Colon { link: name },
                        Some(b'"') => self.open(),
                        _ => self.at = At::Between,
                    }
                }
                At::Colon { link } => {
                    rest += 1;
                    match text.first() {
                        Some(b' ' | b'\t' | b'\n' | b'\r') => {}
                        Some(b'"') => {
                            self.at = At::Value { escaped: false };
                            if link {
                                return Some(rest);
                            }
                        }
                        _ => self.at = At::Between,
                    }
                }
                At::Text { escaped } => rest += self.text(text, escaped),
                At::Value { escaped } => {
                    let (length, end) = text_end(text, escaped);
                    rest += length;
                    self.at = match end {
                        End::Quote => At::Behind { name: false },
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
                self.name.extend_from_slice(content.get(..=LONGEST_NAME).unwrap_or(content));
                self.at = At::Behind { name: is_name(&self.name) };
            }
            End::Part { escaped } if self.name.len() + content.len() <= LONGEST_NAME => {
                self.name.extend_from_slice(content);
                self.at = At::Text { escaped };
            }
            End::Part { escaped } => self.at = At::Value { escaped },
        }
        length
    }

    /// From `rest` to the next link that may lead to the provider.
    fn leap(&mut self, part: &[u8], rest: usize, mut flight: Flight) -> Option<usize> {
        let mut here = rest;
        loop {
            let landmark = self.landmarks.next(part, here);
            let escape = hiding(part, here, landmark);
            let place = escape.unwrap_or(landmark);
            if place == part.len() {
                return self.land(part, flight);
            }
            let near = |within: usize| quote_before(part, rest, place, within);
            let quote = match escape {
                Some(_) => near(self.landmarks.longest()),
                None => {
                    self.usual_quote(part, rest, place).or_else(|| near(self.landmarks.within()))
                }
            };
            if let Some(quote) = quote
                && is_link_before(part, flight.from, quote)
            {
                (flight.known, flight.inside) = (quote + 1, true);
                self.at = At::Aloft(flight);
                return Some(quote + 1);
            }
            here = place + 1;
        }
    }

    /// The quote that a URL stands behind whose path is at `place`, if it is written as nearly all are.
    /// Of an escape that says nothing: it may be anywhere in a URL.
    fn usual_quote(&self, part: &[u8], rest: usize, place: usize) -> Option<usize> {
        let quote = self.landmarks.url_at(place).and_then(|url| url.checked_sub(1));
        quote.filter(|quote| *quote >= rest && part.get(*quote) == Some(&b'"'))
    }

    /// Comes down at the end of a part: in the text that it ends in, or behind the last one.
    fn land(&mut self, part: &[u8], flight: Flight) -> Option<usize> {
        let Flight { from, known, inside } = flight;
        let rest = part.get(known..).unwrap_or_default();
        let Some(quote) = opening(part, from, part.len()).filter(|_| is_inside(rest, inside))
        else {
            self.at = before(part, from, part.len());
            return None;
        };
        let value = part.get(quote + 1..).unwrap_or_default();
        match before(part, from, quote) {
            At::Colon { link: true } if quote >= known => {
                self.at = At::Value { escaped: false };
                return Some(quote + 1);
            }
            At::Colon { .. } => {
                let (_, end) = text_end(value, false);
                self.at = At::Value { escaped: matches!(end, End::Part { escaped: true }) };
            }
            At::Between | At::Behind { .. } | At::Text { .. } | At::Value { .. } | At::Aloft(_) => {
                self.open();
                self.text(value, false);
            }
        }
        None
    }
}

/// The last quote before `place`, no further than a URL that reaches `within` bytes to there. Not before
/// `rest`, where a value may be that was looked at.
fn quote_before(part: &[u8], rest: usize, place: usize, within: usize) -> Option<usize> {
    let near = rest.max(place.saturating_sub(within + 1));
    memrchr(b'"', part.get(near..place)?).map(|quote| near + quote)
}

/// The first escape from `here` to `landmark` that a service root may be written with.
fn hiding(part: &[u8], here: usize, landmark: usize) -> Option<usize> {
    let mut escapes = memchr_iter(b'\\', part.get(here..landmark)?).map(|place| here + place);
    escapes.find(|place| matches!(part.get(place + 1), Some(b'u' | b'/')))
}

/// Whether `text` ends in a text, if it begins in one or not.
fn is_inside(mut text: &[u8], mut inside: bool) -> bool {
    loop {
        let escape = memchr(b'\\', text);
        inside ^= has_odd_quotes(text.get(..escape.unwrap_or(text.len())).unwrap_or_default());
        let Some(escape) = escape else { return inside };
        // Whatever an escape is, the byte behind its backslash ends no text.
        text = text.get(escape + 2..).unwrap_or_default();
    }
}

fn has_odd_quotes(text: &[u8]) -> bool {
    // As wide as what every processor compares at once.
    let (lanes, rest) = text.as_chunks::<16>();
    let mut odd = [false; 16];
    for lane in lanes {
        for (odd, byte) in odd.iter_mut().zip(lane) {
            *odd ^= *byte == b'"';
        }
    }
    let rest = rest.iter().map(|byte| *byte == b'"');
    odd.into_iter().chain(rest).fold(false, |odd, quote| odd ^ quote)
}

/// Where the text that stands before `end` begins: the place of its opening quote.
fn opening(part: &[u8], from: usize, mut end: usize) -> Option<usize> {
    loop {
        let quote = from + memrchr(b'"', part.get(from..end)?)?;
        let before = part.get(from..quote)?;
        let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 0 {
            return Some(quote);
        }
        end = quote;
    }
}

/// Whether the text that `quote` opens is the value of a link.
fn is_link_before(part: &[u8], from: usize, quote: usize) -> bool {
    let Some(text) = part.get(from..quote) else { return false };
    is_plain_name(text) || matches!(before(part, from, quote), At::Colon { link: true })
}

/// Whether `text` ends with the name of a link and a colon, written as nearly all are.
fn is_plain_name(text: &[u8]) -> bool {
    let Some(text) = text.strip_suffix(b"\":") else { return false };
    let before = |name: &&[u8]| text.strip_suffix(*name);
    ELEMENTS.iter().filter_map(before).any(|text| matches!(text, [.., b'{' | b',', b'"']))
}

/// What `place` is behind, which is in no text.
fn before(part: &[u8], from: usize, place: usize) -> At {
    let Some((end, colon)) = text_before(part, from, place) else { return At::Between };
    let is_value = |text: &usize| text_before(part, from, *text).is_some_and(|(_, colon)| colon);
    let begin = opening(part, from, end).filter(|begin| !is_value(begin));
    let name = begin.and_then(|begin| part.get(begin + 1..end)).is_some_and(is_name);
    if colon { At::Colon { link: name } } else { At::Behind { name } }
}

/// The closing quote of the text right before `place`, and whether a colon is between them.
fn text_before(part: &[u8], from: usize, place: usize) -> Option<(usize, bool)> {
    let text = trimmed(part.get(from..place)?);
    let (text, colon) = match text.strip_suffix(b":") {
        Some(text) => (trimmed(text), true),
        None => (text, false),
    };
    text.strip_suffix(b"\"").map(|text| (from + text.len(), colon))
}

/// Without the blanks at its end.
fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t' | b'\n' | b'\r'] = text {
        text = rest;
    }
    text
}

fn is_name(raw: &[u8]) -> bool {
    if is_element(raw) {
        return true;
    }
    if raw.len() > LONGEST_NAME || memchr(b'\\', raw).is_none() {
        return false;
    }
    let letter = |(next, _)| match next {
        Next::Byte(byte) => byte,
        // No name has this.
        Next::End | Next::Strange => b'"',
    };
    is_element(&Reading::new(raw, step).map(letter).collect::<Vec<_>>())
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
            Some(place) if rest.get(place) == Some(&b'"') => {
                return (at + place + 1, End::Quote);
            }
            // Whatever an escape is, the byte behind its backslash ends no text.
            Some(place) if at + place + 1 == text.len() => {
                return (text.len(), End::Part { escaped: true });
            }
            Some(place) => at += place + 2,
        }
    }
}

/// What stands next in a text.
pub(super) fn step(raw: &[u8]) -> Option<(Next, usize)> {
    Some(match raw {
        [] | [b'\\'] => return None,
        [b'"', ..] => (Next::End, 1),
        // Digits that are there decide nothing alone: more follow, or the end of it all.
        [b'\\', b'u', digits @ ..] => (unicode(digits.first_chunk()?), 6),
        [b'\\', b'/', ..] => (Next::Byte(b'/'), 2),
        [b'\\', _, ..] => (Next::Strange, 2),
        [byte, ..] => (Next::Byte(*byte), 1),
    })
}

fn unicode(digits: &[u8; 4]) -> Next {
    let text = str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'));
    let code = text.and_then(|text| u8::from_str_radix(text, 16).ok());
    code.filter(u8::is_ascii).map_or(Next::Strange, Next::Byte)
}
