//! A decision as the journal has it: `explain --trace-id`.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use gpconnect::{
    contract::{Check, Stage},
    rejection::{Reason, examples},
};
use serde::Serialize;
use serde_json::Value;

use super::{
    index::{self, IndexPlace},
    shown::{Access, Fault, Found, Reading, Why, ended},
};
use crate::{
    audit::search::{self, Member, Query},
    cli::{
        Ended,
        output::{Output, Paint, complain, print, print_json, printable},
    },
};

/// What is asked.
pub(in crate::cli) struct Asked<'a> {
    pub(in crate::cli) journal: &'a Path,
    pub(in crate::cli) trace_id: &'a str,
    pub(in crate::cli) reader_key: Option<&'a Path>,
    pub(in crate::cli) output: Output,
}

/// Explains every request on record that has the trace id.
pub(in crate::cli) fn explain(asked: &Asked<'_>) -> Ended {
    ended(try_explain(asked))
}

fn try_explain(asked: &Asked<'_>) -> Result<Ended, Fault> {
    let mut query = Query::default();
    query.ask(Member::TraceId, asked.trace_id);
    let unreadable = |fault: std::io::Error| format!("{}: {fault}", asked.journal.display());
    let told = [("trace_id", Some(asked.trace_id.to_owned()))];
    Why::default().announce(asked.journal, "explain", asked.reader_key.is_some(), told)?;
    let index = index::open(&IndexPlace::default(), asked.journal);
    let mut reading = Reading::new(asked.reader_key)?;
    let mut found = Vec::new();
    let walked = search::walk(asked.journal, index.as_ref(), &query, &mut |first, outcome| {
        let mut read = |found: &search::Found| reading.read(found).map_err(std::io::Error::other);
        let outcome = outcome.as_ref().map(&mut read).transpose()?;
        found.push(Access { first: read(&first)?, outcome });
        Ok(true)
    });
    for lost in walked.map_err(unreadable)?.lost {
        complain(format!("Records from {} on can't be read: {}", lost.from, lost.why));
    }
    found.sort_by_key(|access| access.first.place);
    if found.is_empty() {
        complain(format!("{}: no record has this trace id", asked.trace_id));
        return Ok(Ended::No);
    }
    let explained: Vec<_> = found.iter().map(Recorded::of).collect();
    let paint = Paint::of_stdout();
    Ok(match asked.output {
        Output::Human => {
            let texts: Vec<_> = explained.iter().map(|recorded| recorded.text(paint)).collect();
            print(texts.join("\n").as_bytes(), Ended::Done)
        }
        Output::Json => print_json(&explained, Ended::Done),
    })
}

/// One request, and what became of it.
#[derive(Serialize)]
struct Recorded<'f> {
    trace_id: &'f str,
    /// Whether it was let pass; null when only its outcome is on record.
    allowed: Option<bool>,
    /// The stages of the decision that it passed.
    passed: Vec<&'static str>,
    /// The stage that ended it.
    ended_at: Option<&'static str>,
    faults: Vec<Explanation>,
    reported: Vec<Explanation>,
    record: Value,
    outcome: Option<Value>,
    #[serde(skip)]
    access: &'f Access,
}

/// What a fault means.
#[derive(Serialize)]
struct Explanation {
    /// The word for the fault, or the check's name.
    name: String,
    /// Which check finds it, what that looks at, and where the specification says so.
    checks: Vec<(&'static str, &'static str, &'static str)>,
    /// What the sender does about it.
    advice: Vec<String>,
    #[serde(skip)]
    stage: Option<Stage>,
}

impl Explanation {
    /// Of the word for a fault: several checks may share one.
    fn of_fault(word: &str) -> Self {
        let reasons: Vec<Reason> =
            examples().into_iter().filter(|reason| reason.word() == word).collect();
        let mut checks: Vec<Check> = reasons.iter().map(Reason::check).collect();
        checks.dedup();
        let advice: BTreeSet<_> = reasons.iter().map(|reason| reason.fix().into_owned()).collect();
        Self {
            name: word.to_owned(),
            stage: checks.first().map(|check| check.stage()),
            checks: checks.into_iter().map(described).collect(),
            advice: advice.into_iter().collect(),
        }
    }

