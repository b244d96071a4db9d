//! The links of a record of 3 MB, rewritten as it passes to a consumer in assist mode (stage 13): as it
//! is, and within gzip beside opening and compressing it alone.

use std::io::{self, Write};

use flate2::{
    Compress, Compression, Decompress,
    write::{ZlibDecoder, ZlibEncoder},
};
use gpconnect::{
    coding::{Coding, Passage},
    links::{Links, Rewriter},
    media::Format,
};

const ROOT: &str = "https://gp.example/A20047/STU3/1/gpconnect/structured/fhir";
const GATEWAY: &str = "https://gateway.example/A20047/STU3/1/gpconnect/structured/fhir";
const BYTES: usize = 3_000_000;
/// As much as the engine reads of an answer at once.
const PART: usize = 65_536;

/// A record in one of its formats.
pub struct Record {
    /// What it is called.
    pub name: &'static str,
    format: Format,
    body: Vec<u8>,
    zipped: Vec<u8>,
}

/// One in each format.
pub fn all() -> io::Result<[Record; 2]> {
    let json = filled(r#"{"resourceType":"Bundle","type":"collection","entry":[{}"#, in_json, "]}");
    let xml = filled(r#"<Bundle xmlns="http://hl7.org/fhir">"#, in_xml, "</Bundle>");
    Ok([Record::new("JSON", Format::Json, json)?, Record::new("XML", Format::Xml, xml)?])
}

/// A statement of a medication in JSON.
fn in_json(number: u64, draw: &mut Draw) -> String {
    let (id, text, start) = (draw.id(), draw.text(12), draw.date());
    format!(
        r#",{{"fullUrl":"{ROOT}/MedicationStatement/{number}","resource":{{"resourceType":"MedicationStatement","id":"{number}","meta":{{"versionId":"{id}","profile":["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-MedicationStatement-1"]}},"identifier":[{{"system":"https://gp.example/ids","value":"{}"}}],"basedOn":[{{"reference":"MedicationRequest/{}"}}],"status":"completed","medicationReference":{{"reference":"{ROOT}/Medication/{}"}},"effectivePeriod":{{"start":"{start}","end":"{}"}},"dateAsserted":"{start}T08:30:00+00:00","subject":{{"reference":"Patient/2"}},"taken":"unk","note":[{{"text":"{text}"}}],"dosage":[{{"text":"1 \"{}\" a day,\nthen {}","patientInstruction":"{}"}}]}}}}"#,
        draw.id(),
        draw.id(),
        draw.id(),
        draw.date(),
        draw.text(1),
        draw.text(4),
        draw.text(6),
    )
}

/// The same in XML.
fn in_xml(number: u64, draw: &mut Draw) -> String {
    let (id, text, start) = (draw.id(), draw.text(12), draw.date());
    format!(
        r#"<entry><fullUrl value="{ROOT}/MedicationStatement/{number}"/><resource><MedicationStatement><id value="{number}"/><meta><versionId value="{id}"/><profile value="https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-MedicationStatement-1"/></meta><identifier><system value="https://gp.example/ids"/><value value="{}"/></identifier><basedOn><reference value="MedicationRequest/{}"/></basedOn><status value="completed"/><medicationReference><reference value="{ROOT}/Medication/{}"/></medicationReference><effectivePeriod><start value="{start}"/><end value="{}"/></effectivePeriod><subject><reference value="Patient/2"/></subject><taken value="unk"/><note><text value="{text}"/></note><dosage><text value="1 &quot;{}&quot; a day, then {}"/><patientInstruction value="{}"/></dosage></MedicationStatement></resource></entry>"#,
        draw.id(),
        draw.id(),
        draw.id(),
        draw.date(),
        draw.text(1),
        draw.text(4),
        draw.text(6),
    )
}

/// Draws what differs from entry to entry, the same in each run.
struct Draw(u64);

impl Draw {
    const WORDS: [&str; 24] = [
        "tablet",
        "capsule",
        "with",
        "food",
        "morning",
        "evening",
        "review",
        "blood",
        "pressure",
        "patient",
        "asked",
        "to",
        "return",
        "if",
        "no",
        "better",
        "repeat",
        "issued",
        "by",
        "phone",
        "after",
        "discharge",
        "pain",
        "stopped",
    ];

    /// A number below `limit` (Knuth's generator, MMIX).
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn id(&mut self) -> String {
        format!("{:08x}{:08x}", self.below(1 << 31), self.below(1 << 31))
    }

    fn date(&mut self) -> String {
        format!("20{:02}-{:02}-{:02}", self.below(26), 1 + self.below(12), 1 + self.below(28))
    }

    fn text(&mut self, words: usize) -> String {
        let mut word =
            || Self::WORDS.iter().cycle().nth(usize::try_from(self.below(24)).unwrap_or(0));
        (0..words).filter_map(|_| word()).copied().collect::<Vec<_>>().join(" ")
    }
}

fn filled(before: &str, unit: impl Fn(u64, &mut Draw) -> String, behind: &str) -> Vec<u8> {
    let (mut text, mut draw) = (before.to_owned(), Draw(1));
    for number in 0.. {
        if text.len() >= BYTES {
            break;
        }
        text.push_str(&unit(number, &mut draw));
    }
    (text + behind).into_bytes()
}

impl Record {
    fn new(name: &'static str, format: Format, body: Vec<u8>) -> io::Result<Self> {
        // As a practice does it.
        let gzip = Compress::new_gzip(Compression::default(), 15);
        let mut gzip = ZlibEncoder::new_with_compress(Vec::new(), gzip);
        gzip.write_all(&body)?;
        let zipped = gzip.finish()?;
        Ok(Self { name, format, body, zipped })
    }

    /// Its length, and that of it compressed.
    pub fn lengths(&self) -> (usize, usize) {
        (self.body.len(), self.zipped.len())
    }

    fn rewriter(&self) -> Rewriter {
        let root = ROOT.parse().ok();
        let links = Links::new(root.iter().map(|root| (root, GATEWAY.to_owned())));
        Rewriter::new(links, self.format)
    }

    /// How many bytes leave when its links are rewritten. What a part becomes leaves before the next one
    /// comes, here and below.
    pub fn rewritten(&self) -> io::Result<usize> {
        passed(Passage::new(Coding::Plain, Some(self.rewriter())), &self.body)
    }

    /// The same of one that comes and leaves compressed.
    pub fn rewritten_within_gzip(&self) -> io::Result<usize> {
        passed(Passage::new(Coding::Within, Some(self.rewriter())), &self.zipped)
    }

    /// It is opened and compressed again, and nothing else.
    pub fn unzipped_and_zipped(&self) -> io::Result<usize> {
        let mut open = opener(encoder());
        let mut length = 0;
        for part in self.zipped.chunks(PART) {
            open.write_all(part)?;
            length += std::mem::take(open.get_mut().get_mut()).len();
        }
        Ok(length + open.finish()?.finish()?.len())
    }
}

fn passed(mut passage: Passage, body: &[u8]) -> io::Result<usize> {
    let mut length = 0;
    for part in body.chunks(PART) {
        length += passage.pass(part, false)?.len();
    }
    Ok(length + passage.pass(&[], true)?.len())
}

/// With the gateway's library and window, as the library is meant to be used.
fn opener<W: Write>(next: W) -> ZlibDecoder<W> {
    ZlibDecoder::new_with_decompress(next, Decompress::new_gzip(15))
}

/// At the gateway's level.
fn encoder() -> ZlibEncoder<Vec<u8>> {
    ZlibEncoder::new_with_compress(Vec::new(), Compress::new_gzip(Compression::new(2), 15))
}
