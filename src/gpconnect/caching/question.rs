//! A question that may be answered from memory. Two requests that ask the same in different
//! spellings make the same question; one that asks for anything more makes none.

use std::{borrow::Cow, fmt};

use percent_encoding::percent_decode_str;

use super::Subject;
use crate::{
    facts::Fields,
    interaction::InteractionId,
    media::{self, Format, Wanted},
    names::{FromCaller, OdsCode},
};

const ODS_CODE_SYSTEM: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

/// What is asked of a service root, and in which format.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Question {
    interaction: InteractionId,
    subject: Subject,
    asked: Asked,
    format: Format,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Asked {
    Statement,
    Organisation(FromCaller<Box<str>>),
    Search(OdsCode),
}

impl Question {
    /// The question of an interaction with this path and query behind the service root. None when
    /// its answers are never kept, or when it says more than a question of its kind: an unknown
    /// parameter, one that stands twice, another identifier than one ODS code, a format that FHIR has
    /// not.
    pub fn of(interaction: InteractionId, request: &str, fields: &Fields<'_>) -> Option<Self> {
        let subject = interaction.row().kept?;
        let (path, query) = match request.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (request, None),
        };
        let parameters = Parameters::read(query.unwrap_or_default())?;
        let asked = match (subject, parameters.identifier) {
            (Subject::Statement, None) if path == "metadata" => Asked::Statement,
            (Subject::Organisation, None) => Asked::Organisation(organisation(path)?.into()),
            (Subject::Search, Some(identifier)) if path == "Organization" => {
                Asked::Search(ods_code(&identifier)?)
            }
            (Subject::Statement | Subject::Organisation | Subject::Search, _) => return None,
        };
        match media::wanted(fields, query) {
            Wanted::Format(format) => Some(Self { interaction, subject, asked, format }),
            Wanted::Unsupported(_) => None,
        }
    }

    /// The interaction.
    pub const fn interaction(&self) -> InteractionId {
        self.interaction
    }

    /// What kind of answer it gets.
    pub const fn subject(&self) -> Subject {
        self.subject
    }

    /// The format of its answer.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Path and query behind the service root, in the one spelling in which a provider is asked. The
    /// format is asked for by `Accept`.
    pub fn request(&self) -> String {
        match &self.asked {
            Asked::Statement => "metadata".to_owned(),
            Asked::Organisation(id) => ["Organization/", id.expose()].concat(),
            Asked::Search(code) => {
                ["Organization?identifier=", ODS_CODE_SYSTEM, "%7C", code.as_str()].concat()
            }
        }
    }

    /// How many bytes of text it holds.
    pub fn length(&self) -> usize {
        match &self.asked {
            Asked::Statement | Asked::Search(_) => 0,
            Asked::Organisation(id) => id.expose().len(),
        }
    }
}

/// Without id and code: a caller may have written a patient's number there.
impl fmt::Debug for Question {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Question({}, {:?})", self.interaction.short(), self.format)
    }
}

/// The id in `Organization/{id}`.
fn organisation(path: &str) -> Option<&str> {
    path.strip_prefix("Organization/").filter(|id| !id.is_empty() && !id.contains('/'))
}

/// The code in `{system}|{code}`, which is one plain code.
fn ods_code(identifier: &str) -> Option<OdsCode> {
    let (system, code) = identifier.split_once('|')?;
    (system == ODS_CODE_SYSTEM).then(|| code.parse().ok()).flatten()
}

/// The parameters that a question may have, each at most once.
#[derive(Default)]
struct Parameters<'r> {
    identifier: Option<Cow<'r, str>>,
    /// What it says is read with the headers.
    has_format: bool,
}

impl<'r> Parameters<'r> {
    /// None when there is anything else. A plus stays a plus (gp-connect 2.4).
    fn read(query: &'r str) -> Option<Self> {
        let mut found = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            match decoded(name)?.as_ref() {
                "identifier" if found.identifier.is_none() => {
                    found.identifier = Some(decoded(value)?);
                }
                // Spelled otherwise it would be overlooked there, and not by a provider.
                "_format" if name == "_format" && !found.has_format => found.has_format = true,
                _ => return None,
            }
        }
        Some(found)
    }
}

