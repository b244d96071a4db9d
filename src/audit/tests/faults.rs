//! Starts after a stop, after a kill, and beside another gateway; and a disk that fails.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::{World, ended, request, wait};
use crate::audit::Journal;

#[test]
fn a_stopped_journal_goes_on_in_a_new_epoch() {
    let world = World::written(3);
    world.open().close();
    world.open().close();
    let report = world.verify_with_foreign();
    assert!(report.faults.is_empty() && report.notes.is_empty(), "{report:#?}");
    assert_eq!(report.epochs, 3);
}

/// The folder as a kill would leave it: copied while the journal is at work.
fn killed(world: &World, journal: &Journal) -> World {
    let (ticket, durable) = journal.intend(&request()).unwrap();
    assert!(wait(durable.wait()));
    let copy = World::new();
    copy.take_keys_of(world);
    fs::create_dir(copy.audit()).unwrap();
    for file in fs::read_dir(world.audit()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.audit().join(file.file_name())).unwrap();
    }
    journal.outcome(&ticket, &ended(), "", &[]);
    copy
}

/// gp-connect 12.
#[test]
fn an_intent_that_a_kill_left_behind_gets_its_outcome() {
    let world = World::new();
    let journal = world.open();
    let killed = killed(&world, &journal);
    journal.close();
    killed.open().close();
    let report = killed.verify();
    assert!(report.faults.is_empty() && report.notes.is_empty(), "{report:#?}");
    let text = fs::read_to_string(killed.segments().pop().unwrap()).unwrap();
    assert!(text.contains("outcome unknown, gateway stopped"), "{text}");
    assert!(text.contains("\"ended\":\"cut\""), "{text}");
}

/// What was being written when the power went is void, wherever it was cut.
#[test]
fn a_torn_tail_is_void() {
    let world = World::new();
    let journal = world.open();
    let killed = killed(&world, &journal);
    journal.close();
    let path = killed.segments().pop().unwrap();
    let whole = fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for cut in [last + 1, last + 40, whole.len() - 2, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        killed.open().close();
        let report = killed.verify();
        assert!(report.faults.is_empty(), "{cut}: {report:#?}");
        let void = report.notes.iter().any(|note| note.what.contains("void"));
        assert!(void, "{cut}: {report:#?}");
        // As it was, for the next cut.
        for later in killed.segments().into_iter().skip(1) {
            fs::remove_file(later).unwrap();
        }
        fs::remove_file(killed.audit().join("00000002.checkpoints")).unwrap();
    }
}

/// Lines behind a torn one look like records: a disk may have kept them and lost what was before.
#[test]
fn what_is_void_is_not_read() {
    let world = World::new();
    let journal = world.open();
    let killed = killed(&world, &journal);
    journal.close();
    let path = killed.segments().pop().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let (seq, last) = text.lines().enumerate().last().unwrap();
    let later = last.replace(&format!("\"seq\":{seq},"), &format!("\"seq\":{},", seq + 2));
    assert_ne!(later, last);
    fs::write(&path, format!("{text}{}\n{later}\n", "\0".repeat(512))).unwrap();
    assert_eq!(killed.kinds()["intent"], 2, "nobody knows yet that it is void");
    killed.open().close();
    assert!(killed.verify().faults.is_empty());
    assert_eq!(killed.kinds()["intent"], 1);
}

#[test]
fn two_gateways_write_epochs_of_their_own() {
    let world = World::new();
    let (one, two) = (world.open(), world.open());
    for journal in [&one, &two, &one] {
        let (ticket, durable) = journal.intend(&request()).unwrap();
        assert!(wait(durable.wait()));
        journal.outcome(&ticket, &ended(), "", &[]);
    }
    one.close();
    two.close();
    world.open().close();
    let report = world.verify();
    assert!(report.faults.is_empty() && report.notes.is_empty(), "{report:#?}");
    assert_eq!(report.epochs, 3);
}

pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
    start.elapsed()
}

/// A segment can't be followed by a new one, as on a full disk; later it can.
#[test]
fn a_journal_that_fails_refuses_and_goes_on_by_itself() {
    let mut world = World::new();
    world.settings.segment_bytes = 2_048;
    world.health.serve();
    world.health.load(1, 1);
    let journal = world.open();
    let away = world.folder.path().join("away");
    let mut took = Vec::new();
    for cycle in 0..10 {
        fs::rename(world.audit(), &away).unwrap();
        let mut last = None;
        until("a request is refused", || {
            let (ticket, durable) = journal.intend(&request()).unwrap();
            let is_durable = wait(durable.wait());
            if is_durable {
                journal.outcome(&ticket, &ended(), "", &[]);
            }
            last = Some(ticket);
            !is_durable
        });
        assert_eq!(world.health.unready(), Some("audit journal unavailable"), "{cycle}");
        fs::rename(&away, world.audit()).unwrap();
        took.push(until("requests are let pass again", || world.health.unready().is_none()));
        let (ticket, durable) = journal.intend(&request()).unwrap();
        assert!(wait(durable.wait()), "{cycle}");
        journal.outcome(&ticket, &ended(), "", &[]);
    }
    // A busy machine may make a single one longer.
    let late = took.iter().filter(|after| **after >= Duration::from_secs(1)).count();
    assert!(late <= 1, "{took:?}");
    journal.close();
    let report = world.verify();
    assert!(report.faults.is_empty(), "{report:#?}");
    assert_eq!(report.epochs, 11);
    let kinds = world.kinds();
    assert_eq!(kinds["intent"], kinds["outcome"], "each that was let pass has its outcome");
}

/// A disk that was slow is good again: the request that gave it up does not have the last word.
#[test]
fn a_journal_that_can_be_written_says_so() {
    let world = World::new();
    world.health.serve();
    world.health.load(1, 1);
    let journal = world.open();
    let again = || {
        world.health.audit(false);
        until("it says that it works", || world.health.unready().is_none())
    };
    // A busy machine may make a single one longer.
    let soon = (0..3).map(|_| again()).find(|after| *after < Duration::from_millis(1_500));
    assert!(soon.is_some(), "later three times");
    journal.close();
}
