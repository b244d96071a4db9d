//! `audit search`: finds records for people and for programs.

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use gpconnect::interaction::InteractionId;

use super::{
    forms::Form,
    index::{self, IndexPlace},
    shown::{Access, Fault, Reading, Why, ended},
};
use crate::{
    audit::{
        keys::{SearchKey, Subject, secret},
        search::{self, ALLOWED, Index, Member, Query, REFUSED, Walked},
    },
    cli::{
        Ended,
        moment::Span,
        output::{complain, print},
    },
};

/// Find records of the journal.
///
/// All that is asked for must be so, of an intent and its outcome together: what the one does not
/// say the other may. A search by patient or user needs the journal's search key: their hashes are
/// what is compared, and no private key is needed.
///
/// An index beside the journal is made and kept up to date, so that searches are quick; records that
/// it does not know yet are read. A journal may be searched while it is written.
///
/// Exit code: 0 when there are such records, 1 when there are none, 2 when it can't be searched.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct SearchArguments {
    /// The journal's folder.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The private key of somebody to whom the journal is sealed: shows patients and users too.
    #[arg(long, value_name = "FILE")]
    reader_key: Option<PathBuf>,
    /// The form: a table, or one record, access or FHIR AuditEvent a line.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    subjects: Subjects,
    /// At most so many, the first ones; an intent and its outcome count as one.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    limit: usize,
    #[command(flatten)]
    index: IndexPlace,
    /// Read all records, without an index.
    #[arg(long, conflicts_with = "index")]
    no_index: bool,
    #[command(flatten)]
    why: Why,
}

/// What stands in records as it is.
#[derive(Debug, Args)]
struct Terms {
    /// The practice, by its ODS code.
    #[arg(long, value_name = "ODS")]
    practice: Option<String>,
    /// The consumer system, by its ASID.
    #[arg(long, value_name = "ASID")]
    consumer: Option<String>,
    /// The organisation of the consumer system, by its ODS code.
    #[arg(long, value_name = "ODS")]
    organisation: Option<String>,
    /// The interaction, by its id, with or without urn:nhs:names:services:gpconnect:.
    #[arg(long, value_name = "ID")]
    interaction: Option<String>,
    /// The kind of record: intent, outcome, refusal, refusals, start, stop, reload and others.
    #[arg(long)]
    kind: Option<String>,
    /// Whether the request was let pass.
    #[arg(long, value_enum)]
    decision: Option<Decision>,
    /// How it ended, in the word of the record: good, slow, refused, failed and others.
    #[arg(long, value_name = "WORD")]
    result: Option<String>,
    /// The HTTP status of the answer.
    #[arg(long, value_name = "CODE")]
    status: Option<u16>,
    /// The word for what went wrong.
    #[arg(long, value_name = "WORD")]
    fault: Option<String>,
    /// The trace id.
    #[arg(long, value_name = "UUID")]
    trace_id: Option<String>,
}

/// What stands in records as a keyed hash.
#[derive(Debug, Args)]
struct Subjects {
    /// A patient that query or body names, also where it was asked for by an id that an answer told.
    #[arg(long, value_name = "NUMBER", requires = "search_key")]
    nhs_number: Option<String>,
    /// A resource that the path names: service root, "/", type, "/", logical id.
    #[arg(long, value_name = "URL", requires = "search_key")]
    resource: Option<String>,
    /// A user, by the sub of the token.
    #[arg(long, value_name = "SUB", requires = "search_key")]
    user: Option<String>,
    /// The file of the journal's search key; once more for each that it had before.
    #[arg(long, value_name = "FILE")]
    search_key: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Decision {
    /// Let pass.
    Allowed,
    /// Not let pass.
    Refused,
}

const EXAMPLES: &str = "Examples, with A for the journal's folder:
  Who looked at this patient?
  gpconnect-gateway audit search A --nhs-number 9000000009 --search-key search.key --reader-key reader.key

  What did this system ask of this practice on that day?
  gpconnect-gateway audit search A --consumer 200000000359 --practice A20047 \\
      --since 2026-11-23T00:00:00Z --until 2026-11-23T23:59:59Z

  What was refused in the last hour, for a spreadsheet?
  gpconnect-gateway audit search A --decision refused --since -3600 -o csv > refused.csv

  Which requests did this practice not answer in time?
  gpconnect-gateway audit search A --practice A20047 --fault upstream_timeout

  A user's accesses for a FHIR server, an AuditEvent a line:
  gpconnect-gateway audit search A --user 10019 --search-key search.key --reader-key reader.key -o fhir-r4

