//! What `explain` has to say, as data: the text is made from it, and `-o json` prints it.

use gpconnect::contract::Check;
use serde::{Serialize, Serializer};

/// Everything about one request.
#[derive(Debug, Serialize)]
pub(super) struct Explained {
    /// Whether the gateway would forward it.
    pub(super) would_pass: bool,
    pub(super) request: Asked,
    pub(super) caller: Caller,
    /// The moment that it was judged at, in UTC.
    pub(super) at: String,
    /// The configuration that it was judged by.
    pub(super) config: String,
    pub(super) stages: Vec<StageFound>,
    /// What is wrong, in the order of the contract: the first enforced one decides the answer.
    pub(super) faults: Vec<Fault>,
    /// Whether the caller's certificate fails the handshake, so that there is no answer.
    pub(super) fails_handshake: bool,
    /// What the caller would get, when it is refused.
    pub(super) answer: Option<Answer>,
    /// What the provider would get, when it passes.
    pub(super) forward: Option<Forward>,
}

/// What was read.
#[derive(Debug, Serialize)]
pub(super) struct Asked {
    /// The file, or what stands for it.
    pub(super) from: String,
    pub(super) method: String,
    /// Without ids and query values, unless they were asked for.
    pub(super) target: String,
    /// What had to be put right in the file.
    pub(super) notes: Vec<String>,
}

/// Who the caller is taken for.
#[derive(Debug, Serialize)]
pub(super) struct Caller {
    pub(super) listener: String,
    /// Why it is taken for these.
    pub(super) because: String,
    pub(super) systems: Vec<System>,
    /// The certificate that it was given with.
    pub(super) certificate: Option<Certificate>,
}

/// A certificate and what was found out about it.
#[derive(Debug, Serialize)]
pub(super) struct Certificate {
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) serial: String,
    pub(super) sha256: String,
    /// Kind and length.
    pub(super) key: String,
    /// In UTC, as all moments.
    pub(super) valid_from: String,
    pub(super) valid_until: String,
    /// When the certificate of its chain ends that ends first; null for one that is refused.
    pub(super) chain_until: Option<String>,
    /// What is wrong with it.
    pub(super) refused: Option<&'static str>,
    /// Its common name and DNS names, as far as they are host names.
    pub(super) names: Vec<Name>,
    /// The revocation lists that the listener goes by.
    pub(super) lists: Vec<List>,
}

/// A host name.
#[derive(Debug, Serialize)]
pub(super) struct Name {
    pub(super) name: String,
    /// The systems that are registered for it.
    pub(super) registered: Vec<String>,
}

/// A revocation list.
#[derive(Debug, Serialize)]
pub(super) struct List {
    pub(super) issuer: String,
    pub(super) until: String,
    /// Whether it has not run out. One that has still counts for what it lists.
    pub(super) fresh: bool,
}

/// A registered system.
#[derive(Debug, Serialize)]
pub(super) struct System {
    pub(super) asid: String,
    pub(super) ods_code: String,
    pub(super) organisation: String,
    pub(super) mode: &'static str,
}

/// A stage.
#[derive(Debug, Serialize)]
pub(super) struct StageFound {
    pub(super) number: u8,
    pub(super) name: &'static str,
    /// Whether the gateway looks no further; the stages behind tell what it would find next.
    pub(super) ends_here: bool,
    pub(super) checks: Vec<CheckFound>,
}

/// A check.
#[derive(Debug, Serialize)]
pub(super) struct CheckFound {
    #[serde(serialize_with = "name")]
    pub(super) check: Check,
    pub(super) verdict: Verdict,
    pub(super) section: &'static str,
    pub(super) looks_at: &'static str,
    /// What it found; why it did not run, if it did not.
    pub(super) found: String,
    /// The numbers of its faults.
    pub(super) faults: Vec<usize>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Pass,
    /// It refuses the request.
    Fail,
    /// It found a fault that is only reported for this consumer.
    Reported,
    /// It had nothing to look at: facts that it needs are missing.
    NotRun,
    /// This request does not need it.
    NotNeeded,
    /// Only a running gateway can tell.
    Live,
}

impl Verdict {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::Reported => "reported",
            Self::NotRun => "not run",
            Self::NotNeeded => "-",
            Self::Live => "live",
        }
    }
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
pub(super) struct Fault {
    /// From 1.
    pub(super) number: usize,
    /// The stable word of metrics and log.
    pub(super) fault: &'static str,
    #[serde(serialize_with = "name")]
    pub(super) check: Check,
    pub(super) section: &'static str,
    /// The status of a refusal for it alone.
    pub(super) status: u16,
    /// Whether it is enforced; else it is only reported.
    pub(super) enforced: bool,
    /// Whether the answer tells it.
    pub(super) told: bool,
    /// The line of the file, where one can be named.
    pub(super) line: Option<usize>,
    pub(super) says: String,
    pub(super) fix: String,
    /// What would be right here, by the directory.
    pub(super) here: Option<String>,
    /// Until when it is only reported, in UTC.
    pub(super) until: Option<String>,
}

/// The answer of a refusal.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) phrase: &'static str,
    pub(super) headers: Vec<(String, String)>,
    pub(super) issues: Vec<Issue>,
    /// The whole `OperationOutcome`: an object, or a text when it is XML.
    pub(super) body: serde_json::Value,
}

/// An issue of the answer.
#[derive(Debug, Serialize)]
pub(super) struct Issue {
    /// The number of its fault.
    pub(super) fault: Option<usize>,
    pub(super) code: &'static str,
    pub(super) details: String,
    pub(super) diagnostics: String,
}

/// What the provider would get.
#[derive(Debug, Serialize)]
pub(super) struct Forward {
    pub(super) upstream: String,
    pub(super) address: String,
    /// `direct` or `proxy`.
    pub(super) connection: &'static str,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<Sent>,
    pub(super) body_bytes: usize,
}

/// A header of the outgoing request.
#[derive(Debug, Serialize)]
pub(super) struct Sent {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// Where an outgoing header comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Origin {
    /// As it was sent.
    Sent,
    /// The consumer left it out and is assisted.
    FilledIn,
    /// The gateway's own.
    Added,
    /// Another value than was sent.
    Changed,
}

impl Origin {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "",
            Self::FilledIn => "filled in",
            Self::Added => "added",
            Self::Changed => "changed",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn name<S: Serializer>(check: &Check, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(check.name())
}
