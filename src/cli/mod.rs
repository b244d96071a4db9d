//! The command line: one file a command.
//!
//! Exit codes: 0 when it did what was asked; 1 when it ran and the answer is no (a configuration
//! with mistakes, a refused request); 2 when it could not run (wrong arguments, an address in use).

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod admin;
mod aliases;
mod audit;
mod cache;
mod capabilities;
mod check;
mod completions;
mod conformance;
mod demo;
mod directory;
mod explain;
mod log;
mod manager;
mod moment;
mod offices;
mod output;
mod reload;
mod request;
mod schema;
mod serve;
mod signals;
mod simulate;
mod start;
mod stop;
mod switch;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use start::{NotStarted, Running};

/// A secure proxy between GP Connect consumers and the systems of GP practices.
#[derive(Debug, Parser)]
#[command(name = "gpconnect-gateway", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Admin(admin::Arguments),
    Audit(audit::Arguments),
    Cache(cache::Arguments),
    Capabilities(capabilities::Arguments),
    Check(check::Arguments),
    Completions(completions::Arguments),
    Conformance(conformance::Arguments),
    Demo(demo::Arguments),
    Directory(directory::Arguments),
    Explain(Box<explain::Arguments>),
    Request(Box<request::Arguments>),
    Schema(schema::Arguments),
    Serve(serve::Arguments),
    Simulate(simulate::Arguments),
    Switch(switch::Arguments),
    Token(token::Arguments),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It did what was asked.
    Done,
    /// It ran, and the answer is no.
    No,
    /// It could not run; what was wrong stands on standard error.
    Unable,
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Done => Self::SUCCESS,
            Ended::No => Self::from(1),
            Ended::Unable => Self::from(2),
        }
    }
}

/// Runs the command that the process was called with.
pub fn run() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Admin(arguments) => admin::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Cache(arguments) => cache::run(&arguments),
        Command::Capabilities(arguments) => capabilities::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Directory(arguments) => directory::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Request(arguments) => request::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Switch(arguments) => switch::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
    };
    ended.into()
}
