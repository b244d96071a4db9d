//! A search by the index finds what reading everything finds, whatever becomes of the index.

mod made;
mod speed;

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::Path,
    thread,
    time::Duration,
};

use serde_json::Value;

use super::*;
use crate::audit::{keys::Subject, read, segment::Line};
use made::{Dice, Estate, Made, compress, segments};

const SMALL: Estate =
    Estate { practices: 5, consumers: 4, patients: 30, users: 7, pace: Duration::from_secs(60) };

fn small(seed: u64) -> Made {
    let mut made = Made::new(16 * 1024, SMALL, seed);
    made.requests(120);
    made.kill();
    made.requests(80);
    made.flush();
    made
}

fn bring(made: &Made) -> (Option<Index>, Caught) {
    let brought = Index::bring(&made.index(), made.folder(), Duration::ZERO);
    assert!(brought.fault.is_none(), "{brought:?}");
    (brought.index, brought.caught)
}

/// The places of what is found, an outcome behind its intent; all of it, whatever the order.
fn found(
    folder: &Path,
    index: Option<&Index>,
    query: &Query,
) -> (Vec<(Place, Option<Place>)>, Walked) {
    let mut places = Vec::new();
    let walked = walk(folder, index, query, &mut |one, outcome| {
        assert!(one.head.is_some_and(|head| head.starts_with(b"{\"v\":1,\"epoch\":")));
        places.push((one.place, outcome.map(|outcome| outcome.place)));
        Ok(true)
    });
    places.sort_unstable();
    (places, walked.unwrap())
}

/// Something to ask for, in words that need neither the query nor the index.
#[derive(Clone, Debug)]
struct Wish {
    members: Vec<(Member, String)>,
    /// A patient's hash and those of its ids.
    patient: Option<(String, Vec<String>)>,
    since: Option<String>,
    until: Option<String>,
}

impl Wish {
    fn random(made: &Made, dice: &mut Dice) -> Self {
        let mut members = Vec::new();
        let mut maybe = |odds, member, value: String, dice: &mut Dice| {
            if dice.roll(odds) == 0 {
                members.push((member, value));
            }
        };
        let (a, b, c) = (dice.roll(6), dice.roll(5), dice.roll(9));
        let user = made.hash(Subject::User, &made::user(c));
        let pick = |all: &[&str], dice: &mut Dice| all[dice.below(all.len())].to_owned();
        maybe(3, Member::Practice, made::practice(a), dice);
        maybe(4, Member::Consumer, made::consumer(b), dice);
        maybe(5, Member::User, user, dice);
        maybe(9, Member::Organisation, "RXX01".into(), dice);
        let word = pick(&["fhir:rest:search:patient-1", "fhir:rest:read:patient-1", "x"], dice);
        maybe(6, Member::Interaction, word, dice);
        let word = pick(&["intent", "outcome", "refusal", "segment", "epoch"], dice);
        maybe(8, Member::Kind, word, dice);
        let word = pick(&["allowed", "refused"], dice);
        maybe(6, Member::Decision, word, dice);
        let word = pick(&["upstream_timeout", "sender_not_accredited", "x"], dice);
        maybe(6, Member::Fault, word, dice);
        let word = pick(&["200", "404", "502", "403"], dice);
        maybe(8, Member::Status, word, dice);
        let word = pick(&["good", "refused", "failed", "provider_error"], dice);
        maybe(8, Member::Result, word, dice);
        let trace = made::trace_id(dice.roll(200));
        maybe(8, Member::TraceId, trace, dice);
        let patient = (dice.roll(3) == 0).then(|| {
            let patient = dice.roll(32);
            let resource = made.hash(Subject::Resource, &made::resource(patient, SMALL.practices));
            (made.hash(Subject::NhsNumber, &made::number(patient)), vec![resource])
        });
        let time = |dice: &mut Dice| {
            let at = made::FIRST.as_secs() + dice.roll(220) * 60;
            jiff::Timestamp::from_second(i64::try_from(at).unwrap()).unwrap().to_string()
        };
        let since = (dice.roll(4) == 0).then(|| time(dice));
        let until = (dice.roll(4) == 0).then(|| time(dice));
        Self { members, patient, since, until }
    }

