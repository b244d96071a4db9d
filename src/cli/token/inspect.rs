//! `token inspect`: explains a token.

use std::io::{self, IsTerminal as _, Read as _};

use clap::Args;
use gpconnect::interaction::InteractionId;

use super::explain::{Explained, Tested, explain};
use crate::cli::{
    Ended,
    aliases::InteractionParser,
    moment::At,
    output::{Output, Paint, Table, Tone, complain, counted, print, print_json},
};

/// Explain a token claim by claim.
///
/// Each claim with what the specification wants of it and whether it is right, by the checks that
/// the gateway itself makes. What depends on the registered sender and practice (the organisation,
/// the practice in aud) is left to the gateway.
///
/// Exit code: 0 when all is right, 1 when something is wrong, 2 when there is no token to read.
///
/// Example: gpconnect-gateway token mint | gpconnect-gateway token inspect --interaction read-patient
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The token, with or without "Bearer"; "-" or nothing reads it from standard input.
    #[arg(value_name = "TOKEN")]
    token: Option<String>,
    /// The interaction that it is for: a short name such as find-patient, or an id.
    #[arg(
        long,
        value_name = "NAME",
        value_parser = InteractionParser,
        hide_possible_values = true
    )]
    interaction: Option<InteractionId>,
    #[command(flatten)]
    at: At,
    /// The form of the explanation.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    let read = read(arguments.token.as_deref());
    let (token, at) = match read.and_then(|token| Ok((token, arguments.at.seconds()?))) {
        Ok(read) => read,
        Err(fault) => {
            complain(fault);
            return Ended::Unable;
        }
    };
    let explained = explain(&token, at, arguments.interaction);
    let ended = if explained.right { Ended::Done } else { Ended::No };
    match arguments.output {
        Output::Human => print(text(&explained, Paint::of_stdout()).as_bytes(), ended),
        Output::Json => print_json(&explained, ended),
    }
}

/// More than any header may hold; what is longer is no token.
const MOST_BYTES: u64 = 1 << 20;

fn read(argument: Option<&str>) -> Result<String, String> {
    let text = match argument {
        Some(text) if text != "-" => text.to_owned(),
        _ => {
            if io::stdin().is_terminal() {
                complain("paste the token, then Enter and Ctrl-D:");
            }
            let mut text = String::new();
            let input = io::stdin().lock().take(MOST_BYTES).read_to_string(&mut text);
            input.map_err(|fault| format!("standard input: {fault}"))?;
            text
        }
    };
    let token = bare(&text);
    if token.is_empty() {
        return Err("no token: give it as an argument or on standard input".into());
    }
    Ok(token.to_owned())
}

/// The token without the header's name and scheme that it may have been copied with.
fn bare(text: &str) -> &str {
    let strip = |text, prefix: &str| -> Option<&str> {
        let (head, rest) = str::split_at_checked(text, prefix.len())?;
        head.eq_ignore_ascii_case(prefix).then(|| rest.trim_start())
    };
    let text = text.trim();
    let text = strip(text, "Authorization:").unwrap_or(text);
    strip(text, "Bearer ").unwrap_or(text)
}

fn text(explained: &Explained, paint: Paint) -> String {
    let mut table = Table::new(["claim", "value", "wanted", "verdict"]);
    for row in &explained.claims {
        let (verdict, tone) = match &row.tested {
            Tested::Right => (String::from("ok"), Tone::Good),
            Tested::Wrong(faults) => (faults.join("\n"), Tone::Bad),
            Tested::Ignored => (String::from("ignored"), Tone::Plain),
        };
        let plain = |text| (text, Tone::Plain);
        table.toned([
            plain(row.claim.as_str()),
            plain(row.value.as_str()),
            plain(row.wanted.as_str()),
            (verdict.as_str(), tone),
        ]);
    }
    let verdict = match explained.faults() {
        0 => paint.good("The token is right."),
        faults => paint.bad(&format!("The token has {}.", counted(faults, "fault"))),
    };
    format!("{table}\n{verdict}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_come_with_its_header() {
        for (name, text, expected) in [
            ("bare", "a.b.", "a.b."),
            ("with the scheme", "Bearer a.b.", "a.b."),
            ("with the header", "authorization: bearer a.b.\n", "a.b."),
            ("with blanks", "  a.b. \n", "a.b."),
            ("the scheme alone", "Bearer", "Bearer"),
            ("not ASCII", "é", "é"),
            ("nothing", " \n", ""),
        ] {
            assert_eq!(bare(text), expected, "{name}");
        }
    }

    #[test]
    fn an_empty_argument_is_no_token() {
        assert!(read(Some("")).is_err());
        assert_eq!(read(Some("a.b.")).unwrap(), "a.b.");
    }
}
