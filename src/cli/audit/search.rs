//! `audit show`, `audit search` and `audit tail`: records for people and for programs.

use std::{
    collections::{HashSet, VecDeque},
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use clap::Args;
use serde_json::Value;

use super::announce::announce;
use crate::{
    audit::{
        Place,
        keys::{SearchKey, Subject, secret},
        read::{self, Opener},
        segment::Line,
    },
    cli::{
        Ended,
        admin::client::members,
        moment,
        output::{Output, Table, complain, print},
    },
};

/// Where the journal is, and how its records are shown.
#[derive(Debug, Args)]
struct Shown {
    /// The journal's folder.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The private key of somebody to whom the journal is sealed: shows patients and users too.
    #[arg(long, value_name = "FILE")]
    reader_key: Option<PathBuf>,
    /// The form of records; JSON has one a line.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
    /// Why, for the record that the gateway keeps of this: sealed, as what is looked for.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Shown {
    /// Has the gateway put down what is about to be read, before it is.
    fn announce<const N: usize>(
        &self,
        command: &str,
        terms: [(&'static str, Option<String>); N],
    ) -> Result<(), Fault> {
        let mut told = members(terms);
        if let Some(told) = told.as_object_mut() {
            told.insert(String::from("command"), command.into());
            told.insert(String::from("opens"), self.reader_key.is_some().into());
            told.extend(self.reason.clone().map(|reason| (String::from("reason"), reason.into())));
        }
        announce(&self.folder, &told)
    }
}

/// Show one record of the journal.
///
/// Exit code: 0 when it is there, 1 when it is not, 2 when the journal can't be read.
///
/// Example: gpconnect-gateway audit show /var/lib/gpconnect-gateway/audit 3/1204 --reader-key reader.key
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    shown: Shown,
    /// The record: its epoch and its number in it.
    #[arg(value_name = "EPOCH/SEQ")]
    place: Place,
}

/// Find records of the journal.
///
/// All that is asked for must be so; an intent that is found brings its outcome with it. A search by patient or user needs the journal's search key:
/// their hashes are what is compared, and no private key is needed. Reads all records.
///
/// Exit code: 0 when there are such records, 1 when there are none, 2 when it can't be searched.
///
/// Example: gpconnect-gateway audit search /var/lib/gpconnect-gateway/audit --nhs-number 9000000009 --search-key search.key
#[derive(Debug, Args)]
pub(crate) struct SearchArguments {
    #[command(flatten)]
    shown: Shown,
    /// From this moment on: seconds since 1970, -3600 seconds from now, or 2026-11-23T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = moment::check, allow_hyphen_values = true)]
    since: Option<String>,
    /// Until this moment.
    #[arg(long, value_name = "TIME", value_parser = moment::check, allow_hyphen_values = true)]
    until: Option<String>,
    /// The practice, by its ODS code.
    #[arg(long, value_name = "ODS")]
    practice: Option<String>,
    /// The consumer system, by its ASID.
    #[arg(long, value_name = "ASID")]
    consumer: Option<String>,
    /// The interaction, by its id as records have it.
    #[arg(long, value_name = "ID")]
    interaction: Option<String>,
    /// The kind of record: intent, outcome, refusal, refusals, start, stop, reload and others.
    #[arg(long)]
    kind: Option<String>,
    /// The word for what went wrong.
    #[arg(long)]
    fault: Option<String>,
    /// The trace id.
    #[arg(long, value_name = "UUID")]
    trace_id: Option<String>,
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
    /// At most so many, the first ones.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    limit: usize,
}

/// Show the last records of the journal.
///
/// Exit code: 0, or 2 when the journal can't be read.
///
/// Example: gpconnect-gateway audit tail /var/lib/gpconnect-gateway/audit --follow
#[derive(Debug, Args)]
pub(crate) struct TailArguments {
    #[command(flatten)]
    shown: Shown,
    /// How many.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    lines: usize,
    /// Wait for more.
    #[arg(short, long)]
    follow: bool,
}

/// A record that is to be shown.
struct Found {
    place: Place,
    record: Value,
    /// What is sealed in it, opened.
    opened: Option<Value>,
}

type Fault = String;

/// Where a journal begins.
const FIRST: Place = Place { epoch: 0, seq: 0 };

/// Calls `keep` with each record from `from` on, and gives those that it keeps, at most the last
/// `most`, until it says enough.
fn scan(
    shown: &Shown,
    from: Place,
    most: usize,
    mut keep: impl FnMut(&Line<'_>, &Value) -> Keep,
) -> Result<VecDeque<Found>, Fault> {
    let mut opener = shown.reader_key.as_deref().map(opener).transpose()?;
    let mut found = VecDeque::new();
    let each = |line: &Line<'_>, bytes: &[u8]| {
        if let Some(opener) = opener.as_mut().filter(|_| matches!(line.kind, "epoch" | "segment")) {
            opener.take_key(bytes);
        }
        if line.place < from {
            return Ok(true);
        }
        let record = serde_json::from_slice(bytes).map_err(io::Error::from)?;
        let keep = keep(line, &record);
        if keep != Keep::Not {
            let opened = opener.as_ref().and_then(|opener| opener.open(line.place, &record));
            found.push_back(Found { place: line.place, record, opened });
            if found.len() > most {
                found.pop_front();
            }
        }
        Ok(keep != Keep::Last)
    };
    let read = read::each_from(&shown.folder, from, each);
    for lost in read.map_err(|fault| format!("{}: {fault}", shown.folder.display()))? {
        complain(format!("Records from {} on can't be read: {}", lost.from, lost.why));
    }
    Ok(found)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Not,
    This,
    Last,
}

fn opener(path: &Path) -> Result<Opener, Fault> {
    let text = fs::read_to_string(path).map_err(|fault| format!("{}: {fault}", path.display()))?;
    let mut keys = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let key = keys.next().unwrap_or_default().parse();
    key.map(Opener::new).map_err(|fault| format!("{}: {fault}", path.display()))
}

fn ended(result: Result<Ended, Fault>) -> Ended {
    result.unwrap_or_else(|fault| {
        complain(fault);
        Ended::Unable
    })
}

pub(super) fn show(arguments: &ShowArguments) -> Ended {
    let this = |line: &Line<'_>, _: &Value| {
        if line.place == arguments.place { Keep::Last } else { Keep::Not }
    };
    let told = arguments.shown.announce("show", [("record", Some(arguments.place.to_string()))]);
    let found = told.and_then(|()| scan(&arguments.shown, arguments.place, 1, this));
    ended(found.map(|found| match found.front() {
        None => {
            complain(format!("{}: there is no such record", arguments.place));
            Ended::No
        }
        Some(found) if arguments.shown.output == Output::Human => {
            let text = serde_json::to_string_pretty(&whole(found)).unwrap_or_default();
            print(format!("{text}\n").as_bytes(), Ended::Done)
        }
        Some(_) => print(lines(&found).as_bytes(), Ended::Done),
    }))
}

pub(super) fn search(arguments: &SearchArguments) -> Ended {
    ended(try_search(arguments))
}

fn try_search(arguments: &SearchArguments) -> Result<Ended, Fault> {
    arguments.announce()?;
    let mut wanted = Wanted::of(arguments)?;
    wanted.learn(&arguments.shown)?;
    let mut count = 0;
    let mut intents = HashSet::new();
    let found = scan(&arguments.shown, FIRST, usize::MAX, |line, record| {
        let is_outcome = line.intent.is_some_and(|intent| intents.remove(&intent));
        if !is_outcome && !wanted.is(line, record) {
            return Keep::Not;
        }
        if line.kind == "intent" {
            intents.insert(line.place);
        }
        count += 1;
        if count < arguments.limit { Keep::This } else { Keep::Last }
    })?;
    if count >= arguments.limit {
        complain(format!("Only the first {count} are shown; --limit says how many."));
    }
    let end = if found.is_empty() { Ended::No } else { Ended::Done };
    Ok(print(written(&found, arguments.shown.output).as_bytes(), end))
}

impl SearchArguments {
    fn announce(&self) -> Result<(), Fault> {
        let now = moment::now();
        let time = |text: &Option<String>| moment::utc(moment::parse(text.as_deref()?, now)?);
        let terms = [
            ("since", time(&self.since)),
            ("until", time(&self.until)),
            ("practice", self.practice.clone()),
            ("consumer", self.consumer.clone()),
            ("interaction", self.interaction.clone()),
            ("kind", self.kind.clone()),
            ("fault", self.fault.clone()),
            ("trace_id", self.trace_id.clone()),
            ("nhs_number", self.nhs_number.clone()),
            ("resource", self.resource.clone()),
            ("user", self.user.clone()),
        ];
        self.shown.announce("search", terms)
    }
}

/// What must be so of a record.
struct Wanted<'a> {
    members: Vec<(&'static str, &'a str)>,
    /// What is asked for, by each of the search keys.
    hashes: Vec<(&'static str, Vec<String>)>,
    /// The hashes of what a patient's number stands for at practices.
    ids: HashSet<String>,
    since: Option<String>,
    until: Option<String>,
}

impl<'a> Wanted<'a> {
    fn of(arguments: &'a SearchArguments) -> Result<Self, Fault> {
        let members = [
            ("practice", &arguments.practice),
            ("consumer", &arguments.consumer),
            ("interaction", &arguments.interaction),
            ("kind", &arguments.kind),
            ("fault", &arguments.fault),
            ("trace_id", &arguments.trace_id),
        ];
        let members =
            members.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let number = arguments.nhs_number.as_ref().map(|number| number.replace([' ', '-'], ""));
        let subjects = [
            (Subject::NhsNumber, number.as_deref()),
            (Subject::Resource, arguments.resource.as_deref()),
            (Subject::User, arguments.user.as_deref()),
        ];
        let keys = arguments.search_key.iter().map(|path| search_key(path));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let asked = subjects.into_iter().filter_map(|(subject, text)| Some((subject, text?)));
        let hashes = asked.map(|(subject, text)| {
            (subject.word(), keys.iter().map(|key| key.hash(subject, &[text])).collect())
        });
        let hashes = hashes.collect();
        let now = moment::now();
        let time = |text: &Option<String>| moment::utc(moment::parse(text.as_deref()?, now)?);
        let (since, until) = (time(&arguments.since), time(&arguments.until));
        Ok(Self { members: members.collect(), hashes, ids: HashSet::new(), since, until })
    }

    /// Which ids the patient that is asked for has at practices, as answers told it: what was asked
    /// by these is to be found too.
    fn learn(&mut self, shown: &Shown) -> Result<(), Fault> {
        let number = Subject::NhsNumber.word();
        let Some((_, hashes)) = self.hashes.iter().find(|(name, _)| *name == number) else {
            return Ok(());
        };
        let member = |told: &Value, name: &str| Some(told.get(name)?.as_str()?.to_owned());
        let mut ids = HashSet::new();
        scan(shown, FIRST, 0, |line, record| {
            let learned = (line.kind == "outcome").then(|| record.get("learned")).flatten();
            let learned = learned.and_then(Value::as_array).into_iter().flatten();
            let same = |told: &&Value| member(told, number).is_some_and(|it| hashes.contains(&it));
            let same = learned.filter(same);
            ids.extend(same.filter_map(|told| member(told, Subject::Resource.word())));
            Keep::Not
        })?;
        self.ids = ids;
        Ok(())
    }

    /// Whether a hash is there, or for a number that of an id that its patient has.
    fn has(&self, record: &Value, name: &str, hash: &str) -> bool {
        let resource = Subject::Resource.word();
        has_hash(record, name, hash)
            || (name == Subject::NhsNumber.word()
                && self.ids.iter().any(|id| has_hash(record, resource, id)))
    }

    fn is(&self, line: &Line<'_>, record: &Value) -> bool {
        let member = |name: &str| match name {
            "kind" => Some(line.kind),
            _ => record.get(name).and_then(Value::as_str),
        };
        // Moments in UTC compare as their texts do, up to the second.
        let second = |text: &str| text.get(..19).unwrap_or_default().to_owned();
        let time = member("time").map(second).unwrap_or_default();
        self.members.iter().all(|(name, value)| member(name) == Some(value))
            && self
                .hashes
                .iter()
                .all(|(name, hashes)| hashes.iter().any(|hash| self.has(record, name, hash)))
            && self.since.as_deref().is_none_or(|since| time >= second(since))
            && self.until.as_deref().is_none_or(|until| time <= second(until))
    }
}

fn search_key(path: &Path) -> Result<SearchKey, String> {
    let unusable = |why: String| format!("{} {why}", path.display());
    let text = secret(path).map_err(unusable)?;
    SearchKey::read(&text).ok_or_else(|| unusable("holds no search key".into()))
}

fn has_hash(record: &Value, name: &str, hash: &str) -> bool {
    match record.get("hashes").and_then(|hashes| hashes.get(name)) {
        Some(Value::Array(all)) => all.iter().any(|one| one == hash),
        Some(one) => one == hash,
        None => false,
    }
}

pub(super) fn tail(arguments: &TailArguments) -> Ended {
    ended(try_tail(arguments))
}

fn try_tail(arguments: &TailArguments) -> Result<Ended, Fault> {
    arguments.shown.announce("tail", [])?;
    let folder = &arguments.shown.folder;
    let count = u64::try_from(arguments.lines).unwrap_or(u64::MAX);
    let from = read::before_last(folder, count);
    let mut from = from.map_err(|fault| format!("{}: {fault}", folder.display()))?;
    let mut most = arguments.lines;
    loop {
        let mut last = None::<Place>;
        let found = scan(&arguments.shown, from, most, |line, _| {
            last = Some(line.place);
            Keep::This
        })?;
        from = last.map_or(from, |last| Place { seq: last.seq + 1, ..last });
        most = usize::MAX;
        if !found.is_empty() {
            let text = written(&found, arguments.shown.output);
            if print(text.as_bytes(), Ended::Done) == Ended::Unable {
                return Ok(Ended::Unable);
            }
        }
        if !arguments.follow {
            return Ok(Ended::Done);
        }
        thread::sleep(Duration::from_millis(500));
    }
}

fn written(found: &VecDeque<Found>, output: Output) -> String {
    match output {
        Output::Human => table(found),
        Output::Json => lines(found),
    }
}

/// The record with what was sealed in it in place of that.
fn whole(found: &Found) -> Value {
    let mut record = found.record.clone();
    if let (Some(members), Some(opened)) = (record.as_object_mut(), &found.opened) {
        members.shift_remove("sealed");
        members.insert(String::from("opened"), opened.clone());
    }
    record
}

fn lines(found: &VecDeque<Found>) -> String {
    found.iter().map(|found| format!("{}\n", whole(found))).collect()
}

fn table(found: &VecDeque<Found>) -> String {
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
    for Found { place, record, opened } in found {
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
        let status = record.get("status").and_then(Value::as_u64);
        let status = status.map(|status| status.to_string()).unwrap_or_default();
        let end = [status.as_str(), text("result"), text("fault")].join(" ");
        let whose = opened.as_ref().map(whose).unwrap_or_default();
        table.row([
            &place.to_string(),
            text("time"),
            text("kind"),
            text("consumer"),
            text("practice"),
            text("interaction"),
            end.trim(),
            text("trace_id"),
            &whose,
        ]);
    }
    table.to_string()
}

/// Who looked, and at whom.
fn whose(opened: &Value) -> String {
    let user = opened.get("user");
    let user = |name: &str| user.and_then(|user| user.get(name)?.as_str()).unwrap_or_default();
    let patients = opened.get("patients").and_then(Value::as_array);
    let patients = patients.into_iter().flatten().filter_map(Value::as_str);
    let request = ["verb", "path"].map(|name| opened.get(name).and_then(Value::as_str));
    let request = request.map(Option::unwrap_or_default).join(" ");
    let user = [user("prefix"), user("given"), user("family"), user("sub")].join(" ");
    let patients = patients.collect::<Vec<_>>().join(", ");
    let parts = [user.trim(), &patients, request.trim()];
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("\n")
}
