//! Authorities and certificates of a test, and the files of a listener.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use gpconnect_gateway::tls::issue::{Authority, Issued, KeyKind, Order, replace};
use openssl::x509::X509Ref;
use tempfile::TempDir;

use super::GATEWAY;
use crate::harness::{HOST, Mode};

pub(crate) const DAY: i64 = 86_400;

/// The authority of the gateway's certificate, that of consumers, which has another above it, one
/// beside it that the root has revoked, and the files that a listener is made of.
pub(crate) struct Pki {
    pub(crate) gateways: Authority,
    pub(crate) root: Authority,
    pub(crate) consumers: Authority,
    pub(crate) withdrawn: Authority,
    folder: TempDir,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let root = Authority::root("Consumers Root").unwrap();
        let pki = Self {
            gateways: Authority::root("Gateways Root").unwrap(),
            consumers: root.below("Consumers").unwrap(),
            withdrawn: root.below("Withdrawn").unwrap(),
            root,
            folder: TempDir::with_prefix("gpconnect-pki-").unwrap(),
        };
        pki.show(&pki.gateway());
        let authorities = [&pki.root, &pki.consumers, &pki.withdrawn];
        let authorities = authorities.map(|one| one.certificate.to_pem().unwrap()).concat();
        replace(&pki.file("authorities.pem"), &authorities).unwrap();
        pki.revoke(&[]);
        pki
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The order of a certificate for the gateway: RSA, as half of all suites need it.
    pub(crate) fn gateway(&self) -> Issued {
        let order = Order { key: KeyKind::Rsa(2048), ..Order::new(GATEWAY) };
        self.gateways.issue(&order).unwrap()
    }

    /// The same with a key on a curve.
    pub(crate) fn gateway_on_curve(&self) -> Issued {
        self.gateways.issue(&Order::new(GATEWAY)).unwrap()
    }

    /// Has the gateway show this certificate.
    pub(crate) fn show(&self, issued: &Issued) {
        issued.write(&self.file("gateway.pem"), &self.file("gateway.key")).unwrap();
    }

    /// Publishes what the consumers' authority has revoked.
    pub(crate) fn revoke(&self, revoked: &[&X509Ref]) {
        self.publish(revoked, now() + DAY);
    }

    pub(crate) fn publish(&self, revoked: &[&X509Ref], until: i64) {
        let lists = [
            self.root.revocation_list(&[&self.withdrawn.certificate], now() + DAY),
            self.consumers.revocation_list(revoked, until),
            self.withdrawn.revocation_list(&[], now() + DAY),
        ];
        let lists = lists.map(|list| list.unwrap().to_pem().unwrap()).concat();
        replace(&self.file("consumers.crl"), &lists).unwrap();
    }

    /// A good certificate of one of the consumers.
    pub(crate) fn consumer(&self, mode: Mode) -> Issued {
        self.issue(&Order::new(&host(mode)))
    }

    pub(crate) fn issue(&self, order: &Order) -> Issued {
        self.consumers.issue(order).unwrap()
    }

    /// The section of the listener.
    pub(crate) fn listener(&self, settings: &str) -> String {
        let file = |name: &str| -> String { quoted(&self.file(name)) };
        format!(
            "[[listener]]\nname = \"secure\"\naddress = \"127.0.0.1:0\"\n\
             server_names = [\"{HOST}\"]\n\n[listener.tls]\ncertificate = {}\nkey = {}\n\
             client_authorities = [{}]\nrevocation_lists = [{}]\n{settings}\n",
            file("gateway.pem"),
            file("gateway.key"),
            file("authorities.pem"),
            file("consumers.crl"),
        )
    }
}

/// The host that a consumer is registered with.
pub(crate) fn host(mode: Mode) -> String {
    format!("{}.rxx01.example", mode.word())
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

pub(crate) fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_str().unwrap())
}
