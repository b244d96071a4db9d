//! Documents made up at random: whatever they nest and however they are spelled, the numbers put in
//! are the numbers found, in JSON and in XML.

use std::fmt::Write;

use proptest::{collection::vec, prelude::*};

use super::*;

/// A part of a document.
#[derive(Clone, Debug)]
enum Part {
    /// An identifier with this text and the NHS number system.
    Number(String),
    /// One of another system.
    Stranger(String),
    Text(String),
    Group(Vec<Part>),
    List(Vec<Part>),
}

fn part() -> impl Strategy<Value = Part> {
    let number = prop_oneof![
        (900_000_000_u64..900_000_020).prop_map(|start| format!("{start}9")),
        "[A-Z0-9]{1,12}",
        Just("900 000 0009".to_owned()),
    ];
    let leaf = prop_oneof![
        number.prop_map(Part::Number),
        "[0-9]{10}".prop_map(Part::Stranger),
        "\\PC{0,12}".prop_map(Part::Text),
    ];
    leaf.prop_recursive(8, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Part::Group),
            vec(inner, 0..6).prop_map(Part::List),
        ]
    })
}

impl Part {
    fn numbers<'p>(&'p self, into: &mut Vec<&'p str>) {
        match self {
            Self::Number(text) => into.push(text),
            Self::Stranger(_) | Self::Text(_) => {}
            Self::Group(parts) | Self::List(parts) => {
                parts.iter().for_each(|part| part.numbers(into));
            }
        }
    }
}

/// Choices of spelling, drawn from a seed.
struct Spelling(u64);

impl Spelling {
    fn draw(&mut self, of: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % of
    }

    fn blank(&mut self) -> &'static str {
        ["", "", " ", "\n\t"][usize::try_from(self.draw(4)).unwrap()]
    }

    fn json_text(&mut self, text: &str) -> String {
        let mut out = String::from("\"");
        for letter in text.chars() {
            if matches!(letter, '"' | '\\' | '\0'..='\x1f') || self.draw(4) == 0 {
                let mut units = [0; 2];
                letter.encode_utf16(&mut units).iter().for_each(|unit| {
                    write!(out, "\\u{unit:04x}").unwrap();
                });
            } else {
                out.push(letter);
            }
        }
        out + "\""
    }

    fn json(&mut self, part: &Part) -> String {
        let (space, more) = (self.blank(), self.blank());
        match part {
            Part::Number(value) => self.json_identifier(SYSTEM, value),
            Part::Stranger(value) => self.json_identifier("https://a.example/Id/x", value),
            Part::Text(text) => self.json_text(text),
            Part::List(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.json(part)).collect();
                format!("[{space}{}{more}]", parts.join(","))
            }
            Part::Group(parts) => {
                let member = |(place, part)| {
                    let name = self.json_text(&format!("member{place}"));
                    format!("{name}{space}:{more}{}", self.json(part))
                };
                let parts: Vec<_> = parts.iter().enumerate().map(member).collect();
                format!("{{{}}}", parts.join(","))
            }
        }
    }

    fn json_identifier(&mut self, system: &str, value: &str) -> String {
        let system = format!("{}:{}", self.json_text("system"), self.json_text(system));
        let value = format!("{}:{}", self.json_text("value"), self.json_text(value));
        let (first, second) = if self.draw(2) == 0 { (system, value) } else { (value, system) };
        format!("{{{first},{second}}}")
    }

    fn xml_text(&mut self, text: &str) -> String {
        let mut out = String::new();
        for letter in text.chars() {
            if matches!(letter, '<' | '&' | '"' | '\'' | '>') || self.draw(4) == 0 {
                write!(out, "&#{};", u32::from(letter)).unwrap();
            } else {
                out.push(letter);
            }
        }
        out
    }

    fn xml(&mut self, part: &Part, name: &str) -> String {
        let space = self.blank();
        match part {
            Part::Number(value) => self.xml_identifier(name, SYSTEM, value),
            Part::Stranger(value) => self.xml_identifier(name, "https://a.example/Id/x", value),
            Part::Text(text) if self.draw(2) == 0 => {
                format!("<{name}>{}</{name}>", self.xml_text(text))
            }
            Part::Text(text) => format!("<{name} value=\"{}\"/>{space}", self.xml_text(text)),
            Part::Group(parts) | Part::List(parts) => {
                let inner: String =
                    parts.iter().map(|part| self.xml(part, "member") + space).collect();
                format!("<{name}>{space}{inner}</{name}>")
            }
        }
    }

    fn xml_identifier(&mut self, name: &str, system: &str, value: &str) -> String {
        let (space, quote) = (self.blank(), ["'", "\""][usize::from(self.draw(2) == 0)]);
        let mut element = |name, text| {
            let text = self.xml_text(text);
            format!("<{name} {space}value{space}={space}{quote}{text}{quote}{space}/>")
        };
        let (system, value) = (element("system", system), element("value", value));
        let (first, second) = if self.draw(2) == 0 { (system, value) } else { (value, system) };
        format!("<{name}>{first}<!-- {space} -->{second}</{name}>")
    }
}

proptest! {
    /// gp-connect 12.
    #[test]
    fn the_numbers_put_in_are_the_numbers_found(parts in vec(part(), 0..6), seed: u64) {
        let document = Part::Group(parts);
        let mut numbers = Vec::new();
        document.numbers(&mut numbers);
        let expected = patients(&numbers);
        let mut spelling = Spelling(seed);
        let (json, xml) = (spelling.json(&document), spelling.xml(&document, "Resource"));
        prop_assert_eq!(read_json(&json), expected.clone(), "{}", json);
        prop_assert_eq!(read_xml(&xml), expected, "{}", xml);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..200)) {
        read_json(&bytes);
        read_xml(&bytes);
    }

    /// Nearer to documents than plain bytes are.
    #[test]
    fn no_scraps_of_documents_make_a_reader_panic(
        scraps in vec(prop_oneof![
            Just("{"), Just("}"), Just("["), Just("]"), Just(","), Just(":"), Just("\"value\""),
            Just("\"system\""), Just("\"https://fhir.nhs.uk/Id/nhs-number\""), Just("\\ud800"),
            Just("null"), Just("1e5"), Just("<a>"), Just("</a>"), Just("<value value='9'/>"),
            Just("<system value='https://fhir.nhs.uk/Id/nhs-number'/>"), Just("&#57;"), Just("&x;"),
            Just("<!--"), Just("-->"), Just("<![CDATA["), Just("]]>"), Just("<?xml"), Just("?>"),
            Just("<!DOCTYPE"), Just(" xmlns:f='x'"), Just("<f:a"), Just("/>"), Just(">"), Just("é"),
        ], 0..40),
    ) {
        let text = scraps.concat();
        read_json(&text);
        read_xml(&text);
    }

    #[test]
    fn a_document_cut_anywhere_is_unreadable(
        parts in vec(part(), 1..6),
        cut: prop::sample::Index,
        seed: u64,
    ) {
        let document = Part::Group(parts);
        let mut spelling = Spelling(seed);
        let (json, xml) = (spelling.json(&document), spelling.xml(&document, "Resource"));
        let (json, xml) = (json.trim_end().as_bytes(), xml.trim_end().as_bytes());
        let read = read_json(&json[..cut.index(json.len())]);
        prop_assert!(matches!(read, Patients::Unreadable(_)));
        let read = read_xml(&xml[..cut.index(xml.len())]);
        prop_assert!(matches!(read, Patients::Unreadable(_)));
    }
}
