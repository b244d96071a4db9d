//! What is wrong with files of keys, certificates and revocations, and what is said of it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{
    issue::{Authority, KeyKind, Order, replace},
    server::now,
    *,
};
use crate::config::{Document, ListenerTls, Notebook, Profile, Refusal, TlsFile};

mod revocations;

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
