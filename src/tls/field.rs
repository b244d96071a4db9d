//! `Client-Cert` and `Client-Cert-Chain` (RFC 9440): byte sequences of structured fields (RFC 8941,
//! 3.3.5), and a list of them.
//!
//! Our own few lines in place of a crate for all structured fields: that grammar has parameters,
//! other types and lenient base64, which would have to be refused again. What is taken has one form:
//! padded base64 without stray bits, between colons.

use base64::{Engine, engine::general_purpose::STANDARD};

/// The most characters of one certificate.
const MOST_BYTES: usize = 16 * 1024;
/// The most certificates of a chain. Ours end after three.
const MOST_MEMBERS: usize = 10;

/// The certificate of a `Client-Cert`, whatever its bytes are.
///
/// # Errors
/// What is wrong with the field.
pub fn certificate(value: &[u8]) -> Result<Vec<u8>, &'static str> {
    sequence(value).map_err(|fault| match fault {
        Fault::Colons => "Client-Cert does not stand between colons",
        Fault::TooLong => "Client-Cert is longer than 16384 characters",
        Fault::Base64 => "Client-Cert is not padded base64",
        Fault::Empty => "Client-Cert is empty",
    })
}

/// The certificates of a `Client-Cert-Chain`, in their order.
///
/// # Errors
/// What is wrong with the field.
pub fn chain(value: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut found = Vec::new();
    for member in value.split(|byte| *byte == b',') {
        if found.len() == MOST_MEMBERS {
            return Err("Client-Cert-Chain holds more than 10 certificates");
        }
        found.push(sequence(trim(member)).map_err(|fault| match fault {
            Fault::Colons => "a certificate of Client-Cert-Chain does not stand between colons",
            Fault::TooLong => "a certificate of Client-Cert-Chain is longer than 16384 characters",
            Fault::Base64 => "a certificate of Client-Cert-Chain is not padded base64",
            Fault::Empty => "a certificate of Client-Cert-Chain is empty",
        })?);
    }
    Ok(found)
}

enum Fault {
    Colons,
    TooLong,
    Base64,
    Empty,
}

fn sequence(value: &[u8]) -> Result<Vec<u8>, Fault> {
    let inner = value.strip_prefix(b":").and_then(|rest| rest.strip_suffix(b":"));
    let inner = inner.ok_or(Fault::Colons)?;
    if inner.is_empty() {
        return Err(Fault::Empty);
    }
    if inner.len() > MOST_BYTES {
        return Err(Fault::TooLong);
    }
    STANDARD.decode(inner).or(Err(Fault::Base64))
}

/// Without the blanks that a list may have around its commas.
fn trim(member: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = member.iter().position(|byte| !is_blank(byte)).unwrap_or(member.len());
    let end = member.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    member.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn printed(bytes: &[u8]) -> String {
        format!(":{}:", STANDARD.encode(bytes))
    }

    /// RFC 9440, 2.1 and RFC 8941, 3.3.5.
    #[test]
    fn a_byte_sequence_has_one_form() {
        for (name, value, expected) in [
            ("one byte", ":AA==:", Ok(vec![0])),
            ("two", ":AAE=:", Ok(vec![0, 1])),
            ("three", ":AAEC:", Ok(vec![0, 1, 2])),
            ("all letters", ":+/+/:", Ok(vec![0xfb, 0xff, 0xbf])),
            ("nothing", "", Err("colons")),
            ("a colon", ":", Err("colons")),
            ("no bytes", "::", Err("empty")),
            ("no colons", "AA==", Err("colons")),
            ("none in front", "AA==:", Err("colons")),
            ("none behind", ":AA==", Err("colons")),
            ("a third", ":AA==::", Err("base64")),
            ("quotes", "\":AA==:\"", Err("colons")),
            ("a parameter", ":AA==:;a=1", Err("colons")),
            ("a blank within", ":AA ==:", Err("base64")),
            ("a blank in front", " :AA==:", Err("colons")),
            ("without padding", ":AA:", Err("base64")),
            ("half the padding", ":AA=:", Err("base64")),
            ("stray bits", ":AB==:", Err("base64")),
            ("for URLs", ":-_-_:", Err("base64")),
            ("PEM", "-----BEGIN CERTIFICATE-----", Err("colons")),
            ("two members", ":AA==:, :AA==:", Err("base64")),
            ("not ASCII", ":\u{e9}\u{e9}:", Err("base64")),
        ] {
            match (certificate(value.as_bytes()), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{name}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{name}: {found}"),
                (found, expected) => panic!("{name}: {found:?}, not {expected:?}"),
            }
        }
        let long = printed(&[0; MOST_BYTES / 4 * 3]);
        assert_eq!(certificate(long.as_bytes()).map(|bytes| bytes.len()), Ok(12_288));
        let longer = printed(&[0; MOST_BYTES / 4 * 3 + 1]);
        assert!(certificate(longer.as_bytes()).unwrap_err().contains("longer"));
    }

    /// RFC 9440, 2.3.
    #[test]
    fn a_chain_is_a_list_of_them() {
        for (name, value, expected) in [
            ("one", ":AA==:", Ok(1)),
            ("two", ":AA==:,:AQ==:", Ok(2)),
            ("blanks", ":AA==: \t,\t :AQ==:", Ok(2)),
            ("nothing", "", Err("colons")),
            ("a comma", ",", Err("colons")),
            ("a comma behind", ":AA==:,", Err("colons")),
            ("a comma in front", ",:AA==:", Err("colons")),
            ("two commas", ":AA==:,,:AQ==:", Err("colons")),
            ("no comma", ":AA==: :AQ==:", Err("base64")),
            ("a token", ":AA==:, a", Err("colons")),
            ("an inner list", "(:AA==:)", Err("colons")),
        ] {
            match (chain(value.as_bytes()), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.len(), expected, "{name}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{name}: {found}"),
                (found, expected) => panic!("{name}: {found:?}, not {expected:?}"),
            }
        }
        let many = |count: usize| vec![":AA==:"; count].join(", ");
        assert_eq!(chain(many(10).as_bytes()).map(|found| found.len()), Ok(10));
        assert!(chain(many(11).as_bytes()).unwrap_err().contains("more than 10"));
        assert!(chain(many(10_000).as_bytes()).unwrap_err().contains("more than 10"));
    }

    proptest! {
        #[test]
        fn what_was_printed_is_read(
            all in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..99), 1..=10)
        ) {
            let fields: Vec<String> = all.iter().map(|bytes| printed(bytes)).collect();
            prop_assert_eq!(certificate(fields[0].as_bytes()), Ok(all[0].clone()));
            prop_assert_eq!(chain(fields.join(", ").as_bytes()), Ok(all));
        }

        #[test]
        fn what_was_read_prints_the_same(value in "[:A-D/=, ]{0,24}|\\PC{0,24}") {
            if let Ok(bytes) = certificate(value.as_bytes()) {
                prop_assert_eq!(&printed(&bytes), &value);
            }
            if let Ok(all) = chain(value.as_bytes()) {
                let fields: Vec<String> = all.iter().map(|bytes| printed(bytes)).collect();
                prop_assert_eq!(fields.join(","), value.replace([' ', '\t'], ""));
            }
        }
    }
}
