//! A5 and A6: amending and cancelling. On the wire they differ by the interaction id only.

use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

use super::appointments::Appointment;
use super::book::{check_texts, invalid};
use super::visit::{items, text};
use super::{Answer, Visit};
use crate::simulator::fhir::outcome::{Code, Refusal};
use crate::simulator::fhir::profile;

const REASON: &str = "Extension-GPConnect-AppointmentCancellationReason-1";

/// Changes description and comment, nothing else.
pub(crate) fn amend(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    change(visit, |stored, request| {
        check_texts(request)?;
        let free = ["description", "comment"];
        if bare(request, &free) != bare(&stored.resource(), &free) {
            return Err(invalid("Only description and comment may be amended"));
        }
        let mut next = stored.content.clone();
        for member in free {
            match request.get(member) {
                Some(value) => drop(next.insert(member.into(), value.clone())),
                None => drop(next.shift_remove(member)),
            }
        }
        Ok(next)
    })
}

/// Sets the status to cancelled and adds the reason, nothing else; the slots are free again.
pub(crate) fn cancel(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    change(visit, |stored, request| {
        if text(request, "status") != Some("cancelled") {
            return Err(invalid("Appointment.status is not cancelled"));
        }
        let known = items_of(&stored.content, "extension");
        let added: Vec<&Value> =
            items(request, "extension").iter().filter(|item| !known.contains(item)).collect();
        let kept = items(request, "extension").len() == known.len() + added.len();
        let free = ["status", "extension"];
        if !kept || bare(request, &free) != bare(&stored.resource(), &free) {
            return Err(invalid("Only status and reason may change when cancelling"));
        }
        let reason = match added.as_slice() {
            [] => return Err(no_reason()),
            [reason] if text(reason, "url") == Some(profile(REASON).as_str()) => *reason,
            _ => return Err(invalid("Appointment.extension is not a cancellation reason")),
        };
        if text(reason, "valueString").is_none_or(|words| words.trim().is_empty()) {
            return Err(no_reason());
        }
        let mut next = stored.content.clone();
        let mut extensions = known.to_vec();
        extensions.push(reason.clone());
        next.insert("extension".into(), extensions.into());
        next.insert("status".into(), "cancelled".into());
        Ok(next)
    })
}

fn no_reason() -> Refusal {
    Code::InvalidParameter.because("Cancellation reason is missing")
}

/// What both have in common: the version must be the last one, the appointment still to come.
fn change(
    visit: &Visit<'_>,
    next: impl Fn(&Appointment, &Value) -> Result<Map<String, Value>, Refusal>,
) -> Result<Answer, Refusal> {
    let asked = version(visit.headers)?;
    let request = visit.resource("Appointment")?;
    let mut changes = visit.site.changes();
    let stored = visit
        .number()
        .and_then(|id| changes.appointments.get(id))
        .ok_or_else(|| Code::NoRecordFound.because("No such Appointment"))?;
    if asked != stored.version {
        return Err(Code::ConstraintViolation.because("If-Match is not the current version"));
    }
    if stored.is_cancelled() {
        return Err(invalid("Appointment is cancelled"));
    }
    if stored.start < visit.now {
        return Err(invalid("Appointment is past"));
    }
    let content = next(stored, &request)?;
    let (version, changed) = (stored.version + 1, visit.now.clone());
    let next = Appointment { version, changed, content, ..stored.clone() };
    let answer = next.answer().of_command(StatusCode::OK);
    changes.appointments.replace(next);
    Ok(answer)
}

/// The version in `If-Match: W/"{version}"`.
fn version(headers: &HeaderMap) -> Result<u64, Refusal> {
    let value = headers
        .get(header::IF_MATCH)
        .ok_or_else(|| Code::BadRequest.because("If-Match header is missing"))?;
    value
        .to_str()
        .ok()
        .and_then(|tag| tag.trim().strip_prefix("W/\"")?.strip_suffix('"'))
        // A tag that none of our versions has is as wrong as an old one.
        .map(|tag| tag.parse().unwrap_or(0))
        .ok_or_else(|| Code::BadRequest.because("If-Match header is not valid"))
}

/// The members that must not differ; metadata is the server's.
fn bare(resource: &Value, free: &[&str]) -> Map<String, Value> {
    let members = resource.as_object().cloned().unwrap_or_default();
    members
        .into_iter()
        .filter(|(name, _)| name != "meta" && !free.contains(&name.as_str()))
        .collect()
}

