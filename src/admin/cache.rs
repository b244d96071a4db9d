//! What is in memory, and its purge.

use std::collections::BTreeMap;

use gpconnect::interaction::{InteractionId, TABLE};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    answer::{Answer, Problem},
    api::Api,
    order::Why,
};
use crate::{
    audit::Call,
    cache::Reach,
    snapshot::{Snapshot, Switchable, SwitchableText},
};

/// Answers in memory, in `GET /v1/status`.
#[derive(Debug, Serialize)]
pub(super) struct CacheState {
    enabled: bool,
    answers: i64,
    bytes: i64,
    /// What all of them may take.
    most_bytes: usize,
    /// Requests that wait for a provider's answer.
    waiting: i64,
    /// Answers that went before their time, for want of room.
    evicted: u64,
    /// Requests since the start by how they fared.
    requests: BTreeMap<&'static str, u64>,
}

/// `POST /v1/cache/purge`: one of practice, interaction and all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PurgeOrder {
    practice: Option<String>,
    /// Beside a practice: its service root for this alone.
    capability: Option<String>,
    interaction: Option<String>,
    all: bool,
    reason: Option<Why>,
}

/// What is to be purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purge {
    All,
    Of(Switchable),
}

impl Api {
    pub(super) fn cache_state(&self) -> CacheState {
        let (snapshot, metrics) = (self.current.load(), &self.telemetry.metrics.cache);
        CacheState {
            enabled: snapshot.cache.enabled,
            answers: metrics.entries.get(),
            bytes: metrics.bytes.get(),
            most_bytes: snapshot.startup.cache_bytes,
            waiting: metrics.waiting.get(),
            evicted: metrics.evicted.get(),
            requests: metrics.fared(),
        }
    }

    /// Has no answer told any more that is in memory or on its way there.
    pub(super) async fn purge(
        &self,
        call: &Call<'_>,
        order: PurgeOrder,
    ) -> Result<Answer, Problem> {
        let purge = order.read()?;
        purge.reaches(&self.current.load())?;
        let told = purge.members();
        let members: Vec<_> = told.iter().map(|(name, value)| (*name, &**value)).collect();
        self.put_down(call, order.reason.as_ref(), &members).await?;
        // As the directory is now: the journal may have taken a while.
        let snapshot = self.current.load();
        let answers = self.cache.purge(&purge.reaches(&snapshot)?);
        Ok(Answer::json(StatusCode::OK, &json!({ "answers": answers })))
    }
}

impl PurgeOrder {
    fn read(&self) -> Result<Purge, Problem> {
        let wrong = |why: &str| Err(Problem::refused("purge_invalid", why));
        match (&self.practice, &self.interaction, self.all, &self.capability) {
            (None, None, true, None) => Ok(Purge::All),
            (Some(_), None, false, _) | (None, Some(_), false, None) => {
                let (practice, capability) = (self.practice.clone(), self.capability.clone());
                let interaction = self.interaction.clone();
                let text = SwitchableText { practice, capability, interaction, consumer: None };
                let what = text.read().map_err(|why| Problem::refused("purge_invalid", why))?;
                if let Switchable::Interaction(id) = what
                    && id.row().kept.is_none()
                {
                    let kept = kept();
                    return wrong(&format!(
                        "interaction: its answers are never kept; those of {kept} are"
                    ));
                }
                Ok(Purge::Of(what))
            }
            _ => wrong(
                "expected one of practice, interaction and all: true; beside practice capability \
                 may stand",
            ),
        }
    }
}

impl Purge {
    fn reaches(self, snapshot: &Snapshot) -> Result<Vec<Reach<'_>>, Problem> {
        let Self::Of(what) = self else { return Ok(vec![Reach::All]) };
        let absent = |why: &str| Problem::refused("not_registered", why);
        what.find(&snapshot.policy)
            .ok_or_else(|| absent("practice: the directory has no practice of this code"))?;
        let reaches = what.reaches(&snapshot.policy);
        if reaches.is_empty() {
            return Err(absent("capability: the practice has no service root for it"));
        }
        Ok(reaches)
    }

    /// As the journal is told.
    fn members(self) -> Vec<(&'static str, String)> {
        match self {
            Self::All => vec![("purge", String::from("all"))],
            Self::Of(what) => {
                let text = SwitchableText::from(what);
                let kind = [("purge", what.kind().to_owned())];
                let members = text.members().map(|(name, value)| (name, value.to_owned()));
                kind.into_iter().chain(members).collect()
            }
        }
    }
}

/// The interactions whose answers may be kept.
fn kept() -> String {
    let kept = TABLE.iter().filter(|row| row.kept.is_some()).map(|row| row.id);
    kept.map(InteractionId::short).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read(order: Value) -> Result<Purge, &'static str> {
        let order: PurgeOrder = serde_json::from_value(order).unwrap();
        order.read().map_err(|problem| problem.fault)
    }

    #[test]
    fn a_purge_names_one_thing() {
        for (order, members) in [
            (json!({"all": true}), json!([["purge", "all"]])),
            (json!({"practice": "A20047"}), json!([["purge", "practice"], ["practice", "A20047"]])),
            (
                json!({"practice": "A20047", "capability": "structured"}),
                json!([
                    ["purge", "capability"],
                    ["practice", "A20047"],
                    ["capability", "structured"]
                ]),
            ),
            (
                json!({"interaction": "fhir:rest:read:metadata-1"}),
                json!([["purge", "interaction"], ["interaction", "fhir:rest:read:metadata-1"]]),
            ),
        ] {
            assert_eq!(json!(read(order.clone()).unwrap().members()), members, "{order}");
        }
        for order in [
            json!({}),
            json!({"all": false}),
            json!({"all": true, "practice": "A20047"}),
            json!({"practice": "A20047", "interaction": "fhir:rest:read:metadata-1"}),
            json!({"capability": "structured"}),
            json!({"interaction": "fhir:rest:read:metadata-1", "capability": "structured"}),
            json!({"practice": "a20047"}),
            json!({"practice": "A20047", "capability": "x"}),
            json!({"interaction": "x"}),
            json!({"interaction": "fhir:rest:read:patient-1"}),
        ] {
            assert_eq!(read(order.clone()).unwrap_err(), "purge_invalid", "{order}");
        }
    }
}
