//! Files of the journal that are taken away under a gateway at work. Whoever has them open is not
//! disturbed by that; the gateway looks, and lets nothing pass that nobody would find.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::disks::send;
use super::journal::{self, Journal};
use super::load;
use crate::harness::log::says;
use crate::harness::promises::once_within;
use crate::harness::{DEADLINE, World};

/// In so long it is noticed, and in so long after the end of it all goes on.
const SOON: Duration = Duration::from_secs(1);
/// In so long it would have gone on, if it wanted to.
const A_WHILE: Duration = Duration::from_millis(1_500);

/// Has it happen again and again until it was noticed, and over, as soon as is promised.
async fn in_time(happens: impl AsyncFn() -> Gone) {
    once_within(SOON, async || happens().await.slowest).await;
}

struct Gone {
    world: World,
    sent: BTreeSet<String>,
    folder: PathBuf,
    away: PathBuf,
    /// How long the slowest took of what is promised to come soon.
    slowest: Duration,
}

impl Gone {
    /// A gateway with two epochs on record.
    async fn after_a_restart() -> Self {
        let mut world = World::start(|_| {}).await;
        let mut sent = BTreeSet::new();
        send(&world, &mut sent, 200).await;
        assert_eq!(world.gateway.stop().await, Some(0));
        world.gateway.start_again().await;
        send(&world, &mut sent, 200).await;
        let (folder, away) =
            (world.gateway.folder().join("audit"), world.gateway.folder().join("away"));
        Self { world, sent, folder, away, slowest: Duration::ZERO }
    }

    async fn becomes(&mut self, status: u16) {
        let start = Instant::now();
        while self.world.observe("/readyz").await.status != status {
            assert!(start.elapsed() < DEADLINE, "readyz is not {status}");
            sleep(Duration::from_millis(5)).await;
        }
        self.slowest = self.slowest.max(start.elapsed());
    }

    async fn log_says(&self, text: &str) -> serde_json::Value {
        self.world.gateway.log.wait_for(text, |line| says(line, text)).await
    }

    /// It is noticed, requests are refused, and the log says what to do.
    async fn is_refused(&mut self) {
        self.becomes(503).await;
        send(&self.world, &mut self.sent, 503).await;
        let why = self.log_says("audit journal can't be written, requests are refused").await;
        let what = "00000002-000000000000.segment: it was removed, or moved with its folder";
        assert_eq!(why["fault"], what);
        self.log_says("the audit journal is gone from its folder").await;
    }

    async fn stays_refused(&mut self) {
        sleep(A_WHILE).await;
        assert_eq!(self.world.observe("/readyz").await.status, 503);
        send(&self.world, &mut self.sent, 503).await;
    }

    /// It goes on by itself, and says what had happened.
    async fn goes_on(mut self) -> Self {
        self.becomes(200).await;
        send(&self.world, &mut self.sent, 200).await;
        assert_eq!(self.world.gateway.stop().await, Some(0));
        let journal = Journal::read(self.world.gateway.folder());
        assert_eq!(load::accounts_for(&journal, &self.sent), 0);
        let heads: Vec<_> = journal.of("epoch").collect();
        assert_eq!(heads.len(), 3);
        is_told(heads[2]);
        self
    }
}

/// The head of the third epoch says how the second ended.
fn is_told(head: &serde_json::Value) {
    let told = &head["head"]["previous"][0];
    assert_eq!((&told["epoch"], &told["ended"]), (&2.into(), &"failed".into()), "{head}");
    assert!(told["fault"].as_str().unwrap().contains("it was removed"), "{head}");
}

/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_moved_away_is_missed_until_it_is_back() {
    in_time(async || {
        let mut gone = Gone::after_a_restart().await;
        fs::rename(&gone.folder, &gone.away).unwrap();
        gone.is_refused().await;
        gone.stays_refused().await;
        assert!(!gone.folder.exists(), "it is not made again");
        fs::rename(&gone.away, &gone.folder).unwrap();
        gone.goes_on().await
    })
    .await;
}

