//! An issuer changes its keys while requests are under way.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::issuer::{Key, Kind, jwks, signed};
use super::{Bench, contract};
use crate::harness::DEADLINE;

/// Which keys sign at the moment, and what became of it.
struct Traffic {
    old: AtomicBool,
    new: AtomicBool,
    over: AtomicBool,
    taken: AtomicUsize,
}

impl Bench {
    fn publish(&self, text: &str) {
        let path = self.folder.path().join("trust.jwks");
        gpconnect_gateway::tls::issue::replace(&path, text.as_bytes()).unwrap();
    }

    /// One request with a token of this key: whether it was taken.
    async fn takes(&self, key: &Key, alg: &str) -> bool {
        let mut wire = self.connect(&self.issued).await;
        let call = self.read(&signed(key, alg, &self.claims(&self.issued)));
        let reply = wire.exchange(&call).await;
        let refused = contract::of("access_token_refused").status;
        assert!([200, refused].contains(&reply.status), "{reply:?}");
        reply.status == 200
    }

    /// Waits until tokens of this key are taken, or are not; counts those that were.
    async fn until(&self, key: &Key, alg: &str, taken: bool) -> usize {
        let mut count = 0;
        let waiting = async {
            loop {
                let now = self.takes(key, alg).await;
                count += usize::from(now);
                if now == taken {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(DEADLINE, waiting).await.expect("keys that take effect");
        count
    }

    /// Sends with whichever keys are switched on, over one connection, and wants each taken.
    async fn traffic(&self, old: &Key, new: &Key, traffic: &Traffic) {
        let mut wire = self.connect(&self.issued).await;
        while !traffic.over.load(Ordering::Relaxed) {
            for (key, alg, on) in [(old, "RS256", &traffic.old), (new, "ES256", &traffic.new)] {
                if on.load(Ordering::Relaxed) {
                    let call = self.read(&signed(key, alg, &self.claims(&self.issued)));
                    let reply = wire.exchange(&call).await;
                    assert_eq!(reply.status, 200, "{}: {reply:?}", key.kid);
                    traffic.taken.fetch_add(1, Ordering::Relaxed);
                    if reply.header("connection") == "close" {
                        wire = self.connect(&self.issued).await;
                    }
                }
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Old keys and new ones, published in turn: while both are, neither's tokens fail; before and
/// behind, nothing passes that is not published. A file that can't be read changes nothing.
#[tokio::test]
async fn keys_are_changed_without_a_failed_request() {
    let bench = Bench::start().await;
    let (old, new) = (&bench.keys.rsa, &Key::new("p256-2", Kind::P256));
    let traffic = Traffic {
        old: AtomicBool::new(true),
        new: AtomicBool::new(false),
        over: AtomicBool::new(false),
        taken: AtomicUsize::new(0),
    };
    let change = async {
        let mut taken = 0;
        assert!(!bench.takes(new, "ES256").await, "a key that is not published");
        bench.publish(&jwks(&[old, new]));
        taken += bench.until(new, "ES256", true).await;
        traffic.new.store(true, Ordering::Relaxed);
        sleep(Duration::from_millis(300)).await;
        bench.publish("{\"keys\":[");
        sleep(Duration::from_secs(6)).await;
        traffic.old.store(false, Ordering::Relaxed);
        sleep(Duration::from_millis(300)).await;
        bench.publish(&jwks(&[new]));
        taken += bench.until(old, "RS256", false).await;
        let enough = async {
            while traffic.taken.load(Ordering::Relaxed) <= 100 {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(DEADLINE, enough).await.expect("requests are answered");
        sleep(Duration::from_millis(300)).await;
        traffic.over.store(true, Ordering::Relaxed);
        taken
    };
    let flows = async {
        let flow = || bench.traffic(old, new, &traffic);
        tokio::join!(flow(), flow(), flow(), flow())
    };
    let (taken, _) = tokio::join!(change, flows);
    let taken = taken + traffic.taken.load(Ordering::Relaxed);
    assert!(taken > 100, "only {taken} requests");
    let arrived = bench.arrived();
    assert_eq!(arrived.len(), taken, "what was taken arrived, and nothing else");
    let unminted = arrived.iter().find(|request| {
        let authorization = request.headers.iter().find(|(name, _)| name == "authorization");
        !authorization.is_some_and(|(_, value)| value.ends_with('.'))
    });
    assert_eq!(unminted, None);
    let all_written =
        |lines: &[Value]| lines.iter().filter(|line| line["issuer"] == "trust").count() >= taken;
    bench.world.gateway.log.wait_until("a line for each", all_written).await;
}
