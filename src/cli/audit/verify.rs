//! `audit verify`: whether a journal is whole.

use std::{fs, path::PathBuf};

use clap::Args;

use super::verifiers;
use crate::{
    audit::verify::{Report, verify},
    cli::{
        Ended,
        output::{Output, Paint, complain, counted, print, print_json},
    },
};

/// Check that no record of a journal was changed, removed, moved or put there.
///
/// Needs the files and a public key, no configuration and no running gateway. What the owner of the
/// machine could do, such as putting an older copy back, shows only against checkpoints that had
/// left it: name them with --checkpoint.
///
/// Exit code: 0 when the journal is whole, 1 when it is not, 2 when it can't be read.
///
/// Example: gpconnect-gateway audit verify /var/lib/gpconnect-gateway/audit --key signing.pub
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The journal's folder.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The file with the public key that checkpoints are signed by; earlier ones on further lines.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A file with checkpoints that had left the machine. May be repeated.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// The form of the findings.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
}

pub(super) fn run(arguments: &Arguments) -> Ended {
    let report = match report(arguments) {
        Ok(report) => report,
        Err(fault) => {
            complain(fault);
            return Ended::Unable;
        }
    };
    let ended = if report.faults.is_empty() { Ended::Done } else { Ended::No };
    match arguments.output {
        Output::Human => print(text(&report, Paint::of_stdout()).as_bytes(), ended),
        Output::Json => print_json(&report, ended),
    }
}

fn report(arguments: &Arguments) -> Result<Report, String> {
    let keys = verifiers(&arguments.key)?;
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        let text = fs::read(path).map_err(|fault| format!("{name}: {fault}"))?;
        Ok((name, String::from_utf8_lossy(&text).into_owned()))
    };
    let foreign: Vec<_> = arguments.checkpoint.iter().map(read).collect::<Result<_, String>>()?;
    verify(&arguments.folder, &keys, &foreign)
        .map_err(|fault| format!("{}: {fault}", arguments.folder.display()))
}

fn text(report: &Report, paint: Paint) -> String {
    let mut text = String::new();
    for fault in &report.faults {
        text.push_str(&format!("{} {fault}\n", paint.bad("WRONG")));
    }
    for note in &report.notes {
        text.push_str(&format!("{} {note}\n", paint.caution("note")));
    }
    let verdict = match report.faults.len() {
        0 => paint.good("whole"),
        count => paint.bad(&format!("NOT whole: {}", counted(count, "fault"))),
    };
    let Report { records, covered, checkpoints, epochs, .. } = report;
    text.push_str(&format!(
        "The journal is {verdict}. Records: {records} in {epochs} epochs, {covered} covered by \
         {checkpoints} checkpoints that hold.\n"
    ));
    text
}
