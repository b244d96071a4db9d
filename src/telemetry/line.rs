//! The log line of a request: JSON for machines, a short one for people at a terminal.

use std::fmt::Write;

use super::{
    json::{Object, timestamp},
    logfmt,
    record::Record,
};

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One JSON object a line.
    Json,
    /// The same members as pairs of a name and a value.
    Logfmt,
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
        Style::Logfmt => logfmt::line(&json(record)),
        Style::Human { colour } => human(record, colour).into_bytes(),
    }
}

const fn level(record: &Record<'_>) -> &'static str {
    match record.status {
        Some(status) if status >= 500 => "ERROR",
        Some(status) if status >= 400 => "WARN",
        Some(_) if record.token.is_of_a_fast_clock() => "WARN",
        Some(_) => "INFO",
        None => "WARN",
    }
}

/// The fields in the order in which one reads them. Absent ones are left out.
fn json(record: &Record<'_>) -> Vec<u8> {
    let mut line = Object::with_room(768);
    line.moment("timestamp", record.at);
    line.word("level", level(record));
    line.word("message", "request");
    match record.status {
        Some(status) => line.number("status", status),
        None => line.null("status"),
    }
    line.word("result", record.result().as_str());
    record.fault.iter().for_each(|fault| line.word("fault", fault));
    record.note.iter().for_each(|note| line.text("note", note));
    if !record.reported.is_empty() {
        line.word("reported", &reported(record));
    }
    record.interaction.iter().for_each(|id| line.word("interaction", id.short()));
    record.consumer.iter().for_each(|asid| line.word("consumer", asid.as_str()));
    record.organisation.iter().for_each(|code| line.word("organisation", code.as_str()));
    record.organisation_name.iter().for_each(|name| line.text("organisation_name", name));
    record.practice.iter().for_each(|(_, code)| line.word("practice", code.as_str()));
    record.practice_name.iter().for_each(|name| line.text("practice_name", name));
    record.provider.iter().for_each(|asid| line.word("provider", asid.as_str()));
    record.patients.iter().for_each(|word| line.word("patients", word));
    record.trace_id.iter().for_each(|id| line.word("trace_id", id.as_str()));
    if let Some(span) = record.span {
        line.word("otel_trace_id", &format!("{:032x}", span.trace));
        line.word("otel_span_id", &format!("{:016x}", span.span));
    }
    line.word("origin", record.origin.as_str());
    record.next_proxy.iter().for_each(|name| line.text("next_proxy", name));
    record.cache.iter().for_each(|how| line.word("cache", how.as_str()));
    record.form.iter().for_each(|form| line.word("form", form));
    record.token.audience.iter().for_each(|found| line.word("aud", found.as_str()));
    if let Some(skew) = record.token.skew.filter(|_| record.token.is_of_a_fast_clock()) {
        line.number("clock_ahead_s", skew);
    }
    record.issuer.iter().for_each(|name| line.text("issuer", name));
    record.token.token_id.iter().for_each(|id| line.word("jti", id.as_str()));
    if record.token.is_of_another_organisation {
        line.flag("other_organisation", true);
    }
    line.milliseconds("duration_ms", record.duration);
    record.upstream.iter().for_each(|time| line.milliseconds("upstream_ms", *time));
    record.upstream_reused.iter().for_each(|reused| line.flag("upstream_reused", *reused));
    if record.tries > 1 {
        line.number("tries", record.tries);
    }
    line.number("received_bytes", record.received);
    line.number("sent_bytes", record.sent);
    let filled = filled(record);
    if !filled.is_empty() {
        line.word("filled", &filled);
    }
    match record.own {
        Some(own) => line.word("own", own.as_str()),
        None => line.text("listener", record.listener),
    }
    record.client.iter().for_each(|client| line.address("client", *client));
    line.number("generation", record.generation);
    line.into_line()
}

fn filled(record: &Record<'_>) -> String {
    if record.filled == gpconnect::decide::Filled::default() {
        return String::new();
    }
    record.filled.names().collect::<Vec<_>>().join(" ")
}

/// The checks that a consumer was let off and would have failed.
fn reported(record: &Record<'_>) -> String {
    let checks = record.reported.iter().map(|reason| reason.check().name());
    checks.collect::<Vec<_>>().join(" ")
}

fn human(record: &Record<'_>, colour: bool) -> String {
    let mut line = String::with_capacity(200);
    let time = timestamp(record.at);
    let time = time.get(11..23).and_then(|time| str::from_utf8(time).ok()).unwrap_or_default();
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
    let duration = record.duration.as_secs_f64() * 1_000.0;
    // Writing to a String can't fail.
    write!(
        line,
        "{time} {start}{status}{end} {consumer} -> {practice} {interaction} {duration:.1} ms"
    )
    .unwrap_or_default();
    if let Some(own) = record.own {
        write!(line, " own {}", own.as_str()).unwrap_or_default();
    }
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
    use gpconnect::{contract::Header, rejection::Reason, token::Observed};

    use super::*;
    use crate::telemetry::record::{SpanIds, example};

    #[test]
    fn a_line_is_one_json_object() {
        let text = String::from_utf8(json(&example())).unwrap();
        insta::assert_snapshot!(text, @r#"{"timestamp":"2026-11-23T08:01:40.123Z","level":"INFO","message":"request","status":200,"result":"good","interaction":"fhir:rest:read:patient-1","consumer":"200000000359","organisation":"RXX01","organisation_name":"Northern Hospital","practice":"A20047","practice_name":"Dr \"Smith\" & Partners","provider":"918999198993","trace_id":"629ea9ba-a077-4d99-b289-7a9b19fd4e03","origin":"provider","form":"ods","aud":"exact","duration_ms":12.345,"upstream_ms":11.0,"upstream_reused":true,"received_bytes":0,"sent_bytes":2048,"filled":"Ssp-To","listener":"consumers","client":"192.0.2.7","generation":1}"#);
    }

    #[test]
    fn a_line_of_pairs_says_the_same() {
        let text = String::from_utf8(request(&example(), Style::Logfmt)).unwrap();
        insta::assert_snapshot!(text, @r#"timestamp=2026-11-23T08:01:40.123Z level=INFO message=request status=200 result=good interaction=fhir:rest:read:patient-1 consumer=200000000359 organisation=RXX01 organisation_name="Northern Hospital" practice=A20047 practice_name="Dr \"Smith\" & Partners" provider=918999198993 trace_id=629ea9ba-a077-4d99-b289-7a9b19fd4e03 origin=provider form=ods aud=exact duration_ms=12.345 upstream_ms=11.0 upstream_reused=true received_bytes=0 sent_bytes=2048 filled=Ssp-To listener=consumers client=192.0.2.7 generation=1"#);
    }

    #[test]
    fn a_line_leads_to_its_span() {
        let span = Some(SpanIds { trace: 0xab, span: 0x0102_0304_0506_077f });
        let text = String::from_utf8(json(&Record { span, ..example() })).unwrap();
        let ids = r#""otel_trace_id":"000000000000000000000000000000ab","otel_span_id":"010203040506077f","origin""#;
        assert!(text.contains(ids), "{text}");
    }

    #[test]
    fn how_many_patients_is_one_word() {
        let record = Record { patients: Some("several"), ..example() };
        let text = String::from_utf8(json(&record)).unwrap();
        assert!(text.contains(r#","patients":"several","trace_id""#), "{text}");
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
    fn a_fast_clock_is_warned_of() {
        let token =
            Observed { skew: Some(6), is_of_another_organisation: true, ..Observed::default() };
        let text = String::from_utf8(json(&Record { token, ..example() })).unwrap();
        assert!(text.contains(r#""level":"WARN""#), "{text}");
        assert!(text.contains(r#""clock_ahead_s":6,"other_organisation":true"#), "{text}");
        let token = Observed { skew: Some(5), ..Observed::default() };
        let text = String::from_utf8(json(&Record { token, ..example() })).unwrap();
        assert!(text.contains(r#""level":"INFO""#) && !text.contains("clock"), "{text}");
    }

    #[test]
    fn an_access_token_is_named_by_issuer_and_id() {
        let token = Observed { token_id: "a-1".parse().ok(), ..Observed::default() };
        let record = Record { token, issuer: Some("trust"), ..example() };
        let text = String::from_utf8(json(&record)).unwrap();
        assert!(
            text.contains(r#""form":"ods","issuer":"trust","jti":"a-1","duration_ms""#),
            "{text}"
        );
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
