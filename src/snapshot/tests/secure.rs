//! What `check` says of certificates and lists that can be used, and are not well.

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::{
    config::Environment,
    snapshot::check,
    tls::issue::{Authority, Order, replace},
};

const DAY: i64 = 86_400;

/// A good configuration with a TLS listener and a TLS upstream of these files, and its warnings.
fn warnings(own: &Order, list_days: i64) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/config/good");
    for file in ["practices.toml", "consumers.toml", "agreements.toml"] {
        fs::copy(good.join(file), folder.path().join(file)).unwrap();
    }
    let file = |name: &str| folder.path().join(name);
    let root = Authority::root("Root").unwrap();
    root.issue(own).unwrap().write(&file("own.pem"), &file("own.key")).unwrap();
    replace(&file("ca.pem"), &root.certificate.to_pem().unwrap()).unwrap();
    let ends = Order::new("x").from + DAY + list_days * DAY;
    let list = root.revocation_list(&[], ends).unwrap();
    replace(&file("ca.crl"), &list.to_pem().unwrap()).unwrap();
    let text = "[directory]\nfiles = [\"practices.toml\", \"consumers.toml\", \"agreements.toml\"]\n\
                [[listener]]\nname = \"secure\"\naddress = \"0.0.0.0:8443\"\n\
                server_names = [\"gateway.example\", \"gateway.example:8443\", \"10.0.0.1:8443\"]\n\
                [listener.tls]\ncertificate = \"own.pem\"\nkey = \"own.key\"\n\
                client_authorities = [\"ca.pem\"]\nrevocation_lists = [\"ca.crl\"]\n\
                [[upstream]]\nname = \"north-supplier\"\naddress = \"gp.example:443\"\n\
                [upstream.tls]\ncertificate = \"own.pem\"\nkey = \"own.key\"\n\
                authorities = [\"ca.pem\"]\nrevocation_lists = [\"ca.crl\"]\n";
    fs::write(file("gateway.toml"), text).unwrap();
    let found = check(&file("gateway.toml"), &Environment::new([]));
    assert!(found.mistakes.is_empty(), "{}", found.mistakes);
    found.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn what_ends_soon_or_has_ended_is_told_of_each_that_uses_it() {
    let good = Order::new("gateway.example");
    let yesterday = good.from;
    assert_eq!(warnings(&good, 1), [""; 0]);
    for (name, own, days, parts) in [
        (
            "a certificate of ten days",
            Order { until: yesterday + 11 * DAY + 60, ..good.clone() },
            1,
            [
                "listener[0].tls.certificate: ",
                "ends in 10 days",
                "upstream[0].tls.certificate: ",
                "ends in 10 days",
            ],
        ),
        (
            "a list that has run out",
            good.clone(),
            -2,
            [
                "listener[0].tls.revocation_lists[0]: ",
                "ran out 2 days ago",
                "upstream[0].tls.revocation_lists[0]: ",
                "ran out 2 days ago",
            ],
        ),
    ] {
        let told = warnings(&own, days);
        assert_eq!(told.len(), 2, "{name}: {told:?}");
        for (line, part) in [0, 0, 1, 1].into_iter().zip(parts) {
            assert!(told[line].contains(part), "{name}: {part} in {}", told[line]);
        }
    }
}

#[test]
fn a_name_that_the_certificate_lacks_is_told() {
    let told = warnings(&Order::new("other.example"), 1);
    assert_eq!(told.len(), 1, "once for a name with and without its port: {told:?}");
    assert!(told[0].contains("does not name gateway.example"), "{told:?}");
}
