//! What is done to a journal's files shows.

use std::fs;

use super::World;
use crate::audit::{
    checkpoint::Checkpoint,
    note::{self, Signer},
    segment::{self, Line},
    tree::{self, Edge},
    verify::{Report, verify},
};

type Lines = Vec<Vec<u8>>;

fn lines(world: &World, place: usize) -> Lines {
    let text = fs::read(&world.segments()[place]).unwrap();
    text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn says(report: &Report) -> String {
    report.faults.iter().map(|fault| format!("{fault}\n")).collect()
}

/// Changes the records of a segment and gives what `verify` says, with local checkpoints only.
fn changed(place: usize, change: impl FnOnce(&mut Lines)) -> String {
    let world = World::written(40);
    assert!(world.segments().len() >= 3);
    let mut lines = lines(&world, place);
    change(&mut lines);
    fs::write(&world.segments()[place], lines.concat()).unwrap();
    says(&world.verify())
}

/// gp-connect 12.
#[test]
fn each_change_of_records_is_named() {
    type Change = fn(&mut Lines);
    let cases: [(&str, usize, Change, &str); 8] = [
        ("flip", 0, |lines| *lines[5].iter_mut().nth_back(20).unwrap() ^= 1, "record 1/5: was ch"),
        ("flip of its place", 0, |lines| lines[5][15] ^= 2, "record 1/5: in its place"),
        ("delete", 0, |lines| drop(lines.remove(6)), "record 1/6: missing"),
        ("insert", 0, |lines| lines.insert(4, b"{\"v\":1}\n".to_vec()), "record 1/4: is no record"),
        (
            "duplicate",
            0,
            |lines| {
                let copy = lines[7].clone();
                lines.insert(8, copy);
            },
            "record 1/7: stands behind 7 again",
        ),
        ("swap", 0, |lines| lines.swap(3, 4), "record 1/3: "),
        ("no records at all", 1, Vec::clear, "missing"),
        ("truncate", 0, |lines| lines.truncate(9), "missing: their segment is gone"),
    ];
    for (name, place, change, expected) in cases {
        let said = changed(place, change);
        assert!(said.contains(expected), "{name}: {said}");
    }
}

/// Each byte of a segment, and each record. gp-connect 12.
#[test]
fn no_change_of_a_byte_goes_unseen() {
    let world = World::written(6);
    let path = world.segments()[0].clone();
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(97).chain([0, whole.len() - 1]) {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        fs::write(&path, &bytes).unwrap();
        assert!(!world.verify().faults.is_empty(), "byte {at}");
        fs::write(&path, &whole[..at]).unwrap();
        assert!(!world.verify().faults.is_empty(), "cut at {at}");
    }
}

/// Writes the traces anew, as one would who wants to hide a change and has not the signing key.
fn recompute(lines: &mut Lines) {
    let mut before = None::<String>;
    for line in lines {
        line.pop();
        if let (Some(trace), Some(read)) = (&before, Line::read(line)) {
            let text = String::from_utf8(line.clone()).unwrap();
            *line = text.replacen(read.before, trace, 1).into_bytes();
        }
        before = Some(segment::trace(&tree::leaf(line)));
        line.push(b'\n');
    }
}

/// gp-connect 12.
#[test]
fn a_change_is_seen_though_all_that_follows_is_written_anew() {
    let world = World::written(6);
    let mut lines = lines(&world, 0);
    let text = String::from_utf8(lines[3].clone()).unwrap();
    assert!(text.contains("192.0.2.7"), "{text}");
    lines[3] = text.replacen("192.0.2.7", "192.0.2.8", 1).into_bytes();
    recompute(&mut lines);
    fs::write(&world.segments()[0], lines.concat()).unwrap();
    let said = says(&world.verify());
    assert!(said.contains("not what a checkpoint was signed for"), "{said}");
}

/// gp-connect 12.
#[test]
fn a_segment_that_is_gone_is_named() {
    let count = World::written(40).segments().len();
    for place in 0..count {
        let world = World::written(40);
        fs::remove_file(&world.segments()[place]).unwrap();
        let said = says(&world.verify());
        assert!(said.contains("missing"), "{place}: {said}");
    }
}

/// Who owns the machine can put an older copy back, checkpoints and all: only a checkpoint that had
/// left it shows that. gp-connect 12.
#[test]
fn an_older_copy_shows_against_a_foreign_checkpoint() {
    let world = World::written(3);
    let older: Vec<_> = fs::read_dir(world.audit())
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    let journal = world.open();
    journal.close();
    fs::remove_dir_all(world.audit()).unwrap();
    fs::create_dir(world.audit()).unwrap();
    older.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    assert!(world.verify().faults.is_empty(), "by itself it is whole");
    let said = says(&world.verify_with_foreign());
    assert!(said.contains("epoch 2: all of its files are missing"), "{said}");
}

/// A tail that is cut, with the local checkpoints that cover it. gp-connect 12.
#[test]
fn a_cut_tail_shows_against_a_foreign_checkpoint() {
    let world = World::written(6);
    let mut lines = lines(&world, 0);
    lines.truncate(5);
    fs::write(&world.segments()[0], lines.concat()).unwrap();
    fs::remove_file(world.audit().join("00000001.checkpoints")).unwrap();
    let said = says(&world.verify_with_foreign());
    assert!(said.contains("older copy put back"), "{said}");
}

#[test]
fn records_of_another_journal_are_not_taken_for_ours() {
    let (world, other) = (World::written(6), World::written(6));
    fs::copy(&other.segments()[0], &world.segments()[0]).unwrap();
    let said = says(&world.verify());
    assert!(said.contains("not what a checkpoint was signed for"), "{said}");
    let checkpoints = |world: &World| world.audit().join("00000001.checkpoints");
    fs::copy(checkpoints(&other), checkpoints(&world)).unwrap();
    let said = says(&world.verify());
    assert!(said.contains("is of another key"), "{said}");
}

/// Who owns the machine can put an epoch of another journal there and sign it anew. What its own
/// checkpoints say of it is no reason to believe a part of it. gp-connect 12.
#[test]
fn an_epoch_that_was_signed_anew_is_named_from_its_first_record() {
    let (world, other) = (World::written(6), World::new());
    other.take_keys_of(&world);
    other.write(6);
    other.unpack();
    fs::copy(&other.segments()[0], &world.segments()[0]).unwrap();
    let mut tree = Edge::default();
    let lines = lines(&world, 0);
    for line in &lines[..lines.len() - 1] {
        tree.push(tree::leaf(line.strip_suffix(b"\n").unwrap()));
    }
    let signer = Signer::read(&fs::read_to_string(&world.settings.signing_key).unwrap()).unwrap();
    let own = Checkpoint::of(1, &tree).sign(&signer).unwrap();
    fs::write(world.audit().join("00000001.checkpoints"), own).unwrap();
    let [(name, foreign)] = <[_; 1]>::try_from(world.foreign()).unwrap();
    let last = (*note::split(&foreign).0.last().unwrap()).to_owned();
    let report = verify(world.audit(), &world.keys(), &[(name, last)]).unwrap();
    let expected = format!("records 1/0 to 1/{}: are not what a checkpoint", lines.len() - 1);
    assert!(says(&report).contains(&expected), "{}", says(&report));
}

#[test]
fn a_forged_checkpoint_is_named() {
    let world = World::written(6);
    let path = world.audit().join("00000001.checkpoints");
    let text = fs::read_to_string(&path).unwrap();
    let size = world.verify().records;
    let forged = text.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size - 1), 1);
    assert_ne!(forged, text);
    fs::write(&path, forged).unwrap();
    let said = says(&world.verify());
    assert!(said.contains("forged signature"), "{said}");
}

/// An epoch says how the one before it ended.
#[test]
fn a_broken_link_between_epochs_is_named() {
    let world = World::written(6);
    world.open().close();
    world.unpack();
    let mut lines = lines(&world, 0);
    lines.pop();
    fs::write(&world.segments()[0], lines.concat()).unwrap();
    fs::remove_file(world.audit().join("00000001.checkpoints")).unwrap();
    let said = says(&world.verify());
    assert!(said.contains("a later epoch says that they are there"), "{said}");
    let (first, rest) = (world.segments()[0].clone(), world.audit().join("x"));
    fs::rename(first, rest).unwrap();
    let said = says(&world.verify());
    assert!(said.contains("epoch 1: all of its files are missing"), "{said}");
}
