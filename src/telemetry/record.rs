//! One finished request, as log and metrics tell it.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use gpconnect::{
    caching::Use,
    contract::CheckSet,
    decide::Filled,
    interaction::{InteractionId, Kind},
    names::{Asid, OdsCode, TraceId},
    observe,
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
    /// The next proxy, which did not ask the practice or had no answer of it.
    NextProxy,
}

impl Origin {
    /// The word for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Cache => "cache",
            Self::Provider => "provider",
            Self::NextProxy => "next_proxy",
        }
    }
}

/// What the gateway asks for of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Own {
    /// That an answer in memory is new before it is stale.
    Refresh,
    /// That it is known what a practice can be asked.
    Crawl,
}

impl Own {
    /// The word for metrics, log and journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::Crawl => "crawl",
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
    /// Not let through by the gateway, or by the next proxy.
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

/// The span that tells of a request, by which a log line leads to its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanIds {
    /// The trace.
    pub trace: u128,
    /// The span within it.
    pub span: u64,
}

/// The faults that say that a practice's system does not work.
const DOWN: [&str; 6] = [
    "upstream_unreachable",
    "upstream_not_trusted",
    "upstream_invalid",
    "upstream_failed",
    "upstream_timeout",
    "answer_cut",
];

/// One finished request. Systems stand here only when they are registered.
#[derive(Clone, Debug)]
pub struct Record<'r> {
    /// When its head was complete.
    pub at: SystemTime,
    /// The listener that it came through; empty where the gateway asked itself.
    pub listener: &'r str,
    /// What the gateway asked for of its own accord, where it did.
    pub own: Option<Own>,
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
    /// The organisation of the consumer system.
    pub organisation: Option<OdsCode>,
    /// The name of that organisation.
    pub organisation_name: Option<&'r str>,
    /// The practice and its place in the policy of `generation`.
    pub practice: Option<(PracticeIndex, OdsCode)>,
    /// The name of the practice.
    pub practice_name: Option<&'r str>,
    /// The system of the practice that such a request is for, as registered.
    pub provider: Option<Asid>,
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
    /// The upstream of the next proxy that its practice stands behind.
    pub next_proxy: Option<&'r str>,
    /// How many patients it names, if any: `one`, `several`, or `unreadable`. Never which.
    pub patients: Option<&'static str>,
    /// What is wrong with it but only reported.
    pub reported: &'r [Reason],
    /// What it was refused for, as far as that is for its sender to mend.
    pub broken: CheckSet,
    /// What was seen of the provider's answer, where this request met one.
    pub observed: Option<observe::Observed>,
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
    /// The span that tells of it, if one does.
    pub span: Option<SpanIds>,
}

impl Record<'_> {
    /// How it ended, in five words.
    pub fn result(&self) -> Result {
        match self.finished {
            Finished::Refused => Result::Refused,
            Finished::Failed => Result::Failed,
            Finished::Answered if self.status.is_some_and(|status| status >= 500) => {
                if self.origin == Origin::NextProxy {
                    Result::Failed
                } else {
                    Result::ProviderError
                }
            }
            Finished::Answered if self.origin == Origin::NextProxy => Result::Refused,
            Finished::Answered if self.is_slow() => Result::Slow,
            Finished::Answered => Result::Good,
        }
    }

    /// Whether it found a working system at the practice; nothing where that was not tried.
    pub(super) fn finds_practice_up(&self) -> Option<bool> {
        let is_down = matches!(self.status, Some(502..=504));
        match self.finished {
            Finished::Answered if self.origin == Origin::Provider => Some(!is_down),
            Finished::Answered if self.origin == Origin::NextProxy && is_down => Some(false),
            Finished::Failed if self.fault.is_some_and(|word| DOWN.contains(&word)) => Some(false),
            Finished::Answered | Finished::Failed | Finished::Refused => None,
        }
    }

    fn is_slow(&self) -> bool {
        let kind = self.interaction.map_or(Kind::Query, |id| id.row().kind);
        self.upstream.is_some_and(|time| time >= kind.limits().most)
    }
}

#[cfg(test)]
pub(crate) fn example() -> Record<'static> {
    Record {
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_420_900_123),
        listener: "consumers",
        own: None,
        trace_id: "629ea9ba-a077-4d99-b289-7a9b19fd4e03".parse().ok(),
        client: "192.0.2.7".parse().ok(),
        form: Some("ods"),
        interaction: Some(InteractionId::ReadPatient),
        consumer: "200000000359".parse().ok(),
        organisation: "RXX01".parse().ok(),
        organisation_name: Some("Northern Hospital"),
        practice: Some((PracticeIndex(0), "A20047".parse().unwrap())),
        practice_name: Some("Dr \"Smith\" & Partners"),
        provider: "918999198993".parse().ok(),
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
        next_proxy: None,
        patients: None,
        reported: &[],
        broken: CheckSet::default(),
        observed: None,
        duration: Duration::from_micros(12_345),
        upstream: Some(Duration::from_micros(11_000)),
        upstream_reused: Some(true),
        tries: 1,
        received: 0,
        sent: 2_048,
        generation: 1,
        span: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learned_of_a_practice() {
        let with = |finished, origin, status, fault| {
            let record = Record { finished, origin, status, fault, ..example() };
            record.finds_practice_up()
        };
        use Finished::{Answered, Failed, Refused};
        use Origin::{Cache, Gateway, NextProxy, Provider};
        for (name, found, expected) in [
            ("an answer", with(Answered, Provider, Some(200), None), Some(true)),
            ("its error", with(Answered, Provider, Some(500), None), Some(true)),
            ("busy or down", with(Answered, Provider, Some(503), None), Some(false)),
            (
                "no way behind the next proxy",
                with(Answered, NextProxy, Some(502), None),
                Some(false),
            ),
            ("refused by the next proxy", with(Answered, NextProxy, Some(403), None), None),
            ("from memory", with(Answered, Cache, Some(200), None), None),
            ("no answer", with(Failed, Gateway, Some(504), Some("upstream_timeout")), Some(false)),
            ("the caller left", with(Failed, Provider, None, Some("caller_gone")), None),
            ("refused", with(Refused, Gateway, Some(403), Some("no_agreement")), None),
        ] {
            assert_eq!(found, expected, "{name}");
        }
    }

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
            (
                "the next proxy's refusal",
                with(|r| (r.status, r.origin) = (Some(403), Origin::NextProxy)),
                "refused",
            ),
            (
                "no answer behind the next proxy",
                with(|r| (r.status, r.origin) = (Some(502), Origin::NextProxy)),
                "failed",
            ),
            ("refused", with(|r| r.finished = Finished::Refused), "refused"),
            ("failed", with(|r| r.finished = Finished::Failed), "failed"),
        ] {
            assert_eq!(found, expected, "{name}");
        }
    }
}
