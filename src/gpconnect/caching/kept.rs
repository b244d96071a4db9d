//! Which answers may be kept: whole ones that say what was asked for, and nothing of who asked.

use super::{Question, content};
use crate::media::{Format, is_fhir_body};

/// An answer of a provider, before it is known whether it may be kept.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// Its status.
    pub status: u16,
    /// Its only `Content-Type`.
    pub content_type: Option<&'a str>,
    /// Whether it has a `Content-Encoding` other than `identity`.
    pub is_encoded: bool,
    /// Whether it has a `Set-Cookie`.
    pub sets_cookie: bool,
    /// The lines of `Vary`.
    pub vary: &'a [&'a str],
    /// Whether its end was seen where its framing says.
    pub is_whole: bool,
    /// Its body.
    pub body: &'a [u8],
}

/// Why an answer is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// Its status is not 200.
    Status,
    /// Its end was not seen where its framing says.
    Cut,
    /// It is not in the format that was asked for, in UTF-8.
    Format,
    /// It is compressed, although that was not asked for.
    Encoding,
    /// It is for one caller: it sets a cookie, or varies by who asks.
    Personal,
    /// It is not the resource that was asked for.
    Content,
}

impl NotKept {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Cut => "cut",
            Self::Format => "format",
            Self::Encoding => "encoding",
            Self::Personal => "personal",
            Self::Content => "content",
        }
    }
}

/// How much an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Something.
    Full,
    /// That nothing was found.
    Nothing,
}

/// What may vary: what is always asked the same, and what a provider is never told.
const MAY_VARY: [&str; 7] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "origin",
    "prefer",
    "user-agent",
];

/// Whether this answer to `question` may be kept.
///
/// # Errors
/// Why not.
pub fn judge(question: &Question, answer: &Candidate<'_>) -> Result<Extent, NotKept> {
    if answer.status != 200 {
        return Err(NotKept::Status);
    }
    if !answer.is_whole {
        return Err(NotKept::Cut);
    }
    let is_right =
        |text: &str| is_fhir_body(text) && Format::of_media_type(text) == Some(question.format());
    if !answer.content_type.is_some_and(is_right) {
        return Err(NotKept::Format);
    }
    if answer.is_encoded {
        return Err(NotKept::Encoding);
    }
    let mut varies = answer.vary.iter().flat_map(|line| line.split(',')).map(str::trim);
    let may_vary = |name: &str| {
        name.is_empty() || MAY_VARY.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    if answer.sets_cookie || !varies.all(may_vary) {
        return Err(NotKept::Personal);
    }
    content::look(question, answer.body).ok_or(NotKept::Content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{facts::Fields, interaction::InteractionId};

    const JSON: Option<&str> = Some("application/fhir+json;charset=utf-8");
    const STATEMENT: &[u8] = br#"{"resourceType":"CapabilityStatement"}"#;

    fn answer(vary: &'static [&'static str]) -> Candidate<'static> {
        Candidate {
            status: 200,
            content_type: JSON,
            is_encoded: false,
            sets_cookie: false,
            vary,
            is_whole: true,
            body: STATEMENT,
        }
    }

    /// gp-connect 13: only status 200 and a complete body, never what is for one caller.
    #[test]
    fn only_a_whole_right_answer_is_kept() {
        use NotKept::{Content, Cut, Encoding, Format, Personal, Status};
        let fields = Fields::default();
        let question = Question::of(InteractionId::ReadMetadata, "metadata", &fields).unwrap();
        let good = || answer(&[]);
        for (name, answer, expected) in [
            ("good", good(), Ok(Extent::Full)),
            (
                "an old spelling",
                Candidate { content_type: Some("application/json+fhir"), ..good() },
                Ok(Extent::Full),
            ),
            (
                "what always is the same varies",
                answer(&["Accept, accept-encoding", "Origin"]),
                Ok(Extent::Full),
            ),
            ("created", Candidate { status: 201, ..good() }, Err(Status)),
            ("a part", Candidate { status: 206, ..good() }, Err(Status)),
            ("no information of its own", Candidate { status: 203, ..good() }, Err(Status)),
            ("not modified", Candidate { status: 304, ..good() }, Err(Status)),
            ("not found", Candidate { status: 404, ..good() }, Err(Status)),
            ("cut", Candidate { is_whole: false, ..good() }, Err(Cut)),
            ("no type", Candidate { content_type: None, ..good() }, Err(Format)),
            ("a page", Candidate { content_type: Some("text/html"), ..good() }, Err(Format)),
            (
                "the other format",
                Candidate { content_type: Some("application/fhir+xml"), ..good() },
                Err(Format),
            ),
            (
                "another charset",
                Candidate { content_type: Some("application/fhir+json;charset=utf-16"), ..good() },
                Err(Format),
            ),
            ("compressed", Candidate { is_encoded: true, ..good() }, Err(Encoding)),
            ("a cookie", Candidate { sets_cookie: true, ..good() }, Err(Personal)),
            ("varies by the caller", answer(&["Authorization"]), Err(Personal)),
            ("varies by the sender", answer(&["Accept, Ssp-From"]), Err(Personal)),
            ("varies by anything", answer(&["*"]), Err(Personal)),
            (
                "another resource",
                Candidate { body: br#"{"resourceType":"Patient"}"#, ..good() },
                Err(Content),
            ),
        ] {
            assert_eq!(judge(&question, &answer), expected, "{name}");
        }
    }
}
