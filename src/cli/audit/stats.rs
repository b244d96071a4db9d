//! `audit stats`: what there is in a journal, counted.

use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::shown::{Fault, Why, ended};
use crate::{
    audit::{
        Place, read,
        search::{Fields, Member},
        segment::{self, Line},
    },
    cli::{
        Ended,
        moment::Span,
        output::{Output, Table, complain, print, print_json},
    },
};

/// Count what a journal holds.
///
/// Accesses by consumer, organisation, practice, interaction, hour or day; how they ended; refusals,
/// also those that were only counted; intents that have no outcome; and the size of the files. Reads
/// all records, and needs no key. A gateway that is at work on the journal puts down who counts, and
/// what.
///
/// Exit code: 0, or 2 when the journal can't be read, or the gateway has not put it down.
///
/// Example: gpconnect-gateway audit stats /var/lib/gpconnect-gateway/audit --since -86400 --per hour
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The journal's folder.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    #[command(flatten)]
    span: Span,
    /// Count by the hour or by the day, in UTC.
    #[arg(long, value_enum, default_value_t, value_name = "PERIOD")]
    per: Period,
    /// Of each list, the largest so many.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    top: usize,
    /// The form: tables, or an object with all of it.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
    #[command(flatten)]
    why: Why,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Period {
    Hour,
    #[default]
    Day,
}

type Counts = BTreeMap<String, u64>;

/// What was counted.
#[derive(Debug, Default, Serialize)]
struct Stats {
    records: u64,
    epochs: usize,
    segments: usize,
    /// What the files take on disk: segments, checkpoints and what else is in the folder.
    bytes: u64,
    first: Option<String>,
    last: Option<String>,
    /// Requests that were let pass.
    accesses: u64,
    /// Those of which no outcome is on record.
    without_outcome: u64,
    /// Requests that were refused, each on record.
    refused: u64,
    /// Those that were only counted.
    refused_counted: u64,
    lines_that_are_no_records: u64,
    lost: u64,
    by_kind: Counts,
    by_result: Counts,
    by_status: Counts,
    by_fault: Counts,
    by_consumer: Counts,
    by_organisation: Counts,
    by_practice: Counts,
    by_interaction: Counts,
    by_period: Counts,
    #[serde(skip)]
    open: HashSet<Place>,
}

pub(super) fn run(arguments: &Arguments) -> Ended {
    ended(try_run(arguments))
}

fn try_run(arguments: &Arguments) -> Result<Ended, Fault> {
    let (folder, times) = (&arguments.folder, arguments.span.utc());
    let told = [("since", times.0.clone()), ("until", times.1.clone())];
    arguments.why.announce(folder, "stats", false, told)?;
    let stats = count(arguments, times);
    written(arguments, &stats.map_err(|fault| format!("{}: {fault}", folder.display()))?)
}

fn written(arguments: &Arguments, stats: &Stats) -> Result<Ended, Fault> {
    if stats.lost > 0 {
        complain("Some records can't be read: audit verify names them.");
    }
    Ok(match arguments.output {
        Output::Human => print(stats.text(arguments.top).as_bytes(), Ended::Done),
        Output::Json => print_json(stats, Ended::Done),
    })
}

fn count(
    arguments: &Arguments,
    (since, until): (Option<String>, Option<String>),
) -> io::Result<Stats> {
    let second = |time: Option<String>| time?.get(..19).map(str::to_owned);
    let (since, until) = (second(since), second(until));
    let is_within = |time: &str| {
        since.as_deref().is_none_or(|since| time >= since)
            && until.as_deref().is_none_or(|until| time <= until)
    };
    let period = if arguments.per == Period::Hour { 13 } else { 10 };
    let mut stats = Stats::default();
    let segments = segment::list(&arguments.folder)?;
    (stats.epochs, stats.segments) = (segments.len(), segments.values().map(Vec::len).sum());
    stats.bytes = size(&arguments.folder)?;
    let lost = read::each(&arguments.folder, |line, bytes| {
        match Fields::read(bytes) {
            Some(fields) => {
                // An outcome counts where its intent does.
                let of = line.intent.filter(|_| line.kind == "outcome");
                let counts = match of {
                    Some(intent) => stats.open.remove(&intent) || is_within(fields.second()),
                    None => is_within(fields.second()),
                };
                if counts {
                    stats.add(line, &fields, bytes, period);
                }
            }
            None => stats.lines_that_are_no_records += 1,
        }
        Ok(true)
    })?;
    stats.lost = lost.len() as u64;
    stats.without_outcome = stats.open.len() as u64;
    Ok(stats)
}

/// What a folder takes, with what is in it.
fn size(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(found) if found.is_dir() => bytes += size(&entry.path())?,
            Ok(found) => bytes += found.len(),
            // Removed meanwhile.
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(bytes)
}

/// How many refusals a record sums up.
fn summed(bytes: &[u8]) -> u64 {
    #[derive(serde::Deserialize)]
    struct Summary {
        count: u64,
    }
    serde_json::from_slice::<Summary>(bytes).map_or(0, |summary| summary.count)
}

