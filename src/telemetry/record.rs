//! One finished request, as log and metrics tell it.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use gpconnect::{
    caching::Use,
    decide::Filled,
    interaction::{InteractionId, Kind},
    names::{Asid, OdsCode, TraceId},
    policy::PracticeIndex,
    rejection::Reason,
    token::Observed,
};

/// Who made the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The gateway itself.
    Gateway,
    /// The practice's system, for another request: it was in memory.
    Cache,
    /// The practice's system.
    Provider,
}

impl Origin {
    /// The word for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Cache => "cache",
            Self::Provider => "provider",
        }
    }
}

/// How a request ended, in five words: what the narrow families carry for every practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Result {
    /// Answered by the practice, in time.
    Good,
    /// Answered by the practice, slower than the specification allows (gp-connect 14).
    Slow,
    /// Not let through by the gateway.
    Refused,
    /// Answered by the practice with a status of 500 or more.
    ProviderError,
    /// Let through, but without a whole answer.
    Failed,
}

impl Result {
    /// Every result, in order.
    pub const ALL: [Self; 5] =
        [Self::Good, Self::Slow, Self::Refused, Self::ProviderError, Self::Failed];

    /// The word for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Slow => "slow",
            Self::Refused => "refused",
            Self::ProviderError => "provider_error",
            Self::Failed => "failed",
        }
    }
}

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Refused before anything was sent to the practice.
    Refused,
    /// The practice's answer was passed on whole.
    Answered,
    /// Sent to the practice, or about to be, but not answered whole.
    Failed,
}

/// The provider's time that the specification allows (gp-connect 14).
const fn allowed(kind: Kind) -> Duration {
    match kind {
        Kind::Command => Duration::from_millis(250),
        Kind::Query => Duration::from_millis(3_000),
    }
}

/// One finished request. Systems stand here only when they are registered.
#[derive(Clone, Debug)]
pub struct Record<'r> {
    /// When its head was complete.
    pub at: SystemTime,
    /// The listener that it came through.
    pub listener: &'r str,
    /// Its trace id: sent, or our own.
    pub trace_id: Option<TraceId>,
    /// The caller's address.
    pub client: Option<IpAddr>,
    /// `ods` or `proxy`.
    pub form: Option<&'static str>,
    /// The interaction.
    pub interaction: Option<InteractionId>,
    /// The consumer system.
    pub consumer: Option<Asid>,
    /// The practice and its place in the policy of `generation`.
    pub practice: Option<(PracticeIndex, OdsCode)>,
    /// What was noticed about its token.
    pub token: Observed,
    /// The name of the issuer of its access token.
    pub issuer: Option<&'r str>,
    /// What was filled in for the consumer.
    pub filled: Filled,
    /// The status of the answer; none when the caller got none.
    pub status: Option<u16>,
    /// Who made the answer.
    pub origin: Origin,
    /// How it fared with the cache, where its answers may be kept.
    pub cache: Option<Use>,
    /// How far it came.
    pub finished: Finished,
    /// The word for what went wrong.
    pub fault: Option<&'static str>,
    /// What went wrong, for people, without a patient.
    pub note: Option<String>,
    /// How many patients it names, if any: `one`, `several`, or `unreadable`. Never which.
    pub patients: Option<&'static str>,
    /// What is wrong with it but only reported.
    pub reported: &'r [Reason],
    /// From the complete head to the last byte of the answer.
    pub duration: Duration,
    /// From sending the request to the head of the provider's answer.
    pub upstream: Option<Duration>,
    /// Whether the connection to the upstream had served before.
    pub upstream_reused: Option<bool>,
    /// How often it was sent to an upstream.
    pub tries: u8,
    /// Bytes of the request's body.
    pub received: usize,
    /// Bytes of the answer's body.
    pub sent: usize,
    /// The snapshot that decided it.
    pub generation: u64,
}

impl Record<'_> {
    /// How it ended, in five words.
    pub fn result(&self) -> Result {
        match self.finished {
            Finished::Refused => Result::Refused,
            Finished::Failed => Result::Failed,
            Finished::Answered if self.status.is_some_and(|status| status >= 500) => {
                Result::ProviderError
            }
            Finished::Answered if self.is_slow() => Result::Slow,
            Finished::Answered => Result::Good,
        }
    }

    fn is_slow(&self) -> bool {
        let kind = self.interaction.map_or(Kind::Query, |id| id.row().kind);
        self.upstream.is_some_and(|time| time >= allowed(kind))
    }
}

#[cfg(test)]
pub(super) fn example() -> Record<'static> {
    Record {
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_420_900_123),
        listener: "consumers",
        trace_id: "629ea9ba-a077-4d99-b289-7a9b19fd4e03".parse().ok(),
        client: "192.0.2.7".parse().ok(),
        form: Some("ods"),
        interaction: Some(InteractionId::ReadPatient),
        consumer: "200000000359".parse().ok(),
        practice: Some((PracticeIndex(0), "A20047".parse().unwrap())),
        token: Observed {
            skew: Some(-2),
            audience: Some(gpconnect::token::AudienceMatch::Exact),
            ..Observed::default()
        },
        issuer: None,
        filled: Filled { to: true, ..Filled::default() },
        status: Some(200),
        origin: Origin::Provider,
        cache: None,
        finished: Finished::Answered,
        fault: None,
        note: None,
        patients: None,
        reported: &[],
        duration: Duration::from_micros(12_345),
        upstream: Some(Duration::from_micros(11_000)),
        upstream_reused: Some(true),
        tries: 1,
        received: 0,
        sent: 2_048,
        generation: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// gp-connect 14.
    #[test]
    fn five_words_say_how_it_ended() {
        let with = |change: fn(&mut Record<'static>)| {
            let mut record = example();
            change(&mut record);
            record.result().as_str()
        };
        for (name, found, expected) in [
            ("good", with(|_| {}), "good"),
            ("an error that is the caller's", with(|r| r.status = Some(404)), "good"),
            ("the provider's error", with(|r| r.status = Some(500)), "provider_error"),
            ("query at 3 s", with(|r| r.upstream = Some(Duration::from_secs(3))), "slow"),
            ("query under 3 s", with(|r| r.upstream = Some(Duration::from_millis(2_999))), "good"),
            (
                "command at 250 ms",
                with(|r| {
                    r.interaction = Some(InteractionId::BookAppointment);
                    r.upstream = Some(Duration::from_millis(250));
                }),
                "slow",
            ),
            ("refused", with(|r| r.finished = Finished::Refused), "refused"),
            ("failed", with(|r| r.finished = Finished::Failed), "failed"),
        ] {
            assert_eq!(found, expected, "{name}");
        }
    }
}