fn items_of<'a>(content: &'a Map<String, Value>, member: &str) -> &'a [Value] {
    content.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::simulator::practice::Site;
    use crate::simulator::practice::book::tests::{pair, request};
    use crate::simulator::practice::tests::{Call, site};
    use gpconnect::interaction::InteractionId as Id;
    use serde_json::json;

    type Edit = fn(&mut Value);

    fn reason(url: &str, words: &str) -> Value {
        json!({"url": profile(url), "valueString": words})
    }

    /// The body that cancels an appointment.
    pub(crate) fn cancelled(appointment: &Value) -> Value {
        let mut body = appointment.clone();
        body["status"] = "cancelled".into();
        body["extension"].as_array_mut().unwrap().push(reason(REASON, "No longer needed"));
        body
    }

    fn booked(site: &Site) -> Value {
        let body = request(&pair(site).0);
        Call { body, ..Call::default() }.result(site, Id::BookAppointment).unwrap()
    }

    fn put(site: &Site, id: Id, if_match: &str, body: Value) -> Result<Value, &'static str> {
        Call { id: "2", if_match, body, ..Call::default() }.result(site, id)
    }

    #[test]
    fn a_booking_survives_amend_and_cancel_with_version_conflicts() {
        let site = site();
        let (slot, _) = pair(&site);
        let mut first = booked(&site);
        first["description"] = "Changed".into();
        first["comment"] = "Added".into();
        let second = put(&site, Id::AmendAppointment, "W/\"1\"", first.clone()).unwrap();
        assert_eq!(
            (&second["comment"], &second["meta"]["versionId"]),
            (&json!("Added"), &json!("2"))
        );
        for id in [Id::AmendAppointment, Id::CancelAppointment] {
            let stale = put(&site, id, "W/\"1\"", first.clone());
            assert_eq!(stale, Err("FHIR_CONSTRAINT_VIOLATION"));
        }
        let third = put(&site, Id::CancelAppointment, "W/\"2\"", cancelled(&second)).unwrap();
        assert_eq!(
            (&third["status"], &third["meta"]["versionId"]),
            (&json!("cancelled"), &json!("3"))
        );
        let again = put(&site, Id::AmendAppointment, "W/\"3\"", third);
        assert_eq!(again, Err("INVALID_RESOURCE"));
        let rebooked = Call { body: request(&slot), ..Call::default() };
        assert_eq!(rebooked.result(&site, Id::BookAppointment).unwrap()["id"], "3");
    }

    #[test]
    fn an_amendment_changes_nothing_else() {
        let cases: &[(&str, Edit)] = &[
            ("start", |a| a["start"] = "2026-11-24T23:00:00+00:00".into()),
            ("status", |a| a["status"] = "cancelled".into()),
            ("participant", |a| a["participant"] = json!([])),
            ("extension", |a| a["extension"] = json!([])),
            ("id", |a| a["id"] = "1".into()),
            ("new member", |a| a["priority"] = 1.into()),
            ("long text", |a| a["description"] = "x".repeat(101).into()),
        ];
        let site = site();
        let appointment = booked(&site);
        for (name, edit) in cases {
            let mut body = appointment.clone();
            edit(&mut body);
            let refused = put(&site, Id::AmendAppointment, "W/\"1\"", body);
            assert_eq!(refused, Err("INVALID_RESOURCE"), "{name}");
        }
    }

    #[test]
    fn a_cancellation_needs_its_reason_and_changes_nothing_else() {
        let cases: &[(&str, Edit, &str)] = &[
            (
                "no reason",
                |a| drop(a["extension"].as_array_mut().unwrap().pop()),
                "INVALID_PARAMETER",
            ),
            ("empty reason", |a| a["extension"][3] = reason(REASON, " "), "INVALID_PARAMETER"),
            ("wrong extension", |a| a["extension"][3] = reason("Other", "x"), "INVALID_RESOURCE"),
            (
                "extension lost",
                |a| drop(a["extension"].as_array_mut().unwrap().remove(0)),
                "INVALID_RESOURCE",
            ),
            ("still booked", |a| a["status"] = "booked".into(), "INVALID_RESOURCE"),
            ("description", |a| a["description"] = "other".into(), "INVALID_RESOURCE"),
        ];
        let site = site();
        let body = cancelled(&booked(&site));
        for (name, edit, code) in cases {
            let mut body = body.clone();
            edit(&mut body);
            let refused = put(&site, Id::CancelAppointment, "W/\"1\"", body);
            assert_eq!(refused, Err(*code), "{name}");
        }
    }

    #[test]
    fn if_match_is_required_and_a_weak_tag() {
        let site = site();
        let body = booked(&site);
        for (name, tag, code) in [
            ("absent", "", "BAD_REQUEST"),
            ("strong", "\"1\"", "BAD_REQUEST"),
            ("bare", "1", "BAD_REQUEST"),
            ("not ours", "W/\"abc\"", "FHIR_CONSTRAINT_VIOLATION"),
        ] {
            let refused = put(&site, Id::AmendAppointment, tag, body.clone());
            assert_eq!(refused, Err(code), "{name}");
        }
    }
}
