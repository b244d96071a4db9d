//! What `request` can be asked for.

use std::{fmt, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use gpconnect::{
    interaction::InteractionId,
    media,
    names::{OdsCode, ServiceRoot},
};

use super::gateway::Gateway;
use crate::cli::{
    aliases::{self, InteractionParser},
    output::Output,
    token::author::Author,
};

/// Send one GP Connect request, as a consumer would, and print both sides.
///
/// Builds the headers and a fresh token for the interaction. Exit code: 0 when the answer is 2xx or
/// 304, 1 for any other answer, 2 when there is no whole answer.
///
/// Example: gpconnect-gateway request find-patient --practice A20047 --nhs-number 9000000009
#[derive(Debug, Args)]
#[command(after_long_help = format!("{}\n{EXAMPLES}", aliases::help()))]
pub(crate) struct Arguments {
    /// What to ask for: a short name of the list below, or an id.
    #[arg(value_parser = InteractionParser, hide_possible_values = true)]
    pub(super) interaction: InteractionId,
    /// How many seconds to wait for the whole answer.
    #[arg(long, value_name = "SECONDS", default_value = "40", value_parser = seconds)]
    pub(super) timeout: Duration,
    /// Print the heads without the bodies.
    #[arg(long, conflicts_with = "quiet")]
    pub(super) only_headers: bool,
    /// Print nothing but the answer's body, as it arrived.
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Print the token too.
    #[arg(long)]
    pub(super) show_token: bool,
    /// The form: text, or an object with request, status, headers and body.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM", conflicts_with = "quiet")]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) content: Content,
    #[command(flatten)]
    pub(super) head: Head,
    #[command(flatten)]
    pub(super) author: Author,
}

const EXAMPLES: &str = "
Examples:
  gpconnect-gateway request metadata --practice A20047
  gpconnect-gateway request structured-record --practice A20047 --nhs-number 9000000009
  gpconnect-gateway request slots --practice A20047 --only-headers
  gpconnect-gateway request book --practice A20047 --slot 812 --patient 1 --location 1 \\
      --start 2026-11-24T10:00:00+00:00 --end 2026-11-24T10:10:00+00:00
  gpconnect-gateway request read-appointment --practice A20047 --id 1 --quiet |
      gpconnect-gateway request cancel --practice A20047 --body - --reason 'No longer needed'

  In proxy form, by the directory:
  gpconnect-gateway request find-patient --practice A20047 --nhs-number 9000000009 \\
      --form proxy --config gateway.toml

  Over mutual TLS:
  gpconnect-gateway request metadata --practice A20047 --gateway https://localhost:8443 \\
      --cert consumer.pem --key consumer.key --ca gateway-ca.pem

  With an access token, of which the gateway makes the GP Connect token:
  gpconnect-gateway request metadata --practice A20047 --gateway https://localhost:8443 \\
      --cert consumer.pem --key consumer.key --ca gateway-ca.pem --access-token token.jwt

  Without a header, to see the refusal:
  gpconnect-gateway request metadata --practice A20047 --header 'Authorization:'
";

/// The form of the request target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// The practice's ODS code first: the gateway finds the service root.
    #[default]
    Ods,
    /// The whole service root first, as consumers of the Spine Secure Proxy write it.
    Proxy,
}

/// Where to send it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "From whom, to whom")]
pub(super) struct Place {
    /// The gateway.
    #[arg(long, value_name = "URL", default_value = "http://localhost:8080")]
    pub(super) gateway: Gateway,
    /// The client certificate, and those that lead to its authority, in PEM: for an https gateway.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) cert: Option<PathBuf>,
    /// The key of the client certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
    /// The authorities of the gateway's certificate, in PEM. Default: those of the system.
    #[arg(long, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// The practice.
    #[arg(
        long,
        visible_alias = "to",
        value_name = "ODS",
        required_unless_present = "service_root"
    )]
    pub(super) practice: Option<OdsCode>,
    /// The form of the address.
    #[arg(long, value_enum, default_value_t)]
    pub(super) form: Form,
    /// The practice's service root: needed for the proxy form, and the claim aud.
    #[arg(long, value_name = "URL")]
    pub(super) service_root: Option<ServiceRoot>,
    /// A configuration to look up service root and receiving ASID in.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The sending system: Ssp-From.
    #[arg(long, value_name = "ASID", default_value = "200000000359")]
    pub(super) from: String,
    /// The receiving system: Ssp-To. Without this and without --config the header is left out,
    /// which a gateway accepts of assisted consumers only.
    #[arg(long, value_name = "ASID")]
    pub(super) to_asid: Option<String>,
    /// The claim aud. Default: the service root if it is known, else the practice's address at the
    /// gateway.
    #[arg(long, value_name = "TEXT")]
    pub(super) aud: Option<String>,
    /// The issuer's access token, for a system that is registered with token = "oauth"; instead of a
    /// GP Connect token of its own. "-" reads it from standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "aud")]
    pub(super) access_token: Option<String>,
}

