//! Certificates, keys and revocation lists replaced while requests are under way.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gpconnect_gateway::tls::issue::{Issued, Order, replace};
use openssl::hash::MessageDigest;
use openssl::x509::X509Ref;

use super::Secure;
use super::pki::{DAY, host, now};
use crate::exposition::Exposition;
use crate::harness::log::says;
use crate::harness::promises::{mostly_within, once_within};
use crate::harness::{DEADLINE, Mode};

/// How soon a change is in use.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// Asks until it is true; fails when that takes too long.
pub(crate) async fn soon(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < DEADLINE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

/// An open connection does not outlive the revocation of its certificate.
/// gp-connect 8.
#[tokio::test]
async fn a_revocation_ends_open_connections() {
    let secure = Secure::start("").await;
    once_within(SOON, async || a_revocation_ends_an_open_connection(&secure).await).await;
}

async fn a_revocation_ends_an_open_connection(secure: &Secure) -> Duration {
    let (good, bad) = (secure.pki.consumer(Mode::Assist), secure.pki.consumer(Mode::Transparent));
    let mut staying = secure.client(Some(&good)).connect().await;
    let mut ending = secure.client(Some(&bad)).connect().await;
    assert_eq!(staying.send(secure.call(Mode::Assist)).await.status, 200);
    assert_eq!(ending.send(secure.call(Mode::Transparent)).await.status, 200);
    secure.pki.revoke(&[&bad.certificate]);
    let mut last = 200;
    let took = soon("the revocation counts", async || {
        last = ending.send(secure.call(Mode::Transparent)).await.status;
        last != 200
    })
    .await;
    assert_eq!(last, 495);
    let again = ending.try_send(secure.call(Mode::Transparent)).await;
    assert!(again.is_err(), "its connection is closed");
    assert_eq!(staying.send(secure.call(Mode::Assist)).await.status, 200, "others stay");
    assert_eq!(secure.client(Some(&bad)).send(secure.call(Mode::Transparent)).await.status, 495);
    let digest = bad.certificate.digest(MessageDigest::sha256()).unwrap();
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let line = secure.world.gateway.log.wait_for("whose it was", |line| {
        says(line, "client certificate refused") && line["sha256"] == digest
    });
    assert_eq!(line.await["host_name"], host(Mode::Transparent));
    took
}

/// A certificate that ends while its connection is open ends that too.
/// gp-connect 8.
#[tokio::test]
async fn a_certificate_ends_with_its_last_second() {
    let secure = Secure::start("").await;
    let (mut connection, until) = 'good: {
        // A slow machine needs longer for a first request.
        for seconds in [3, 8, 20] {
            let order = Order { until: now() + seconds, ..Order::new(&host(Mode::Transparent)) };
            let issued = secure.pki.issue(&order);
            let mut connection = secure.client(Some(&issued)).connect().await;
            let status = connection.send(secure.call(Mode::Transparent)).await.status;
            if status == 200 {
                break 'good (connection, order.until);
            }
            assert!(status == 495 && now() > order.until, "{status} before its time");
        }
        panic!("no request within twenty seconds");
    };
    let mut last = 200;
    soon("it ends", async || {
        last = connection.send(secure.call(Mode::Transparent)).await.status;
        last != 200
    })
    .await;
    assert_eq!(last, 495);
    assert!(now() > until, "not before its time");
}

/// A list that has run out still counts for what it lists, and nobody else is refused by it.
/// gp-connect 8.
#[tokio::test]
async fn a_list_that_has_run_out_still_counts() {
    let secure = Secure::start("").await;
    let (good, bad) = (secure.pki.consumer(Mode::Assist), secure.pki.consumer(Mode::Transparent));
    let mut open = secure.client(Some(&good)).connect().await;
    assert_eq!(open.send(secure.call(Mode::Assist)).await.status, 200);
    secure.pki.publish(&[&bad.certificate], now() - DAY);
    secure.renewed(1.0).await;
    assert_eq!(open.send(secure.call(Mode::Assist)).await.status, 200, "judged again");
    assert_eq!(secure.client(Some(&good)).send(secure.call(Mode::Assist)).await.status, 200);
    assert_eq!(secure.client(Some(&bad)).send(secure.call(Mode::Transparent)).await.status, 495);
    let page = Exposition::of(&secure.world).await;
    let labels = [("kind", "revocation_list"), ("subject", "CN=Consumers")];
    let ends = page.sum("certificate_expiry_timestamp_seconds", &labels);
    assert!(ends < now() as f64, "{ends}");
}

/// What can't be used changes nothing, and it is said why.
#[tokio::test]
async fn broken_files_change_nothing() {
    let secure = Secure::start("").await;
    let issued = secure.pki.consumer(Mode::Transparent);
    let foreign = gpconnect_gateway::tls::issue::Authority::root("Consumers").unwrap();
    let forged = foreign.revocation_list(&[&issued.certificate], now() + DAY).unwrap();
    let other_key = secure.pki.gateway().key.private_key_to_pem_pkcs8().unwrap();
    let mut refused = 0.0;
    for (name, file, bytes, told) in [
        ("no list", "consumers.crl", b"garbage".to_vec(), "no readable revocation list"),
        ("a forged list", "consumers.crl", forged.to_pem().unwrap(), "none of the authorities"),
        ("no certificate", "gateway.pem", Vec::new(), "no readable certificates"),
        ("another key", "gateway.key", other_key, "not the key of the certificate"),
        ("no authority", "authorities.pem", b"-----BEGIN".to_vec(), "no readable certificates"),
    ] {
        let path = secure.pki.file(file);
        let before = fs::read(&path).unwrap();
        let seen = secure.world.gateway.log.lines().len();
        replace(&path, &bytes).unwrap();
        let says_why = |line: &serde_json::Value| {
            says(line, "renewal refused")
                && line["message"].as_str().is_some_and(|text| text.contains(told))
        };
        secure.world.gateway.log.wait_behind(seen, name, says_why).await;
        refused += 1.0;
        secure.counts("tls_renewals_total", &[("result", "refused")], refused).await;
        secure.counts("tls_stale", &[("owner", "listener secure")], 1.0).await;
        let answer = secure.client(Some(&issued)).send(secure.call(Mode::Transparent)).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        replace(&path, &before).unwrap();
        secure.renewed(refused).await;
        secure.counts("tls_stale", &[("owner", "listener secure")], 0.0).await;
    }
}

