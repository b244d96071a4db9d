"""One round: the load for some seconds, and what the contender used meanwhile."""

import json
import os
import resource
import subprocess
import time
import urllib.request

from .estate import SERVER_NAME, write_heads
from .machine import BENCHES, Unable
from .processes import machine_busy


class Load:
    """What sends the requests: one thread, a fixed number of connections, each always busy."""

    def __init__(self, folder, processor, connections, provider, programs, tls_load, pki):
        """`programs` are all that belong to the benchmark: whatever else works is others' load."""
        self.tls_load, self.pki = tls_load, pki
        self.heads, self.processor, self.connections = folder / "heads", processor, connections
        self.provider, self.programs = provider, programs

    def round(self, contender, scenario, seconds):
        """Measures `contender`; its figures."""
        # Made for each round: a token lives 300 s.
        write_heads(self.heads, scenario, contender.practices)
        if contender.log:
            os.truncate(contender.log, 0)
        committed = commits(contender)
        before, slept = self.spent(contender), self.slept()
        sent = self.send(contender, scenario, seconds)
        after, wakes = self.spent(contender), self.slept() - slept
        count, took = (b - a for a, b in zip(committed, commits(contender)))
        wall, user, system, ours, everyone = (b - a for a, b in zip(before, after))
        require(contender, scenario, sent)
        if contender.metrics and scenario.tls != "new":
            audited(contender, count)
        thousands = sent["requests"] / 1_000
        return {
            "scenario": scenario.name,
            "contender": contender.name,
            "requests": sent["requests"],
            "per_second": sent["requests"] / (sent["microseconds"] / 1e6),
            "cpu": (user + system) / thousands,
            "user": user / thousands,
            "system": system / thousands,
            "p50_ms": sent["p50"] / 1e3,
            "p99_ms": sent["p99"] / 1e3,
            "rss_mib": contender.program.resident(),
            "commit_ms": 1e3 * took / count if count else 0.0,
            "wakes": wakes / sent["requests"],
            "busy": (user + system) / wall,
            "others": max(everyone - ours, 0) / wall,
        }

    def spent(self, contender):
        """Wall clock, the contender's user and system time, all ours, everyone's: in seconds."""
        user, system = contender.program.cpu()
        ours = sum(sum(program.cpu()) for program in self.programs)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            used = resource.getrusage(who)
            ours += used.ru_utime + used.ru_stime
        return time.monotonic(), user, system, ours, machine_busy()

    def slept(self):
        """How often load and provider went to sleep so far."""
        loads = resource.getrusage(resource.RUSAGE_CHILDREN).ru_nvcsw
        return loads + self.provider.program.sleeps()

    def send(self, contender, scenario, seconds):
        """Runs wrk, or what can show a client certificate; what it counted."""
        connections = scenario.connections or self.connections
        # By connection and request; the time of an answer comes on top, so it is a little less.
        pause = round(1_000 * connections / scenario.rate) if scenario.rate else 0
        command = [
            self.tls_load, str(contender.tls_port), str(self.heads), str(connections),
            str(seconds), scenario.tls, *self.pki.consumer, self.pki.authority,
        ] if scenario.tls else [
            "wrk", "--threads", "1", "--connections", str(connections),
            "--duration", f"{seconds}s", "--script", str(BENCHES / "load.lua"),
            "--header", f"Host: {SERVER_NAME}",
            f"http://127.0.0.1:{contender.port}", "--", str(self.heads), str(pause)]
        # The kernel ends a process that outlives us; the load ends by itself.
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30,
                              preexec_fn=lambda: os.sched_setaffinity(0, {self.processor}))
        for line in done.stdout.splitlines():
            if line.startswith("LOAD "):
                return json.loads(line.removeprefix("LOAD "))
        raise Unable(f"the load against {contender.name} failed:\n{done.stdout}{done.stderr}")


def commits(contender):
    """How many commits its journal made so far, and how long they took: what the disk needs."""
    if not contender.metrics:
        return 0, 0.0
    with urllib.request.urlopen(contender.metrics, timeout=10) as page:
        lines = [line.split() for line in page.read().decode().splitlines()]
    found = {line[0].partition("audit_commit_seconds_")[2]: float(line[1])
             for line in lines if "audit_commit_seconds_" in line[0]}
    return found.get("count", 0), found.get("sum", 0.0)


def audited(contender, count):
    """Raises when a gateway that has a journal made no record of a round."""
    if contender.name != "unaudited" and not count:
        raise Unable(f"{contender.name} put nothing into its journal: it is not the gateway")


def require(contender, scenario, sent):
    """Raises unless every request of the round was answered with 200, whole, and logged."""
    name = f"{contender.name}, {scenario.name} answers"
    if sent["refused"] or sent["broken"] or not sent["requests"]:
        raise Unable(
            f"{name}: of {sent['requests']} requests {sent['refused']} were answered with an error"
            f" and {sent['broken']} not at all; nothing is measured so")
    if sent["bytes"] < sent["requests"] * scenario.answer_bytes:
        raise Unable(f"{name}: {sent['bytes']} bytes for {sent['requests']} requests is too little")
    deadline = time.monotonic() + 5
    # A handshake without a request leaves no line.
    while contender.log and scenario.tls != "new" and lines(contender.log) < sent["requests"]:
        if time.monotonic() > deadline:
            raise Unable(f"{name}: {lines(contender.log)} log lines for {sent['requests']} requests")
        time.sleep(0.05)


def lines(file):
    """The number of lines of a large file."""
    with open(file, "rb") as opened:
        return sum(block.count(b"\n") for block in iter(lambda: opened.read(1 << 20), b""))
