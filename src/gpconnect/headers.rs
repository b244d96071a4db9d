//! Stage 3: the `Ssp-*` headers (gp-connect 4.1).
//!
//! What a consumer sent is read and checked, never replaced. What an assisted consumer left out is
//! filled in later, where one choice remains.

use std::str::FromStr;

use crate::{
    contract::Header,
    facts::{Field, Fields},
    interaction::InteractionId,
    names::{Asid, TraceId},
    policy::Mode,
    rejection::Reason,
    sent::Sent,
};

/// `Ssp-TraceID`.
pub const TRACE_ID: &str = Header::TraceId.as_str();
/// `Ssp-From`.
pub const FROM: &str = Header::From.as_str();
/// `Ssp-To`.
pub const TO: &str = Header::To.as_str();
/// `Ssp-InteractionID`.
pub const INTERACTION_ID: &str = Header::InteractionId.as_str();

/// The four `Ssp-*` headers.
#[derive(Clone, Copy, Debug)]
pub struct Headers {
    /// Which message this is.
    pub trace_id: Sent<TraceId>,
    /// Which system sends.
    pub from: Sent<Asid>,
    /// Which system is to receive.
    pub to: Sent<Asid>,
    /// Which interaction is meant.
    pub interaction_id: Sent<InteractionId>,
}

/// Reads the four headers and adds a fault for each that is repeated or malformed.
pub fn read(fields: &Fields<'_>, faults: &mut Vec<Reason>) -> Headers {
    Headers {
        trace_id: parsed(fields.trace_id, Header::TraceId, "a UUID", faults),
        from: parsed(fields.from, Header::From, "an ASID of 12 digits", faults),
        to: parsed(fields.to, Header::To, "an ASID of 12 digits", faults),
        interaction_id: interaction_id(fields.interaction_id, faults),
    }
}

fn parsed<T: FromStr>(
    field: Field<'_>,
    header: Header,
    expected: &'static str,
    faults: &mut Vec<Reason>,
) -> Sent<T> {
    match one(field, header, faults) {
        Sent::Value(text) => match text.parse() {
            Ok(value) => Sent::Value(value),
            Err(_) => {
                faults.push(Reason::HeaderInvalid { header, length: text.len(), expected });
                Sent::Faulty
            }
        },
        Sent::Absent => Sent::Absent,
        Sent::Faulty => Sent::Faulty,
    }
}

/// The only value of a header; repeated or unreadable ones are faults.
fn one<'r>(field: Field<'r>, header: Header, faults: &mut Vec<Reason>) -> Sent<&'r str> {
    match field {
        Field::Absent => return Sent::Absent,
        Field::Many => faults.push(Reason::HeaderRepeated(header.as_str())),
        Field::One(bytes) => match str::from_utf8(bytes) {
            Ok(text) => return Sent::Value(text),
            Err(_) => faults.push(Reason::HeaderInvalid {
                header,
                length: bytes.len(),
                expected: "ASCII text",
            }),
        },
    }
    Sent::Faulty
}

/// An unknown id is a fault of stage 4, but there is nothing to identify then, so it is read here.
fn interaction_id(field: Field<'_>, faults: &mut Vec<Reason>) -> Sent<InteractionId> {
    match one(field, Header::InteractionId, faults) {
        Sent::Value(text) => match InteractionId::from_urn(text) {
            Some(id) => Sent::Value(id),
            None => {
                faults.push(Reason::InteractionUnknown { length: text.len() });
                Sent::Faulty
            }
        },
        Sent::Absent => Sent::Absent,
        Sent::Faulty => Sent::Faulty,
    }
}

/// Adds a fault for each header that was left out and will not be filled in: all of them for a
/// transparent consumer; for an assisted one only `Ssp-From` when its sender is open.
pub fn check(headers: &Headers, sender: Option<Mode>, faults: &mut Vec<Reason>) {
    let assisted = sender == Some(Mode::Assist);
    let mut missing = |absent: bool, header| {
        if absent {
            faults.push(Reason::HeaderMissing(header));
        }
    };
    missing(headers.trace_id.is_absent() && !assisted, Header::TraceId);
    missing(headers.from.is_absent() && !assisted, Header::From);
    missing(headers.to.is_absent() && !assisted, Header::To);
    missing(headers.interaction_id.is_absent() && !assisted, Header::InteractionId);
}

