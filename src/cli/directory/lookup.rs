//! `directory lookup`: what the directory has of one organisation.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::{
    cli::{
        Ended, check,
        output::{Output, Paint, Table, complain, nearest, print, print_json},
    },
    directory::Organisation,
    snapshot::{Found, PracticeFound, Snapshot, SystemFound, lookup},
};

/// Show what the directory has of one organisation.
///
/// Its endpoints with service root, ASID, party key and interactions, what it has switched on,
/// which consumers have an agreement with it, and its own consumer systems.
///
/// Exit code: 0 when it is known, 1 when it is not, 2 when the configuration can't be used.
///
/// Example: gpconnect-gateway directory lookup A20047 --config gateway.toml
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The ODS code of a practice or of another organisation.
    #[arg(value_name = "ODS")]
    ods_code: String,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The form of what is shown.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Ended {
    let check = match check::load(&arguments.config) {
        Ok(check) => check,
        Err(fault) => return check::unopened(&arguments.config, &fault),
    };
    let Some(snapshot) = &check.snapshot else {
        complain(check::text(&arguments.config, &check, Paint::of_stderr()).trim_end());
        return Ended::Unable;
    };
    let code = &arguments.ods_code;
    let found = code.parse().ok().and_then(|code| lookup(snapshot, code));
    match (found, arguments.output) {
        (Some(found), Output::Human) => print(shown(&found, snapshot).as_bytes(), Ended::Done),
        (Some(found), Output::Json) => print_json(&found, Ended::Done),
        (None, Output::Human) => {
            complain(unknown(code, &near(code, &snapshot.organisations)));
            Ended::No
        }
        (None, Output::Json) => {
            let near: Vec<_> = near(code, &snapshot.organisations)
                .into_iter()
                .map(|near| json!({ "ods_code": near.ods_code.as_str(), "name": near.name }))
                .collect();
            print_json(&json!({ "ods_code": code, "found": false, "near": near }), Ended::No)
        }
    }
}

/// Organisations that may have been meant: of a similar code, or with the word in their name.
fn near<'o>(word: &str, organisations: &'o [Organisation]) -> Vec<&'o Organisation> {
    const MOST: usize = 5;
    let codes = organisations.iter().map(|organisation| organisation.ods_code.as_str());
    let similar = nearest(&word.to_uppercase(), codes);
    let of_code = |code: &str| organisations.iter().find(|it| it.ods_code.as_str() == code);
    let lower = word.to_lowercase();
    let named = organisations.iter().filter(|it| {
        lower.len() > 2
            && it.name.to_lowercase().contains(&lower)
            && !similar.contains(&it.ods_code.as_str())
    });
    similar.iter().filter_map(|code| of_code(code)).chain(named).take(MOST).collect()
}

fn unknown(word: &str, near: &[&Organisation]) -> String {
    let mut text = format!("{word}: the directory has no organisation of this ODS code");
    if near.is_empty() {
        text.push_str("; add an [[organisation]], or correct the code");
        return text;
    }
    text.push_str("; did you mean one of these?");
    for organisation in near {
        text.push_str(&format!("\n  {}  {}", organisation.ods_code, organisation.name));
    }
    text
}

fn shown(found: &Found, snapshot: &Snapshot) -> String {
    let paint = Paint::of_stdout();
    let mut text = format!("{}\n", paint.strong(&format!("{}  {}", found.ods_code, found.name)));
    match &found.practice {
        Some(practice) => text.push_str(&practice_shown(practice, snapshot, paint)),
        None => text.push_str("Not a practice: it has no [[provider]].\n"),
    }
    if !found.consumers.is_empty() {
        text.push_str("\nIts consumer systems\n");
        text.push_str(&systems(&found.consumers));
    }
    text
}

