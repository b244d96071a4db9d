//! Records as a table, as lines of JSON, and as CSV.

use clap::ValueEnum;

use super::{
    fhir,
    shown::{Access, Found},
};
use crate::cli::output::{Table, harmless};

/// The form in which what was found is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// A table for people.
    #[default]
    Human,
    /// A record a line.
    Json,
    /// An access a line, for a spreadsheet.
    Csv,
    /// A FHIR STU3 AuditEvent a line, for each access.
    FhirStu3,
    /// A FHIR R4 AuditEvent a line, for each access.
    FhirR4,
}

impl Form {
    pub(super) fn text(self, found: &[Access]) -> Result<String, String> {
        let records = || found.iter().flat_map(Access::records);
        match self {
            Self::Human => Ok(table(records())),
            Self::Json => Ok(lines(records())),
            Self::Csv => csv(found).map_err(|fault| format!("can't be written as CSV: {fault}")),
            Self::FhirStu3 => Ok(events(found, fhir::Version::Stu3)),
            Self::FhirR4 => Ok(events(found, fhir::Version::R4)),
        }
    }
}

fn events(found: &[Access], version: fhir::Version) -> String {
    found.iter().map(|access| format!("{}\n", fhir::event(access, version))).collect()
}

pub(super) fn lines<'f>(found: impl IntoIterator<Item = &'f Found>) -> String {
    found.into_iter().map(|found| format!("{}\n", found.whole())).collect()
}

pub(super) fn table<'f>(found: impl IntoIterator<Item = &'f Found>) -> String {
    let mut table = Table::new([
        "record",
        "time",
        "kind",
        "consumer",
        "practice",
        "interaction",
        "end",
        "trace id",
        "whose",
    ]);
    for found in found {
        let status = number(found, "status");
        let end = [status.as_str(), found.text("result"), found.text("fault")].join(" ");
        table.row([
            &found.place.to_string(),
            found.text("time"),
            found.text("kind"),
            found.text("consumer"),
            found.text("practice"),
            found.text("interaction"),
            end.trim(),
            found.text("trace_id"),
            &whose(found),
        ]);
    }
    table.to_string()
}

/// A number as text, empty where there is none.
fn number(found: &Found, name: &str) -> String {
    let number = found.record.get(name).filter(|value| value.is_number());
    number.map(ToString::to_string).unwrap_or_default()
}

/// Who looked, and at whom.
fn whose(found: &Found) -> String {
    let user = [found.name().as_str(), found.sealed(&["user", "sub"])].join(" ");
    let request = [found.sealed(&["verb"]), found.sealed(&["path"])].join(" ");
    let numbers = found.numbers().join(", ");
    let parts = [user.trim(), &numbers, request.trim()];
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("\n")
}

/// What a column holds: of the first record of an access, of the one that says how it ended, or of
/// what is sealed in the first.
enum Cell {
    First(&'static str),
    End(&'static str),
    Sealed(&'static [&'static str]),
    Made(fn(&Access) -> String),
}

/// The columns of CSV (docs/audit.md). New ones are added at the end.
#[rustfmt::skip]
const COLUMNS: &[(&str, Cell)] = &[
    ("record",            Cell::Made(|access| access.first.place.to_string())),
    ("outcome_record",    Cell::Made(|access| access.outcome.as_ref().map(|it| it.place.to_string()).unwrap_or_default())),
    ("time",              Cell::First("time")),
    ("kind",              Cell::First("kind")),
    ("consumer",          Cell::First("consumer")),
    ("organisation",      Cell::First("organisation")),
    ("client",            Cell::First("client")),
    ("practice",          Cell::First("practice")),
    ("provider",          Cell::First("provider")),
    ("service_root",      Cell::First("service_root")),
    ("interaction",       Cell::First("interaction")),
    ("patients",          Cell::First("patients")),
    ("result",            Cell::End("result")),
    ("status",            Cell::End("status")),
    ("fault",             Cell::End("fault")),
    ("origin",            Cell::End("origin")),
    ("duration_ms",       Cell::End("duration_ms")),
    ("upstream_ms",       Cell::End("upstream_ms")),
    ("received_bytes",    Cell::End("received_bytes")),
    ("sent_bytes",        Cell::End("sent_bytes")),
    ("trace_id",          Cell::First("trace_id")),
    ("note",              Cell::End("note")),
    ("user",              Cell::Sealed(&["user", "sub"])),
    ("user_name",         Cell::Made(|access| access.first.name())),
    ("sds_user_id",       Cell::Sealed(&["user", "sds_user_id"])),
    ("role_profile",      Cell::Sealed(&["user", "role_profile"])),
    ("user_organisation", Cell::Sealed(&["user_organisation", "ods_code"])),
    ("reason",            Cell::Sealed(&["reason"])),
    ("nhs_numbers",       Cell::Made(|access| access.first.numbers().join(" "))),
    ("verb",              Cell::Sealed(&["verb"])),
    ("path",              Cell::Sealed(&["path"])),
];

fn csv(found: &[Access]) -> Result<String, csv::Error> {
    let mut out =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    out.write_record(COLUMNS.iter().map(|(name, _)| name))?;
    for access in found {
        out.write_record(COLUMNS.iter().map(|(_, cell)| harmless(cell.of(access))))?;
    }
    let text = out.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

impl Cell {
    fn of(&self, access: &Access) -> String {
        let plain = |found: &Found, name: &str| match found.record.get(name) {
            Some(serde_json::Value::String(text)) => text.clone(),
            _ => number(found, name),
        };
        match self {
            Self::First(name) => plain(&access.first, name),
            Self::End(name) => access.end().map(|end| plain(end, name)).unwrap_or_default(),
            Self::Sealed(path) => access.first.sealed(path).to_owned(),
            Self::Made(make) => make(access),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::audit::Place;

    fn access() -> Access {
        let first = Found {
            place: Place { epoch: 3, seq: 7 },
            record: json!({"kind": "intent", "time": "2026-11-23T08:00:00.000001Z", "practice": "A20047"}),
            opened: Some(json!({
                "verb": "GET", "path": "Patient?identifier=\"x\",y", "patients": ["9000000009"],
                "user": {"sub": "=HYPERLINK(\"http://evil.example\")", "family": "Jones"},
            })),
        };
        let outcome = Found {
            place: Place { epoch: 3, seq: 9 },
            record: json!({"kind": "outcome", "status": 200, "result": "good", "duration_ms": 3.25}),
            opened: None,
        };
        Access { first, outcome: Some(outcome) }
    }

    #[test]
    fn csv_has_an_access_a_line_and_no_formulas() {
        let text = csv(&[access()]).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let names = reader.headers().unwrap().clone();
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 1);
        let cell = |name| rows[0].get(names.iter().position(|one| one == name).unwrap()).unwrap();
        for (name, expected) in [
            ("record", "3/7"),
            ("outcome_record", "3/9"),
            ("practice", "A20047"),
            ("status", "200"),
            ("duration_ms", "3.25"),
            ("fault", ""),
            ("user", "'=HYPERLINK(\"http://evil.example\")"),
            ("user_name", "Jones"),
            ("nhs_numbers", "9000000009"),
            ("path", "Patient?identifier=\"x\",y"),
        ] {
            assert_eq!(cell(name), expected, "{name}");
        }
        assert!(text.ends_with("\r\n"));
    }

    #[test]
    fn a_table_says_who_looked_at_whom() {
        let access = access();
        let text = table(access.records());
        for part in ["3/7", "3/9", "200 good", "Jones =HYPERLINK", "9000000009", "GET Patient?"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
