//! The journal as a whole, in a folder of its own: what it writes, how it starts again, and what
//! `verify` says of each change.

mod compressed;
mod faults;
mod files;
mod mutations;
mod retained;
mod rotation;
mod tampering;

use std::{
    collections::BTreeMap,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use gpconnect::{decide::Filled, patients::Patients, token::Observed};
use tempfile::TempDir;

use super::{
    Journal,
    keys::{self, Keys},
    note::Verifier,
    read,
    record::Request,
    segment,
    verify::{Report, verify},
};
use crate::{
    config::Audit,
    telemetry::{Finished, Health, LogSink, Metrics, Origin, Record, Style, Telemetry},
};

/// A folder with keys and a journal.
pub(super) struct World {
    folder: TempDir,
    pub(super) settings: Audit,
    pub(super) health: Arc<Health>,
    pub(super) telemetry: Arc<Telemetry>,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        keys::make(&path("keys"), "test.example/audit").unwrap();
        fs::create_dir(path("elsewhere")).unwrap();
        let settings = Audit {
            directory: path("audit"),
            signing_key: path("keys/signing.key"),
            search_key: path("keys/search.key"),
            recipients: path("keys/recipients.txt"),
            checkpoints: vec![path("elsewhere")],
            witnesses: Vec::new(),
            log_checkpoints: false,
            segment_bytes: 16 * 1024,
            segment_age: Duration::from_secs(3_600),
            reserve_bytes: 1 << 20,
            keep: None,
            keep_bytes: None,
        };
        let log = LogSink::start(std::io::sink()).unwrap();
        let telemetry = Telemetry::new(Metrics::new().unwrap(), log, Style::Json);
        Self { folder, settings, health: Arc::default(), telemetry: Arc::new(telemetry) }
    }

    pub(super) fn open(&self) -> Journal {
        let keys = Keys::open(&self.settings).unwrap();
        let (health, telemetry) = (Arc::clone(&self.health), Arc::clone(&self.telemetry));
        Journal::open(&self.settings, keys, health, telemetry).unwrap()
    }

    /// From now on it has the keys of another one.
    pub(super) fn take_keys_of(&self, other: &Self) {
        for name in ["signing.key", "signing.pub", "search.key", "recipients.txt", "reader.key"] {
            let name = format!("keys/{name}");
            fs::copy(other.folder.path().join(&name), self.folder.path().join(&name)).unwrap();
        }
    }

    pub(super) fn audit(&self) -> &Path {
        &self.settings.directory
    }

    pub(super) fn keys(&self) -> Vec<Verifier> {
        let text = fs::read_to_string(self.folder.path().join("keys/signing.pub")).unwrap();
        vec![Verifier::read(&text).unwrap()]
    }

    /// The checkpoints that had left the machine.
    pub(super) fn foreign(&self) -> Vec<(String, String)> {
        let files = fs::read_dir(self.folder.path().join("elsewhere")).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        paths.map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap())).collect()
    }

    pub(super) fn verify(&self) -> Report {
        verify(self.audit(), &self.keys(), &[]).unwrap()
    }

    pub(super) fn verify_with_foreign(&self) -> Report {
        verify(self.audit(), &self.keys(), &self.foreign()).unwrap()
    }

    /// A journal of requests that all ended, closed.
    pub(super) fn written(requests: usize) -> Self {
        let world = Self::new();
        world.write(requests);
        world.unpack();
        world
    }

    /// Writes one more epoch of such requests.
    pub(super) fn write(&self, requests: usize) {
        let journal = self.open();
        for _ in 0..requests {
            let (ticket, durable) = journal.intend(&request()).unwrap();
            assert!(wait(durable.wait()));
            journal.outcome(&ticket, &ended(), "", &[]);
        }
        journal.close();
    }

    /// Puts plain segments in the place of compressed ones.
    pub(super) fn unpack(&self) {
        for segment in segment::list(self.audit()).unwrap().into_values().flatten() {
            if let Ok(zipped) = fs::read(segment.compressed()) {
                fs::write(&segment.path, zstd::stream::decode_all(&zipped[..]).unwrap()).unwrap();
                fs::remove_file(segment.compressed()).unwrap();
            }
        }
    }

    /// How many records there are of each kind.
    pub(super) fn kinds(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        read::each(self.audit(), |line, _| {
            *kinds.entry(line.kind.to_owned()).or_default() += 1;
            Ok(true)
        })
        .unwrap();
        kinds
    }

    pub(super) fn segments(&self) -> Vec<PathBuf> {
        let epochs = segment::list(self.audit()).unwrap();
        epochs.into_values().flatten().map(|segment| segment.path).collect()
    }
}

pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

pub(super) fn request() -> Request<'static> {
    Request {
        at: std::time::SystemTime::now(),
        trace_id: "629ea9ba-a077-4d99-b289-7a9b19fd4e03".parse().unwrap(),
        sent_trace_id: None,
        listener: "consumers",
        own: None,
        client: "192.0.2.7".parse().ok(),
        certificate: None,
        form: Some("ods"),
        consumer: "200000000359".parse().ok().zip("RXX01".parse().ok()),
        practice: "A20047".parse().ok(),
        provider: Some(("990000000101".parse().unwrap(), "https://gp.example/A20047/fhir")),
        interaction: Some(gpconnect::interaction::InteractionId::ReadPatient),
        verb: "GET",
        path: "Patient/9000000009",
        sent: [None; 3],
        filled: Filled::default(),
        reported: &[],
        patients: &Patients::None,
        access: (None, None),
        said: None,
        generation: 1,
        directory_age: Duration::ZERO,
    }
}

pub(super) fn ended() -> Record<'static> {
    Record {
        at: std::time::SystemTime::now(),
        listener: "consumers",
        own: None,
        trace_id: "629ea9ba-a077-4d99-b289-7a9b19fd4e03".parse().ok(),
        client: "192.0.2.7".parse::<IpAddr>().ok(),
        form: None,
        interaction: None,
        consumer: None,
        organisation: None,
        organisation_name: None,
        practice: None,
        practice_name: None,
        provider: None,
        issuer: None,
        token: Observed::default(),
        filled: Filled::default(),
        status: Some(200),
        origin: Origin::Provider,
        cache: None,
        finished: Finished::Answered,
        fault: None,
        note: None,
        next_proxy: None,
        patients: None,
        reported: &[],
        broken: gpconnect::contract::CheckSet::default(),
        observed: None,
        duration: Duration::from_millis(3),
        upstream: Some(Duration::from_millis(2)),
        upstream_reused: Some(true),
        tries: 1,
        received: 0,
        sent: 10,
        generation: 1,
        span: None,
    }
}

#[test]
fn what_is_written_is_whole() {
    let world = World::written(40);
    assert!(world.segments().len() > 1, "it went on in a second segment");
    let report = world.verify_with_foreign();
    assert!(report.faults.is_empty() && report.notes.is_empty(), "{report:#?}");
    assert_eq!(report.covered, report.records);
    let kinds = world.kinds();
    assert_eq!((kinds["intent"], kinds["outcome"], kinds["end"]), (40, 40, 1));
    for path in world.segments() {
        let text = fs::read_to_string(path).unwrap();
        assert!(!text.contains("9000000009"), "what a caller wrote is sealed");
    }
}

