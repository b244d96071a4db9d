//! Disks that fail for a while: no request is sent that is not on record, and soon after the fault's
//! end all goes on.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::time::sleep;
use uuid::Uuid;

use super::journal::Journal;
use super::{Prompt, arrived, load, read};
use crate::disk::{self, Fault, Faults, Mount, run};
use crate::exposition::Exposition;
use crate::harness::{Answer, DEADLINE, Mode, World};

/// What a fault may leave of a disk before the journal finds out: the rest of a block, the rest of a
/// segment.
const MOST: usize = 5_000;

/// A gateway whose journal is in that folder.
pub(super) async fn world_on(folder: &Path, environment: Vec<(String, String)>) -> World {
    let audit = folder.join("audit");
    let world = World::start(|plan| {
        plan.recorded = 1_000_000;
        plan.environment = environment;
        plan.settings = format!(
            "[audit]\ndirectory = {audit:?}\nsegment_bytes = \"1 MiB\"\nreserve_bytes = \"1 MiB\"\n"
        );
    })
    .await;
    std::os::unix::fs::symlink(&audit, world.gateway.folder().join("audit")).unwrap();
    world
}

/// Ten times: a fault comes, requests are refused and not sent, the fault goes, and within a second
/// requests are let pass.
async fn ten_times(mut world: World, mut come: impl FnMut(), mut go: impl FnMut()) {
    let (mut sent, mut prompt) = (BTreeSet::new(), Prompt::default());
    for cycle in 0..10 {
        send(&world, &mut sent, 200).await;
        come();
        let mut let_pass = 0;
        let refused = loop {
            let trace_id = Uuid::new_v4().to_string();
            let answer = world.send(large(&world, &trace_id)).await;
            if answer.status != 200 {
                break answer;
            }
            sent.insert(trace_id);
            let_pass += 1;
            assert!(let_pass < MOST, "{cycle}: the fault is not noticed");
        };
        is_refusal(&refused);
        assert_eq!(world.observe("/readyz").await.status, 503, "{cycle}");
        for _ in 0..5 {
            send(&world, &mut sent, 503).await;
        }
        go();
        let start = Instant::now();
        while world.observe("/readyz").await.status != 200 {
            assert!(start.elapsed() < DEADLINE, "{cycle}");
            sleep(Duration::from_millis(5)).await;
        }
        send(&world, &mut sent, 200).await;
        prompt.took(start.elapsed());
    }
    prompt.is_within_a_second();
    assert_eq!(arrived(&world), sent, "what was refused was not sent");
    assert_eq!(world.gateway.stop().await, Some(0));
    let journal = Journal::read(world.gateway.folder());
    let unknown = load::accounts_for(&journal, &sent);
    assert_eq!((journal.of("intent").count(), unknown), (sent.len(), 0));
}

pub(super) async fn send(world: &World, sent: &mut BTreeSet<String>, expected: u16) {
    let trace_id = Uuid::new_v4().to_string();
    let answer = world.send(read(world, &trace_id)).await;
    assert_eq!(answer.status, expected);
    if expected == 200 {
        sent.insert(trace_id);
    } else {
        is_refusal(&answer);
    }
}

/// Waits until that many requests have their outcome on record.
async fn have_ended(world: &World, requests: usize) {
    let requests = f64::from(u32::try_from(requests).unwrap());
    let start = Instant::now();
    loop {
        let page = Exposition::of(world).await;
        if page.sum("audit_records_total", &[("record", "outcome")]) >= requests {
            return;
        }
        assert!(start.elapsed() < DEADLINE, "{requests} outcomes");
        sleep(Duration::from_millis(5)).await;
    }
}

/// A request whose record takes much room.
pub(super) fn large(world: &World, trace_id: &str) -> crate::harness::Call {
    let path = format!("Patient/1?_format=json&padding={}", "x".repeat(6_000));
    let interaction = &crate::harness::interactions::READ_PATIENT;
    world.call(Mode::Transparent, interaction, &path).with("Ssp-TraceID", trace_id)
}

pub(super) fn is_refusal(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.json()["resourceType"], "OperationOutcome");
    assert_eq!(answer.json()["issue"][0]["diagnostics"], "Audit journal unavailable");
    assert_eq!(answer.header("retry-after"), "1");
}

/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_space_lets_nothing_pass_unrecorded() {
    if !disk::can_mount("a_disk_without_space_lets_nothing_pass_unrecorded") {
        return;
    }
    let mount = Mount::memory("size=24m").unwrap();
    let filler = mount.path().join("filler");
    let world = world_on(mount.path(), Vec::new()).await;
    let fill = || {
        let mut file = File::create(&filler).unwrap();
        while file.write_all(&[0; 4_096]).is_ok() {}
    };
    ten_times(world, fill, || fs::remove_file(&filler).unwrap()).await;
}

