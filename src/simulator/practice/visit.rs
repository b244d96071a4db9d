//! One request at a practice: what the interactions need of it, already recognised.

use http::HeaderMap;
use jiff::Zoned;
use jiff::civil::Date;
use serde_json::Value;

use super::{RecordCache, Site};
use crate::simulator::fhir::format::{self, Format};
use crate::simulator::fhir::outcome::{Code, Refusal};
use crate::simulator::fhir::query::Query;
use crate::simulator::fhir::xml_in;

/// A recognised request.
pub(crate) struct Visit<'a> {
    pub(crate) site: &'a Site,
    /// The logical id in the path; empty where the path has none.
    pub(crate) id: &'a str,
    pub(crate) query: &'a Query,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) now: Zoned,
    /// The format of the answer.
    pub(crate) format: Format,
    /// Whether the consumer takes gzip.
    pub(crate) gzip: bool,
    pub(crate) records: &'a RecordCache,
}

impl Visit<'_> {
    /// Today in the United Kingdom.
    pub(crate) fn today(&self) -> Date {
        self.now.date()
    }

    /// The logical id as one of ours; they are all whole numbers.
    pub(crate) fn number(&self) -> Option<u64> {
        parse_id(self.id)
    }

    /// The body as a resource of that type.
    pub(crate) fn resource(&self, kind: &str) -> Result<Value, Refusal> {
        let unreadable = || Code::InvalidResource.because("Body can't be read");
        let resource: Value = match format::of_body(self.headers)? {
            Format::Json => serde_json::from_slice(self.body).or(Err(unreadable()))?,
            Format::Xml => {
                let text = str::from_utf8(self.body).or(Err(unreadable()))?;
                xml_in::read(text).or(Err(unreadable()))?
            }
        };
        if resource.get("resourceType").and_then(Value::as_str) == Some(kind) {
            Ok(resource)
        } else {
            Err(Code::InvalidResource.because(format!("Body is not of type {kind}")))
        }
    }
}

/// Reads a logical id in its one spelling: no sign, no leading zero.
pub(crate) fn parse_id(text: &str) -> Option<u64> {
    let spelled = !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| spelled)
}

/// The text of a member; `None` for absent or other than text.
pub(crate) fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str)
}

/// The items of a list member; none for absent or other than a list.
pub(crate) fn items<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