    fn of_check(name: &str) -> Self {
        let check = Check::from_name(name);
        let advice: BTreeSet<_> = examples()
            .iter()
            .filter(|reason| reason.check().name() == name)
            .map(|reason| reason.fix().into_owned())
            .collect();
        Self {
            name: name.to_owned(),
            stage: check.map(Check::stage),
            checks: check.into_iter().map(described).collect(),
            advice: advice.into_iter().collect(),
        }
    }
}

const fn described(check: Check) -> (&'static str, &'static str, &'static str) {
    (check.name(), check.looks_at(), check.section())
}

impl<'f> Recorded<'f> {
    fn of(access: &'f Access) -> Self {
        let first = &access.first;
        let allowed = match first.text("kind") {
            "intent" => Some(true),
            "refusal" => Some(false),
            _ => None,
        };
        let fault = access.end().map(|end| end.text("fault")).filter(|word| !word.is_empty());
        let faults: Vec<_> = fault.into_iter().map(Explanation::of_fault).collect();
        let stage = faults.first().and_then(|fault| fault.stage);
        let ended_at = stage.filter(|_| allowed == Some(false));
        let is_passed = |stage: &Stage| match (allowed, ended_at) {
            (Some(true), _) => stage.number() <= AUDIT,
            (Some(false), Some(end)) => stage.number() < end.number(),
            _ => false,
        };
        let passed = Stage::ALL.into_iter().filter(is_passed).map(Stage::name).collect();
        let reported = first.record.get("reported").and_then(Value::as_array);
        let reported = reported.into_iter().flatten().filter_map(Value::as_str);
        Self {
            trace_id: first.text("trace_id"),
            allowed,
            passed,
            ended_at: ended_at.map(Stage::name),
            faults,
            reported: reported.map(Explanation::of_check).collect(),
            record: first.whole(),
            outcome: access.outcome.as_ref().map(Found::whole),
            access,
        }
    }

    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for (name, value) in self.rows(paint) {
            if !value.is_empty() {
                // Writing into a text does not fail.
                writeln!(text, "{name:<12} {value}").unwrap_or_default();
            }
        }
        for (title, explained) in [("fault", &self.faults), ("let off", &self.reported)] {
            for fault in explained {
                writeln!(text, "{title:<12} {}", printable(&fault.name)).unwrap_or_default();
                for (check, looks_at, section) in &fault.checks {
                    writeln!(text, "{:<12} {check}: {looks_at} ({section})", "")
                        .unwrap_or_default();
                }
                for advice in &fault.advice {
                    writeln!(text, "{:<12} {} {advice}", "", paint.name("to do:"))
                        .unwrap_or_default();
                }
            }
        }
        text
    }

    fn rows(&self, paint: Paint) -> Vec<(&'static str, String)> {
        let first = &self.access.first;
        let decided = match self.allowed {
            Some(true) => paint.good("let pass"),
            Some(false) => paint.bad("refused"),
            None => paint.caution("only the outcome is on record"),
        };
        let generation = first.record.get("generation").map(|number| {
            let age = first.record.get("directory_age_s").map(ToString::to_string);
            format!(
                " by configuration {number}, with a directory {} s old",
                age.unwrap_or_default()
            )
        });
        let records = self.access.records().map(|found| found.place.to_string());
        let stages = match self.ended_at {
            Some(stage) => format!("{}; {} at {stage}", self.passed.join(", "), paint.bad("ended")),
            None => self.passed.join(", "),
        };
        vec![
            ("trace id", paint.strong(&printable(self.trace_id))),
            ("on record", records.collect::<Vec<_>>().join(" and ")),
            ("time", printable(first.text("time"))),
            ("who", printable(&who(first))),
            ("by", printable(&by(first))),
            ("of", printable(&of(first))),
            ("asked", printable(&asked(first))),
            ("decided", decided + &generation.unwrap_or_default()),
            ("passed", stages),
            ("filled in", printable(&listed(first, "filled"))),
            ("ended", self.end(paint)),
        ]
    }

    fn end(&self, paint: Paint) -> String {
        let Some(end) = self.access.end() else {
            return paint.caution("no outcome is on record: under way, or its gateway was killed");
        };
        let number = |name: &str| {
            let number = end.record.get(name).filter(|number| number.is_number());
            number.map(ToString::to_string).unwrap_or_default()
        };
        let mut text = [number("status").as_str(), end.text("result")].join(" ");
        for (name, value) in [
            ("said by", end.text("origin").to_owned()),
            ("ms in all", number("duration_ms")),
            ("ms at the provider", number("upstream_ms")),
            ("bytes sent", number("sent_bytes")),
        ] {
            if !value.is_empty() {
                let part = if name == "said by" { [name, &value] } else { [&value, name] };
                text.push_str(", ");
                text.push_str(&part.join(" "));
            }
        }
        if !end.text("note").is_empty() {
            text.push_str("\n             ");
            text.push_str(end.text("note"));
        }
        printable(text.trim())
    }
}

