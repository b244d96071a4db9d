//! A place where the gateway is set up as docs/deployment.md says, with keys and certificates made up.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use gpconnect_gateway::tls::issue::{Authority, Order, replace};

use super::tools::{GATEWAY, ended, program, repository, run, text};

/// The host of the example configurations.
pub(crate) const HOST: &str = "gpconnect.region.example";
/// A consumer system of theirs, by the name in its certificate.
const CONSUMER: &str = "epr.rxx01.example";
const MONTH: u64 = 30 * 86_400;

/// The folder of a configuration, complete.
pub(crate) struct Site {
    pub(crate) folder: PathBuf,
}

impl Site {
    /// Copies an example to a folder that is there, and puts beside it what it names.
    pub(crate) fn of_example(example: &str, folder: &Path) -> Self {
        let source = repository("config/examples").join(example);
        for file in fs::read_dir(&source).unwrap() {
            let file = file.unwrap().path();
            fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
        }
        Self::with_keys(folder)
    }

    /// Puts keys, certificates and lists beside a configuration.
    pub(crate) fn with_keys(folder: &Path) -> Self {
        let keys = folder.join("keys");
        fs::create_dir_all(&keys).unwrap();
        let (consumers, providers) =
            (Authority::root("Consumers").unwrap(), Authority::root("Providers").unwrap());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let until = i64::try_from(now + MONTH).unwrap();
        for (name, authority) in [("consumers", &consumers), ("providers", &providers)] {
            let certificate = authority.certificate.to_pem().unwrap();
            replace(&folder.join(format!("{name}-ca.pem")), &certificate).unwrap();
            let list = authority.revocation_list(&[], until).unwrap().to_pem().unwrap();
            replace(&folder.join(format!("{name}-ca.crl")), &list).unwrap();
        }
        let names = vec![HOST.to_owned(), "localhost".to_owned()];
        let gateway = Order { dns_names: names, ..Order::new(HOST) };
        let gateway = providers.issue(&gateway).unwrap();
        gateway.write(&folder.join("gateway.pem"), &keys.join("gateway.key")).unwrap();
        let consumer = consumers.issue(&Order::new(CONSUMER)).unwrap();
        consumer.write(&folder.join("consumer.pem"), &folder.join("consumer.key")).unwrap();
        let made = folder.join("made");
        let name = format!("{HOST}/audit");
        run(Command::new(GATEWAY).args(["audit", "keys", "--name", &name]).arg(&made));
        for key in ["signing.key", "search.key"] {
            fs::rename(made.join(key), keys.join(key)).unwrap();
        }
        fs::rename(made.join("recipients.txt"), folder.join("recipients.txt")).unwrap();
        fs::remove_dir_all(made).unwrap();
        for open in ["gateway.pem", "recipients.txt", "consumers-ca.pem", "consumers-ca.crl"]
            .into_iter()
            .chain(["providers-ca.pem", "providers-ca.crl"])
        {
            fs::set_permissions(folder.join(open), Permissions::from_mode(0o644)).unwrap();
        }
        Self { folder: folder.to_owned() }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What is set by hand where systemd does not: where keys are, and folders that need no root.
    pub(crate) fn environment(&self) -> [(String, String); 3] {
        let path = |name: &str| self.file(name).to_str().unwrap().to_owned();
        [
            ("CREDENTIALS_DIRECTORY".to_owned(), path("keys")),
            ("GPCG__AUDIT__DIRECTORY".to_owned(), path("audit")),
            ("GPCG__ADMIN__STATE".to_owned(), path("state")),
        ]
    }

    /// What `check` says of it, which must find nothing, not even to warn of.
    pub(crate) fn is_good(&self) {
        let mut check = program(GATEWAY);
        check.args(["check", "--config"]).arg(self.file("gateway.toml")).envs(self.environment());
        let said = run(&mut check);
        assert!(said.contains("0 mistakes, 0 warnings"), "{said}");
    }

    /// Has a consumer ask the first practice for a patient, at that port of this machine; all that was
    /// sent and answered.
    pub(crate) fn ask(&self, port: u16) -> String {
        let mut consumer = Command::new(GATEWAY);
        consumer.args(["request", "find-patient", "--practice", "A20047"]);
        consumer.args(["--nhs-number", "9000000009", "--from", "200000000359"]);
        consumer.args(["--to-asid", "918999198993"]);
        consumer.args([
            "--organisation",
            "RXX01",
            "--gateway",
            &format!("https://localhost:{port}"),
        ]);
        for (option, file) in
            [("--cert", "consumer.pem"), ("--key", "consumer.key"), ("--ca", "providers-ca.pem")]
        {
            consumer.arg(option).arg(self.file(file));
        }
        text(&ended(&mut consumer))
    }
}