    fn query(&self) -> Query {
        let mut query = Query::default();
        self.members.iter().for_each(|(member, value)| query.ask(*member, value));
        if let Some((number, ids)) = &self.patient {
            query.ask_patient(number, ids.iter().cloned());
        }
        query.between(self.since.as_deref(), self.until.as_deref());
        query
    }

    fn in_time(&self, record: &Value) -> bool {
        let second = |text: &str| text.get(..19).unwrap().to_owned();
        let time = second(record["time"].as_str().unwrap());
        self.since.as_ref().is_none_or(|since| time >= second(since))
            && self.until.as_ref().is_none_or(|until| time <= second(until))
    }

    fn is(&self, intent: Option<&Value>, outcome: Option<&Value>) -> bool {
        let says = |record: Option<&Value>, name: &str, value: &str| {
            let member = record.map(|record| &record[name]);
            member.is_some_and(|member| {
                member == value || value.parse::<u64>().is_ok_and(|number| member == number)
            })
        };
        let hash = |name: &str, value: &str| {
            intent.is_some_and(|intent| {
                let hashes = &intent["hashes"][name];
                hashes == value || hashes.as_array().is_some_and(|all| all.contains(&value.into()))
            })
        };
        let decided = |record: Option<&Value>, word: &str| {
            record.is_some_and(|record| match record["kind"].as_str().unwrap() {
                "intent" | "outcome" => word == "allowed",
                "refusal" => word == "refused",
                _ => false,
            })
        };
        let members = self.members.iter().all(|(member, value)| match member {
            Member::Practice => says(intent, "practice", value),
            Member::Consumer => says(intent, "consumer", value),
            Member::Organisation => says(intent, "organisation", value),
            Member::Interaction => says(intent, "interaction", value),
            Member::User => hash("user", value),
            Member::Fault => says(outcome, "fault", value),
            Member::Status => says(outcome, "status", value),
            Member::Result => says(outcome, "result", value),
            Member::Kind => says(intent, "kind", value) || says(outcome, "kind", value),
            Member::TraceId => says(intent, "trace_id", value) || says(outcome, "trace_id", value),
            Member::Decision => decided(intent, value) || decided(outcome, value),
            Member::NhsNumber | Member::Resource | Member::Learned | Member::Intent => {
                panic!("{member:?} is not wished for")
            }
        });
        let patient = self.patient.as_ref().is_none_or(|(number, ids)| {
            hash("nhs_number", number) || ids.iter().any(|id| hash("resource", id))
        });
        members && patient && self.in_time(intent.or(outcome).unwrap())
    }

    /// What a journal has of it.
    fn answers(&self, records: &BTreeMap<Place, Value>) -> Vec<(Place, Option<Place>)> {
        let of_intent = |record: &Value| record["intent"].as_str()?.parse::<Place>().ok();
        let outcomes: BTreeMap<Place, Place> =
            records.iter().filter_map(|(at, it)| Some((of_intent(it)?, *at))).collect();
        let mut answers = Vec::new();
        for (place, record) in records {
            let outcome = outcomes.get(place);
            let is = match record["kind"].as_str().unwrap() {
                "intent" => self.is(Some(record), outcome.map(|at| &records[at])),
                "outcome" => {
                    let intent = &records[&of_intent(record).unwrap()];
                    // An outcome stands for itself where its intent is out of time.
                    !self.in_time(intent) && self.is(None, Some(record))
                }
                _ => self.is(Some(record), Some(record)),
            };
            if is {
                answers.push((*place, outcome.copied()));
            }
        }
        answers
    }
}

fn records(folder: &Path) -> BTreeMap<Place, Value> {
    let mut records = BTreeMap::new();
    read::each(folder, |line, bytes| {
        records.insert(line.place, serde_json::from_slice(bytes)?);
        Ok(true)
    })
    .unwrap();
    records
}

