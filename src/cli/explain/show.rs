//! The explanation as text, for whoever has to mend the request.

use super::report::{
    Answer, Certificate, CheckFound, Explained, Fault, Forward, Issue, List, Name, Origin,
    StageFound, Verdict,
};
use super::sections::subject;
use crate::cli::output::{Paint, counted, printable};

/// Where long sentences are broken.
const WIDTH: usize = 100;
/// Where the last column of a table is broken.
const WIDEST: usize = 120;

/// Writes the text.
pub(super) struct View {
    pub(super) paint: Paint,
    /// Whether the whole body of a refusal is shown.
    pub(super) body: bool,
    /// Whether the checks are left out, so that only faults and the end are shown.
    pub(super) quiet: bool,
}

impl View {
    /// All of it.
    pub(super) fn text(&self, explained: &Explained) -> String {
        let mut text = self.heading(explained);
        for stage in explained.stages.iter().filter(|_| !self.quiet) {
            text.push_str(&self.stage(stage));
        }
        text.push_str(&self.faults(&explained.faults));
        if let Some(answer) = &explained.answer {
            text.push_str(&self.answer(answer, &explained.faults));
        }
        if let Some(forward) = &explained.forward {
            text.push_str(&self.forward(forward));
        }
        text.push_str(&self.verdict(explained));
        printable(&text.replace('\u{1b}', ESCAPE)).replace(ESCAPE, "\u{1b}")
    }

    fn heading(&self, explained: &Explained) -> String {
        let asked = &explained.request;
        let line = format!("{} {}", asked.method, asked.target);
        let caller = &explained.caller;
        let mut rows = vec![("request", self.paint.strong(&line)), ("from", asked.from.clone())];
        rows.extend(asked.notes.iter().map(|note| ("note", self.paint.caution(&wrapped(note, 9)))));
        if let Some(certificate) = &caller.certificate {
            rows.extend(proof(certificate));
        }
        for system in &caller.systems {
            let (asid, code, mode) = (&system.asid, &system.ods_code, system.mode);
            let line = format!("{asid}, {code} {}, {mode}", system.organisation);
            rows.push(("caller", line));
        }
        rows.push(("", format!("({}, at listener {})", caller.because, caller.listener)));
        rows.push(("judged", format!("at {} by {}", explained.at, explained.config)));
        rows.into_iter().map(|(name, value)| format!("{name:<8} {value}\n")).collect()
    }

    fn stage(&self, stage: &StageFound) -> String {
        let mut text = format!("\n{:>2} {}\n", stage.number, self.paint.strong(stage.name));
        let mut checks = stage.checks.iter().peekable();
        while let Some(check) = checks.next() {
            // What did not run for one reason stands in one line.
            let alike = |next: &&&CheckFound| {
                let skipped =
                    matches!(check.verdict, Verdict::NotRun | Verdict::NotNeeded | Verdict::Live);
                skipped && (next.verdict, &next.found) == (check.verdict, &check.found)
            };
            let mut names = vec![check.check.name()];
            while let Some(next) = checks.next_if(|next| alike(&next)) {
                names.push(next.check.name());
            }
            text.push_str(&if names.len() > 1 {
                self.skipped(check, &names)
            } else {
                self.row(check)
            });
        }
        if stage.ends_here {
            text.push_str(
                "   The gateway ends here. What follows is what it would find next.
",
            );
        }
        text
    }

    fn row(&self, check: &CheckFound) -> String {
        // Those of one check follow each other.
        let ends = check.faults.first().zip(check.faults.last());
        let refers = ends.map(|(first, last)| numbers(*first, *last));
        let found = match (check.found.as_str(), refers) {
            ("", None) => check.looks_at.to_owned(),
            (found, None) => found.to_owned(),
            ("", Some(numbers)) => format!("see {numbers} below"),
            (found, Some(numbers)) => format!("{found}: see {numbers} below"),
        };
        let name = check.check.name();
        let verdict = self.painted(check.verdict);
        let found = broken(&found, 53, WIDEST);
        format!("   {verdict} {name:<23}  {:<14}  {found}\n", check.section)
    }

