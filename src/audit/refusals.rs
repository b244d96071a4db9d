//! Refusals, of which there may be a flood: those of a known caller are recorded singly up to a
//! number a second, all others are counted together, so that nobody can fill the journal.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use gpconnect::names::Asid;

use super::record::{Body, begun, hex};

/// Refusals of one known caller that are recorded singly in a second.
const SINGLY: u32 = 100;
/// How long refusals are counted together.
const PERIOD: Duration = Duration::from_secs(10);
/// Summaries of a period: a thousand a minute.
const SUMMARIES: usize = 1_000 / 6;
/// Known callers that are counted apart in a second: more than any estate has.
const CALLERS: usize = 10_000;

/// Who was refused, as far as it matters for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    /// A registered system.
    Consumer(Asid),
    /// Somebody with an accepted certificate that names no system: its first bytes.
    Certificate([u8; 8]),
    /// Somebody of this network: /24 or /64.
    Network(Option<IpAddr>),
}

impl Caller {
    /// Somebody of whom no more is known than where it calls from.
    pub(super) fn from_network(client: Option<IpAddr>) -> Self {
        Self::Network(client.map(|client| match client.to_canonical() {
            IpAddr::V4(address) => (u32::from(address) & 0xffff_ff00).to_be_bytes().into(),
            IpAddr::V6(address) => (u128::from(address) >> 64 << 64).to_be_bytes().into(),
        }))
    }
}

/// What is counted at the moment.
#[derive(Debug)]
pub(super) struct Refusals {
    since: Instant,
    since_time: SystemTime,
    counts: HashMap<(Caller, &'static str), u64, RandomState>,
    /// Those for which there was no room in `counts`.
    others: u64,
    second: Instant,
    singly: HashMap<Caller, u32, RandomState>,
    flooding: Flooding,
}

/// The known callers that have used up what is recorded singly of them in this second.
pub(super) type Flooding = Arc<ArcSwap<HashSet<Caller>>>;

impl Refusals {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            since_time: SystemTime::now(),
            counts: HashMap::default(),
            others: 0,
            second: Instant::now(),
            singly: HashMap::default(),
            flooding: Flooding::default(),
        }
    }

    /// Who floods at the moment, for whoever answers them.
    pub(super) fn flooding(&self) -> Flooding {
        Arc::clone(&self.flooding)
    }

    /// Begins another second, if it is time for that.
    fn turn(&mut self, now: Instant) {
        if now.duration_since(self.second) >= Duration::from_secs(1) {
            self.second = now;
            self.singly.clear();
            if !self.flooding.load().is_empty() {
                self.flooding.store(Arc::default());
            }
        }
    }

    /// Whether one more of a caller's refusals is to be recorded singly; else it is counted.
    pub(super) fn singly(&mut self, caller: Caller, now: Instant) -> bool {
        self.turn(now);
        if self.singly.len() >= CALLERS && !self.singly.contains_key(&caller) {
            return false;
        }
        let count = self.singly.entry(caller).or_default();
        *count += 1;
        if *count == SINGLY + 1 {
            let mut flooding = HashSet::clone(&self.flooding.load());
            flooding.insert(caller);
            self.flooding.store(Arc::new(flooding));
        }
        *count <= SINGLY
    }

    /// Counts one together with its like.
    pub(super) fn count(&mut self, caller: Caller, fault: &'static str) {
        let key = (caller, fault);
        if self.counts.len() >= SUMMARIES && !self.counts.contains_key(&key) {
            self.others += 1;
        } else {
            *self.counts.entry(key).or_default() += 1;
        }
    }

    /// The summaries of a period that is over, or of one that ends `now`.
    pub(super) fn take(&mut self, now: Instant, ends: bool) -> Vec<Body> {
        self.turn(now);
        if !ends && now.duration_since(self.since) < PERIOD {
            return Vec::new();
        }
        let since = std::mem::replace(&mut self.since_time, SystemTime::now());
        self.since = now;
        let others = std::mem::take(&mut self.others);
        let mut summaries: Vec<_> = self
            .counts
            .drain()
            .map(|((caller, fault), count)| summary(since, Some((caller, fault)), count))
            .collect();
        if others > 0 {
            summaries.push(summary(since, None, others));
        }
        summaries
    }
}

