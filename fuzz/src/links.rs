//! Stage 13: links are rewritten, and nothing else, in whatever parts a body comes; and within gzip.

use std::io::{Read, Write};

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use gpconnect::{
    coding::{Coding, Passage},
    links::{Links, Rewriter},
    media::Format,
};
use quick_xml::{XmlVersion, events::Event};
use serde_json::Value;

use super::plain::plain;

const ROOT: &str = "https://gp.example/A20047/STU3/1/gpconnect/fhir";
const GATEWAY: &str = "https://gw.example/A20047/STU3/1/gpconnect/fhir";
const ELEMENTS: [&str; 4] = ["fullUrl", "url", "reference", "location"];
/// Lists and objects in each other that are looked at.
const DEEPEST: usize = 64;

/// In the first line the format and, behind a blank, the length of the parts; then the body. What can
/// be read as a whole is the same document with other links, in any parts. As gzip it is read
/// exactly when a plain reader reads it.
pub fn links(bytes: &[u8]) {
    let (line, body) = split(bytes);
    let format = if line.starts_with(b"x") { Format::Xml } else { Format::Json };
    let length = str::from_utf8(line).ok().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let part = usize::clamp(length.unwrap_or(1), 1, 100_000);

    let parts = passed(format, Coding::Plain, body, part).expect("what is plain passes");
    let whole = passed(format, Coding::Plain, body, body.len()).expect("what is plain passes");
    let document = str::from_utf8(body).ok().and_then(|text| Document::read(format, text));
    if let Some(document) = document {
        let out = str::from_utf8(&whole).expect("text stays text");
        let out = Document::read(format, out).expect("what can be read stays so");
        assert!(out == document.with_links(), "a document differs by its links only");
        assert!(parts == whole, "parts make no difference");
    }
    assert!(only_roots_change(body, &whole) && only_roots_change(body, &parts));

    let packed = passed(format, Coding::Pack, body, part).expect("what is plain passes");
    assert!(unzipped(&packed).as_ref() == Some(&parts), "compressing changes nothing");
    let within = passed(format, Coding::Within, &zipped(&whole), part).expect("gzip passes");
    assert!(unzipped(&within).is_some_and(|within| only_roots_change(&whole, &within)));
    broken(format, body, part);
}

/// As gzip, which it hardly is: it ends in an error when a plain reader's reading does.
fn broken(format: Format, body: &[u8], part: usize) {
    let mut gzip = zipped(body);
    // The body itself says what breaks.
    for (place, change) in body.iter().zip(body.iter().skip(1)).take(3) {
        let place = usize::from(*place) * gzip.len() / 256;
        if let Some(byte) = gzip.get_mut(place) {
            *byte ^= change & 0x11;
        }
    }
    for gzip in [body, &gzip] {
        let passed = passed(format, Coding::Within, gzip, part).ok();
        let passed = passed.map(|passed| unzipped(&passed).expect("what leaves is gzip").len());
        assert_eq!(passed.is_some(), unzipped(gzip).is_some(), "as a plain reader reads it");
    }
}

/// The first line and what follows it.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    (&bytes[..end], bytes.get(end + 1..).unwrap_or_default())
}

fn passed(format: Format, coding: Coding, body: &[u8], part: usize) -> std::io::Result<Vec<u8>> {
    let root = ROOT.parse().expect("a service root");
    let links = Links::new([(&root, GATEWAY.to_owned())]);
    let mut passage = Passage::new(coding, Some(Rewriter::new(links, format)));
    let mut out = Vec::new();
    for part in body.chunks(part.max(1)) {
        out.extend(passage.pass(part, false)?);
    }
    out.extend(passage.pass(&[], true)?);
    Ok(out)
}

fn zipped(body: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(body).expect("memory has room");
    gzip.finish().expect("memory has room")
}

/// What one stream of gzip says, with nothing behind it.
fn unzipped(body: &[u8]) -> Option<Vec<u8>> {
    let (mut plain, mut gzip) = (Vec::new(), GzDecoder::new(body));
    gzip.read_to_end(&mut plain).ok()?;
    gzip.into_inner().is_empty().then_some(plain)
}

