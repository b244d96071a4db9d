//! What is removed because it is not to be kept, and what `verify` says of it.

use std::{fs, sync::atomic::AtomicBool, time::Duration};

use jiff::Timestamp;

use super::{World, faults::until};
use crate::audit::{
    place::Place,
    read,
    retention::{self, Plan, Rule},
    seal,
    segment::{self, Segment},
    verify::Report,
};

const FIRST: Place = Place { epoch: 1, seq: 0 };

fn segments(world: &World) -> Vec<Segment> {
    segment::list(world.audit()).unwrap().into_values().flatten().collect()
}

/// Two closed epochs of several segments each, compressed, and a third one that is short.
fn old() -> World {
    let world = World::written(40);
    [40, 0].into_iter().for_each(|requests| world.write(requests));
    seal::seal(world.audit(), &AtomicBool::new(false), |_| ()).unwrap();
    assert!(segments(&world).len() >= 7);
    world
}

/// In so many days from now.
fn plan(world: &World, days: i64, keep_bytes: Option<u64>) -> Plan {
    let keep = (days > 0).then_some(Duration::from_secs(86_400 + 600));
    let now = Timestamp::now().checked_add(jiff::SignedDuration::from_hours(24 * days)).unwrap();
    retention::plan(world.audit(), Rule { keep, keep_bytes }, FIRST, now).unwrap()
}

fn says(report: &Report) -> String {
    report.faults.iter().chain(&report.notes).map(|fault| format!("{fault}\n")).collect()
}

/// With an opened journal that keeps so little that it removes all it may.
fn removed() -> World {
    let mut world = old();
    world.settings.keep_bytes = Some(1);
    let journal = world.open();
    until("all closed epochs are removed", || segments(&world)[0].first.epoch == 4);
    journal.close();
    world
}

#[test]
fn whole_closed_segments_go_by_age() {
    let world = old();
    let all = segments(&world);
    assert!(plan(&world, 1, None).points.is_empty(), "they are not older than is kept");
    let plan = plan(&world, 2, None);
    assert_eq!(plan.stuck, None);
    // The last epoch has nobody who told its end.
    assert_eq!(plan.points.len(), all.len() - 1);
    let last = plan.points.last().unwrap();
    assert_eq!(last.before, Place { epoch: 3, seq: 0 });
    let sizes = all[..all.len() - 1].iter().map(|it| fs::metadata(it.compressed()).unwrap().len());
    assert_eq!((last.segments, last.bytes), (all.len() as u64 - 1, sizes.sum()));
}

#[test]
fn no_more_goes_than_is_too_much() {
    let world = old();
    let size = |segment: &Segment| {
        let [plain, zipped] = [segment.path.clone(), segment.compressed()];
        fs::metadata(zipped).or_else(|_| fs::metadata(plain)).unwrap().len()
    };
    let all = segments(&world);
    let total: u64 = all.iter().map(size).sum();
    assert!(plan(&world, 0, Some(total)).points.is_empty());
    let points = plan(&world, 0, Some(total - 1)).points;
    assert_eq!((points.len(), points[0].before), (1, all[1].first));
    let points = plan(&world, 0, Some(total - size(&all[0]) - 1)).points;
    assert_eq!((points.len(), points[1].before), (2, all[2].first));
}

