//! Floods of refusals: of callers that are known, and of those that nobody knows.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use super::{journal, read};
use crate::disk::{self, Mount};
use crate::harness::{Mode, World, say};
use crate::wire::{self, Wire};

/// A known caller's refusals are recorded singly at most a hundred times a second, in a thousand
/// bytes each; the rest of a flood in summaries.
const MOST_BYTES_A_MINUTE: u64 = 10 << 20;

/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_refusals_keeps_nobody_else_from_the_journal() {
    let world = World::start(|_| {}).await;
    flood(world, Duration::from_secs(10)).await;
}

/// Into a journal that would be full after half of the time if a flood could fill it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes an hour: make soak"]
async fn an_hour_of_refusals_keeps_nobody_else_from_the_journal() {
    assert_eq!(disk::missing(), None);
    let mount = Mount::memory("size=192m").unwrap();
    let audit = mount.path().join("audit");
    let world = World::start(|plan| {
        plan.settings = format!("[audit]\ndirectory = {audit:?}\n");
    })
    .await;
    std::os::unix::fs::symlink(&audit, world.gateway.folder().join("audit")).unwrap();
    flood(world, Duration::from_secs(3_600)).await;
}

async fn flood(mut world: World, long: Duration) {
    let before = size(world.gateway.folder());
    let mut callers = JoinSet::new();
    for _ in 0..3 {
        // Of a consumer, who asks for the wrong system; of anybody, who speaks no HTTP.
        let known = read(&world, &Uuid::new_v4().to_string()).with("Ssp-To", "999999999999");
        callers.spawn(refused(world.address(Mode::Transparent), wire::bytes(&known)));
        let unknown = b"GET / HTTP/1.1\r\n\r\n".to_vec();
        callers.spawn(refused(world.address(Mode::Assist), unknown));
    }
    let (start, mut good) = (Instant::now(), 0_u64);
    while start.elapsed() < long {
        let answer = world.send(read(&world, &Uuid::new_v4().to_string())).await;
        assert_eq!(answer.status, 200, "after {:?}", start.elapsed());
        assert_eq!(world.observe("/readyz").await.status, 200, "after {:?}", start.elapsed());
        good += 1;
        sleep(Duration::from_millis(250)).await;
    }
    callers.shutdown().await;
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    let metrics = world.metrics().await;
    assert_eq!(world.gateway.stop().await, Some(0));
    let grown = size(world.gateway.folder()) - before;
    #[expect(clippy::cast_precision_loss, reason = "a figure to be read")]
    let a_minute = grown as f64 / minutes;
    let refused: f64 = metrics
        .lines()
        .filter(|line| line.starts_with("gpconnect_gateway_audit_records_total"))
        .filter(|line| line.contains("\"refusal"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    say(&format!(
        "refusals for {minutes:.1} minutes: {a_minute:.0} bytes a minute in {refused} records, \
         {good} good requests let pass, always ready"
    ));
    #[expect(clippy::cast_precision_loss, reason = "a bound of some megabytes")]
    let most = MOST_BYTES_A_MINUTE as f64;
    assert!(a_minute < most, "{a_minute} bytes a minute");
    assert!(refused > 0.0, "the flood is on record: {metrics}");
    let (whole, said) = journal::verify(world.gateway.folder(), &[]);
    assert!(whole, "{said}");
}

/// Asks without a pause what is refused, again and again.
async fn refused(address: std::net::SocketAddr, request: Vec<u8>) {
    loop {
        let Ok(stream) = TcpStream::connect(address).await else { continue };
        let mut wire = Wire::over(stream);
        for _ in 0..1_000 {
            wire.write(&request).await;
            let (reply, cut) = wire.read_any("GET").await;
            if cut.is_some() || reply.header("connection") == "close" {
                break;
            }
        }
    }
}

fn size(folder: &Path) -> u64 {
    let files = fs::read_dir(folder.join("audit")).unwrap().map(|file| file.unwrap());
    files.map(|file| file.metadata().unwrap().len()).sum()
}
