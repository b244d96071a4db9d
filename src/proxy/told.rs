//! What a terminator of TLS tells of a caller, taken out of the head of a request: the engine, the
//! provider and the log never see it.

use bytes::BytesMut;
use gpconnect::rejection::Reason;

use crate::tls::{Told, field};

const CERTIFICATE: &str = "Client-Cert";
const CHAIN: &str = "Client-Cert-Chain";

/// Takes `Client-Cert` and `Client-Cert-Chain` out of a head that was checked. None when the first
/// is not there: then the terminator met nobody with a certificate.
///
/// # Errors
/// When one stands twice, or can't be read.
pub(super) fn take(head: &mut BytesMut) -> Result<Option<Told>, Reason> {
    let (mut certificate, mut chain) = (None, None);
    let mut rest = BytesMut::with_capacity(head.len());
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let Some((name, value)) = field_of(line) else {
            rest.extend_from_slice(line);
            continue;
        };
        let place = if name == CERTIFICATE { &mut certificate } else { &mut chain };
        if place.replace(value).is_some() {
            return Err(Reason::HeaderRepeated(name));
        }
    }
    let read = |value| field::certificate(value).map_err(Reason::CertificateUnreadable);
    let certificate = certificate.map(read).transpose()?;
    let read = |value| field::chain(value).map_err(Reason::CertificateUnreadable);
    let chain = chain.map(read).transpose()?;
    *head = rest;
    Ok(certificate.map(|certificate| Told { certificate, chain: chain.unwrap_or_default() }))
}

/// The name and the value of a line, when it is one of the two fields.
fn field_of(line: &[u8]) -> Option<(&'static str, &[u8])> {
    let colon = match line.first()? {
        b'C' | b'c' => memchr::memchr(b':', line)?,
        _ => return None,
    };
    let (name, value) = line.split_at_checked(colon)?;
    let known = [CERTIFICATE, CHAIN];
    let known = known.iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes()))?;
    Some((known, value.get(1..).unwrap_or_default().trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(head: &str) -> (Result<Option<Told>, &'static str>, String) {
        let mut bytes = BytesMut::from(head);
        let told = take(&mut bytes).map_err(|reason| reason.word());
        (told, String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn told(certificate: u8, chain: &[u8]) -> Result<Option<Told>, &'static str> {
        let chain = chain.iter().map(|byte| vec![*byte]).collect();
        Ok(Some(Told { certificate: vec![certificate], chain }))
    }

    #[test]
    fn both_fields_are_taken_out() {
        let (first, last) = ("GET /Client-Cert: HTTP/1.1\r\nHost: a\r\n", "Client: b\r\n\r\n");
        for (name, lines, expected) in [
            ("none", "", Ok(None)),
            ("one", "Client-Cert: :AQ==:\r\n", told(1, &[])),
            ("in small letters", "client-cert::AQ==:\r\n", told(1, &[])),
            ("blanks", "Client-Cert: \t :AQ==: \r\n", told(1, &[])),
            (
                "both",
                "Client-Cert-Chain: :Ag==:, :Aw==:\r\nClient-Cert: :AQ==:\r\n",
                told(1, &[2, 3]),
            ),
            ("a chain of nothing", "Client-Cert-Chain: :AQ==:\r\n", Ok(None)),
        ] {
            let head = [first, lines, last].concat();
            assert_eq!(taken(&head), (expected, [first, last].concat()), "{name}");
        }
    }

    #[test]
    fn two_of_one_kind_and_what_can_not_be_read_are_refused() {
        for (name, lines, word) in [
            ("twice", "Client-Cert: :AQ==:\r\nclient-cert: :AQ==:\r\n", "header_repeated"),
            (
                "two chains",
                "Client-Cert-Chain: :AQ==:\r\nClient-Cert-Chain: :AQ==:\r\n",
                "header_repeated",
            ),
            ("empty", "Client-Cert:\r\n", "certificate_unreadable"),
            ("a list", "Client-Cert: :AQ==:, :AQ==:\r\n", "certificate_unreadable"),
            ("a bad chain alone", "Client-Cert-Chain: a\r\n", "certificate_unreadable"),
        ] {
            let head = format!("GET / HTTP/1.1\r\n{lines}\r\n");
            assert_eq!(taken(&head).0, Err(word), "{name}");
        }
    }
}
