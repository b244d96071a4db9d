//! What is revoked, looked up here and found by the library.

use super::{DAY, Files};
use crate::tls::{
    issue::{Authority, Order},
    server::now,
    trust::{Trust, verify},
};
use openssl::{
    asn1::{Asn1Object, Asn1OctetString, Asn1Time},
    bn::BigNum,
    hash::MessageDigest,
    stack::Stack,
    x509::{
        X509, X509CrlBuilder, X509Extension, X509PurposeId, X509Ref, X509RevokedBuilder,
        extension::{AuthorityKeyIdentifier, CrlNumber},
    },
};

/// A critical extension of a list: it holds certificates of systems only.
fn of_systems_only() -> X509Extension {
    let number = Asn1Object::from_str("2.5.29.28").unwrap();
    let only = Asn1OctetString::new_from_bytes(b"\x30\x03\x81\x01\xff").unwrap();
    X509Extension::new_from_der(&number, true, &only).unwrap()
}

/// The authorities and lists of the files, judged by look-up where that is possible, or else by the
/// library alone.
fn verdict(files: &Files, by_library: bool, chain: &[X509]) -> Result<(), &'static str> {
    let settings = files.settings();
    let lists = &settings.revocation_lists;
    let mut trust = Trust::read(&settings.client_authorities, lists, now()).ok().unwrap();
    if by_library {
        trust.revoked = None;
    }
    let verifier = trust.verifier(X509PurposeId::SSL_CLIENT).unwrap();
    let mut sent = Stack::new().unwrap();
    chain[1..].iter().for_each(|one| sent.push(one.clone()).unwrap());
    verify(&verifier, &chain[0], Some(&sent), now()).map(|_| ())
}

/// What is looked up is what the library would find.
/// gp-connect 8.
#[test]
fn a_look_up_agrees_with_the_library() {
    let files = Files::new();
    let issue = |authority: &Authority| authority.issue(&Order::new("epr.example")).unwrap();
    let (good, bad) = (issue(&files.consumers), issue(&files.consumers));
    let (below, beside) = (files.consumers.below("Between").unwrap(), issue(&files.root));
    let between = issue(&below);
    let ends = now() + DAY;
    let list = |authority: &Authority, revoked: &[&X509Ref], until: i64| {
        authority.revocation_list(revoked, until).unwrap().to_der().unwrap()
    };
    for (name, of_root, of_consumers, left) in [
        ("nothing is revoked", vec![], vec![], vec!["good", "bad", "beside"]),
        ("one is", vec![], vec![&*bad.certificate], vec!["good", "beside"]),
        (
            "several are",
            vec![&*beside.certificate],
            vec![&*between.certificate, &*bad.certificate, &*below.certificate],
            vec!["good"],
        ),
        ("an authority is", vec![&*files.consumers.certificate], vec![], vec!["beside"]),
        ("the root is", vec![&*files.root.certificate], vec![], vec![]),
        // Each authority speaks for its own certificates.
        ("another's is", vec![&*bad.certificate], vec![], vec!["good", "bad", "beside"]),
    ] {
        for until in [ends, now() - DAY] {
            files.write("a.crl", &list(&files.root, &of_root, until));
            files.write("b.crl", &list(&files.consumers, &of_consumers, until));
            for (whose, chain) in [
                ("good", vec![good.certificate.clone()]),
                ("bad", vec![bad.certificate.clone()]),
                ("beside", vec![beside.certificate.clone()]),
                ("between", vec![between.certificate.clone(), below.certificate.clone()]),
            ] {
                let (looked_up, by_library) =
                    (verdict(&files, false, &chain), verdict(&files, true, &chain));
                assert_eq!(looked_up, by_library, "{name}, {until}: {whose}");
                assert_eq!(looked_up.is_ok(), left.contains(&whose), "{name}, {until}: {whose}");
            }
        }
    }
}

/// A list that only the library reads right is left to it, and refuses what it lists.
#[test]
fn a_list_for_a_part_is_left_to_the_library() {
    let files = Files::new();
    let issue = || files.consumers.issue(&Order::new("epr.example")).unwrap();
    let (good, bad) = (issue(), issue());
    let mut builder = X509CrlBuilder::new().unwrap();
    builder.set_issuer_name(files.consumers.certificate.subject_name()).unwrap();
    builder.set_last_update(&Asn1Time::from_unix(now() - DAY).unwrap()).unwrap();
    builder.set_next_update(&Asn1Time::from_unix(now() + DAY).unwrap()).unwrap();
    let identifier = {
        let context = X509::builder().unwrap();
        let context = context.x509v3_context(Some(&files.consumers.certificate), None);
        AuthorityKeyIdentifier::new().keyid(true).build(&context).unwrap()
    };
    builder.append_extension(identifier).unwrap();
    let number = CrlNumber::new(BigNum::from_u32(1).unwrap()).unwrap().build().unwrap();
    builder.append_extension(number).unwrap();
    builder.append_extension(of_systems_only()).unwrap();
    let mut entry = X509RevokedBuilder::new().unwrap();
    entry.set_serial_number(bad.certificate.serial_number()).unwrap();
    entry.set_revocation_date(&Asn1Time::from_unix(now() - DAY).unwrap()).unwrap();
    builder.add_revoked(entry.build()).unwrap();
    builder.sign(&files.consumers.key, MessageDigest::sha256()).unwrap();
    let settings = files.settings();
    let plain = Trust::read(&settings.client_authorities, &settings.revocation_lists, now());
    assert!(plain.ok().unwrap().revoked.is_some());
    files.write("b.crl", &builder.build().unwrap().to_der().unwrap());
    let part = Trust::read(&settings.client_authorities, &settings.revocation_lists, now());
    assert!(part.ok().unwrap().revoked.is_none());
    assert_eq!(verdict(&files, false, &[good.certificate]), Ok(()));
    let refused = verdict(&files, false, &[bad.certificate]);
    assert_eq!(refused, Err("it, or an authority of it, is revoked"));
}
