//! `token`: the GP Connect JWT, made and explained.

pub(super) mod author;
mod explain;
mod inspect;
mod judge;
mod mint;

use clap::{Args, Subcommand};

use super::Ended;

/// Make or explain the unsigned token that says who asks.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Mint(Box<mint::Arguments>),
    Inspect(inspect::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    match &arguments.command {
        Command::Mint(arguments) => mint::run(arguments),
        Command::Inspect(arguments) => inspect::run(arguments),
    }
}