  A copy that can't be written, with its index elsewhere:
  gpconnect-gateway audit search /mnt/copy --index ~/copy-index --trace-id 629ea9ba-a077-4d99-b289-7a9b19fd4e03
";

pub(super) fn search(arguments: &SearchArguments) -> Ended {
    ended(try_search(arguments))
}

fn try_search(arguments: &SearchArguments) -> Result<Ended, Fault> {
    let (since, until) = arguments.span.utc();
    let mut query = arguments.terms.query();
    query.between(since.as_deref(), until.as_deref());
    let hashes = arguments.subjects.hashes()?;
    arguments.announce(since, until)?;
    let folder = &arguments.folder;
    let index = if arguments.no_index { None } else { index::open(&arguments.index, folder) };
    for mut any in hashes {
        for (member, hash) in any.clone() {
            if member == Member::NhsNumber {
                let told = search::resources_of(folder, index.as_ref(), &hash);
                let (resources, walked) = told.map_err(|fault| unreadable(folder, &fault))?;
                tell(&walked, false);
                any.extend(resources.into_iter().map(|hash| (Member::Resource, hash)));
            }
        }
        query.ask_any(any);
    }
    let found = find(arguments, index.as_ref(), &query);
    let (found, walked) = found.map_err(|fault| unreadable(folder, &fault))?;
    tell(&walked, true);
    if let (Some(_), Some(index)) = (&walked.damaged, index) {
        index.remove().map_err(|fault| format!("the index can't be removed: {fault}"))?;
    }
    if found.len() >= arguments.limit {
        let count = found.len();
        complain(format!("Only the first {count} are shown; --limit says how many."));
    }
    let end = if found.is_empty() { Ended::No } else { Ended::Done };
    Ok(print(arguments.output.text(&found)?.as_bytes(), end))
}

impl SearchArguments {
    /// Has the gateway put down what is looked for.
    fn announce(&self, since: Option<String>, until: Option<String>) -> Result<(), Fault> {
        let (terms, subjects) = (&self.terms, &self.subjects);
        let told = [
            ("since", since),
            ("until", until),
            ("practice", terms.practice.clone()),
            ("consumer", terms.consumer.clone()),
            ("organisation", terms.organisation.clone()),
            ("interaction", terms.interaction.clone()),
            ("kind", terms.kind.clone()),
            ("decision", terms.decision.map(|decision| decision.word().to_owned())),
            ("result", terms.result.clone()),
            ("status", terms.status.map(|status| status.to_string())),
            ("fault", terms.fault.clone()),
            ("trace_id", terms.trace_id.clone()),
            ("nhs_number", subjects.nhs_number.clone()),
            ("resource", subjects.resource.clone()),
            ("user", subjects.user.clone()),
        ];
        self.why.announce(&self.folder, "search", self.reader_key.is_some(), told)
    }
}

impl Decision {
    const fn word(self) -> &'static str {
        match self {
            Self::Allowed => ALLOWED,
            Self::Refused => REFUSED,
        }
    }
}

fn unreadable(folder: &Path, fault: &io::Error) -> Fault {
    format!("{}: {fault}", folder.display())
}

/// What is found, in the order of the journal.
fn find(
    arguments: &SearchArguments,
    index: Option<&Index>,
    query: &Query,
) -> io::Result<(Vec<Access>, Walked)> {
    let reading = Reading::new(arguments.reader_key.as_deref());
    let mut reading = reading.map_err(io::Error::other)?;
    let mut found = Vec::new();
    let walked = search::walk(&arguments.folder, index, query, &mut |first, outcome| {
        let mut read = |found: &search::Found| reading.read(found).map_err(io::Error::other);
        let outcome = outcome.as_ref().map(&mut read).transpose()?;
        found.push(Access { first: read(&first)?, outcome });
        Ok(found.len() < arguments.limit)
    })?;
    found.sort_by_key(|access| access.first.place);
    Ok((found, walked))
}

/// Says what could not be read.
fn tell(walked: &Walked, with_lost: bool) {
    for lost in walked.lost.iter().filter(|_| with_lost) {
        complain(format!("Records from {} on can't be read: {}", lost.from, lost.why));
    }
    if walked.unreadable > 0 && with_lost {
        let count = walked.unreadable;
        complain(format!("{count} lines are no records: audit verify names them."));
    }
    if let Some(fault) = &walked.damaged {
        complain(format!("The index: {fault}. All records were read; it is made anew."));
    }
}

impl Terms {
    fn query(&self) -> Query {
        let interaction = self.interaction.as_deref();
        let short = interaction.and_then(InteractionId::from_name).map(InteractionId::short);
        let status = self.status.map(|status| status.to_string());
        let decision = self.decision.map(Decision::word);
        let mut query = Query::default();
        for (member, value) in [
            (Member::Practice, self.practice.as_deref()),
            (Member::Consumer, self.consumer.as_deref()),
            (Member::Organisation, self.organisation.as_deref()),
            (Member::Interaction, short.or(interaction)),
            (Member::Kind, self.kind.as_deref()),
            (Member::Decision, decision),
            (Member::Result, self.result.as_deref()),
            (Member::Status, status.as_deref()),
            (Member::Fault, self.fault.as_deref()),
            (Member::TraceId, self.trace_id.as_deref()),
        ] {
            value.iter().for_each(|value| query.ask(member, value));
        }
        query
    }
}

impl Subjects {
    /// The hashes of what is asked for, by each of the search keys. They are made here: nothing else
    /// is compared.
    fn hashes(&self) -> Result<Vec<Vec<(Member, String)>>, Fault> {
        let keys = self.search_key.iter().map(|path| search_key(path));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let number = self.nhs_number.as_ref().map(|number| number.replace([' ', '-'], ""));
        let asked = [
            (Member::NhsNumber, Subject::NhsNumber, number.as_deref()),
            (Member::Resource, Subject::Resource, self.resource.as_deref()),
            (Member::User, Subject::User, self.user.as_deref()),
        ];
        let hashes = asked.into_iter().filter_map(|(member, subject, text)| {
            let text = text?;
            Some(keys.iter().map(|key| (member, key.hash(subject, &[text]))).collect())
        });
        Ok(hashes.collect())
    }
}

fn search_key(path: &Path) -> Result<SearchKey, Fault> {
    let unusable = |why: String| format!("{} {why}", path.display());
    let text = secret(path).map_err(unusable)?;
    SearchKey::read(&text).ok_or_else(|| unusable("holds no search key".into()))
}
