//! Switches: what operations switch off for a while, for what reason, and what that would refuse.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc, time::Duration};

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{task::spawn_blocking, time::sleep};
use tracing::{info, warn};
use uuid::Uuid;

use super::{
    answer::{Answer, Problem},
    api::Api,
    order::{Why, object},
    query::Query,
};
use crate::{
    audit::Call,
    snapshot::{Switch, Switchable, SwitchableText},
    telemetry::Object,
};

/// The longest that anything is switched off: then somebody looks again.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366);
/// Switches at once.
const MOST: usize = 1_000;
/// How often it is looked whether one has run out.
const LOOK: Duration = Duration::from_secs(1);
/// How many of each kind a preview names.
const NAMED: usize = 20;

/// `POST /v1/switches`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OffOrder {
    #[serde(deserialize_with = "object")]
    off: SwitchableText,
    reason: Why,
    owner: Why,
    until: Timestamp,
}

/// `POST /v1/switches/{id}/on`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnOrder {
    reason: Why,
}

/// What a switch would refuse, judged by the last hour.
#[derive(Debug, Serialize)]
struct Preview {
    off: SwitchableText,
    /// How long was counted.
    over_s: u64,
    /// Requests of that time that it would have refused.
    would_refuse: u64,
    /// All requests of that time that were let pass.
    of: u64,
    /// Requests of that time that were not counted: there may be more of each.
    uncounted: u64,
    /// Whose, the most first.
    consumers: Vec<Share>,
    /// At which practices, the most first.
    practices: Vec<Share>,
    /// Which, the most first.
    interactions: Vec<Share>,
}

#[derive(Debug, Serialize)]
struct Share {
    name: String,
    requests: u64,
}

impl Api {
    /// All that is switched off.
    pub(super) fn switches(&self) -> Answer {
        Answer::json(StatusCode::OK, &json!({ "switches": self.current.switches() }))
    }

    pub(super) async fn switch_off(
        &self,
        call: &Call<'_>,
        order: OffOrder,
    ) -> Result<Answer, Problem> {
        let what = self.registered(&order.off)?;
        let now = Timestamp::now();
        if order.until <= now || order.until.duration_since(now) > LONGEST {
            let detail = "until: expected a moment within the next 366 days";
            return Err(Problem::refused("until_invalid", detail));
        }
        let _alone = self.switching.lock().await;
        let mut all = self.current.switches();
        if all.len() >= MOST {
            let detail = format!("expected at most {MOST} switches at once");
            return Err(Problem::new(StatusCode::CONFLICT, "too_many_switches", detail));
        }
        let id: String = Uuid::new_v4().simple().to_string().chars().take(8).collect();
        let switch = Switch {
            id,
            off: what.into(),
            reason: order.reason.text()?.to_owned(),
            owner: order.owner.text()?.to_owned(),
            by: call.principal.to_owned(),
            since: now,
            until: order.until,
        };
        let written = self.journal.ordered("switch_off", call, |clear, _, _| tell(&switch, clear));
        written.await.then_some(()).ok_or_else(Problem::unrecorded)?;
        all.push(switch.clone());
        self.switch(all).await?;
        let Switch { id, owner, until, .. } = &switch;
        let (off, kind) = (named(&switch.off), what.kind());
        warn!(id, kind, off, owner, %until, "switched off");
        Ok(Answer::json(StatusCode::CREATED, &switch))
    }

    pub(super) async fn switch_on(
        &self,
        call: &Call<'_>,
        id: &str,
        order: OnOrder,
    ) -> Result<Answer, Problem> {
        let reason = order.reason.text()?.to_owned();
        let _alone = self.switching.lock().await;
        let mut all = self.current.switches();
        let place = all.iter().position(|switch| switch.id == id).ok_or_else(|| {
            Problem::not_found(
                "switch_unknown",
                "there is no switch of this id; it may have run out",
            )
        })?;
        let switch = all.remove(place);
        let written = self.journal.ordered("switch_on", call, |clear, _, _| {
            tell(&Switch { reason, ..switch.clone() }, clear);
        });
        written.await.then_some(()).ok_or_else(Problem::unrecorded)?;
        self.switch(all).await?;
        info!(id, off = named(&switch.off), "switched on");
        Ok(Answer::json(StatusCode::OK, &switch))
    }