/// A gap is to be seen for as long as there is a journal.
#[test]
fn nothing_goes_where_the_journal_is_not_whole() {
    for (name, damage) in [("first segment gone", 0), ("another gone", 1), ("another damaged", 2)] {
        let world = old();
        let all = segments(&world);
        let (place, expected) = match damage {
            0 => (0, 0),
            _ => (1, 1),
        };
        let path = all[place].compressed();
        if damage == 2 {
            let whole = fs::read(&path).unwrap();
            fs::write(path, &whole[..whole.len() - 20]).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        let plan = plan(&world, 0, Some(1));
        // Where a segment is missing, the one before it is not whole to the next.
        let expected = if damage == 1 { 0 } else { expected };
        assert_eq!(plan.points.len(), expected, "{name}");
        assert!(plan.stuck.is_some(), "{name}");
    }
}

#[test]
fn what_was_removed_is_on_record_and_the_rest_is_proved() {
    let world = removed();
    let report = world.verify_with_foreign();
    let expected = "records before 4/0 were removed by retention, as the journal says\n";
    assert_eq!(says(&report), expected);
    assert_eq!(report.covered, report.records);
    assert_eq!(world.kinds()["removed"], 1);
    assert!(world.telemetry.metrics.audit.removed.get() >= 7);
    for epoch in 1..=3 {
        let text = fs::read_to_string(world.audit().join(segment::checkpoints_name(epoch)));
        assert_eq!(text.unwrap().matches("test.example/audit").count(), 2, "one checkpoint");
    }
    // The next epochs know it too, and have numbers of their own.
    world.open().close();
    fs::remove_file(&segments(&world).last().unwrap().path).unwrap();
    world.open().close();
    assert_eq!(segments(&world).last().unwrap().first.epoch, 6);
}

/// Somebody else's removals are named, before and behind what was removed by the rule.
#[test]
fn a_removal_that_nobody_recorded_shows() {
    let world = removed();
    let first = &segments(&world)[0];
    let (plain, zipped) = (fs::read(&first.path), fs::read(first.compressed()));
    fs::remove_file(&first.path).or_else(|_| fs::remove_file(first.compressed())).unwrap();
    let said = says(&world.verify());
    assert!(said.contains("epoch 4: all of its files are missing"), "{said}");
    for epoch in 1..=3 {
        let expected = format!("epoch {epoch}: all of its files are missing");
        assert!(said.contains(&expected), "its record went with the file: {said}");
    }
    assert!(plain.is_ok() || zipped.is_ok());

    let world = old();
    for segment in segments(&world).iter().take(2) {
        fs::remove_file(segment.compressed()).unwrap();
    }
    assert!(says(&world.verify()).contains("missing: their segment is gone"));
}

/// Who has not the signing key can add a record that no checkpoint covers: it explains nothing.
#[test]
fn a_removal_that_no_checkpoint_covers_explains_nothing() {
    let world = World::written(40);
    let all = segments(&world);
    let last = &all.last().unwrap().path;
    let mut text = fs::read_to_string(last).unwrap();
    let line = text.lines().last().unwrap();
    let read = segment::Line::read(line.as_bytes()).unwrap();
    let trace = segment::trace(&crate::audit::tree::leaf(line.as_bytes()));
    let place = Place { seq: read.place.seq + 1, ..read.place };
    let mut forged = Vec::new();
    segment::begin(
        &segment::Line { place, before: &trace, kind: "removed", intent: None },
        &mut forged,
    );
    let before = all[1].first;
    text.push_str(str::from_utf8(&forged).unwrap());
    text.push_str(&format!(",\"removed_before\":\"{before}\"}}\n"));
    fs::write(last, text).unwrap();
    fs::remove_file(&all[0].path).unwrap();
    let said = says(&world.verify());
    assert!(said.contains("missing: their segment is gone"), "{said}");
}

/// Between two segments of an epoch.
#[test]
fn an_epoch_goes_in_parts() {
    let world = old();
    let before = segments(&world)[2].first;
    let from = segments(&world);
    let world = {
        let mut world = world;
        let left: u64 = from[2..]
            .iter()
            .map(|it| fs::metadata(it.compressed()).or_else(|_| fs::metadata(&it.path)).unwrap())
            .map(|about| about.len())
            .sum();
        // The new epoch's head is more still.
        world.settings.keep_bytes = Some(usize::try_from(left).unwrap() + 3_000);
        let journal = world.open();
        until("two are removed", || segments(&world)[0].first == before);
        journal.close();
        world
    };
    let report = world.verify_with_foreign();
    let expected = format!("records before {before} were removed by retention");
    assert!(report.faults.is_empty() && says(&report).contains(&expected), "{report:#?}");
    assert_eq!(report.covered, report.records);
    let proof = read::prove(world.audit(), before, &world.keys()).unwrap();
    read::check_proof(&proof, &world.keys()).unwrap();
    // Another segment that is taken away is not explained.
    fs::remove_file(from[2].compressed()).unwrap();
    let said = says(&world.verify());
    assert!(said.contains("epoch 1: all of its files are missing"), "{said}");
}

/// The record is durable, but the gateway was killed before the files were gone.
#[test]
fn a_removal_that_was_interrupted_is_finished() {
    let mut world = old();
    let copies: Vec<_> = segments(&world)
        .iter()
        .take(3)
        .map(|it| (it.compressed(), fs::read(it.compressed()).unwrap()))
        .collect();
    world.settings.keep_bytes = Some(1);
    let journal = world.open();
    until("they are removed", || segments(&world)[0].first.epoch == 4);
    journal.close();
    for kept in 0..3 {
        for (path, bytes) in &copies[kept..] {
            fs::write(path, bytes).unwrap();
        }
        let report = world.verify_with_foreign();
        assert!(report.faults.is_empty(), "{kept}: {report:#?}");
        world.settings.keep_bytes = None;
        let journal = world.open();
        until("they are removed", || copies.iter().all(|(path, _)| !path.exists()));
        journal.close();
    }
}
