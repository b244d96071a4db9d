//! Journals made quickly by the code that writes the real ones, without its waiting for the disk.

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use gpconnect::{
    interaction::InteractionId,
    names::NhsNumber,
    patients::{Known, Patient, Patients},
    token::{self, Payload, Said},
};
use serde_json::json;

use crate::{
    audit::{
        Place,
        epoch::{Epoch, Start},
        keys::{self, Keys, SearchKey},
        record::{self, Request},
        segment::{self, Segment},
        tests::{World, ended, request},
    },
    telemetry::Record,
};

/// What there is of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estate {
    pub(super) practices: u64,
    pub(super) consumers: u64,
    pub(super) patients: u64,
    pub(super) users: u64,
    /// So many seconds lie between two requests.
    pub(super) pace: Duration,
}

/// Pseudo-random numbers that are the same each time.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    pub(super) fn below(&mut self, length: usize) -> usize {
        usize::try_from(self.roll(length as u64)).unwrap()
    }
}

/// Number `n` of the synthetic NHS numbers of the 999 range.
pub(super) fn number(n: u64) -> String {
    let with_check = |digit| format!("999{:06}{digit}", n * 7 % 1_000_000);
    let good = |text: &String| text.parse::<NhsNumber>().is_ok();
    (0..10).map(with_check).find(good).unwrap_or_else(|| number(n + 100_003))
}

pub(super) fn practice(n: u64) -> String {
    format!("A{:05}", 20_000 + n)
}

pub(super) fn consumer(n: u64) -> String {
    format!("2000{n:08}")
}

pub(super) fn user(n: u64) -> String {
    format!("user-{n}")
}

pub(super) fn trace_id(n: u64) -> String {
    format!("629ea9ba-a077-4d99-b289-{n:012x}")
}

pub(super) const FIRST: Duration = Duration::from_secs(1_793_491_200);

/// A journal that is being made.
pub(super) struct Made {
    world: World,
    key: SearchKey,
    keys: Keys,
    epoch: Epoch,
    estate: Estate,
    dice: Dice,
    lines: Vec<u8>,
    open: VecDeque<(Place, u64, bool)>,
    requests: u64,
    pub(super) records: u64,
    /// The patient and the trace id of the last request that was let pass.
    pub(super) last: Option<(u64, String)>,
}

impl Made {
    pub(super) fn new(segment_bytes: usize, estate: Estate, seed: u64) -> Self {
        let mut world = World::new();
        world.settings.segment_bytes = segment_bytes;
        Self::within(world, estate, seed)
    }

