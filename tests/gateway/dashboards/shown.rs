//! What a panel shows, in words: as Grafana would, with its names, units and words for values.

use serde_json::Value;

/// The first few series of a panel, at this second since 1970.
pub(super) fn for_instance(panel: &Value, targets: &Value, now: f64) -> String {
    let targets = targets.as_array().unwrap();
    let most = if targets.len() > 1 { 1 } else { 3 };
    let mut found = Vec::new();
    for (place, target) in targets.iter().enumerate() {
        let series = target["series"].as_array().unwrap();
        for pair in series.iter().take(most) {
            let name = name(panel, target, &pair[0], targets.len() > 1);
            let value = value(panel, place, pair[1].as_f64().unwrap(), now);
            found.push(format!("{name} {value}").trim().to_owned());
        }
        if series.len() > most {
            found.push("…".to_owned());
        }
    }
    found.join("; ")
}

/// What a series is called. The columns of a table are its labels; one of several values has its own.
fn name(panel: &Value, target: &Value, labels: &Value, is_one_of_several: bool) -> String {
    let is_shown = |(name, _): &(&String, &Value)| !hidden(name);
    let labels: Vec<(&String, &Value)> =
        labels.as_object().unwrap().iter().filter(is_shown).collect();
    let mut legend = target["legend"].as_str().unwrap().to_owned();
    let is_table = panel["type"] == "table";
    if is_table || legend == "__auto" {
        let columns: Vec<_> = labels.iter().map(|(_, value)| value.as_str().unwrap()).collect();
        let column = (is_table && is_one_of_several).then_some(&*legend);
        return columns.into_iter().chain(column).collect::<Vec<_>>().join(" ");
    }
    for (name, value) in labels {
        legend = legend.replace(&format!("{{{{{name}}}}}"), value.as_str().unwrap());
    }
    // A label that is not shown, or that the series does not have.
    let parts = legend.split("{{").map(|part| part.split_once("}}").map_or(part, |(_, it)| it));
    parts.collect::<String>().trim().to_owned()
}

/// What differs from one run to the next, or is the same for all.
fn hidden(label: &str) -> bool {
    ["__name__", "instance", "job", "file"].contains(&label)
}

fn value(panel: &Value, place: usize, value: f64, now: f64) -> String {
    if panel["transformations"][1]["options"]["excludeByName"]["Value"] == true {
        return String::new();
    }
    let defaults = &panel["fieldConfig"]["defaults"];
    let word = &defaults["mappings"][0]["options"][value.to_string()]["text"];
    let column = &panel["fieldConfig"]["overrides"][place]["properties"];
    let unit = column.as_array().and_then(|all| all.iter().find(|it| it["id"] == "unit"));
    let unit = unit.map_or(&defaults["unit"], |unit| &unit["value"]).as_str().unwrap();
    let shown = word.as_str().map_or_else(|| amount(value, unit, now), str::to_owned);
    format!("**{shown}**")
}

fn amount(value: f64, unit: &str, now: f64) -> String {
    match unit {
        "percentunit" => format!("{:.1} %", value * 100.0),
        "percent" => format!("{value:.0} %"),
        "reqps" => format!("{value:.2}/s"),
        "bytes" if value < 1_048_576.0 => format!("{:.1} KiB", value / 1_024.0),
        "bytes" => format!("{:.1} MiB", value / 1_048_576.0),
        "s" => time(value),
        "dateTimeFromNow" if value / 1_000.0 < now => {
            format!("{} ago", time(now - value / 1_000.0))
        }
        "dateTimeFromNow" => format!("in {}", time(value / 1_000.0 - now)),
        _ if value != 0.0 && value.abs() < 0.05 => format!("{value:.3}"),
        // What is extrapolated to an hour or a day is seldom whole.
        _ if (value - value.round()).abs() < 0.05 => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    }
}

fn time(seconds: f64) -> String {
    match seconds.abs() {
        0.0 => "0 s".to_owned(),
        below if below < 1.0 => format!("{:.0} ms", seconds * 1_000.0),
        below if below < 120.0 => format!("{seconds:.0} s"),
        below if below < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        below if below < 172_800.0 => format!("{:.0} h", seconds / 3_600.0),
        _ => format!("{:.0} d", seconds / 86_400.0),
    }
}

#[test]
fn amounts_are_told_in_their_units() {
    for (value, unit, expected) in [
        (0.687, "percentunit", "68.7 %"),
        (99.0, "percent", "99 %"),
        (1.79, "reqps", "1.79/s"),
        (4_804.0, "bytes", "4.7 KiB"),
        (87_060_480.0, "bytes", "83.0 MiB"),
        (0.475, "s", "475 ms"),
        (-1.0, "s", "-1 s"),
        (0.0, "s", "0 s"),
        (3_600.0, "s", "60 min"),
        (1_000_000.0 - 7_200_000.0, "dateTimeFromNow", "2 h ago"),
        (1_000_000.0 + 86_400_000.0 * 14.0, "dateTimeFromNow", "in 14 d"),
        (46.001, "short", "46"),
        (10.213, "short", "10.2"),
        (2.0, "none", "2"),
        (0.003, "short", "0.003"),
        (0.0, "short", "0"),
    ] {
        assert_eq!(amount(value, unit, 1_000.0), expected, "{value} {unit}");
    }
}
