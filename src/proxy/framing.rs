//! Where the body of a request ends, byte by byte. The engine's reader takes blanks, extensions and
//! trailers among chunks, an empty length for 0, and lines in other forms; other readers take other
//! ones, so here a chunked body has one form only: plain hexadecimal digits, CRLF, that many bytes,
//! CRLF; at the end `0` and two CRLF (RFC 9112, 7.1, without its options).
//!
//! Pure functions over bytes; [`super::bounded`] lets the engine read no further.

use thiserror::Error;

/// What is wrong with the framing of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub(super) struct Misframed(pub(super) &'static str);

/// What is still to come of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// That many bytes.
    Length(usize),
    /// Chunks.
    Chunks(Chunks),
}

impl Body {
    /// How many of `bytes`, which come next, belong to it.
    ///
    /// # Errors
    /// When it is not framed in the one form that is taken.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<usize, Misframed> {
        match self {
            Self::Length(left) => {
                let taken = bytes.len().min(*left);
                *left -= taken;
                Ok(taken)
            }
            Self::Chunks(chunks) => chunks.advance(bytes),
        }
    }

    /// Whether nothing more is to come.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunks(Chunks::Over))
    }
}

/// Where in a chunked body one stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Chunks {
    /// Before a chunk's length.
    #[default]
    Start,
    /// In a length, which is this so far.
    Length(usize),
    /// Behind the CR of a length.
    LengthEnd(usize),
    /// That many bytes before the end of a chunk.
    Data(usize),
    /// Behind a chunk's bytes.
    DataEnd,
    /// Behind the CR that follows them.
    DataCr,
    /// Behind the line of the last chunk.
    Last,
    /// Behind the CR that follows it.
    LastCr,
    /// Behind the body.
    Over,
}

/// Lengths have up to eight digits: more than any limit on bodies needs.
const LONGEST: usize = 1 << 28;

impl Chunks {
    fn advance(&mut self, bytes: &[u8]) -> Result<usize, Misframed> {
        let mut taken = 0;
        while let Some(byte) = bytes.get(taken) {
            if let Self::Data(left) = *self {
                let here = (bytes.len() - taken).min(left);
                *self = if here == left { Self::DataEnd } else { Self::Data(left - here) };
                taken += here;
            } else if *self == Self::Over {
                break;
            } else {
                *self = self.step(*byte)?;
                taken += 1;
            }
        }
        Ok(taken)
    }

    /// Over one byte that is none of a chunk's own.
    const fn step(self, byte: u8) -> Result<Self, Misframed> {
        Ok(match (self, byte) {
            (Self::Start, _) => match digit(byte) {
                Ok(value) => Self::Length(value),
                Err(fault) => return Err(fault),
            },
            (Self::Length(length), b'\r') => Self::LengthEnd(length),
            (Self::Length(0), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                return Err(Misframed("a chunk's length has zeros in front"));
            }
            (Self::Length(length), _) => match digit(byte) {
                Ok(value) if length < LONGEST => Self::Length(length * 16 + value),
                Ok(_) => return Err(Misframed("a chunk's length is beyond any limit")),
                Err(fault) => return Err(fault),
            },
            (Self::LengthEnd(0), b'\n') => Self::Last,
            (Self::LengthEnd(length), b'\n') => Self::Data(length),
            (Self::LengthEnd(_), _) => {
                return Err(Misframed("a bare CR follows a chunk's length"));
            }
            (Self::DataEnd, b'\r') => Self::DataCr,
            (Self::DataCr, b'\n') => Self::Start,
            (Self::DataEnd | Self::DataCr, _) => {
                return Err(Misframed("a chunk does not end in CRLF where its length says"));
            }
            (Self::Last, b'\r') => Self::LastCr,
            (Self::LastCr, b'\n') => Self::Over,
            (Self::Last | Self::LastCr, _) => {
                return Err(Misframed("something follows the last chunk, such as a trailer"));
            }
            (Self::Data(_) | Self::Over, _) => self,
        })
    }
}

/// The value of a digit of a chunk's length.
const fn digit(byte: u8) -> Result<usize, Misframed> {
    Ok(match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        b';' => return Err(Misframed("a chunk has an extension")),
        b'\n' => return Err(Misframed("the line of a chunk's length ends in a bare LF")),
        _ => return Err(Misframed("a chunk's length is not plain hexadecimal digits")),
    } as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body at the front of `bytes`, read in pieces of that size: its end, if it has one.
    fn read(bytes: &[u8], size: usize) -> Result<Option<usize>, Misframed> {
        let mut body = Body::Chunks(Chunks::default());
        let mut taken = 0;
        for piece in bytes.chunks(size) {
            taken += body.advance(piece)?;
        }
        Ok(body.is_over().then_some(taken))
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        for (name, bytes, end) in [
            ("none", "0\r\n\r\n", Some(5)),
            ("one", "3\r\nabc\r\n0\r\n\r\n", Some(13)),
            ("two, and a request behind", "1\r\na\r\nA\r\n0123456789\r\n0\r\n\r\nGET /", Some(26)),
            ("digits of both cases", "1a\r\n01234567890123456789012345\r\n0\r\n\r\n", Some(37)),
            ("something like an end inside", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", Some(15)),
            ("nothing", "", None),
            ("half a length", "1", None),
            ("half a chunk", "3\r\nab", None),
            ("all but the last byte", "0\r\n\r", None),
        ] {
            for size in 1..=bytes.len().max(1) {
                assert_eq!(read(bytes.as_bytes(), size), Ok(end), "{name}, by {size}");
            }
        }
        let mut body = Body::Length(3);
        assert_eq!(body.advance(b"ab"), Ok(2));
        assert_eq!(body.advance(b"cdef"), Ok(1));
        assert!(body.is_over());
    }

    #[test]
    fn other_forms_are_refused() {
        for (bytes, fault) in [
            ("\r\n", "not plain"),
            (" 1\r\n", "not plain"),
            ("1 \r\n", "not plain"),
            ("+1\r\n", "not plain"),
            ("0x1\r\n", "not plain"),
            ("1\0\r\n", "not plain"),
            ("01\r\n", "zeros in front"),
            ("00\r\n\r\n", "zeros in front"),
            ("1;x\r\n", "extension"),
            ("0;\r\n\r\n", "extension"),
            ("1\n", "bare LF"),
            ("1\rx", "bare CR"),
            ("100000000000000\r\n", "beyond any limit"),
            ("ffffffffffffffffffffffff\r\n", "beyond any limit"),
            ("1\r\nab\r\n", "where its length says"),
            ("1\r\na\n", "where its length says"),
            ("1\r\na\rb", "where its length says"),
            ("0\r\nX: 1\r\n\r\n", "such as a trailer"),
            ("0\r\n\n", "such as a trailer"),
            ("0\r\n\rx", "such as a trailer"),
        ] {
            for size in 1..=bytes.len() {
                let Misframed(found) = read(bytes.as_bytes(), size).unwrap_err();
                assert!(found.contains(fault), "{bytes:?} by {size}: {found}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_in_any_pieces_are_read_the_same(
            bytes in "[0-9a-f\r\n;x]{0,40}", size in 1_usize..40
        ) {
            proptest::prop_assert_eq!(read(bytes.as_bytes(), size), read(bytes.as_bytes(), 40));
        }
    }
}
