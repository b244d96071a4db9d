"""All rounds: contenders side by side in one run, so that they meet the same machine."""

import pathlib
import time

from . import contenders, estate, proof
from .collector import Collector, Deaf
from .load import Load
from .machine import processors
from .pki import Pki
from .processes import machine_busy, stop_all
from .provider import Provider

# Before the first round of a scenario, uncounted: pools fill, memory is touched.
WARM_UP_SECONDS = 1
# Contenders that differ from the gateway in one thing, for the scenarios about that.
SPECIAL = ("traced", "deaf", "unaudited", "unobserved")
# Processors that others may use while the machine still counts as quiet, and how long one looks.
QUIET = 0.15
LOOK_SECONDS = 0.3


def run(binaries, folder, options):
    """Starts everything, proves it, measures it; contenders and the figures of all rounds."""
    folder = pathlib.Path(folder)
    try:
        pki = Pki(folder)
        provider, runners = start(binaries, folder, pki, options.only)
        for contender in runners:
            held = proof.prove(contender, provider, pki)
            if contender.checks:
                print(f"{contender.name}: does its work, {held} of {held} checks", flush=True)
        programs = {id(each.program): each.program for each in [provider, *runners]}
        _, load_processor = processors()
        load = Load(
            folder, load_processor, options.connections, provider, list(programs.values()),
            binaries[2], pki)
        patience = Patience(options.patience)
        figures = []
        for scenario in estate.EVERY_SCENARIO:
            able = [each for each in runners if each.tls_port or not scenario.tls]
            able = [each for each in able if is_asked(each, scenario)]
            if able and (not options.scenario or scenario.name in options.scenario):
                figures += rounds(load, scenario, able, patience, options)
        return [about(each) for each in runners], figures
    finally:
        stop_all()


def is_asked(contender, scenario):
    """Whether a scenario is for this contender: some are for their own alone."""
    return contender.name in scenario.only if scenario.only else contender.name not in SPECIAL


def start(binaries, folder, pki, only):
    """Starts provider and contenders."""
    gateway, bare, _, changed = binaries
    processor, load_processor = processors()
    provider = Provider(folder, load_processor)
    makers = {
        "direct": lambda: contenders.direct(provider),
        "haproxy": lambda: contenders.haproxy(folder, provider, processor, pki),
        "bare": lambda: contenders.bare(bare, folder, provider, processor, pki),
    }
    for count in (1_000, 10_000):
        # What TLS costs does not depend on the number of practices.
        own = pki if count == 1_000 else None
        makers[f"gateway {count:,}"] = lambda count=count, own=own: contenders.gateway(
            gateway, folder, provider, processor, count, own)
    for name, collector in [("traced", Collector), ("deaf", Deaf)]:
        makers[name] = lambda name=name, collector=collector: contenders.gateway(
            gateway, folder, provider, processor, 1_000, name=name, collector=collector())
    # Of the product no such builds exist.
    for name, binary in changed.items():
        makers[name] = lambda name=name, binary=binary: contenders.gateway(
            binary, folder, provider, processor, 1_000, name=name)
    wanted = [make for name, make in makers.items() if not only or name.split()[0] in only]
    return provider, [make() for make in wanted]


class Patience:
    """Waits for a quiet machine, but not longer than so many seconds in the whole run."""

    def __init__(self, seconds):
        self.left = seconds

    def wait(self):
        """Returns when nobody else works, or when patience is at an end."""
        while self.left > 0:
            begun, busy = time.monotonic(), machine_busy()
            time.sleep(LOOK_SECONDS)
            looked = time.monotonic() - begun
            if (machine_busy() - busy) / looked < QUIET:
                return
            self.left -= looked


def rounds(load, scenario, runners, patience, options):
    """Each contender once a round; the order turns by one, so that none is always first."""
    print(f"\n{scenario.title}", flush=True)
    for contender in runners:
        load.round(contender, scenario, WARM_UP_SECONDS)
    figures = []
    for number in range(options.rounds):
        turn = number % len(runners)
        for contender in runners[turn:] + runners[:turn]:
            patience.wait()
            figure = load.round(contender, scenario, options.seconds)
            figures.append({"round": number + 1, **figure})
            print(
                f"  round {number + 1}  {contender.name:15} {figure['cpu']:.4f} CPU s / 1,000"
                f"  {figure['per_second']:7.0f}/s  p99 {figure['p99_ms']:.2f} ms"
                f"  others {figure['others']:.2f}", flush=True)
    return figures


def about(contender):
    """What the report says of a contender beside its figures."""
    return {"name": contender.name, "practices": contender.practices, "checks": contender.checks,
            "start_seconds": contender.start_seconds}