/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_more_files_lets_nothing_pass_unrecorded() {
    if !disk::can_mount("a_disk_that_takes_no_more_files_lets_nothing_pass_unrecorded") {
        return;
    }
    let mount = Mount::memory("size=64m,nr_inodes=100").unwrap();
    let fillers = mount.path().join("fillers");
    let world = world_on(mount.path(), Vec::new()).await;
    let fill = || {
        fs::create_dir(&fillers).unwrap();
        let made =
            (0..).take_while(|number| File::create(fillers.join(number.to_string())).is_ok());
        assert!(made.count() < 100);
    };
    ten_times(world, fill, || fs::remove_dir_all(&fillers).unwrap()).await;
}

/// As the kernel does it with a disk on which it found something wrong; the operator repairs it and
/// mounts it again. gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_was_made_read_only_lets_nothing_pass_unrecorded() {
    if !disk::can_mount("a_disk_that_was_made_read_only_lets_nothing_pass_unrecorded") {
        return;
    }
    let image = tempfile::NamedTempFile::new().unwrap();
    image.as_file().set_len(48 << 20).unwrap();
    let file = image.path().to_str().unwrap();
    run("mkfs.ext4", &["-q", "-F", file]).unwrap();
    let mount = Mount::image(image.path(), "errors=remount-ro").unwrap();
    let world = world_on(mount.path(), Vec::new()).await;
    let break_it = || {
        let device = mount.device();
        let trigger = PathBuf::from("/sys/fs/ext4").join(device).join("trigger_fs_error");
        fs::write(trigger, "1").unwrap();
        let left = fs::write(mount.path().join("x"), "x").unwrap_err();
        assert_eq!(left.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    };
    let repair = || {
        mount.end();
        // It says with a code that it had something to mend.
        run("e2fsck", &["-f", "-y", file]).ok();
        mount.again().unwrap();
    };
    ten_times(world, break_it, repair).await;
}

async fn ten_times_failing(fault: Fault) {
    let faults = Faults::new();
    let world = world_on(faults.folder.path(), faults.environment()).await;
    ten_times(world, || faults.set(fault), || faults.set(Fault::Nothing)).await;
}

/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_makes_nothing_durable_lets_nothing_pass_unrecorded() {
    ten_times_failing(Fault::Sync).await;
}

/// The kernel's journal may give up between data and commit, and then tell that all is durable.
/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_lies_as_it_becomes_read_only_lets_nothing_pass_unrecorded() {
    ten_times_failing(Fault::SyncLies).await;
}

/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_writes_lets_nothing_pass_unrecorded() {
    ten_times_failing(Fault::Write).await;
}

/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_half_of_what_is_written_lets_nothing_pass_unrecorded() {
    ten_times_failing(Fault::HalfWrite).await;
}

/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_makes_no_files_lets_nothing_pass_unrecorded() {
    ten_times_failing(Fault::Create).await;
}

/// The kernel drops what it could not write, and says so once: a later `fsync` that succeeds proves
/// nothing. The epoch ends at what was durable before. gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_fsync_dropped_is_not_believed() {
    let faults = Faults::new();
    let mut world = world_on(faults.folder.path(), faults.environment()).await;
    let (mut sent, mut prompt) = (BTreeSet::new(), Prompt::default());
    for _ in 0..10 {
        for _ in 0..3 {
            send(&world, &mut sent, 200).await;
        }
        // Else the end of one of them would meet the fault, which comes once.
        have_ended(&world, sent.len()).await;
        faults.set(Fault::SyncOnce);
        send(&world, &mut sent, 503).await;
        let start = Instant::now();
        while world.observe("/readyz").await.status != 200 {
            assert!(start.elapsed() < DEADLINE, "{:?}", start.elapsed());
            sleep(Duration::from_millis(5)).await;
        }
        prompt.took(start.elapsed());
    }
    prompt.is_within_a_second();
    assert_eq!(arrived(&world), sent, "what was refused was not sent");
    assert_eq!(world.gateway.stop().await, Some(0));
    let journal = Journal::read(world.gateway.folder());
    load::accounts_for(&journal, &sent);
    let heads: Vec<_> = journal.of("epoch").collect();
    assert_eq!(heads.len(), 11);
    for head in &heads[1..] {
        let previous = &head["head"]["previous"][0];
        assert_eq!(previous["ended"], "failed", "{head}");
        assert_eq!(previous["epoch"].as_u64().unwrap() + 1, head["epoch"].as_u64().unwrap());
    }
}