    fn within(world: World, estate: Estate, seed: u64) -> Self {
        let keys = Keys::open(&world.settings).unwrap();
        fs::create_dir_all(world.audit()).unwrap();
        let epoch = begin(world.audit(), 1, &keys);
        let (key, dice) = (keys.search.clone(), Dice(seed));
        Self {
            world,
            key,
            keys,
            epoch,
            estate,
            dice,
            lines: Vec::new(),
            open: VecDeque::new(),
            requests: 0,
            records: 1,
            last: None,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        self.world.audit()
    }

    pub(super) fn index(&self) -> PathBuf {
        self.folder().join("index")
    }

    pub(super) fn hash(&self, subject: keys::Subject, text: &str) -> String {
        self.key.hash(subject, &[text])
    }

    pub(super) fn at(&self, request: u64) -> SystemTime {
        UNIX_EPOCH + FIRST + self.estate.pace * u32::try_from(request).unwrap()
    }

    /// Writes so many requests: of some the outcome comes much later, some are refused, some answers
    /// tell whose id it is.
    pub(super) fn requests(&mut self, count: u64) {
        for _ in 0..count {
            let n = self.requests;
            self.requests += 1;
            match self.dice.roll(20) {
                0 => self.refusal(n),
                _ => self.intent(n),
            }
            let late = self.dice.below(8);
            while self.open.len() > late {
                self.outcome();
            }
            if self.lines.len() > 1 << 20 {
                self.flush();
            }
        }
    }

    /// Writes what there is.
    pub(super) fn flush(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        self.epoch.write(&lines).unwrap();
        if self.epoch.segment_bytes() >= self.world.settings.segment_bytes {
            let open: Vec<_> = self.open.iter().map(|(place, ..)| *place).collect();
            self.epoch.rotate(&self.keys.recipients, &open, None).unwrap();
            self.records += 1;
        }
    }

    /// Goes on in another epoch; what was open is left without outcome, as after a kill.
    pub(super) fn kill(&mut self) {
        self.flush();
        self.open.clear();
        self.epoch = begin(self.world.audit(), self.epoch.number() + 1, &self.keys);
        self.records += 1;
    }

    fn intent(&mut self, n: u64) {
        let is_search = self.dice.roll(3) == 0;
        let patient = self.dice.roll(self.estate.patients);
        let body = self.with_request(n, patient, is_search, record::intent);
        let place = self.put("intent", None, &body);
        self.open.push_back((place, patient, is_search));
        self.last = Some((patient, trace_id(place.seq)));
    }

    fn refusal(&mut self, n: u64) {
        let trace_id = trace_id(n);
        let refused = Record {
            status: Some(403),
            fault: Some("sender_not_accredited"),
            trace_id: trace_id.parse().ok(),
            ..ended()
        };
        let patient = self.dice.roll(self.estate.patients);
        let body = self.with_request(n, patient, false, |request, key| {
            record::refusal(request, &refused, key)
        });
        self.put("refusal", None, &body);
    }

    fn outcome(&mut self) {
        let Some((intent, patient, tells)) = self.open.pop_front() else { return };
        let trace = trace_id(intent.seq);
        let (status, fault) = match self.dice.roll(30) {
            0 => (504, Some("upstream_timeout")),
            1 => (502, Some("upstream_unreachable")),
            2 => (404, None),
            _ => (200, None),
        };
        let record =
            Record { status: Some(status), fault, trace_id: trace.parse().ok(), ..ended() };
        let known = Known {
            id: format!("p{patient}").into(),
            numbers: vec![Patient::Number(number(patient).parse().unwrap())],
        };
        let known = if tells && fault.is_none() { vec![known] } else { Vec::new() };
        let root = root(patient % self.estate.practices);
        let body = record::outcome(&record, &root, &known, &self.key);
        self.put("outcome", Some(intent), &body);
    }

    fn put(&mut self, kind: &'static str, intent: Option<Place>, body: &record::Body) -> Place {
        self.records += 1;
        let place = self.epoch.encode(kind, intent, body, &mut self.lines).unwrap();
        // So that small segments end where they should.
        if self.epoch.segment_bytes() + self.lines.len() >= self.world.settings.segment_bytes {
            self.flush();
        }
        place
    }

    fn with_request<T>(
        &mut self,
        n: u64,
        patient: u64,
        is_search: bool,
        then: impl FnOnce(&Request<'_>, &SearchKey) -> T,
    ) -> T {
        let practice = patient % self.estate.practices;
        let (consumer, user_id) =
            (self.dice.roll(self.estate.consumers), self.dice.roll(self.estate.users));
        let claims = Payload::from_json(
            json!({
                "sub": user(user_id), "iss": "https://epr.example",
                "reason_for_request": "directcare", "requested_scope": "patient/*.read",
                "requesting_practitioner": {
                    "id": user_id.to_string(),
                    "name": [{"family": "Jones", "given": ["Ann"], "prefix": ["Dr"]}],
                    "identifier": [
                        {"system": "https://fhir.nhs.uk/Id/sds-user-id", "value": user(user_id)},
                        {"system": "https://fhir.nhs.uk/Id/sds-role-profile-id", "value": "R8000"},
                    ],
                },
                "requesting_device": {"model": "EPR", "version": "1",
                    "identifier": [{"system": "https://epr.example/device", "value": "d"}]},
                "requesting_organization": {"name": "Trust", "identifier": [
                    {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "RXX01"}]},
            })
            .to_string()
            .into_bytes(),
        );
        let number = number(patient);
        let (root, path) = (root(practice), path(patient, is_search, &number));
        let (interaction, patients) = if is_search {
            let number = number.parse().unwrap();
            (InteractionId::SearchPatient, Patients::One(Patient::Number(number)))
        } else {
            (InteractionId::ReadPatient, Patients::None)
        };
        then(
            &Request {
                at: self.at(n),
                trace_id: trace_id(self.next_seq()).parse().unwrap(),
                consumer: self::consumer(consumer).parse().ok().zip("RXX01".parse().ok()),
                practice: self::practice(practice).parse().ok(),
                provider: Some(("990000000101".parse().unwrap(), &root)),
                interaction: Some(interaction),
                path: &path,
                patients: &patients,
                said: Some(&Said::of(&token::read(&claims).unwrap())),
                ..request()
            },
            &self.key,
        )
    }

    fn next_seq(&self) -> u64 {
        self.epoch.tree().size()
    }
}

fn begin(folder: &Path, number: u64, keys: &Keys) -> Epoch {
    let start = Start {
        folder: folder.to_owned(),
        number,
        recipients: &keys.recipients,
        previous: Vec::new(),
        open: Vec::new(),
        removed: None,
        reserve: None,
    };
    Epoch::begin(start).unwrap()
}

pub(super) fn root(practice: u64) -> String {
    format!("https://gp.example/{}/STU3/1/gpconnect/fhir", self::practice(practice))
}

fn path(patient: u64, is_search: bool, number: &str) -> String {
    if is_search {
        format!("Patient?identifier=https://fhir.nhs.uk/Id/nhs-number%7C{number}")
    } else {
        format!("Patient/p{patient}")
    }
}

/// The hash of what an id of a patient stands for.
pub(super) fn resource(patient: u64, practices: u64) -> String {
    format!("{}/Patient/p{patient}", root(patient % practices))
}

/// Puts a compressed segment in the place of a plain one: zstd frames of whole lines.
pub(super) fn compress(segment: &Segment) -> io::Result<()> {
    let text = fs::read(&segment.path)?;
    let mut packed = Vec::new();
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    for lines in lines.chunks(5) {
        packed.extend(zstd::bulk::compress(&lines.concat(), 3)?);
    }
    fs::write(segment.compressed(), packed)?;
    fs::remove_file(&segment.path)
}

/// The segments of a journal.
pub(super) fn segments(folder: &Path) -> Vec<Segment> {
    segment::list(folder).unwrap().into_values().flatten().collect()
}
