//! What the sections that checks follow are about: the code cites them by number.

/// Number and subject, in the order of the tables.
#[rustfmt::skip]
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("gp-connect 2",   "addressing: the request line, service roots, the two forms of a target"),
    ("gp-connect 2.2", "the proxy form, and its comparison with the registered endpoint"),
    ("gp-connect 3",   "interaction ids against verb and path"),
    ("gp-connect 4.1", "request headers from the consumer"),
    ("gp-connect 5",   "verbs and version contention"),
    ("gp-connect 6",   "content negotiation and sizes"),
    ("gp-connect 7.1", "the container of the bearer token"),
    ("gp-connect 7.2", "the claims of the token"),
    ("gp-connect 7.3", "what a token may look like besides, and clocks"),
    ("gp-connect 7.4", "FHIR resources within the token: 400 or 422"),
    ("gp-connect 7.6", "what ties caller and token to the directory"),
    ("gp-connect 8",   "TLS and client certificates"),
    ("gp-connect 10",  "accreditation, data sharing agreements, enablement"),
    ("gp-connect 11",  "the directory"),
    ("gp-connect 12",  "the audit record"),
    ("gp-connect 15",  "throttling, availability, NHS numbers"),
    ("gp-connect 17",  "other versions of GP Connect"),
    ("gp-connect 19",  "what is usually missed: XML bodies among others"),
    ("errors A",       "GP Connect's own errors: Spine codes"),
    ("errors B",       "errors of the Spine Secure Proxy"),
    ("RFC 9110 7.6.3", "Via: what a message has passed"),
    ("RFC 7515",       "signed tokens: header, claims, signature"),
    ("RFC 7517",       "the keys that an issuer publishes"),
    ("RFC 7519 4.1",   "the claims that every signed token may have"),
    ("RFC 8705 3.1",   "tokens that are bound to a client certificate"),
];

/// What a section is about.
pub(super) fn subject(section: &str) -> &'static str {
    SECTIONS.iter().find(|(number, _)| *number == section).map_or("", |(_, subject)| subject)
}

#[cfg(test)]
mod tests {
    use gpconnect::contract::Check;

    use super::*;

    #[test]
    fn every_section_that_a_check_follows_has_a_subject() {
        for check in Check::ALL {
            let section = check.section();
            assert!(!subject(section).is_empty(), "{}: {section}", check.name());
        }
        for (section, _) in SECTIONS {
            let follows = |check: &&Check| check.section() == *section;
            assert!(Check::ALL.iter().any(|check| follows(&check)), "{section}");
        }
    }
}
