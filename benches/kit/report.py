"""What comes out: medians, ratios, a table for each scenario, the targets."""

import statistics

from .contenders import HAPROXY_DOES, HAPROXY_DOES_NOT
from .estate import EVERY_SCENARIO

# Name, scenario, contender, measured against, at most. HAProxy's figures are to beat. As many
# handshakes a second as the processor can carry are the inverse of what each costs.
TARGETS = [
    ("2 kB: at most 1.25 times bare", "2k", "gateway 1,000", "bare", 1.25),
    ("200 kB: at most 1.10 times bare", "200k", "gateway 1,000", "bare", 1.10),
    ("10,000 practices within 5 % of 1,000", "2k", "gateway 10,000", "gateway 1,000", 1.05),
    ("2 kB: HAProxy's or less", "2k", "gateway 1,000", "haproxy", 1.00),
    ("200 kB: HAProxy's or less", "200k", "gateway 1,000", "haproxy", 1.00),
    ("2 kB over mutual TLS: at most 1.25 times bare", "2k-tls", "gateway 1,000", "bare", 1.25),
    ("handshakes: at least 0.95 times bare's a second", "handshakes", "gateway 1,000", "bare",
     1 / 0.95),
]
COLUMNS = [
    ("contender", 15), ("CPU s/1,000", 11), ("min-max", 15), ("user", 7), ("system", 7),
    ("x bare", 6), ("x HAProxy", 9), ("req/s", 7), ("p50 ms", 7), ("p99 ms", 7), ("RSS MiB", 7),
    ("wakes", 5), ("busy", 5), ("others", 6),
]


def summarise(figures):
    """Medians by scenario and contender."""
    result = {}
    for scenario in EVERY_SCENARIO:
        names = dict.fromkeys(f["contender"] for f in figures if f["scenario"] == scenario.name)
        rows = {name: medians([
            f for f in figures if (f["scenario"], f["contender"]) == (scenario.name, name)
        ]) for name in names}
        if rows:
            result[scenario.name] = rows
    return result


def medians(rounds):
    """The median of each figure, and the range of the headline."""
    wanted = ["cpu", "user", "system", "per_second", "p50_ms", "p99_ms", "rss_mib", "wakes", "busy",
              "others"]
    result = {key: statistics.median(figure[key] for figure in rounds) for key in wanted}
    costs = [figure["cpu"] for figure in rounds]
    return {**result, "cpu_min": min(costs), "cpu_max": max(costs), "rounds": len(rounds)}


def ratio(summary, scenario, contender, base):
    """CPU of one contender over that of another; none when either was left out."""
    rows = summary.get(scenario, {})
    if contender in rows and base in rows:
        return rows[contender]["cpu"] / rows[base]["cpu"]
    return None


def targets(summary):
    """Each target with what was measured."""
    found = []
    for name, scenario, contender, base, limit in TARGETS:
        measured = ratio(summary, scenario, contender, base)
        if measured is not None:
            met = round(measured, 3) <= limit
            found.append({"name": name, "limit": limit, "measured": measured, "met": met})
    return found


def text(about, contenders, summary):
    """The whole report."""
    parts = [about, ""]
    for scenario in (each for each in EVERY_SCENARIO if each.name in summary):
        parts += [f"{scenario.name}: {scenario.title}", *table(summary, scenario.name), ""]
    parts += ["CPU s/1,000: user and system time of the contender's processes for 1,000 requests.",
              "wakes: how often a request found provider or load asleep; waking them is part of a"
              " contender's cost.",
              "busy: the share of its processor that it used. others: processors that anything else"
              " used meanwhile.", ""]
    parts += starts(contenders)
    if any(each["name"] == "haproxy" for each in contenders):
        parts += ["HAProxy does:", *(f"  - {line}" for line in HAPROXY_DOES)]
        parts += ["HAProxy can't, or is not asked to:", *(f"  - {line}" for line in HAPROXY_DOES_NOT)]
        parts += ["bare and direct check, log and count nothing.", ""]
    parts += ["Targets (CPU):", *(verdict(target) for target in targets(summary))]
    return "\n".join(parts)


def table(summary, scenario):
    """The lines of one table."""
    lines = ["  ".join(f"{name:{'<' if name == 'contender' else '>'}{width}}"
                       for name, width in COLUMNS)]
    for name, row in summary[scenario].items():
        to_bare, to_haproxy = (ratio(summary, scenario, name, base) for base in ("bare", "haproxy"))
        cells = [
            f"{row['cpu']:.4f}", f"{row['cpu_min']:.4f}-{row['cpu_max']:.4f}",
            f"{row['user']:.4f}", f"{row['system']:.4f}", times(to_bare), times(to_haproxy),
            f"{row['per_second']:.0f}", f"{row['p50_ms']:.2f}", f"{row['p99_ms']:.2f}",
            f"{row['rss_mib']:.0f}", f"{row['wakes']:.2f}", f"{row['busy']:.0%}",
            f"{row['others']:.2f}",
        ]
        padded = (f"{cell:>{width}}" for cell, (_, width) in zip(cells, COLUMNS[1:]))
        lines.append("  ".join([f"{name:<{COLUMNS[0][1]}}", *padded]))
    return lines


def times(value):
    """A ratio as a cell."""
    return "-" if value is None else f"{value:.2f}"


def starts(contenders):
    """How long the gateways took to be ready."""
    return [f"{each['name']} practices: ready {each['start_seconds']:.2f} s after its start"
            for each in contenders if each["name"].startswith("gateway")]


def verdict(target):
    """One target as a line."""
    word = "met   " if target["met"] else "MISSED"
    return f"  {word}  {target['name']}: {target['measured']:.3f}"
