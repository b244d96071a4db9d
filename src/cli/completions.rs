//! `completions`: what makes a shell complete our commands and options.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Ended, output::print};

/// Print completions for a shell.
///
/// Example: gpconnect-gateway completions bash > /etc/bash_completion.d/gpconnect-gateway
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    print(&completions(arguments.shell), Ended::Done)
}

fn completions(shell: Shell) -> Vec<u8> {
    let mut command = super::Arguments::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn each_shell_learns_the_commands() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(completions(*shell)).unwrap();
            for word in ["serve", "directory", "nhs-number"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
            let knows_values = matches!(shell, Shell::Bash | Shell::Zsh | Shell::Fish);
            assert!(!knows_values || script.contains("structured-record"), "{shell}");
        }
    }
}
