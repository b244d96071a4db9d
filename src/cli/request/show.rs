//! A request and its answer, readably.

use std::{borrow::Cow, fmt::Write as _, io::Read as _};

use flate2::read::GzDecoder;
use http::{HeaderMap, Version, header};
use quick_xml::{Reader, Writer, events::Event};
use serde_json::{Map, Value, json};

use super::{
    arguments::Arguments,
    head::{self, Header},
    plan::Plan,
    send::Answer,
};
use crate::cli::output::{Paint, printable};

/// What is shown, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    paint: Paint,
    bodies: bool,
    heads: bool,
    token: bool,
}

impl View {
    /// As the arguments ask.
    pub(super) fn of(arguments: &Arguments, paint: Paint) -> Self {
        Self {
            paint,
            bodies: !arguments.only_headers,
            heads: !arguments.quiet,
            token: arguments.show_token,
        }
    }

    /// The request as text.
    pub(super) fn request(self, plan: &Plan) -> Vec<u8> {
        if !self.heads {
            return Vec::new();
        }
        let line = format!("{} {} HTTP/1.1", plan.method, plan.target);
        let mut text = format!("> {}\n", self.paint.strong(&line));
        for (name, value) in &plan.headers {
            self.header(&mut text, '>', name, &self.hidden(name, value));
        }
        text.push('\n');
        if let Some(body) = plan.body.as_ref().filter(|_| self.bodies) {
            writeln!(text, "{}\n", self.body(body)).unwrap_or_default();
        }
        text.into_bytes()
    }

    /// The answer as text; in quiet its body's own bytes.
    pub(super) fn answer(self, answer: &Answer) -> Vec<u8> {
        if !self.heads {
            return answer.body.clone();
        }
        let status = answer.status.to_string();
        let status =
            if answer.is_good() { self.paint.good(&status) } else { self.paint.bad(&status) };
        let took = answer.took.as_secs_f64() * 1_000.0;
        let mut text = format!("< {} {status} ({took:.1} ms)\n", version(answer.version));
        for (name, value) in &answer.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            self.header(&mut text, '<', &head::spelled(name), &value);
        }
        if self.bodies && !answer.body.is_empty() {
            writeln!(text, "\n{}", self.body(&plain(answer))).unwrap_or_default();
        }
        text.into_bytes()
    }

    fn header(self, text: &mut String, mark: char, name: &str, value: &str) {
        let name = self.paint.name(&format!("{}:", printable(name)));
        writeln!(text, "{mark} {name} {}", printable(value)).unwrap_or_default();
    }

    /// The token is long and says who asked: it is shown on demand.
    fn hidden<'v>(self, name: &str, value: &'v str) -> Cow<'v, str> {
        if self.token || !head::holds_token(name) {
            return Cow::Borrowed(value);
        }
        let scheme = value.split_once(' ').map_or_else(String::new, |(it, _)| format!("{it} "));
        let length = value.len();
        Cow::Owned(format!("{scheme}... ({length} characters; --show-token shows them)"))
    }

    /// A body, indented when it is JSON or XML.
    fn body(self, bytes: &[u8]) -> String {
        if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
            let lines = format!("{value:#}");
            return lines.lines().map(|line| self.line(line)).collect::<Vec<_>>().join("\n");
        }
        let text = indented_xml(bytes).unwrap_or_else(|| bytes.to_vec());
        printable(&String::from_utf8_lossy(&text))
    }

    /// A line of indented JSON, the name of its member coloured.
    fn line(self, line: &str) -> String {
        let line = printable(line);
        match line.split_once("\": ") {
            Some((name, value)) if name.trim_start().starts_with('"') => {
                format!("{}: {value}", self.paint.name(&format!("{name}\"")))
            }
            Some(_) | None => line,
        }
    }

    /// Both as one object.
    pub(super) fn object(self, plan: &Plan, answer: &Answer) -> Value {
        let hide = |(name, value): &Header| (name.clone(), self.hidden(name, value).into_owned());
        let body = |bytes: &[u8]| if self.bodies { json_body(bytes) } else { Value::Null };
        json!({
            "request": {
                "gateway": plan.gateway.url(),
                "method": plan.method,
                "target": plan.target.as_str(),
                "headers": members(plan.headers.iter().map(hide)),
                "body": plan.body.as_deref().map_or(Value::Null, body),
            },
            "status": answer.status.as_u16(),
            "headers": members(pairs(&answer.headers)),
            "body": body(&plain(answer)),
            "milliseconds": answer.took.as_millis(),
            "broken": answer.broken.as_ref().map(ToString::to_string),
        })
    }
}

