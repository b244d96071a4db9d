//! A reload swaps everything or nothing.

use gpconnect::names::{Asid, OdsCode};

use super::estate::{Estate, Written};
use crate::{
    config::Environment,
    snapshot::{Access, Current},
};

fn open() -> (Written, Current) {
    let written = Estate { practices: 3, consumers: 2 }.write();
    let (current, warnings) = Current::open(&written.gateway(), Environment::default()).unwrap();
    assert!(warnings.iter().all(|warning| warning.message.starts_with("INSECURE")));
    (written, current)
}

#[test]
fn a_reload_without_changes_is_a_new_generation() {
    let (_written, current) = open();
    assert_eq!(current.load().generation, 1);
    let (changes, _) = current.reload(|_| {}).unwrap();
    assert_eq!(changes.to_string(), "generation 2: practices +0 -0, consumers +0 -0");
    assert_eq!(current.peek().generation, 2);
}

#[test]
fn a_reload_brings_and_takes_practices_and_consumers() {
    let (written, current) = open();
    let before = current.load();
    written.replace("practices.toml", "A00002", "A00009");
    written.replace("consumers.toml", "200000000001", "200000000007");
    let (changes, _) = current.reload(|_| {}).unwrap();
    assert_eq!(changes.practices_added, ["A00009"]);
    assert_eq!(changes.practices_removed, ["A00002"]);
    assert_eq!(changes.consumers_added, ["200000000007"]);
    assert_eq!(changes.consumers_removed, ["200000000001"]);
    assert!(changes.restart_needed.is_empty());
    let gone: OdsCode = "A00002".parse().unwrap();
    assert!(before.policy.find_practice(gone).is_some(), "a request keeps what it began with");
    assert!(current.load().policy.find_practice(gone).is_none());
}

/// gp-connect 9.
#[test]
fn a_reload_with_mistakes_changes_nothing_and_names_them() {
    let (written, current) = open();
    written.replace("practices.toml", "\"A00002\"", "\"a00002\"");
    let mistakes = current.reload(|_| {}).unwrap_err();
    let first = mistakes.iter().next().unwrap();
    assert_eq!(first.key.as_deref(), Some("organisation[2].ods_code"));
    assert_eq!(current.load().generation, 1);
    written.replace("practices.toml", "\"a00002\"", "\"A00002\"");
    assert_eq!(current.reload(|_| {}).unwrap().0.generation, 2);
}

#[test]
fn what_is_fixed_at_the_start_stays_until_a_restart() {
    let (written, current) = open();
    written.replace("gateway.toml", "127.0.0.1:8080", "127.0.0.1:8081");
    written.replace("gateway.toml", "[directory]", "[log]\nformat = \"json\"\n\n[directory]");
    for generation in [2, 3] {
        let (changes, _) = current.reload(|_| {}).unwrap();
        assert_eq!(changes.generation, generation);
        assert_eq!(changes.restart_needed, ["listener", "log"], "as long as they differ");
    }
    assert_eq!(current.load().startup.listeners[0].address.to_string(), "127.0.0.1:8080");
}

#[test]
fn listeners_take_new_names_and_consumers_without_a_restart() {
    let (written, current) = open();
    written.replace("gateway.toml", "localhost:8080", "gateway.example");
    written.replace("gateway.toml", "200000000000", "200000000001");
    assert!(current.reload(|_| {}).unwrap().0.restart_needed.is_empty());
    let snapshot = current.load();
    let entrance = snapshot.entrance(0).unwrap();
    assert_eq!(entrance.server_names[0].as_str(), "gateway.example");
    let Access::InsecureEveryoneIs(everyone) = &entrance.access else { panic!("it is plain") };
    let consumer = snapshot.policy.consumer(everyone[0]).unwrap();
    assert_eq!(consumer.asid, "200000000001".parse::<Asid>().unwrap());
}

#[test]
fn a_listener_that_is_no_longer_named_goes_on_until_a_restart() {
    let (written, current) = open();
    written.replace("gateway.toml", "name = \"consumers\"", "name = \"others\"");
    written.replace(
        "consumers.toml",
        "[[consumer]]\nasid = \"200000000000\"",
        "[[consumer]]\nasid = \"200000000005\"",
    );
    written.replace("gateway.toml", "[\"200000000000\"]", "[\"200000000001\"]");
    assert_eq!(current.reload(|_| {}).unwrap().0.restart_needed, ["listener"]);
    let snapshot = current.load();
    let entrance = snapshot.entrance(0).unwrap();
    assert_eq!(entrance.name, "consumers");
    let Access::InsecureEveryoneIs(everyone) = &entrance.access else { panic!("it is plain") };
    assert!(everyone.is_empty(), "its only system is gone");
}
