//! The log line of a request: JSON for machines, a short one for people at a terminal.

use std::{fmt::Write, time::SystemTime};

use serde::Serialize;

use super::record::Record;

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One JSON object a line.
    Json,
    /// For people; with colour or without.
    Human {
        /// Whether to colour the status.
        colour: bool,
    },
}

/// The line for a finished request, with its line end.
pub(super) fn request(record: &Record<'_>, style: Style) -> Vec<u8> {
    match style {
        Style::Json => json(record),
        Style::Human { colour } => human(record, colour).into_bytes(),
    }
}

/// The fields in the order in which one reads them. Absent ones are left out.
#[derive(Serialize)]
struct Line<'r> {
    timestamp: &'r str,
    level: &'static str,
    message: &'static str,
    status: Option<u16>,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'r str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reported: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    interaction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    practice: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'r str>,
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<&'static str>,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_reused: Option<bool>,
    #[serde(skip_serializing_if = "is_at_most_one")]
    tries: u8,
    received_bytes: usize,
    sent_bytes: usize,
    #[serde(skip_serializing_if = "str::is_empty")]
    filled: &'r str,
    listener: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<std::net::IpAddr>,
    generation: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_at_most_one(tries: &u8) -> bool {
    *tries <= 1
}

const fn level(record: &Record<'_>) -> &'static str {
    match record.status {
        Some(status) if status >= 500 => "ERROR",
        Some(status) if status >= 400 => "WARN",
        Some(_) => "INFO",
        None => "WARN",
    }
}

fn milliseconds(duration: std::time::Duration) -> f64 {
    // Microseconds are exact enough, and print short.
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

fn json(record: &Record<'_>) -> Vec<u8> {
    let mut line = Vec::with_capacity(640);
    let written = serde_json::to_writer(
        &mut line,
        &Line {
            timestamp: &timestamp(record.at),
            level: level(record),
            message: "request",
            status: record.status,
            result: record.result().as_str(),
            fault: record.fault,
            note: record.note.as_deref(),
            reported: &reported(record),
            interaction: record.interaction.map(|id| id.short()),
            consumer: record.consumer.as_ref().map(|asid| asid.as_str()),
            practice: record.practice.as_ref().map(|(_, code)| code.as_str()),
            trace_id: record.trace_id.as_ref().map(|id| id.as_str()),
            origin: record.origin.as_str(),
            form: record.form,
            duration_ms: milliseconds(record.duration),
            upstream_ms: record.upstream.map(milliseconds),
            upstream_reused: record.upstream_reused,
            tries: record.tries,
            received_bytes: record.received,
            sent_bytes: record.sent,
            filled: &filled(record),
            listener: record.listener,
            client: record.client,
            generation: record.generation,
        },
    );
    // Writing to a Vec can't fail.
    written.unwrap_or_default();
    line.push(b'\n');
    line
}

/// RFC 3339 in UTC, to the millisecond.
fn timestamp(at: SystemTime) -> String {
    let at = jiff::Timestamp::try_from(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

fn filled(record: &Record<'_>) -> String {
    let filled = record.filled;
    if filled == gpconnect::decide::Filled::default() {
        return String::new();
    }
    let names = [
        (filled.trace_id, "Ssp-TraceID"),
        (filled.from, "Ssp-From"),
        (filled.to, "Ssp-To"),
        (filled.interaction_id, "Ssp-InteractionID"),
    ];
    let names = names.iter().filter(|(filled, _)| *filled).map(|(_, name)| *name);
    names.collect::<Vec<_>>().join(" ")
}

/// The checks that a consumer was let off and would have failed.
fn reported(record: &Record<'_>) -> String {
    let checks = record.reported.iter().map(|reason| reason.check().name());
    checks.collect::<Vec<_>>().join(" ")
}

fn human(record: &Record<'_>, colour: bool) -> String {
    let mut line = String::with_capacity(200);
    let time = timestamp(record.at);
    let time = time.get(11..23).unwrap_or(&time);
    let (start, end) = match level(record) {
        _ if !colour => ("", ""),
        "ERROR" => ("\u{1b}[31m", "\u{1b}[0m"),
        "WARN" => ("\u{1b}[33m", "\u{1b}[0m"),
        _ => ("\u{1b}[32m", "\u{1b}[0m"),
    };
    let status = record.status.map_or_else(|| "---".to_owned(), |status| status.to_string());
    let interaction = record.interaction.map_or("-", |id| id.short());
    let consumer = record.consumer.map_or_else(|| "-".to_owned(), |asid| asid.to_string());
    let practice = record.practice.map_or_else(|| "-".to_owned(), |(_, code)| code.to_string());
    let duration = milliseconds(record.duration);
    // Writing to a String can't fail.
    write!(
        line,
        "{time} {start}{status}{end} {consumer} -> {practice} {interaction} {duration:.1} ms"
    )
    .unwrap_or_default();
    if let Some(fault) = record.fault {
        write!(line, " {start}{fault}{end}").unwrap_or_default();
    }
    if let Some(note) = &record.note {
        write!(line, ": {note}").unwrap_or_default();
    }
    if !record.reported.is_empty() {
        write!(line, " (only reported: {})", reported(record)).unwrap_or_default();
    }
    if let Some(trace_id) = record.trace_id {
        write!(line, " [{trace_id}]").unwrap_or_default();
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use gpconnect::{contract::Header, rejection::Reason};

    use super::*;
    use crate::telemetry::record::example;

    #[test]
    fn a_line_is_one_json_object() {
        let text = String::from_utf8(json(&example())).unwrap();
        insta::assert_snapshot!(text, @r#"{"timestamp":"2026-11-23T08:01:40.123Z","level":"INFO","message":"request","status":200,"result":"good","interaction":"fhir:rest:read:patient-1","consumer":"200000000359","practice":"A20047","trace_id":"629ea9ba-a077-4d99-b289-7a9b19fd4e03","origin":"provider","form":"ods","duration_ms":12.345,"upstream_ms":11.0,"upstream_reused":true,"received_bytes":0,"sent_bytes":2048,"filled":"Ssp-To","listener":"consumers","client":"192.0.2.7","generation":1}"#);
    }

    #[test]
    fn a_note_can_not_start_a_line() {
        let mut record = example();
        record.note = Some("one\ntwo\"".into());
        let text = String::from_utf8(json(&record)).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        assert!(text.contains(r#""note":"one\ntwo\"""#));
    }

    #[test]
    fn what_is_only_reported_is_named_by_its_checks() {
        let reasons = [
            Reason::HeaderMissing(Header::IfMatch),
            Reason::HeaderInvalid { header: Header::TraceId, length: 3, expected: "a UUID" },
        ];
        let record = Record { reported: &reasons, ..example() };
        let text = String::from_utf8(json(&record)).unwrap();
        assert!(text.contains(r#""reported":"if_match trace_id""#), "{text}");
        assert!(human(&record, false).contains("(only reported: if_match trace_id)"));
    }

    #[test]
    fn people_get_a_short_line() {
        let mut record = example();
        (record.status, record.fault) = (Some(403), Some("no_agreement"));
        insta::assert_snapshot!(human(&record, false), @"08:01:40.123 403 200000000359 -> A20047 fhir:rest:read:patient-1 12.3 ms no_agreement [629ea9ba-a077-4d99-b289-7a9b19fd4e03]");
    }
}
