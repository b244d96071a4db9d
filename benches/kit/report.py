"""What comes out: medians, ratios, a table for each scenario, the targets."""

import statistics

from .contenders import HAPROXY_DOES, HAPROXY_DOES_NOT
from .estate import EVERY_SCENARIO

# Name, scenario, contender, measured against (maybe in another scenario), what, at most: a ratio, or
# with a sign a difference.
# HAProxy's figures are to beat. As many handshakes a second as the processor can carry are the inverse
# of what each costs.
TARGETS = [
    ("2 kB: at most 1.25 times bare", "2k", "gateway 1,000", "bare", "cpu", 1.25),
    ("200 kB: at most 1.10 times bare", "200k", "gateway 1,000", "bare", "cpu", 1.10),
    ("10,000 practices within 5 % of 1,000", "2k", "gateway 10,000", "gateway 1,000", "cpu", 1.05),
    ("2 kB: HAProxy's or less", "2k", "gateway 1,000", "haproxy", "cpu", 1.00),
    ("200 kB: HAProxy's or less", "200k", "gateway 1,000", "haproxy", "cpu", 1.00),
    ("2 kB over mutual TLS: at most 1.25 times bare", "2k-tls", "gateway 1,000", "bare", "cpu",
     1.25),
    ("handshakes: at least 0.95 times bare's a second", "handshakes", "gateway 1,000", "bare",
     "cpu", 1 / 0.95),
    ("journal: at most 1.25 times the CPU without it", "journal", "gateway 1,000", "unaudited",
     "cpu", 1.25),
    ("journal: at least 0.8 times the requests a second without it", "journal", "unaudited",
     "gateway 1,000", "per_second", 1 / 0.8),
    ("journal, 500/s: at most 2 ms more at the median", "journal-500", "gateway 1,000",
     "unaudited", "p50_ms", "+2"),
    ("journal, 500/s: at most 5 ms more at p99", "journal-500", "gateway 1,000", "unaudited",
     "p99_ms", "+5"),
    ("metrics and traces of 1 %: at most 1.10 times the CPU without", "observed", "traced",
     "unobserved", "cpu", 1.10),
    ("metrics, without traces: at most 1.02 times the CPU without", "observed", "gateway 1,000",
     "unobserved", "cpu", 1.02),
    ("a collector that hangs: the CPU of one that takes spans", "observed", "deaf", "traced", "cpu",
     1.02),
    ("an answer from memory: at most 0.75 times a provider's", "hit", "gateway 1,000",
     ("miss", "gateway 1,000"), "cpu", 0.75),
]
COLUMNS = [
    ("contender", 15), ("CPU s/1,000", 11), ("min-max", 15), ("user", 7), ("system", 7),
    ("x bare", 6), ("x HAProxy", 9), ("req/s", 7), ("p50 ms", 7), ("p99 ms", 7), ("commit", 6), ("RSS MiB", 7),
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
    wanted = ["cpu", "user", "system", "per_second", "p50_ms", "p99_ms", "commit_ms", "rss_mib",
              "wakes", "busy", "others"]
    result = {key: statistics.median(figure[key] for figure in rounds) for key in wanted}
    costs = [figure["cpu"] for figure in rounds]
    return {**result, "cpu_min": min(costs), "cpu_max": max(costs), "rounds": len(rounds)}


def ratio(summary, scenario, contender, base, figure="cpu"):
    """A figure of one contender over that of another; none when either was left out."""
    there, base = base if isinstance(base, tuple) else (scenario, base)
    one, other = summary.get(scenario, {}).get(contender), summary.get(there, {}).get(base)
    return one[figure] / other[figure] if one and other else None


def compared(summary, scenario, contender, base, figure, limit):
    """What a target looks at, and its bound."""
    if not isinstance(limit, str):
        return ratio(summary, scenario, contender, base, figure), limit
    rows = summary.get(scenario, {})
    there = contender in rows and base in rows
    return rows[contender][figure] - rows[base][figure] if there else None, float(limit)


def targets(summary):
    """Each target with what was measured."""
    found = []
    for name, *asked in TARGETS:
        measured, limit = compared(summary, *asked)
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
              " used meanwhile.",
              "commit: milliseconds that the disk took on average to make the journal's records"
              " durable.", ""]
    parts += starts(contenders)
    if any(each["name"] == "haproxy" for each in contenders):
        parts += ["HAProxy does:", *(f"  - {line}" for line in HAPROXY_DOES)]
        parts += ["HAProxy can't, or is not asked to:", *(f"  - {line}" for line in HAPROXY_DOES_NOT)]
        parts += ["bare and direct check, log and count nothing.", ""]
    parts += ["Targets:", *(verdict(target) for target in targets(summary))]
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
            f"{row['commit_ms']:.2f}", f"{row['rss_mib']:.0f}", f"{row['wakes']:.2f}", f"{row['busy']:.0%}",
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