/// Whether `out` is `body` with some service roots replaced, however those were written.
fn only_roots_change(body: &[u8], out: &[u8]) -> bool {
    let longest = ROOT.len() * 12 + 64;
    let (mut body, mut out) = (body, out);
    loop {
        let same = body.iter().zip(out).take_while(|(one, other)| one == other).count();
        if same == body.len() && same == out.len() {
            return true;
        }
        // The two begin alike: go back to where the gateway's address begins.
        let back = (0..=same.min(GATEWAY.len()))
            .find(|back| out[same - back..].starts_with(GATEWAY.as_bytes()));
        let Some(start) = back.map(|back| same - back) else { return false };
        let rest = &out[start + GATEWAY.len()..];
        let after = &rest[..rest.len().min(1)];
        let ends = (1..=longest.min(body.len() - start)).find(|length| {
            let spelt = &body[start..start + length];
            body[start + length..].starts_with(after) && is_root(spelt)
        });
        let Some(length) = ends else { return false };
        (body, out) = (&body[start + length..], rest);
    }
}

/// Whether this is the root, with the escapes of JSON or XML.
fn is_root(spelt: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(spelt) else { return false };
    let json = serde_json::from_str::<String>(&format!("\"{text}\"")).ok();
    let xml = quick_xml::escape::unescape(text).ok().map(std::borrow::Cow::into_owned);
    json.into_iter().chain(xml).any(|url| linked(&url) == GATEWAY)
}

/// What a URL becomes.
fn linked(url: &str) -> String {
    let (origin, path) = ROOT.split_at("https://gp.example".len());
    for origin in [origin, "https://gp.example:443"] {
        let start = url.split_at_checked(origin.len());
        let (_, rest) = start.filter(|(start, _)| start.eq_ignore_ascii_case(origin)).unzip();
        let rest = rest.and_then(|rest: &str| rest.strip_prefix(path));
        if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
        {
            return [GATEWAY, rest].concat();
        }
    }
    url.to_owned()
}

/// A tag's name and its attributes; or anything else, as it is.
type Part = (String, Vec<(String, String)>);

/// A document as a plain reader reads it.
#[derive(PartialEq)]
enum Document {
    Json(Value),
    Xml(Vec<Part>),
}

impl Document {
    fn read(format: Format, text: &str) -> Option<Self> {
        match format {
            Format::Json => plain(text.as_bytes(), DEEPEST).ok().map(Self::Json),
            Format::Xml => in_xml(text).map(Self::Xml),
        }
    }

    fn with_links(self) -> Self {
        match self {
            Self::Json(json) => Self::Json(json_with_links(json)),
            Self::Xml(parts) => Self::Xml(parts.into_iter().map(part_with_links).collect()),
        }
    }
}

fn json_with_links(json: Value) -> Value {
    match json {
        Value::Array(values) => values.into_iter().map(json_with_links).collect(),
        Value::Object(members) => {
            let member = |(name, value): (String, Value)| match value.as_str() {
                Some(url) if ELEMENTS.contains(&name.as_str()) => (name, linked(url).into()),
                _ => (name, json_with_links(value)),
            };
            Value::Object(members.into_iter().map(member).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => json,
    }
}

fn part_with_links((name, mut attributes): Part) -> Part {
    let values = attributes.iter_mut().filter(|(key, _)| key == "value");
    if ELEMENTS.contains(&name.as_str()) {
        values.for_each(|(_, value)| *value = linked(value));
    }
    (name, attributes)
}

/// None when it is not well-formed as far as it matters, or declares what no FHIR has.
fn in_xml(text: &str) -> Option<Vec<Part>> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut parts = Vec::new();
    loop {
        let event = reader.read_event().ok()?;
        let other = format!("{event:?}");
        match event {
            Event::Eof => return Some(parts),
            Event::DocType(_) => return None,
            Event::Start(tag) | Event::Empty(tag) => {
                let name = named(tag.name().as_ref())?;
                let mut attributes = Vec::new();
                for attribute in tag.attributes() {
                    let attribute = attribute.ok()?;
                    let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
                    if attribute.value.contains('<') {
                        return None;
                    }
                    named(attribute.key.as_ref())?;
                    // No URL has a quote as it stands: either ends it, whichever the value is in.
                    let is_url = attribute.key.as_ref() == "value" && ELEMENTS.contains(&&*name);
                    if is_url && attribute.value.contains(['"', '\'']) {
                        return None;
                    }
                    attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
                }
                parts.push((name, attributes));
            }
            Event::End(_)
            | Event::Text(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::GeneralRef(_) => parts.push((other, Vec::new())),
        }
    }
}

/// A name without its prefix; none when it is not one.
fn named(name: &str) -> Option<String> {
    let is_letter =
        |letter: char| letter.is_alphanumeric() || matches!(letter, ':' | '_' | '-' | '.');
    let is_name = !name.is_empty() && name.chars().all(is_letter);
    is_name.then(|| name.rsplit(':').next().unwrap_or_default().to_owned())
}
