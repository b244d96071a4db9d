//! The certificate that a terminator of TLS tells of, and its chain (RFC 9440): a value has one form.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use gpconnect_gateway::tls::field;

/// The most characters of a certificate, and the most certificates of a chain.
const LONGEST: usize = 16_384;
const MOST: usize = 10;

/// Reads base64 in every form that somebody might take for it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes that may be the value of either header, and may be a certificate.
pub fn client_cert(bytes: &[u8]) {
    assert_eq!(field::certificate(bytes).ok(), plain(bytes), "another certificate");
    let members: Vec<&[u8]> = bytes.split(|byte| *byte == b',').map(trimmed).collect();
    let chain = members.iter().map(|member| plain(member)).collect::<Option<Vec<_>>>();
    let chain = chain.filter(|_| members.len() <= MOST);
    assert_eq!(field::chain(bytes).ok(), chain, "another chain");
    let printed = printed(bytes);
    let fits = !bytes.is_empty() && printed.len() <= LONGEST + 2;
    assert_eq!(field::certificate(printed.as_bytes()).ok().as_deref(), fits.then_some(bytes));
}

fn printed(bytes: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(bytes))
}

/// What the value holds, if it is exactly what is printed for that.
fn plain(value: &[u8]) -> Option<Vec<u8>> {
    let inner = value.get(1..value.len().checked_sub(1)?)?;
    let bytes = LENIENT.decode(inner).ok()?;
    let fits = !bytes.is_empty() && inner.len() <= LONGEST;
    (fits && printed(&bytes).as_bytes() == value).then_some(bytes)
}

fn trimmed(mut member: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = member {
        member = rest;
    }
    member
}
