//! Every kind of change that somebody could make to a journal who has not the signing key, again and
//! again at places that look drawn; with plain segments and with compressed ones.

use std::io::Write as _;

use serde_json::Value;

use super::{
    World, ended,
    files::{Files, Lines, epoch_of},
    request, wait,
};
use crate::audit::{
    note::Signer,
    place::Place,
    verify::{Fault, Report},
};

/// Three epochs of several segments, of which copies were taken after each; and another journal
/// that was written with the same keys.
struct Sources {
    world: World,
    whole: Files,
    older: Vec<Files>,
    other: Files,
}

impl Sources {
    fn new() -> Self {
        let (world, other) = (World::new(), World::new());
        other.take_keys_of(&world);
        let older: Vec<_> = (0..3).map(|_| run(&world)).collect();
        (0..3).for_each(|_| drop(run(&other)));
        let whole = Files::read(world.audit());
        assert!(whole.segments().len() > 5);
        let other = Files::read(other.audit());
        Self { world, whole, older, other }
    }

    fn compressed(self) -> Self {
        let older = self.older.iter().map(Files::compressed).collect();
        let (whole, other) = (self.whole.compressed(), self.other.compressed());
        Self { world: self.world, whole, older, other }
    }
}

/// One run of a gateway; the journal as it is then.
fn run(world: &World) -> Files {
    let journal = world.open();
    for _ in 0..24 {
        let (ticket, durable) = journal.intend(&request()).unwrap();
        assert!(wait(durable.wait()));
        journal.outcome(&ticket, &ended(), "", &[]);
    }
    journal.close();
    world.unpack();
    Files::read(world.audit())
}

/// A journal that is being changed.
struct Change<'s> {
    sources: &'s Sources,
    files: Files,
    state: u64,
}

impl Change<'_> {
    /// A number that looks drawn, the same in every run.
    fn draw(&mut self, below: usize) -> usize {
        let state = self.state.wrapping_mul(6_364_136_223_846_793_005);
        self.state = state.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.state >> 33).unwrap() % below
    }

    fn one_of(&mut self, names: &[String]) -> String {
        names[self.draw(names.len())].clone()
    }

    /// Changes the lines of some segment; `places` are two of them.
    fn lines(&mut self, change: impl FnOnce(&mut Lines, [usize; 2])) {
        let name = self.one_of(&self.files.segments());
        let mut lines = self.files.lines(&name).unwrap();
        let places = [self.draw(lines.len()), self.draw(lines.len())];
        change(&mut lines, places);
        self.files.put(&name, &lines);
    }

    /// Changes a record of some segment, where it has such a member.
    fn record(&mut self, pointer: &str, change: impl Fn(&Value) -> Value) {
        self.lines(|lines, [place, _]| {
            let mut record: Value = serde_json::from_slice(&lines[place]).unwrap();
            if let Some(value) = record.pointer_mut(pointer) {
                *value = change(value);
                lines[place] = serde_json::to_vec(&record).unwrap();
                lines[place].push(b'\n');
            }
        });
    }
}

fn flip(change: &mut Change<'_>) {
    let name = change.one_of(&change.files.segments());
    let (at, bit) = (change.draw(change.files.0[&name].len()), change.draw(8));
    change.files.0.get_mut(&name).unwrap()[at] ^= 1 << bit;
}

fn insert(change: &mut Change<'_>) {
    change.lines(|lines, [from, to]| {
        let line = String::from_utf8(lines[from].clone()).unwrap();
        lines.insert(to, line.replace("192.0.2", "198.51.100").into_bytes());
    });
}

fn truncate(change: &mut Change<'_>) {
    let name = change.one_of(&change.files.segments());
    let most = change.draw(change.files.0[&name].len());
    change.files.0.get_mut(&name).unwrap().truncate(most);
}

/// An older copy, from which a tail may be cut off besides, with the checkpoints that cover it.
fn roll_back(change: &mut Change<'_>) {
    let older = &change.sources.older;
    change.files = older[change.draw(older.len() - 1)].clone();
    if change.draw(4) > 0 {
        let (segments, checkpoints) = (change.files.segments(), change.files.checkpoints());
        let name = segments.last().unwrap();
        let mut lines = change.files.lines(name).unwrap();
        lines.truncate(1 + change.draw(lines.len()));
        change.files.put(name, &lines);
        change.files.0.remove(checkpoints.last().unwrap());
    }
}

