//! docs/deployment.md, by somebody who has a new machine and follows it word by word.

use std::fs;

use serde_json::Value;

use super::machine::Machine;
use super::tools::repository;
use crate::pages::{AUTHORITY, Page, Shell};

/// Runs what the document leaves to its reader, which must work; what it printed.
fn does(shell: &Shell, script: &str) -> String {
    let output = shell.run(script);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{script}: {}\n{said}", output.status);
    said
}

/// The authorities of consumers and practices, elsewhere, make what they are asked for.
const CERTIFICATES: &str = "mkdir -p /root/authorities; cd /root/authorities
authority consumers-ca; authority providers-ca
sign providers-ca /root/gateway.csr gateway.pem
issue consumers-ca epr.rxx01.example epr
issue providers-ca gp.supplier-a.example supplier
cp gateway.pem consumers-ca.pem consumers-ca.crl providers-ca.pem providers-ca.crl /etc/gpconnect-gateway/
cp providers-ca.pem authority.pem
cd /etc/gpconnect-gateway";

/// Names that a region's own DNS would know, and where the practice's system is on this machine.
const REGION: &str =
    "printf '127.0.0.1 gpconnect.region.example gp.supplier-a.example\\n' >>/etc/hosts
sed -i 's/gp.supplier-a.example:443/gp.supplier-a.example:19443/' gateway.toml";

const SIMULATE: &str = "gpconnect-gateway simulate --practices 1 --listen 127.0.0.1:19443 \
--certificate /root/authorities/supplier.pem --key /root/authorities/supplier.key \
--client-authorities /root/authorities/providers-ca.pem";

/// From a checkout to requests over mutual TLS that are seen in Prometheus.
#[test]
fn a_new_machine_serves_and_is_watched() {
    let Some(machine) = Machine::start("docs/deployment.md on a new machine") else { return };
    let mut page = Page::open("docs/deployment.md", machine.shell());
    does(page.shell(), "export DPKG_DEB_COMPRESSOR_LEVEL=0 DEBIAN_FRONTEND=noninteractive");

    page.leaves_out("cargo build --release");
    page.runs("deploy/debian/build", &["target/gpconnect-gateway_"]);
    page.runs("apt-get install ./target", &["needs keys and certificates first"]);

    page.runs("cd /etc/gpconnect-gateway", &[]);
    page.runs("gpconnect-gateway audit keys", &["signing.pub"]);
    page.runs("mv /root/audit-keys/signing.key", &[]);
    page.runs("mv /root/audit-keys/recipients.txt", &[]);
    page.runs("chmod 644 recipients.txt", &[]);
    page.runs("openssl req -new", &[]);
    page.runs("chmod 600 keys/*", &[]);
    does(page.shell(), &format!("{AUTHORITY}\n{CERTIFICATES}"));
    page.runs("CREDENTIALS_DIRECTORY=", &["0 mistakes, 0 warnings"]);
    does(page.shell(), REGION);
    page.shell().start(SIMULATE, "practices at");

    page.runs("systemctl enable --now", &[]);
    page.runs(
        "systemctl status",
        &["active (running)", "ready; 2 practices, 2 consumers, 0 requests"],
    );
    page.runs("journalctl -u", &["taking requests"]);
    page.runs("curl -s http://127.0.0.1:9090/readyz", &["ready"]);
    obeys(page.shell());

    does(page.shell(), "cd /root/authorities");
    page.runs("gpconnect-gateway request", &["200 OK", "\"Bundle\""]);
    let refused = page.shell().run(
        "gpconnect-gateway request metadata --gateway https://gpconnect.region.example --practice A20047 \
         --cert epr.pem --key epr.key --ca authority.pem --from 200000000359 --to-asid 918999198994",
    );
    assert!(!refused.status.success());

    let settings = page.shows("yaml", "rule_files:");
    watches(page.shell(), &settings);
    update(page.shell());

    page.leaves_out("docker build");
    page.leaves_out("docker run");
    does(page.shell(), "systemctl stop gpconnect-gateway; cd /src");
    page.leaves_out("cargo build --release");
    page.runs("deploy/compose/prepare", &["made in"]);
    page.leaves_out("docker compose");
    does(page.shell(), "cd /src/deploy/compose/site");
    page.stays("gpconnect-gateway simulate --practices 100", "practices at");
    page.runs("mkdir -p state", &[]);
    page.runs("export CREDENTIALS_DIRECTORY", &[]);
    page.runs("export GPCG__AUDIT__DIRECTORY", &[]);
    page.stays("gpconnect-gateway serve", "taking requests");
    page.runs("gpconnect-gateway request find-patient", &["200 OK", "\"Bundle\""]);
    page.end();
}