    fn skipped(&self, check: &CheckFound, names: &[&str]) -> String {
        let line = format!("{}: {}", names.join(", "), check.found);
        let verdict = self.painted(check.verdict);
        format!("   {verdict} {}\n", wrapped(&line, 12))
    }

    fn painted(&self, verdict: Verdict) -> String {
        let word = format!("{:<8}", verdict.as_str());
        match verdict {
            Verdict::Pass => self.paint.good(&word),
            Verdict::Fail => self.paint.bad(&word),
            Verdict::Reported => self.paint.caution(&word),
            Verdict::NotRun | Verdict::NotNeeded | Verdict::Live => word,
        }
    }

    fn faults(&self, faults: &[Fault]) -> String {
        let (enforced, reported): (Vec<_>, Vec<_>) = faults.iter().partition(|it| it.enforced);
        let mut text = String::new();
        if !enforced.is_empty() {
            let count = counted(enforced.len(), "fault");
            let first = if enforced.len() > 1 { ", the first decides the answer" } else { "" };
            text.push_str(&format!("\n{}{first}\n", self.paint.bad(&format!("{count} to mend"))));
            text.extend(enforced.into_iter().map(|fault| self.fault(fault)));
        }
        if !reported.is_empty() {
            let count = counted(reported.len(), "fault");
            let title = format!("{count} let pass for now, to be mended too");
            text.push_str(&format!("\n{}\n", self.paint.caution(&title)));
            text.extend(reported.into_iter().map(|fault| self.fault(fault)));
        }
        text
    }

    fn fault(&self, fault: &Fault) -> String {
        let line = fault.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let until = fault.until.as_ref().map(|until| format!(", enforced from {until}"));
        let untold = if fault.told || !fault.enforced { "" } else { ", not told in the answer" };
        let says = wrapped(&format!("{line}{}", fault.says), 5);
        let mark = format!("{:>3}.", fault.number);
        let here = fault.here.as_ref().map(|here| format!("\n     Here: {}", wrapped(here, 11)));
        let reference = format!(
            "{}, {}, {} ({}){}{untold}",
            fault.fault,
            fault.status,
            fault.section,
            subject(fault.section),
            until.unwrap_or_default(),
        );
        format!(
            "{mark} {}\n     {}{}\n     {}\n",
            self.paint.strong(&says),
            wrapped(&fault.fix, 5),
            here.unwrap_or_default(),
            wrapped(&reference, 5),
        )
    }

    fn answer(&self, answer: &Answer, faults: &[Fault]) -> String {
        let mut text = String::from("\nThe gateway would answer\n");
        let status = format!("HTTP/1.1 {} {}", answer.status, answer.phrase);
        text.push_str(&format!("   {}\n", self.paint.bad(&status)));
        for (name, value) in &answer.headers {
            text.push_str(&format!("   {} {value}\n", self.paint.name(&format!("{name}:"))));
        }
        if self.body {
            // A body in XML is a text.
            let xml = answer.body.as_str().map(str::to_owned);
            let body = xml.unwrap_or_else(|| format!("{:#}", answer.body));
            text.extend(body.lines().map(|line| format!("   {line}\n")));
            return text;
        }
        let count = counted(answer.issues.len(), "issue");
        text.push_str(&format!("   OperationOutcome with {count} (--body prints it)\n"));
        text.push_str(&issues(&answer.issues, faults));
        text
    }

    fn forward(&self, forward: &Forward) -> String {
        let (upstream, address) = (&forward.upstream, &forward.address);
        let how = match forward.connection {
            "proxy" => "the next proxy",
            _ => "the practice's system",
        };
        let mut text = format!("\nThe gateway would forward to {upstream} ({how}) at {address}\n");
        let line = format!("{} {} HTTP/1.1", forward.method, forward.target);
        text.push_str(&format!("   {}\n", self.paint.good(&line)));
        for header in &forward.headers {
            let origin = match header.origin {
                Origin::Sent => String::new(),
                origin @ (Origin::FilledIn | Origin::Added | Origin::Changed) => {
                    format!("   <- {}", self.paint.caution(origin.as_str()))
                }
            };
            let name = self.paint.name(&format!("{}:", header.name));
            text.push_str(&format!("   {name} {}{origin}\n", header.value));
        }
        if forward.body_bytes > 0 {
            let bytes = counted(forward.body_bytes, "byte");
            text.push_str(&format!("   ({bytes} of body, as they were sent)\n"));
        }
        text
    }

