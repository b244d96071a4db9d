//! What each check looked at in this request, and whether it could look at all.

use gpconnect::{contract::Check, interaction::InteractionId, policy::Mode, sent::Sent};

use super::{body, caller::Proof, case::Case, claims, parties};
use crate::cli::output::counted;

/// What became of a check that found nothing wrong, or that did.
pub(super) enum Look {
    /// It ran; what it saw, or nothing that its name does not say.
    Ran(Option<String>),
    /// This request does not need it.
    NotNeeded(&'static str),
    /// Facts are missing: which ones.
    Lacks(&'static str),
    /// Only a running gateway can tell.
    Live,
}

/// It ran and saw this.
pub(super) fn saw(text: impl Into<String>) -> Look {
    Look::Ran(Some(text.into()))
}

/// It ran, and there is nothing to show.
pub(super) const RAN: Look = Look::Ran(None);

/// What `check` looked at.
pub(super) fn look(check: Check, case: &Case<'_, '_, '_>) -> Look {
    use gpconnect::contract::Stage;
    match check.stage() {
        Stage::Admit => admit(check, case),
        Stage::Target => target(check, case),
        Stage::Headers => headers(check, case),
        Stage::Interaction => interaction(check, case),
        Stage::Accreditation => parties::accreditation(check, case),
        Stage::Agreement => parties::agreement(case),
        Stage::Token => claims::look(check, case),
        Stage::Enablement => parties::enablement(check, case),
        Stage::Limit => body::limit(check, case),
        Stage::Audit | Stage::Cache | Stage::Upstream | Stage::Response | Stage::Outcome => {
            Look::Live
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the stage has no others")]
fn admit(check: Check, case: &Case<'_, '_, '_>) -> Look {
    let (head, limits) = (case.head, case.place.snapshot.limits);
    // The front ends at the first thing that it finds, line by line.
    let other = case.front.is_some_and(|reason| reason.check() != check);
    match check {
        Check::HeadDeadline | Check::Load => Look::Live,
        Check::Tls | Check::ClientCertificate if !case.place.is_secure() => {
            Look::NotNeeded("the listener takes plain HTTP")
        }
        Check::Tls => Look::Live,
        Check::ClientCertificate => match &case.place.caller.proof {
            Some(proof) => certificate(proof),
            None => Look::Lacks("the certificate, which is taken for good (--certificate FILE)"),
        },
        _ if other => Look::Lacks("a head that can be trusted"),
        Check::HeadForm => saw(format!("HTTP/1.1, {}", counted(head.lines, "header"))),
        Check::HostServed => {
            let names = case.place.snapshot.entrance(case.place.listener);
            let names = names.map(|entrance| entrance.server_names.as_slice()).unwrap_or_default();
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            let host = case.place.hide.plain(head.host.unwrap_or_default());
            saw(format!("Host {host}; the listener has {}", names.join(", ")))
        }
        Check::HeadLimits => saw(format!(
            "{} of {} bytes, {} of {} headers, target {} of {} bytes",
            head.bytes,
            limits.head_bytes,
            head.lines,
            limits.headers,
            head.target.len(),
            limits.target_bytes
        )),
        _ => RAN,
    }
}

/// What was checked of a certificate; a fault stands below.
fn certificate(proof: &Proof) -> Look {
    let examined = &proof.examined;
    match examined.verdict {
        Ok(_) => saw(format!(
            "an authority of the listener issued it, no list revokes it, its time is right, its \
             key is strong enough ({})",
            examined.key
        )),
        Err(_) => RAN,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the stage has no others")]
fn target(check: Check, case: &Case<'_, '_, '_>) -> Look {
    let hide = case.place.hide;
    match check {
        Check::Verb => saw(hide.plain(case.head.method)),
        Check::TargetForm if case.fails(Check::Verb) => Look::Lacks("a method that is carried"),
        Check::TargetForm => RAN,
        _ if case.fails(Check::Verb) => Look::Lacks("a method that is carried"),
        _ if case.fails(Check::TargetForm) => Look::Lacks("a target that can be read"),
        _ => match &case.examination.target {
            Some(target) => {
                saw(format!("{} form, practice {}", form(target.form.as_str()), target.practice))
            }
            None => saw(hide.target(case.head.target)),
        },
    }
}

fn form(word: &str) -> &str {
    if word == "ods" { "ODS" } else { word }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the stage has no others")]
fn headers(check: Check, case: &Case<'_, '_, '_>) -> Look {
    let headers = &case.examination.headers;
    match check {
        Check::SspHeaders => saw(left_out(case)),
        Check::TraceId => match headers.trace_id {
            Sent::Absent => Look::Lacks("Ssp-TraceID"),
            Sent::Value(id) => saw(id.to_string()),
            Sent::Faulty => {
                saw(case.place.hide.value(case.head.fields.trace_id.text().unwrap_or_default()))
            }
        },
        _ => {
            let one = |name: &str, sent: Option<String>, absent: bool| match (sent, absent) {
                (Some(asid), _) => Some(format!("{name} {asid}")),
                (None, true) => None,
                (None, false) => Some(format!("{name} is none")),
            };
            let text = |asid: gpconnect::names::Asid| asid.to_string();
            let from = one("Ssp-From", headers.from.value().map(text), headers.from.is_absent());
            let to = one("Ssp-To", headers.to.value().map(text), headers.to.is_absent());
            let both: Vec<_> = [from, to].into_iter().flatten().collect();
            if both.is_empty() { Look::Lacks("Ssp-From and Ssp-To") } else { saw(both.join(", ")) }
        }
    }
}

/// Which of the four headers are there, and what becomes of the others.
fn left_out(case: &Case<'_, '_, '_>) -> String {
    let headers = &case.examination.headers;
    let absent: Vec<_> = [
        ("Ssp-TraceID", headers.trace_id.is_absent()),
        ("Ssp-From", headers.from.is_absent()),
        ("Ssp-To", headers.to.is_absent()),
        ("Ssp-InteractionID", headers.interaction_id.is_absent()),
    ]
    .into_iter()
    .filter_map(|(name, absent)| absent.then_some(name))
    .collect();
    let mode = case.examination.sender.map(|(_, consumer)| consumer.mode);
    match (absent.is_empty(), mode) {
        (true, _) => String::from("all four were sent"),
        (false, Some(Mode::Assist)) => {
            format!("left out, to be filled in: {}", absent.join(", "))
        }
        (false, Some(Mode::Transparent) | None) => format!("left out: {}", absent.join(", ")),
    }
}

fn interaction(check: Check, case: &Case<'_, '_, '_>) -> Look {
    let examination = case.examination;
    let sent = examination.headers.interaction_id;
    let id = examination.identified.map(|found| found.id).or(sent.value());
    let assisted = examination.sender.is_some_and(|(_, consumer)| consumer.mode == Mode::Assist);
    match (check, id) {
        (Check::MediaType, _) => media_type(case),
        (Check::InteractionKnown, _) if sent.is_absent() => {
            if assisted {
                Look::NotNeeded("Ssp-InteractionID was left out")
            } else {
                Look::Lacks("Ssp-InteractionID")
            }
        }
        (Check::InteractionKnown, Some(id)) => saw(id.short()),
        (Check::InteractionKnown, None) => {
            saw(case.place.hide.value(case.head.fields.interaction_id.text().unwrap_or_default()))
        }
        (Check::InteractionClear, _) if !sent.is_absent() => {
            Look::NotNeeded("Ssp-InteractionID was sent")
        }
        _ if examination.target.is_none() => Look::Lacks("a target"),
        (Check::InteractionClear, _) if !assisted => Look::Lacks("Ssp-InteractionID"),
        (Check::InteractionClear, Some(id)) => saw(format!("it can only be {}", id.short())),
        (Check::InteractionClear, None) => RAN,
        (_, None) => Look::Lacks("an interaction"),
        (check, Some(id)) => of_interaction(check, id, case),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the stage has no others")]
fn of_interaction(check: Check, id: InteractionId, case: &Case<'_, '_, '_>) -> Look {
    let row = id.row();
    match check {
        Check::InteractionCarried => saw(id.short()),
        _ if case.fails(Check::InteractionCarried) => Look::Lacks("an interaction that is carried"),
        Check::InteractionFits => saw(format!("expects {} /{}", row.verb.as_str(), row.path)),
        Check::LogicalId if !row.path.contains("{id}") => Look::NotNeeded("its path has no id"),
        _ if case.fails(Check::InteractionFits) => Look::Lacks("a path of the interaction"),
        Check::LogicalId => RAN,
        _ if row.verb != gpconnect::interaction::Verb::Put => {
            Look::NotNeeded("only amend and cancel need it")
        }
        _ if case.examination.identified.is_none() => Look::Lacks("a path of the interaction"),
        _ => match case.head.fields.if_match.text() {
            Some(value) => saw(case.place.hide.plain(value)),
            None => RAN,
        },
    }
}

fn media_type(case: &Case<'_, '_, '_>) -> Look {
    if case.examination.target.is_none() {
        return Look::Lacks("a target");
    }
    let hide = case.place.hide;
    let query = case.head.target.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let format = query.split('&').find_map(|pair| pair.strip_prefix("_format="));
    let fields = &case.head.fields;
    let accept: Vec<_> = fields.accept.texts().collect();
    let accept = (!accept.is_empty()).then(|| accept.join(", "));
    let format = format.map(str::to_owned);
    let content_type = fields.content_type.text().map(str::to_owned);
    let sent: Vec<_> = [("_format", format), ("Accept", accept), ("Content-Type", content_type)]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", hide.plain(&value?))))
        .collect();
    if sent.is_empty() { saw("nothing asked for, so JSON") } else { saw(sent.join(", ")) }
}
