//! The table of all checks in Markdown: docs/decisions.md is what this writes.

use std::fmt::Write as _;

use gpconnect::{
    contract::{Check, Claim, Header, Stage},
    rejection::{Reason, examples},
    token::fault::ClaimFault,
};

use super::sections::SECTIONS;

const BEFORE: &str = "\
# How a request is decided

A request goes through the stages below in their order. Each check looks at one thing. When several
things are wrong, the first fault in the order of these tables decides the status; its issue stands
first in the OperationOutcome. Faults of the head, the headers, the interaction and the token follow
as further issues, so that a supplier can mend all of them at once: those of stages 1, 3, 4 and 7.

- **Status and fault**: what the caller gets, and the stable word that metrics and log lines carry.
- **Report-only**: whether a consumer can be let off the check for a while, with an owner and a date.
  Its faults are then counted and logged, and the request passes.
- **Section**: the part of the GP Connect 1.2.7 specification that it follows, by the numbers that the
  code cites; what they are about stands at the end.

`gpconnect-gateway explain --config gateway.toml request.http` takes one request through all of it.

This page is generated: `gpconnect-gateway explain --checks > docs/decisions.md`.
";

const SUBJECTS: &str = "
## Sections

| section | about |
| --- | --- |
";

/// The whole page.
pub(super) fn markdown() -> String {
    let mut text = String::from(BEFORE);
    let reasons = reasons();
    for stage in Stage::ALL {
        let checks: Vec<_> =
            Check::ALL.iter().copied().filter(|check| check.stage() == stage).collect();
        if checks.is_empty() {
            continue;
        }
        // Writing into a text does not fail.
        write!(text, "\n## {} {}\n\n{COLUMNS}", stage.number(), stage.name()).unwrap_or_default();
        for check in checks {
            text.push_str(&row(check, &reasons));
        }
    }
    text.push_str(SUBJECTS);
    text.extend(SECTIONS.iter().map(|(number, about)| format!("| {number} | {about} |\n")));
    text
}

const COLUMNS: &str = "\
| check | looks at | status and fault | report-only | section |
| --- | --- | --- | --- | --- |
";

fn row(check: Check, reasons: &[Reason]) -> String {
    let mut faults: Vec<_> = reasons
        .iter()
        .filter(|reason| reason.check() == check)
        .map(|reason| format!("{} `{}`", reason.status(), reason.word()))
        .collect();
    faults.dedup();
    format!(
        "| `{}` | {} | {} | {} | {} |\n",
        check.name(),
        check.looks_at().replace('|', "\\|"),
        faults.join(", "),
        if check.may_be_reported_only() { "yes" } else { "no" },
        check.section()
    )
}

/// An example of every reason, and of those that belong to several checks one for each.
fn reasons() -> Vec<Reason> {
    const HEADERS: [Header; 5] =
        [Header::TraceId, Header::From, Header::To, Header::InteractionId, Header::IfMatch];
    let mut all = examples();
    for header in HEADERS {
        all.push(Reason::HeaderMissing(header));
        all.push(Reason::HeaderInvalid { header, length: 1, expected: "" });
    }
    all.push(Reason::HeaderMissing(Header::Host));
    all.push(Reason::HeaderMissing(Header::Authorization));
    // One fault stands for all that a value can have; of these two others are told.
    let others = [Claim::RequestedScope, Claim::RequestedRecord];
    let simple = Claim::ALL.into_iter().filter(|claim| !others.contains(claim));
    let fault = ClaimFault::NotThePractitioner;
    all.extend(simple.map(|claim| Reason::ClaimInvalid { claim, fault }));
    all.sort_by_key(|reason| (reason.check(), reason.word()));
    all
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn the_page_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/decisions.md");
        let page = fs::read_to_string(path).unwrap_or_default();
        assert!(
            page == markdown(),
            "docs/decisions.md is not current; write it anew: \
             cargo run -- explain --checks > docs/decisions.md"
        );
    }

    #[test]
    fn every_check_and_every_reason_stands_in_it() {
        let page = markdown();
        for check in Check::ALL {
            let row = format!("| `{}` |", check.name());
            assert_eq!(page.matches(&row).count(), 1, "{}", check.name());
        }
        let refusing: BTreeSet<_> = reasons().iter().map(Reason::check).collect();
        assert_eq!(refusing.len(), Check::ALL.len(), "a check without a fault of its own");
        for reason in examples() {
            assert!(page.contains(&format!("`{}`", reason.word())), "{}", reason.word());
        }
    }
}