/// A part of another journal, down to its own checkpoints.
fn splice(change: &mut Change<'_>) {
    let other = change.sources.other.clone();
    let names = change.files.segments();
    let name = change.one_of(&names);
    match change.draw(3) {
        0 => {
            let (mut lines, theirs) = (change.files.lines(&name).unwrap(), other.lines(&name));
            let theirs = theirs.unwrap_or_else(|| other.lines(&names[0]).unwrap());
            let at = change.draw(lines.len().min(theirs.len()));
            lines.splice(at.., theirs.into_iter().skip(at));
            change.files.put(&name, &lines);
        }
        1 => {
            let theirs = change.one_of(&other.segments());
            change.files.0.insert(name, other.0[&theirs].clone());
        }
        _ => {
            let is_spliced = |file: &String| epoch_of(file) == epoch_of(&name);
            change.files.0.retain(|file, _| !is_spliced(file));
            let theirs = other.0.into_iter().filter(|(file, _)| is_spliced(file));
            change.files.0.extend(theirs);
        }
    }
}

fn edit_and_recompute(change: &mut Change<'_>) {
    change.record("/monotonic_us", |moment| (moment.as_u64().unwrap() + 1).into());
    change.files.cover_up();
    if change.draw(2) == 0 {
        // And takes away what would show it on this machine.
        change.files.0.retain(|name, _| !name.ends_with(".checkpoints"));
    }
}

fn drop_a_segment(change: &mut Change<'_>) {
    let name = change.one_of(&change.files.segments());
    change.files.0.remove(&name);
}

fn forge_a_checkpoint(change: &mut Change<'_>) {
    let name = change.one_of(&change.files.checkpoints());
    let text = String::from_utf8(change.files.0[&name].clone()).unwrap();
    let (notes, _) = crate::audit::note::split(&text);
    let note = notes[change.draw(notes.len())].to_owned();
    let mut lines: Vec<String> = note.split('\n').map(str::to_owned).collect();
    let signer = Signer::read(&Signer::generate("test.example/audit").unwrap()).unwrap();
    let forged = match change.draw(4) {
        0 => {
            lines[1] = (lines[1].parse::<u64>().unwrap() + 1 + change.draw(9) as u64).to_string();
            lines.join("\n")
        }
        1 => {
            let at = change.draw(40);
            let other = if lines[2].as_bytes()[at] == b'A' { "B" } else { "A" };
            lines[2].replace_range(at..=at, other);
            lines.join("\n")
        }
        2 => signer.sign(&format!("{}\n", lines[..3].join("\n"))).unwrap(),
        _ => {
            lines[0].push_str(&change.draw(9).to_string());
            lines.join("\n")
        }
    };
    change.files.0.insert(name, text.replacen(&note, &forged, 1).into_bytes());
}

/// Of all records from some on, and all that hangs on it.
fn change_the_clock(change: &mut Change<'_>) {
    let hour = format!("T{:02}:", change.draw(24));
    change.lines(|lines, [place, _]| {
        for line in lines.iter_mut().skip(place) {
            let mut text = String::from_utf8(line.clone()).unwrap();
            let at = text.find("\"time\":\"").unwrap() + "\"time\":\"yyyy-mm-dd".len();
            text.replace_range(at..at + hour.len(), &hour);
            *line = text.into_bytes();
        }
    });
    if change.draw(2) == 0 {
        change.files.cover_up();
    }
}

fn break_a_link(change: &mut Change<'_>) {
    let heads: Vec<_> = change.files.segments();
    let heads: Vec<_> = heads.into_iter().filter(|name| name.contains("-000000000000.")).collect();
    let later = heads[1 + change.draw(heads.len() - 1)].clone();
    let mut lines = change.files.lines(&later).unwrap();
    let mut head: Value = serde_json::from_slice(&lines[0]).unwrap();
    let told = &mut head["head"]["previous"][0];
    let recompute = match change.draw(5) {
        0 => {
            told["size"] = (told["size"].as_u64().unwrap() - 1 - change.draw(9) as u64).into();
            true
        }
        1 => {
            told["root"] = "A".repeat(43).into();
            false
        }
        2 => {
            told["ended"] = "running".into();
            true
        }
        3 => {
            told["epoch"] = (9 + change.draw(9)).into();
            true
        }
        _ => {
            head["head"]["previous"] = Value::Array(Vec::new());
            true
        }
    };
    lines[0] = serde_json::to_vec(&head).unwrap();
    lines[0].push(b'\n');
    change.files.put(&later, &lines);
    if recompute {
        change.files.cover_up();
    }
}

/// What is done; whether only checkpoints that had left the machine are sure to show it; and what is
/// said of it, where that is always the same.
type Class = (&'static str, fn(&mut Change<'_>), bool, &'static str);

