//! Searches of the journal by the command line.

use serde_json::{Value, json};

use crate::audit::journal::{Journal, command, run};
use crate::harness::World;

/// Who searches the journal of a gateway at work is on record first, and does not search when that
/// can't be; where there is no gateway, the command says so.
#[tokio::test]
async fn whoever_searches_is_on_record_first() {
    let mut world = World::start(|_| {}).await;
    let folder = world.gateway.folder().to_owned();
    let number = ["--nhs-number", "9000000009", "--search-key", "audit-keys/search.key"];
    let why = ["--reason", "complaint 17", "-o", "json", "--reader-key", "audit-keys/reader.key"];
    let (_, found, beside) = run(&folder, "search", &[&number[..], &why].concat());
    assert_eq!(beside, "", "it is on record");
    let found: Value = serde_json::from_str(found.trim()).expect("the search finds itself");
    assert_eq!((&found["kind"], &found["opens"]), (&json!("search"), &json!(true)));
    assert_eq!(found["opened"]["reason"], "complaint 17");
    command(&folder, "show", &["1/0"]);
    command(&folder, "tail", &["-n", "1"]);
    let counted = command(&folder, "stats", &["--since", "2026-01-01T00:00:00Z", "-o", "json"]);
    let counted: Value = serde_json::from_str(&counted).unwrap();
    assert_eq!(counted["by_kind"]["search"], 4, "it counts itself: {counted}");
    world.gateway.limit_files(0);
    for (name, arguments) in [("search", &["--kind", "start"][..]), ("stats", &[])] {
        let (worked, found, beside) = run(&folder, name, arguments);
        assert!(!worked && found.is_empty() && beside.contains("can't be written"), "{beside}");
    }
    world.gateway.limit_files(u64::MAX);
    assert_eq!(world.gateway.stop().await, Some(0));
    let (worked, _, beside) = run(&folder, "search", &["--kind", "start"]);
    assert!(worked && beside.starts_with("Not on record"), "{beside}");
    let journal = Journal::read(&folder);
    let searches: Vec<_> = journal.of("search").collect();
    let told: Vec<_> = searches.iter().map(|it| it["command"].as_str().unwrap()).collect();
    assert_eq!(told, ["search", "show", "tail", "stats"]);
    assert_eq!(searches[1]["record"], "1/0");
    assert!(searches[3]["since"].as_str().unwrap().starts_with("2026-01-01T00:00:00"));
}
