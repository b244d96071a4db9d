//! The body of a request: given, given and changed, or generated.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
};

use gpconnect::{
    interaction::{InteractionId as Id, Verb},
    media::Format,
};
use serde_json::{Value, json};

use super::{
    arguments::Content,
    fault::Unsendable,
    generated::{PROFILE, generated},
};
use crate::cli::token::author::Author;

/// A body to send, and what it says of the resource that it replaces. `Debug` leaves out what may
/// name a patient.
#[derive(Default)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) format: Format,
    /// Its logical id.
    pub(super) id: Option<String>,
    /// Its version.
    pub(super) version: Option<String>,
}

impl fmt::Debug for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Body({} bytes, {:?})", self.bytes.len(), self.format)
    }
}

impl Body {
    /// The body of `interaction`; none where there is none.
    ///
    /// # Errors
    /// When it can't be read, changed or made.
    pub(super) fn of(
        interaction: Id,
        content: &Content,
        author: &Author,
        created: &str,
    ) -> Result<Option<Self>, Unsendable> {
        if let Some(name) = &content.body {
            let given =
                read(name).map_err(|source| Unsendable::Body { name: name.clone(), source });
            return changed(given?, name, interaction, content).map(Some);
        }
        if interaction.row().verb == Verb::Get {
            return Ok(None);
        }
        let generated = generated(interaction, content, author, created)?;
        Ok(Some(Self { bytes: indented(&generated), ..Self::default() }))
    }
}

/// Larger than any gateway takes, so that its refusal can be seen.
const MOST_BYTES: u64 = 64 << 20;

pub(super) fn read(name: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if name == "-" {
        io::stdin().lock().take(MOST_BYTES).read_to_end(&mut bytes)?;
    } else {
        File::open(name)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// The given body with the changes that the options ask for; else byte for byte.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are not changed")]
fn changed(
    bytes: Vec<u8>,
    name: &str,
    interaction: Id,
    content: &Content,
) -> Result<Body, Unsendable> {
    let is_xml = bytes.trim_ascii_start().starts_with(b"<");
    let format = if is_xml { Format::Xml } else { Format::Json };
    let mut resource: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let text = |pointer| resource.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let (id, version) = (text("/id"), text("/meta/versionId"));
    let options = "--description, --comment and --reason";
    let has_changed = match interaction {
        Id::AmendAppointment => amend(&mut resource, content),
        Id::CancelAppointment => cancel(&mut resource, content),
        _ => Ok(false),
    };
    let has_changed = has_changed
        .map_err(|NotAnObject| Unsendable::BodyNotJson { name: name.to_owned(), options })?;
    let bytes = if has_changed { indented(&resource) } else { bytes };
    Ok(Body { bytes, format, id, version })
}

/// What can't be changed member by member.
struct NotAnObject;

/// Replaces description and comment. Says whether anything was asked for.
fn amend(appointment: &mut Value, content: &Content) -> Result<bool, NotAnObject> {
    let texts = [("description", &content.description), ("comment", &content.comment)];
    let mut has_changed = false;
    for (name, text) in texts {
        if let Some(text) = text {
            let members = appointment.as_object_mut().ok_or(NotAnObject)?;
            members.insert(name.into(), text.as_str().into());
            has_changed = true;
        }
    }
    Ok(has_changed)
}

/// Sets the status and adds the reason. Says whether anything was asked for.
fn cancel(appointment: &mut Value, content: &Content) -> Result<bool, NotAnObject> {
    let Some(reason) = &content.reason else { return Ok(false) };
    let members = appointment.as_object_mut().ok_or(NotAnObject)?;
    members.insert("status".into(), "cancelled".into());
    let extension = json!({
        "url": format!("{PROFILE}/Extension-GPConnect-AppointmentCancellationReason-1"),
        "valueString": reason,
    });
    let extensions = members.entry("extension").or_insert_with(|| json!([]));
    match extensions.as_array_mut() {
        Some(extensions) => extensions.push(extension),
        None => *extensions = json!([extension]),
    }
    Ok(true)
}

fn indented(value: &Value) -> Vec<u8> {
    format!("{value:#}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPOINTMENT: &str = r#"{"id":"5","meta":{"versionId":"2"},"status":"booked",
        "extension":[{"url":"x"}],"description":"old"}"#;

    fn change(id: Id, text: &str, content: &Content) -> Result<Body, Unsendable> {
        changed(text.as_bytes().to_vec(), "-", id, content)
    }

    #[test]
    fn an_appointment_is_changed_as_asked() {
        let content = Content {
            description: Some("new".into()),
            comment: Some("more".into()),
            reason: Some("No longer needed".into()),
            ..Content::default()
        };
        let amended = change(Id::AmendAppointment, APPOINTMENT, &content).unwrap();
        assert_eq!((amended.id.as_deref(), amended.version.as_deref()), (Some("5"), Some("2")));
        let amended: Value = serde_json::from_slice(&amended.bytes).unwrap();
        assert_eq!((&amended["description"], &amended["comment"]), (&json!("new"), &json!("more")));
        assert_eq!(amended["status"], "booked");
        let cancelled = change(Id::CancelAppointment, APPOINTMENT, &content).unwrap();
        let cancelled: Value = serde_json::from_slice(&cancelled.bytes).unwrap();
        assert_eq!(cancelled["status"], "cancelled");
        assert_eq!(cancelled["extension"][1]["valueString"], "No longer needed");
        assert_eq!(cancelled["description"], "old");
    }

    #[test]
    fn what_is_not_changed_stays_byte_for_byte() {
        let nothing = Content::default();
        for (name, text, format) in [
            ("JSON", " {\"a\": 1.10 }\n", Format::Json),
            ("XML", "\n<Appointment/>", Format::Xml),
            ("neither", "hello", Format::Json),
            ("empty", "", Format::Json),
        ] {
            let body = change(Id::CancelAppointment, text, &nothing).unwrap();
            assert_eq!((body.bytes.as_slice(), body.format), (text.as_bytes(), format), "{name}");
        }
        let content = Content { reason: Some("x".into()), ..Content::default() };
        let fault = change(Id::CancelAppointment, "<Appointment/>", &content).unwrap_err();
        assert!(matches!(fault, Unsendable::BodyNotJson { .. }));
    }
}
