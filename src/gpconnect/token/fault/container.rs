//! What can be wrong with what holds the claims.

use std::fmt;

use super::{CallersName, Characters, Found};

/// A part of the compact form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first: `alg` and `typ`.
    Header,
    /// The second.
    Claims,
}

impl Part {
    /// What it is called in texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Claims => "claims",
        }
    }
}

/// What is wrong with what holds the claims (gp-connect 7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// The header field is not ASCII text.
    NotAscii,
    /// Not `Bearer`, one blank and one token.
    NotBearer,
    /// Longer than the limit, in bytes.
    TooLong {
        /// Its length.
        length: usize,
        /// The most that is read.
        limit: usize,
    },
    /// Not three parts.
    Parts(usize),
    /// Two parts, without the dot at the end (D2).
    NoFinalDot,
    /// Something of this length behind the last dot.
    Signed(usize),
    /// Not base64url without padding.
    NotBase64(Part),
    /// Not UTF-8.
    NotText(Part),
    /// Not JSON from this column on.
    NotJson(Part, usize),
    /// JSON, but no object.
    NotAnObject(Part, Found),
    /// A name stands twice in one object.
    NameTwice(Part, CallersName),
    /// Lists and objects in each other beyond this many.
    TooDeep(Part, u8),
    /// More values than this many.
    TooMany(Part, usize),
    /// An `alg` other than `none`.
    Algorithm(Found),
    /// A `typ` other than `JWT`.
    Type(Found),
}

impl TokenFault {
    /// The text for logs: without what the caller wrote.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others hold nothing of the caller's")]
    pub(crate) fn note(&self) -> String {
        match self {
            Self::NameTwice(part, name) => twice(*part, &name.hidden()),
            _ => self.to_string(),
        }
    }
}

fn twice(part: Part, name: &str) -> String {
    format!("the token's {} {name} twice in one object; expected each name once", Has(part))
}

/// What follows "Authorization header is not valid: ".
impl fmt::Display for TokenFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const EXPECTED: &str = "expected a header, claims and a last dot with nothing behind it";
        match self {
            Self::NotAscii => out.write_str("it is not ASCII text"),
            Self::NotBearer => out.write_str("expected \"Bearer\", one blank and one token"),
            Self::TooLong { length, limit } => {
                write!(out, "found {length} bytes, expected at most {limit}")
            }
            Self::Parts(1) => write!(out, "the token has 1 part; {EXPECTED}"),
            Self::Parts(parts) => write!(out, "the token has {parts} parts; {EXPECTED}"),
            Self::NoFinalDot => {
                out.write_str("the token has 2 parts; an unsigned one ends in a dot")
            }
            Self::Signed(length) => write!(
                out,
                "the token has a signature of {}; GP Connect tokens are unsigned and end in a dot, \
                 and access tokens are for systems registered for them",
                Characters(*length)
            ),
            Self::NotBase64(part) => {
                write!(out, "the token's {} not base64url without padding", Is(*part))
            }
            Self::NotText(part) => write!(out, "the token's {} not UTF-8 text", Is(*part)),
            Self::NotJson(part, column) => {
                write!(out, "the token's {} not JSON from character {column} on", Is(*part))
            }
            Self::NotAnObject(part, found) => {
                write!(out, "the token's {} {found}; expected one JSON object", Is(*part))
            }
            Self::NameTwice(part, name) => out.write_str(&twice(*part, &name.told())),
            Self::TooDeep(part, limit) => write!(
                out,
                "the token's {} nested too deep; expected at most {limit} lists and objects in each other",
                Is(*part)
            ),
            Self::TooMany(part, limit) => {
                write!(out, "the token's {} too many values; expected at most {limit}", Has(*part))
            }
            Self::Algorithm(found) => write!(out, "the token's \"alg\" is {found}; expected none"),
            Self::Type(found) => write!(out, "the token's \"typ\" is {found}; expected JWT"),
        }
    }
}

/// A part with its verb.
struct Is(Part);

impl fmt::Display for Is {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.0 {
            Part::Header => "header is",
            Part::Claims => "claims are",
        })
    }
}

/// A part with its other verb.
struct Has(Part);

impl fmt::Display for Has {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.0 {
            Part::Header => "header has",
            Part::Claims => "claims have",
        })
    }
}