/// By the index, by reading all, with segments plain and compressed, and some of them not indexed.
#[test]
fn a_search_finds_what_there_is() {
    let mut hits = 0;
    for seed in 0..8 {
        let mut dice = Dice(seed);
        let made = small(seed);
        let records = records(made.folder());
        let all = segments(made.folder());
        assert!(all.len() > 15, "{}", all.len());
        for segment in all.iter().filter(|_| dice.roll(2) == 0) {
            compress(segment).unwrap();
        }
        let (index, caught) = bring(&made);
        assert_eq!(
            caught,
            Caught { segments: all.len(), records: made.records, ..Caught::default() }
        );
        // What changes behind the index's back is read instead.
        for segment in all.iter().filter(|_| dice.roll(4) == 0) {
            let path =
                if segment.path.exists() { segment.path.clone() } else { segment.compressed() };
            fs::copy(&path, path.with_extension("copy")).unwrap();
            fs::rename(path.with_extension("copy"), path).unwrap();
        }
        for _ in 0..150 {
            let wish = Wish::random(&made, &mut dice);
            let expected = wish.answers(&records);
            hits += usize::from(!expected.is_empty());
            for index in [None, index.as_ref()] {
                let (found, walked) = found(made.folder(), index, &wish.query());
                assert_eq!(found, expected, "seed {seed}: {wish:?}, with {index:?}");
                assert!(walked.damaged.is_none() && walked.lost.is_empty(), "{walked:?}");
            }
        }
    }
    assert!(hits > 300, "{hits} of the searches found something");
}

/// Who asks for a number finds its ids by what answers told.
#[test]
fn an_index_knows_where_ids_were_told() {
    let made = small(3);
    let (index, _) = bring(&made);
    let mut told = 0;
    for patient in 0..SMALL.patients {
        let number = made.hash(Subject::NhsNumber, &made::number(patient));
        let of = |index| resources_of(made.folder(), index, &number).unwrap().0;
        let ids = of(index.as_ref());
        let id = made.hash(Subject::Resource, &made::resource(patient, SMALL.practices));
        assert!(ids.is_empty() || ids == BTreeSet::from([id]));
        assert_eq!(ids, of(None));
        told += ids.len();
    }
    assert!(told > 10, "{told}");
}

/// Whatever is damaged in it, nothing is hidden, and the next one is whole.
#[test]
fn a_damaged_index_hides_nothing() {
    let made = small(5);
    let (index, _) = bring(&made);
    drop(index);
    let file = made.index().join("index.redb");
    let whole = fs::read(&file).unwrap();
    let mut query = Query::default();
    query.ask(Member::Practice, &made::practice(1));
    let (expected, _) = found(made.folder(), None, &query);
    let mut dice = Dice(1);
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    for round in 0..60 {
        let mut bytes = whole.clone();
        match round % 3 {
            0 => bytes.truncate(dice.below(used)),
            1 => bytes[dice.below(used)] ^= 0x55,
            _ => {
                let at = dice.below(used);
                bytes[at..].iter_mut().take(5_000).for_each(|byte| *byte = 0);
            }
        }
        fs::write(&file, bytes).unwrap();
        let index = Index::bring(&made.index(), made.folder(), Duration::ZERO).index;
        let (damaged, walked) = found(made.folder(), index.as_ref(), &query);
        assert_eq!(damaged, expected, "round {round}");
        if walked.damaged.is_some() {
            index.unwrap().remove().unwrap();
        }
        let (index, _) = bring(&made);
        let (mended, walked) = found(made.folder(), index.as_ref(), &query);
        assert!(mended == expected && walked.damaged.is_none(), "round {round}");
    }
}

