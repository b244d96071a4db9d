//! The unit that systemd starts the gateway by.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;

use tempfile::TempDir;

use super::site::Site;
use super::tools::{GATEWAY, Running, get, program, repository, run, wait_for};
use crate::ports::own_address;

const UNIT: &str = "deploy/systemd/gpconnect-gateway.service";

fn unit() -> String {
    fs::read_to_string(repository(UNIT)).unwrap()
}

#[test]
fn the_unit_is_hardened() {
    let mut analyze = program("systemd-analyze");
    analyze.args(["security", "--offline=true", "--no-pager"]).arg(repository(UNIT));
    let said = run(&mut analyze);
    let line = said.lines().find(|line| line.contains("Overall exposure level")).unwrap();
    let score = line.rsplit(": ").next().unwrap().split(' ').next().unwrap();
    assert!(score.parse::<f64>().unwrap() < 2.0, "{line}\n{said}");
}

/// systemd understands each line, and finds what it names.
#[test]
fn the_unit_is_understood() {
    let folder = TempDir::with_prefix("gpconnect-unit-").unwrap();
    let copy = folder.path().join("gpconnect-gateway.service");
    let installed = "/usr/bin/gpconnect-gateway";
    let text = unit();
    assert!(text.contains(installed));
    fs::write(&copy, text.replace(installed, GATEWAY)).unwrap();
    let said = run(program("systemd-analyze").args(["verify", "--man=no"]).arg(&copy));
    assert_eq!(said, "");
}

/// The sets of system calls that systemd knows, by name, with what they hold.
fn sets() -> BTreeMap<String, Vec<String>> {
    let mut sets = BTreeMap::<String, Vec<String>>::new();
    let mut last = String::new();
    let text = run(program("systemd-analyze").args(["syscall-filter", "--no-pager"]));
    for line in text.lines() {
        if line.starts_with('@') {
            last = line.to_owned();
        } else if line.starts_with(' ') && !line.trim().starts_with('#') {
            sets.entry(last.clone()).or_default().push(line.trim().to_owned());
        }
    }
    sets
}

fn expand(name: &str, sets: &BTreeMap<String, Vec<String>>, into: &mut BTreeSet<String>) {
    match sets.get(name) {
        Some(members) => members.iter().for_each(|member| expand(member, sets, into)),
        None => drop(into.insert(name.to_owned())),
    }
}

/// Which calls the unit lets through, as systemd reads its lines.
fn allowed() -> BTreeSet<String> {
    let (sets, text) = (sets(), unit());
    let mut allowed = BTreeSet::new();
    // What every list of allowed calls has besides.
    expand("@default", &sets, &mut allowed);
    for line in text.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (names, is_allowed) = line.strip_prefix('~').map_or((line, true), |rest| (rest, false));
        let mut named = BTreeSet::new();
        names.split(' ').for_each(|name| expand(name, &sets, &mut named));
        if is_allowed {
            allowed.extend(named);
        } else {
            allowed.retain(|name| !named.contains(name));
        }
    }
    allowed
}

/// Start, requests that resolve names and write the journal, a reload, a stop: nothing in it is a call
/// that the unit forbids, and no memory is written and run.
#[test]
fn the_gateway_makes_no_call_that_its_unit_forbids() {
    let folder = TempDir::with_prefix("gpconnect-unit-").unwrap();
    let site = Site::of_example("direct", folder.path());
    let (listener, observe) = (own_address(), own_address());
    let calls = site.file("calls");
    let mut gateway = program("strace");
    // With -D the gateway is our own child, and ends with its handle whatever fails here.
    gateway.args(["-D", "-f", "-qq", "-o"]).arg(&calls).args([GATEWAY, "serve", "--config"]);
    gateway.arg(site.file("gateway.toml")).envs(site.environment()).envs([
        ("GPCG__LISTENER__0__ADDRESS", listener.to_string()),
        ("GPCG__LISTENER__0__SERVER_NAMES", format!("localhost:{}", listener.port())),
        ("GPCG__OBSERVE__ADDRESS", observe.to_string()),
        ("GPCG__SERVER__NOTICE", "0s".to_owned()),
        ("NOTIFY_SOCKET", site.file("nobody").to_str().unwrap().to_owned()),
    ]);
    let gateway = Running(gateway.stdout(Stdio::null()).spawn().unwrap());
    wait_for("readiness", || get(observe, "/readyz").is_some_and(|(status, _)| status == 200));
    let said = site.ask(listener.port());
    assert!(said.contains("502"), "the practice is not there: {said}");
    gateway.signal("HUP");
    let reloads = "gpconnect_gateway_reloads_total{result=\"loaded\"} 1";
    wait_for("a reload", || {
        get(observe, "/metrics").is_some_and(|(_, text)| text.contains(reloads))
    });
    gateway.stop();

    let text = fs::read_to_string(&calls).unwrap();
    let called = |line: &str| {
        let (call, _) = line.split_once(' ')?.1.trim_start().split_once('(')?;
        call.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            .then(|| call.to_owned())
    };
    let called: BTreeSet<_> = text.lines().filter_map(called).collect();
    assert!(called.contains("fdatasync") && called.contains("accept4"), "{called:?}");
    let allowed = allowed();
    let forbidden: Vec<_> = called.iter().filter(|call| !allowed.contains(*call)).collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
    let both: Vec<_> = text.lines().filter(|it| it.contains("PROT_WRITE|PROT_EXEC")).collect();
    assert!(both.is_empty(), "MemoryDenyWriteExecute: {both:#?}");
}

/// What gateway.toml names below `$CREDENTIALS_DIRECTORY` is what the unit hands over, and the time that
/// the unit gives a stop is enough.
#[test]
fn the_unit_fits_the_configuration_that_is_installed_with_it() {
    let unit = unit();
    let configuration =
        fs::read_to_string(repository("config/examples/direct/gateway.toml")).unwrap();
    let handed: BTreeSet<_> = unit
        .lines()
        .filter_map(|line| line.strip_prefix("LoadCredential=")?.split_once(':'))
        .map(|(name, file)| {
            assert_eq!(file, format!("/etc/gpconnect-gateway/keys/{name}"));
            name
        })
        .collect();
    let wanted: BTreeSet<_> = configuration
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once("$CREDENTIALS_DIRECTORY/")?.1.strip_suffix('"'))
        .collect();
    assert_eq!(handed, wanted);
    let seconds = |text: &str, key: &str| -> u64 {
        let value = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        value.trim_matches(['"', 's']).parse().unwrap()
    };
    let needed = seconds(&configuration, "notice = ") + seconds(&configuration, "drain = ") + 5;
    assert!(seconds(&unit, "TimeoutStopSec=") > needed);
}
