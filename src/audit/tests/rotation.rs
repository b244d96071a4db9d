//! Keys that change while the journal is being written.

use std::fs;

use super::{World, ended, request, wait};
use crate::audit::{
    Journal,
    keys::{self, Keys, Subject},
    note::Verifier,
    read,
    verify::{Fault, verify},
};

/// One request from its intent to its outcome.
fn one(journal: &Journal) {
    let (ticket, durable) = journal.intend(&request()).unwrap();
    assert!(wait(durable.wait()));
    journal.outcome(&ticket, &ended(), "", &[]);
}

impl World {
    /// Puts new keys in place of these, and keeps what opens and verifies with the new ones.
    fn change(&self, names: &[&str]) -> (String, Verifier) {
        let new = tempfile::tempdir().unwrap();
        keys::make(new.path(), "test.example/audit").unwrap();
        let text = |name: &str| fs::read_to_string(new.path().join(name)).unwrap();
        for name in names {
            fs::copy(new.path().join(name), self.folder.path().join("keys").join(name)).unwrap();
        }
        (text("reader.key"), Verifier::read(&text("signing.pub")).unwrap())
    }

    /// Has the journal read its keys again, and waits for the record of it.
    fn renew(&self, journal: &Journal) {
        let before = self.kinds().remove("keys").unwrap_or_default();
        journal.renew(Keys::open(&self.settings).unwrap());
        super::faults::until("the keys are on record", || {
            self.kinds().get("keys").is_some_and(|now| *now > before)
        });
    }

    /// How many sealed parts a reader's key opens.
    fn opened(&self, secret: &str) -> usize {
        let mut opener = read::Opener::new(secret.parse().unwrap());
        let mut opened = 0;
        read::each(self.audit(), |line, bytes| {
            if matches!(line.kind, "epoch" | "segment") {
                opener.take_key(bytes);
            }
            let record = serde_json::from_slice(bytes).unwrap();
            opened += usize::from(opener.open(line.place, &record).is_some());
            Ok(true)
        })
        .unwrap();
        opened
    }

    fn records(&self, kind: &str) -> Vec<serde_json::Value> {
        let mut records = Vec::new();
        read::each(self.audit(), |line, bytes| {
            if line.kind == kind {
                records.push(serde_json::from_slice(bytes).unwrap());
            }
            Ok(true)
        })
        .unwrap();
        records
    }
}

/// Who is to read from now on reads no more than that, and who was, no more than before.
#[test]
fn new_recipients_read_what_is_written_from_then_on() {
    let world = World::new();
    let first = fs::read_to_string(world.folder.path().join("keys/reader.key")).unwrap();
    let journal = world.open();
    one(&journal);
    one(&journal);
    let (second, _) = world.change(&["recipients.txt"]);
    world.renew(&journal);
    one(&journal);
    journal.close();
    assert_eq!((world.opened(&first), world.opened(&second)), (2, 1));
    let keys = world.records("keys");
    assert_eq!(keys[0]["changed"], serde_json::json!(["recipients"]));
    let named = fs::read_to_string(world.folder.path().join("keys/recipients.txt")).unwrap();
    assert_eq!(keys[0]["recipients"], serde_json::json!([named.trim()]));
    let report = world.verify_with_foreign();
    assert!(report.faults.is_empty() && report.notes.is_empty(), "{report:#?}");
    assert_eq!((report.epochs, world.kinds()["segment"]), (1, 1));
}

#[test]
fn each_search_key_finds_what_was_written_with_it() {
    let world = World::new();
    let read = || Keys::open(&world.settings).unwrap().search;
    let (first, journal) = (read(), world.open());
    one(&journal);
    world.change(&["search.key"]);
    world.renew(&journal);
    one(&journal);
    journal.close();
    let path = ["https://gp.example/A20047/fhir", "/", "Patient/9000000009"];
    let hashes = [first, read()].map(|key| key.hash(Subject::Resource, &path));
    let intents = world.records("intent");
    let found: Vec<_> =
        intents.iter().map(|intent| intent["hashes"]["resource"].as_str().unwrap()).collect();
    assert_eq!(found, hashes);
    assert_eq!(world.records("keys")[0]["changed"], serde_json::json!(["search_key"]));
}

/// A new signing key signs a tree of its own; the old one vouches for it, and requests that are
/// under way meanwhile lose nothing.
#[test]
fn a_new_signing_key_signs_a_new_epoch() {
    let world = World::new();
    let old = world.keys();
    let journal = world.open();
    one(&journal);
    let (open, durable) = journal.intend(&request()).unwrap();
    assert!(wait(durable.wait()));
    let (_, new) = world.change(&["signing.key"]);
    world.renew(&journal);
    one(&journal);
    journal.outcome(&open, &ended(), "", &[]);
    journal.close();
    let keys = world.records("keys");
    assert_eq!(keys[0]["signing_key"], new.to_string());
    let both = [old.clone(), vec![new.clone()]].concat();
    let report = verify(world.audit(), &both, &world.foreign()).unwrap();
    assert!(report.faults.is_empty() && report.notes.is_empty(), "{report:#?}");
    assert_eq!((report.epochs, report.covered), (2, report.records));
    let kinds = world.kinds();
    assert_eq!((kinds["intent"], kinds["outcome"], kinds["end"]), (3, 3, 2));
    // Who lacks one of the keys is told which checkpoints he can't judge.
    for (name, keys, file) in [
        ("the old key alone", &old[..], "00000002.checkpoints"),
        ("the new key alone", &[new][..], "00000001.checkpoints"),
    ] {
        let report = verify(world.audit(), keys, &[]).unwrap();
        let of_another =
            |fault: &Fault| fault.what.contains(file) && fault.what.ends_with("is of another key");
        assert!(report.faults.iter().all(of_another), "{name}: {report:#?}");
        assert!(!report.faults.is_empty() && report.covered > 0, "{name}: {report:#?}");
    }
    let heads = world.records("epoch");
    assert_eq!(heads[1]["head"]["previous"][0]["ended"], "stopped");
    // It goes on from there like any other.
    world.open().close();
    let report = verify(world.audit(), &both, &world.foreign()).unwrap();
    assert!(report.faults.is_empty() && report.notes.is_empty(), "{report:#?}");
}

/// Another gateway's epoch, as in an upgrade, is passed over and stays that gateway's.
#[test]
fn a_new_epoch_takes_no_number_of_another_gateway() {
    let world = World::new();
    let (one_gateway, other) = (world.open(), world.open());
    one(&other);
    let (_, new) = world.change(&["signing.key"]);
    world.renew(&one_gateway);
    one(&one_gateway);
    one(&other);
    one_gateway.close();
    other.close();
    let both = [world.keys(), vec![new]].concat();
    let report = verify(world.audit(), &both, &[]).unwrap();
    assert!(report.faults.is_empty(), "{report:#?}");
    assert_eq!((report.epochs, world.kinds()["intent"]), (3, 3));
}

#[test]
fn the_same_keys_change_nothing() {
    let world = World::new();
    let journal = world.open();
    journal.renew(Keys::open(&world.settings).unwrap());
    world.change(&["recipients.txt"]);
    world.renew(&journal);
    journal.renew(Keys::open(&world.settings).unwrap());
    one(&journal);
    journal.close();
    assert_eq!((world.kinds()["keys"], world.kinds()["segment"]), (1, 1));
}
