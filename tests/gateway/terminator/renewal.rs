//! What changes while a terminator's connection is open.

use std::time::Duration;

use gpconnect_gateway::tls::issue::Order;

use super::{Behind, sha256};
use crate::exposition::Exposition;
use crate::harness::Mode;
use crate::harness::log::says;
use crate::harness::promises::once_within;
use crate::tls::{SOON, host, now, soon};

impl Behind {
    /// Waits until files have been renewed that often.
    pub(super) async fn renewed(&self, times: f64) {
        soon("files are renewed", async || {
            let page = Exposition::of(&self.world).await;
            page.sum("tls_renewals_total", &[("result", "renewed")]) == times
        })
        .await;
    }
}

/// A certificate that was accepted a moment ago, and is known, counts no more once it is revoked;
/// other callers of the terminator stay.
/// gp-connect 8.
#[tokio::test]
async fn a_revocation_counts_while_the_connection_lives() {
    let behind = Behind::start().await;
    once_within(SOON, async || a_revocation_counts(&behind).await).await;
}

async fn a_revocation_counts(behind: &Behind) -> Duration {
    let [bad, good] = Mode::BOTH.map(|mode| behind.pki.consumer(mode));
    let (bads, goods) = (Mode::BOTH[0], Mode::BOTH[1]);
    let mut staying = behind.connect().await;
    let mut ending = behind.connect().await;
    for _ in 0..2 {
        assert_eq!(staying.send(behind.told(bads, &bad)).await.status, 200);
        assert_eq!(staying.send(behind.told(goods, &good)).await.status, 200);
    }
    behind.pki.revoke(&[&bad.certificate]);
    let mut last = 200;
    let took = soon("the revocation counts", async || {
        last = ending.send(behind.told(bads, &bad)).await.status;
        last != 200
    })
    .await;
    assert_eq!(last, 495);
    assert_eq!(staying.send(behind.told(goods, &good)).await.status, 200, "others stay");
    let answer = staying.send(behind.told(bads, &bad)).await;
    assert_eq!(answer.status, 495, "on every connection");
    let line = behind.world.gateway.log.wait_for("whose it was", |line| {
        says(line, "client certificate refused") && line["sha256"] == sha256(&bad.certificate)
    });
    assert_eq!(line.await["host_name"], host(bads));
    took
}

/// A certificate that is known ends with its last second all the same.
/// gp-connect 8.
#[tokio::test]
async fn a_known_certificate_ends_with_its_last_second() {
    let behind = Behind::start().await;
    let (mut connection, caller, until) = 'good: {
        // A slow machine needs longer for a first request.
        for seconds in [3, 8, 20] {
            let order = Order { until: now() + seconds, ..Order::new(&host(Mode::Transparent)) };
            let caller = behind.pki.issue(&order);
            let mut connection = behind.connect().await;
            let status = connection.send(behind.told(Mode::Transparent, &caller)).await.status;
            if status == 200 {
                break 'good (connection, caller, order.until);
            }
            assert!(status == 495 && now() > order.until, "{status} before its time");
        }
        panic!("no request within twenty seconds");
    };
    let mut last = 200;
    soon("it ends", async || {
        last = connection.send(behind.told(Mode::Transparent, &caller)).await.status;
        last != 200
    })
    .await;
    assert_eq!(last, 495);
    assert!(now() > until, "not before its time");
}

/// The listener's own certificate and what it believes are watched like those of any other.
#[tokio::test]
async fn its_own_files_are_renewed_and_their_ends_told() {
    let behind = Behind::start().await;
    let page = Exposition::of(&behind.world).await;
    for (kind, subject) in [
        ("certificate", "CN=gateway.example"),
        ("authority", "CN=Consumers"),
        ("revocation_list", "CN=Consumers"),
    ] {
        let labels = [("owner", "listener behind"), ("kind", kind), ("subject", subject)];
        let ends = page.sum("certificate_expiry_timestamp_seconds", &labels);
        assert!(ends > now() as f64, "{kind}: {ends}");
    }
    let next = behind.pki.gateway_on_curve();
    behind.pki.show(&next);
    behind.renewed(1.0).await;
    let client = crate::tls::Client::new(behind.address(), &behind.pki, Some(&behind.terminator));
    let shown = client.try_connect().await.unwrap().ssl().peer_certificate().unwrap();
    assert_eq!(sha256(&shown), sha256(&next.certificate));
}
