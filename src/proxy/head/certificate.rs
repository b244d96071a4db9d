//! Headers that claim a client certificate. Terminators of TLS tell servers of one in many ways, and
//! servers believe them; a caller that writes such a header itself must not look like a terminator
//! to anybody behind this gateway.

use gpconnect::rejection::Reason;

/// Their names in lower case: RFC 9440, and what terminators use besides. One that ends in `*` stands
/// for all that begin so.
///
/// The names are fixed texts also in answers and logs: what a caller writes behind a known beginning
/// may be anything.
const NAMES: [(&str, &str); 21] = [
    ("client-cert", "Client-Cert"),
    ("client-cert-chain", "Client-Cert-Chain"),
    ("client-cert*", "Client-Cert-*"),
    ("cf-client-cert*", "CF-Client-Cert-*"),
    ("proxy-client-cert*", "Proxy-Client-Cert"),
    ("ssl-client-cert", "SSL-Client-Cert"),
    ("ssl-client-verify", "SSL-Client-Verify"),
    ("ssl-client*", "SSL-Client-*"),
    ("ssl-cert*", "SSL-Cert"),
    ("tls-client*", "TLS-Client-*"),
    ("wl-proxy-client-cert*", "WL-Proxy-Client-Cert"),
    ("x-amzn-mtls-*", "X-Amzn-Mtls-*"),
    ("x-arr-clientcert*", "X-ARR-ClientCert"),
    ("x-client-cert*", "X-Client-Cert"),
    ("x-client-dn*", "X-Client-DN"),
    ("x-client-verify*", "X-Client-Verify"),
    ("x-forwarded-client-cert*", "X-Forwarded-Client-Cert"),
    ("x-forwarded-tls-client-cert*", "X-Forwarded-Tls-Client-Cert"),
    ("x-ssl-client-cert", "X-SSL-Client-Cert"),
    ("x-ssl-*", "X-SSL-*"),
    ("x-tls-client*", "X-TLS-Client-*"),
];

/// The two of RFC 9440, which a terminator tells of callers in: the first of the names.
const TOLD: usize = 2;

/// Refuses a header of such a name; where certificates are `told`, all but those that do. Its first
/// byte and its length let nearly all others pass.
pub(super) fn refuse(name: &[u8], told: bool) -> Result<(), Reason> {
    const SHORTEST: usize = "x-ssl-".len();
    let first = name.first().map_or(0, u8::to_ascii_lowercase);
    if name.len() < SHORTEST || !matches!(first, b'c' | b'p' | b's' | b't' | b'w' | b'x') {
        return Ok(());
    }
    match NAMES.iter().zip(0..).find(|((known, _), _)| is(known, name)) {
        Some((_, place)) if told && place < TOLD => Ok(()),
        Some(((_, shown), _)) => Err(Reason::CertificateClaimed(shown)),
        None => Ok(()),
    }
}

fn is(known: &str, name: &[u8]) -> bool {
    match known.strip_suffix('*') {
        Some(start) => name
            .get(..start.len())
            .is_some_and(|begins| begins.eq_ignore_ascii_case(start.as_bytes())),
        None => name.eq_ignore_ascii_case(known.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_refused_in_any_case_and_told_as_it_is_usually_written() {
        for (known, shown) in NAMES {
            let (start, family) = (known.trim_end_matches('*'), known.ends_with('*'));
            for name in [start.to_owned(), start.to_uppercase(), format!("{start}-more")] {
                let refused = refuse(name.as_bytes(), false);
                if name == start || family {
                    assert!(matches!(refused, Err(Reason::CertificateClaimed(_))), "{name}");
                }
            }
            let (lower, shown) = (shown.to_lowercase(), shown);
            assert!(lower.starts_with(start.trim_end_matches('-')), "{shown} is said of {known}");
        }
        assert_eq!(refuse(b"CLIENT-CERT", false), Err(Reason::CertificateClaimed("Client-Cert")));
        assert_eq!(refuse(b"x-ssl-cert", false), Err(Reason::CertificateClaimed("X-SSL-*")));
        assert_eq!(refuse(b"X-Ssl-Issuer", false), Err(Reason::CertificateClaimed("X-SSL-*")));
    }

    #[test]
    fn a_terminator_tells_in_two_and_no_others() {
        for (known, shown) in NAMES {
            let refused = refuse(known.trim_end_matches('*').as_bytes(), true);
            let passes = matches!(shown, "Client-Cert" | "Client-Cert-Chain");
            // What begins so and ends there is the name itself.
            let passes = passes || known == "client-cert*";
            assert_eq!(refused.is_ok(), passes, "{known}");
        }
        assert!(refuse(b"Client-Certificate", true).is_err());
        assert!(refuse(b"Client-Cert-Chains", true).is_err());
    }

    #[test]
    fn the_first_bytes_are_those_of_the_names() {
        for (known, _) in NAMES {
            assert!(b"cpstwx".contains(&known.as_bytes()[0]), "{known}");
        }
    }

    #[test]
    fn other_headers_pass() {
        for name in [
            "Client",
            "Client-IP",
            "Content-Type",
            "Cookie",
            "Prefer",
            "Ssp-TraceID",
            "Sec-Fetch",
            "TE",
            "X",
            "X-SSL",
            "X-Forwarded-For",
            "X-Request-ID",
            "X-Client-Version",
            "Traceparent",
            "Via",
            "",
        ] {
            assert_eq!(refuse(name.as_bytes(), false), Ok(()), "{name}");
        }
    }
}
