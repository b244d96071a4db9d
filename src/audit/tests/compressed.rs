//! Segments that are compressed: when they are, and that every reader reads them as the others.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{World, ended, faults::until, request, wait};
use crate::audit::{
    Journal,
    place::Place,
    read, seal,
    segment::{self, Segment},
    verify::Report,
};

fn segments(world: &World) -> Vec<Segment> {
    segment::list(world.audit()).unwrap().into_values().flatten().collect()
}

/// A closed journal with all of its segments compressed, some lines a frame.
fn compressed(requests: usize) -> (World, Vec<Segment>) {
    let world = World::written(requests);
    let segments = segments(&world);
    for segment in &segments {
        let text = fs::read(&segment.path).unwrap();
        let lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let mut zstd = zstd::bulk::Compressor::new(3).unwrap();
        zstd.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true)).unwrap();
        let frames = lines.chunks(4).map(|some| zstd.compress(&some.concat()).unwrap());
        fs::write(segment.compressed(), frames.collect::<Vec<_>>().concat()).unwrap();
        fs::remove_file(&segment.path).unwrap();
    }
    (world, segments)
}

fn says(report: &Report) -> String {
    report.faults.iter().map(|fault| format!("{fault}\n")).collect()
}

#[test]
fn a_compressed_journal_is_whole() {
    let (world, segments) = compressed(40);
    assert!(segments.len() > 2, "{segments:?}");
    let report = world.verify_with_foreign();
    assert!(report.faults.is_empty() && report.notes.is_empty(), "{report:#?}");
    assert_eq!(report.covered, report.records);
    let kinds = world.kinds();
    assert_eq!((kinds["intent"], kinds["outcome"], kinds["end"]), (40, 40, 1));
    let proof = read::prove(world.audit(), Place { epoch: 1, seq: 17 }, &world.keys()).unwrap();
    read::check_proof(&proof, &world.keys()).unwrap();
    world.open().close();
    let report = world.verify_with_foreign();
    assert!(report.faults.is_empty() && report.notes.is_empty(), "{report:#?}");
    assert_eq!(report.epochs, 2, "the next start has read it");
}

/// Only what is lost is named, by its numbers; what lies behind it is proved all the same.
#[test]
fn what_a_damaged_file_costs_is_named() {
    let (world, segments) = compressed(40);
    let records = world.verify().records;
    for (place, segment) in segments.iter().enumerate() {
        let next = segments.get(place + 1).map_or(records, |next| next.first.seq);
        let path = segment.compressed();
        let whole = fs::read(&path).unwrap();
        // A byte in the middle of a frame, and the file without its end.
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 0x20;
        for bytes in [&flipped, &whole[..whole.len() - 9].to_vec()] {
            fs::write(&path, bytes).unwrap();
            let report = world.verify();
            let said = says(&report);
            let ranges: Vec<_> =
                report.faults.iter().map(|it| (it.from.unwrap(), it.to.unwrap())).collect();
            let is_here = |(from, to): &(u64, u64)| segment.first.seq <= *from && *to < next;
            assert!(ranges.iter().any(is_here), "{place}: {said}");
            // A change that only a checkpoint shows may be anywhere before it.
            assert!(ranges.iter().all(|(_, to)| *to < next), "{place}: {said}");
            let is_last = place + 1 == segments.len();
            assert!(is_last || report.covered >= records - next, "{place}: {report:#?}");
            let read = read::each(world.audit(), |_, _| Ok(true)).unwrap();
            assert!(read[0].why.contains("damaged"), "{place}: {read:?}");
        }
        fs::write(&path, whole).unwrap();
    }
    assert!(world.verify().faults.is_empty());
}

#[test]
fn a_file_of_nothing_is_all_lost() {
    let (world, segments) = compressed(40);
    fs::write(segments[1].compressed(), vec![0; 5_000]).unwrap();
    let said = says(&world.verify());
    let (from, to) = (segments[1].first.seq, segments[2].first.seq - 1);
    let expected = format!("records 1/{from} to 1/{to}: lost: ");
    assert!(said.starts_with(&expected) && said.lines().count() == 1, "{said}");
    let lost = read::each(world.audit(), |_, _| Ok(true)).unwrap();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].from, segments[1].first);
    fs::write(segments[2].compressed(), "").unwrap();
    let said = says(&world.verify());
    assert!(said.contains("missing"), "{said}");
}

fn write(journal: &Journal, requests: usize) {
    for _ in 0..requests {
        let (ticket, durable) = journal.intend(&request()).unwrap();
        assert!(wait(durable.wait()));
        journal.outcome(&ticket, &ended(), "", &[]);
    }
}

fn is_compressed(segment: &Segment) -> bool {
    !segment.path.exists() && segment.compressed().exists()
}

