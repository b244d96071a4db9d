//! The addresses behind upstream names, looked up beside the traffic: a request never waits for
//! DNS, and what a request names is never looked up at all.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use hashbrown::HashMap;
use tokio::task::JoinSet;
use tracing::warn;

use crate::snapshot::Snapshot;

/// How long one look-up may take.
const LOOKUP: Duration = Duration::from_secs(5);

/// `host:port` as configured, and the addresses found last.
type Known = HashMap<String, Arc<[SocketAddr]>>;

/// The addresses of every upstream.
#[derive(Debug, Default)]
pub struct Addresses(ArcSwap<Known>);

impl Addresses {
    /// The address for a try: the first, then the others in turn.
    pub(super) fn of(&self, upstream: &str, tries: u8) -> Option<SocketAddr> {
        let known = self.0.load();
        let addresses = known.get(upstream)?;
        addresses.get(usize::from(tries) % addresses.len().max(1)).copied()
    }

    /// How many addresses an upstream has.
    pub(super) fn count(&self, upstream: &str) -> usize {
        self.0.load().get(upstream).map_or(0, |addresses| addresses.len())
    }

    /// Looks up every upstream of a snapshot, all at once. A name that can't be found keeps its last
    /// addresses, and one that the snapshot lacks keeps them too: requests under way may need it.
    pub async fn refresh(&self, snapshot: &Snapshot) {
        let mut asked = JoinSet::new();
        for upstream in &snapshot.upstreams {
            let (name, address) = (upstream.name.clone(), upstream.address.as_str().to_owned());
            asked.spawn(async move { (look_up(&address).await, name, address) });
        }
        let mut found = Known::default();
        while let Some(answer) = asked.join_next().await {
            match answer {
                Ok((Ok(addresses), _, address)) => {
                    found.insert(address, addresses);
                }
                Ok((Err(fault), upstream, address)) => {
                    warn!(upstream, address, %fault, "upstream not resolved");
                }
                Err(fault) => warn!(%fault, "upstream not looked up"),
            }
        }
        // Added, not put in their place: another look-up may have ended meanwhile.
        self.0.rcu(|known| {
            let mut known = Known::clone(known);
            known.extend(found.iter().map(|(name, all)| (name.clone(), Arc::clone(all))));
            known
        });
    }
}

async fn look_up(name: &str) -> Result<Arc<[SocketAddr]>, String> {
    if let Ok(address) = name.parse::<SocketAddr>() {
        return Ok([address].into());
    }
    let found = tokio::time::timeout(LOOKUP, tokio::net::lookup_host(name)).await;
    let found = found.map_err(|late| format!("no answer from the name service: {late}"))?;
    let found: Arc<[SocketAddr]> = found.map_err(|fault| fault.to_string())?.collect();
    if found.is_empty() { Err("the name has no address".to_owned()) } else { Ok(found) }
}
