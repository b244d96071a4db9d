//! `conformance`: who breaks which rule of the specification, as a gateway at work has counted.

use clap::{Args, ValueEnum};
use gpconnect::observe::{Rule, Side};
use serde_json::Value;

use super::{
    Ended,
    admin::{Where, client::call},
    output::{Table, complain, harmless, print},
};

/// Show who breaks which rule of the specification, the worst first.
///
/// The gateway counts what it sees of others since its start: rules that requests of consumers break,
/// whether they were refused or only reported, and rules that answers of practices break. What each
/// rule is about stands in docs/conformance.md.
///
/// Exit code: 0 when it is shown, 1 when the gateway refuses, 2 when there is no gateway.
///
/// Example: gpconnect-gateway conformance /var/lib/gpconnect-gateway/audit --side practices
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    gateway: Where,
    /// One side alone: consumers or practices.
    #[arg(long, value_name = "SIDE", value_parser = side)]
    side: Option<Side>,
    /// One rule alone, by its name.
    #[arg(long, value_name = "RULE", value_parser = rule)]
    rule: Option<Rule>,
    /// One organisation alone.
    #[arg(long, value_name = "ODS")]
    organisation: Option<gpconnect::names::OdsCode>,
    /// How many rows at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    most: u16,
    /// The form.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

/// The form in which it is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    #[default]
    Table,
    /// One JSON object.
    Json,
    /// A row a line, for a spreadsheet.
    Csv,
}

fn side(text: &str) -> Result<Side, String> {
    Side::from_word(text).ok_or_else(|| String::from("expected consumers or practices"))
}

fn rule(text: &str) -> Result<Rule, String> {
    Rule::from_name(text).ok_or_else(|| {
        let near = super::output::nearest(text, Rule::all().map(Rule::name));
        match near.first() {
            Some(near) => format!("there is no such rule; did you mean {near}?"),
            None => String::from("there is no such rule; docs/conformance.md names them"),
        }
    })
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    let Arguments { gateway, output, .. } = arguments;
    let path = arguments.path();
    if *output == Form::Json {
        return gateway.call("GET", &path, None);
    }
    let answer = match call(&gateway.folder, "GET", &path, None) {
        Ok(Some(answer)) if answer.status == 200 => answer.body,
        // It is told as any other call is.
        _ => return gateway.call("GET", &path, None),
    };
    let rows = answer.get("breaches").and_then(Value::as_array);
    let rows = rows.map(Vec::as_slice).unwrap_or_default();
    if *output == Form::Csv {
        return match csv(rows) {
            Ok(text) => print(text.as_bytes(), Ended::Done),
            Err(fault) => {
                complain(format!("can't be written as CSV: {fault}"));
                Ended::Unable
            }
        };
    }
    tell_about(&answer, rows.len());
    if rows.is_empty() { Ended::Done } else { print(table(rows).as_bytes(), Ended::Done) }
}

impl Arguments {
    fn path(&self) -> String {
        let mut path = format!("/v1/conformance?most={}", self.most);
        let pairs = [
            ("side", self.side.map(|side| side.as_str().to_owned())),
            ("rule", self.rule.map(|rule| rule.name().to_owned())),
            ("organisation", self.organisation.map(|code| code.to_string())),
        ];
        for (name, value) in pairs.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            path.push_str(&format!("&{name}={value}"));
        }
        path
    }
}

/// Says beside the table what it does not.
fn tell_about(answer: &Value, shown: usize) {
    let since = answer.get("since").and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
    let total = number("total");
    if total == 0 {
        complain(format!("No such rule was broken since {since}."));
    } else {
        complain(format!("Counted since {since}; {shown} of {total}, the worst first."));
    }
    if number("uncounted") > 0 {
        complain(format!("{} requests were not counted.", number("uncounted")));
    }
}

fn table(rows: &[Value]) -> String {
    let mut table = Table::new([
        "side",
        "organisation",
        "rule",
        "broken",
        "of",
        "rate",
        "last",
        "trace id of the last",
    ]);
    for row in rows {
        let organisation = [text(row, "organisation"), text(row, "name")].join(" ");
        let last = examples(row).first().cloned().unwrap_or_default();
        table.row([
            &text(row, "side"),
            organisation.trim(),
            &text(row, "rule"),
            &text(row, "broken"),
            &text(row, "of"),
            &text(row, "rate"),
            &text(row, "last"),
            &last,
        ]);
    }
    table.to_string()
}

/// The columns of CSV. New ones are added at the end.
const COLUMNS: [&str; 13] = [
    "side",
    "organisation",
    "name",
    "rule",
    "section",
    "broken",
    "of",
    "rate",
    "first",
    "last",
    "upstreams",
    "trace_ids",
    "mend",
];

fn csv(rows: &[Value]) -> Result<String, csv::Error> {
    let mut out =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    out.write_record(COLUMNS)?;
    for row in rows {
        out.write_record(COLUMNS.map(|name| match name {
            "trace_ids" => examples(row).join(" "),
            _ => harmless(text(row, name)),
        }))?;
    }
    let text = out.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// A member as text, a list with blanks.
fn text(row: &Value, name: &str) -> String {
    match row.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        }
        Some(Value::Null) | None => String::new(),
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Object(_))) => other.to_string(),
    }
}

/// The trace ids of the examples, the latest first.
fn examples(row: &Value) -> Vec<String> {
    let examples = row.get("examples").and_then(Value::as_array).into_iter().flatten();
    examples.map(|example| text(example, "trace_id")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row() -> Value {
        json!({
            "side": "practices", "organisation": "A20047", "name": "=cmd()", "rule": "no_store",
            "section": "gp-connect 4.3", "mend": "Send it.", "broken": 3, "of": 4, "rate": 0.75,
            "first": "2026-11-23T08:00:00.000Z", "last": "2026-11-23T08:01:00.000Z",
            "upstreams": ["north", "south"],
            "examples": [{"trace_id": "a"}, {"trace_id": "b"}],
        })
    }

    #[test]
    fn a_row_is_told_in_every_form() {
        let text = table(&[row()]);
        for part in ["A20047 =cmd()", "no_store", "0.75", "2026-11-23T08:01:00.000Z"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let text = csv(&[row()]).unwrap();
        assert_eq!(
            text,
            "side,organisation,name,rule,section,broken,of,rate,first,last,upstreams,trace_ids,mend\r\n\
             practices,A20047,'=cmd(),no_store,gp-connect 4.3,3,4,0.75,2026-11-23T08:00:00.000Z,\
             2026-11-23T08:01:00.000Z,north south,a b,Send it.\r\n"
        );
    }

    #[test]
    fn a_rule_is_one_that_there_is() {
        assert_eq!(rule("no_store"), Ok(Rule::from_name("no_store").unwrap()));
        assert_eq!(rule("no_stor").unwrap_err(), "there is no such rule; did you mean no_store?");
        assert!(rule("zzzzzz").unwrap_err().contains("docs/conformance.md"));
        assert!(side("both").is_err());
    }
}
