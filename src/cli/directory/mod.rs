//! `directory`: what is known of practices and consumers, and whether it can be used.

mod count;
mod lookup;

use clap::{Args, Subcommand};

use super::Ended;

/// Look into the directory of practices, consumers and agreements.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Lookup(lookup::Arguments),
    Check(count::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    match &arguments.command {
        Command::Lookup(arguments) => lookup::run(arguments),
        Command::Check(arguments) => count::run(arguments),
    }
}