/// What to ask for. `Debug` leaves out what may name a patient.
#[derive(Clone, Default, Args)]
#[command(next_help_heading = "What to ask for")]
pub(super) struct Content {
    /// The patient's NHS number. Only synthetic ones.
    #[arg(long, value_name = "NUMBER")]
    pub(super) nhs_number: Option<String>,
    /// The logical id in the path, or the identifier to find.
    #[arg(long)]
    pub(super) id: Option<String>,
    /// A query parameter, sent as it is written; instead of a generated one of the same name.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(super) query: Vec<(String, String)>,
    /// The body: a file, or "-" for standard input.
    #[arg(long, value_name = "FILE")]
    pub(super) body: Option<String>,
    /// The first day or time: of slots, of appointments, of a booking.
    #[arg(long, value_name = "TIME")]
    pub(super) start: Option<String>,
    /// The last day or time.
    #[arg(long, value_name = "TIME")]
    pub(super) end: Option<String>,
    /// The slot to book; several must be adjacent.
    #[arg(long, value_name = "ID")]
    pub(super) slot: Vec<String>,
    /// The patient to book for: the logical id.
    #[arg(long, value_name = "ID")]
    pub(super) patient: Option<String>,
    /// The location of the booking: the logical id.
    #[arg(long, value_name = "ID")]
    pub(super) location: Option<String>,
    /// The practitioner of the booking: the logical id.
    #[arg(long, value_name = "ID")]
    pub(super) practitioner: Option<String>,
    /// The description of a booking, or the new one of an amendment.
    #[arg(long, value_name = "TEXT")]
    pub(super) description: Option<String>,
    /// The comment of a booking, or the new one of an amendment.
    #[arg(long, value_name = "TEXT")]
    pub(super) comment: Option<String>,
    /// Cancels the appointment in --body for this reason: sets its status, adds the extension.
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// The family name of a patient to register.
    #[arg(long, value_name = "NAME", default_value = "VISITOR")]
    pub(super) patient_family: String,
    /// The given name of a patient to register.
    #[arg(long, value_name = "NAME", default_value = "Sam")]
    pub(super) patient_given: String,
    /// The birth date of a patient to register.
    #[arg(long, value_name = "DATE", default_value = "1980-02-29")]
    pub(super) birth_date: String,
}

impl fmt::Debug for Content {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Content(..)")
    }
}

/// Headers that may be chosen.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Headers")]
pub(super) struct Head {
    /// If-Match. Default for amend and cancel: the version of the appointment in --body.
    #[arg(long, value_name = "TAG")]
    pub(super) if_match: Option<String>,
    /// The format to answer in.
    #[arg(long, value_enum)]
    pub(super) format: Option<Format>,
    /// A header instead of a generated one; an empty value leaves it out. May be repeated.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = header)]
    pub(super) headers: Vec<(String, String)>,
}

/// The two syntaxes of FHIR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Json,
    Xml,
}

impl From<Format> for media::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Xml => Self::Xml,
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected \"NAME: VALUE\"")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// A day is longer than anyone waits, and no deadline overflows.
const MOST_SECONDS: f32 = 86_400.0;

fn seconds(text: &str) -> Result<Duration, String> {
    let number: Option<f32> = text.strip_suffix('s').unwrap_or(text).parse().ok();
    let good = number.filter(|number| *number > 0.0 && *number <= MOST_SECONDS);
    good.map(Duration::from_secs_f32).ok_or_else(|| "expected seconds, as in 40".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_positive() {
        for (text, expected) in [
            ("40", Some(Duration::from_secs(40))),
            ("40s", Some(Duration::from_secs(40))),
            ("0.5", Some(Duration::from_millis(500))),
            ("0", None),
            ("-1", None),
            ("NaN", None),
            ("1e9", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_header_may_be_empty_but_not_bare() {
        assert_eq!(header("Ssp-To: 1").unwrap(), ("Ssp-To".into(), "1".into()));
        assert_eq!(header("Host:a:b").unwrap(), ("Host".into(), "a:b".into()));
        assert_eq!(header("Ssp-To:").unwrap(), ("Ssp-To".into(), String::new()));
        assert!(header("Ssp-To").is_err());
        assert_eq!(pair("a=b=c").unwrap(), ("a".into(), "b=c".into()));
    }
}
