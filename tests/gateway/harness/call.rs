//! A request as a consumer makes it: complete and right until a test changes it.

use bytes::Bytes;
use gpconnect_gateway::simulator::Practice;
use serde_json::Value;

use super::{HOST, Interaction, token};

/// The trace id of every call that gets no other.
pub(crate) const TRACE_ID: &str = "629ea9ba-a077-4d99-b289-7a9b19fd4e03";

const JSON: &str = "application/fhir+json;charset=utf-8";

/// Which of the two consumers calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Transparent,
    Assist,
}

impl Mode {
    pub(crate) const BOTH: [Self; 2] = [Self::Transparent, Self::Assist];

    /// The name of its listener, and of the mode in the configuration.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Transparent => "transparent",
            Self::Assist => "assist",
        }
    }

    /// The consumer that every caller of its listener is.
    pub(crate) const fn asid(self) -> &'static str {
        match self {
            Self::Transparent => "200000000360",
            Self::Assist => "200000000359",
        }
    }
}

/// How a request names the practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// By its ODS code.
    Ods,
    /// By its service root behind a slash.
    Proxy,
    /// The same from a client that folds slashes.
    Folded,
    /// The same from a client that escapes the scheme.
    Escaped,
}

/// One request.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) mode: Mode,
    pub(crate) verb: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    /// Sent with its length when it is one piece, else in chunks.
    pub(crate) body: Vec<Bytes>,
}

impl Call {
    /// A call with every header; `path` is what follows the service root.
    pub(crate) fn new(
        mode: Mode,
        form: Form,
        practice: &Practice,
        interaction: &Interaction,
        path: &str,
    ) -> Self {
        let claims = token::claims(interaction.scope, root(practice, interaction));
        let headers = [
            ("Host", HOST.to_owned()),
            ("Ssp-TraceID", TRACE_ID.to_owned()),
            ("Ssp-From", mode.asid().to_owned()),
            ("Ssp-To", practice.asid.to_string()),
            ("Ssp-InteractionID", interaction.urn()),
            ("Authorization", token::bearer(&claims)),
            ("Accept", "application/fhir+json".to_owned()),
        ];
        Self {
            mode,
            verb: interaction.verb.to_owned(),
            target: target(form, host_and_path(practice, interaction), path),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body: Vec::new(),
        }
    }

    /// With a header of this value, in place of those it had of that name.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    /// With one more header.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a header.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(there, _)| !there.eq_ignore_ascii_case(name));
        self
    }

    /// Without the headers that a gateway may fill in for an assisted consumer, except the
    /// interaction id, which two interactions can't do without.
    pub(crate) fn lean(self) -> Self {
        self.without("Ssp-TraceID").without("Ssp-From").without("Ssp-To")
    }

    /// With a token of other claims.
    pub(crate) fn claiming(self, claims: &Value) -> Self {
        self.with("Authorization", &token::bearer(claims))
    }

    /// With a resource as its body.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.with("Content-Type", JSON).bytes(body.to_string())
    }

    /// With these bytes as its body.
    pub(crate) fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = vec![body.into()];
        self
    }

    /// With these bytes as its body, in chunks.
    pub(crate) fn chunks(mut self, chunks: Vec<Bytes>) -> Self {
        assert!(chunks.len() > 1, "one chunk goes with its length");
        self.body = chunks;
        self
    }

    /// Request line and headers as they go over the wire, for a bare connection.
    pub(crate) fn head(&self) -> String {
        let line = format!("{} {} HTTP/1.1\r\n", self.verb, self.target);
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        line + &headers.collect::<String>() + "\r\n"
    }

    /// The value of a header, if it has one.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(there, _)| there.eq_ignore_ascii_case(name))?;
        Some(value)
    }
}

/// Which service root of the practice an interaction uses.
pub(crate) fn root<'p>(practice: &'p Practice, interaction: &Interaction) -> &'p str {
    let root =
        if interaction.structured { &practice.structured_root } else { &practice.service_root };
    root.as_str()
}

/// Host and path of that service root, the path without its slash.
pub(crate) fn host_and_path<'p>(
    practice: &'p Practice,
    interaction: &Interaction,
) -> (&'p str, &'p str) {
    let behind_scheme = root(practice, interaction).strip_prefix("https://").unwrap();
    behind_scheme.split_once('/').unwrap()
}

fn target(form: Form, (host, root): (&str, &str), path: &str) -> String {
    match form {
        Form::Ods => format!("/{root}/{path}"),
        Form::Proxy => format!("/https://{host}/{root}/{path}"),
        Form::Folded => format!("/https:/{host}/{root}/{path}"),
        Form::Escaped => format!("/https%3A%2F%2F{host}/{root}/{path}"),
    }
}
