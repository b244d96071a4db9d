//! The cipher suites that there are, and those that each profile speaks.

use openssl::ssl::{SslContext, SslMethod};

/// What each profile speaks under TLS 1.2 with a certificate for RSA, and with one on a curve, by
/// hand from its groups. The eight suites that consumers are tested with are among the second ones
/// (gp-connect 8).
pub(super) const SPOKEN: [(&str, &[&str], &[&str]); 2] = [
    (
        "modern",
        &[
            "ECDHE-RSA-AES128-GCM-SHA256",
            "ECDHE-RSA-AES256-GCM-SHA384",
            "ECDHE-RSA-CHACHA20-POLY1305",
        ],
        &[
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            "ECDHE-ECDSA-CHACHA20-POLY1305",
        ],
    ),
    (
        "gp-connect",
        &[
            "ECDHE-RSA-AES128-GCM-SHA256",
            "ECDHE-RSA-AES256-GCM-SHA384",
            "ECDHE-RSA-AES256-SHA384",
            "ECDHE-RSA-AES256-SHA",
            "DHE-RSA-AES128-GCM-SHA256",
            "DHE-RSA-AES256-GCM-SHA384",
            "DHE-RSA-AES256-SHA256",
            "DHE-RSA-AES256-SHA",
            "DHE-RSA-AES256-CCM",
        ],
        &[
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            "ECDHE-ECDSA-AES256-SHA384",
            "ECDHE-ECDSA-AES256-SHA",
            "ECDHE-ECDSA-AES256-CCM",
        ],
    ),
];

/// Every suite of TLS 1.2 and before that needs no key beyond a certificate: each key exchange with
/// each cipher, whether or not somebody has ever used it. The library knows about half of them.
pub(super) fn every_suite() -> Vec<String> {
    const EXCHANGES: [&str; 9] = [
        "ECDHE-ECDSA-",
        "ECDHE-RSA-",
        "ECDHE-",
        "DHE-RSA-",
        "DHE-DSS-",
        "ADH-",
        "AECDH-",
        "",
        "EDH-RSA-",
    ];
    const CIPHERS: [&str; 36] = [
        "AES256-GCM-SHA384",
        "AES128-GCM-SHA256",
        "CHACHA20-POLY1305",
        "AES256-CCM",
        "AES256-CCM8",
        "AES128-CCM",
        "AES128-CCM8",
        "ARIA256-GCM-SHA384",
        "ARIA128-GCM-SHA256",
        "AES256-SHA384",
        "AES256-SHA256",
        "AES256-SHA",
        "AES128-SHA256",
        "AES128-SHA",
        "CAMELLIA256-SHA384",
        "CAMELLIA256-SHA256",
        "CAMELLIA256-SHA",
        "CAMELLIA128-SHA256",
        "CAMELLIA128-SHA",
        "SEED-SHA",
        "IDEA-CBC-SHA",
        "DES-CBC3-SHA",
        "3DES-EDE-CBC-SHA",
        "DES-CBC-SHA",
        "EXP-DES-CBC-SHA",
        "RC4-SHA",
        "RC4-MD5",
        "EXP-RC4-MD5",
        "RC2-CBC-MD5",
        "EXP-RC2-CBC-MD5",
        "NULL-SHA384",
        "NULL-SHA256",
        "NULL-SHA",
        "NULL-MD5",
        "GOST89-GOST89",
        "KUZNYECHIK-CTR-OMAC",
    ];
    let known = |name: &String| {
        let mut context = SslContext::builder(SslMethod::tls()).unwrap();
        context.set_cipher_list(name).is_ok()
    };
    let pairs = EXCHANGES.iter().flat_map(|it| CIPHERS.iter().map(move |cipher| [*it, cipher]));
    pairs.map(|pair| pair.concat()).filter(known).collect()
}
