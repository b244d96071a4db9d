//! What the proxy answers itself.

use http::StatusCode;
use http::request::Parts;
use serde_json::json;
use uuid::Uuid;

use crate::simulator::estate::Estate;
use crate::simulator::fhir::profile;
use crate::simulator::wire::reply::{Reply, Wishes};
use crate::simulator::wire::route;

const SYSTEM: &str = "http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0";
const SYSTEM_OF_METHOD: &str = "https://fhir.nhs.uk/StructureDefinition/spine-operationoutcome-1";

/// Why the proxy refuses, or has no answer of the practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// The sender may not send this, or is not known.
    Sender,
    /// The practice has no system for this.
    Receiver,
    /// The two organisations have no agreement.
    Agreement,
    /// The service root is not the registered one.
    Endpoint,
    /// The method is never carried.
    Method,
    /// The body is no FHIR.
    MediaType,
    /// The practice can't be reached, or what it answers is no answer.
    Unreachable,
    /// The practice is too slow.
    Timeout,
}

impl Word {
    const ALL: [Self; 8] = [
        Self::Sender,
        Self::Receiver,
        Self::Agreement,
        Self::Endpoint,
        Self::Method,
        Self::MediaType,
        Self::Unreachable,
        Self::Timeout,
    ];

    /// Its spelling in orders of faults, its status and issue type.
    #[rustfmt::skip]
    const fn row(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::Sender      => ("sender",      StatusCode::FORBIDDEN,              "forbidden"),
            Self::Receiver    => ("receiver",    StatusCode::FORBIDDEN,              "forbidden"),
            Self::Agreement   => ("agreement",   StatusCode::FORBIDDEN,              "forbidden"),
            Self::Endpoint    => ("endpoint",    StatusCode::BAD_REQUEST,            "invalid"),
            Self::Method      => ("method",      StatusCode::METHOD_NOT_ALLOWED,     "not-supported"),
            Self::MediaType   => ("media-type",  StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-supported"),
            Self::Unreachable => ("unreachable", StatusCode::BAD_GATEWAY,            "transient"),
            Self::Timeout     => ("timeout",     StatusCode::GATEWAY_TIMEOUT,        "transient"),
        }
    }

    /// The word of that spelling.
    pub(crate) fn named(spelling: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.spelling() == spelling)
    }

    pub(crate) const fn spelling(self) -> &'static str {
        self.row().0
    }

    /// The token that programs match.
    fn token(self, head: &Parts, estate: &Estate) -> String {
        let header = |name: &str| {
            head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        let (from, to) = (header("ssp-from"), header("ssp-to"));
        let path = head.uri.path();
        let target = path.strip_prefix('/').unwrap_or(path);
        match self {
            Self::Sender => format!("ASID_CHECK_FAILED_MESSAGESENDER_{from}"),
            Self::Receiver => format!("PARTYKEY_INTERACTION_CHECK_FAILED_MESSAGERECEIVER_{to}"),
            Self::Agreement => {
                format!("FOT_CHECK_FAILED_MESSAGESENDER_{from}_MESSAGERECEIVER_{to}")
            }
            Self::Endpoint => {
                let practice = route::practice(path).and_then(|code| estate.practice(code));
                let capability = route::named(&head.headers).map(|id| id.row().capability);
                let root = practice.zip(capability).and_then(|(it, of)| it.root(of));
                let root = root.map_or("unknown", |root| root.as_str());
                let cpa = practice.map_or("unknown", |practice| practice.cpa_id.as_str());
                format!("ENDPOINT_{root}_CPAID_{cpa}_VARIES_FROM_TARGETURL_{target}")
            }
            Self::Method => "405: Method Not Allowed".into(),
            Self::MediaType => "Unsupported_Media_Type".into(),
            Self::Unreachable | Self::Timeout => {
                format!("ERROR_COMMUNICATING_TO_ENDPOINT_URL_{target}")
            }
        }
    }
}

/// The answer for a refusal.
pub(crate) fn refuse(word: Word, head: &Parts, estate: &Estate, wishes: Wishes) -> Reply {
    let token = word.token(head, estate);
    let (_, status, issue) = word.row();
    let of_method = word == Word::Method;
    let (system, code) = match of_method {
        true => (SYSTEM_OF_METHOD, "405"),
        false => (SYSTEM, status.as_str()),
    };
    let mut outcome = json!({
        "resourceType": "OperationOutcome",
        "id": Uuid::new_v4().to_string(),
        "meta": {"profile": [profile("GPConnect-OperationOutcome-1")]},
        "issue": [{
            "severity": "error",
            "code": issue,
            "details": {"coding": [{"system": system, "code": code, "display": token}]},
        }],
    });
    if let Some(issue) = outcome.pointer_mut("/issue/0").filter(|_| !of_method) {
        // The published 405 has none.
        issue.as_object_mut().map(|issue| issue.insert("diagnostics".into(), token.into()));
    }
    Reply::outcome(status, &outcome, wishes)
}
