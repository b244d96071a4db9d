//! `admin`: asks a gateway at work, gives it orders, and makes tokens for those who do so over TCP.

pub(crate) mod client;
mod token;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Ended,
    output::{complain, print_json},
};
use client::members;

/// Ask a gateway at work on this machine, and give it orders.
///
/// It is found by its journal's folder; its own user and root may call it so. Each call is on record in
/// the journal. docs/admin.md says what can be asked over HTTP.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the state of the gateway.
    ///
    /// Exit code: 0 when it is shown, 1 when the gateway refuses, 2 when there is no gateway.
    ///
    /// Example: gpconnect-gateway admin status /var/lib/gpconnect-gateway/audit
    Status(Where),
    /// Show how each practice fares: what it has switched on, its last answers and failures.
    ///
    /// Exit code: 0 when it is shown, 1 when the gateway refuses, 2 when there is no gateway.
    ///
    /// Example: gpconnect-gateway admin practices /var/lib/gpconnect-gateway/audit --practice A20047
    Practices(Practices),
    /// Have the configuration read again.
    ///
    /// Exit code: 0 when it is in use, 1 when it has mistakes, 2 when there is no gateway.
    ///
    /// Example: gpconnect-gateway admin reload /var/lib/gpconnect-gateway/audit --reason "change 4711"
    Reload(Reload),
    /// Set how much one part of the gateway says in its log, until it stops.
    ///
    /// Exit code: 0 when it is set, 1 when the gateway refuses, 2 when there is no gateway.
    ///
    /// Example: gpconnect-gateway admin log-level /var/lib/gpconnect-gateway/audit TARGET debug
    LogLevel(LogLevel),
    Token(token::Arguments),
}

/// Which gateway.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// The folder of its journal.
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
struct Practices {
    #[command(flatten)]
    gateway: Where,
    /// This practice alone.
    #[arg(long, value_name = "ODS")]
    practice: Option<gpconnect::names::OdsCode>,
}

#[derive(Debug, Args)]
struct Reload {
    #[command(flatten)]
    gateway: Where,
    /// Why, for the journal.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, Args)]
struct LogLevel {
    #[command(flatten)]
    gateway: Where,
    /// The part, as in `gpconnect_gateway::tls`.
    #[arg(value_name = "TARGET")]
    target: String,
    /// From which level on it says anything.
    #[arg(value_name = "LEVEL", value_parser = ["error", "warn", "info", "debug", "trace"])]
    level: String,
    /// Why, for the journal.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    match &arguments.command {
        Command::Status(gateway) => gateway.call("GET", "/v1/status", None),
        Command::Practices(Practices { gateway, practice }) => {
            let path = practice.map_or_else(
                || String::from("/v1/practices"),
                |code| format!("/v1/practices/{code}"),
            );
            gateway.call("GET", &path, None)
        }
        Command::Reload(Reload { gateway, reason }) => {
            let body = members([("reason", reason.clone())]);
            gateway.call("POST", "/v1/reload", Some(&body))
        }
        Command::LogLevel(LogLevel { gateway, target, level, reason }) => {
            let mut body = json!({ "target": target, "level": level });
            if let (Some(members), Some(reason)) = (body.as_object_mut(), reason) {
                members.insert(String::from("reason"), json!(reason));
            }
            gateway.call("PUT", "/v1/log-level", Some(&body))
        }
        Command::Token(arguments) => token::run(arguments),
    }
}

impl Where {
    /// Calls the gateway and prints what it answers.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Ended {
        match client::call(&self.folder, method, path, body) {
            Ok(Some(answer)) if answer.status < 300 => print_json(&answer.body, Ended::Done),
            Ok(Some(answer)) => {
                complain(format!("The gateway refuses: {}", answer.detail()));
                if let Some(mistakes) = answer.body.get("mistakes") {
                    return print_json(mistakes, Ended::No);
                }
                Ended::No
            }
            Ok(None) => {
                complain(format!("{}: no gateway is at work here", self.folder.display()));
                Ended::Unable
            }
            Err(fault) => {
                complain(fault);
                Ended::Unable
            }
        }
    }
}