/// What was refused together; none for those of many callers and faults.
fn summary(since: SystemTime, of: Option<(Caller, &'static str)>, count: u64) -> Body {
    let mut clear = begun(SystemTime::now());
    clear.exact_moment("since", since);
    if let Some((caller, fault)) = of {
        match caller {
            Caller::Consumer(asid) => clear.word("consumer", asid.as_str()),
            Caller::Certificate(start) => {
                clear.word("certificate_sha256", &hex(&start));
            }
            Caller::Network(Some(network)) => {
                let bits = if network.is_ipv4() { 24 } else { 64 };
                clear.text("network", &format!("{network}/{bits}"));
            }
            Caller::Network(None) => {}
        }
        clear.word("fault", fault);
    } else {
        clear.flag("others", true);
    }
    clear.number("count", count);
    Body { clear: clear.into_members(), sealed: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Caller {
        Caller::from_network(address.parse().ok())
    }

    fn texts(bodies: Vec<Body>) -> Vec<String> {
        bodies.into_iter().map(|body| String::from_utf8(body.clear).unwrap()).collect()
    }

    #[test]
    fn callers_of_one_network_are_counted_together() {
        for (name, one, other, same) in [
            ("/24", "192.0.2.1", "192.0.2.254", true),
            ("two of /24", "192.0.2.1", "192.0.3.1", false),
            ("/64", "2001:db8::1", "2001:db8::ffff:0:0:1", true),
            ("two of /64", "2001:db8::1", "2001:db8:0:1::1", false),
            ("4 in 6", "::ffff:192.0.2.9", "192.0.2.1", true),
        ] {
            assert_eq!(network(one) == network(other), same, "{name}");
        }
    }

    #[test]
    fn a_flood_makes_few_records() {
        let mut refusals = Refusals::new();
        let start = refusals.since;
        for number in 0..100_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            refusals.count(Caller::from_network(Some(address)), "certificate_missing");
        }
        assert!(refusals.take(start + PERIOD / 2, false).is_empty(), "the period is not over");
        let texts = texts(refusals.take(start + PERIOD, false));
        assert_eq!(texts.len(), SUMMARIES + 1);
        let counts = texts
            .iter()
            .map(|text| text.rsplit_once("\"count\":").unwrap().1.parse::<u64>().unwrap());
        assert_eq!(counts.sum::<u64>(), 100_000, "none is lost");
        assert!(texts.iter().any(|text| text.contains("\"network\":\"0.0.0.0/24\"")));
        assert!(refusals.take(start + PERIOD * 3, false).is_empty());
    }

    #[test]
    fn a_known_caller_has_its_quota_each_second() {
        let mut refusals = Refusals::new();
        let (asid, start) = ("200000000359".parse().unwrap(), refusals.second);
        let (caller, flooding) = (Caller::Consumer(asid), refusals.flooding());
        let mut singly = |after: Duration| refusals.singly(caller, start + after);
        let first: Vec<_> = (0..100).map(|_| singly(Duration::ZERO)).collect();
        assert!(flooding.load().is_empty(), "it has not used it up before it has gone beyond it");
        let first: Vec<_> =
            first.into_iter().chain((0..50).map(|_| singly(Duration::ZERO))).collect();
        assert_eq!(first.iter().filter(|singly| **singly).count(), 100);
        assert!(flooding.load().contains(&caller), "its connections are to be closed");
        assert!(singly(Duration::from_secs(1)), "the next second");
        assert!(flooding.load().is_empty(), "in which it may go on");
        assert!(refusals.singly(Caller::Certificate([1; 8]), start), "another caller");
    }
}