fn decoded(text: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(text).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: InteractionId = InteractionId::SearchOrganization;
    const READ: InteractionId = InteractionId::ReadOrganization;
    const STATEMENT: InteractionId = InteractionId::ReadMetadata;

    fn of(id: InteractionId, request: &str, accept: &str) -> Option<Question> {
        let fields = Fields::gather([("Accept", accept.as_bytes())]);
        Question::of(id, request, &fields)
    }

    fn search(rest: &str) -> String {
        format!("Organization?identifier=https://fhir.nhs.uk/Id/ods-organization-code{rest}")
    }

    /// gp-connect 13 and 2.4: the key has the normalised query and the negotiated media type.
    #[test]
    fn spellings_of_one_question_agree() {
        let encoded = "Organization?_format=json&%69dentifier=https%3A%2F%2Ffhir.nhs.uk%2FId%2Fods-organization-code%7CA20047";
        for (name, id, first, second) in [
            (
                "the pipe, encoded",
                SEARCH,
                (search("|A20047"), "text/json"),
                (search("%7CA20047"), ""),
            ),
            (
                "order, and encoding of a name",
                SEARCH,
                (search("%7cA20047&_format=json"), ""),
                (encoded.into(), ""),
            ),
            (
                "format by parameter or header",
                STATEMENT,
                ("metadata?_format=application/fhir%2Bxml".into(), "*/*"),
                ("metadata".into(), "application/fhir+xml;q=0.9, text/html;q=0.8"),
            ),
            (
                "the parameter wins",
                STATEMENT,
                ("metadata?_format=xml".into(), "application/fhir+json"),
                ("metadata?_format=text/xml".into(), ""),
            ),
            (
                "empty parameters",
                READ,
                ("Organization/17?&".into(), ""),
                ("Organization/17".into(), "*/*"),
            ),
        ] {
            let (first, second) = (of(id, &first.0, first.1), of(id, &second.0, second.1));
            assert!(first.is_some(), "{name}");
            assert!(first == second, "{name}: {first:?} {second:?}");
        }
    }

    #[test]
    fn different_questions_differ() {
        let asked = [
            of(STATEMENT, "metadata", ""),
            of(STATEMENT, "metadata", "text/xml"),
            of(InteractionId::ReadStructuredMetadata, "metadata", ""),
            of(READ, "Organization/17", ""),
            of(READ, "Organization/17", "text/xml"),
            of(READ, "Organization/18", ""),
            of(SEARCH, &search("|A20047"), ""),
            of(SEARCH, &search("|A20048"), ""),
        ];
        for (place, one) in asked.iter().enumerate() {
            assert!(one.is_some(), "{place}");
            let same = asked.iter().filter(|other| *other == one).count();
            assert_eq!(same, 1, "{place}");
        }
    }

    #[test]
    fn who_asks_for_more_makes_no_question() {
        for (name, id, request, accept) in [
            ("an unknown parameter", STATEMENT, "metadata?_summary=true", ""),
            ("a parameter without a value", STATEMENT, "metadata?_format", ""),
            ("the format twice", STATEMENT, "metadata?_format=json&_format=xml", ""),
            ("the format by another spelling", STATEMENT, "metadata?%5Fformat=xml", ""),
            ("a format that does not exist", STATEMENT, "metadata?_format=turtle", ""),
            ("no format", STATEMENT, "metadata?_format=", ""),
            ("a media type that does not exist", STATEMENT, "metadata", "image/png"),
            ("an identifier of a statement", STATEMENT, "metadata?identifier=x", ""),
            ("another path", STATEMENT, "metadata/", ""),
            ("an identifier of a read", READ, "Organization/17?identifier=x", ""),
            ("a version", READ, "Organization/17/_history", ""),
            ("no id", READ, "Organization/", ""),
            ("no identifier", SEARCH, "Organization", ""),
            ("another parameter beside it", SEARCH, &search("|A20047&_count=1"), ""),
            ("a modifier", SEARCH, "Organization?identifier:exact=a%7CA20047", ""),
            ("another case", SEARCH, "Organization?Identifier=a%7CA20047", ""),
            ("two identifiers", SEARCH, &search("|A20047&identifier=x"), ""),
            ("two codes", SEARCH, &search("|A20047,A20048"), ""),
            ("no code", SEARCH, &search("|"), ""),
            ("no system", SEARCH, "Organization?identifier=A20047", ""),
            ("a code in small letters", SEARCH, &search("|a20047"), ""),
            ("a blank", SEARCH, &search("|A20047%20"), ""),
            ("bytes that are no text", SEARCH, &search("|A20047%FF"), ""),
            (
                "another system",
                SEARCH,
                "Organization?identifier=https://fhir.nhs.uk/Id/nhs-number%7C9000000009",
                "",
            ),
        ] {
            assert!(of(id, request, accept).is_none(), "{name}");
        }
    }

    /// gp-connect 13: only what holds no personal data, whatever else a request says.
    #[test]
    fn no_other_interaction_makes_a_question() {
        let requests = ["metadata", "Organization/17", &search("|A20047"), "Patient/17", ""];
        for id in InteractionId::all() {
            let made = requests.iter().filter(|request| of(id, request, "").is_some()).count();
            let own = usize::from(id.row().kept.is_some());
            assert_eq!(made, own, "{}", id.short());
            assert!(own == 0 || !id.row().path.contains("Patient"), "{}", id.short());
        }
    }

    #[test]
    fn a_provider_is_asked_in_one_spelling() {
        for (id, request) in [
            (STATEMENT, "metadata".to_owned()),
            (READ, "Organization/17".to_owned()),
            (SEARCH, search("%7CA20047")),
        ] {
            assert_eq!(of(id, &request, "").unwrap().request(), request);
        }
    }

    #[test]
    fn what_a_caller_wrote_is_not_printed() {
        let question = of(READ, "Organization/9000000009", "").unwrap();
        assert_eq!(format!("{question:?}"), "Question(fhir:rest:read:organization-1, Json)");
    }

    proptest::proptest! {
        /// What a provider is asked is the same question again: no spelling is lost on the way.
        #[test]
        fn a_question_is_asked_as_it_was_read(
            query in "(&?(_format|identifier|%69dentifier)=(json|xml|https://fhir.nhs.uk/Id/ods-organization-code(%7C|\\|)[A-Z0-9%]{1,8})){0,3}"
        ) {
            let request = format!("Organization?{query}");
            for accept in ["application/fhir+json", "application/fhir+xml"] {
                if let Some(question) = of(SEARCH, &request, accept) {
                    let again = of(SEARCH, &question.request(), question.format().media_type());
                    proptest::prop_assert!(again == Some(question));
                }
            }
        }

        #[test]
        fn no_request_panics(request in ".{0,60}", accept in ".{0,20}") {
            for id in InteractionId::all() {
                of(id, &request, &accept);
            }
        }
    }
}