fn version(version: Version) -> &'static str {
    if version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" }
}

/// What an unpacked body may have at most.
const MOST_BYTES: u64 = 256 << 20;

/// The body without its gzip, where it has one and can be unpacked.
fn plain(answer: &Answer) -> Cow<'_, [u8]> {
    let encoding = answer.headers.get(header::CONTENT_ENCODING);
    if !encoding.is_some_and(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"gzip")) {
        return Cow::Borrowed(&answer.body);
    }
    let mut unpacked = Vec::new();
    match GzDecoder::new(answer.body.as_slice()).take(MOST_BYTES).read_to_end(&mut unpacked) {
        Ok(_) => Cow::Owned(unpacked),
        Err(_) => Cow::Borrowed(&answer.body),
    }
}

fn indented_xml(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::from_reader(bytes);
    reader.config_mut().trim_text(true);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    if !bytes.trim_ascii_start().starts_with(b"<") {
        return None;
    }
    loop {
        let event = reader.read_event().ok()?;
        if matches!(event, Event::Eof) {
            return Some(writer.into_inner());
        }
        writer.write_event(event).ok()?;
    }
}

fn json_body(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into())
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = Header> + '_ {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(move |(name, value)| (head::spelled(name), text(value)))
}

/// Headers as an object: a list where one is repeated.
fn members(headers: impl Iterator<Item = Header>) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, value) in headers {
        match members.get_mut(&name) {
            None => drop(members.insert(name, value.into())),
            Some(Value::Array(values)) => values.push(value.into()),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, time::Duration};

    use flate2::{Compression, write::GzEncoder};
    use http::{HeaderValue, StatusCode};

    use super::*;

    fn view() -> View {
        View { paint: Paint::NONE, bodies: true, heads: true, token: false }
    }

    fn answer(body: &[u8]) -> Answer {
        Answer {
            version: Version::HTTP_11,
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.to_vec(),
            broken: None,
            took: Duration::from_millis(12),
        }
    }

    #[test]
    fn a_body_is_indented() {
        for (name, body, expected) in [
            (
                "JSON",
                r#"{"b":1,"a":["x: \": y"]}"#,
                "{\n  \"b\": 1,\n  \"a\": [\n    \"x: \\\": y\"\n  ]\n}",
            ),
            ("XML", "<a><b c=\"d\"/></a>", "<a>\n  <b c=\"d\"/>\n</a>"),
            ("broken JSON", "{\"a\":", "{\"a\":"),
            ("HTML that is no XML", "<p>a</i>", "<p>a</i>"),
            ("text that steers", "a\u{1b}[2J", "a\u{fffd}[2J"),
            ("empty", "", ""),
        ] {
            assert_eq!(view().body(body.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn an_answer_shows_status_headers_and_body() {
        let mut answer = answer(b"{}");
        answer.headers.insert("etag", HeaderValue::from_static("W/\"1\""));
        let text = String::from_utf8(view().answer(&answer)).unwrap();
        assert_eq!(text, "< HTTP/1.1 200 OK (12.0 ms)\n< ETag: W/\"1\"\n\n{}\n");
        let heads = View { bodies: false, ..view() };
        assert!(!heads.answer(&answer).ends_with(b"{}\n"));
        let quiet = View { heads: false, ..view() };
        assert_eq!(quiet.answer(&answer), b"{}");
    }

    #[test]
    fn gzip_is_unpacked_for_showing() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"{\"a\":1}").unwrap();
        let mut packed = answer(&encoder.finish().unwrap());
        packed.headers.insert("content-encoding", HeaderValue::from_static("gzip"));
        assert_eq!(*plain(&packed), *b"{\"a\":1}");
        packed.body = b"no gzip".to_vec();
        assert_eq!(*plain(&packed), *b"no gzip");
    }

    #[test]
    fn the_token_is_hidden_unless_asked_for() {
        let hidden = view().hidden("authorization", "Bearer a.b.");
        assert_eq!(hidden, "Bearer ... (11 characters; --show-token shows them)");
        assert_eq!(View { token: true, ..view() }.hidden("Authorization", "x"), "x");
        assert_eq!(view().hidden("Accept", "x"), "x");
        assert!(!view().hidden("Authorization", "a.b.").contains("a.b."));
    }

    #[test]
    fn repeated_headers_become_a_list() {
        let headers = [("A", "1"), ("B", "2"), ("A", "3"), ("A", "4")];
        let headers = headers.into_iter().map(|(name, value)| (name.into(), value.into()));
        assert_eq!(Value::from(members(headers)), json!({ "A": ["1", "3", "4"], "B": "2" }));
    }
}
