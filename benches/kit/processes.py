"""Other programs: started on a processor of their own, watched through /proc, always stopped."""

import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from .machine import Unable, search_path

TICK = os.sysconf("SC_CLK_TCK")
# prctl(2): the signal that a child gets when its parent dies.
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
# Every program started and not yet stopped, ready or not.
STARTED = []
# The kernel may offer a port again before its program listens.
GIVEN_PORTS = set()


class Program:
    """One started program with whatever it starts in turn."""

    def __init__(self, command, processor, output):
        """Starts `command`, bound to `processor`; what it prints is added to `output`."""
        path = shutil.which(command[0], path=search_path())
        if not path:
            raise Unable(f"{command[0]} is not installed")
        self.name, self.output = command[0], output

        def prepare():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            os.sched_setaffinity(0, {processor})

        # Nothing of the caller's environment, in which settings of the gateway might stand.
        bare = {"PATH": search_path(), "HOME": "/"}
        with open(output, "ab") as out:
            self.process = subprocess.Popen(
                [path, *command[1:]], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=bare, preexec_fn=prepare)
        STARTED.append(self)

    def family(self):
        """Its process id and those of all its descendants."""
        children = {}
        for entry in os.listdir("/proc"):
            fields = stat(int(entry)) if entry.isdigit() else None
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry))
        found = [self.process.pid]
        for pid in found:
            found += children.get(pid, [])
        return found

    def cpu(self):
        """Seconds in user space and in the kernel so far."""
        read = [fields for fields in map(stat, self.family()) if fields]
        return sum(int(f[11]) for f in read) / TICK, sum(int(f[12]) for f in read) / TICK

    def resident(self):
        """Its memory in MiB."""
        return sum(status(pid, "VmRSS") for pid in self.family()) / 1024

    def sleeps(self):
        """How often it went to sleep so far, to be woken by whoever had work for it."""
        return sum(status(pid, "voluntary_ctxt_switches") for pid in self.family())

    def check(self):
        """Raises if it has ended."""
        if self.process.poll() is not None:
            said = pathlib.Path(self.output).read_text(errors="replace")[-2000:]
            raise Unable(f"{self.name} ended with {self.process.returncode}:\n{said}")

    def stop(self):
        """Asks it to end, then ends it."""
        if self.process.poll() is not None:
            return
        family = self.family()
        self.process.terminate()
        try:
            self.process.wait(8)
        except subprocess.TimeoutExpired:
            for pid in reversed(family):
                kill(pid)
            self.process.wait(5)


def stop_all():
    """Stops whatever was started, the last one first."""
    while STARTED:
        STARTED.pop().stop()


def stat(pid):
    """The fields of /proc/PID/stat from the third on; none when the process is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None


def status(pid, name):
    """One figure of /proc/PID/status; 0 when the process is gone."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def kill(pid):
    """Ends a process that may be gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def machine_busy():
    """Seconds that all processors together have worked so far, for anybody."""
    line = pathlib.Path("/proc/stat").read_text().partition("\n")[0]
    user, nice, system, _idle, _wait, irq, softirq = map(int, line.split()[1:8])
    return (user + nice + system + irq + softirq) / TICK


def free_port():
    """A port that nobody uses just now, another one each time."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in GIVEN_PORTS:
            GIVEN_PORTS.add(port)
            return port


def wait_until(ready, program, patience=60):
    """Waits until `ready()` is true while `program` runs; the seconds that it took."""
    begun = time.monotonic()
    while not ready():
        program.check()
        if time.monotonic() - begun > patience:
            raise Unable(f"{program.name} is not ready after {patience} s; see {program.output}")
        time.sleep(0.01)
    return time.monotonic() - begun


def accepts(port):
    """Whether somebody listens."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def answers(url):
    """Whether a GET is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
