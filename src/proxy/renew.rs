//! Keys, certificates, authorities and revocation lists take effect soon after their files change,
//! without a reload and for new handshakes; connections that are open are judged by them before
//! their next request.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tracing::{error, info};

use super::service::Shared;
use crate::{
    issuers::Keys,
    snapshot::{Access, Snapshot},
    telemetry::TlsMetrics,
    tls::{Expiry, Material, Renewable, Renewal},
};

/// How often files are looked at: what changed is in use well within five seconds.
const LOOK: Duration = Duration::from_secs(1);

/// Something that ends, with whose it is.
type Owned = (String, Expiry);

/// Looks at the files of the snapshot in use, for as long as it is polled.
pub async fn renew_tls(shared: Shared) {
    let mut shown = Vec::new();
    loop {
        let expiries = renew_all(&shared.current.load(), &shared);
        if expiries != shown {
            show(&shown, &expiries, &shared.telemetry.metrics.tls);
            shown = expiries;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Keeps the keys of the issuers of the snapshot in use, for as long as it is polled. Each is waited
/// for alone: one that is slow delays no other.
pub async fn renew_keys(shared: Shared) {
    // Those that a reload has left behind are dropped, which ends their tasks.
    let mut kept = Vec::<(Arc<Keys>, JoinSet<()>)>::new();
    loop {
        let snapshot = shared.current.load();
        let is_in_use =
            |keys: &Arc<Keys>| snapshot.issuers.keys().any(|one| Arc::ptr_eq(one, keys));
        kept.retain(|(keys, _)| is_in_use(keys));
        for keys in snapshot.issuers.keys() {
            if !kept.iter().any(|(one, _)| Arc::ptr_eq(one, keys)) {
                let (kept_keys, telemetry) = (Arc::clone(keys), Arc::clone(&shared.telemetry));
                let mut task = JoinSet::new();
                task.spawn(async move { kept_keys.keep(&telemetry.metrics.issuers).await });
                kept.push((Arc::clone(keys), task));
            }
        }
        drop(snapshot);
        tokio::time::sleep(LOOK).await;
    }
}

/// Renews what has changed; gives everything that ends.
fn renew_all(snapshot: &Snapshot, shared: &Shared) -> Vec<Owned> {
    let mut expiries = Vec::new();
    for entrance in &snapshot.listeners {
        let owner = format!("listener {}", entrance.name);
        match &entrance.access {
            Access::Tls(tls) => renew(&owner, tls, shared, &mut expiries),
            Access::BehindTerminator(tls) => renew(&owner, tls, shared, &mut expiries),
            Access::InsecureEveryoneIs(_) => {}
        }
    }
    for (upstream, tls) in snapshot.upstreams.iter().zip(&snapshot.upstream_tls) {
        if let Some(tls) = tls {
            renew(&format!("upstream {}", upstream.name), tls, shared, &mut expiries);
        }
    }
    expiries
}

fn renew<M: Material>(owner: &str, tls: &Renewable<M>, shared: &Shared, expiries: &mut Vec<Owned>) {
    let metrics = &shared.telemetry.metrics.tls;
    let count = |result| metrics.renewals.with_label_values(&[result]).inc();
    match tls.renew() {
        Renewal::Unchanged => {}
        Renewal::Renewed => {
            info!(owner, "keys, certificates and revocation lists renewed");
            let note = format!("{owner}: keys, certificates and revocation lists renewed");
            shared.journal.event("certificates", &note);
            count("renewed");
        }
        Renewal::Refused(faults) => {
            for fault in faults {
                let key = &fault.file.key;
                error!(owner, key, "renewal refused, what was in use stays: {fault}");
            }
            count("refused");
        }
    }
    metrics.stale.with_label_values(&[owner]).set(tls.is_stale().into());
    expiries.extend(tls.expiries().into_iter().map(|expiry| (owner.to_owned(), expiry)));
}

fn show(old: &[Owned], new: &[Owned], metrics: &TlsMetrics) {
    for one in new {
        metrics.expiry.with_label_values(&labels(one)).set(one.1.at);
    }
    let is_there = |gone: &Owned| new.iter().any(|new| labels(new) == labels(gone));
    for gone in old.iter().filter(|old| !is_there(old)) {
        // Two that share their labels were one series, which the first removed.
        metrics.expiry.remove_label_values(&labels(gone)).unwrap_or_default();
    }
}

fn labels((owner, expiry): &Owned) -> [String; 4] {
    let file = expiry.file.path.display().to_string();
    [owner.clone(), expiry.kind.to_owned(), file, expiry.subject.clone()]
}