    fn verdict(&self, explained: &Explained) -> String {
        let reported = explained.faults.iter().filter(|fault| !fault.enforced).count();
        let tail = match reported {
            0 => String::new(),
            many => format!(" {} only reported.", counted(many, "fault")),
        };
        let verdict = match &explained.answer {
            Some(answer) => {
                let many = explained.faults.len() - reported;
                let faults = counted(many, "fault");
                self.paint.bad(&format!("Refused with {}: {faults} to mend.", answer.status))
            }
            None if explained.fails_handshake => {
                self.paint.bad("Refused in the handshake, without an answer.")
            }
            None => self.paint.good("Would pass."),
        };
        format!("\n{verdict}{tail}\n")
    }
}

/// What was found out about a certificate, line by line.
fn proof(certificate: &Certificate) -> Vec<(&'static str, String)> {
    let Certificate { subject, issuer, serial, sha256, key, valid_from, valid_until, .. } =
        certificate;
    let mut lines = vec![
        format!("certificate {subject}, issued by {issuer}"),
        format!("key {key}; from {valid_from} until {valid_until}"),
        format!("serial number {serial}"),
        format!("SHA-256 {sha256}"),
    ];
    if let Some(until) = certificate.chain_until.as_ref().filter(|until| *until != valid_until) {
        lines.push(format!("an authority of it ends {until}"));
    }
    lines.extend(certificate.names.iter().map(|Name { name, registered }| {
        let systems =
            if registered.is_empty() { "no system".into() } else { registered.join(", ") };
        format!("names {name}, which {systems} is registered with")
    }));
    lines.extend(certificate.lists.iter().map(|List { issuer, until, fresh }| {
        let note = if *fresh { "" } else { ": has run out, and counts for what it lists" };
        format!("revocation list of {issuer}, until {until}{note}")
    }));
    let labels = ["shows"].into_iter().chain(std::iter::repeat(""));
    labels.zip(lines).collect()
}

/// The issues; those that say what a fault above says are named by its number.
fn issues(issues: &[Issue], faults: &[Fault]) -> String {
    let says_the_same = |issue: &Issue| {
        faults.iter().any(|it| Some(it.number) == issue.fault && it.says == issue.diagnostics)
    };
    let mut text = String::new();
    let mut rest = issues.iter().peekable();
    while let Some(issue) = rest.next() {
        let kind = format!("{} {}", issue.code, issue.details);
        let Some(first) = issue.fault.filter(|_| says_the_same(issue)) else {
            let line = format!("{kind}: {}", issue.diagnostics);
            text.push_str(&format!("   - {}\n", wrapped(&line, 5)));
            continue;
        };
        let mut last = first;
        let follows = |next: &Issue, last: usize| {
            (next.code, &next.details) == (issue.code, &issue.details)
                && next.fault == Some(last + 1)
                && says_the_same(next)
        };
        while rest.next_if(|next| follows(next, last)).is_some() {
            last += 1;
        }
        text.push_str(&format!("   - {kind}: as {} above\n", numbers(first, last)));
    }
    text
}

/// The numbers from `first` to `last`.
fn numbers(first: usize, last: usize) -> String {
    match last - first {
        0 => first.to_string(),
        1 => format!("{first} and {last}"),
        _ => format!("{first} to {last}"),
    }
}

/// Stands for the escape of our own colours while foreign ones are removed.
const ESCAPE: &str = "\u{e000}";

/// `text` broken into lines; those behind the first begin with `indent` blanks.
fn wrapped(text: &str, indent: usize) -> String {
    broken(text, indent, WIDTH)
}

fn broken(text: &str, indent: usize, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if indent + line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}
