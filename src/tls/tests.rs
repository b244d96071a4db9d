//! What is wrong with files of keys, certificates and revocations, and what is said of it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
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
use tempfile::TempDir;

use super::{
    issue::{Authority, KeyKind, Order, replace},
    server::now,
    trust::{Trust, verify},
    *,
};
use crate::config::{Document, ListenerTls, Notebook, Profile, Refusal, TlsFile};

const DAY: i64 = 86_400;

/// The files of a good listener.
struct Files {
    folder: TempDir,
    root: Authority,
    consumers: Authority,
}

impl Files {
    fn new() -> Self {
        let root = Authority::root("Root").unwrap();
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
            consumers: root.below("Consumers").unwrap(),
            root,
        };
        let issued = files.root.issue(&Order::new("gateway.example")).unwrap();
        issued.write(&files.path("own.pem"), &files.path("own.key")).unwrap();
        files.write("ca.pem", &[pem(&files.root), pem(&files.consumers)].concat());
        files.write("a.crl", &files.list(&files.root, 1));
        files.write("b.crl", &files.list(&files.consumers, 1));
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        replace(&self.path(name), bytes).unwrap();
    }

    /// A list in DER that ends in so many days.
    fn list(&self, authority: &Authority, days: i64) -> Vec<u8> {
        authority.revocation_list(&[], now() + days * DAY).unwrap().to_der().unwrap()
    }

    fn settings(&self) -> ListenerTls {
        let file = |name: &str| file(&self.path(name));
        ListenerTls {
            certificate: file("own.pem"),
            key: file("own.key"),
            client_authorities: vec![file("ca.pem")],
            revocation_lists: vec![file("a.crl"), file("b.crl")],
            profile: Profile::Modern,
            refusal: Refusal::Http,
            dh_parameters: None,
        }
    }

    /// What is wrong, file names without their folder.
    fn faults(&self) -> Vec<String> {
        let faults = ServerTls::open(self.settings()).err().unwrap_or_default();
        let folder = format!("{}/", self.folder.path().display());
        faults.iter().map(|fault| fault.to_string().replace(&folder, "")).collect()
    }
}

fn file(path: &Path) -> TlsFile {
    let notebook = Notebook::default();
    let document = Document::parse("gateway.toml", "", &notebook);
    let place = crate::config::Section::read(&document, &[], &notebook, |root| root.place());
    TlsFile { path: path.to_owned(), key: String::from("key"), place }
}