#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::written(1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(world.audit()), 0o700);
    for file in fs::read_dir(world.audit()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

/// The reader's key opens what is sealed in every segment; another opens nothing.
#[test]
fn what_is_sealed_is_opened_with_the_readers_key() {
    let world = World::written(40);
    let secret = fs::read_to_string(world.folder.path().join("keys/reader.key")).unwrap();
    let other = super::age::Identity::generate().unwrap().0;
    for (secret, expected) in [(secret.as_str(), 40), (other.as_str(), 0)] {
        let mut opener = read::Opener::new(secret.parse().unwrap());
        let mut opened = 0;
        read::each(world.audit(), |line, bytes| {
            if matches!(line.kind, "epoch" | "segment") {
                opener.take_key(bytes);
            }
            let record = serde_json::from_slice(bytes).unwrap();
            if let Some(sealed) = opener.open(line.place, &record) {
                assert_eq!(sealed["path"], "Patient/9000000009");
                opened += 1;
            }
            Ok(true)
        })
        .unwrap();
        assert_eq!(opened, expected);
    }
}

#[test]
fn a_proof_needs_no_journal() {
    let world = World::written(20);
    let keys = world.keys();
    let last = world.verify().records - 1;
    for seq in [0, 1, 17, last] {
        let place = super::Place { epoch: 1, seq };
        let proof = read::prove(world.audit(), place, &keys).unwrap();
        let (record, checkpoint) = read::check_proof(&proof, &keys).unwrap();
        assert!(record.contains(&format!("\"seq\":{seq},")), "{record}");
        assert_eq!(checkpoint.size, last + 1);
        let other = World::new().keys();
        assert!(read::check_proof(&proof, &other).is_err(), "another key");
        let moved = proof.replace(&format!("\nindex {seq}\n"), "\nindex 5\n");
        assert!(read::check_proof(&moved, &keys).is_err(), "another place");
    }
    let nowhere = super::Place { epoch: 1, seq: last + 1 };
    let refused = read::prove(world.audit(), nowhere, &keys);
    assert!(matches!(refused, Err(read::NotProven::NoSuchRecord)));
}

#[test]
fn a_flood_of_refusals_is_summed_up() {
    let world = World::new();
    let journal = world.open();
    let refused = Record { fault: Some("certificate_missing"), ..ended() };
    for number in 0..20_000_u32 {
        let client = Some(IpAddr::from(number.to_be_bytes()));
        journal.refused_at_front(None, &Record { client, ..refused.clone() });
        if number % 1_000 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    journal.close();
    let kinds = world.kinds();
    assert!(kinds["refusals"] <= 167 && !kinds.contains_key("refusal"), "{kinds:?}");
    assert!(world.verify().faults.is_empty());
}

/// Ten seconds are promised for a million records.
#[test]
#[ignore = "measures: run with --release --ignored, alone"]
fn a_million_records_verify_in_ten_seconds() {
    let mut world = World::new();
    world.settings.segment_bytes = 64 << 20;
    let journal = world.open();
    let request = request();
    let mut waiting = std::collections::VecDeque::new();
    for _ in 0..500_000 {
        let (ticket, durable) = loop {
            // What has no room yet has some as soon as an earlier one is durable.
            match journal.intend(&request) {
                Some(both) => break both,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        waiting.push_back((ticket, durable));
        if waiting.len() > 256 {
            let (ticket, durable) = waiting.pop_front().unwrap();
            assert!(wait(durable.wait()));
            journal.outcome(&ticket, &ended(), "", &[]);
        }
    }
    for (ticket, durable) in waiting {
        assert!(wait(durable.wait()));
        journal.outcome(&ticket, &ended(), "", &[]);
    }
    journal.close();
    let files = fs::read_dir(world.audit()).unwrap();
    let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    let begun = std::time::Instant::now();
    let report = world.verify_with_foreign();
    let took = begun.elapsed();
    assert!(report.faults.is_empty() && report.records > 1_000_000, "{report:#?}");
    let said = format!("\n{} records, {bytes} bytes, verified in {took:?}\n", report.records);
    std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes()).unwrap();
    assert!(took < Duration::from_secs(10), "{said}");
}

/// The published schema knows every record, refuses what is none, and lets members of later
/// versions pass.
#[test]
fn records_fit_the_published_schema() {
    let world = World::written(40);
    world.open().close();
    let schema = serde_json::from_str(super::record::SCHEMA).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    read::each(world.audit(), |line, bytes| {
        let mut record: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        let wrong: Vec<_> = schema.iter_errors(&record).map(|it| it.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:#?} in {record}");
        record["weather"] = "fair".into();
        assert!(schema.is_valid(&record), "a member that is not known yet: {record}");
        for (name, value) in [("time", "yesterday"), ("v", "1"), ("before", ""), ("kind", "")] {
            let mut strange = record.clone();
            strange[name] = value.into();
            assert!(!schema.is_valid(&strange), "{name}: {strange}");
        }
        kinds.insert(line.kind.to_owned());
        Ok(true)
    })
    .unwrap();
    assert!(kinds.len() >= 5, "{kinds:?}");
}
