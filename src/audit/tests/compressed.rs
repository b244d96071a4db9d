//! Segments that are compressed: every reader reads them as the others.

use std::fs;

use super::World;
use crate::audit::{place::Place, read, segment::Segment, verify::Report};

/// A closed journal with all of its segments compressed, some lines a frame.
fn compressed(requests: usize) -> (World, Vec<Segment>) {
    let world = World::written(requests);
    let segments: Vec<_> =
        crate::audit::segment::list(world.audit()).unwrap().into_values().flatten().collect();
    for segment in &segments {
        let text = fs::read(&segment.path).unwrap();
        let lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let frames = lines.chunks(4).map(|some| zstd::bulk::compress(&some.concat(), 3).unwrap());
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
            let said = read.first().map_or("was changed", |lost| lost.why.as_str());
            assert!(said.contains("damaged") || report.records == records, "{place}: {said}");
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
