//! Floods of refusals: of callers that are known, and of those that nobody knows.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gpconnect_gateway::tls::issue::{Authority, Issued, Order};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use super::{journal, read};
use crate::disk::{self, Mount};
use crate::exposition::Exposition;
use crate::harness::{Mode, World, say};
use crate::tls::{Client, Pki, host};
use crate::wire::{self, Wire};

/// A known caller's refusals are recorded singly at most a hundred times a second, in 1,400 bytes each;
/// the rest of a flood in summaries. What is over is for the second that is begun, the start, and the
/// good requests.
const MOST_BYTES_A_MINUTE: u64 = 10 << 20;

/// Callers of a flood that are known: two systems, and a certificate of none.
const KNOWN: u64 = 3;

/// What they are refused for, each by another.
const FAULTS: [&str; 5] = [
    "receiver_mismatch",
    "sender_not_caller",
    "header_missing",
    "certificate_missing",
    "certificate_refused",
];

/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_refusals_keeps_nobody_else_from_the_journal() {
    let pki = Pki::new();
    let world = World::start(|plan| plan.settings = pki.listener("")).await;
    flood(world, pki, Duration::from_secs(10)).await;
}

/// Into a journal that would be full after half of the time if a flood could fill it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes an hour: make soak"]
async fn an_hour_of_refusals_keeps_nobody_else_from_the_journal() {
    assert_eq!(disk::missing(), None);
    let (pki, mount) = (Pki::new(), Mount::memory("size=192m").unwrap());
    let audit = mount.path().join("audit");
    let world = World::start(|plan| {
        plan.settings = format!("[audit]\ndirectory = {audit:?}\n\n{}", pki.listener(""));
    })
    .await;
    std::os::unix::fs::symlink(&audit, world.gateway.folder().join("audit")).unwrap();
    flood(world, pki, Duration::from_secs(3_600)).await;
}

async fn flood(mut world: World, pki: Pki, long: Duration) {
    let before = size(world.gateway.folder());
    let mut callers = refused_callers(&world, &Arc::new(pki));
    let (start, mut good, mut slowest) = (Instant::now(), 0_u64, Duration::ZERO);
    while start.elapsed() < long {
        let asked = Instant::now();
        let answer = world.send(read(&world, &Uuid::new_v4().to_string())).await;
        slowest = slowest.max(asked.elapsed());
        assert_eq!(answer.status, 200, "after {:?}", start.elapsed());
        assert_eq!(world.observe("/readyz").await.status, 200, "after {:?}", start.elapsed());
        good += 1;
        sleep(Duration::from_millis(250)).await;
    }
    let on_record = |page: &Exposition| {
        ["refusal", "refusals"]
            .iter()
            .all(|kind| page.sum("audit_records_total", &[("record", kind)]) > 0.0)
            && FAULTS.iter().all(|fault| page.sum("requests_total", &[("fault", fault)]) > 0.0)
    };
    // A slow machine may take longer for each of them.
    let page = Exposition::once(&world, "the flood is on record", on_record).await;
    callers.shutdown().await;
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    assert_eq!(world.gateway.stop().await, Some(0));
    let grown = size(world.gateway.folder()) - before;
    let by_fault = FAULTS.map(|fault| (fault, page.sum("requests_total", &[("fault", fault)])));
    let [singly, together] =
        ["refusal", "refusals"].map(|kind| page.sum("audit_records_total", &[("record", kind)]));
    let [free, commits, took] =
        ["audit_free_percent", "audit_commit_seconds_count", "audit_commit_seconds_sum"]
            .map(|name| page.sum(name, &[]));
    say(&format!(
        "refusals for {minutes:.1} minutes: {by_fault:?}; {singly} records singly, {together} \
         together; the journal grew by {grown} bytes and {free} % are free for refusals; {good} \
         good requests let pass, the slowest in {slowest:.1?}; {commits} commits of {:.2} ms on \
         average; always ready",
        1_000.0 * took / commits,
    ));
    #[expect(clippy::cast_precision_loss, reason = "figures to be read")]
    let (a_minute, most) = (grown as f64 / minutes, (KNOWN * MOST_BYTES_A_MINUTE) as f64);
    assert!(a_minute < most, "{a_minute} bytes a minute");
    assert!(by_fault.iter().all(|(_, count)| *count > 0.0), "{by_fault:?}");
    assert!(singly > 0.0 && together > 0.0, "the flood is on record");
    let (whole, said) = journal::verify(world.gateway.folder(), &[]);
    assert!(whole, "{said}");
}

/// One for each way to be known or not, with and without a certificate.
fn refused_callers(world: &World, pki: &Arc<Pki>) -> JoinSet<()> {
    let mut callers = JoinSet::new();
    let wrong = |mode: Mode| {
        let known = read(world, &Uuid::new_v4().to_string()).with("Ssp-To", "999999999999");
        wire::bytes(&known.with("Ssp-From", mode.asid()))
    };
    callers.spawn(plain(world.address(Mode::Transparent), wrong(Mode::Transparent)));
    let no_http = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    callers.spawn(plain(world.address(Mode::Assist), no_http));
    let secure = world.gateway.listeners["secure"];
    let order = Order::new(&host(Mode::Assist));
    let nobodys = Order::new("nobody.rxx01.example");
    let foreign = Authority::root("Another Root").unwrap();
    for identity in [
        Some(pki.issue(&order)),
        Some(pki.issue(&nobodys)),
        Some(foreign.issue(&order).unwrap()),
        None,
    ] {
        callers.spawn(over_tls(secure, Arc::clone(pki), identity, wrong(Mode::Assist)));
    }
    callers
}

async fn plain(address: SocketAddr, request: Vec<u8>) {
    loop {
        let Ok(stream) = TcpStream::connect(address).await else { continue };
        refused(Wire::over(stream), &request).await;
    }
}

async fn over_tls(address: SocketAddr, pki: Arc<Pki>, identity: Option<Issued>, request: Vec<u8>) {
    let client = Client::new(address, &pki, identity.as_ref());
    loop {
        let Ok(stream) = client.try_connect().await else { continue };
        refused(Wire::over(stream), &request).await;
    }
}

/// Asks without a pause what is refused, again and again, until the connection is closed.
async fn refused<S: AsyncRead + AsyncWrite + Unpin>(mut wire: Wire<S>, request: &[u8]) {
    for _ in 0..1_000 {
        wire.write(request).await;
        let (reply, cut) = wire.read_any("GET").await;
        if cut.is_some() || reply.header("connection") == "close" {
            break;
        }
    }
}

fn size(folder: &Path) -> u64 {
    let files = fs::read_dir(folder.join("audit")).unwrap().map(|file| file.unwrap());
    files.map(|file| file.metadata().unwrap().len()).sum()
}
