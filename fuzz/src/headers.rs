//! Stages 3 and 4: what is read of a header is what stood in it.

use std::{fmt::Display, str::FromStr};

use gpconnect::{
    facts::{Field, Fields},
    headers::{check, check_if_match, read},
    interaction::InteractionId,
    media::{self, Format, Wanted},
    names::{Asid, CpaId, HostName, NhsNumber, OdsCode, PartyKey, ServiceRoot, TraceId},
    policy::Mode,
    sent::Sent,
};

/// `{name}: {value}` a line, the query in a line without a colon: a header that is accepted prints
/// as it was sent, a fault is told for each other one, and a format is wanted only where a place
/// names it.
pub fn headers(bytes: &[u8]) {
    let mut query = None;
    let mut given = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        match line.iter().position(|byte| *byte == b':') {
            Some(colon) => given.extend(
                str::from_utf8(&line[..colon])
                    .ok()
                    .map(|name| (name, line[colon + 1..].trim_ascii())),
            ),
            None => query = str::from_utf8(line).ok(),
        }
    }
    let fields = Fields::gather(given.iter().copied());
    ssp(&fields);
    media_types(&fields, query);
    given.iter().filter_map(|(_, value)| str::from_utf8(value).ok()).for_each(names);
}

fn ssp(fields: &Fields<'_>) {
    let mut faults = Vec::new();
    let headers = read(fields, &mut faults);
    let from = prints(&headers.from, fields.from, |asid: &Asid| asid.to_string());
    let to = prints(&headers.to, fields.to, |asid: &Asid| asid.to_string());
    let trace = prints(&headers.trace_id, fields.trace_id, |id: &TraceId| id.to_string());
    let id = prints(&headers.interaction_id, fields.interaction_id, |id| {
        InteractionId::urn(*id).to_owned()
    });
    let faulty = [from, to, trace, id].into_iter().filter(|good| !good).count();
    assert_eq!(faults.len(), faulty, "not one fault for each faulty header");
    check(&headers, Some(Mode::Assist), &mut faults);
    assert_eq!(faults.len(), faulty, "something is missing although it will be filled in");
    check(&headers, Some(Mode::Transparent), &mut faults);
    let missing = [fields.from, fields.to, fields.trace_id, fields.interaction_id];
    let missing = missing.into_iter().filter(|field| *field == Field::Absent).count();
    assert_eq!(faults.len(), faulty + missing, "not one fault for each missing header");
    if check_if_match(fields).is_ok() {
        let tag = fields.if_match.text().unwrap_or("\"\"");
        assert!(tag.ends_with('"') && tag.matches('"').count() == 2);
    }
}

/// Whether a header is none that is faulty; what was read of it must print as it was sent.
fn prints<T>(read: &Sent<T>, field: Field<'_>, print: impl Fn(&T) -> String) -> bool {
    match (read, field) {
        (Sent::Value(value), Field::One(sent)) => assert_eq!(print(value).as_bytes(), sent),
        (Sent::Absent, Field::Absent) => {}
        (Sent::Faulty, Field::One(_) | Field::Many) => return false,
        _ => panic!("a header was read that is not there, or not read though it is"),
    }
    true
}

fn media_types(fields: &Fields<'_>, query: Option<&str>) {
    let wanted = media::wanted(fields, query);
    if let Wanted::Unsupported(_) = wanted {
        assert_eq!(wanted.or_json(), Format::Json);
        assert!(media::check(wanted, fields, false).is_err());
    } else {
        // Without a body nothing else can be wrong; with one only its own type.
        assert!(media::check(wanted, fields, false).is_ok());
    }
    if query.is_none_or(|query| !query.contains("_format"))
        && fields.accept.texts().next().is_none()
    {
        assert!(matches!(wanted, Wanted::Format(_)), "unsupported, though nothing was asked for");
    }
    if fields.content_type == Field::Absent {
        assert!(media::check(wanted, fields, true).is_err(), "a body of no type passed");
    }
}

fn names(text: &str) {
    same::<Asid>(text);
    same::<CpaId>(text);
    same::<HostName>(text);
    same::<OdsCode>(text);
    same::<PartyKey>(text);
    same::<ServiceRoot>(text);
    same::<TraceId>(text);
    if let Ok(number) = text.parse::<NhsNumber>() {
        assert_eq!(number.digits(), text);
        assert!(!format!("{number} {number:?}").contains(text), "a patient's number is printed");
    }
}

/// A name prints as it was read.
fn same<T: FromStr + Display>(text: &str) {
    if let Ok(name) = text.parse::<T>() {
        assert_eq!(name.to_string(), text);
    }
}