fn practice_shown(practice: &PracticeFound, snapshot: &Snapshot, paint: Paint) -> String {
    let mut text = format!("{}\n\nEndpoints\n{}", switches(practice, paint), endpoints(practice));
    text.push_str("\nConsumers with an agreement\n");
    if practice.askers.is_empty() {
        text.push_str("None: every request is refused. Add an [[agreement]].\n");
        return text;
    }
    let mut table = Table::new(["consumer", "name", "capabilities"]);
    for asker in &practice.askers {
        let code = asker.ods_code.parse().ok();
        let organisation = code.and_then(|code| snapshot.organisation(code));
        let name = organisation.map_or("", |organisation| &organisation.name);
        table.row([&asker.ods_code, name, &asker.capabilities.join(", ")]);
    }
    text.push_str(&table.to_string());
    text
}

fn switches(practice: &PracticeFound, paint: Paint) -> String {
    if !practice.gp_connect {
        return format!("GP Connect is {}; add an [[enablement]].", paint.bad("switched off"));
    }
    let enabled = match practice.enabled.as_slice() {
        [] => String::from("no capability, so everything is refused"),
        enabled => enabled.join(", "),
    };
    format!("GP Connect is {}: {enabled}", paint.good("switched on"))
}

fn endpoints(practice: &PracticeFound) -> String {
    let mut table =
        Table::new(["capability", "service root", "system", "upstream", "interactions"]);
    for endpoint in &practice.endpoints {
        let mut system = format!("ASID {}\nparty key {}", endpoint.asid, endpoint.party_key);
        if let Some(cpa_id) = &endpoint.cpa_id {
            system.push_str(&format!("\nCPA id {cpa_id}"));
        }
        let upstream =
            format!("{}\n{}\n{}", endpoint.upstream, endpoint.address, endpoint.connection);
        let interactions = endpoint.interactions.join("\n");
        table.row([endpoint.capability, &endpoint.service_root, &system, &upstream, &interactions]);
    }
    table.to_string()
}

fn systems(systems: &[SystemFound]) -> String {
    let mut table =
        Table::new(["ASID", "mode", "token", "host names", "practices", "interactions"]);
    for system in systems {
        let issuers = system.issuers.iter().map(|name| format!("\nof {name}"));
        table.row([
            &system.asid,
            system.mode,
            &format!("{}{}", system.token, issuers.collect::<String>()),
            &system.host_names.join("\n"),
            &system.practices.to_string(),
            &system.interactions.join("\n"),
        ]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn snapshot() -> Snapshot {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        check::load(&root.join("config/gateway.toml")).unwrap().snapshot.unwrap()
    }

    #[test]
    fn a_practice_is_shown_whole() {
        let snapshot = snapshot();
        let found = lookup(&snapshot, "A20047".parse().unwrap()).unwrap();
        let text = shown(&found, &snapshot);
        for part in [
            "A20047  The Avenue Surgery",
            "switched on",
            "918999198993",
            "A20047-821452",
            "https://gp.north.example/A20047/STU3/1/gpconnect/structured",
            "fhir:rest:search:slot-1",
            "Northern Hospital",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_consumer_is_shown_with_its_systems() {
        let snapshot = snapshot();
        let found = lookup(&snapshot, "RXX01".parse().unwrap()).unwrap();
        let text = shown(&found, &snapshot);
        for part in ["Not a practice", "200000000359", "assist", "epr.rxx01.example"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn what_is_unknown_comes_with_near_ones() {
        let snapshot = snapshot();
        for (name, word, expected) in [
            ("a wrong digit", "A20048", vec!["A20047"]),
            ("lower case", "a20047", vec!["A20047"]),
            ("part of a name", "harbour", vec!["B83617"]),
            ("nothing like it", "ZZ999", vec![]),
            ("too little", "a", vec![]),
        ] {
            let near = near(word, &snapshot.organisations);
            let codes: Vec<_> = near.iter().map(|near| near.ods_code.as_str()).collect();
            assert_eq!(codes, expected, "{name}");
            assert!(unknown(word, &near).contains(word), "{name}");
        }
    }
}
