//! Proxies behind proxies: whether an error is the next proxy's own or the practice's, and whether a
//! request goes in a circle.
//!
//! A practice behind an upstream of kind `proxy` is reached through another secure proxy, such as the
//! national one. That proxy refuses in a vocabulary of its own (errors B), which a practice's system
//! has no use for; a gateway of this kind says so in `Proxy-Status` (RFC 9209) besides.

use memchr::memmem;

use crate::rejection::Reason;

/// What gateways of this kind call themselves in `Via` and `Proxy-Status`.
pub const PSEUDONYM: &str = "gpconnect-gateway";

/// How many of them a request may have passed before. Regions that pass requests on to each other, and
/// one to a third, need two; who passes on in a circle is met again and again.
const MOST_PASSED: usize = 3;

/// Whether a request has passed more gateways of this kind than any chain has; `via` are the lines of
/// its `Via`.
pub fn goes_in_a_circle<'v>(via: impl Iterator<Item = &'v str>) -> bool {
    let hops = via.flat_map(|line| line.split(','));
    let names = hops.filter_map(|hop| hop.split_ascii_whitespace().nth(1));
    names.filter(|name| *name == PSEUDONYM).count() > MOST_PASSED
}

/// What errors of a secure proxy begin with or hold, and our own word for the same refusal.
const TOKENS: [(&str, &str); 7] = [
    ("ASID_CHECK_FAILED_MESSAGESENDER_", "sender_not_accredited"),
    ("PARTYKEY_INTERACTION_CHECK_FAILED_MESSAGERECEIVER_", "receiver_not_accredited"),
    ("FOT_CHECK_FAILED_MESSAGESENDER_", "no_agreement"),
    ("_VARIES_FROM_TARGETURL_", "endpoint_varies"),
    ("405: Method Not Allowed", "method_not_carried"),
    ("Unsupported_Media_Type", "media_type_unsupported"),
    ("ERROR_COMMUNICATING_TO_ENDPOINT_URL_", "upstream_unreachable"),
];

/// The ends of the coding systems of such errors: slashes may be escaped in JSON.
const SYSTEMS: [&str; 2] = ["gpconnect-schedule-response-code-1-0", "spine-operationoutcome-1"];

/// What a secure proxy says in the body of an error, in our own words; none when the error is not in
/// its vocabulary, and so is the practice's.
pub fn refusal(body: &[u8]) -> Option<&'static str> {
    let has = |text: &str| memmem::find(body, text.as_bytes()).is_some();
    let told = TOKENS.iter().find(|(token, _)| has(token)).map(|(_, word)| *word);
    told.or_else(|| SYSTEMS.iter().any(|system| has(system)).then_some("refused"))
}

/// Whether a line of `Proxy-Status` says that an intermediary made the answer itself.
pub fn made_by_an_intermediary(proxy_status: &str) -> bool {
    let parameters = proxy_status.split([',', ';']).map(str::trim_ascii);
    parameters.skip(1).any(|parameter| parameter.starts_with("error="))
}