#[rustfmt::skip]
const CLASSES: [Class; 13] = [
    ("flip",                 flip,                                           false, ""),
    ("delete",               |it| it.lines(|lines, [at, _]| drop(lines.remove(at))), false, ""),
    ("insert",               insert,                                         false, ""),
    ("duplicate",            |it| it.lines(|lines, [from, to]| lines.insert(to, lines[from].clone())), false, ""),
    ("swap",                 |it| it.lines(|lines, [one, other]| lines.swap(one, other)), false, ""),
    ("truncate",             truncate,                                       false, ""),
    ("roll back",            roll_back,                                      true,  "missing"),
    ("splice",               splice,                                         true,  ""),
    ("edit and recompute",   edit_and_recompute,                             true,  "not what a checkpoint was signed for"),
    ("drop a segment",       drop_a_segment,                                 false, "missing"),
    ("forge a checkpoint",   forge_a_checkpoint,                             false, "checkpoint"),
    ("change the clock",     change_the_clock,                               false, ""),
    ("break an epoch's link", break_a_link,                                  false, ""),
];

/// Gives back how many changes were seen.
fn change_again_and_again(sources: &Sources, times: u64, seed: u64) -> Vec<(&'static str, usize)> {
    let (folder, keys, foreign) =
        (sources.world.audit(), sources.world.keys(), sources.world.foreign());
    let verify = |foreign: &[(String, String)]| {
        crate::audit::verify::verify(folder, &keys, foreign).unwrap()
    };
    sources.whole.write(folder);
    assert!(verify(&foreign).faults.is_empty());
    let mut all = Vec::new();
    for (class, change, is_foreign, says) in CLASSES {
        let mut seen = 0;
        for number in 0..times {
            let state = (seed + number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mut made = Change { sources, files: sources.whole.clone(), state };
            change(&mut made);
            made.files.write(folder);
            let report = verify(if is_foreign { &foreign } else { &[] });
            seen += usize::from(judge(class, number, &made.files, &sources.whole, &report, says));
        }
        all.push((class, seen));
    }
    sources.whole.write(folder);
    assert!(verify(&foreign).faults.is_empty());
    all
}

/// A change that leaves all records and checkpoints as they were is none; any other is named, and so
/// is the first record that it is about. Gives back whether there was one.
fn judge(
    class: &str,
    number: u64,
    files: &Files,
    whole: &Files,
    report: &Report,
    says: &str,
) -> bool {
    // A line behind the end of an epoch that was closed is no record, and told as that.
    let is_void = |note: &&Fault| note.what.starts_with("is void");
    let named: Vec<_> = report.faults.iter().chain(report.notes.iter().filter(is_void)).collect();
    let said: String = named.iter().map(|fault| format!("{fault}\n")).collect();
    if files == whole {
        assert!(said.is_empty(), "{class} {number}: nothing was changed, but {said}");
        return false;
    }
    let changed = files.first_change(whole);
    let unpacked = files.segments().iter().all(|name| files.lines(name).is_some());
    if changed.is_none()
        && unpacked
        && files.checkpoints() == whole.checkpoints()
        && class == "flip"
    {
        // A bit of a compressed file that means nothing.
        return false;
    }
    assert!(!said.is_empty(), "{class} {number}: was not seen");
    assert!(said.contains(says), "{class} {number}: {says:?} is not said: {said}");
    if let Some(Place { epoch, seq }) = changed {
        let is_there = named.iter().any(|fault| {
            let from = fault.from.unwrap_or_default();
            let to = fault.from.map_or(u64::MAX - 1, |from| fault.to.unwrap_or(from));
            fault.epoch == Some(epoch) && (from.saturating_sub(1)..=to + 1).contains(&seq)
        });
        assert!(is_there, "{class} {number}: {epoch}/{seq} is not named: {said}");
    }
    true
}

/// gp-connect 12.
#[test]
fn a_hundred_changes_of_each_class_are_named() {
    let sources = Sources::new();
    let plain = change_again_and_again(&sources, 50, 1);
    let compressed = change_again_and_again(&sources.compressed(), 50, 51);
    for ((class, plain), (_, compressed)) in plain.into_iter().zip(compressed) {
        assert!(plain > 30 && compressed > 30, "{class}: {plain} and {compressed}");
    }
}

#[test]
#[ignore = "takes some minutes: make soak"]
fn a_thousand_changes_of_each_class_are_named() {
    let (begun, sources) = (std::time::Instant::now(), Sources::new());
    let plain = change_again_and_again(&sources, 1_000, 1_000);
    let compressed = change_again_and_again(&sources.compressed(), 1_000, 2_000);
    let mut out = std::io::stderr();
    writeln!(out, "\n2,000 changes of each class in {:.0?}", begun.elapsed()).unwrap();
    for ((class, plain), (_, compressed)) in plain.into_iter().zip(compressed) {
        let said =
            format!("\n{class}: named {plain} of plain segments, {compressed} of compressed\n");
        out.write_all(said.as_bytes()).unwrap();
    }
}
