//! `check`: everything that `serve` would load, and everything that is wrong with it.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;

use super::{
    Ended, audit,
    output::{Output, Paint, complain, counted, print, print_json, printable},
};
use crate::{
    config::{Environment, Finding, Mistakes, Warnings},
    snapshot::{self, Check},
};

/// Check the configuration without starting anything.
///
/// Reads gateway.toml, the files that it names, what was switched off while a gateway ran, and the
/// environment, as serve would, and prints each mistake, then each warning: file, line, key, what is wrong and what to do.
///
/// Exit code: 0 when the configuration can be used, 1 when it has mistakes, 2 when the file can't
/// be opened.
///
/// Example: gpconnect-gateway check --config /etc/gpconnect-gateway/gateway.toml
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The form of the findings.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    let check = match load(&arguments.config) {
        Ok(check) => with_files(&arguments.config, check),
        Err(fault) => return unopened(&arguments.config, &fault),
    };
    let ended = ended(&check);
    match arguments.output {
        Output::Human => {
            print(text(&arguments.config, &check, Paint::of_stdout()).as_bytes(), ended)
        }
        Output::Json => print_json(&Report::of(&arguments.config, &check), ended),
    }
}

/// Checks the configuration at `path` with the environment of this process.
///
/// # Errors
/// When the file can't be opened: then there is nothing to check.
pub(super) fn load(path: &Path) -> io::Result<Check> {
    // A folder can be opened; only reading shows that it is none.
    File::open(path)?.take(1).read_to_end(&mut Vec::new())?;
    Ok(snapshot::check(path, &Environment::new(std::env::vars_os())))
}

/// The same with what is wrong with the keys of the journal, and with what was switched off.
fn with_files(path: &Path, mut check: Check) -> Check {
    if let Some(snapshot) = check.snapshot.take() {
        let (mut mistakes, warnings) = audit::findings(path, &snapshot.startup.audit);
        mistakes.extend(snapshot::kept_switches(path, &snapshot).err());
        check.snapshot = mistakes.is_empty().then_some(snapshot);
        check.mistakes.extend(mistakes);
        check.warnings.extend(warnings);
    }
    check
}

/// Ends a command whose configuration can't be opened.
pub(super) fn unopened(path: &Path, fault: &io::Error) -> Ended {
    complain(format!("{}: {fault}; name the gateway.toml with --config", path.display()));
    Ended::Unable
}

/// Whether the configuration can be used.
pub(super) const fn ended(check: &Check) -> Ended {
    if check.snapshot.is_some() { Ended::Done } else { Ended::No }
}

/// The findings and a closing line.
pub(super) fn text(path: &Path, check: &Check, paint: Paint) -> String {
    let mut text: String =
        check.mistakes.iter().map(|mistake| line(mistake, |place| paint.bad(place))).collect();
    if !check.warnings.is_empty() {
        if !check.mistakes.is_empty() {
            text.push('\n');
        }
        text.push_str("Warnings:\n");
        text.extend(check.warnings.iter().map(|it| line(it, |place| paint.caution(place))));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&closing(path, check, paint));
    text
}

/// The finding in its usual form, its place coloured.
fn line(finding: &Finding, place: impl Fn(&str) -> String) -> String {
    let finding = printable(&finding.to_string());
    match finding.split_once(": ") {
        Some((before, behind)) => format!("{} {behind}\n", place(&format!("{before}:"))),
        None => format!("{finding}\n"),
    }
}

fn closing(path: &Path, check: &Check, paint: Paint) -> String {
    let mistakes = counted(check.mistakes.len(), "mistake");
    let warnings = counted(check.warnings.len(), "warning");
    let verdict = match check.snapshot {
        Some(_) => paint.good("can be used"),
        None => paint.bad("can't be used"),
    };
    format!("{} {verdict}: {mistakes}, {warnings}\n", path.display())
}

/// What `-o json` prints.
#[derive(Serialize)]
pub(super) struct Report<'c> {
    config: String,
    usable: bool,
    mistakes: &'c Mistakes,
    warnings: &'c Warnings,
}

impl<'c> Report<'c> {
    pub(super) fn of(path: &Path, check: &'c Check) -> Self {
        Self {
            config: path.display().to_string(),
            usable: check.snapshot.is_some(),
            mistakes: &check.mistakes,
            warnings: &check.warnings,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn case(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/cases/config")
            .join(name)
            .join("gateway.toml")
    }

    #[test]
    fn each_mistake_is_a_line_with_its_place() {
        let path = case("unknown-keys");
        let check = load(&path).unwrap();
        let text = text(&path, &check, Paint::NONE);
        let place = format!("{}:", path.display());
        for mistake in check.mistakes.iter() {
            assert!(text.contains(&format!("{mistake}\n")), "{mistake}");
        }
        assert!(text.starts_with(&place), "{text}");
        assert!(text.contains("did you mean"), "{text}");
        let counts = format!("can't be used: {}", counted(check.mistakes.len(), "mistake"));
        assert!(text.contains(&counts), "{text}");
        assert_eq!(ended(&check), Ended::No);
    }

    #[test]
    fn a_good_configuration_says_so() {
        let path = case("good");
        let check = load(&path).unwrap();
        assert_eq!(ended(&check), Ended::Done);
        let text = text(&path, &check, Paint::NONE);
        assert!(text.contains("can be used: 0 mistakes"), "{text}");
        let json = serde_json::to_value(Report::of(&path, &check)).unwrap();
        assert_eq!(json["usable"], true);
        assert_eq!(json["mistakes"].as_array().unwrap().len(), 0);
    }

    #[test]
    fn what_can_t_be_opened_is_no_mistake() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load(&folder.path().join("missing.toml")).is_err());
        assert!(load(folder.path()).is_err());
        let empty = folder.path().join("gateway.toml");
        fs::write(&empty, "").unwrap();
        assert_eq!(ended(&load(&empty).unwrap()), Ended::No);
    }
}