fn pem(authority: &Authority) -> Vec<u8> {
    authority.certificate.to_pem().unwrap()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table: one row a case")]
fn what_is_wrong_is_said_of_the_file_that_it_is_in() {
    for (name, change, expected) in [
        ("nothing", (|_| {}) as fn(&Files), &[][..]),
        (
            "a root that is not there",
            |files| files.write("ca.pem", &pem(&files.consumers)),
            &[
                "ca.pem holds the authority CN=Consumers, but no file holds its issuer CN=Root",
                "a.crl holds a list in the name of CN=Root that none of the authorities signed",
            ],
        ),
        (
            "an authority without a list",
            |files| files.write("b.crl", &files.list(&files.root, 1)),
            &["a.crl holds no list of the authority CN=Consumers"],
        ),
        (
            "a list of somebody else in an authority's name",
            |files| files.write("b.crl", &files.list(&Authority::root("Consumers").unwrap(), 1)),
            &["b.crl holds a list in the name of CN=Consumers that none of the authorities signed"],
        ),
        (
            "a list that has run out",
            |files| files.write("b.crl", &files.list(&files.consumers, -1)),
            &[],
        ),
        (
            "the key of another certificate",
            |files| {
                let other = files.root.issue(&Order::new("other.example")).unwrap();
                other.write(&files.path("other.pem"), &files.path("own.key")).unwrap();
            },
            &["own.key is not the key of the certificate in own.pem"],
        ),
        (
            "two certificates that do not belong together",
            |files| {
                let own = fs::read(files.path("own.pem")).unwrap();
                files.write("own.pem", &[own, pem(&files.consumers)].concat());
            },
            &["own.pem is out of order: CN=gateway.example is not issued by CN=Consumers"],
        ),
        (
            "a weak key of our own",
            |files| {
                let order = Order { key: KeyKind::Rsa(1024), ..Order::new("gateway.example") };
                let weak = files.root.issue(&order).unwrap();
                weak.write(&files.path("own.pem"), &files.path("own.key")).unwrap();
            },
            &["own.pem can't be used"],
        ),
        (
            "a key that all may read",
            |files| {
                let mode = fs::Permissions::from_mode(0o644);
                fs::set_permissions(files.path("own.key"), mode).unwrap();
            },
            &["own.key is a private key that others can reach (mode 0644); chmod 0600 own.key"],
        ),
        (
            "a key that the group may read",
            |files| {
                let mode = fs::Permissions::from_mode(0o640);
                fs::set_permissions(files.path("own.key"), mode).unwrap();
            },
            &[],
        ),
        (
            "a key under a passphrase",
            |files| {
                let issued = files.root.issue(&Order::new("gateway.example")).unwrap();
                let cipher = openssl::symm::Cipher::aes_256_cbc();
                let key = issued.key.private_key_to_pem_pkcs8_passphrase(cipher, b"secret");
                files.write("own.key", &key.unwrap());
            },
            &["own.key holds no private key in PEM, or one under a passphrase"],
        ),
        (
            "half a certificate behind a whole one",
            |files| {
                files.write(
                    "ca.pem",
                    &[&*pem(&files.root), b"-----BEGIN CERTIFICATE-----\nMII"].concat(),
                )
            },
            &["ca.pem holds no readable certificates"],
        ),
        (
            "several at once",
            |files| {
                files.write("own.pem", b"");
                files.write("a.crl", b"x");
            },
            &["own.pem holds no readable certificates", "a.crl holds no readable revocation list"],
        ),
    ] {
        let files = Files::new();
        change(&files);
        let faults = files.faults();
        assert_eq!(faults.len(), expected.len(), "{name}: {faults:?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.starts_with(expected), "{name}: {fault}");
        }
    }
}

#[test]
fn a_change_is_seen_and_a_fault_told_when_it_lasts() {
    let files = Files::new();
    let tls = ServerTls::open(files.settings()).unwrap();
    assert_eq!(tls.renew(), Renewal::Unchanged);
    files.write("b.crl", &files.list(&files.consumers, 2));
    assert_eq!(tls.renew(), Renewal::Renewed);
    assert_eq!(tls.renew(), Renewal::Unchanged);
    let good = fs::read(files.path("own.key")).unwrap();
    files.write("own.key", b"half a k");
    assert_eq!(tls.renew(), Renewal::Unchanged, "it may be being written");
    assert!(tls.is_stale());
    assert!(matches!(tls.renew(), Renewal::Refused(faults) if faults.len() == 1));
    assert_eq!(tls.renew(), Renewal::Unchanged, "it is told once");
    files.write("own.key", &good);
    assert_eq!(tls.renew(), Renewal::Renewed);
    assert!(!tls.is_stale());
}

/// gp-connect 8.
#[test]
fn everything_that_ends_is_listed() {
    let files = Files::new();
    let expiries = ServerTls::open(files.settings()).unwrap().expiries();
    let kinds: Vec<_> = expiries.iter().map(|it| (it.kind, it.subject.as_str())).collect();
    let expected = [
        ("certificate", "CN=gateway.example"),
        ("authority", "CN=Root"),
        ("authority", "CN=Consumers"),
        ("revocation_list", "CN=Root"),
        ("revocation_list", "CN=Consumers"),
    ];
    assert_eq!(kinds, expected);
    let days: Vec<_> = expiries.iter().map(|it| (it.at - now() + DAY / 2) / DAY).collect();
    assert_eq!(days, [90, 3_650, 3_650, 1, 1]);
}

#[test]
fn nothing_secret_is_printed() {
    let files = Files::new();
    let tls = ServerTls::open(files.settings()).unwrap();
    let issued = files.consumers.issue(&Order::new("9000000009.example")).unwrap();
    let certificate = ClientCertificate::read(&issued.certificate);
    assert_eq!(certificate.host_names.len(), 1);
    let printed = format!("{tls:?} {:?} {certificate:?}", tls.current());
    assert!(!printed.contains("PRIVATE") && !printed.contains("9000000009"), "{printed}");
}

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
