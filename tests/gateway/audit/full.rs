//! A disk that fills while requests are under way: how they end goes to the reserve, and further ones are
//! refused until there is room for it again.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use super::disks::{is_refusal, large, send, world_on};
use super::journal::Journal;
use super::{Prompt, arrived, load, read};
use crate::disk::{self, Mount, run};
use crate::harness::{Answer, DEADLINE, World};

/// Requests that are under way when the disk fills.
const UNDER_WAY: usize = 8;
/// How long the provider takes for them.
const SLOW: &str = "latency=1500ms";

/// A gateway on a disk that fills.
struct Full {
    world: World,
    /// What was let pass.
    sent: BTreeSet<String>,
    arrived: BTreeSet<String>,
    prompt: Prompt,
}

impl Full {
    async fn on(folder: &Path) -> Self {
        let world = world_on(folder, Vec::new()).await;
        let (sent, arrived) = (BTreeSet::new(), BTreeSet::new());
        Self { world, sent, arrived, prompt: Prompt::default() }
    }

    /// Begins requests, and waits until the provider has them.
    async fn begin(&mut self) -> JoinSet<Answer> {
        let mut under_way = JoinSet::new();
        for _ in 0..UNDER_WAY {
            let trace_id = Uuid::new_v4().to_string();
            let call = read(&self.world, &trace_id).with("X-Sim-Fault", SLOW);
            let mut connection = self.world.connect(call.mode).await;
            under_way.spawn(async move { connection.send(call).await });
            self.sent.insert(trace_id);
        }
        let start = Instant::now();
        while self.arrived != self.sent {
            assert!(start.elapsed() < DEADLINE, "the provider has them");
            sleep(Duration::from_millis(5)).await;
            self.arrived.extend(arrived(&self.world));
        }
        under_way
    }

    /// Uses up what is left, until a request is refused.
    async fn is_noticed(&mut self) {
        loop {
            let trace_id = Uuid::new_v4().to_string();
            let answer = self.world.send(large(&self.world, &trace_id)).await;
            if answer.status != 200 {
                is_refusal(&answer);
                break;
            }
            self.sent.insert(trace_id);
        }
        assert_eq!(self.world.observe("/readyz").await.status, 503);
        self.has_reserve(0).await;
    }

    async fn has_reserve(&self, held: u8) {
        let page = self.world.metrics().await;
        for (name, value) in [("reserve_held", held), ("writable", held)] {
            let line = format!("\ngpconnect_gateway_audit_{name} {value}\n");
            assert!(page.contains(&line), "{line} in {page}");
        }
    }

    /// Each request that was let pass has its end on record, though the disk is full, which is on
    /// record for the `full`th time. On a copy: who searches the journal itself is to be on record
    /// before, for which there is no room.
    async fn has_each_outcome(&self, full: usize) -> Journal {
        let start = Instant::now();
        loop {
            let copy = self.copy();
            let journal = Journal::read(copy.path());
            let there = (journal.of("outcome").count(), journal.of("disk_full").count());
            let expected = (self.sent.len(), full);
            if there == expected {
                journal.is_whole();
                return journal;
            }
            assert!(
                start.elapsed() < DEADLINE,
                "{there:?} of {expected:?} outcomes and full disks"
            );
        }
    }

    /// A copy of the journal and of its keys.
    fn copy(&self) -> TempDir {
        let copy = TempDir::with_prefix("gpconnect-copy-").unwrap();
        for folder in ["audit", "audit-keys"] {
            fs::create_dir(copy.path().join(folder)).unwrap();
            for file in fs::read_dir(self.world.gateway.folder().join(folder)).unwrap() {
                let file = file.unwrap();
                let to = copy.path().join(folder).join(file.file_name());
                // A gateway at work compresses and removes.
                match fs::copy(file.path(), to) {
                    Err(fault) if fault.kind() != ErrorKind::NotFound => panic!("{fault}"),
                    _ => {}
                }
            }
        }
        copy
    }

    async fn is_back(&mut self) {
        let start = Instant::now();
        while self.world.observe("/readyz").await.status != 200 {
            assert!(start.elapsed() < DEADLINE, "it is ready again");
            sleep(Duration::from_millis(5)).await;
        }
        send(&self.world, &mut self.sent, 200).await;
        self.prompt.took(start.elapsed());
        self.has_reserve(1).await;
    }
}