/// The orders of the table, and the figure below it.
fn obeys(shell: &Shell) {
    does(shell, "systemctl reload gpconnect-gateway");
    let said = does(shell, "journalctl -u gpconnect-gateway -o cat");
    assert!(said.contains("configuration reloaded"), "{said}");
    does(shell, "systemctl restart gpconnect-gateway");
    does(shell, "systemctl is-active gpconnect-gateway");
    let document = fs::read_to_string(repository("docs/deployment.md")).unwrap();
    let figure = document.split("systemd-analyze security gpconnect-gateway`: ").nth(1).unwrap();
    let figure = figure.split(')').next().unwrap();
    let said = does(shell, "systemd-analyze security gpconnect-gateway --no-pager");
    let line = said.lines().find(|line| line.contains("Overall exposure level")).unwrap();
    assert!(line.contains(&format!(": {figure} ")), "{figure} in {line}");
}

/// Debian's Prometheus at another port, as the document says, finds all that the first dashboard asks for.
fn watches(shell: &Shell, settings: &str) {
    // As written but for the times, so that a test need not wait for minutes.
    let often = "global: { evaluation_interval: 1s }\n\n";
    let settings = settings.replace("scrape_interval: 15s", "scrape_interval: 1s");
    does(shell, &format!("cat >/etc/prometheus/prometheus.yml <<'END'\n{often}{settings}END"));
    does(shell, "promtool check config /etc/prometheus/prometheus.yml");
    let port = "ARGS=\"--web.listen-address=127.0.0.1:9091\"";
    does(shell, &format!("echo '{port}' >/etc/default/prometheus; systemctl restart prometheus"));
    let text = fs::read_to_string(repository("dashboards/overview.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let mut asked = 0;
    for panel in panels.filter(|panel| panel["type"] != "row") {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "1m");
            finds(shell, panel["title"].as_str().unwrap(), &query);
            asked += 1;
        }
    }
    assert!(asked > 10);
}

/// Asks as its consumer and Prometheus, again and again, until something is found.
fn finds(shell: &Shell, title: &str, query: &str) {
    // Where all is well there is no alert, and nobody books here.
    if title == "Alerts that fire" || query.contains("kind=\"command\"") {
        return;
    }
    let script = format!(
        "for try in $(seq 90); do\n\
         gpconnect-gateway request find-patient --gateway https://gpconnect.region.example --practice A20047 \
         --nhs-number 9000000009 --cert epr.pem --key epr.key --ca authority.pem --from 200000000359 \
         --to-asid 918999198993 --quiet >/dev/null\n\
         gpconnect-gateway request find-patient --gateway https://gpconnect.region.example --practice A20047 \
         --nhs-number 9000000009 --cert epr.pem --key epr.key --ca authority.pem --from 200000000359 \
         --to-asid 918999198994 --quiet >/dev/null\n\
         curl -sG http://127.0.0.1:9091/api/v1/query --data-urlencode query@- <<'END' >/root/found\n\
         {query}\nEND\n\
         grep -q '\"value\":' /root/found && exit 0\nsleep 1\ndone\ncat /root/found; exit 1"
    );
    let output = shell.run(&script);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{title}: {query}: {said}");
}

/// An update takes the running service with it.
fn update(shell: &Shell) {
    let before = does(shell, "systemctl show -p MainPID --value gpconnect-gateway");
    does(shell, "apt-get install --reinstall -y /src/target/gpconnect-gateway_*.deb");
    let after = does(shell, "systemctl show -p MainPID --value gpconnect-gateway");
    assert_ne!(before, after, "it was restarted");
    let said = does(shell, "curl -s http://127.0.0.1:9090/readyz");
    assert!(said.contains("ready"), "{said}");
}
