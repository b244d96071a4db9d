//! Certificates that no authority should issue.

use gpconnect_gateway::tls::issue::{Authority, Issued};
use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage};
use openssl::x509::{X509, X509Extension, X509Name};

use super::pki::{DAY, now};

/// What is odd about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Odd {
    /// Only servers may use it.
    Purpose,
    /// It is signed over SHA-1.
    Digest,
    /// It has a critical extension that nobody knows.
    Extension,
    /// It has another authority's signature than that of its issuer.
    Signature,
}

/// A certificate for a host.
pub(super) fn issue(authority: &Authority, host: &str, odd: Odd) -> Issued {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(127, MsbOption::MAYBE_ZERO, false).unwrap();
    builder.set_serial_number(&Asn1Integer::from_bn(&serial).unwrap()).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, host).unwrap();
    builder.set_subject_name(&name.build()).unwrap();
    builder.set_issuer_name(authority.certificate.subject_name()).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(now() - DAY).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(now() + DAY).unwrap()).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.append_extension(BasicConstraints::new().critical().build().unwrap()).unwrap();
    let mut usage = ExtendedKeyUsage::new();
    usage.server_auth();
    if odd != Odd::Purpose {
        usage.client_auth();
    }
    builder.append_extension(usage.build().unwrap()).unwrap();
    if odd == Odd::Extension {
        let number = Asn1Object::from_str("1.3.6.1.4.1.99999.1").unwrap();
        let nothing = Asn1OctetString::new_from_bytes(&[5, 0]).unwrap();
        let extension = X509Extension::new_from_der(&number, true, &nothing).unwrap();
        builder.append_extension(extension).unwrap();
    }
    let digest = if odd == Odd::Digest { MessageDigest::sha1() } else { MessageDigest::sha256() };
    let signer = if odd == Odd::Signature { &key } else { &authority.key };
    builder.sign(signer, digest).unwrap();
    Issued { certificate: builder.build(), key }
}