/// Ten times: requests are at the provider, the disk fills, they end and that is on record at once;
/// others are refused and not sent; the disk is freed, and within a second requests are let pass.
async fn ten_times(folder: &Path, mut fill: impl FnMut(), mut free: impl FnMut()) {
    let mut full = Full::on(folder).await;
    for cycle in 0..10 {
        send(&full.world, &mut full.sent, 200).await;
        let mut under_way = full.begin().await;
        fill();
        full.is_noticed().await;
        while let Some(answer) = under_way.join_next().await {
            assert_eq!(answer.unwrap().status, 200, "{cycle}");
        }
        let journal = full.has_each_outcome(cycle + 1).await;
        assert_eq!(journal.of("disk_room").count(), cycle);
        for _ in 0..5 {
            send(&full.world, &mut full.sent, 503).await;
        }
        free();
        full.is_back().await;
    }
    full.prompt.is_within_a_second();
    full.arrived.extend(arrived(&full.world));
    assert_eq!(full.arrived, full.sent, "what was refused was not sent");
    assert_eq!(full.world.gateway.stop().await, Some(0));
    let journal = Journal::read(full.world.gateway.folder());
    let unknown = load::accounts_for(&journal, &full.sent);
    assert_eq!((journal.of("intent").count(), unknown), (full.sent.len(), 0));
    assert_eq!((journal.of("disk_full").count(), journal.of("disk_room").count()), (10, 10));
    let left = fs::read_dir(folder.join("audit")).unwrap();
    let left = left.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.starts_with("reserve")).count(), 0, "it goes with a stop");
}

fn fill(filler: &Path) {
    let mut file = File::create(filler).unwrap();
    for size in [1 << 20, 4_096, 512] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    file.sync_all().ok();
}

/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_takes_the_ends_of_what_is_under_way() {
    if !disk::can_mount("a_full_disk_takes_the_ends_of_what_is_under_way") {
        return;
    }
    let mount = Mount::memory("size=24m").unwrap();
    let filler = mount.path().join("filler");
    ten_times(mount.path(), || fill(&filler), || fs::remove_file(&filler).unwrap()).await;
}

/// On a file system as servers have it, whose blocks are given out late. gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_ext4_takes_the_ends_of_what_is_under_way() {
    if !disk::can_mount("a_full_ext4_takes_the_ends_of_what_is_under_way") {
        return;
    }
    let image = tempfile::NamedTempFile::new().unwrap();
    image.as_file().set_len(48 << 20).unwrap();
    run("mkfs.ext4", &["-q", "-F", "-m", "0", image.path().to_str().unwrap()]).unwrap();
    let mount = Mount::image(image.path(), "").unwrap();
    let filler = mount.path().join("filler");
    ten_times(mount.path(), || fill(&filler), || fs::remove_file(&filler).unwrap()).await;
}

/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_inodes_takes_the_ends_of_what_is_under_way() {
    if !disk::can_mount("a_disk_without_inodes_takes_the_ends_of_what_is_under_way") {
        return;
    }
    let mount = Mount::memory("size=64m,nr_inodes=100").unwrap();
    let fillers = mount.path().join("fillers");
    let fill = || {
        fs::create_dir(&fillers).unwrap();
        let made =
            (0..).take_while(|number| File::create(fillers.join(number.to_string())).is_ok());
        assert!(made.count() < 100);
    };
    ten_times(mount.path(), fill, || fs::remove_dir_all(&fillers).unwrap()).await;
}

/// What the reserve took is as durable as all else; and a gateway that finds the disk full at its start
/// has the reserve that the one before it left behind. gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_on_a_full_disk_loses_no_outcome() {
    if !disk::can_mount("a_kill_on_a_full_disk_loses_no_outcome") {
        return;
    }
    let mount = Mount::memory("size=24m").unwrap();
    let filler = mount.path().join("filler");
    let mut full = Full::on(mount.path()).await;
    let mut under_way = full.begin().await;
    fill(&filler);
    full.is_noticed().await;
    while let Some(answer) = under_way.join_next().await {
        assert_eq!(answer.unwrap().status, 200);
    }
    full.has_each_outcome(1).await;
    full.world.gateway.kill();
    fs::remove_file(&filler).unwrap();
    full.world.gateway.start_again().await;
    full.is_back().await;
    full.has_each_outcome(1).await;

    full.world.gateway.kill();
    fill(&filler);
    full.world.gateway.start_again().await;
    assert_eq!(full.world.observe("/readyz").await.status, 503);
    send(&full.world, &mut full.sent, 503).await;
    full.has_reserve(0).await;
    fs::remove_file(&filler).unwrap();
    full.is_back().await;
    assert_eq!(full.world.gateway.stop().await, Some(0));
    let journal = Journal::read(full.world.gateway.folder());
    assert_eq!(load::accounts_for(&journal, &full.sent), 0, "no outcome is unknown");
    assert_eq!((journal.of("disk_full").count(), journal.of("disk_room").count()), (2, 1));
}
