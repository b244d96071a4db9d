//! The fourteen stages of a request, in their order.

/// One stage in the life of a request. Of several faults that of the earliest stage decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// 1: one head, canonical, of an accepted caller.
    Admit = 1,
    /// 2: which practice and which FHIR request.
    Target,
    /// 3: the `Ssp-*` headers.
    Headers,
    /// 4: which interaction it is, and whether verb, path and media types fit it.
    Interaction,
    /// 5: whether sender and receiver may.
    Accreditation,
    /// 6: the data sharing agreement.
    Agreement,
    /// 7: the token.
    Token,
    /// 8: the practice's switches.
    Enablement,
    /// 9: quotas and the request body.
    Limit,
    /// 10: the audit intent.
    Audit,
    /// 11: the cache.
    Cache,
    /// 12: the provider.
    Upstream,
    /// 13: the answer's head and body.
    Response,
    /// 14: audit outcome, metrics, log.
    Outcome,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Self; 14] = [
        Self::Admit,
        Self::Target,
        Self::Headers,
        Self::Interaction,
        Self::Accreditation,
        Self::Agreement,
        Self::Token,
        Self::Enablement,
        Self::Limit,
        Self::Audit,
        Self::Cache,
        Self::Upstream,
        Self::Response,
        Self::Outcome,
    ];

    /// Its number in the contract, from 1.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Target => "target",
            Self::Headers => "headers",
            Self::Interaction => "interaction",
            Self::Accreditation => "accreditation",
            Self::Agreement => "agreement",
            Self::Token => "token",
            Self::Enablement => "enablement",
            Self::Limit => "limit",
            Self::Audit => "audit",
            Self::Cache => "cache",
            Self::Upstream => "upstream",
            Self::Response => "response",
            Self::Outcome => "outcome",
        }
    }

    /// Whether its faults are told besides the deciding one: those of head, headers and token,
    /// which a caller can mend on its own.
    pub const fn is_told_besides(self) -> bool {
        matches!(self, Self::Admit | Self::Headers | Self::Interaction | Self::Token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_are_numbered_in_their_order() {
        for (stage, number) in Stage::ALL.into_iter().zip(1..) {
            assert_eq!(stage.number(), number, "{}", stage.name());
        }
    }
}
