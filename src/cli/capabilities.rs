//! `capabilities`: what practices can be asked, as their systems state it, and what of that changed.

use clap::{Args, ValueEnum};
use gpconnect::names::OdsCode;
use serde_json::Value;

use super::{
    Ended,
    admin::{Where, client::call},
    output::{Table, complain, harmless, print},
    switch::capability,
};

/// Show what practices can be asked: versions and operations, by the capability statements of their
/// systems that a gateway at work has passed on since it started.
///
/// Exit code: 0 when it is shown, 1 when the gateway refuses, 2 when there is no gateway.
///
/// Example: gpconnect-gateway capabilities /var/lib/gpconnect-gateway/audit --capability structured -o csv
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    gateway: Where,
    /// Of this practice alone, by its ODS code.
    #[arg(long, value_name = "ODS")]
    practice: Option<OdsCode>,
    /// Of this capability alone: foundations, appointments, structured and others.
    #[arg(long, value_name = "CAPABILITY", value_parser = capability)]
    capability: Option<String>,
    /// What has changed instead, the latest first.
    #[arg(long)]
    changes: bool,
    /// The form.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A table for people; it counts operations where it is of more than one practice.
    #[default]
    Human,
    /// What the admin API answers.
    Json,
    /// A line for each practice and capability, for a spreadsheet.
    Csv,
}

/// A table of texts, whatever its form.
type Rows<const N: usize> = Vec<[String; N]>;

const MAP: [&str; 11] = [
    "practice",
    "name",
    "capability",
    "enabled",
    "version",
    "fhir_version",
    "software",
    "operations",
    "seen_at",
    "since",
    "crawl",
];
const CHANGES: [&str; 7] =
    ["at", "practice", "capabilities", "before", "after", "added", "removed"];

pub(crate) fn run(arguments: &Arguments) -> Ended {
    let Arguments { gateway, practice, capability, changes, output } = arguments;
    let path = if *changes { "/v1/capabilities/changes" } else { "/v1/capabilities" };
    let pairs =
        [("practice", practice.map(|it| it.to_string())), ("capability", capability.clone())];
    let pairs = pairs.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    let pairs: Vec<_> = pairs.collect();
    let path = format!("{path}?{}", pairs.join("&"));
    if *output == Form::Json {
        return gateway.call("GET", &path, None);
    }
    let answer = match call(&gateway.folder, "GET", &path, None) {
        Ok(Some(answer)) if answer.status == 200 => answer.body,
        // It is told as any other call is.
        _ => return gateway.call("GET", &path, None),
    };
    let is_short = *output == Form::Human && practice.is_none();
    match (changes, output) {
        (true, Form::Csv) => csv(CHANGES, changed(&answer)),
        (false, Form::Csv) => csv(MAP, map(&answer, is_short)),
        (true, _) => table(CHANGES, &changed(&answer), "No statement has changed."),
        (false, _) => table(MAP, &map(&answer, is_short), "No practice offers it."),
    }
}

fn map(answer: &Value, is_short: bool) -> Rows<11> {
    let statements = list(answer, "statements");
    let row = |row: &Value| {
        let place = row.get("statement").and_then(Value::as_u64);
        let place = place.and_then(|place| usize::try_from(place).ok());
        let statement = place.and_then(|place| statements.get(place)).unwrap_or(&Value::Null);
        let operations = words(statement, "operations");
        let operations = match (is_short, statement.is_null()) {
            (true, false) => operations.split_whitespace().count().to_string(),
            (_, _) => operations,
        };
        let enabled = row.get("enabled").and_then(Value::as_bool).unwrap_or_default();
        [
            text(row, "ods_code"),
            text(row, "name"),
            text(row, "capability"),
            String::from(if enabled { "yes" } else { "no" }),
            text(statement, "version"),
            text(statement, "fhir_version"),
            text(statement, "software"),
            operations,
            text(row, "seen_at"),
            text(row, "since"),
            [text(row, "crawl"), text(row, "crawl_fault")].join(" ").trim_end().to_owned(),
        ]
    };
    list(answer, "capabilities").iter().map(row).collect()
}

