"""Instructions a request: a contender under callgrind, counting only while a load is carried."""

import argparse
import json
import pathlib
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile

from . import changed, contenders, estate, machine
from .collector import Collector
from .machine import Unable
from .pki import Pki
from .processes import kill, stop_all
from .provider import Provider

PRACTICES = 1_000
# Each connection sends, then each is answered, so that a contender finds as much to do at once as
# it does under a real load.
CONNECTIONS = 16
WARM_UP, COUNTED = 640, 3_200
# Over TLS it goes by time: a handshake costs as much as a hundred requests.
WARM_UP_SECONDS, COUNTED_SECONDS = 3, 20


def arguments():
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog="benches/instructions",
        description="Instructions a request in user space, counted by callgrind.")
    parser.add_argument("--only", type=lambda text: text.split(","), default=["bare", "gateway"],
                        metavar="NAMES",
                        help="contenders, by comma: bare, gateway, traced, unobserved, unaudited")
    parser.add_argument("--scenario", type=lambda text: text.split(","), metavar="NAMES",
                        help="by comma: " + ", ".join(each.name for each in estate.EVERY_SCENARIO)
                        + "; the first two unless others are named")
    parser.add_argument("--binary", type=pathlib.Path, metavar="FILE",
                        help="count this binary; with --only and one name")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER",
                        help="leave the profiles there, for callgrind_annotate --inclusive=yes")
    return parser.parse_args()


def run():
    """The exit code."""
    options = arguments()
    try:
        machine.set_up(["nginx", "openssl", "valgrind"])
        for name in options.only:
            binary = options.binary or build(name)
            wanted = options.scenario or [each.name for each in estate.SCENARIOS]
            for scenario in estate.EVERY_SCENARIO:
                if scenario.name in wanted:
                    count = counted(name, binary, scenario, options.keep)
                    print(f"{scenario.name:5} {name:8} {count:9,.0f} instructions a request",
                          flush=True)
    except Unable as fault:
        print(f"not counted: {fault}", file=sys.stderr)
        return 1
    return 0


def build(name):
    """The release binary of a contender."""
    if name == "bare":
        return machine.cargo(machine.BENCHES / "bare", "bare-proxy")
    if name in changed.CHANGES:
        return changed.build(name)
    return machine.cargo(machine.PROJECT, "gpconnect-gateway")


def counted(name, binary, scenario, keep):
    """Instructions a request of one contender."""
    with tempfile.TemporaryDirectory(prefix="gpconnect-bench-") as place:
        place = pathlib.Path(place)
        # The provider's worker is another user.
        place.chmod(0o755)
        try:
            pki = Pki(place) if scenario.tls else None
            contender = start(name, under_callgrind(binary, place), place, pki)
            if pki:
                count = over_tls(contender, scenario, place / "heads", pki)
            else:
                count = carried(contender, scenario, place / "heads")
            control(contender, "--dump")
            # The engine alone would take its time to stop.
            kill(contender.program.process.pid)
        finally:
            stop_all()
        profile = place / "profile.1"
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(profile, keep / f"{name}-{scenario.name}")
        return total(profile) / count


def carried(contender, scenario, file):
    """Carries the load; how many requests were counted."""
    heads = list(requests(file, scenario))
    load = Load(contender.port, scenario)
    load.carry(heads[:WARM_UP])
    control(contender, "--instr=on")
    load.carry(heads[WARM_UP:])
    control(contender, "--instr=off")
    return COUNTED


def over_tls(contender, scenario, file, pki):
    """The same over TLS, by the program that can show a certificate."""
    program = machine.cargo(machine.BENCHES / "bare", "tls-load")
    estate.write_heads(file, scenario, PRACTICES)

    def send(seconds):
        command = [program, str(contender.tls_port), str(file), str(CONNECTIONS), str(seconds),
                   scenario.tls, *pki.consumer, pki.authority]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
        sent = json.loads(done.stdout.removeprefix("LOAD ") or "{}")
        if not sent.get("requests") or sent["refused"] or sent["broken"]:
            raise Unable(f"the load over TLS failed: {done.stdout}{done.stderr}")
        return sent["requests"]

    send(WARM_UP_SECONDS)
    control(contender, "--instr=on")
    count = send(COUNTED_SECONDS)
    control(contender, "--instr=off")
    return count


def start(name, binary, place, pki):
    """The contender with its provider."""
    processor, load_processor = machine.processors()
    provider = Provider(place, load_processor)
    if name == "bare":
        return contenders.bare(binary, place, provider, processor, pki)
    return contenders.gateway(
        binary, place, provider, processor, PRACTICES, pki, collector=Collector() if name == "traced" else None)


def under_callgrind(binary, place):
    """A program that runs `binary` under callgrind, which counts nothing until it is told to."""
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no",
               f"--callgrind-out-file={place}/profile", str(binary)]
    script = place / "under-callgrind"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    script.chmod(0o755)
    return str(script)


def control(contender, what):
    """Tells callgrind in the contender's process what to do."""
    pid = str(contender.program.process.pid)
    done = subprocess.run(["callgrind_control", what, pid], capture_output=True, text=True)
    if done.returncode != 0:
        raise Unable(f"callgrind_control {what}: {done.stdout}{done.stderr}")


def total(profile):
    """All instructions in a profile, of all threads."""
    for line in profile.read_text().splitlines():
        if line.startswith("totals:"):
            return int(line.split()[1])
    raise Unable(f"{profile} has no total")


def requests(file, scenario):
    """Enough requests, each with a trace id of its own."""
    estate.write_heads(file, scenario, PRACTICES)
    heads = file.read_bytes().decode().split("\r\n\r\n")[:-1]
    for number in range(WARM_UP + COUNTED):
        trace_id = f"{number:08x}-0000-4000-8000-{number:012x}"
        # 7 and 1,000 share no divisor: each practice has its turn.
        head = heads[number * 7 % len(heads)]
        yield f"{head}\r\nSsp-TraceID: {trace_id}\r\n\r\n".encode()


class Load:
    """Some kept-open connections."""

    def __init__(self, port, scenario):
        self.scenario = scenario
        self.connections = [
            socket.create_connection(("127.0.0.1", port), 60) for _ in range(CONNECTIONS)]

    def carry(self, requests):
        """Sends all and reads all answers, one request a connection at a time."""
        for first in range(0, len(requests), CONNECTIONS):
            busy = list(zip(self.connections, requests[first:first + CONNECTIONS]))
            for connection, request in busy:
                connection.sendall(request)
            for connection, _ in busy:
                self.read(connection)

    def read(self, connection):
        """One answer, which must be good and whole."""
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += more(connection)
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise Unable(f"an answer of {len(body)} bytes began with {head[:40]}")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        if length < self.scenario.answer_bytes:
            raise Unable(f"an answer of {length} bytes is too short")
        left = length - len(body)
        while left > 0:
            left -= len(more(connection))


def more(connection):
    """What came; never nothing."""
    read = connection.recv(1 << 18)
    if not read:
        raise Unable("the contender closed a connection")
    return read
