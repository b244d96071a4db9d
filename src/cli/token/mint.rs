//! `token mint`: makes a token.

use clap::Args;
use gpconnect::{
    interaction::InteractionId,
    names::{OdsCode, ServiceRoot},
};
use serde_json::json;

use super::author::{self, Author, Purpose};
use crate::{
    cli::{
        Ended,
        aliases::InteractionParser,
        moment,
        output::{Output, complain, print, print_json},
    },
    simulator::FIRST_PRACTICE,
};

/// Make a token for one request: unsigned, so anyone can; what counts is what it says.
///
/// Prints the compact form with its final dot. It lives for 300 seconds, as the specification wants.
///
/// Example: gpconnect-gateway token mint --interaction find-patient --ods A20047 --organisation RXX01
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The interaction, which decides the scope: a short name such as find-patient, or an id.
    #[arg(
        long,
        value_name = "NAME",
        value_parser = InteractionParser,
        hide_possible_values = true,
        conflicts_with = "scope"
    )]
    interaction: Option<InteractionId>,
    /// The scope, whatever the interaction wants. Default: patient/*.read.
    #[arg(long)]
    scope: Option<String>,
    /// The claim aud as it stands: usually the practice's service root.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["ods", "service_root"])]
    aud: Option<String>,
    /// The practice's service root as the claim aud.
    #[arg(long, value_name = "URL", conflicts_with = "ods")]
    service_root: Option<ServiceRoot>,
    /// The practice, whose address at the gateway becomes the claim aud.
    #[arg(long, value_name = "ODS", default_value = FIRST_PRACTICE)]
    ods: OdsCode,
    /// The gateway, for the claim aud of a practice that --ods names.
    #[arg(long, value_name = "URL", default_value = "http://localhost:8080")]
    gateway: String,
    /// When it was made: now, seconds since 1970, +60 or -60 seconds from now, or a time such as
    /// 2026-11-23T08:00:00Z.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "now",
        value_parser = moment::check,
        allow_hyphen_values = true
    )]
    issued_at: String,
    /// How many seconds it lives; anything but 300 is refused.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, allow_hyphen_values = true)]
    lifetime: i64,
    /// Why the record is asked for. Default: what the interaction wants, usually directcare.
    #[arg(long, value_name = "WORD")]
    reason: Option<String>,
    /// The form: the token alone, or an object with header and claims too.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
    #[command(flatten)]
    author: Author,
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    let Some(issued_at) = moment::parse(&arguments.issued_at, moment::now()) else {
        complain("--issued-at: lies beyond the calendar");
        return Ended::Unable;
    };
    let claims = author::claims(&arguments.author, &purpose(arguments, issued_at));
    let token = author::compact(&claims);
    match arguments.output {
        Output::Human => print(format!("{token}\n").as_bytes(), Ended::Done),
        Output::Json => {
            let header = author::header();
            let object = json!({ "token": token, "header": header, "claims": claims });
            print_json(&object, Ended::Done)
        }
    }
}

fn purpose(arguments: &Arguments, issued_at: i64) -> Purpose {
    let id = arguments.interaction.unwrap_or(InteractionId::ReadPatient);
    Purpose {
        aud: audience(arguments, id),
        scope: arguments.scope.clone().unwrap_or_else(|| author::scope_of(id)),
        reason: arguments.reason.clone().unwrap_or_else(|| author::reason_of(id)),
        issued_at,
        lifetime: arguments.lifetime,
        rules: id.row().token,
    }
}

fn audience(arguments: &Arguments, id: InteractionId) -> String {
    if let Some(aud) = &arguments.aud {
        return aud.clone();
    }
    if let Some(root) = &arguments.service_root {
        return root.to_string();
    }
    if let Some(fixed) = id.row().token.audience {
        return fixed.to_owned();
    }
    let path = author::ods_path(arguments.ods, id.row().capability);
    format!("{}{path}", arguments.gateway.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parsed(line: &[&str]) -> Purpose {
        let words = ["mint"].into_iter().chain(line.iter().copied());
        purpose(&Only::try_parse_from(words).unwrap().arguments, 1_000)
    }

    #[test]
    fn options_decide_scope_and_audience() {
        const ODS: &str = "http://localhost:8080/A20047/STU3/1/gpconnect";
        const ROOT: &str = "https://gp.example/B83617/STU3/1/gpconnect";
        for (name, line, scope, aud) in [
            ("nothing", vec![], "patient/*.read", ODS),
            ("a command", vec!["--interaction", "book"], "patient/*.write", ODS),
            (
                "the structured root",
                vec!["--interaction", "structured-record"],
                "patient/*.read",
                "http://localhost:8080/A20047/STU3/1/gpconnect/structured",
            ),
            ("a scope of its own", vec!["--scope", "x"], "x", ODS),
            ("a root", vec!["--service-root", ROOT], "patient/*.read", ROOT),
            ("any audience", vec!["--aud", ""], "patient/*.read", ""),
            (
                "another gateway",
                vec!["--gateway", "https://g.example/", "--ods", "C81007"],
                "patient/*.read",
                "https://g.example/C81007/STU3/1/gpconnect",
            ),
        ] {
            let purpose = parsed(&line);
            assert_eq!((purpose.scope.as_str(), purpose.aud.as_str()), (scope, aud), "{name}");
        }
        assert_eq!(parsed(&["--lifetime", "-5"]).lifetime, -5);
    }
}