    /// What a switch would refuse.
    pub(super) fn preview(&self, query: &Query) -> Result<Answer, Problem> {
        let named = |name| query.of(name).map(str::to_owned);
        let what = self.registered(&SwitchableText {
            practice: named("practice"),
            capability: named("capability"),
            consumer: named("consumer"),
            interaction: named("interaction"),
        })?;
        let counted = self.telemetry.traffic.asked(|_| true);
        let of = counted.asked.iter().map(|(_, count)| count).sum();
        let (mut consumers, mut practices) = (BTreeMap::new(), BTreeMap::new());
        let mut interactions = BTreeMap::new();
        let mut would_refuse = 0;
        for (asked, count) in counted.asked.iter().filter(|(asked, _)| what.refuses(asked)) {
            would_refuse += count;
            *consumers.entry(asked.consumer.to_string()).or_default() += count;
            *practices.entry(asked.practice.to_string()).or_default() += count;
            *interactions.entry(asked.interaction.short().to_owned()).or_default() += count;
        }
        let preview = Preview {
            off: what.into(),
            over_s: counted.over.as_secs(),
            would_refuse,
            of,
            uncounted: counted.uncounted,
            consumers: largest(consumers),
            practices: largest(practices),
            interactions: largest(interactions),
        };
        Ok(Answer::json(StatusCode::OK, &preview))
    }

    fn registered(&self, text: &SwitchableText) -> Result<Switchable, Problem> {
        let what = text.read().map_err(|why| Problem::refused("switch_invalid", why))?;
        let found = what.find(&self.current.peek().policy);
        found.map(|_| what).ok_or_else(|| {
            let detail = format!("the directory has no such {}", what.kind());
            Problem::refused("not_registered", detail)
        })
    }

    /// Keeps the switches and puts them into use.
    async fn switch(&self, all: Vec<Switch>) -> Result<(), Problem> {
        let (current, cache) = (Arc::clone(&self.current), Arc::clone(&self.cache));
        let telemetry = Arc::clone(&self.telemetry);
        let switched = spawn_blocking(move || {
            // What was learned before is not told behind it, nor what is being asked meanwhile.
            current.switch(all, |new, changed| {
                let reaches = changed.iter().flat_map(|what| what.reaches(&new.policy));
                cache.renew(new.generation, &reaches.collect::<Vec<_>>());
                telemetry.metrics.switched(new.generation);
            })
        })
        .await;
        let switched = switched.map_err(std::io::Error::other).flatten();
        switched.map_err(|fault| {
            warn!(%fault, "switches can't be kept");
            let detail =
                format!("admin.state: the switches can't be kept, nothing was done: {fault}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "state_unwritable", detail)
        })?;
        self.count_switches();
        Ok(())
    }

    fn count_switches(&self) {
        self.telemetry.metrics.switched_off(&self.current.switch_counts());
    }

    /// Switches on again what has run out. It never ends.
    pub async fn expire(&self) {
        self.count_switches();
        loop {
            sleep(LOOK).await;
            self.expire_at(Timestamp::now()).await;
        }
    }

    async fn expire_at(&self, now: Timestamp) {
        if self.current.switches().iter().all(|switch| switch.until > now) {
            return;
        }
        let _alone = self.switching.lock().await;
        let all = self.current.switches();
        let (past, mut left): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|switch| switch.until <= now);
        for switch in past {
            // What can't be put down stays switched off until it can.
            let written = self.journal.noted("switch_expired", |clear| tell(&switch, clear)).await;
            if written {
                info!(
                    id = switch.id,
                    off = named(&switch.off),
                    "switched on: its time has run out"
                );
            } else {
                left.push(switch);
            }
        }
        // It was told to the log, and is tried again.
        drop(self.switch(left).await);
    }
}

fn tell(switch: &Switch, clear: &mut Object) {
    let Switch { id, off, reason, owner, by: _, since: _, until } = switch;
    clear.text("switch", id);
    for (name, value) in off.members() {
        clear.text(name, value);
    }
    clear.text("owner", owner);
    clear.text("until", &until.to_string());
    clear.text("reason", reason);
}

fn named(off: &SwitchableText) -> String {
    off.members().map(|(_, value)| value).collect::<Vec<_>>().join(" ")
}

fn largest(counts: BTreeMap<String, u64>) -> Vec<Share> {
    let mut shares: Vec<_> =
        counts.into_iter().map(|(name, requests)| Share { name, requests }).collect();
    shares.sort_by_key(|share| Reverse(share.requests));
    shares.truncate(NAMED);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first() {
        let counts = (0..30_u64).map(|count| (format!("{count:02}"), count)).collect();
        let shares = largest(counts);
        assert_eq!((shares.len(), shares[0].requests, &*shares[1].name), (NAMED, 29, "28"));
    }
}