impl Reason {
    /// What `Proxy-Status` says of an answer that the gateway made for this reason; none where it
    /// stands for an answer of the provider.
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else is a refusal of our own")]
    pub fn proxy_status(&self) -> Option<&'static str> {
        Some(match self {
            Self::AnswerNotFhir { .. } => return None,
            Self::UpstreamUnreachable { .. } | Self::UpstreamFailed { .. } => {
                "gpconnect-gateway; error=destination_unavailable"
            }
            Self::UpstreamNotTrusted { .. } => "gpconnect-gateway; error=tls_certificate_error",
            Self::UpstreamInvalid { .. } => "gpconnect-gateway; error=http_protocol_error",
            Self::UpstreamTimeout { .. } => "gpconnect-gateway; error=http_response_timeout",
            Self::RequestLoop => "gpconnect-gateway; error=proxy_loop_detected",
            Self::GatewayFault { .. } | Self::AuditUnavailable | Self::Overloaded => {
                "gpconnect-gateway; error=proxy_internal_error"
            }
            _ => "gpconnect-gateway; error=http_request_denied",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        outcome::{self, Style},
        rejection::{Rejection, examples},
    };

    /// A chain of four is none that anybody builds; one more visit is refused.
    #[test]
    fn a_circle_is_more_visits_than_a_chain_has() {
        for (name, via, expected) in [
            ("nobody before", &[][..], false),
            ("others", &["1.1 epr, 1.0 fred, HTTP/1.1 spine"], false),
            (
                "three of us",
                &["1.1 gpconnect-gateway, 1.1 gpconnect-gateway", "1.1 gpconnect-gateway"],
                false,
            ),
            (
                "four of us",
                &[
                    "1.1 gpconnect-gateway,1.1 gpconnect-gateway (a comment)",
                    "1.1 spine",
                    "1.1 gpconnect-gateway , 1.1\tgpconnect-gateway",
                ],
                true,
            ),
            (
                "names that begin so",
                &[
                    "1.1 gpconnect-gateway-2, 1.1 gpconnect-gateway2, 1.1 gpconnect-gateway.example, 1.1 gpconnect-gateway:80",
                ],
                false,
            ),
            ("oddities", &["", ",,,", "gpconnect-gateway", " 1.1 "], false),
        ] {
            assert_eq!(goes_in_a_circle(via.iter().copied()), expected, "{name}");
        }
    }

    /// errors B: whatever this gateway answers in the proxy's vocabulary it recognises, in both
    /// formats, and nothing else.
    #[test]
    fn the_vocabulary_of_a_proxy_is_told_from_a_practice_s() {
        for reason in examples() {
            let rejection = Rejection::from(reason);
            for format in [crate::media::Format::Json, crate::media::Format::Xml] {
                let style = Style { format, ..Style::default() };
                let body = outcome::body(&rejection, "1c4b6e8f-9d2a-4e6c-a7b5-4f6e8d0c2a05", style);
                let body = String::from_utf8(body).unwrap();
                let is_proxy_s =
                    body.contains("response-code-1-0") || body.contains("spine-operationoutcome");
                let found = refusal(body.as_bytes());
                assert_eq!(found.is_some(), is_proxy_s, "{}: {body}", rejection.reason.word());
                assert_ne!(found, Some("refused"), "{}: {body}", rejection.reason.word());
            }
        }
        for (name, body, expected) in [
            ("nothing", "", None),
            ("a page", "<html>403</html>", None),
            (
                "a practice's",
                r#"{"code":"ACCESS_DENIED","system":"https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1"}"#,
                None,
            ),
            (
                "another of the system, escaped",
                r#""http:\/\/fhir.nhs.net\/ValueSet\/gpconnect-schedule-response-code-1-0""#,
                Some("refused"),
            ),
            ("a token", "FOT_CHECK_FAILED_MESSAGESENDER_1_MESSAGERECEIVER_2", Some("no_agreement")),
        ] {
            assert_eq!(refusal(body.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn an_intermediary_says_that_the_answer_is_its_own() {
        for (name, line, expected) in [
            ("an error", "gpconnect-gateway; error=http_request_denied", true),
            ("without a blank, later in the list", "a, b;received-status=403;error=x", true),
            ("no error", "gpconnect-gateway; received-status=404", false),
            ("a name that looks so", "error=x", false),
            ("nothing", "", false),
        ] {
            assert_eq!(made_by_an_intermediary(line), expected, "{name}");
        }
        for reason in examples() {
            let told = reason.proxy_status();
            assert_eq!(told.is_none(), reason.word() == "answer_not_fhir");
            let of_us = |line: &str| line.starts_with(PSEUDONYM) && made_by_an_intermediary(line);
            assert!(told.is_none_or(of_us), "{told:?}");
        }
    }
}