/// The stage that an intent on record has passed.
const AUDIT: u8 = 10;

fn listed(found: &Found, name: &str) -> String {
    let all = found.record.get(name).and_then(Value::as_array);
    let all = all.into_iter().flatten().filter_map(Value::as_str);
    all.collect::<Vec<_>>().join(", ")
}

/// The person, for whoever may read that.
fn who(first: &Found) -> String {
    let of = |name: &str| first.sealed(&["user", name]);
    let parts = [first.name(), of("sub").to_owned(), of("sds_user_id").to_owned()];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    match (parts.is_empty(), first.opened.is_some()) {
        (false, _) => parts.join(", "),
        (true, true) => String::from("no user is named"),
        (true, false) => String::from("sealed: --reader-key opens it"),
    }
}

fn by(first: &Found) -> String {
    let certificate = first.record.get("certificate").and_then(|it| it.get("subject")?.as_str());
    let parts = [
        ("system ", first.text("consumer")),
        ("organisation ", first.text("organisation")),
        ("address ", first.text("client")),
        ("listener ", first.text("listener")),
        ("this gateway itself, to ", first.text("own")),
        ("certificate ", certificate.unwrap_or_default()),
    ];
    joined(&parts)
}

fn of(first: &Found) -> String {
    joined(&[
        ("practice ", first.text("practice")),
        ("system ", first.text("provider")),
        ("", first.text("service_root")),
    ])
}

fn asked(first: &Found) -> String {
    let numbers = first.numbers().join(", ");
    joined(&[
        ("", first.text("interaction")),
        ("", &[first.sealed(&["verb"]), first.sealed(&["path"])].join(" ")),
        ("patients: ", first.text("patients")),
        ("NHS number ", &numbers),
    ])
}

fn joined(parts: &[(&str, &str)]) -> String {
    let there = parts.iter().filter(|(_, value)| !value.trim().is_empty());
    there.map(|(name, value)| format!("{name}{value}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::audit::Place;

    fn found(seq: u64, record: Value) -> Found {
        Found { place: Place { epoch: 3, seq }, record, opened: None }
    }

    fn text(first: Value, outcome: Option<Value>) -> String {
        let outcome = outcome.map(|outcome| found(8, outcome));
        let access = Access { first: found(7, first), outcome };
        Recorded::of(&access).text(Paint::NONE)
    }

    #[test]
    fn a_refusal_names_its_stage_and_what_to_do() {
        let text = text(
            json!({"kind": "refusal", "fault": "no_agreement", "status": 403, "result": "refused",
                "consumer": "200000000359", "note": "said here"}),
            None,
        );
        for part in [
            "refused",
            "on record    3/7\n",
            "ended at agreement",
            "system 200000000359",
            "fault        no_agreement",
            "to do:",
            "said here",
            "sealed: --reader-key",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn an_access_says_what_became_of_it() {
        let intent = json!({"kind": "intent", "filled": ["Ssp-To"], "generation": 4,
            "directory_age_s": 61, "practice": "A20047", "reported": ["audience"]});
        let open = text(intent.clone(), None);
        assert!(open.contains("no outcome is on record"), "{open}");
        let outcome = json!({"kind": "outcome", "status": 504, "result": "failed",
            "fault": "upstream_timeout", "origin": "gateway", "duration_ms": 3000.5});
        let text = text(intent, Some(outcome));
        for part in [
            "let pass by configuration 4, with a directory 61 s old",
            "on record    3/7 and 3/8\n",
            "filled in    Ssp-To\n",
            "504 failed, said by gateway, 3000.5 ms in all",
            "fault        upstream_timeout",
            "let off      audience",
            "practice A20047",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn every_fault_has_a_check_and_advice() {
        for reason in examples() {
            let explained = Explanation::of_fault(reason.word());
            assert!(!explained.checks.is_empty() && !explained.advice.is_empty(), "{reason:?}");
        }
    }
}