fn changed(answer: &Value) -> Rows<7> {
    let versions = |change: &Value, name: &str| {
        let of = change.get(name).unwrap_or(&Value::Null);
        let all = ["version", "fhir_version", "software"].map(|name| text(of, name));
        all.join(" / ")
    };
    let row = |change: &Value| {
        [
            text(change, "at"),
            text(change, "ods_code"),
            words(change, "capabilities"),
            versions(change, "before"),
            versions(change, "after"),
            words(change, "added"),
            words(change, "removed"),
        ]
    };
    list(answer, "changes").iter().map(row).collect()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn words(value: &Value, name: &str) -> String {
    let words: Vec<_> = list(value, name).iter().filter_map(Value::as_str).collect();
    words.join(" ")
}

fn table<const N: usize>(columns: [&str; N], rows: &Rows<N>, nothing: &str) -> Ended {
    if rows.is_empty() {
        complain(nothing);
        return Ended::Done;
    }
    let mut table = Table::new(columns);
    rows.iter().for_each(|row| table.row(row.each_ref().map(String::as_str)));
    print(table.to_string().as_bytes(), Ended::Done)
}

fn csv<const N: usize>(columns: [&str; N], rows: Rows<N>) -> Ended {
    match written(columns, rows) {
        Ok(text) => print(&text, Ended::Done),
        Err(fault) => {
            complain(format!("can't be written as CSV: {fault}"));
            Ended::Unable
        }
    }
}

fn written<const N: usize>(columns: [&str; N], rows: Rows<N>) -> Result<Vec<u8>, csv::Error> {
    let mut out =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    out.write_record(columns)?;
    for row in rows {
        out.write_record(row.map(harmless))?;
    }
    Ok(out.into_inner().map_err(csv::IntoInnerError::into_error)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_what_a_practice_can_be_asked() {
        let answer = json!({
            "statements": [{"version": "1.2.7", "fhir_version": "3.0.1", "software": "=A 4.5",
                            "operations": ["$gpc.registerpatient", "Patient.read"]}],
            "capabilities": [
                {"ods_code": "A20047", "name": "The Avenue", "capability": "foundations",
                 "enabled": true, "statement": 0, "seen_at": "t2", "since": "t1",
                 "crawl": "fresh", "crawl_fault": null},
                {"ods_code": "B83617", "name": "Hill", "capability": "structured",
                 "enabled": false, "statement": null, "seen_at": null, "since": null,
                 "crawl": "refused", "crawl_fault": "no_agreement"},
            ],
        });
        let text = String::from_utf8(written(MAP, map(&answer, false)).unwrap()).unwrap();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                &MAP.join(","),
                "A20047,The Avenue,foundations,yes,1.2.7,3.0.1,'=A 4.5,$gpc.registerpatient Patient.read,t2,t1,fresh",
                "B83617,Hill,structured,no,,,,,,,refused no_agreement",
            ]
        );
        let short: Vec<_> = map(&answer, true).into_iter().map(|row| row[7].clone()).collect();
        assert_eq!(short, ["2", ""], "what was not seen has no number");
    }

    #[test]
    fn a_change_says_what_it_was_before() {
        let answer = json!({"changes": [{
            "at": "t", "ods_code": "A20047", "capabilities": ["foundations", "appointments"],
            "before": {"version": "1.2.7", "fhir_version": "3.0.1", "software": null},
            "after": {"version": "1.2.8", "fhir_version": "3.0.1", "software": "B"},
            "added": ["Slot.search-type"], "removed": [],
        }]});
        let expected = [
            "t",
            "A20047",
            "foundations appointments",
            "1.2.7 / 3.0.1 / ",
            "1.2.8 / 3.0.1 / B",
            "Slot.search-type",
            "",
        ];
        assert_eq!(changed(&answer), [expected.map(str::to_owned)]);
    }
}
