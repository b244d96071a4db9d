//! Ten thousand practices and a million agreements: everything found, in time, in bounds.

use std::{fs, time::Instant};

use gpconnect::{interaction::Capability, names::OdsCode, policy::PracticeIndex};

use super::estate::{Estate, consumer_asid, practice_code};
use crate::{
    config::Environment,
    snapshot::{Snapshot, lookup},
};

fn load(practices: usize, consumers: usize) -> Snapshot {
    let written = Estate { practices, consumers }.write();
    Snapshot::load(&written.gateway(), &Environment::default()).unwrap().0
}

#[test]
fn every_practice_and_consumer_of_a_region_is_found() {
    let (practices, consumers) = (1_000, 20);
    let snapshot = load(practices, consumers);
    assert_eq!(snapshot.policy.practices().len(), practices);
    assert_eq!(snapshot.policy.consumers().len(), consumers);
    for number in 0..practices {
        let code = practice_code(number).parse().unwrap();
        let (_, practice) = snapshot.policy.find_practice(code).unwrap();
        assert_eq!(practice.ods_code, code);
        let root = &practice.endpoints.of(Capability::Structured).unwrap().service_root;
        assert_eq!(root.ods_code(), code);
        assert!(practice.enablement.gp_connect);
    }
    for number in 0..consumers {
        let asid = consumer_asid(number).parse().unwrap();
        let (consumer, _) = snapshot.policy.find_consumer(asid).unwrap();
        for practice in (0..).map(PracticeIndex).take(practices) {
            let agreed = snapshot.policy.agreement(consumer, practice);
            assert!(agreed.contains(Capability::Appointments));
            assert!(!agreed.contains(Capability::Documents));
        }
    }
}

#[test]
fn an_organisation_is_looked_up_with_all_it_has() {
    let snapshot = load(3, 2);
    let found = |code: &str| lookup(&snapshot, code.parse::<OdsCode>().unwrap());
    let practice = found("A00001").unwrap();
    let as_practice = practice.practice.unwrap();
    assert_eq!(practice.name, "Practice number 1");
    assert_eq!(as_practice.enabled, ["appointments", "structured"]);
    assert_eq!(as_practice.askers.len(), 2);
    let endpoint = &as_practice.endpoints[2];
    assert_eq!((endpoint.capability, endpoint.upstream.as_str()), ("structured", "north"));
    assert_eq!(endpoint.interactions.len(), 2);
    let consumer = found("RX001").unwrap();
    assert!(consumer.practice.is_none());
    assert_eq!(consumer.consumers[0].asid, "200000000001");
    assert_eq!(consumer.consumers[0].practices, 3);
    assert_eq!(consumer.consumers[0].interactions.len(), 17);
    assert!(found("A00003").is_none());
}

#[test]
#[ignore = "measures: run with --release --ignored, alone"]
fn a_large_region_loads_in_three_seconds_and_500_megabytes() {
    let written = Estate { practices: 10_000, consumers: 100 }.write();
    let start = Instant::now();
    let (snapshot, _) = Snapshot::load(&written.gateway(), &Environment::default()).unwrap();
    let took = start.elapsed();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert_eq!(snapshot.policy.practices().len(), 10_000);
    assert!(took.as_secs() < 3, "took {took:?}");
    assert!(kilobytes < 500_000, "held {kilobytes} kB at most");
}