/// Replaces certificate, key and list again and again while requests come in over open and over new
/// connections: none fails, and what each list revokes is refused in time, on a connection that was
/// open before and on new ones.
/// gp-connect 8.
#[tokio::test]
async fn renewals_under_load_fail_no_request() {
    let secure = Arc::new(Secure::start("").await);
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let mut callers = Vec::new();
    for mode in Mode::BOTH {
        let (secure, stop, answered) =
            (Arc::clone(&secure), Arc::clone(&stop), Arc::clone(&answered));
        callers.push(tokio::spawn(async move {
            let issued = secure.pki.consumer(mode);
            let mut kept = secure.client(Some(&issued)).connect().await;
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(kept.send(secure.call(mode)).await.status, 200);
                let answer = secure.client(Some(&issued)).send(secure.call(mode)).await;
                assert_eq!(answer.status, 200);
                answered.fetch_add(2, Ordering::Relaxed);
            }
        }));
    }
    let mut shown = None;
    let (mut lists, mut certificates) = (Vec::new(), Vec::new());
    let mut revoked: Vec<Issued> = Vec::new();
    for turn in 1..=3_u8 {
        let new = secure.pki.gateway();
        let victim = secure.pki.consumer(Mode::Transparent);
        let mut open = secure.client(Some(&victim)).connect().await;
        assert_eq!(open.send(secure.call(Mode::Transparent)).await.status, 200);
        revoked.push(victim);
        secure.pki.show(&new);
        let list: Vec<&X509Ref> = revoked.iter().map(|issued| &*issued.certificate).collect();
        secure.pki.revoke(&list);
        let began = Instant::now();
        soon("the list counts", async || {
            open.send(secure.call(Mode::Transparent)).await.status == 495
        })
        .await;
        for victim in &revoked {
            let answer = secure.client(Some(victim)).send(secure.call(Mode::Transparent)).await;
            assert_eq!(answer.status, 495, "turn {turn}: a new connection");
        }
        lists.push(began.elapsed());
        let took = soon("the new certificate is shown", async || {
            shown = shown_by(&secure).await;
            shown.as_deref() == Some(serial(&new).as_str())
        })
        .await;
        certificates.push(took);
        let before = answered.load(Ordering::Relaxed);
        soon("requests are answered", async || answered.load(Ordering::Relaxed) > before + 4).await;
    }
    mostly_within(SOON, &lists);
    mostly_within(SOON, &certificates);
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    let page = Exposition::of(&secure.world).await;
    assert_eq!(page.sum("practice_requests_total", &[("result", "failed")]), 0.0);
    assert_eq!(page.sum("tls_renewals_total", &[("result", "refused")]), 0.0);
}

/// The script of `deploy/`: takes what fits, and refuses or puts back what does not.
#[tokio::test]
async fn the_script_rotates_a_certificate() {
    let secure = Secure::start("").await;
    let issued = secure.pki.consumer(Mode::Transparent);
    let mut open = secure.client(Some(&issued)).connect().await;
    assert_eq!(open.send(secure.call(Mode::Transparent)).await.status, 200);
    let rotate = async |certificate: &str, key: &str| {
        let file = |name: &str| secure.pki.file(name);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/rotate-certificate");
        let metrics = format!("http://{}/metrics", secure.world.gateway.observe);
        let files = [file(certificate), file(key), file("gateway.pem"), file("gateway.key")];
        let run = move || Command::new(script).args(files).arg(metrics).output().unwrap();
        tokio::task::spawn_blocking(run).await.unwrap().status.success()
    };
    let (new, other) = (secure.pki.gateway(), secure.pki.gateway());
    new.write(&secure.pki.file("new.pem"), &secure.pki.file("new.key")).unwrap();
    other.write(&secure.pki.file("other.pem"), &secure.pki.file("other.key")).unwrap();
    assert!(!rotate("new.pem", "other.key").await, "they do not fit");
    assert_ne!(shown_by(&secure).await, Some(serial(&new)));
    assert!(rotate("new.pem", "new.key").await);
    assert_eq!(shown_by(&secure).await, Some(serial(&new)));
    assert_eq!(open.send(secure.call(Mode::Transparent)).await.status, 200, "it stays open");
}

/// The serial number of the certificate that the gateway shows.
async fn shown_by(secure: &Secure) -> Option<String> {
    let stream = secure.client(None).try_connect().await.ok()?;
    let certificate = stream.ssl().peer_certificate()?;
    Some(certificate.serial_number().to_bn().ok()?.to_hex_str().ok()?.to_string())
}

fn serial(issued: &Issued) -> String {
    issued.certificate.serial_number().to_bn().unwrap().to_hex_str().unwrap().to_string()
}
