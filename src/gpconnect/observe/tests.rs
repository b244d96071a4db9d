//! Each duty with an answer that keeps it and one that does not.

use super::*;
use InteractionId::{
    BookAppointment, GetCareRecord, ReadBinary, ReadMetadata, ReadPatient, RegisterPatient,
    SearchPatient,
};

const GOOD: Head<'static> = Head {
    status: 200,
    no_store: true,
    tag: Some(b"W/\"1\""),
    content_type: Some("application/fhir+json;charset=utf-8"),
    is_bare: false,
    took: Duration::from_millis(99),
};

fn names(duties: impl Iterator<Item = Duty>) -> Vec<&'static str> {
    duties.map(Duty::name).collect()
}

fn broken(answer: &Head<'_>, id: InteractionId) -> Vec<&'static str> {
    names(head(answer, id, |format| format == Format::Json).broken())
}

/// Heads, what they answer, and what they break.
#[rustfmt::skip]
fn heads() -> Vec<(&'static str, Head<'static>, InteractionId, &'static [&'static str])> {
    let took = |milliseconds| Head { took: Duration::from_millis(milliseconds), ..GOOD };
    let tag = |tag: &'static str| Head { tag: Some(tag.as_bytes()), ..GOOD };
    let kind = |kind: &'static str| Head { content_type: Some(kind), ..GOOD };
    let status = |status| Head { status, ..GOOD };
    vec![
        ("good", GOOD, ReadPatient, &[]),
        ("stored", Head { no_store: false, ..GOOD }, ReadPatient, &["no_store"]),
        ("an error that is stored", Head { no_store: false, ..status(404) }, ReadPatient, &["no_store"]),
        ("no tag", Head { tag: None, ..GOOD }, ReadPatient, &["etag_present"]),
        ("no tag of what was made", Head { tag: None, ..status(201) }, BookAppointment, &["etag_present"]),
        ("no tag, and no resource", Head { tag: None, is_bare: true, ..status(201) }, BookAppointment, &[]),
        ("no tag of a bundle", Head { tag: None, ..GOOD }, SearchPatient, &[]),
        ("no tag of a statement", Head { tag: None, ..GOOD }, ReadMetadata, &[]),
        ("no tag of an error", Head { tag: None, ..status(404) }, ReadPatient, &[]),
        ("a strong tag", tag("\"1\""), ReadPatient, &["etag_weak"]),
        ("a strong tag of a bundle", tag("\"1\""), SearchPatient, &["etag_weak"]),
        ("no quotes", tag("W/1"), ReadPatient, &["etag_weak"]),
        ("one quote", tag("W/\""), ReadPatient, &["etag_weak"]),
        ("a quote inside", tag("W/\"1\"2\""), ReadPatient, &["etag_weak"]),
        ("a small letter", tag("w/\"1\""), ReadPatient, &["etag_weak"]),
        ("a tag of nothing", tag("W/\"\""), ReadPatient, &[]),
        ("the old name", kind("application/json+fhir;charset=utf-8"), ReadPatient, &["answer_media_type"]),
        ("plain JSON", kind("application/json; charset=utf-8"), ReadPatient, &["answer_media_type"]),
        ("a page", kind("text/html;charset=utf-8"), ReadPatient, &["answer_media_type"]),
        ("no type", Head { content_type: None, ..GOOD }, ReadPatient, &["answer_media_type"]),
        ("no type and no body", Head { content_type: None, is_bare: true, ..GOOD }, ReadPatient, &[]),
        ("no type of what is unchanged", Head { content_type: None, ..status(304) }, ReadPatient, &[]),
        ("a document", kind("application/pdf"), ReadBinary, &[]),
        ("version 0.7", kind("application/json+fhir"), GetCareRecord, &[]),
        ("no charset", kind("application/fhir+json"), ReadPatient, &["answer_charset"]),
        ("another charset", kind("application/fhir+json;charset=latin1"), ReadPatient, &["answer_charset"]),
        ("a blank, capitals, quotes", kind("application/fhir+json; fhirVersion=3.0; Charset=\"UTF-8\""), ReadPatient, &[]),
        ("the other format", kind("application/fhir+xml;charset=utf-8"), ReadPatient, &["answer_format"]),
        ("406", status(406), ReadPatient, &["status_415"]),
        ("415", status(415), ReadPatient, &[]),
        ("412", status(412), BookAppointment, &["status_409"]),
        ("409", status(409), BookAppointment, &[]),
        ("a page of an error", Head { content_type: Some("text/html;charset=utf-8"), ..status(503) }, ReadPatient, &["answer_media_type", "answer_is_fhir"]),
        ("an empty error", Head { is_bare: true, ..status(500) }, ReadPatient, &["answer_is_fhir"]),
        ("a command of 100 ms", took(100), BookAppointment, &["time_goal"]),
        ("a command of 249 ms", took(249), RegisterPatient, &["time_goal"]),
        ("a command of 250 ms", took(250), RegisterPatient, &["time_limit", "time_goal"]),
        ("a query of 999 ms", took(999), ReadPatient, &[]),
        ("a query of 1 s", took(1_000), ReadPatient, &["time_goal"]),
        ("a query of 3 s", took(3_000), ReadPatient, &["time_limit", "time_goal"]),
    ]
}

