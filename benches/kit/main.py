"""The command line and the whole run."""

import argparse
import json
import os
import pathlib
import signal
import sys
import tempfile
import time

from . import changed, machine, measure, report
from .estate import EVERY_SCENARIO
from .machine import Unable

# A token made for a round lives 300 s.
LONGEST_ROUND = 240


def arguments():
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog="benches/run",
        description="CPU, throughput, latency and memory of the gateway beside a bare proxy,"
        " HAProxy and the provider itself.")
    parser.add_argument("--quick", action="store_true", help="one short round: does it work at all")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each scenario")
    parser.add_argument("--seconds", type=int, default=5, help="length of a round")
    parser.add_argument("--connections", type=int, default=32, help="kept-open connections")
    parser.add_argument("--patience", type=int, default=120, metavar="SECONDS",
                        help="how long to wait, in all, for others' work on the machine to end")
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="NAMES",
                        help="contenders, by comma: direct, haproxy, bare, gateway, traced,"
                        " deaf, unaudited, unobserved")
    parser.add_argument("--scenario", type=lambda text: text.split(","), metavar="NAMES",
                        help="by comma: " + ", ".join(each.name for each in EVERY_SCENARIO))
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="also write all figures")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER",
                        help="work in this new folder and leave it: configurations, logs")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.patience = 1, 2, 0
    if not 1 <= options.seconds <= LONGEST_ROUND:
        parser.error(f"--seconds must be 1 to {LONGEST_ROUND}: tokens live 300 s")
    return options


def run():
    """The exit code: 0 when all was measured, met or not; 1 when it could not be."""
    options = arguments()
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGALRM, end)
    try:
        whole(options)
    except Unable as fault:
        print(f"benchmark failed: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmark interrupted", file=sys.stderr)
        return 130
    return 0


def end(number, _frame):
    """Ends the run as an error would, so that everything started is stopped."""
    reason = "it took too long" if number == signal.SIGALRM else "it was told to stop"
    raise Unable(reason)


def whole(options):
    """Sets up, builds, measures, reports."""
    machine.processors()
    machine.set_up()
    binaries = machine.build()
    binaries += ({name: changed.build(name) for name in changed.CHANGES if is_wanted(name, options)},)
    signal.alarm(time_limit(options))
    begun = time.time()
    with folder(options.keep) as place:
        # The provider's worker is another user.
        os.chmod(place, 0o755)
        contenders, figures = measure.run(binaries, place, options)
    signal.alarm(0)
    summary = report.summarise(figures)
    about = (f"{machine.description()}\n{options.rounds} rounds of {options.seconds} s, medians;"
             f" {options.connections} connections; {(time.time() - begun) / 60:.0f} minutes in all")
    print(f"\n{report.text(about, contenders, summary)}", flush=True)
    if options.json:
        options.json.write_text(json.dumps({
            "about": about, "contenders": contenders, "summary": summary,
            "targets": report.targets(summary), "rounds": figures}, indent=1) + "\n")


def is_wanted(name, options):
    """Whether a scenario that is asked for has this contender."""
    scenarios = [each for each in EVERY_SCENARIO if name in each.only]
    asked = not options.scenario or any(each.name in options.scenario for each in scenarios)
    return asked and (not options.only or name in options.only)


def time_limit(options):
    """Seconds after which a run is stuck: every round twice over, waiting, and starting."""
    return 180 + options.patience + 2 * len(EVERY_SCENARIO) * 5 * (options.rounds + 1) * (options.seconds + 2)


def folder(keep):
    """Where the run works: a temporary folder, or one that stays."""
    if not keep:
        return tempfile.TemporaryDirectory(prefix="gpconnect-bench-")
    keep.mkdir(parents=True)
    return Kept(str(keep.resolve()))


class Kept:
    """A folder that is left behind."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        print(f"left in {self.path}: configurations and logs")
