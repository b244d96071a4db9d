//! `admin token`: makes a token for a caller of the admin API over TCP.

use clap::Args;

use crate::{
    cli::{
        Ended,
        output::{complain, print},
    },
    config::Label,
    snapshot::{Roles, make_token},
};

/// Make a token for a caller of the admin API over TCP.
///
/// The token is printed on standard output, for its holder. The line for the file in admin.tokens is
/// printed on standard error: it holds the token's hash, which lets nobody in.
///
/// Exit code: 0, or 2 when the system has no randomness to give.
///
/// Example: gpconnect-gateway admin token --name wall --role read 2>> admin-tokens.txt
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The name that the journal has for its holder.
    #[arg(long)]
    name: Label,
    /// What it may do: read, operate (which may look too), audit; several with commas.
    #[arg(long = "role", value_parser = Roles::read)]
    roles: Roles,
}

pub(super) fn run(arguments: &Arguments) -> Ended {
    match make_token(&arguments.name, arguments.roles) {
        Ok((token, line)) => {
            complain(line);
            print(format!("{token}\n").as_bytes(), Ended::Done)
        }
        Err(fault) => {
            complain(format!("no token can be made: {fault}"));
            Ended::Unable
        }
    }
}
