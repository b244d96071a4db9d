//! What `explain` can be asked.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use gpconnect::names::Asid;

use crate::cli::{moment::At, output::Output};

/// Explain what the gateway would do with a request, check by check, without sending it.
///
/// Takes the request through stages 1 to 9 by the code of the live gateway: what each check looked
/// at and found, whether it passed, the section of the specification, and for each fault what to
/// do. Then the answer that the gateway would give, or what it would forward.
///
/// The request is a file with a raw HTTP/1.1 request (request line, headers, an empty line, the
/// body), a copied curl command line in a file, or what curl would be given: put this command in
/// the place of "curl". In a file written by hand lines may end in LF alone.
///
/// Ids, query values and the people in a token are not shown unless --show-ids asks for them; NHS
/// numbers never are.
///
/// Exit code: 0 when the request would pass, 1 when it would be refused, 2 when it can't be told.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES, override_usage = USAGE)]
pub(crate) struct Arguments {
    /// A file with the request, "-" for standard input, or the URL as curl takes it.
    #[arg(
        value_name = "FILE|URL",
        value_hint = ValueHint::FilePath,
        required_unless_present_any = ["checks", "trace_id"]
    )]
    pub(super) request: Option<String>,
    /// The gateway's configuration.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["checks", "journal"])]
    pub(super) config: Option<PathBuf>,
    /// Explain instead what was decided of a request that is on record, by its trace id.
    #[arg(long, value_name = "UUID", conflicts_with = "request")]
    pub(super) trace_id: Option<String>,
    /// The folder of the journal, when it is not the configuration's.
    #[arg(long, value_name = "FOLDER", requires = "trace_id")]
    pub(super) journal: Option<PathBuf>,
    /// The private key of somebody to whom the journal is sealed: shows the request and its user.
    #[arg(long, value_name = "FILE", requires = "trace_id")]
    pub(super) reader_key: Option<PathBuf>,
    /// The listener that it arrives at; the first one when left out.
    #[arg(long, value_name = "NAME")]
    pub(super) listener: Option<String>,
    /// Take the caller for this registered system, whatever the listener says.
    #[arg(long = "as", value_name = "ASID")]
    pub(super) caller: Option<Asid>,
    /// The caller's certificate in PEM, and those that lead to its authority: it is checked as the
    /// listener's TLS would, and says which systems the caller may be.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "caller")]
    pub(super) certificate: Option<PathBuf>,
    /// The caller shows no certificate; behind a terminator of TLS, that tells of none.
    #[arg(long, conflicts_with_all = ["caller", "certificate"])]
    pub(super) no_certificate: bool,
    #[command(flatten)]
    pub(super) at: At,
    /// Show ids, query values and claims as they are. NHS numbers stay hidden.
    #[arg(long)]
    pub(super) show_ids: bool,
    /// Print the faults and the end without the checks.
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Print the whole body of a refusal, as it would be sent.
    #[arg(long)]
    pub(super) body: bool,
    /// The form: text, or an object with the same.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub(super) output: Output,
    /// Print the table of all checks in Markdown instead, as in docs/decisions.md.
    #[arg(long, exclusive = true)]
    pub(super) checks: bool,
    #[command(flatten)]
    pub(super) curl: Curl,
}

impl Arguments {
    /// The configuration; clap asks for it unless --checks is given.
    pub(super) fn config(&self) -> &Path {
        self.config.as_deref().unwrap_or(Path::new(""))
    }
}

/// What is understood of curl's options.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "As curl takes them, with a URL")]
pub(super) struct Curl {
    /// The method; GET, or POST when there is a body.
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    pub(super) method: Option<String>,
    /// A header, as in 'Ssp-From: 200000000359'; "Name:" leaves one of curl's own out.
    #[arg(short = 'H', long = "header", value_name = "LINE")]
    pub(super) headers: Vec<String>,
    /// The body, or @FILE with its line ends left out, as curl does.
    #[arg(short, long, visible_alias = "data-ascii", value_name = "TEXT|@FILE")]
    pub(super) data: Vec<String>,
    /// The body as it stands, or @FILE as it is.
    #[arg(long, value_name = "TEXT|@FILE")]
    pub(super) data_binary: Vec<String>,
    /// The body as it stands, whatever it begins with.
    #[arg(long, value_name = "TEXT")]
    pub(super) data_raw: Vec<String>,
}

const USAGE: &str = "gpconnect-gateway explain --config FILE [OPTIONS] FILE
       gpconnect-gateway explain --config FILE [OPTIONS] [-X METHOD] [-H LINE]... [-d BODY] URL
       gpconnect-gateway explain --config FILE|--journal FOLDER --trace-id UUID
       gpconnect-gateway explain --checks";

const EXAMPLES: &str = "Examples:
  A file, judged at the moment when its token was made:
  gpconnect-gateway explain --config gateway.toml --at 2026-11-23T08:00:00Z request.http

  In the place of curl:
  gpconnect-gateway explain --config gateway.toml -X POST -H 'Ssp-From: 200000000359' \\
      -H 'Content-Type: application/fhir+json' -d @body.json \\
      'http://localhost:8080/A20047/STU3/1/gpconnect/structured/Patient/$gpc.getstructuredrecord'

  A copied curl command line:
  xclip -o | gpconnect-gateway explain --config gateway.toml -

  With the certificate that the caller would show:
  gpconnect-gateway explain --config gateway.toml --certificate epr.pem request.http

  What was decided of a request that the journal has:
  gpconnect-gateway explain --journal /var/lib/gpconnect-gateway/audit \\
      --trace-id 629ea9ba-a077-4d99-b289-7a9b19fd4e03 --reader-key reader.key

  For another system than the listener's, as one object:
  gpconnect-gateway explain --config gateway.toml --as 200000000360 -o json request.http
";