impl Stats {
    fn add(&mut self, line: &Line<'_>, fields: &Fields<'_>, bytes: &[u8], period: usize) {
        self.records += 1;
        let time = fields.second();
        if self.first.as_deref().is_none_or(|first| time < first) {
            self.first = Some(time.to_owned());
        }
        if self.last.as_deref().is_none_or(|last| time > last) {
            self.last = Some(time.to_owned());
        }
        let mut weight = 1;
        match line.kind {
            "intent" => {
                self.accesses += 1;
                self.open.insert(line.place);
            }
            "refusal" => self.refused += 1,
            "refusals" => {
                weight = summed(bytes);
                self.refused_counted += weight;
            }
            _ => {}
        }
        if matches!(line.kind, "intent" | "refusal" | "refusals") {
            bump(&mut self.by_period, time.get(..period).unwrap_or_default(), weight);
        }
        for (counts, member) in [
            (&mut self.by_kind, Member::Kind),
            (&mut self.by_result, Member::Result),
            (&mut self.by_status, Member::Status),
            (&mut self.by_fault, Member::Fault),
            (&mut self.by_consumer, Member::Consumer),
            (&mut self.by_organisation, Member::Organisation),
            (&mut self.by_practice, Member::Practice),
            (&mut self.by_interaction, Member::Interaction),
        ] {
            // Records of searches name what was looked for.
            let is_of_request = matches!(line.kind, "intent" | "outcome" | "refusal" | "refusals");
            if member != Member::Kind && !is_of_request {
                continue;
            }
            let weight = if member == Member::Kind { 1 } else { weight };
            fields.values(line, member, &mut |value| bump(counts, value, weight));
        }
    }

    fn text(&self, top: usize) -> String {
        let mut table = Table::new(["", ""]);
        let time = |time: &Option<String>| time.clone().unwrap_or_default();
        for (name, value) in [
            ("records", self.records.to_string()),
            ("from", time(&self.first)),
            ("to", time(&self.last)),
            ("epochs", self.epochs.to_string()),
            ("segments", self.segments.to_string()),
            ("bytes on disk", self.bytes.to_string()),
            ("requests let pass", self.accesses.to_string()),
            ("without outcome", self.without_outcome.to_string()),
            ("refused, each on record", self.refused.to_string()),
            ("refused, only counted", self.refused_counted.to_string()),
            ("lines that are no records", self.lines_that_are_no_records.to_string()),
        ] {
            table.row([name, &value]);
        }
        let mut text = table.to_string();
        for (name, counts) in [
            ("kind", &self.by_kind),
            ("result", &self.by_result),
            ("status", &self.by_status),
            ("fault", &self.by_fault),
            ("consumer", &self.by_consumer),
            ("organisation", &self.by_organisation),
            ("practice", &self.by_practice),
            ("interaction", &self.by_interaction),
        ] {
            text.push_str(&list(name, largest(counts, top)));
        }
        let periods = self.by_period.iter().map(|(name, count)| (name.as_str(), *count));
        text.push_str(&list("time", periods.collect()));
        text
    }
}

fn bump(counts: &mut Counts, value: &str, weight: u64) {
    match counts.get_mut(value) {
        Some(count) => *count += weight,
        None => {
            counts.insert(value.to_owned(), weight);
        }
    }
}

fn largest(counts: &Counts, top: usize) -> Vec<(&str, u64)> {
    let mut all: Vec<_> = counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all.truncate(top);
    all
}

fn list(name: &str, counts: Vec<(&str, u64)>) -> String {
    if counts.is_empty() {
        return String::new();
    }
    let mut table = Table::new([name, "count"]);
    for (value, count) in counts {
        table.row([value, &count.to_string()]);
    }
    format!("\n{table}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(lines: &[&str]) -> Stats {
        let folder = tempfile::tempdir().unwrap();
        let begin = |(seq, line): (usize, &&str)| {
            let before = "00000000000000000000000000000000";
            format!("{{\"v\":1,\"epoch\":1,\"seq\":{seq},\"before\":\"{before}\",{line}}}\n")
        };
        let text: String = lines.iter().enumerate().map(begin).collect();
        let first = Place { epoch: 1, seq: 0 };
        fs::write(folder.path().join(segment::name(first)), text).unwrap();
        let arguments = Arguments {
            folder: folder.path().to_owned(),
            span: Span { since: Some("2026-11-23T08:00:00Z".into()), until: None },
            per: Period::Hour,
            top: 1,
            output: Output::Human,
            why: Why { reason: None },
        };
        let times = arguments.span.utc();
        count(&arguments, times).unwrap()
    }

    #[test]
    fn what_there_is_is_counted() {
        let stats = counted(&[
            r#""kind":"intent","time":"2026-11-23T07:59:59.999999Z","consumer":"old""#,
            r#""kind":"intent","time":"2026-11-23T08:00:00.000000Z","consumer":"1","practice":"A""#,
            r#""kind":"outcome","intent":"1/1","time":"2026-11-23T08:00:01.000000Z","result":"good","status":200"#,
            r#""kind":"intent","time":"2026-11-23T09:00:00.000000Z","consumer":"2","practice":"A""#,
            r#""kind":"refusal","time":"2026-11-23T09:10:00.000000Z","consumer":"2","result":"refused","status":403,"fault":"no_agreement""#,
            r#""kind":"refusals","time":"2026-11-23T09:20:00.000000Z","network":"192.0.2.0/24","fault":"certificate_missing","count":70"#,
            r#""kind":"search","time":"2026-11-23T09:20:00.000000Z","practice":"A","status":200"#,
            r#""kind":"start","time":7"#,
        ]);
        assert_eq!((stats.records, stats.accesses, stats.without_outcome), (6, 2, 1));
        assert_eq!((stats.refused, stats.refused_counted), (1, 70));
        assert_eq!(stats.lines_that_are_no_records, 1);
        assert_eq!(stats.by_fault["certificate_missing"], 70);
        assert_eq!(stats.by_period["2026-11-23T09"], 72);
        assert_eq!((stats.by_consumer["2"], stats.by_practice["A"]), (2, 2));
        assert!(!stats.by_consumer.contains_key("old"));
        assert_eq!(stats.last.as_deref(), Some("2026-11-23T09:20:00"));
        let text = stats.text(1);
        assert!(text.contains("70") && !text.contains("no_agreement"), "{text}");
    }
}
