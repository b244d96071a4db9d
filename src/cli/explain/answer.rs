//! The answer that a refusal gets.

use gpconnect::{
    Rejection, Seen,
    interaction::wire_shape,
    media::Format,
    names::TraceId,
    outcome::Style,
    rejection::{Answer as Row, Code, Reason, Wording},
};
use serde_json::Value;

use super::{
    case::Place,
    hide::Hide,
    report::{Answer, Fault, Issue},
};
use crate::proxy::rehearsal::Refusal;

/// What stands where the gateway writes a UUID of its own.
pub(super) const NEW_UUID: &str = "(a new UUID)";

/// The answer for `rejection`, which tells some of `faults`.
pub(super) fn answer(
    rejection: Rejection,
    faults: &[(Reason, Fault)],
    seen: &Seen,
    place: &Place<'_>,
) -> Answer {
    let number = |told: &Reason| {
        faults.iter().find(|(reason, _)| reason == told).map(|(_, fault)| fault.number)
    };
    let numbers: Vec<_> =
        std::iter::once(&rejection.reason).chain(&rejection.also).map(number).collect();
    let also = rejection.also.into_iter().map(|reason| redacted(reason, place.hide)).collect();
    let rejection = Rejection { reason: redacted(rejection.reason, place.hide), also };
    let wording = place.snapshot.wording;
    let style = Style { format: seen.format, wording };
    let refusal = Refusal::of(&rejection, seen.trace_id, style, place.is_secure());
    let own = TraceId::from_random(place.random).to_string();
    let hidden = |value: String| if value == own { NEW_UUID.to_owned() } else { value };
    let headers = refusal.headers.into_iter();
    let deciding = (&rejection.reason, rejection.reason.diagnostics());
    let besides = rejection.also.iter().map(|reason| (reason, reason.besides()));
    let issues = std::iter::once(deciding).chain(besides).zip(numbers);
    Answer {
        status: refusal.status,
        phrase: refusal.phrase,
        headers: headers.map(|(name, value)| (name.to_owned(), hidden(value))).collect(),
        issues: issues.map(|(told, fault)| issue(told, fault, wording)).collect(),
        body: body(&refusal.body, seen.format),
    }
}

fn issue(
    (reason, diagnostics): (&Reason, String),
    fault: Option<usize>,
    wording: Wording,
) -> Issue {
    let Row(status, issue_type, code, _) = reason.answer_as(wording);
    let details = match code {
        Code::Spine(code, _) => code.to_owned(),
        Code::Proxy | Code::ProxyMethod => status.to_string(),
    };
    Issue { fault, code: issue_type.as_str(), details, diagnostics }
}

fn body(bytes: &[u8], format: Format) -> Value {
    let text = || String::from_utf8_lossy(bytes).into_owned();
    match format {
        Format::Json => serde_json::from_slice(bytes).unwrap_or_else(|_| text().into()),
        Format::Xml => text().into(),
    }
}

/// The same reason without what a caller wrote into it, unless that is asked for.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others hold no path")]
pub(super) fn redacted(reason: Reason, hide: Hide) -> Reason {
    if hide.show_ids {
        return reason;
    }
    match reason {
        Reason::EndpointVaries { registered, cpa_id, target } => {
            let url = target.expose();
            let behind = url.strip_prefix("https://").unwrap_or(url);
            let shown = hide.target(&format!("/https://{behind}"));
            let target = shown.strip_prefix('/').unwrap_or(&shown).into();
            Reason::EndpointVaries { registered, cpa_id, target }
        }
        Reason::InteractionMismatch { id, verb, shape } => {
            Reason::InteractionMismatch { id, verb, shape: wire_shape(&shape) }
        }
        other => other,
    }
}

/// What is wrong, as a sentence: the proxy's vocabulary has none.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are sentences")]
pub(super) fn sentence(reason: &Reason) -> String {
    let text = match reason {
        Reason::MediaTypeUnsupported(_)
        | Reason::BodyEncoded
        | Reason::SenderNotCaller(_)
        | Reason::ReceiverNotAccredited(_) => reason.note(),
        Reason::MethodNotCarried => "GP Connect does not use this method".into(),
        Reason::SenderNotAccredited(asid) => {
            format!("{asid} is not registered to send this interaction")
        }
        Reason::EndpointVaries { .. } => {
            "the service root in the path is not the registered one".into()
        }
        Reason::NoAgreement { .. } => {
            "no data sharing agreement of the two organisations covers this".into()
        }
        other => other.diagnostics(),
    };
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