/// Only what is new is read, and what changed, was compressed or removed.
#[test]
fn an_index_catches_up() {
    let mut made = small(6);
    let all = segments(made.folder());
    assert_eq!(bring(&made).1.segments, all.len());
    assert_eq!(bring(&made).1, Caught::default(), "nothing is new");
    compress(&all[1]).unwrap();
    fs::remove_file(&all[0].path).unwrap();
    let changed = fs::OpenOptions::new().write(true).open(&all[2].path).unwrap();
    let times = fs::metadata(&all[2].path).unwrap().modified().unwrap();
    changed.write_at(b"3", 0).unwrap();
    changed.write_at(b"{", 0).unwrap();
    changed.set_modified(times).unwrap();
    let before = all.len();
    made.requests(30);
    made.flush();
    let (index, caught) = bring(&made);
    let new = segments(made.folder()).len() + 1 - before;
    // The segment that was written is read again.
    assert_eq!((caught.segments, caught.forgotten), (new + 3, 4), "{caught:?}");
    let mut query = Query::default();
    query.ask(Member::Practice, &made::practice(1));
    let (by_index, _) = found(made.folder(), index.as_ref(), &query);
    assert_eq!(by_index, found(made.folder(), None, &query).0);
}

/// A segment that is being written is not indexed, and what it holds is found.
#[test]
fn what_is_being_written_is_found() {
    let mut made = small(7);
    let brought = Index::bring(&made.index(), made.folder(), QUIET);
    assert_eq!(brought.caught.left, 2, "the last segments of two epochs");
    let index = brought.index.unwrap();
    let mut query = Query::default();
    query.ask(Member::Organisation, "RXX01");
    let before = found(made.folder(), Some(&index), &query).0.len();
    made.requests(10);
    made.flush();
    let after = found(made.folder(), Some(&index), &query).0;
    assert_eq!(after.len(), before + 10);
    assert_eq!(after, found(made.folder(), None, &query).0);
}

/// Several at once build one index, and each finds everything.
#[test]
fn two_at_once_do_no_harm() {
    let made = small(8);
    let mut query = Query::default();
    query.ask(Member::Practice, &made::practice(1));
    let (expected, _) = found(made.folder(), None, &query);
    let (folder, index) = (made.folder(), made.index());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let brought = Index::bring(&index, folder, Duration::ZERO);
                    let (found, walked) = found(folder, brought.index.as_ref(), &query);
                    assert!(found == expected && walked.damaged.is_none());
                }
            });
        }
    });
    let (brought, caught) = bring(&made);
    assert!(brought.is_some() && caught == Caught::default(), "{caught:?}");
}

#[test]
fn an_index_is_for_its_owner_alone_and_names_nobody() {
    let made = small(9);
    let (index, _) = bring(&made);
    drop(index);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&made.index()), 0o700);
    let file = made.index().join("index.redb");
    assert_eq!(mode(&file), 0o600);
    let bytes = fs::read(file).unwrap();
    let stands = |text: &str| memchr::memmem::find(&bytes, text.as_bytes()).is_some();
    for n in 0..SMALL.patients {
        let number = made::number(n);
        assert!(!stands(&number) && !stands(&made.hash(Subject::NhsNumber, &number)));
        assert!(!stands(&made::resource(n, SMALL.practices)));
    }
    assert!(!stands("user-") && !stands("Jones") && !stands("A2000"));
}

/// Where nothing can be written, what there is of an index is used, and the rest is read.
#[test]
fn what_can_not_be_written_is_said() {
    let made = small(10);
    fs::write(made.index(), "a file where a folder should be").unwrap();
    let brought = Index::bring(&made.index(), made.folder(), Duration::ZERO);
    assert!(matches!(brought.fault, Some(Fault::Io(_))) && brought.index.is_none(), "{brought:?}");
}

#[test]
fn a_line_that_is_no_record_hides_no_other() -> io::Result<()> {
    let made = small(11);
    let segment = segments(made.folder()).remove(3);
    let text = fs::read_to_string(&segment.path)?;
    let third = text.lines().nth(2).unwrap();
    assert!(Line::read(third.as_bytes()).is_some());
    fs::write(&segment.path, text.replace(third, &third.replace("\"time\":", "\"time\"")))?;
    let (index, _) = bring(&made);
    let mut query = Query::default();
    query.ask(Member::Organisation, "RXX01");
    let (by_index, walked) = found(made.folder(), index.as_ref(), &query);
    assert_eq!(walked.unreadable, 1);
    assert_eq!(by_index, found(made.folder(), None, &query).0);
    Ok(())
}
