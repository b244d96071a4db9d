//! Rules and alerts: promtool takes them, each alert fires on what it is for and on nothing less, and
//! the runbook has a section for it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use super::file;

const RULES: [&str; 2] =
    ["dashboards/prometheus/recording.yml", "dashboards/prometheus/alerts.yml"];

fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool").args(arguments).current_dir(file("")).output();
    let output = output.unwrap_or_else(|why| panic!("promtool: {why}; try deploy/setup tests"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
}

/// The names of all alerts.
fn alerts() -> BTreeSet<String> {
    let text = fs::read_to_string(file(RULES[1])).unwrap();
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

#[test]
fn promtool_takes_the_rules() {
    promtool(&["check", "rules", RULES[0], RULES[1]]);
}

#[test]
fn alerts_fire_on_what_they_are_for_and_on_nothing_less() {
    promtool(&["test", "rules", "dashboards/prometheus/tests.yml"]);
}

#[test]
fn every_alert_is_seen_to_fire_and_not_to_fire() {
    let tests = fs::read_to_string(file("dashboards/prometheus/tests.yml")).unwrap();
    for alert in alerts() {
        assert!(tests.contains(&format!("alertname=\"{alert}\"")), "{alert} fires in no test");
        let quiet = format!("alertname: {alert}, exp_alerts: []");
        assert!(tests.contains(&quiet), "{alert} keeps quiet in no test");
    }
}

#[test]
fn every_alert_has_its_section_in_the_runbook() {
    let runbook = fs::read_to_string(file("docs/runbook.md")).unwrap();
    let sections: Vec<(&str, &str)> =
        runbook.split("\n## ").skip(1).map(|section| section.split_once('\n').unwrap()).collect();
    let named: BTreeSet<_> = sections.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(named, alerts());
    assert_eq!(sections.len(), named.len(), "each once");
    for (name, section) in sections {
        for part in ["**Means.** ", "**Look.** ", "**Do.** "] {
            assert!(section.contains(part), "{name} lacks {part}");
        }
    }
}

#[test]
fn every_alert_says_how_urgent_it_is_and_where_its_section_stands() {
    let text = fs::read_to_string(file(RULES[1])).unwrap();
    for alert in text.split("- alert: ").skip(1) {
        let name = alert.lines().next().unwrap();
        let urgent = ["{ severity: page }", "{ severity: ticket }"];
        assert_eq!(urgent.iter().filter(|it| alert.contains(*it)).count(), 1, "{alert}");
        assert!(alert.contains("          summary: \""), "{alert}");
        let runbook = format!("          runbook: docs/runbook.md#{}\n", name.to_lowercase());
        assert!(alert.contains(&runbook), "{alert}");
    }
}
