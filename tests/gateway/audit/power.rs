//! Power that is cut, under load.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::time::sleep;

use super::journal::{self, Journal};
use super::load::{self, Load};
use crate::disk::{self, Device, Kept};
use crate::harness::{DEADLINE, World, say};

/// Cuts in a row, each of what the one before it had left.
const IN_A_ROW: u32 = 5;
/// More than so many requests and flushes come before each.
const LEAST: usize = 10;

/// The journal is on a disk whose power is cut at whatever moment. What was not flushed is gone, or
/// in part: what the provider saw before has an intent still, the journal is whole, also against the
/// checkpoints that had left the machine, and the gateway starts on it. gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_loses_no_intent_of_what_the_provider_saw() {
    if disk::can_mount("a_power_cut_loses_no_intent_of_what_the_provider_saw") {
        cut_in_a_row(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a quarter of an hour: make soak"]
async fn two_hundred_power_cuts_lose_no_intent() {
    assert_eq!(disk::missing(), None);
    let (begun, mut requests, mut unknown) = (Instant::now(), 0, 0);
    for row in 0..40 {
        let (seen, lost) = cut_in_a_row(row).await;
        (requests, unknown) = (requests + seen, unknown + lost);
    }
    say(&format!(
        "200 power cuts in {:.0?}: {requests} requests at the provider, each on record once; the \
         journal whole each time, also against foreign checkpoints; {unknown} outcomes unknown",
        begun.elapsed(),
    ));
}

/// Gives back how many requests the provider saw, and how many outcomes were lost.
async fn cut_in_a_row(row: u32) -> (usize, usize) {
    let device = Device::new();
    let elsewhere = TempDir::with_prefix("gpconnect-elsewhere-").unwrap();
    let audit = device.mount.path().join("audit");
    let mut world = World::start(|plan| {
        plan.recorded = 1_000_000;
        plan.settings = format!(
            "[audit]\ndirectory = {audit:?}\nsegment_bytes = \"1 MiB\"\ncheckpoints = [{:?}]\n",
            elsewhere.path(),
        );
    })
    .await;
    std::os::unix::fs::symlink(&audit, world.gateway.folder().join("audit")).unwrap();
    let (mut seen, mut state) = (BTreeSet::new(), u64::from(row) + 1);
    for cut in 0..IN_A_ROW {
        let (load, flushed) = (Load::on(&world, cut), device.flushes());
        sleep(Duration::from_millis(20 + draw(&mut state) % 400)).await;
        // As if by chance, and behind some requests however slow the machine is.
        let (begun, mut arrived) = (Instant::now(), BTreeSet::new());
        let is_behind_some = |arrived: &BTreeSet<String>| {
            let of_it = arrived.iter().filter(|trace_id| load::is_of(cut, trace_id)).count();
            of_it > LEAST && device.flushes() > flushed + LEAST as u64
        };
        while !is_behind_some(&arrived) {
            assert!(begun.elapsed() < DEADLINE, "row {row}, cut {cut}: no requests");
            sleep(Duration::from_millis(1)).await;
            arrived.extend(super::arrived(&world));
        }
        // First what has arrived and what was witnessed, then the cut: all of that is to be there.
        arrived.extend(super::arrived(&world));
        let witnessed = files(elsewhere.path());
        let kept = Kept::ALL[(row + cut) as usize % Kept::ALL.len()];
        let image = device.cut(kept, || draw(&mut state).is_multiple_of(2));
        world.gateway.kill();
        load.end().await;
        // What comes late, while the process still runs, comes after the cut.
        for (path, _) in files(elsewhere.path()) {
            match witnessed.get(&path) {
                Some(text) => fs::write(path, text).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
        }
        seen.extend(arrived.into_iter().filter(|trace_id| load::is_of(cut, trace_id)));
        device.restart_with(image);
        world.gateway.start_again().await;
        let whole = verified(&world, elsewhere.path());
        assert!(whole.0, "row {row}, cut {cut}, {kept:?}: {}", whole.1);
    }
    assert_eq!(world.gateway.stop().await, Some(0));
    let whole = verified(&world, elsewhere.path());
    assert!(whole.0, "row {row}: {}", whole.1);
    let unknown = load::accounts_for(&Journal::read(world.gateway.folder()), &seen);
    assert!(device.flushes() > 50, "the disk was told to make things durable");
    assert!(seen.len() > 50, "row {row}: {} requests", seen.len());
    (seen.len(), unknown)
}

/// What `audit verify` says, given all checkpoints that had left the machine.
fn verified(world: &World, elsewhere: &Path) -> (bool, String) {
    let files = files(elsewhere).into_keys();
    journal::verify(world.gateway.folder(), &files.collect::<Vec<_>>())
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// A number that looks drawn.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}