/// gp-connect 4.3, 5, 6, 14.
#[test]
fn a_head_breaks_what_it_does_not_keep() {
    for (name, answer, id, expected) in heads() {
        assert_eq!(broken(&answer, id), expected, "{name}");
    }
}

/// What is not judged does not count as kept either.
#[test]
fn an_answer_is_held_against_what_it_is_about() {
    let judged = |answer: &Head<'_>, id| names(head(answer, id, |_| true).judged());
    assert_eq!(
        judged(&GOOD, ReadPatient),
        [
            "no_store",
            "etag_present",
            "etag_weak",
            "answer_media_type",
            "answer_charset",
            "answer_format",
            "time_limit",
            "time_goal"
        ]
    );
    let bare = Head { status: 304, tag: None, content_type: None, ..GOOD };
    assert_eq!(judged(&bare, ReadPatient), ["no_store", "time_limit", "time_goal"]);
    let page = Head { status: 502, tag: None, content_type: Some("text/html"), ..GOOD };
    let expected = ["no_store", "answer_media_type", "answer_is_fhir", "time_limit", "time_goal"];
    assert_eq!(judged(&page, SearchPatient), expected);
}

/// errors A and E.
#[test]
fn the_body_of_an_error_has_the_last_word() {
    let seen = head(&Head { status: 404, ..GOOD }, ReadPatient, |_| true);
    let with = |body: &str| seen.with_error(body.as_bytes(), Format::Json);
    let coded = |system: &str, code: &str| {
        format!(
            "{{\"resourceType\":\"OperationOutcome\",\"issue\":[{{\"details\":{{\"coding\":\
             [{{\"system\":\"{system}\",\"code\":\"{code}\"}}]}}}}]}}"
        )
    };
    let spine = "https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1";
    for (body, judged, broken) in [
        (coded(spine, "PATIENT_NOT_FOUND"), true, &[][..]),
        (coded(spine, "NO_SUCH_CODE"), true, &["spine_code"]),
        ("{\"error\":\"no\"}".to_owned(), false, &["answer_is_fhir"]),
    ] {
        let seen = with(&body).unwrap();
        assert_eq!(names(seen.broken()), broken, "{body}");
        assert_eq!(seen.judged().any(|duty| duty == Duty::SpineCode), judged, "{body}");
    }
    let proxy = "http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0";
    assert_eq!(with(&coded(proxy, "502")), None, "the practice did not write it");
}

#[test]
fn what_is_told_as_fhir() {
    let kind = |status, content_type, is_bare| Head { status, content_type, is_bare, ..GOOD };
    for (name, answer, expected) in [
        ("no error", kind(200, Some("text/html"), false), true),
        ("FHIR", kind(404, Some("application/fhir+json"), false), true),
        ("by a common name", kind(404, Some("application/json"), false), true),
        ("a page", kind(404, Some("text/html"), false), false),
        ("no type", kind(404, None, false), false),
        ("nothing", kind(404, Some("application/fhir+json"), true), false),
    ] {
        assert_eq!(answer.is_told_as_fhir(), expected, "{name}");
    }
}