/// While the journal is at work, those that were followed by another; at the next start the last one
/// of the epoch before too.
#[test]
fn closed_segments_are_compressed() {
    let world = World::new();
    let journal = world.open();
    write(&journal, 60);
    let all = segments(&world);
    let (last, closed) = all.split_last().unwrap();
    assert!(closed.len() > 2, "{all:?}");
    until("they are compressed", || closed.iter().all(is_compressed));
    assert!(last.path.exists(), "the one that is written is not");
    assert!(world.verify().faults.is_empty());
    for segment in closed {
        let mode = fs::metadata(segment.compressed()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    journal.close();
    let journal = world.open();
    until("the last is compressed", || is_compressed(last));
    until("none is left", || world.telemetry.metrics.audit.uncompressed.get() == 0);
    journal.close();
    let report = world.verify_with_foreign();
    assert!(report.faults.is_empty() && report.notes.is_empty(), "{report:#?}");
    let (small, files) = (world.kinds(), fs::read_dir(world.audit()).unwrap());
    assert_eq!((small["intent"], small["outcome"], small["end"]), (60, 60, 2));
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_str().unwrap().ends_with(".part")), "{names:?}");
}

/// What another gateway writes is left alone, whatever its file looks like.
#[test]
fn what_is_written_is_not_compressed() {
    let world = World::new();
    let (one, two) = (world.open(), world.open());
    write(&one, 1);
    seal::seal(world.audit(), &AtomicBool::new(false), |_| ()).unwrap();
    assert!(segments(&world).iter().all(|segment| segment.path.exists()));
    one.close();
    seal::seal(world.audit(), &AtomicBool::new(false), |_| ()).unwrap();
    assert!(segments(&world).iter().all(|segment| segment.path.exists()), "nobody told its end");
    two.close();
    world.open().close();
    assert!(world.verify().faults.is_empty());
}

/// The tools of every distribution read it, whole lines in each frame.
#[test]
fn zstdcat_reads_what_was_compressed() {
    let world = World::written(40);
    let plain = segments(&world);
    let texts: Vec<_> = plain.iter().map(|segment| fs::read(&segment.path).unwrap()).collect();
    world.open().close();
    seal::seal(world.audit(), &AtomicBool::new(false), |_| ()).unwrap();
    for (segment, text) in plain.iter().zip(texts) {
        assert!(is_compressed(segment));
        let output = Command::new("zstdcat").arg(segment.compressed()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stdout, text);
        let size = fs::metadata(segment.compressed()).unwrap().len();
        assert!(size < text.len() as u64 / 2, "{size} of {}", text.len());
    }
}

/// Whatever a crash leaves, readers read one of the forms, and the next start makes an end of it.
#[test]
fn a_crash_at_any_step_loses_nothing() {
    type Crash = fn(&Segment, &[u8]);
    let part = |segment: &Segment| PathBuf::from(format!("{}.zst.part", segment.path.display()));
    let steps: [(&str, Crash); 5] = [
        ("before anything was written", |_, _| ()),
        ("while it was written", |segment, zipped| {
            let part = format!("{}.zst.part", segment.path.display());
            fs::write(part, &zipped[..zipped.len() / 2]).unwrap();
        }),
        ("before it had its name", |segment, zipped| {
            fs::write(format!("{}.zst.part", segment.path.display()), zipped).unwrap();
        }),
        ("before the plain one was removed", |segment, zipped| {
            fs::write(segment.compressed(), zipped).unwrap();
        }),
        ("at the end", |segment, zipped| {
            fs::write(segment.compressed(), zipped).unwrap();
            fs::remove_file(&segment.path).unwrap();
        }),
    ];
    for (name, crash) in steps {
        let world = World::written(40);
        let whole = world.verify_with_foreign();
        let all = segments(&world);
        for segment in &all {
            let zipped = zstd::bulk::compress(&fs::read(&segment.path).unwrap(), 3).unwrap();
            crash(segment, &zipped);
        }
        let report = world.verify_with_foreign();
        assert_eq!(format!("{report:?}"), format!("{whole:?}"), "{name}");
        let journal = world.open();
        until("all is compressed", || all.iter().all(is_compressed));
        journal.close();
        assert!(all.iter().all(|segment| !part(segment).exists()), "{name}");
        let report = world.verify_with_foreign();
        assert!(report.faults.is_empty() && report.notes.is_empty(), "{name}: {report:#?}");
        assert_eq!(report.covered, report.records, "{name}");
    }
}

/// It stops when the gateway does, and leaves what it has not done.
#[test]
fn sealing_stops_at_once() {
    let world = World::written(40);
    world.open().close();
    let all = segments(&world);
    // More than a frame, so that it is asked in the middle.
    let long = "x".repeat(3 << 20);
    fs::write(&all[0].path, &long).unwrap();
    fs::remove_file(all[0].compressed()).unwrap_or_default();
    let stop = AtomicBool::new(true);
    seal::seal(world.audit(), &stop, |_| ()).unwrap();
    assert_eq!(fs::read_to_string(&all[0].path).unwrap(), long);
    assert!(!all[0].compressed().exists());
    stop.store(false, Ordering::Relaxed);
    seal::seal(world.audit(), &stop, |_| ()).unwrap();
    assert!(is_compressed(&all[0]));
}