/// Amend and cancel need the version that they change (D10).
///
/// # Errors
/// 400 when `If-Match` is absent, repeated, or no entity tag.
pub fn check_if_match(fields: &Fields<'_>) -> Result<(), Reason> {
    const HEADER: Header = Header::IfMatch;
    match fields.if_match {
        Field::Absent => Err(Reason::HeaderMissing(HEADER)),
        Field::Many => Err(Reason::HeaderRepeated(HEADER.as_str())),
        Field::One(value) if is_entity_tag(value) => Ok(()),
        Field::One(value) => Err(Reason::HeaderInvalid {
            header: HEADER,
            length: value.len(),
            expected: "an entity tag such as W/\"1\"",
        }),
    }
}

/// RFC 9110, 8.8.3: an optional `W/`, then a quoted text without quotes and controls.
fn is_entity_tag(value: &[u8]) -> bool {
    let quoted = value.strip_prefix(b"W/").unwrap_or(value);
    let inner = quoted.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    inner.is_some_and(|inner| inner.iter().all(|byte| *byte > b' ' && !matches!(byte, b'"' | 127)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &[u8]); 4] = [
        (TRACE_ID, b"629ea9ba-a077-4d99-b289-7a9b19fd4e03"),
        (FROM, b"200000000359"),
        (TO, b"918999198993"),
        (INTERACTION_ID, b"urn:nhs:names:services:gpconnect:fhir:rest:read:metadata-1"),
    ];

    fn words(fields: &Fields<'_>, sender: Option<Mode>) -> Vec<String> {
        let mut faults = Vec::new();
        let headers = read(fields, &mut faults);
        check(&headers, sender, &mut faults);
        faults.iter().map(Reason::diagnostics).collect()
    }

    /// gp-connect 4.1: each of the four headers SHALL be there.
    #[test]
    fn all_four_headers_are_needed_unless_assisted() {
        let none = Fields::default();
        assert_eq!(words(&Fields::gather(GOOD), None), [""; 0]);
        assert_eq!(words(&none, Some(Mode::Assist)), [""; 0]);
        for sender in [None, Some(Mode::Transparent)] {
            assert_eq!(
                words(&none, sender),
                [
                    "Ssp-TraceID header is missing",
                    "Ssp-From header is missing",
                    "Ssp-To header is missing",
                    "Ssp-InteractionID header is missing",
                ]
            );
        }
    }

    /// gp-connect 4.1: one value each, in its form.
    #[test]
    fn each_fault_of_the_headers_is_told() {
        let fields = Fields::gather([
            (TRACE_ID, b"9000000009".as_slice()),
            (FROM, b"200000000359"),
            (FROM, b"200000000359"),
            (TO, b"\xff"),
            (INTERACTION_ID, b"urn:nhs:names:services:gpconnect:fhir:rest:read:nothing-1"),
        ]);
        assert_eq!(
            words(&fields, None),
            [
                "Ssp-TraceID header is not valid: found 10 characters, expected a UUID",
                "Ssp-From header is repeated; send it once",
                "Ssp-To header is not valid: found 1 character, expected ASCII text",
                "Ssp-InteractionID header is not valid: found 57 characters, expected the id of a GP Connect interaction",
            ]
        );
    }

    /// gp-connect 4.1: `If-Match` holds an entity tag.
    #[test]
    fn if_match_is_an_entity_tag() {
        for (name, value, good) in [
            ("weak", "W/\"3\"", true),
            ("strong", "\"3\"", true),
            ("unquoted", "3", false),
            ("weak and unquoted", "W/3", false),
            ("a list", "\"1\", \"2\"", false),
            ("half quoted", "\"3", false),
            ("one quote", "\"", false),
            ("empty", "", false),
        ] {
            let fields = Fields::gather([("If-Match", value.as_bytes())]);
            assert_eq!(check_if_match(&fields).is_ok(), good, "{name}");
        }
        assert!(check_if_match(&Fields::default()).is_err());
    }
}
