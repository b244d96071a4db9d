//! `cache`: purges answers in memory at a gateway at work.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Ended,
    admin::{Where, client::members},
    switch::{capability, interaction},
};

/// Purge answers that a gateway at work has in memory. What it has there `admin status` shows.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Purge(Purge),
}

/// Have no answer told any more that is in memory or on its way there.
///
/// The next request for each is answered by the practice. Who purged what is a record in the journal.
///
/// Exit code: 0 when it is done, 1 when the gateway refuses, 2 when there is no gateway.
///
/// Example: gpconnect-gateway cache purge /var/lib/gpconnect-gateway/audit --practice A20047 --reason "upgraded last night"
#[derive(Debug, Args)]
#[group(id = "reach", required = true, multiple = false, args = ["practice", "interaction", "all"])]
struct Purge {
    #[command(flatten)]
    gateway: Where,
    /// The answers of a practice, by its ODS code.
    #[arg(long, value_name = "ODS")]
    practice: Option<gpconnect::names::OdsCode>,
    /// Of that practice what has the service root of this capability alone.
    #[arg(long, value_name = "CAPABILITY", requires = "practice", value_parser = capability)]
    capability: Option<String>,
    /// The answers of an interaction at all practices, as in fhir:rest:read:metadata-1.
    #[arg(long, value_name = "ID", value_parser = interaction)]
    interaction: Option<String>,
    /// All answers.
    #[arg(long)]
    all: bool,
    /// Why, for the journal; without the name of a patient.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    let Command::Purge(purge) = &arguments.command;
    let mut order = members([
        ("practice", purge.practice.map(|code| code.to_string())),
        ("capability", purge.capability.clone()),
        ("interaction", purge.interaction.clone()),
        ("reason", purge.reason.clone()),
    ]);
    if let Some(members) = order.as_object_mut().filter(|_| purge.all) {
        members.insert(String::from("all"), json!(true));
    }
    purge.gateway.call("POST", "/v1/cache/purge", Some(&order))
}