/// As when its disk was unmounted: the empty folder below it is no place for a journal.
/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_folder_in_its_place_is_left_alone() {
    in_time(async || {
        let mut gone = Gone::after_a_restart().await;
        fs::rename(&gone.folder, &gone.away).unwrap();
        fs::create_dir(&gone.folder).unwrap();
        gone.is_refused().await;
        gone.stays_refused().await;
        assert_eq!(fs::read_dir(&gone.folder).unwrap().count(), 0, "nothing is written there");
        fs::remove_dir(&gone.folder).unwrap();
        fs::rename(&gone.away, &gone.folder).unwrap();
        gone.goes_on().await
    })
    .await;
}

/// What was removed can't come back; who wants a new journal starts the gateway again.
/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_removed_is_not_made_again_but_by_a_start() {
    in_time(async || {
        let mut gone = Gone::after_a_restart().await;
        fs::create_dir(&gone.away).unwrap();
        fs::remove_dir_all(&gone.folder).unwrap();
        gone.is_refused().await;
        gone.stays_refused().await;
        assert!(!gone.folder.exists(), "it is not made again");
        fs::rename(&gone.away, &gone.folder).unwrap();
        gone.stays_refused().await;
        assert_eq!(gone.world.gateway.stop().await, Some(0));
        gone.world.gateway.start_again().await;
        gone.sent.clear();
        send(&gone.world, &mut gone.sent, 200).await;
        assert_eq!(gone.world.gateway.stop().await, Some(0));
        let journal = Journal::read(gone.world.gateway.folder());
        assert_eq!(load::accounts_for(&journal, &gone.sent), 0);
        gone
    })
    .await;
}

/// The journal goes on where the others of its files are, and `verify` names what is missing.
/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_is_removed_while_it_is_written_is_missed() {
    in_time(async || {
        let mut gone = Gone::after_a_restart().await;
        fs::remove_file(gone.folder.join("00000002-000000000000.segment")).unwrap();
        let start = Instant::now();
        let why = gone.log_says("audit journal can't be written, requests are refused").await;
        gone.slowest = gone.slowest.max(start.elapsed());
        assert!(why["fault"].as_str().unwrap().contains("it was removed"), "{why}");
        gone.log_says("audit journal can be written again").await;
        gone.becomes(200).await;
        send(&gone.world, &mut gone.sent, 200).await;
        assert_eq!(gone.world.gateway.stop().await, Some(0));
        is_told(Journal::read(gone.world.gateway.folder()).of("epoch").last().unwrap());
        let (whole, said) = journal::verify(gone.world.gateway.folder(), &[]);
        assert!(!whole && said.contains("epoch 2: all of its files are missing"), "{said}");
        gone
    })
    .await;
}

/// Whoever removes the reserve changes nothing: it is made again.
#[tokio::test(flavor = "multi_thread")]
async fn a_reserve_that_is_removed_is_made_again() {
    in_time(async || {
        let mut gone = Gone::after_a_restart().await;
        let reserve = ["reserve-1", "reserve-1-checkpoints"].map(|name| gone.folder.join(name));
        for file in &reserve {
            fs::remove_file(file).unwrap();
            let start = Instant::now();
            while !file.exists() {
                assert!(start.elapsed() < DEADLINE, "{}", file.display());
                send(&gone.world, &mut gone.sent, 200).await;
            }
            gone.slowest = gone.slowest.max(start.elapsed());
        }
        assert_eq!(gone.world.gateway.stop().await, Some(0));
        assert!(!reserve.iter().any(|file| file.exists()), "it goes with a stop");
        let journal = Journal::read(gone.world.gateway.folder());
        assert_eq!(load::accounts_for(&journal, &gone.sent), 0);
        gone
    })
    .await;
}
