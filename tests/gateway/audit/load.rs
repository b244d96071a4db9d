//! Callers without end, and the account that the journal gives of them.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::journal::Journal;
use crate::harness::interactions::READ_PATIENT;
use crate::harness::{Mode, World};
use crate::wire::{self, Wire};

const CALLERS: usize = 8;

/// Callers that ask again and again; they end with this handle.
pub(super) struct Load(JoinSet<()>);

impl Load {
    /// Their trace ids begin with the mark, see [`is_of`].
    pub(super) fn on(world: &World, mark: u32) -> Self {
        let mut callers = JoinSet::new();
        // So much that segments are followed by others at times.
        let path = format!("Patient/1?_format=json&padding={}", "x".repeat(2_000));
        for _ in 0..CALLERS {
            let address = world.address(Mode::Transparent);
            let call = world.call(Mode::Transparent, &READ_PATIENT, &path);
            callers.spawn(async move {
                let Ok(stream) = TcpStream::connect(address).await else { return };
                let mut wire = Wire::over(stream);
                loop {
                    let call = call.clone().with("Ssp-TraceID", &trace_id(mark));
                    wire.write(wire::bytes(&call)).await;
                    if wire.read_any("GET").await.1.is_some() {
                        return;
                    }
                }
            });
        }
        Self(callers)
    }

    pub(super) async fn end(mut self) {
        self.0.shutdown().await;
    }
}

fn trace_id(mark: u32) -> String {
    let drawn = Uuid::new_v4();
    let (_, middle, high, rest) = drawn.as_fields();
    Uuid::from_fields(mark, middle, high, rest).to_string()
}

/// Whether a trace id bears the mark.
pub(super) fn is_of(mark: u32, trace_id: &str) -> bool {
    trace_id.starts_with(&format!("{mark:08x}-"))
}

/// The journal is whole; each request that the provider saw has an intent, and each intent one
/// outcome. Gives back how many outcomes are unknown.
pub(super) fn accounts_for(journal: &Journal, seen: &BTreeSet<String>) -> usize {
    journal.is_whole();
    let text = |name: &str, record: &Value| record[name].as_str().unwrap().to_owned();
    let intents: Vec<_> = journal.of("intent").map(|intent| text("trace_id", intent)).collect();
    let distinct: BTreeSet<_> = intents.iter().cloned().collect();
    assert_eq!(distinct.len(), intents.len(), "none is there twice");
    let missing: Vec<_> = seen.difference(&distinct).collect();
    assert!(missing.is_empty(), "the provider saw what is not on record: {missing:?}");
    let outcomes: Vec<_> = journal.of("outcome").map(|outcome| text("intent", outcome)).collect();
    let of: BTreeSet<_> = outcomes.iter().cloned().collect();
    assert_eq!((of.len(), outcomes.len()), (intents.len(), intents.len()), "one outcome each");
    journal.of("outcome").filter(|outcome| outcome["result"] == "unknown").count()
}
